"""Wording shared by all texts: names of statuses, causes of an unknown status, findings, dates, numbers and plurals.

Every text here is our own words; the callers add names and titles as foreign text. The wording of reasons is in
`sync.report.reasons`, of levers in `sync.report.levers`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Protocol

from sync.model.definition import Finding, FindingKind
from sync.model.health import Confidence, Health, Lever, Reason, Status, UnknownCause
from sync.model.membership import Counts
from sync.report.figures import probability_percent

__all__ = [
    "STATUS",
    "UNKNOWN",
    "Translator",
    "against",
    "capital",
    "count_of",
    "date_of",
    "date_or_end",
    "day",
    "fact_sentence",
    "finding_sentence",
    "minute",
    "number_of",
    "outcome",
    "percent",
    "plural",
    "promise_sentences",
    "short_day",
    "small",
    "sureness",
]

STATUS = {
    Status.ON_TRACK: "on track",
    Status.AT_RISK: "at risk",
    Status.OFF_TRACK: "off track",
    Status.OVERDUE: "overdue",
    Status.DONE: "done",
    Status.ENDED: "ended",
    Status.NO_DUE_DATE: "no due date",
    Status.UNKNOWN: "not enough data",
}

UNKNOWN = {
    UnknownCause.NO_DUE_DATE: "Without a due date there is nothing to be early or late for; set one to get a verdict.",
    UnknownCause.TOO_FEW_ITEMS: "It has fewer than 3 issues, too few for a forecast.",
    UnknownCause.TOO_YOUNG: "It has only just begun, and no earlier milestone of this series has finished.",
    UnknownCause.NO_HISTORY: (
        "No earlier milestone of this series has finished, and few issues were closed in 12 weeks."
    ),
    UnknownCause.BAD_DATES: "Its dates contradict each other; correct the start or the due date to get a verdict.",
    UnknownCause.MEMBER: "One of its members cannot be forecast.",
    UnknownCause.STALE: "A source could not be read in full, and half the data would make half a verdict.",
}


class Translator(Protocol):
    """A language of the digest. Texts are looked up by their English words; values fill their named places."""

    def say(self, text: str, **values: object) -> str:
        """Return the text in this language."""
        ...

    def many(self, name: str, several: str, n: int, **values: object) -> str:
        """Return the form of a text that fits ``n`` things."""
        ...

    def day(self, value: date) -> str:
        """Return a date as it is written in this language."""
        ...

    def percent(self, probability: float) -> str:
        """Return a probability (0 to 1) as a percentage."""
        ...


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def day(value: date) -> str:
    """Return a date as 12 Dec 2026, in every locale."""
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def short_day(value: date, today: date) -> str:
    """Return a date as 12 Dec, with its year if that is not the year of ``today``."""
    return f"{value.day} {_MONTHS[value.month - 1]}" if value.year == today.year else day(value)


def minute(value: datetime) -> str:
    """Return a moment as 12 Dec 2026, 06:30 UTC; ``value`` must be in UTC."""
    return f"{day(value)}, {value:%H:%M} UTC"


def percent(probability: float) -> str:
    """Return an integer percentage from 1 to 99: a forecast is never certain."""
    return f"{probability_percent(probability)}%"


def plural(count: int, noun: str, several: str = "") -> str:
    """Return a count with its noun: 1 issue, 2 issues; 1 criterion, 2 criteria."""
    return f"{count} {noun}" if count == 1 else f"{count} {several or noun + 's'}"


def capital(text: str) -> str:
    """Return the text with a capital first letter."""
    return text[:1].upper() + text[1:]


def small(text: str) -> str:
    """Return the text with a small first letter."""
    return text[:1].lower() + text[1:]


def against(value: date, due: date) -> str:
    """Compare a date with a due date: 7 days late, 3 days early, on the day."""
    late = (value - due).days
    if late == 0:
        return "on the day"
    return f"{plural(abs(late), 'day')} {'late' if late > 0 else 'early'}"


def sureness(health: Health) -> str:
    """Return the confidence and its basis: "medium, based on 6 earlier milestones"."""
    grade = health.confidence or Confidence.LOW
    return f"{grade.value}, based on {plural(health.basis.stream_finished, 'earlier milestone')}"


def date_or_end(value: date | None, horizon: date | None) -> str:
    """Return a forecast date in a table: 12 Dec 2026; "not by 20 May 2027" where the forecast ends before it."""
    if value is not None:
        return day(value)
    return f"not by {day(horizon)}" if horizon else ""


def promise_sentences(health: Health) -> tuple[str, str] | None:
    """Return the dates that a milestone without a due date can promise, and how often such dates held.

    None without a promise.
    """
    promise, horizon = health.promise, health.dates.horizon
    if promise is None:
        return None
    dates = {50: promise.p50, 70: promise.p70, 85: promise.p85}
    given = [f"{day(on)} with {level}%" for level, on in dates.items() if on is not None]
    missing = [str(level) for level, on in dates.items() if on is None]
    until = f" until {day(horizon)}" if horizon else ""
    none = f"none with {' or '.join(missing)}%{until}"
    record = (
        f"Dates given with 85% held in {promise.held} of {plural(promise.of, 'case')}."
        if promise.of
        else "How often such dates hold is not yet known."
    )
    if not given:
        return f"At the recent pace no date{until} can be promised.", record
    return (
        f"Dates that can be promised at the recent pace: {', '.join([*given, *([none] if missing else [])])}.",
        record,
    )


# --- values of reasons and levers ------------------------------------------------------------------------------------


def number_of(source: Reason | Lever, name: str) -> float | None:
    """Return a numeric value; None when it is missing or no number."""
    value = source.values.get(name)
    return value if isinstance(value, int | float) else None


def date_of(source: Reason | Lever, name: str) -> date | None:
    """Return a date value; None when it is missing or no date."""
    value = source.values.get(name)
    return value if isinstance(value, date) else None


def count_of(source: Reason | Lever, name: str = "count") -> int:
    """Return the number of issues concerned: the value, or the number of named items without one."""
    return round(number_of(source, name) or len(source.items))


# --- findings; the values are those of `sync.health.definition` ------------------------------------------------------


def finding_sentence(finding: Finding) -> str:
    """Return what the definition of the milestone lacks, as one sentence."""
    return _FINDINGS[finding.kind](finding)


def _part(finding: Finding) -> str:
    return f"{finding.values['count']} of {finding.values['of']}"


def _day_off(finding: Finding) -> str:
    due = finding.values["due"]
    return f"It is due on {day(due)}, a day off." if isinstance(due, date) else "It is due on a day off."


def _same_people(finding: Finding) -> str:
    others = finding.values["others"]
    milestones = "another milestone" if others == 1 else f"{others} other milestones"
    return f"{_part(finding)} people who have open issues in it have some in {milestones} of the same weeks."


_FINDINGS: dict[FindingKind, Callable[[Finding], str]] = {
    FindingKind.NO_OWNER: lambda _: "Nobody is named as its owner.",
    FindingKind.NO_DUE_DATE: lambda _: "It has no due date.",
    FindingKind.NO_EXIT_CRITERIA: lambda _: "Its description lists no exit criteria as a task list.",
    FindingKind.NO_ITEMS: lambda _: "No issue is in it.",
    FindingKind.UNESTIMATED: lambda finding: f"{_part(finding)} open issues have no estimate, the others have one.",
    FindingKind.DUE_DAY_OFF: _day_off,
    FindingKind.SAME_PEOPLE: _same_people,
    FindingKind.CIRCULAR: lambda _: "Issues in it and in another milestone block each other in a circle.",
}


def outcome(counts: Counts) -> str:
    """Return the counts of a milestone that is over in words: ``5 of 12 issues done, 7 carried over``."""
    words = f"{counts.done} of {plural(counts.total, 'issue')} done"
    words += f", {counts.carried} carried over" if counts.carried else ""
    words += f", {counts.open} left open" if counts.open else ""
    return f"{words}, {counts.removed} taken out" if counts.removed else words


def fact_sentence(health: Health) -> str:
    """Return the fact behind a status that rests on no forecast: how it ended, or that nothing is open; else empty."""
    if health.status is Status.ENDED:
        return f"{outcome(health.counts)}."
    if health.status is not Status.ON_TRACK or health.counts.unfinished or not health.counts.done:
        return ""
    joins = health.expected_joins
    usual = f"; at this point {joins} more usually {'joins' if joins == 1 else 'join'}" if joins else ""
    return f"Everything in it is closed{usual}; close the milestone to end it."
