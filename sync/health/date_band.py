"""Memory of published dates: they change only when the forecast has moved by more than a band.

The dates of the previous health stay, all of them, unless one of these holds:

===============  =====================================================================================================
facts changed    another due date, a scope that changed by a tenth or more, another status or method
not valid        one of them has passed, is a day off by now, or contradicts the probability: a date at 50% is by the
                 due date exactly if the probability is 50% or more, and so for each level
out of the band  a date at 50, 70 or 85% differs by more than a working day and by more than 5% of the days ahead,
                 and an item was added, removed or finished, or the dates were first given on an earlier day
===============  =====================================================================================================

So the dates of a milestone in which nothing happens change at most once a day. `Dates.since` is the time since which
they are given.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from msgspec.structs import replace

from sync.forecast.parameters import Rules
from sync.health.status import is_scope_jump
from sync.history.calendar import Calendar
from sync.history.ledger import days
from sync.model.health import Health

__all__ = ["with_steady_dates"]

SHARE = 0.05
"""Share of the days ahead by which a date may differ from the published one."""


def with_steady_dates(health: Health, previous: Health | None, calendar: Calendar, rules: Rules) -> Health:
    """Return ``health`` with the dates to publish: those of ``previous``, or its own if they have to change.

    ``calendar`` is in the time zone of the connection. Call it after `sync.health.status.with_status`.
    """
    if all(on is None for on in (health.dates.p50, health.dates.p85, health.dates.horizon)):
        return health
    if previous is None or not _may_stay(previous, health, calendar, rules):
        is_same = previous is not None and all(before == on for _, before, on in _pairs(previous, health))
        since = previous.dates.since if previous is not None and is_same else None
        return replace(health, dates=replace(health.dates, since=since or health.at))
    dates, promise = previous.dates, health.promise
    if promise is not None and previous.promise is not None:
        promise = replace(previous.promise, held=promise.held, of=promise.of)
    kept = replace(health.dates, p50=dates.p50, p85=dates.p85, p95=dates.p95, since=dates.since)
    return replace(health, dates=kept, promise=promise)


def _may_stay(previous: Health, health: Health, calendar: Calendar, rules: Rules) -> bool:
    today = calendar.first_day_of(days(health.at))
    if today is None or previous.at > health.at or _facts_changed(previous, health, rules):
        return False
    pairs = [(level, before, on) for level, before, on in _pairs(previous, health)]
    if not all(_is_valid(before, on, health.due, today, calendar) for _, before, on in pairs):
        return False
    is_near = all(_is_near(before, on, today, calendar) for level, before, on in pairs if level != 95)
    return is_near or not _may_move(previous, health, today, calendar)


def _facts_changed(previous: Health, health: Health, rules: Rules) -> bool:
    return (
        previous.due != health.due
        or previous.status is not health.status
        or previous.method != health.method
        or previous.dates.capacity != health.dates.capacity
        or (previous.promise is None) != (health.promise is None)
        or is_scope_jump(previous.counts, health.counts, rules)
    )


def _pairs(previous: Health, health: Health) -> Iterable[tuple[int, date | None, date | None]]:
    """Yield the level in percent, the published date and the one of the forecast."""
    before, now = previous.dates, health.dates
    yield from ((50, before.p50, now.p50), (85, before.p85, now.p85), (95, before.p95, now.p95))
    if previous.promise is not None and health.promise is not None:
        yield 70, previous.promise.p70, health.promise.p70


def _is_valid(before: date | None, on: date | None, due: date | None, today: date, calendar: Calendar) -> bool:
    """Return True if the published date may be shown today, next to the probability that the forecast's date obeys."""
    is_by_due = due is not None and on is not None and on <= due
    if before is None:
        return not is_by_due
    if before < today or not calendar.is_working_day(before):
        return False
    return due is None or (before <= due) == is_by_due


def _is_near(before: date | None, on: date | None, today: date, calendar: Calendar) -> bool:
    if before is None or on is None:
        return before is on
    gap = abs((on - before).days)
    return gap <= SHARE * (on - today).days or calendar.working_days(min(before, on), max(before, on)) <= 1


def _may_move(previous: Health, health: Health, today: date, calendar: Calendar) -> bool:
    """Return True if something happened in the milestone, or the dates are those of an earlier day."""
    if (previous.counts.open, previous.counts.done) != (health.counts.open, health.counts.done):
        return True
    since = None if previous.dates.since is None else calendar.first_day_of(days(previous.dates.since))
    return since is None or since < today
