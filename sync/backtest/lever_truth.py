"""Truth of levers: take a lever that an assessment offers, assess again, and compare the probabilities.

A lever says the probability after it. The next assessment should agree, at the same moment and a day later. Levers are
taken on unfinished milestones at half of their planned time. Moves are also taken in a row: the next one at half of the
time that is then left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import replace

from sync.backtest.questions import BacktestSetup, Outcomes, answerable, questions
from sync.forecast.batch import daily_batches
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.stats import allowed_open
from sync.health.assess import assess
from sync.history.calendar import Calendar
from sync.history.ledger import NEVER, Ledger, days, moment
from sync.model.dates import end_of_day
from sync.model.health import Lever, LeverKind
from sync.model.membership import Container
from sync.model.plan_clock import PlanClock

__all__ = ["LeverTrial", "history_until", "score_levers", "with_lever", "without_changes"]

TAKEN = (LeverKind.MOVE, LeverKind.CUT, LeverKind.BOTH)
"""Levers that leave a trace in the tracker."""
MOVES_IN_A_ROW = 3
MOST_MILESTONES = 150
"""Milestones on which levers are taken; of more, so many are chosen evenly."""
CLOSE_POINTS = 5.0
DAY = 1.0
_COLUMNS = {"": "at_once", "_quiet_day": "quiet_day", "_next_day": "next_day"}


def score_levers(tables: HistoryTables, became: Outcomes, setup: BacktestSetup) -> dict[str, Any]:
    """Compare levers with the next assessment: {kind: figures}, and ``in_a_row`` {"1", "2", "3": figures of moves}.

    Figures: ``n`` levers; ``median`` of the distance of the two probabilities at the same moment, in points, and
    ``within_5``, the share of at most five points; ``.._quiet_day`` a day later if the milestone does not change in it,
    and ``.._next_day`` with its changes. ``untouched`` has the milestones that were offered a lever: the change of
    their probability in a day without it. ``milestones`` were asked about. NaN where there are no levers.
    """
    asked = questions(tables.ledger, became.known, (0.5,), setup.observed)
    is_unfinished = asked.open > allowed_open(asked.scope, tables.rules.tolerance)
    asked, _ = answerable(tables, asked.where(is_unfinished & (asked.at + DAY <= setup.until)), setup.calendar)
    gaps: dict[str, list[_Gap]] = defaultdict(list)
    chosen = np.unique(np.linspace(0, len(asked) - 1, min(len(asked), MOST_MILESTONES)).astype(np.int64))
    for i, at in zip(asked.index[chosen].tolist(), asked.at[chosen].tolist(), strict=True):
        plan = LeverTrial(tables.ledger, i, at, tables.rules, setup.calendar)
        for lever in plan.levers:
            gaps[lever.kind].append(plan.gap(lever))
        if plan.levers:
            gaps["untouched"].append(plan.distance(plan.probability(plan.tables, plan.at)))
        for count, gap in enumerate(_moves_in_a_row(plan, setup.until), start=1):
            gaps[str(count)].append(gap)
    return {
        "milestones": len(chosen),
        **{kind: _figures(gaps[kind]) for kind in (*(kind.value for kind in TAKEN), "untouched")},
        "in_a_row": {str(count): _figures(gaps[str(count)]) for count in range(1, MOVES_IN_A_ROW + 1)},
    }


class _Gap(NamedTuple):
    """Distance of two probabilities in points: at the same moment, a day later without and with what changed in it.

    NaN: no forecast any more.
    """

    at_once: float
    quiet_day: float
    next_day: float


class LeverTrial:
    """Container ``i`` of a ledger as planned at the moment ``at`` (days since 1970 UTC), with its history."""

    def __init__(self, ledger: Ledger, i: int, at: float, rules: Rules, calendar: Calendar) -> None:
        self.whole, self.whole_i, self.rules, self.calendar = ledger, i, rules, calendar
        self.at = days(moment(at))  # whole microseconds, as in an assessment

    @cached_property
    def tables(self) -> HistoryTables:
        """Tables of the history that can matter until the next day."""
        return HistoryTables(history_until(self.whole, self.at + DAY), self.rules)

    @cached_property
    def quiet_tables(self) -> HistoryTables:
        """The same tables if nothing changes in the container from ``at`` on."""
        return HistoryTables(without_changes(self.tables.ledger, self.container.id, self.at), self.rules)

    @property
    def container(self) -> Container:
        """The container as planned."""
        return self.whole.containers[self.whole_i]

    @property
    def due(self) -> float:
        """The due moment, in days since 1970 UTC."""
        return float(self.whole.due[self.whole_i])

    @cached_property
    def levers(self) -> tuple[Lever, ...]:
        """The levers that are offered, with a probability, and leave a trace in the tracker."""
        name = self.container.id
        levers = assess(self.tables, [name], moment(self.at), self.calendar)[name].levers
        return tuple(lever for lever in levers if lever.kind in TAKEN and lever.probability is not None)

    def probability(self, tables: HistoryTables, at: float) -> float:
        """Return P at a time up to the next day, by one of the tables and the clock of its day; NaN without dates."""
        (batch,) = daily_batches(tables, [tables.ledger.index[self.container.id]], moment(at), self.calendar)
        return float(batch.probability()[0])

    def after(self, lever: Lever) -> LeverTrial:
        """Return the plan after a lever."""
        changed = with_lever(self.whole, self.whole_i, lever, self.at, self.calendar)
        return LeverTrial(changed, self.whole_i, self.at, self.rules, self.calendar)

    def at_half_time(self) -> LeverTrial:
        """Return the same plan when half of the time is gone that is left now."""
        return LeverTrial(self.whole, self.whole_i, (self.at + self.due) / 2, self.rules, self.calendar)

    def gap(self, lever: Lever) -> _Gap:
        """Compare what a lever says with the forecasts after it."""
        return self.after(lever).distance(lever.probability or 0.0)

    def distance(self, said: float) -> _Gap:
        """Compare the probability ``said`` with the forecasts."""
        next_day = self.at + DAY
        forecasts = (self.tables, self.at), (self.quiet_tables, next_day), (self.tables, next_day)
        return _Gap(*(100 * abs(said - self.probability(*each)) for each in forecasts))


def _moves_in_a_row(plan: LeverTrial, until: float) -> Iterator[_Gap]:
    """Take the move that is offered, up to `MOVES_IN_A_ROW` times, and compare each with the forecasts after it."""
    for _ in range(MOVES_IN_A_ROW):
        move = next((lever for lever in plan.levers if lever.kind is LeverKind.MOVE), None)
        if move is None:
            return
        yield plan.gap(move)
        plan = plan.after(move).at_half_time()
        ledger, i = plan.whole, plan.whole_i
        open_items = np.count_nonzero(ledger.is_open(plan.at, ledger.rows(i)))
        if not open_items or plan.at + DAY > min(until, float(ledger.ended[i])):
            return


def history_until(ledger: Ledger, at: float) -> Ledger:
    """Return the containers that began by ``at`` (days since 1970 UTC), with all their memberships.

    No other container can change a forecast before that time.
    """
    is_known = ~(ledger.start > at)
    container_of = np.repeat(np.arange(len(ledger.containers)), np.diff(ledger.offsets))
    rows = is_known[container_of]
    return Ledger(
        [container for container, is_kept in zip(ledger.containers, is_known.tolist(), strict=True) if is_kept],
        (np.cumsum(is_known) - 1)[container_of[rows]],
        ledger.item[rows],
        ledger.joined[rows],
        ledger.left[rows],
        ledger.closed[rows],
        ledger.items,
    ).with_carried(ledger.carried_at[rows])


def without_changes(ledger: Ledger, name: str, after: float) -> Ledger:
    """Return the history in which nothing changes in the container ``name`` after a time (days since 1970 UTC)."""
    rows = ledger.rows(ledger.index[name])
    joined, left, closed = (column.copy() for column in (ledger.joined, ledger.left, ledger.closed))
    for column in (joined, left, closed):
        own = column[rows]  # a view
        own[own > after] = NEVER
    container_of = np.repeat(np.arange(len(ledger.containers)), np.diff(ledger.offsets))
    changed = Ledger(ledger.containers, container_of, ledger.item, joined, left, closed, ledger.items)
    return changed.with_carried(ledger.carried_at)


def with_lever(ledger: Ledger, i: int, lever: Lever, at: float, calendar: Calendar) -> Ledger:
    """Return the history in which a lever of container ``i`` was taken at ``at`` (days since 1970 UTC).

    Of the open items, those that joined last are cut.
    """
    containers, left = list(ledger.containers), ledger.left.copy()
    to, count = lever.values.get("to"), lever.values.get("count")
    if isinstance(to, date):
        containers[i] = _moved(containers[i], to, at, calendar)
    if isinstance(count, int):
        rows = ledger.rows(i)
        is_open = np.flatnonzero(ledger.is_open(at, rows)) + rows.start
        left[is_open[np.argsort(ledger.joined[is_open], kind="stable")][::-1][:count]] = at
    container_of = np.repeat(np.arange(len(containers)), np.diff(ledger.offsets))
    changed = Ledger(containers, container_of, ledger.item, ledger.joined, left, ledger.closed, ledger.items)
    return changed.with_carried(ledger.carried_at)


def _moved(container: Container, to: date, at: float, calendar: Calendar) -> Container:
    """Return the container with its due date moved to ``to``; the clock of its plan keeps the first move."""
    due = container.due
    moved = replace(container, due=end_of_day(to, calendar.zone), first_due=container.first_due or due)
    planned = None if due is None else calendar.day_of(days(due))
    if container.clock is not None or planned is None:
        return moved
    return replace(moved, clock=PlanClock(due=planned, moved_at=moment(at)), clock_due=due)


def _figures(gaps: Sequence[_Gap]) -> dict[str, float | int]:
    figures: dict[str, float | int] = {"n": len(gaps)}
    for name, column in _COLUMNS.items():
        values = np.array([getattr(gap, column) for gap in gaps], dtype=np.float64)
        known = values[~np.isnan(values)]
        figures[f"median{name}"] = float(np.median(known)) if len(known) else np.nan
        figures[f"within_5{name}"] = float((known <= CLOSE_POINTS).mean()) if len(known) else np.nan
    return figures
