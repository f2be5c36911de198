"""The documents of a milestone: summary, transition, description lines, board update and status issue.

A summary is read in ten seconds: verdict, dates, what to do, issues that need someone, progress (`sync.report.head`).
Everything else is folded (`sync.report.details`). The footer says how to disagree or to stop the updates.
"""

from __future__ import annotations

from sync.markup.document import Bullets, Document, Foreign, Line, Lines, Link, Section, Sign, Strong, clean
from sync.model.health import Status, UnknownCause
from sync.model.tracker_data import Milestone
from sync.report.counting import counted_in, other_open
from sync.report.details import detail_sections
from sync.report.facts import Facts
from sync.report.head import HAS_FORECAST, date_lines, head_sections, headline, kind_word, title_after
from sync.report.levers import best_lever, lever_texts
from sync.report.phrases import (
    STATUS,
    UNKNOWN,
    capital,
    day,
    fact_sentence,
    minute,
    outcome,
    percent,
    plural,
    small,
)
from sync.report.reasons import reason_sentence
from sync.report.verdict import missing_since, still_open
from sync.report.verdict_facts import is_worse
from sync.report.why import main_reason, no_verdict_sentence
from sync.tracker.slash_commands import example_override

__all__ = [
    "board_update",
    "description_lines",
    "status_issue_body",
    "status_issue_title",
    "summary",
    "transition",
]


def summary(facts: Facts) -> Document:
    """Return the summary comment, which is edited in place."""
    return Document((*head_sections(facts), *detail_sections(facts), _footer(facts)))


def transition(facts: Facts, before: Status) -> Document:
    """Return the short comment for a new status: at most three lines. ``before`` is the status before."""
    health = facts.health
    head: Line = (
        Sign(health.status),
        " ",
        Strong(capital(STATUS[health.status])),
        f", was {STATUS[before]}: ",
        Foreign(facts.milestone.title),
        f" {_gist(facts)}",
    )
    lines = [head]
    reason = main_reason(health)
    if reason is not None and health.status in HAS_FORECAST:
        lines.append(("Main reason: ", reason_sentence(reason, counted_in(health))))
    lever = best_lever(health)
    if lever is not None and health.status in HAS_FORECAST and is_worse(before, health.status) is not False:
        act, effect = lever_texts(lever, health.due, counted_in(health))
        lines.append(("Best option: ", f"{small(act)} ({effect})." if effect else f"{small(act)}."))
    return Document((Section(title="", blocks=(Lines(tuple(lines)),), weight=100),))


def description_lines(facts: Facts) -> Document:
    """Return our lines in the milestone's own description: the verdict and the dates."""
    lines: tuple[Line, ...] = ((Strong(headline(facts)),), *date_lines(facts))
    return Document((Section(title="", blocks=(Lines(lines),), weight=100),))


def board_update(facts: Facts, page: str) -> Document:
    """Return the status update on a project board: milestone, verdict, dates, and a link to the status issue."""
    kind = kind_word(facts.milestone.kind)
    name: Line = (
        f"{capital(kind)} ",
        Foreign(title_after(kind, facts.milestone.title)),
        " in ",
        Foreign(facts.project),
    )
    lines: tuple[Line, ...] = (name, (Strong(headline(facts)),), *date_lines(facts), (Link("Full status", page),))
    return Document((Section(title="", blocks=(Lines(lines),), weight=100),))


def status_issue_title(milestone: Milestone) -> str:
    """Return the title of a status issue that milesync creates.

    Titles have no code spans, so a space follows each sign that a tracker could read as a mention or a reference.
    """
    kind, title = kind_word(milestone.kind), clean(milestone.title)
    heading = "Health of" if title_after(kind, title) != title else f"Health of {kind}:"
    for sign in "@#!~%&$^*[]<>|`\\":
        title = title.replace(sign, f"{sign} ")
    return f"{heading} {' '.join(title.replace('://', ': //').split())}"[:200]


def status_issue_body(milestone: Milestone, project: str, *, closes: bool = False) -> Document:
    """Return the body of a status issue that milesync creates: the purpose of the issue.

    ``closes``: milesync closes the issue with its milestone, and reopens it.
    """
    kind = kind_word(milestone.kind)
    line: Line = (
        f"This issue shows the health of {kind} ",
        Foreign(title_after(kind, milestone.title)),
        " in ",
        Foreign(project),
        ".",
    )
    about: tuple[Line, ...] = (
        ("A label carries its status; one comment, edited in place, carries the summary.",),
        ("A new comment comes only when the status changes.",),
        (f"This issue is not part of the {kind} and does not count towards it.",),
        ("Close this issue to stop updates; reopen it to resume them.",),
    )
    if closes:
        about += ((f"milesync closes it when the {kind} has ended, and reopens it if the {kind} runs again.",),)
    return Document((Section(title="", blocks=(Lines((line,)), Bullets(about)), weight=100),))


def _gist(facts: Facts) -> str:
    """Return the end of a sentence that begins with the milestone's title."""
    health = facts.health
    if health.status.is_over:
        is_done = health.status is Status.DONE
        return "is finished." if is_done else f"has ended with {outcome(health.counts)}."
    if health.status is Status.OVERDUE and health.due:
        return f"was due on {day(health.due)}; {_still_open(facts)}."
    if health.status in HAS_FORECAST and health.probability is not None and health.due:
        p50, horizon = health.dates.p50, health.dates.horizon
        likely = f"; most likely on {day(p50)}" if p50 else f"; most likely after {day(horizon)}" if horizon else ""
        return f"is {percent(health.probability)} likely to be done by {day(health.due)}{likely}."
    if fact := fact_sentence(health, facts.milestone.kind):
        return f"is on track. {fact}"
    if health.unknown is UnknownCause.STALE:
        since = health.stale_since
        return f"has no verdict: a source {missing_since(since) if since else 'has not been read completely'}."
    if health.status is Status.NO_DUE_DATE:
        return f"has {small(UNKNOWN[UnknownCause.NO_DUE_DATE])}"
    cause = no_verdict_sentence(facts)
    return f"has no verdict. {cause}" if cause else "has too little data for a verdict."


def _still_open(facts: Facts) -> str:
    """Return the open work after the due date, without the number of all issues."""
    counts = facts.health.counts
    if (other_open(counts) and not counts.open) or not counts.total:
        return still_open(counts)
    return f"{plural(counts.on_page.open, counts.on_page.noun)} still open"


# --- footer ----------------------------------------------------------------------------------------------------------


def _footer(facts: Facts) -> Section:
    """Return the time of the update, the full status, and how to disagree or to stop the updates."""
    sentences: list[Line] = [(f"Updated {minute(facts.health.at)}.",)]
    if facts.page:
        sentences.append((Link("Full status", facts.page), "."))
    is_over, kind = facts.health.status.is_over, kind_word(facts.milestone.kind)
    if facts.commands and not is_over:
        example = example_override(facts.health.status, facts.health.due, facts.today)
        sentences += [
            ("Disagree? Comment ", Foreign(example), "."),
            ("Add a word: ", Foreign("/milesync note ..."), "."),
            ("Stop updates: ", Foreign("/milesync mute"), ", or close this issue."),
        ]
    if not facts.commands and not is_over:
        sentences.append(("Commands have no effect here: milesync cannot see who has write access.",))
    if facts.closes_issue and is_over:
        sentences.append((f"This issue is closed with its {kind}. Reopen it to keep it open.",))
    elif facts.closes_issue:
        sentences.append((f"This issue is closed when the {kind} has ended.",))
    if (is_over and not facts.closes_issue) or (not is_over and not facts.commands):
        sentences.append(("Close this issue to stop updates.",))
    line: Line = tuple(part for n, words in enumerate(sentences) for part in ((" ", *words) if n else words))
    return Section(title="", blocks=(Lines((line,)),), weight=40, is_small=True)
