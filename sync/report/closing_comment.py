"""The closing comment: a closing record in words, posted once in place of the transition to `done` or `ended`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from itertools import pairwise

from sync.markup.document import Bullets, Document, Foreign, Inline, Item, Line, Lines, Section, Sign, Strong, Table
from sync.model.closing import ClosingRecord, ReviewQuestion, ReviewQuestionKind
from sync.model.health import Status
from sync.model.published import PublishedForecast
from sync.model.tracker_data import Person
from sync.report.figures import hours, overrun_percent
from sync.report.phrases import STATUS, against, capital, day, outcome, percent, plural

__all__ = ["closing_comment", "question_line"]

NAMED, LISTED = 50, 5
"""Maximum numbers of people thanked by name and of listed moves of the due date."""


def closing_comment(
    record: ClosingRecord, name: Callable[[Person], Inline] = lambda person: Foreign(person.name)
) -> Document:
    """Return the comment. ``name`` shows a person: as plain text, or as a mention where mentions are switched on."""
    sections = (_head(record), _planned(record), _forecasts(record), _thanks(record, name), _review(record))
    return Document(tuple(section for section in sections if section is not None))


def _head(record: ClosingRecord) -> Section:
    status = Status.at_end(record.counts)
    verb = "was finished" if status is Status.DONE else "ended"
    result = "" if status is Status.DONE else f" with {outcome(record.counts)}"
    line: Line = (
        Sign(status),
        " ",
        Strong(capital(STATUS[status])),
        ": ",
        Foreign(record.title),
        f" {verb} on {day(record.done)}{result}.",
    )
    return Section(title="", blocks=(Lines((line,)),), weight=100)


def _planned(record: ClosingRecord) -> Section:
    counts = record.counts
    lines: list[Line] = []
    first, last = record.baseline, record.due
    if first is not None:
        word = STATUS[Status.at_end(counts)]
        lines.append((Strong("Date"), f": first planned for {day(first)}, {word} {against(record.done, first)}."))
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
    work += f", {counts.carried} carried over" if counts.carried else ""
    work += f", {counts.open} left open" if counts.open else ""
    work += f", {counts.removed} taken out" if counts.removed else ""
    lines.append((Strong("Work"), f"{work}."))
    if record.items_joined or record.items_left:
        start = plural(record.items_at_start, "issue")
        scope = f"{start} at the start, {record.items_joined} joined, {record.items_left} moved out"
        lines.append((Strong("Scope"), f": {scope}, {counts.total} at the end."))
    if record.estimate:
        over = overrun_percent(record.spent, record.estimate)
        spent = f"{hours(record.spent)} h spent of {hours(record.estimate)} h estimated"
        lines.append((Strong("Budget"), f": {spent}, {over:+d}%."))
    if record.criteria.of:
        met = f"{record.criteria.met} of {plural(record.criteria.of, 'exit criterion', 'exit criteria')} met"
        lines.append((Strong("Criteria"), f": {met}."))
    return Section(title="Planned and actual", blocks=(Bullets(tuple(lines)),), weight=90)


def _moves(record: ClosingRecord) -> Iterable[tuple[date, date, date]]:
    dates = [(due_date.seen, due_date.due) for due_date in record.slips if due_date.due is not None]
    for (_, before), (seen_at, after) in pairwise(dates):
        if before is not None and after is not None and before != after:
            yield before, after, seen_at.date()


def _forecasts(record: ClosingRecord) -> Section | None:
    """Return the published forecasts compared with the day on which the milestone was done."""
    if not record.forecasts:
        return None
    head = ("Said on", "In time", "Most likely", "85% certain", "Held")
    table = Table(head, tuple(_row(record, forecast) for forecast in record.forecasts))
    return Section(title="What the forecast said", blocks=(table,), weight=60)


def _row(record: ClosingRecord, forecast: PublishedForecast) -> tuple[str, ...]:
    likely = "none" if forecast.probability is None else percent(forecast.probability)
    p50, p85 = ("none" if value is None else day(value) for value in (forecast.p50, forecast.p85))
    held = (
        ""
        if forecast.p85 is None
        else "no, not done"
        if record.counts.unfinished
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
    lines = tuple(question_line(entry) for entry in record.questions)
    return Section(title="For the review", blocks=(Bullets(lines, numbered=True),), weight=85)


def question_line(entry: ReviewQuestion) -> Line:
    """Return a question as a sentence."""
    return _QUESTIONS[entry.kind](entry)


def times(count: int) -> str:
    """Return once, twice, 3 times."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _odds(entry: ReviewQuestion) -> str:
    when = f"On {day(entry.day)}" if entry.day else "Once"
    return f"{when} it was {percent(entry.probability or 0.0)} likely to be in time"


def _miss(entry: ReviewQuestion) -> str:
    if entry.count:
        return f"{entry.count} of {plural(entry.of, 'issue')} were not done at the end"
    return f"it came {plural(entry.days, 'day')} after that date"


def _held_up(entry: ReviewQuestion) -> Line:
    item = (Item(*entry.item),) if entry.item else ("One issue",)
    return (*item, f" took {plural(entry.days, 'day')}, longer than any other: what held it up?")


_QUESTIONS: dict[ReviewQuestionKind, Callable[[ReviewQuestion], Line]] = {
    ReviewQuestionKind.LEFT_OPEN: lambda entry: (
        f"It ended with {entry.count} of {plural(entry.of, 'issue')} not done: where does that work go now?",
    ),
    ReviewQuestionKind.CRITERIA: lambda entry: (
        f"{entry.count} of {plural(entry.of, 'exit criterion', 'exit criteria')} stayed unmet: is it done without?",
    ),
    ReviewQuestionKind.UNFORESEEN: lambda entry: (f"{_odds(entry)}, and {_miss(entry)}: what did nobody see then?",),
    ReviewQuestionKind.TURNED: lambda entry: (f"{_odds(entry)}, and it was: what turned it around?",),
    ReviewQuestionKind.GREW: lambda entry: (
        f"{plural(entry.count, 'issue')} joined the {entry.of} of the start: which of them could have waited?",
    ),
    ReviewQuestionKind.SLIPPED: lambda entry: (
        f"The date moved {times(entry.count)}, {entry.days:+d} days: since when was that foreseeable?",
    ),
    ReviewQuestionKind.HELD_UP: _held_up,
    ReviewQuestionKind.RUSH: lambda entry: (
        f"{entry.count} of {plural(entry.of, 'issue')} were closed in the last fifth of the time: what held them back?",
    ),
    ReviewQuestionKind.CUT: lambda entry: (
        f"{plural(entry.count, 'issue')} were taken out or moved away: could that have been decided at the start?",
    ),
    ReviewQuestionKind.KEEP: lambda _: ("What went better than expected, and how is it kept?",),
    ReviewQuestionKind.CHANGE: lambda _: ("What would be done otherwise next time?",),
    ReviewQuestionKind.NEXT: lambda _: ("What does this say about the date of the next milestone?",),
}
