"""Reasons for a status, from one milestone alone: each is the change in logit P against the stream's normal.

The reason PREDECESSOR needs the forecasts of other milestones, so its rule is in `sync.health.joint`. Here, one input
at a time is replaced by the stream's normal, and the published probability is computed again:

==============  ==================================================================================================
pace            open items, by the share that earlier milestones had open at this phase
scope added     items that joined since the start, by the share that had joined by this phase
hit rate        the vote of the reference class, by even odds
stragglers      old or idle open items, by the 15% that are older than the stream's 85% age by definition
holidays        the working days ahead, by as many days without holidays and quiet weeks
due date moved  the due date, by the first one
unassigned      open items without owner, by the share among everything open
blocked         open items that wait for others, by the share among everything open
review          pull and merge requests that wait for a review for more than `people.review_days`, by none
silence         no closure for more than twice the usual gap: one closure for each usual gap
pace change     open items, by as many as the former pace needs the same time for
==============  ==================================================================================================

A reason is published only where its effect has the sign that a reader expects of its numbers: "3 of 12 milestones made
their date" never speaks for a milestone. Where the two differ, the effect comes from something that is not shown.

Here the components are clipped less than for publishing, so that a milestone with a very low P has reasons, too.
The forecast does not know owners, blocks, reviews, idle items and silence, so they are expressed in items: P is
computed as if the items above the normal number were not open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sync.forecast.batch import PRESENT, Assumptions, ForecastBatch
from sync.forecast.stats import logit
from sync.health.attention import Attention
from sync.health.pace_change import LAST, PaceChange
from sync.model.health import Reason, ReasonKind, Value

__all__ = ["reasons"]

Floats = NDArray[np.float64]

CLIP = 0.001
"""Least probability of a component here."""
LEAST = 0.05
"""Least change in logit P of a published reason, about one percentage point."""


_LEAST_SHARE = 0.01
"""Least difference of two shares that read differently as whole percents."""


class _NormalCase(Struct, frozen=True):
    """One kind of reason for a whole batch: P in the normal case, and the numbers of its sentence.

    ``sign``: 1 where the numbers speak for the milestone, -1 against it; 0: no reason.
    """

    kind: ReasonKind
    normal: Floats
    sign: Floats
    values: Mapping[str, Sequence[Value]]
    items: Sequence[tuple[str, ...]]


def reasons(
    batch: ForecastBatch,
    attentions: Sequence[Attention],
    shares: tuple[float, float],
    pace_changes: Sequence[PaceChange | None],
) -> list[tuple[Reason, ...]]:
    """Compute the reasons of each container of the batch, strongest first.

    ``attentions``: the items of each container that need attention. ``shares``: the usual shares of unassigned and of
    blocked items. ``pace_changes``: the change of pace of each container's stream, None without one.
    """
    batch = batch.with_clip(CLIP)
    reasons: list[list[Reason]] = [[] for _ in attentions]
    base = logit(_p(batch))
    for case in (*_cases(batch, attentions, shares), _pace_change(batch, pace_changes)):
        effect = base - logit(case.normal)
        for k in np.flatnonzero(batch.has_dates & (effect * case.sign >= LEAST)).tolist():
            values = {name: column[k] for name, column in case.values.items()}
            reasons[k].append(Reason(kind=case.kind, effect=float(effect[k]), values=values, items=case.items[k]))
    return [tuple(sorted(own, key=lambda reason: (-abs(reason.effect), reason.kind))) for own in reasons]


def _cases(batch: ForecastBatch, attentions: Sequence[Attention], shares: tuple[float, float]) -> Iterator[_NormalCase]:
    remaining, total = batch.open.astype(np.float64), (batch.open + batch.done).astype(np.float64)
    no_items: list[tuple[str, ...]] = [()] * len(attentions)

    def without(excess: Floats) -> Floats:
        return _p(batch, np.rint(np.clip(remaining - np.maximum(excess, 0.0), 0.0, None)), total)

    yield _pace(batch, total, no_items)
    yield _scope(batch, remaining, total, [attention.added for attention in attentions])
    yield _hit_rate(batch, no_items)
    yield _holidays(batch, no_items)
    yield _due_moved(batch, no_items)
    yield _silence(batch, remaining, without, no_items)
    stragglers = np.array([attention.old_count for attention in attentions], dtype=np.float64)
    usual = (1 - batch.rules.straggler_quantile) * remaining
    yield _NormalCase(
        ReasonKind.STRAGGLERS,
        without(stragglers - usual),
        _against(stragglers > usual),
        {"count": _whole(stragglers), "of": _whole(remaining), "usual": _rounded(usual)},
        [attention.stragglers for attention in attentions],
    )
    waiting = np.array([len(attention.unreviewed) for attention in attentions], dtype=np.float64)
    yield _NormalCase(
        ReasonKind.REVIEW,
        without(waiting),
        _against(waiting > 0),
        {"count": _whole(waiting), "days": [round(batch.rules.review_days)] * len(attentions)},
        [attention.unreviewed for attention in attentions],
    )
    owners = (ReasonKind.UNASSIGNED, shares[0], [attention.unassigned for attention in attentions])
    blocks = (ReasonKind.BLOCKED, shares[1], [attention.blocked for attention in attentions])
    for kind, share, items in (owners, blocks):
        count = np.array([len(uids) for uids in items], dtype=np.float64)
        usual = share * np.array([attention.known for attention in attentions], dtype=np.float64)
        values = {"count": _whole(count), "of": _whole(remaining), "usual": _rounded(usual)}
        yield _NormalCase(kind, without(count - usual), _against(count > usual), values, items)


def _pace(batch: ForecastBatch, total: Floats, no_items: Sequence[tuple[str, ...]]) -> _NormalCase:
    open_then, scope = (
        batch.at_phase(batch.representative_sums(t)) for t in (batch.tables.open_at, batch.tables.scope_at)
    )
    usual_open, known = open_then / np.maximum(scope, 1.0), scope > 0
    values = {
        "share": _rounded(batch.done / np.maximum(total, 1.0), 3),
        "usual": _rounded(1 - usual_open, 3),
        "closed": _whole(batch.done),
        "of": _whole(total),
    }
    normal = _p(batch, np.rint(total * usual_open), total)
    ahead = batch.done / np.maximum(total, 1.0) - (1 - usual_open)
    sign = np.where(known & (np.abs(ahead) >= _LEAST_SHARE), np.sign(ahead), 0.0)
    return _NormalCase(ReasonKind.PACE, normal, sign, values, no_items)


def _pace_change(batch: ForecastBatch, changes: Sequence[PaceChange | None]) -> _NormalCase:
    ratio = np.array([1.0 if change is None else change.ratio for change in changes])
    remaining = np.rint(batch.open / ratio)
    known = [(LAST, None, None, None) if c is None else (LAST, c.before, c.days, c.usual) for c in changes]
    values: dict[str, Sequence[Value]] = {
        name: [value if value is None or isfinite(value) else None for value in column]
        for name, column in zip(("last", "before", "days", "usual"), zip(*known, strict=True), strict=True)
    }
    no_items: list[tuple[str, ...]] = [()] * len(changes)
    return _NormalCase(
        ReasonKind.PACE_CHANGE, _p(batch, remaining, remaining + batch.done), np.sign(1 - ratio), values, no_items
    )


def _scope(batch: ForecastBatch, remaining: Floats, total: Floats, added: Sequence[tuple[str, ...]]) -> _NormalCase:
    tables = batch.tables
    begun = batch.representative_sums(tables.joined_by)
    agreed = batch.representative_sums(np.broadcast_to(tables.agreed[:, None], tables.joined_by.shape))
    grown = batch.at_phase(np.maximum(begun - agreed, 0.0) / np.maximum(begun, 1.0))
    usual = grown * total
    excess = np.rint(np.clip(batch.added - usual, -total, remaining))
    normal = _p(batch, np.minimum(remaining - excess, total - excess), total - excess)
    values = {
        "added": _whole(batch.added),
        "added_week": _whole(batch.added_week),
        "usual": _rounded(usual),
    }
    return _NormalCase(ReasonKind.SCOPE_ADDED, normal, np.where(batch.added > 0, -np.sign(excess), 0.0), values, added)


def _hit_rate(batch: ForecastBatch, no_items: Sequence[tuple[str, ...]]) -> _NormalCase:
    members = batch.members
    of = members.is_representative.sum(axis=1)
    hits = (batch.tables.finished_by[np.maximum(members.index, 0), 0] & members.is_representative).sum(axis=1)
    sign = np.where(members.from_stream, np.sign(2 * hits - of), 0).astype(np.float64)
    values = {"hits": _whole(hits), "of": _whole(of)}
    return _NormalCase(ReasonKind.HIT_RATE, _p(batch, assumed=Assumptions(hit_rate=0.5)), sign, values, no_items)


def _holidays(batch: ForecastBatch, no_items: Sequence[tuple[str, ...]]) -> _NormalCase:
    plain = np.where(batch.has_dates, np.maximum(batch.due - batch.at, 0.0), 0.0)
    lost = plain - batch.days_to_due
    values = {"days": _whole(np.maximum(np.rint(lost), 1)), "left": _rounded(batch.days_to_due)}
    return _NormalCase(
        ReasonKind.HOLIDAYS, _p(batch, assumed=Assumptions(days_to_due=plain)), _against(lost > 0.01), values, no_items
    )


def _due_moved(batch: ForecastBatch, no_items: Sequence[tuple[str, ...]]) -> _NormalCase:
    first = batch.tables.ledger.first_due[batch.index]
    first = np.where(np.isnan(first), batch.due, first)
    moved = np.where(batch.has_dates, batch.due - first, 0.0)
    missed = first <= batch.at  # then P is the least that a forecast publishes
    normal = np.where(missed, batch.clip, _p(batch, assumed=Assumptions(due=first)))
    day = batch.calendar.day_of
    values: dict[str, Sequence[Value]] = {
        "days": _whole(np.rint(moved)),
        "from": [day(float(value)) for value in first],
        "to": [day(float(value)) for value in batch.due],
    }
    return _NormalCase(ReasonKind.DUE_MOVED, normal, np.sign(np.rint(moved)), values, no_items)


def _silence(
    batch: ForecastBatch, remaining: Floats, without: Callable[[Floats], Floats], no_items: Sequence[tuple[str, ...]]
) -> _NormalCase:
    silent, usual = batch.silence()
    missed = np.where(silent > batch.rules.silence_factor * usual, silent / usual, 0.0)
    values = {"days": _rounded(silent), "usual": _rounded(usual)}
    return _NormalCase(ReasonKind.SILENCE, without(missed), _against((missed > 0) & (remaining > 0)), values, no_items)


def _against(applies: NDArray[np.bool_]) -> Floats:
    """Return the sign of a reason that only ever speaks against a milestone."""
    return np.where(applies, -1.0, 0.0)


def _p(
    batch: ForecastBatch,
    *scope: Floats,
    assumed: Assumptions = PRESENT,
) -> Floats:
    """Return the probability to publish in another case; after a missed due date, the one just before it."""
    return batch.probability(*scope, assumed=assumed, decided=False)


def _whole(column: NDArray[np.float64] | NDArray[np.int64]) -> list[Value]:
    return [int(value) for value in column]


def _rounded(column: Floats, digits: int = 1) -> list[Value]:
    return [round(float(value), digits) if np.isfinite(value) else None for value in column]
