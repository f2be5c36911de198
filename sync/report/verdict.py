"""Phrases of the verdict, and of a due date or a forecast that moved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sync.model.health import Status
from sync.model.membership import Counts
from sync.report.counting import counted_in, only_closed, other_open, other_open_words
from sync.report.language import ENGLISH, ROUGH_DAYS, Language, Style
from sync.report.leftover import usual_odds
from sync.report.phrases import (
    capital,
    fact_sentence,
    outcome,
    plural,
    sentence,
    status_words,
)
from sync.report.verdict_facts import VerdictFacts

__all__ = [
    "as_of",
    "data_sentence",
    "due_moved",
    "forecast_moved",
    "inherited_date_sentence",
    "likelihood",
    "missing_since",
    "moves_sentence",
    "outage_words",
    "replan_sentence",
    "still_open",
    "time_left",
    "times",
    "verdict",
]

_FORECAST = (Status.ON_TRACK, Status.AT_RISK, Status.OFF_TRACK)


def verdict(facts: VerdictFacts, last_week: float | None = None, language: Language = ENGLISH) -> str:
    """Return the verdict as a heading: "At risk: 52% likely by 12 Dec 2026 (64% last week)", "Done on 1 Dec 2026".

    ``last_week`` is the probability of a week ago; None: none to compare with.
    """
    health, say = facts.health, language.say
    name = capital(status_words(health.status, language))
    if facts.has_no_data:
        return say("No verdict: a source could not be read")
    if health.status is Status.OVERDUE and health.due is not None:
        late = language.many("Overdue by {n} day", "Overdue by {n} days", max(1, -(facts.days_left or 0)))
        return say("{verdict}: {fact}", verdict=late, fact=still_open(health.counts, language))
    if health.status in _FORECAST and health.probability is not None and health.due is not None:
        likely = likelihood(health.probability, health.due, language, in_full=usual_odds(health) is not None)
        text = say("{verdict}: {fact}", verdict=name, fact=likely)
        if last_week is None:
            return text
        return say("{verdict} ({percent} last week)", verdict=text, percent=language.percent(last_week))
    if health.status.is_over:
        ended = facts.ended_on
        when = say("{verdict} on {day}", verdict=name, day=language.day(ended)) if ended else name
        if health.status is Status.DONE:
            return when
        return say("{verdict}: {fact}", verdict=when, fact=outcome(health.counts, language))
    if health.status is Status.ON_TRACK and fact_sentence(health, facts.milestone.kind):
        counts = health.counts
        fact = counted_in(health, language).say("all its issues are closed")
        if counts.unfinished:
            fact = say("{done} of {total} done", done=counts.done, total=counts.total)
        elif other_open(counts):
            fact = say("{fact}, {work} open", fact=fact, work=other_open_words(counts, language))
        return say("{verdict}: {fact}", verdict=name, fact=fact)
    return name


def as_of(time: datetime | None, language: Language = ENGLISH) -> str:
    """Return the time (UTC) of a kept verdict: "as of 12 Dec 2026, 06:30 UTC"; empty without one."""
    return language.say("as of {time}", time=language.minute(time)) if time else ""


def missing_since(time: datetime, language: Language = ENGLISH, sources: int = 1) -> str:
    """Return since when (UTC) a number of sources fails, without their names."""
    return language.many(
        "has not been read completely since {time}",
        "have not been read completely since {time}",
        sources,
        time=language.minute(time),
    )


def data_sentence(facts: VerdictFacts, language: Language = ENGLISH) -> str:
    """Return since when data is missing, after the time of a kept verdict, as a sentence; empty with all data."""
    since = facts.health.stale_since
    if since is None:
        return ""
    failed = language.say("a source {is_not_read}", is_not_read=missing_since(since, language))
    kept = as_of(facts.as_of, language)
    return sentence(f"{kept}; {failed}" if kept else failed)


def outage_words(since: datetime | None, hidden: Sequence[VerdictFacts]) -> str:
    """Return since when (UTC; None: ever) a source fails and whose verdicts that hides, without the source's name."""
    failed = missing_since(since) if since else "has not been read completely yet"
    times = [facts.as_of for facts in hidden if facts.as_of is not None]
    lost = sum(facts.has_no_data for facts in hidden)
    later = " or later" if len(set(times)) > 1 else ""
    kept = [f"{plural(len(times), 'milestone')} {as_of(min(times))}{later}"] if times else []
    parts = [*kept, *([f"{plural(lost, 'milestone')} without a verdict"] if lost else [])]
    return f"{failed}: {', '.join(parts)}." if parts else f"{failed}."


def time_left(days: int, language: Language = ENGLISH) -> str:
    """Return the distance of a day from today, negative before it: "in 3 days", "tomorrow", "today", "2 days ago"."""
    near = {-1: language.say("yesterday"), 0: language.say("today"), 1: language.say("tomorrow")}
    if days in near:
        return near[days]
    if days > 0:
        return language.many("in {n} day", "in {n} days", days)
    return language.many("{n} day ago", "{n} days ago", -days)


def still_open(counts: Counts, language: Language = ENGLISH) -> str:
    """Return the open work after the due date: "3 of 10 issues open", "10 pull requests open"."""
    shown, others = counts.on_page, other_open(counts)
    if others and not counts.open:
        return language.say("{work} open", work=other_open_words(counts, language))
    if counts.has_only_uncounted:
        return only_closed(counts, language)
    if not shown.total:
        return language.say("it has no issues")
    many = language.naming(shown.noun).many
    fact = many("{open} of {n} issue open", "{open} of {n} issues open", shown.total, open=shown.open)
    if others and counts.page is None:
        return language.say("{fact}, {work} open", fact=fact, work=other_open_words(counts, language))
    return fact


def likelihood(
    probability: float, due: date, language: Language = ENGLISH, style: Style = "numbers", *, in_full: bool = False
) -> str:
    """Return how likely the work is done by a day, as a part of a sentence: "52% likely by 12 Dec 2026".

    ``in_full`` stresses that all of it is meant, in a series that rarely finishes.
    """
    say, day = language.say, language.day(due)
    if style == "numbers" and in_full:
        return say("{percent} likely in full by {day}", percent=language.percent(probability), day=day)
    if style == "numbers":
        return say("{percent} likely by {day}", percent=language.percent(probability), day=day)
    if probability >= 0.85:
        return say("very likely to be done by {day}", day=day)
    if probability >= 0.65:
        return say("likely to be done by {day}", day=day)
    if probability >= 0.4:
        return say("roughly an even chance of being done by {day}", day=day)
    if probability >= 0.15:
        return say("unlikely to be done by {day}", day=day)
    return say("very unlikely to be done by {day}", day=day)


def times(count: int, language: Language = ENGLISH) -> str:
    """Return once, twice, 3 times."""
    if count == 1:
        return language.say("once")
    return language.say("twice") if count == 2 else language.say("{count} times", count=count)


def replan_sentence(language: Language = ENGLISH) -> str:
    """Return why a milestone stays at risk after its due date moved."""
    return language.say("Moving the date does not turn this green by itself; finished work since the move will.")


def inherited_date_sentence(language: Language = ENGLISH) -> str:
    """Return that the tracker computes the due date."""
    return language.say(
        "The tracker computes this due date from the dates of the items, so a later date does not count as a slip."
    )


def moves_sentence(moves: int, first: date, due: date, language: Language = ENGLISH) -> str:
    """Return how often and how far the due date moved since the first one. ``moves`` may be 0: not seen."""
    say, origin = language.say, language.day(first)
    how_often = times(moves, language) if moves else ""
    if first == due:
        return say("The due date has moved {times} and is back on {first}.", times=how_often, first=origin)
    shift = language.shift((due - first).days)
    if not moves:
        return say("The due date has moved ({shift}); originally {first}.", shift=shift, first=origin)
    return say(
        "The due date has moved {times} ({shift}); originally {first}.", times=how_often, shift=shift, first=origin
    )


def due_moved(old: date | None, new: date | None, language: Language = ENGLISH, style: Style = "numbers") -> str:
    """Return a change of the due date as a sentence; empty without one. None: no due date."""
    say, day = language.say, language.day
    if old is not None and new is not None:
        if style == "words":
            return say("The due date moved from {old} to {new}.", old=day(old), new=day(new))
        shift = language.shift((new - old).days)
        return say("The due date moved from {old} to {new} ({shift}).", old=day(old), new=day(new), shift=shift)
    if new is not None:
        return say("The due date is now {new}.", new=day(new))
    return say("The due date, {old}, was removed.", old=day(old)) if old is not None else ""


def forecast_moved(days: int, language: Language = ENGLISH, style: Style = "numbers") -> str:
    """Return that a forecast date moved by days (negative: earlier) as a sentence."""
    if style == "numbers" or abs(days) < ROUGH_DAYS:
        return language.say("The forecast is now {shift}.", shift=language.shift(days))
    span = language.span(abs(days))
    if days > 0:
        return language.say("The forecast is now about {span} later.", span=span)
    return language.say("The forecast is now about {span} earlier.", span=span)
