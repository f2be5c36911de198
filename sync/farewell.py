"""The closing comment: a milestone's record in words. It is written once, and tells `done` in place of a transition."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from itertools import pairwise

from sync.markup.document import (
    Bullets,
    Document,
    Foreign,
    Inline,
    Item,
    Line,
    Lines,
    Section,
    Sign,
    Strong,
    Table,
)
from sync.model import Person, Status
from sync.record import Question, QuestionKind, Record, Told
from sync.sentences import against, day, percent, plural

__all__ = ["farewell", "question"]

NAMED, LISTED = 50, 5
"""People who are thanked by name (how many more there are is told), and moves of the date that are listed."""


def farewell(record: Record, name: Callable[[Person], Inline] = lambda person: Foreign(person.name)) -> Document:
    """The comment. ``name`` shows a person: as plain text, or as a mention where that was switched on."""
    made = (_head(record), _planned(record), _said(record), _thanks(record, name), _review(record))
    return Document(tuple(section for section in made if section is not None))


def _head(record: Record) -> Section:
    line: Line = (
        Sign(Status.DONE),
        " ",
        Strong("Done"),
        ": ",
        Foreign(record.title),
        f" was finished on {day(record.done)}.",
    )
    return Section(title="", blocks=(Lines((line,)),), weight=100)


def _planned(record: Record) -> Section:
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


def _moves(record: Record) -> Iterable[tuple[date, date, date]]:
    known = [(one.seen, one.due) for one in record.slips if one.due is not None]
    for (_, before), (seen, after) in pairwise(known):
        if before is not None and after is not None and before != after:
            yield before, after, seen.date()


def _said(record: Record) -> Section | None:
    """What was forecast when, against the day on which it was done."""
    if not record.told:
        return None
    head = ("Said on", "In time", "Most likely", "85 % certain", "Held")
    table = Table(head, tuple(_row(record, one) for one in record.told))
    return Section(title="What the forecast said", blocks=(table,), weight=60)


def _row(record: Record, one: Told) -> tuple[str, ...]:
    likely = "none" if one.probability is None else percent(one.probability)
    p50, p85 = ("none" if value is None else day(value) for value in (one.p50, one.p85))
    held = "" if one.p85 is None else "yes" if record.done <= one.p85 else f"no, {against(record.done, one.p85)}"
    return day(one.at.date()), likely, p50, p85, held or "none"


def _thanks(record: Record, name: Callable[[Person], Inline]) -> Section | None:
    if not record.thanks:
        return None
    people = record.thanks
    names: list[Inline] = []
    for person in people[:NAMED]:
        names += [", ", name(person)] if names else [name(person)]
    more = f", and {len(people) - NAMED} more" if len(people) > NAMED else ""
    line: Line = ("Thanks to all who closed its issues: ", *names, f"{more}.")
    return Section(title="Thanks", blocks=(Lines((line,)),), weight=80)


def _review(record: Record) -> Section | None:
    if not record.questions:
        return None
    lines = tuple(question(one) for one in record.questions)
    return Section(title="For the review", blocks=(Bullets(lines, numbered=True),), weight=85)


def question(one: Question) -> Line:
    """A question as a sentence."""
    return _QUESTIONS[one.kind](one)


def times(count: int) -> str:
    """Once, twice, 3 times."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _odds(one: Question) -> str:
    when = f"On {day(one.day)}" if one.day else "Once"
    return f"{when} it was {percent(one.probability or 0.0)} likely to be in time"


def _held_up(one: Question) -> Line:
    item = (Item(*one.item),) if one.item else ("One issue",)
    return (*item, f" took {plural(one.days, 'day')}, longer than any other: what held it up?")


_QUESTIONS: dict[QuestionKind, Callable[[Question], Line]] = {
    QuestionKind.LEFT_OPEN: lambda one: (
        f"It was closed with {one.count} of {plural(one.of, 'issue')} open: where does that work go now?",
    ),
    QuestionKind.CRITERIA: lambda one: (
        f"{one.count} of {plural(one.of, 'exit criterion', 'exit criteria')} stayed unmet: is it done without?",
    ),
    QuestionKind.UNFORESEEN: lambda one: (
        f"{_odds(one)}, and it came {plural(one.days, 'day')} after that date: what did nobody see then?",
    ),
    QuestionKind.TURNED: lambda one: (f"{_odds(one)}, and it was: what turned it around?",),
    QuestionKind.GREW: lambda one: (
        f"{plural(one.count, 'issue')} joined the {one.of} of the start: which of them could have waited?",
    ),
    QuestionKind.SLIPPED: lambda one: (
        f"The date moved {times(one.count)}, {one.days:+d} days: since when was that foreseeable?",
    ),
    QuestionKind.HELD_UP: _held_up,
    QuestionKind.RUSH: lambda one: (
        f"{one.count} of {plural(one.of, 'issue')} were closed in the last fifth of the time: what held them back?",
    ),
    QuestionKind.CUT: lambda one: (
        f"{plural(one.count, 'issue')} were taken out or moved away: could that have been decided at the start?",
    ),
    QuestionKind.KEEP: lambda _: ("What went better than expected, and how is it kept?",),
    QuestionKind.CHANGE: lambda _: ("What would be done otherwise next time?",),
    QuestionKind.NEXT: lambda _: ("What does this say about the date of the next milestone?",),
}
