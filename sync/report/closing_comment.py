"""The closing comment: a milestone's record in words. It is written once, and tells `done` in place of a transition."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from itertools import pairwise

from sync.markup.document import Bullets, Document, Foreign, Inline, Item, Line, Lines, Section, Sign, Strong, Table
from sync.model.closing import ClosingRecord, ReviewQuestion, ReviewQuestionKind
from sync.model.health import Status
from sync.model.published import PublishedForecast
from sync.model.tracker_data import Person
from sync.report.phrases import against, day, percent, plural

__all__ = ["closing_comment", "question"]

NAMED, LISTED = 50, 5
"""People who are thanked by name (how many more there are is told), and moves of the date that are listed."""


def closing_comment(
    record: ClosingRecord, name: Callable[[Person], Inline] = lambda person: Foreign(person.name)
) -> Document:
    """The comment. ``name`` shows a person: as plain text, or as a mention where that was switched on."""
    made = (_head(record), _planned(record), _said(record), _thanks(record, name), _review(record))
    return Document(tuple(section for section in made if section is not None))


def _head(record: ClosingRecord) -> Section:
    line: Line = (
        Sign(Status.DONE),
        " ",
        Strong("Done"),
        ": ",
        Foreign(record.title),
        f" was finished on {day(record.done)}.",
    )
    return Section(title="", blocks=(Lines((line,)),), weight=100)


def _planned(record: ClosingRecord) -> Section:
    counts = record.counts
    lines: list[Line] = []
    first, last = record.baseline, record.due
    if first is not None:
        lines.append((Strong("Date"), f": first planned for {day(first)}, done {against(record.done, first)}."))
    if last is not None and first is not None and record.moves:
        moved = f"the date moved {times(record.moves)}, {(last - first).days:+d} days in all"
        lines.append((Strong("Slips"), f": {moved}; against the last one, {day(last)}, {against(record.done, last)}."))
        moves = list(_moves(record))
        lines += [(Strong("Moved"), f": {day(a)} → {day(b)}, seen on {day(seen)}.") for a, b, seen in moves[-LISTED:]]
    if record.start is not None:
        lines.append(
            (Strong("Time"), f": {plural((record.done - record.start).days, 'day')} from {day(record.start)}.")
        )
    work = f": {plural(counts.done, 'issue')} done"
    work += f", {counts.open} left open" if counts.open else ""
    work += f", {counts.removed} taken out" if counts.removed else ""
    lines.append((Strong("Work"), f"{work}."))
    if record.joined or record.left:
        scope = f"{plural(record.began, 'issue')} at the start, {record.joined} joined, {record.left} moved out"
        lines.append((Strong("Scope"), f": {scope}, {counts.total} at the end."))
    if record.estimate:
        over = round((record.spent / record.estimate - 1) * 100)
        spent = f"{round(record.spent / 3600)} h spent of {round(record.estimate / 3600)} h estimated"
        lines.append((Strong("Budget"), f": {spent}, {over:+d} %."))
    if record.criteria.of:
        met = f"{record.criteria.met} of {plural(record.criteria.of, 'exit criterion', 'exit criteria')} met"
        lines.append((Strong("Criteria"), f": {met}."))
    return Section(title="Planned and actual", blocks=(Bullets(tuple(lines)),), weight=90)


def _moves(record: ClosingRecord) -> Iterable[tuple[date, date, date]]:
    known = [(due_date.seen, due_date.due) for due_date in record.slips if due_date.due is not None]
    for (_, before), (seen, after) in pairwise(known):
        if before is not None and after is not None and before != after:
            yield before, after, seen.date()


def _said(record: ClosingRecord) -> Section | None:
    """What was forecast when, against the day on which it was done."""
    if not record.forecasts:
        return None
    head = ("Said on", "In time", "Most likely", "85 % certain", "Held")
    table = Table(head, tuple(_row(record, forecast) for forecast in record.forecasts))
    return Section(title="What the forecast said", blocks=(table,), weight=60)


def _row(record: ClosingRecord, forecast: PublishedForecast) -> tuple[str, ...]:
    likely = "none" if forecast.probability is None else percent(forecast.probability)
    p50, p85 = ("none" if value is None else day(value) for value in (forecast.p50, forecast.p85))
    held = (
        ""
        if forecast.p85 is None
        else "yes"
        if record.done <= forecast.p85
        else f"no, {against(record.done, forecast.p85)}"
    )
    return day(forecast.at.date()), likely, p50, p85, held or "none"


def _thanks(record: ClosingRecord, name: Callable[[Person], Inline]) -> Section | None:
    if not record.thanks:
        return None
    people = record.thanks
    names: list[Inline] = []
    for person in people[:NAMED]:
        names += [", ", name(person)] if names else [name(person)]
    more = f", and {len(people) - NAMED} more" if len(people) > NAMED else ""
    line: Line = ("Thanks to all who closed its issues: ", *names, f"{more}.")
    return Section(title="Thanks", blocks=(Lines((line,)),), weight=80)


def _review(record: ClosingRecord) -> Section | None:
    if not record.questions:
        return None
    lines = tuple(question(one) for one in record.questions)
    return Section(title="For the review", blocks=(Bullets(lines, numbered=True),), weight=85)


def question(one: ReviewQuestion) -> Line:
    """A question as a sentence."""
    return _QUESTIONS[one.kind](one)


def times(count: int) -> str:
    """Once, twice, 3 times."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _odds(one: ReviewQuestion) -> str:
    when = f"On {day(one.day)}" if one.day else "Once"
    return f"{when} it was {percent(one.probability or 0.0)} likely to be in time"


def _held_up(one: ReviewQuestion) -> Line:
    item = (Item(*one.item),) if one.item else ("One issue",)
    return (*item, f" took {plural(one.days, 'day')}, longer than any other: what held it up?")


_QUESTIONS: dict[ReviewQuestionKind, Callable[[ReviewQuestion], Line]] = {
    ReviewQuestionKind.LEFT_OPEN: lambda one: (
        f"It was closed with {one.count} of {plural(one.of, 'issue')} open: where does that work go now?",
    ),
    ReviewQuestionKind.CRITERIA: lambda one: (
        f"{one.count} of {plural(one.of, 'exit criterion', 'exit criteria')} stayed unmet: is it done without?",
    ),
    ReviewQuestionKind.UNFORESEEN: lambda one: (
        f"{_odds(one)}, and it came {plural(one.days, 'day')} after that date: what did nobody see then?",
    ),
    ReviewQuestionKind.TURNED: lambda one: (f"{_odds(one)}, and it was: what turned it around?",),
    ReviewQuestionKind.GREW: lambda one: (
        f"{plural(one.count, 'issue')} joined the {one.of} of the start: which of them could have waited?",
    ),
    ReviewQuestionKind.SLIPPED: lambda one: (
        f"The date moved {times(one.count)}, {one.days:+d} days: since when was that foreseeable?",
    ),
    ReviewQuestionKind.HELD_UP: _held_up,
    ReviewQuestionKind.RUSH: lambda one: (
        f"{one.count} of {plural(one.of, 'issue')} were closed in the last fifth of the time: what held them back?",
    ),
    ReviewQuestionKind.CUT: lambda one: (
        f"{plural(one.count, 'issue')} were taken out or moved away: could that have been decided at the start?",
    ),
    ReviewQuestionKind.KEEP: lambda _: ("What went better than expected, and how is it kept?",),
    ReviewQuestionKind.CHANGE: lambda _: ("What would be done otherwise next time?",),
    ReviewQuestionKind.NEXT: lambda _: ("What does this say about the date of the next milestone?",),
}
