"""Phrases of all texts: statuses, causes of a missing verdict, findings, dates and counts, in each language.

Every text here is our own words; the callers add names and titles as foreign text. The phrases of reasons are in
`sync.report.reasons`, of levers in `sync.report.levers`, of verdicts and moved dates in `sync.report.verdict`. Without
a language, a phrase is in English.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime

from sync.model.counting import ChangeWord
from sync.model.definition import Finding, FindingKind
from sync.model.health import Confidence, Health, Lever, Promise, Reason, Status, UnknownCause
from sync.model.membership import Counts
from sync.model.team_words import FaultKind
from sync.model.tracker_data import ENDING_WITHOUT_CLOSING, MilestoneKind
from sync.report.counting import counted_in, only_uncounted, other_open, other_open_words
from sync.report.language import ENGLISH, ROUGH_DAYS, Language, Style

__all__ = [
    "STATUS",
    "UNKNOWN",
    "against",
    "capital",
    "count_of",
    "date_of",
    "date_or_end",
    "day",
    "end_sentence",
    "ending_clause",
    "fact_sentence",
    "finding_sentence",
    "history_sentence",
    "lateness",
    "minute",
    "number_of",
    "outcome",
    "percent",
    "plural",
    "promise_record",
    "promise_sentences",
    "sentence",
    "short_day",
    "small",
    "status_words",
    "sure_date",
    "sureness",
    "unknown_sentence",
    "unlisted_words",
    "unshared_words",
]


def status_words(status: Status, language: Language = ENGLISH) -> str:
    """Return the name of a status."""
    say = language.say
    return {
        Status.ON_TRACK: say("on track"),
        Status.AT_RISK: say("at risk"),
        Status.OFF_TRACK: say("off track"),
        Status.OVERDUE: say("overdue"),
        Status.DONE: say("done"),
        Status.ENDED: say("ended"),
        Status.NO_DUE_DATE: say("no due date"),
        Status.UNKNOWN: say("not enough data"),
    }[status]


def unknown_sentence(cause: UnknownCause, language: Language = ENGLISH) -> str:
    """Return why a milestone has no verdict."""
    say = language.say
    return {
        UnknownCause.NO_DUE_DATE: say("No due date, so no verdict: set a due date to get one."),
        UnknownCause.TOO_FEW_ITEMS: say("It has fewer than 3 issues, too few for a forecast."),
        UnknownCause.TOO_YOUNG: say("It has only just started, and no earlier milestone of this series has finished."),
        UnknownCause.NO_HISTORY: say(
            "No earlier milestone of this series has finished, and too few issues were closed in the last 12 weeks."
        ),
        UnknownCause.BAD_DATES: say("Its start and due dates are not plausible: correct one of them to get a verdict."),
        UnknownCause.MEMBER: say("One of its members cannot be forecast."),
        UnknownCause.STALE: say("No verdict: one source could not be read completely."),
    }[cause]


def history_sentence(kind: MilestoneKind, begins: date, language: Language = ENGLISH) -> str:
    """Return when the history of a listed milestone begins, which the tracker does not have."""
    say, day = language.say, language.day(begins)
    if kind is MilestoneKind.TARGET_DATE:
        return say("The history of this target date begins on {day}: the tracker has none.", day=day)
    return say("The history of this iteration begins on {day}: the tracker has none.", day=day)


STATUS: Mapping[Status, str] = {status: status_words(status) for status in Status}
"""The names of statuses in English."""

UNKNOWN: Mapping[UnknownCause, str] = {cause: unknown_sentence(cause) for cause in UnknownCause}
"""The causes of a missing verdict in English."""


# --- notation in English ---------------------------------------------------------------------------------------------


def day(value: date) -> str:
    """Return a date as 12 Dec 2026, in every locale."""
    return ENGLISH.day(value)


def short_day(value: date, today: date) -> str:
    """Return a date as 12 Dec, with its year if that is not the year of ``today``."""
    return ENGLISH.short_day(value, today)


def minute(value: datetime) -> str:
    """Return a moment as 12 Dec 2026, 06:30 UTC; ``value`` must be in UTC."""
    return ENGLISH.minute(value)


def percent(probability: float) -> str:
    """Return an integer percentage from 1 to 99: a forecast is never certain."""
    return ENGLISH.percent(probability)


def plural(count: int, noun: str, several: str = "") -> str:
    """Return a count with its noun: 1 issue, 2 issues; 1 criterion, 2 criteria."""
    return f"{count} {noun}" if count == 1 else f"{count} {several or noun + 's'}"


def capital(text: str) -> str:
    """Return the text with a capital first letter."""
    return text[:1].upper() + text[1:]


def small(text: str) -> str:
    """Return the text with a small first letter."""
    return text[:1].lower() + text[1:]


def sentence(clause: str) -> str:
    """Return a clause as a sentence: with a capital first letter and a full stop."""
    return f"{capital(clause)}."


# --- dates and counts ------------------------------------------------------------------------------------------------


def against(value: date, due: date, language: Language = ENGLISH, style: Style = "numbers") -> str:
    """Compare a date with a due date: 7 days late, 3 days early, on the due date; in words, about 2 weeks late."""
    return lateness((value - due).days, language, style)


def lateness(days: int, language: Language = ENGLISH, style: Style = "numbers") -> str:
    """Return the distance in days from a due date (negative: before it) as `against` does."""
    if days == 0:
        return language.say("on the due date")
    if style == "words" and abs(days) >= ROUGH_DAYS:
        span = language.span(abs(days))
        early = language.say("about {span} early", span=span)
        return language.say("about {span} late", span=span) if days > 0 else early
    if days > 0:
        return language.many("{n} day late", "{n} days late", days)
    return language.many("{n} day early", "{n} days early", -days)


def end_sentence(days: int, *, is_done: bool, language: Language = ENGLISH, style: Style = "numbers") -> str:
    """Return how many days after its due date (negative: before it) a milestone ended, as a sentence.

    An early end with open work is no success, and a late one no failure: neither is called early or late.
    """
    say = language.say
    if is_done:
        return say("Finished {late}.", late=lateness(days, language, style))
    if days == 0:
        return say("It ended on its due date.")
    is_rough = style == "words" and abs(days) >= ROUGH_DAYS
    distance = say("about {span}", span=language.span(abs(days))) if is_rough else language.days(abs(days))
    if days > 0:
        return say("It ended {distance} after its due date.", distance=distance)
    return say("It ended {distance} before its due date.", distance=distance)


def sureness(health: Health, language: Language = ENGLISH) -> str:
    """Return the confidence and its basis: "medium (6 earlier milestones)"."""
    say, milestones = language.say, health.basis.stream_finished
    grade = {Confidence.HIGH: say("high"), Confidence.MEDIUM: say("medium"), Confidence.LOW: say("low")}
    basis = language.many("{n} earlier milestone", "{n} earlier milestones", milestones)
    if not milestones:
        basis = say("no earlier milestones of this series")
    return say("{grade} ({basis})", grade=grade[health.confidence or Confidence.LOW], basis=basis)


def date_or_end(value: date | None, horizon: date | None, language: Language = ENGLISH) -> str:
    """Return a forecast date: 12 Dec 2026; "after 20 May 2027" where the forecast ends before it; else empty."""
    if value is not None:
        return language.day(value)
    return language.say("after {day}", day=language.day(horizon)) if horizon else ""


def sure_date(value: date | None, horizon: date | None, language: Language = ENGLISH) -> str:
    """Return the date of a level such as 85%: 12 Dec 2026; "no date by 20 May 2027" where the forecast ends before it.

    "85% sure after 20 May 2027" would also say that the work ends after that day. Empty without a horizon.
    """
    if value is not None:
        return language.day(value)
    return language.say("no date by {day}", day=language.day(horizon)) if horizon else ""


def promise_sentences(health: Health, language: Language = ENGLISH) -> tuple[str, str] | None:
    """Return the dates that a milestone without a due date can promise, and how often such dates held.

    None without a promise.
    """
    promise, horizon = health.promise, health.dates.horizon
    if promise is None:
        return None
    say, percentage = language.say, language.percentage
    dates = {50: promise.p50, 70: promise.p70, 85: promise.p85}
    given = [
        say("{day} ({percent} sure)", day=language.day(on), percent=percentage(level))
        for level, on in dates.items()
        if on is not None
    ]
    missing = [percentage(level) for level, on in dates.items() if on is None]
    record = promise_record(promise, language)
    if not given:
        until = say("by {day}", day=language.day(horizon)) if horizon else say("within the forecast")
        return say("At the recent pace, no date {until} can be promised.", until=until), record
    if missing and horizon:
        none = say("none by {day} is {percent} sure", day=language.day(horizon), percent=language.either(missing))
        given = [*given[:-1], say("{dates}; {none}", dates=given[-1], none=none)]
    return say("Dates that you can promise at the recent pace: {dates}.", dates=", ".join(given)), record


def promise_record(promise: Promise, language: Language = ENGLISH) -> str:
    """Return how often dates held that were given with 85% certainty, as a sentence."""
    if not promise.of:
        return language.say("It is not yet known how often such dates hold.")
    return language.many(
        "{held} of the last {n} date given with 85% certainty held.",
        "{held} of the last {n} dates given with 85% certainty held.",
        promise.of,
        held=promise.held,
    )


def outcome(counts: Counts, language: Language = ENGLISH) -> str:
    """Return the counts of a milestone that is over in words: ``5 of 12 issues done, 7 carried over``."""
    shown = counts.on_page
    say, many = language.say, language.naming(shown.noun).many
    parts = [many("{done} of {n} issue done", "{done} of {n} issues done", shown.total, done=shown.done)]
    parts += [say("{count} carried over", count=shown.carried)] if shown.carried else []
    parts += [say("{count} left open", count=shown.open)] if shown.open else []
    parts += [say("{count} removed", count=shown.removed)] if shown.removed else []
    return ", ".join(parts)


def ending_clause(kind: MilestoneKind, language: Language = ENGLISH) -> str:
    """Return what ends a running milestone in which nothing is open, as a clause: by whom, or when by itself."""
    say = language.say
    return {
        MilestoneKind.MILESTONE: say("close the milestone to end it"),
        MilestoneKind.VERSION: say("release the version to end it"),
        MilestoneKind.SPRINT: say("complete the sprint to end it"),
        MilestoneKind.EPIC: say("close the epic to end it"),
        MilestoneKind.PARENT: say("close the parent issue to end it"),
        MilestoneKind.ITERATION: say("it ends with its last day"),
        MilestoneKind.TARGET_DATE: say("it ends when its date has passed"),
        MilestoneKind.RULE: say("it ends when its due date has passed"),
        MilestoneKind.JOINT: say("it ends with its last member"),
    }[kind]


def fact_sentence(health: Health, kind: MilestoneKind, language: Language = ENGLISH) -> str:
    """Return the fact behind a status that rests on no forecast; else empty.

    How it ended, that nothing is open, or that nothing in it counts. The ``kind`` of the milestone says what ends it.
    """
    counts, work = health.counts, counted_in(health, language)
    if health.status is Status.ENDED:
        return sentence(outcome(counts, language))
    if counts.has_only_uncounted and not health.status.is_over:
        return only_uncounted(counts, language)
    if health.status is not Status.ON_TRACK or not counts.done:
        return ""
    if counts.unfinished:
        return "" if health.probability is not None else _within_tolerance(counts, kind, work)
    if others := other_open(counts):
        return work.many(
            "All its issues are closed; {others} is still open.",
            "All its issues are closed; {others} are still open.",
            others,
            others=other_open_words(counts, language),
        )
    fact = work.say("All its issues are closed")
    if health.expected_joins:
        fact = work.many(
            "All its issues are closed, but {n} more is usually added later",
            "All its issues are closed, but {n} more are usually added later",
            health.expected_joins,
        )
    return language.say("{fact}; {ending}.", fact=fact, ending=ending_clause(kind, language))


def _within_tolerance(counts: Counts, kind: MilestoneKind, language: Language) -> str:
    """Return that the due date has passed, and no more is open than the tolerance allows."""
    fact = language.many(
        "{done} of {total} done: {n} open issue is within the tolerance",
        "{done} of {total} done: {n} open issues are within the tolerance",
        counts.unfinished,
        done=counts.done,
        total=counts.total,
    )
    if kind in ENDING_WITHOUT_CLOSING:
        return sentence(fact)
    return language.say("{fact}; {ending}.", fact=fact, ending=ending_clause(kind, language))


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


def finding_sentence(finding: Finding, language: Language = ENGLISH) -> str:
    """Return what the definition of the milestone lacks, as one sentence."""
    return _FINDINGS[finding.kind](finding, language)


def _number(finding: Finding, name: str) -> int:
    value = finding.values[name]
    return round(value) if isinstance(value, int | float) else 0


def _unestimated(finding: Finding, language: Language) -> str:
    return language.many(
        "{n} of {of} open issues has no estimate; the others have one.",
        "{n} of {of} open issues have no estimate; the others have one.",
        _number(finding, "count"),
        of=_number(finding, "of"),
    )


def _day_off(finding: Finding, language: Language) -> str:
    due = finding.values["due"]
    if isinstance(due, date):
        return language.say("Its due date, {day}, is not a working day.", day=language.day(due))
    return language.say("Its due date is not a working day.")


def _same_people(finding: Finding, language: Language) -> str:
    people = language.many(
        "{n} of the {of} people with open issues in it also has open issues",
        "{n} of the {of} people with open issues in it also have open issues",
        _number(finding, "count"),
        of=_number(finding, "of"),
    )
    return language.many(
        "{people} in another milestone at the same time.",
        "{people} in {n} other milestones at the same time.",
        _number(finding, "others"),
        people=people,
    )


def _description_line(finding: Finding, language: Language) -> str:
    say = language.say
    fault = {
        FaultKind.EMPTY: say("names no person"),
        FaultKind.NO_DATE: say("has no readable date; write it as 2026-12-01"),
        FaultKind.NO_SHARE: say("has no whole percentage from 0% to 20%"),
        FaultKind.REPEATED: say("has another value in an earlier line, which counts"),
        FaultKind.TOO_MANY: say("is ignored, as there are too many"),
    }[FaultKind(str(finding.values["fault"]))]
    return say(
        "Line {line} of its description: {key} {fault}.",
        line=_number(finding, "line"),
        key=finding.values["key"],
        fault=fault,
    )


_FINDINGS: Mapping[FindingKind, Callable[[Finding, Language], str]] = {
    FindingKind.NO_OWNER: lambda _, language: language.say("No owner is set for this milestone."),
    FindingKind.NO_DUE_DATE: lambda _, language: language.say("It has no due date."),
    FindingKind.NO_EXIT_CRITERIA: lambda _, language: language.say(
        "Its description does not list exit criteria as a task list."
    ),
    FindingKind.DESCRIPTION_LINE: _description_line,
    FindingKind.NO_ITEMS: lambda _, language: language.say("It has no issues."),
    FindingKind.ONLY_PULL_REQUESTS: lambda finding, language: only_uncounted(
        Counts(
            pull_requests=_number(finding, "open"),
            closed_pull_requests=_number(finding, "closed"),
            word=ChangeWord(str(finding.values.get("word", ChangeWord.PULL_REQUEST))),
        ),
        language,
    ),
    FindingKind.UNESTIMATED: _unestimated,
    FindingKind.DUE_DAY_OFF: _day_off,
    FindingKind.SAME_PEOPLE: _same_people,
    FindingKind.CONTRADICTION: lambda finding, language: language.many(
        "The state of {n} issue contradicts its resolution or labels; the state counts.",
        "The states of {n} issues contradict their resolutions or labels; the states count.",
        _number(finding, "count"),
    ),
    FindingKind.CIRCULAR: lambda _, language: language.say(
        "Issues in it and in another milestone form a circular dependency."
    ),
}


def unshared_words(joint: str, connections: Sequence[str]) -> str:
    """State that the comments of a joint milestone's members do not show its status, and what to set."""
    tables = " and ".join(f"[connections.{name}]" for name in connections)
    return (
        f"{joint}: the comments of its members show its name and date, but not its status. "
        f'To show status, probability and dates (no names, no numbers), set share = "aggregate" in {tables}'
    )


def unlisted_words(issues: Sequence[str]) -> str:
    """State that issues (by key) are in a milestone that the tracker does not list."""
    more = f" and {plural(len(issues) - 1, 'other issue')} are" if len(issues) > 1 else " is"
    return f"{issues[0]}{more} in a milestone that the tracker does not list, so milesync does not report on it"
