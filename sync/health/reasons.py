"""Why a milestone stands as it does: each reason is the change in logit P against the stream's normal.

One input at a time is replaced by what is normal for the stream, and the published probability is computed again:

==============  ==================================================================================================
pace            open items, by the share that earlier milestones had open at this phase
scope added     items that joined since the start, by the share that had joined by this phase
hit rate        the reference class, by even odds
stragglers      old or idle open items, by the 15 % that are older than the stream's 85 % age by definition
holidays        the working days ahead, by as many days without holidays and quiet weeks
due date moved  the due date, by the first one
unassigned      open items without owner, by the share among everything open
blocked         open items that wait for others, by the share among everything open
silence         no closure for more than twice the usual gap: one closure for each usual gap
==============  ==================================================================================================

Here the components are clipped less than for publishing, so that a hopeless milestone has its reasons too.
The pool knows nothing of owners, blocks, idle items and silence, so these are put into items: P is computed as if
those above the normal number were not open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sync.forecast.batch import ForecastBatch
from sync.forecast.history_tables import TableColumn
from sync.forecast.stats import logit
from sync.health.attention import Attention
from sync.model.health import Reason, ReasonKind, Value

__all__ = ["reasons"]

Floats = NDArray[np.float64]

CLIP = 0.001
LEAST = 0.05
"""Smaller changes in logit P, about one percentage point, are not worth a sentence."""


class _Case(Struct, frozen=True):
    """One reason for a whole batch: P in the normal case, where it applies, and the numbers of its sentence."""

    kind: ReasonKind
    normal: Floats
    shown: NDArray[np.bool_]
    values: Mapping[str, Sequence[Value]]
    items: Sequence[tuple[str, ...]]


def reasons(
    outlook: ForecastBatch, found: Sequence[Attention], shares: tuple[float, float]
) -> list[tuple[Reason, ...]]:
    """The reasons of each container of the batch, strongest first.

    ``found`` is what wants attention in each, ``shares`` the usual shares of unassigned and of blocked items.
    """
    outlook = outlook.clipped(CLIP)
    told: list[list[Reason]] = [[] for _ in found]
    base = logit(_p(outlook))
    for case in _cases(outlook, found, shares):
        effect = base - logit(case.normal)
        for k in np.flatnonzero(case.shown & outlook.dated & (np.abs(effect) >= LEAST)).tolist():
            values = {name: column[k] for name, column in case.values.items()}
            told[k].append(Reason(kind=case.kind, effect=float(effect[k]), values=values, items=case.items[k]))
    return [tuple(sorted(each, key=lambda r: (-abs(r.effect), r.kind))) for each in told]


def _cases(outlook: ForecastBatch, found: Sequence[Attention], shares: tuple[float, float]) -> Iterator[_Case]:
    remaining, total = outlook.open.astype(np.float64), (outlook.open + outlook.done).astype(np.float64)
    nothing: list[tuple[str, ...]] = [()] * len(found)

    def without(excess: Floats) -> Floats:
        return _p(outlook, np.rint(np.clip(remaining - np.maximum(excess, 0.0), 0.0, None)), total)

    yield _pace(outlook, total, nothing)
    yield _scope(outlook, remaining, total, [f.added for f in found])
    yield _hit_rate(outlook, nothing)
    yield _holidays(outlook, nothing)
    yield _due_moved(outlook, nothing)
    yield _silence(outlook, remaining, without, nothing)
    stragglers = np.array([f.old_count for f in found], dtype=np.float64)
    usual = (1 - outlook.rules.straggler_quantile) * remaining
    yield _Case(
        ReasonKind.STRAGGLERS,
        without(stragglers - usual),
        stragglers > usual,
        {"count": _whole(stragglers), "of": _whole(remaining), "usual": _rounded(usual)},
        [f.stragglers for f in found],
    )
    owners = (ReasonKind.UNASSIGNED, shares[0], [f.unassigned for f in found])
    blocks = (ReasonKind.BLOCKED, shares[1], [f.blocked for f in found])
    for kind, share, items in (owners, blocks):
        count = np.array([len(each) for each in items], dtype=np.float64)
        usual = share * np.array([f.known for f in found], dtype=np.float64)
        values = {"count": _whole(count), "of": _whole(remaining), "usual": _rounded(usual)}
        yield _Case(kind, without(count - usual), count > usual, values, items)


def _pace(outlook: ForecastBatch, total: Floats, nothing: Sequence[tuple[str, ...]]) -> _Case:
    history = outlook.habits.sums
    scope = history[:, :, TableColumn.OPEN] + history[:, :, TableColumn.DONE]
    usual_open = outlook.at_phase(history[:, :, TableColumn.OPEN] / np.maximum(scope, 1.0))
    known = outlook.at_phase(scope) > 0
    share = outlook.done / np.maximum(total, 1.0)
    values = {"share": _rounded(share, 3), "usual": _rounded(1 - usual_open, 3), "closed": _whole(outlook.done)}
    normal = _p(outlook, np.rint(total * usual_open), total)
    return _Case(ReasonKind.PACE, normal, known, values, nothing)


def _scope(outlook: ForecastBatch, remaining: Floats, total: Floats, added: Sequence[tuple[str, ...]]) -> _Case:
    begun = outlook.habits.sums[:, :, TableColumn.BEGUN]
    grown = outlook.at_phase((begun - begun[:, :1]) / np.maximum(begun, 1.0))
    usual = grown * total
    excess = np.rint(np.clip(outlook.added - usual, -total, remaining))
    normal = _p(outlook, np.minimum(remaining - excess, total - excess), total - excess)
    values = {
        "added": _whole(outlook.added),
        "added_week": _whole(outlook.added_week),
        "usual": _rounded(usual),
    }
    return _Case(ReasonKind.SCOPE_ADDED, normal, (outlook.added > 0) & (excess != 0), values, added)


def _hit_rate(outlook: ForecastBatch, nothing: Sequence[tuple[str, ...]]) -> _Case:
    members = outlook.habits.members
    there = members >= 0
    of = there.sum(axis=1)
    hits = (outlook.past.finished_by[np.maximum(members, 0), 0] & there).sum(axis=1)
    shown = outlook.habits.from_stream & (of > 0)
    values = {"hits": _whole(hits), "of": _whole(of)}
    return _Case(ReasonKind.HIT_RATE, _p(outlook, hit=0.5), shown, values, nothing)


def _holidays(outlook: ForecastBatch, nothing: Sequence[tuple[str, ...]]) -> _Case:
    plain = np.where(outlook.dated, np.maximum(outlook.due - outlook.at, 0.0), 0.0)
    lost = plain - outlook.ahead
    values = {"days": _whole(np.maximum(np.rint(lost), 1)), "left": _rounded(outlook.ahead)}
    return _Case(ReasonKind.HOLIDAYS, _p(outlook, ahead=plain), lost > 0.01, values, nothing)


def _due_moved(outlook: ForecastBatch, nothing: Sequence[tuple[str, ...]]) -> _Case:
    first = outlook.past.ledger.first_due[outlook.index]
    first = np.where(np.isnan(first), outlook.due, first)
    moved = np.where(outlook.dated, outlook.due - first, 0.0)
    missed = first <= outlook.at  # the worst that a forecast can say
    normal = np.where(missed, outlook.clip, _p(outlook, due=first))
    day = outlook.calendar.day_of
    values: dict[str, Sequence[Value]] = {
        "days": _whole(np.rint(moved)),
        "from": [day(float(value)) for value in first],
        "to": [day(float(value)) for value in outlook.due],
    }
    return _Case(ReasonKind.DUE_MOVED, normal, np.abs(moved) >= 0.5, values, nothing)


def _silence(
    outlook: ForecastBatch, remaining: Floats, without: Callable[[Floats], Floats], nothing: Sequence[tuple[str, ...]]
) -> _Case:
    silent, usual = outlook.silence()
    missed = np.where(silent > outlook.rules.silence_factor * usual, silent / usual, 0.0)
    values = {"days": _rounded(silent), "usual": _rounded(usual)}
    return _Case(ReasonKind.SILENCE, without(missed), (missed > 0) & (remaining > 0), values, nothing)


def _p(
    outlook: ForecastBatch,
    *scope: Floats,
    due: Floats | None = None,
    ahead: Floats | None = None,
    hit: float | None = None,
) -> Floats:
    """The published probability in another case; of a missed due date what could be expected just before it."""
    return outlook.probability(*scope, due=due, ahead=ahead, hit=hit, decided=False)


def _whole(column: NDArray[np.float64] | NDArray[np.int64]) -> list[Value]:
    return [int(value) for value in column]


def _rounded(column: Floats, digits: int = 1) -> list[Value]:
    return [round(float(value), digits) if np.isfinite(value) else None for value in column]
