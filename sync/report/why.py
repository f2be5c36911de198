"""Reasons of a status in one sentence, the same one in comment, digest, page and terminal."""

from __future__ import annotations

from sync.assess.portfolio import AssessedJointMilestone
from sync.markup.document import clean
from sync.model.health import Health, Reason, Status, UnknownCause
from sync.report.counting import counted_in
from sync.report.language import ENGLISH, Language, Style
from sync.report.phrases import fact_sentence, history_sentence, plural, unknown_sentence
from sync.report.reasons import reason_sentence
from sync.report.verdict_facts import VerdictFacts, joint_verdict_facts, verdict_facts

__all__ = ["joint_causes", "joint_why", "main_reason", "no_verdict_sentence", "why_sentence"]


def main_reason(health: Health) -> Reason | None:
    """Return the strongest reason that speaks for the status; without a status to speak for, the strongest."""
    if health.status is Status.ON_TRACK:
        return next((reason for reason in health.reasons if reason.effect > 0), None)
    if health.status in (Status.AT_RISK, Status.OFF_TRACK, Status.OVERDUE):
        return next((reason for reason in health.reasons if reason.effect < 0), None)
    return next(iter(health.reasons), None)


def no_verdict_sentence(facts: VerdictFacts, language: Language = ENGLISH) -> str:
    """Return why a milestone has no verdict; empty if it has one.

    The history of a listed milestone begins when milesync first saw it: what the team closed before is not known.
    """
    health = facts.health
    if health.unknown is None:
        return ""
    if health.unknown is UnknownCause.NO_HISTORY and facts.known_from is not None:
        return history_sentence(facts.milestone.kind, facts.known_from, language)
    return unknown_sentence(health.unknown, counted_in(health, language))


def why_sentence(facts: VerdictFacts, language: Language = ENGLISH, style: Style = "numbers") -> str:
    """Return why a milestone has its status: the missing input, the fact, or the main reason; empty without any."""
    health = facts.health
    if not facts.has_no_data and (fact := fact_sentence(health, facts.milestone.kind, language)):
        return fact
    if health.unknown not in (None, UnknownCause.NO_DUE_DATE) and health.status is not Status.OVERDUE:
        return no_verdict_sentence(facts, language)
    reason = main_reason(health)
    return "" if reason is None else reason_sentence(reason, counted_in(health, language), style)


def joint_why(joint: AssessedJointMilestone) -> str:
    """Return the causes of a missing verdict of a joint milestone; for every other one, what it is."""
    if joint.health.status is Status.UNKNOWN:
        return " ".join(joint_causes(joint)) or why_sentence(joint_verdict_facts(joint))
    return f"Joint milestone of {plural(len(joint.members), 'member')}."


def joint_causes(joint: AssessedJointMilestone) -> list[str]:
    """Return the members without which an unknown joint milestone has no verdict; empty for every other status."""
    if joint.health.status is not Status.UNKNOWN:
        return []
    return [f"{clean(written)} is not known here." for written in joint.missing] + [
        f"{clean(member.written)} cannot be forecast. {no_verdict_sentence(verdict_facts(member))}".rstrip()
        for member in joint.unforecastable
    ]
