"""The closing comment: a closing record in words, posted once in place of the transition to `done` or `ended`.

At most 15 blocks are visible, and each day is named once: other moments are counted in days from the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sync.health.closing import FORTNIGHT
from sync.markup.document import (
    Bullets,
    Document,
    Foreign,
    Inline,
    Line,
    Lines,
    Link,
    Section,
    Sign,
    Strong,
    Table,
)
from sync.model.closing import ClosingRecord
from sync.model.health import Status
from sync.model.joint import Commitment
from sync.model.published import PublishedForecast
from sync.model.robots import is_robot
from sync.model.tracker_data import Person
from sync.report.figures import hours, overrun_percent
from sync.report.head import kind_word, title_after
from sync.report.language import ENGLISH
from sync.report.phrases import STATUS, against, capital, day, end_sentence, percent, plural
from sync.report.questions import question_line
from sync.report.verdict import times

__all__ = ["closing_comment"]

NAMED = 50
"""Maximum number of people thanked by name."""


def closing_comment(
    record: ClosingRecord,
    name: Callable[[Person], Inline] = lambda person: Foreign(person.name),
    commitments: Sequence[Commitment] = (),
) -> Document:
    """Return the comment. ``name`` shows a person: as plain text, or as a mention where mentions are switched on.

    ``commitments`` are the joint milestones of which the milestone is a member, as its readers may know them.
    """
    sections = (_head(record, commitments), _review(record), _thanks(record, name), _forecasts(record))
    return Document(tuple(section for section in sections if section is not None))


# --- the result -------------------------------------------------------------------------------------------------------


def _head(record: ClosingRecord, commitments: Sequence[Commitment]) -> Section:
    where: Line = (_kind(record), " ", Foreign(title_after(kind_word(record.kind), record.title)))
    where += (" in ", Foreign(record.project), ".") if record.project else (".",)
    facts = [*_end(record), *_forecast_before(record)]
    lines = [where + ((" " + " ".join(facts),) if facts else ())]
    plan = [*_plan(record), *_due_date(record), *_budget(record), *_criteria(record)]
    blocks = [Lines((_headline(record),)), Lines(tuple(lines)), Lines(((" ".join(plan),),))]
    blocks += [Lines((_part_of(entry),)) for entry in commitments if entry.status is not None]
    return Section(title="", blocks=tuple(blocks), weight=100)


def _kind(record: ClosingRecord) -> Inline:
    kind = capital(kind_word(record.kind))
    return Link(kind, record.url) if record.url else kind


def _headline(record: ClosingRecord) -> Line:
    """Return the headline: **Ended on 28 Nov 2026: 5 of 12 done, 7 carried over to** `v4`."""
    counts = record.counts
    status = Status.at_end(counts)
    head = f"{capital(STATUS[status])} on {day(record.done)}"
    if status is Status.DONE:
        timing = "" if record.due is None else f", {against(record.done, record.due)}"
        result = f"all {counts.done} issues done" if counts.done > 1 else f"{plural(counts.done, 'issue')} done"
        return (Sign(status), " ", Strong(f"{head}{timing}: {result}"))
    results = [f"{counts.done} of {counts.total} done"]
    results += [f"{counts.open} left open"] if counts.open else []
    results += [f"{counts.carried} carried over"] if counts.carried else []
    return (Sign(status), " ", Strong(f"{head}: {', '.join(results)}"), *_destination(record))


def _destination(record: ClosingRecord) -> Line:
    """Name the milestone that most of the carried-over items are in now; nothing where it is not known."""
    carried, found = record.counts.carried, record.next_milestones
    if not carried or not found or not found[0].title:
        return ()
    first, others = found[0], sum(entry.count for entry in found[1:])
    if first.count >= carried:
        return (" to ", Foreign(first.title))
    if first.count + others >= carried:
        return (f", {first.count} to ", Foreign(first.title), f" and {others} elsewhere")
    return (f", {first.count} of them to ", Foreign(first.title))


def _end(record: ClosingRecord) -> Iterable[str]:
    """Yield when it ended, as days from its due date. A finished milestone says that in its headline."""
    if record.due is None:
        yield "It had no due date."
    elif record.counts.unfinished:
        yield end_sentence((record.done - record.due).days, is_done=False)


def _forecast_before(record: ClosingRecord) -> Iterable[str]:
    """Yield the forecast of two weeks before the end; of a shorter milestone the first."""
    given = [forecast for forecast in record.forecasts if forecast.probability is not None]
    before = [forecast for forecast in given if _days_before(record, forecast) >= FORTNIGHT]
    forecast = before[-1] if before else given[0] if given else None
    if forecast is None or forecast.probability is None:
        return
    days = _days_before(record, forecast)
    when = "two weeks before the end" if days == FORTNIGHT else f"{plural(days, 'day')} before the end"
    if days > 0:
        for_then = "" if forecast.due == record.due else " for the due date at that time"
        yield f"The forecast {when} was {percent(forecast.probability)}{for_then}."


def _days_before(record: ClosingRecord, forecast: PublishedForecast) -> int:
    return (record.done - record.day_of(forecast.at)).days


def _plan(record: ClosingRecord) -> Iterable[str]:
    """Yield planned, added and removed issues, which add up to those of the headline."""
    removed = record.counts.removed + record.items_left
    parts = [f"Planned {record.items_at_start}"]
    parts += [f"added {record.items_joined}"] if record.items_joined else []
    parts += [f"removed {removed}"] if removed else []
    yield ", ".join(parts) + ("." if len(parts) > 1 else ", unchanged.")


def _due_date(record: ClosingRecord) -> Iterable[str]:
    """Yield the moves of the due date. The headline has the last one, as days from the end."""
    first, last = record.baseline, record.due
    if first is None or last is None or (first == last and not record.moves):
        return
    by = ENGLISH.shift((last - first).days)
    moved = f"moved {times(record.moves)}" if record.moves else "moved"
    if first == last:
        yield f"The due date {moved}, and back."
    elif first == record.done:
        yield f"The due date {moved}, {by}; the first one was the day of the end."
    else:
        yield f"First due date {day(first)}; {moved}, {by}."


def _budget(record: ClosingRecord) -> Iterable[str]:
    if record.estimate:
        over = overrun_percent(record.spent, record.estimate)
        compared = f"{abs(over)}% {'over' if over > 0 else 'under'} the estimate" if over else "as estimated"
        yield f"{hours(record.spent)} h spent of {hours(record.estimate)} h estimated, {compared}."


def _criteria(record: ClosingRecord) -> Iterable[str]:
    if record.criteria.of:
        yield f"{record.criteria.met} of {plural(record.criteria.of, 'exit criterion', 'exit criteria')} met."


def _part_of(commitment: Commitment) -> Line:
    """Return the line of a joint milestone; its status is known here."""
    status = commitment.status or Status.UNKNOWN
    return ("Part of the joint milestone ", Foreign(commitment.name), f": {STATUS[status]}.")


# --- forecasts and people ---------------------------------------------------------------------------------------------


def _forecasts(record: ClosingRecord) -> Section | None:
    """Return the published forecasts compared with the day on which the milestone was done."""
    if not record.forecasts:
        return None
    table = Table(
        ("Forecast on", "Likely in time", "Most likely", "85% date", "Did it hold"),
        tuple(_row(record, forecast) for forecast in record.forecasts),
    )
    return Section(title="What the forecasts said", blocks=(table,), weight=60, folded=True)


def _row(record: ClosingRecord, forecast: PublishedForecast) -> tuple[str, ...]:
    likely = "none" if forecast.probability is None else percent(forecast.probability)
    p50, p85 = ("none" if value is None else day(value) for value in (forecast.p50, forecast.p85))
    return day(record.day_of(forecast.at)), likely, p50, p85, _held(record, forecast)


def _held(record: ClosingRecord, forecast: PublishedForecast) -> str:
    """Return whether the 85% date of a forecast held."""
    if forecast.p85 is None:
        return "none"
    if record.counts.unfinished:
        return "no, not done"
    return "yes" if record.done <= forecast.p85 else f"no, {against(record.done, forecast.p85)}"


def _thanks(record: ClosingRecord, name: Callable[[Person], Inline]) -> Section | None:
    """Thank the people by name, without programs, which older records may contain."""
    people = [person for person in record.thanks if person.name and not is_robot(person)]
    if not people:
        return None
    names: list[Inline] = []
    for person in people[:NAMED]:
        names += [", ", name(person)] if names else [name(person)]
    more = f", and {len(people) - NAMED} more" if len(people) > NAMED else ""
    return Section(title="", blocks=(Lines((("Thanks to ", *names, f"{more}."),)),), weight=80)


# --- review questions -------------------------------------------------------------------------------------------------


def _review(record: ClosingRecord) -> Section | None:
    if not record.questions:
        return None
    lines = tuple(question_line(record, entry) for entry in record.questions)
    return Section(title="Worth a look together", blocks=(Bullets(lines, numbered=True),), weight=85)
