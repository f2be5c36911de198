"""Decisions and risks that the team wrote into the description of a milestone, as lines with foreign text.

All surfaces show them in these words: comment, digest, page, status and explanation. No mention is made of an owner.
"""

from __future__ import annotations

from collections.abc import Sequence

from sync.markup.document import Foreign, Inline, Line, Strong
from sync.model.team_words import Decision
from sync.report.figures import share_percent
from sync.report.language import ENGLISH, Language
from sync.report.verdict_facts import VerdictFacts
from sync.tracker.team_words import MAX_TEXT_LENGTH

__all__ = ["SHOWN_DECISIONS", "SHOWN_RISKS", "decision_line", "due_decision_lines", "risk_line", "tolerance_sentence"]

SHOWN_DECISIONS, SHOWN_RISKS = 3, 2
"""Maximum number of decisions that are due, and of risks in one line; the others are counted."""


def decision_line(decision: Decision, *, is_overdue: bool, language: Language = ENGLISH) -> Line:
    """Return a decision with its day and the person who decides."""
    say = language.say
    head = Strong(say("Decision overdue") if is_overdue else say("Decision needed"))
    line: Line = (head,)
    if decision.by is not None:
        day = language.day(decision.by)
        when = say("was needed by {day}", day=day) if is_overdue else say("by {day}", day=day)
        line = (head, ", " if is_overdue else " ", when)
    line = (*line, ": ", Foreign(decision.text, MAX_TEXT_LENGTH))
    return (*line, " (", say("from"), " ", Foreign(decision.owner), ")") if decision.owner else line


def due_decision_lines(facts: VerdictFacts, language: Language = ENGLISH) -> list[Line]:
    """Return the decisions that are overdue or due soon, in the order of their days, and the number of further ones."""
    decisions = facts.due_decisions
    lines = [
        decision_line(decision, is_overdue=decision.is_overdue(facts.today), language=language)
        for decision in decisions[:SHOWN_DECISIONS]
    ]
    if rest := len(decisions) - len(lines):
        lines.append((language.many("and {n} more decision", "and {n} more decisions", rest),))
    return lines


def risk_line(risks: Sequence[str], *, shown: int = SHOWN_RISKS, language: Language = ENGLISH) -> Line:
    """Return at least one risk, and the number of those that are not named."""
    say = language.say
    line: list[Inline] = [Strong(say("Risk") if len(risks) == 1 else say("Risks")), ": "]
    for place, risk in enumerate(risks[:shown]):
        line += [", " if place else "", Foreign(risk, MAX_TEXT_LENGTH)]
    if len(risks) > shown:
        line += [" ", say("and {n} more", n=len(risks) - shown)]
    return tuple(line)


def tolerance_sentence(tolerance: float) -> str:
    """Return that the description of a milestone sets its tolerance."""
    return f"It counts as done with at most {share_percent(tolerance)}% of its issues open, as its description says."
