"""What earlier milestones did from this phase on: the shares of items and of milestones that were done by a time.

*Item survival*: at the same phase of each earlier milestone j, of ``N`` items (open then, or joined later until due)
``K`` were gone by the due date. The share ``q`` and its spread ``rho`` over milestones make a beta-binomial for how
many of this milestone's open items, grown by the usual later joiners, are left over.

*Reference class*: of the earlier milestones that were not done at this phase, how many were done by the due date.

Both come from running sums over each stream's and each kind's finished milestones in the order of their due dates, so
a container's estimate costs the same however long the history is.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sync.forecast.history_tables import DUE, GRID, PHASES, TIMES, HistoryTables, TableColumn
from sync.forecast.parameters import Rules
from sync.forecast.stats import log_gamma

__all__ = ["AfterDueEstimates", "PhaseEstimates", "after_due_estimates", "beta_binomial", "phase_estimates"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class PhaseEstimates(Struct, frozen=True):
    """History's answer for a batch of containers (t), at every phase (g, see `sync.forecast.history_tables.PHASES`).

    ``q[t, g]`` share of items gone by due; ``rho`` its over-dispersion; ``growth`` items joining later per open one;
    ``hit[t, g]`` probability of being done by due of those not done at this phase. ``members[t, h]`` are the earlier
    containers used, -1 where there are fewer, and ``sums[t, g, c]`` their `sync.forecast.history_tables.TableColumn`;
    ``from_stream[t]`` says
    that they are of the stream itself. ``own[t]`` and ``kind[t]`` count all finished ones of the stream and the kind;
    ``kind_hit[t]`` is the kind's Laplace hit rate.
    """

    q: Floats
    rho: Floats
    growth: Floats
    hit: Floats
    sums: Floats
    members: Ints
    from_stream: NDArray[np.bool_]
    own: Ints
    kind: Ints
    kind_hit: Floats


class AfterDueEstimates(Struct, frozen=True):
    """The same after the due date, at each time (x) of `sync.forecast.history_tables.TIMES`, from the phase where
    each container stands.

    ``q[t, x]`` share of items gone by then, not falling in x; ``hit[t, x]`` probability of being done by then.
    ``rho[t]`` and ``growth[t]`` as in `PhaseEstimates` at the container's phase.
    """

    q: Floats
    hit: Floats
    rho: Floats
    growth: Floats


def phase_estimates(past: HistoryTables, index: Ints, at: Floats) -> PhaseEstimates:
    """History of the containers at positions ``index``, each as of ``at`` (days)."""
    rules, ledger = past.rules, past.ledger
    stream, kind = ledger.stream[index], ledger.kind[index]
    known = np.fmin(at - rules.settle_days, ledger.due[index])  # its own result and later ones are no history
    stream_end, kind_end = past.by_stream.before(stream, known), past.by_kind.before(kind, known)
    stream_first, kind_first = past.by_stream.first[stream], past.by_kind.first[kind]
    own, of_kind = stream_end - stream_first, kind_end - kind_first
    from_stream = own >= rules.stream_least

    by_stream, by_kind = past.stream_sums, past.kind_sums
    low_stream = np.maximum(stream_end - rules.stream_window, stream_first)
    low_kind = np.maximum(kind_end - rules.kind_window, kind_first)
    low_prior = np.maximum(kind_end - rules.prior_window, kind_first)
    sums = np.where(
        from_stream[:, None, None],
        by_stream[stream_end] - by_stream[low_stream],
        by_kind[kind_end] - by_kind[low_kind],
    )
    prior = by_kind[kind_end] - by_kind[low_prior]
    q0 = _shrunk_prior(prior[:, :, TableColumn.GONE], prior[:, :, TableColumn.EXPOSED], rules)
    q = (sums[:, :, TableColumn.GONE] + rules.prior_weight * q0) / (
        sums[:, :, TableColumn.EXPOSED] + rules.prior_weight
    )
    kind_hits = past.kind_hits[0]
    kind_hit = (kind_hits[kind_end] - kind_hits[kind_first] + 1) / (of_kind + 2)
    b0 = kind_hit[:, None]
    return PhaseEstimates(
        q=q,
        rho=_dispersion(q, sums, rules),
        growth=(sums[:, :, TableColumn.JOINING] + rules.growth_joined)
        / (sums[:, :, TableColumn.OPEN] + rules.growth_open),
        hit=(sums[:, :, TableColumn.HITS] + rules.reference_weight * b0)
        / (sums[:, :, TableColumn.UNFINISHED] + rules.reference_weight),
        sums=sums,
        members=_members(past, from_stream, (low_stream, stream_end), (low_kind, kind_end)),
        from_stream=from_stream,
        own=own,
        kind=of_kind,
        kind_hit=kind_hit,
    )


def _shrunk_prior(gone: Floats, exposed: Floats, rules: Rules) -> Floats:
    return (gone + rules.prior_pseudo) / (exposed + 2 * rules.prior_pseudo)


def _dispersion(q: Floats, sums: Floats, rules: Rules) -> Floats:
    """The moment estimate of rho, clipped, and shrunk towards the prior by the number of milestones."""
    exposed, exposed2 = sums[:, :, TableColumn.EXPOSED], sums[:, :, TableColumn.EXPOSED_SQUARED]
    spread = (
        sums[:, :, TableColumn.GONE_SQUARED]
        - 2 * q * sums[:, :, TableColumn.CROSS]
        + q * q * exposed2
        - exposed * q * (1 - q)
    )
    scale = q * (1 - q) * (exposed2 - exposed)
    with np.errstate(divide="ignore", invalid="ignore"):
        moment = np.where(scale > 0, spread / scale, rules.rho_prior)
    count = sums[:, :, TableColumn.COUNT]
    moment = np.clip(moment, rules.rho_low, rules.rho_high)
    weight = count / (count + rules.rho_weight)
    estimate: Floats = weight * moment + (1 - weight) * rules.rho_prior
    return estimate


def _members(
    past: HistoryTables, from_stream: NDArray[np.bool_], stream: tuple[Ints, Ints], kind: tuple[Ints, Ints]
) -> Ints:
    low = np.where(from_stream, stream[0], kind[0])
    high = np.where(from_stream, stream[1], kind[1])
    width = max(past.rules.stream_window, past.rules.kind_window)
    position = low[:, None] + np.arange(width)
    inside = position < high[:, None]
    if len(past.stream_members) == 0:
        return np.full(inside.shape, -1, dtype=np.int64)
    position = np.minimum(position, len(past.stream_members) - 1)
    chosen = np.where(from_stream[:, None], past.stream_members[position], past.kind_members[position])
    return np.where(inside, chosen, -1)


def after_due_estimates(
    past: HistoryTables, index: Ints, at: Floats, phase: Floats, found: PhaseEstimates
) -> AfterDueEstimates:
    """History beyond the due date, from each container's ``phase`` (may be above 1) on; see `AfterDueEstimates`."""
    rules, ledger = past.rules, past.ledger
    column = np.where(
        phase < 1.0,
        np.abs(phase[:, None] - PHASES).argmin(axis=1),
        np.clip(np.searchsorted(GRID, phase, side="right") - 1, DUE, len(GRID) - 1),
    )
    tables = _shares(past, found.members, column, at)
    kind = ledger.kind[index]
    known = np.fmin(at - rules.settle_days, ledger.due[index])
    kind_end = past.by_kind.before(kind, known)
    low = np.maximum(kind_end - rules.prior_window, past.by_kind.first[kind])
    position = low[:, None] + np.arange(rules.prior_window)
    inside = position < kind_end[:, None]
    if len(past.kind_members):
        prior = np.where(inside, past.kind_members[np.minimum(position, len(past.kind_members) - 1)], -1)
    else:
        prior = np.full(inside.shape, -1, dtype=np.int64)
    wide = _shares(past, prior, column, at)
    q0 = _shrunk_prior(wide.gone, wide.exposed, rules)
    q = (tables.gone + rules.prior_weight * q0) / (tables.exposed + rules.prior_weight)
    b0 = np.empty_like(q)
    for k, line in enumerate(past.by_kind_shown):
        first, end = line.first[kind], line.before(kind, at - rules.settle_days)
        b0[:, k] = (past.kind_hits[k][end] - past.kind_hits[k][first] + 1) / (end - first + 2)
    hit = (tables.hits + rules.reference_weight * b0) / (tables.waiting + rules.reference_weight)
    at_phase = np.minimum(column, DUE - 1)
    rows = np.arange(len(index))
    return AfterDueEstimates(
        q=np.maximum.accumulate(q, axis=1),
        hit=np.maximum.accumulate(hit, axis=1),
        rho=found.rho[rows, at_phase],
        growth=np.where(phase < 1.0, found.growth[rows, at_phase], 0.0),
    )


class _Shares(Struct, frozen=True):
    exposed: Floats
    gone: Floats
    waiting: Floats
    hits: Floats


def _shares(past: HistoryTables, members: Ints, column: Ints, at: Floats) -> _Shares:
    """Sums over ``members[t, h]`` for each of TIMES, of those old enough to show that time by ``at``."""
    member = np.maximum(members, 0)
    there = members >= 0
    standing = column[:, None]
    ended = past.gone[member, standing]
    exposed = past.joined[member, DUE] - ended
    waiting = np.where(
        standing < DUE,
        past.unfinished[member, np.minimum(standing, DUE - 1)],
        ~past.finished_by[member, np.clip(standing - DUE, 0, len(TIMES) - 1)],
    )
    shown = past.start[member][:, :, None] + past.length[member][:, :, None] * TIMES
    old = there[:, :, None] & (shown <= at[:, None, None])
    by_then = np.maximum(past.gone[member][:, :, DUE:] - ended[:, :, None], 0)
    done = past.finished_by[member]
    counted = old & waiting[:, :, None]
    return _Shares(
        exposed=(exposed[:, :, None] * old).sum(axis=1).astype(np.float64),
        gone=(by_then * old).sum(axis=1).astype(np.float64),
        waiting=counted.sum(axis=1).astype(np.float64),
        hits=(counted & done).sum(axis=1).astype(np.float64),
    )


def beta_binomial(size: Floats, left: Floats, q: Floats, rho: Floats) -> Floats:
    """P(at most ``left`` of ``size`` items are left over), each item gone with mean share ``q``, spread ``rho``.

    All arguments broadcast; ``size`` and ``left`` are whole numbers >= 0.
    """
    size, left, q, rho = np.broadcast_arrays(size, left, q, rho)
    pull = 1.0 / rho - 1.0
    a, b = q * pull, (1 - q) * pull  # items gone, items left over
    term = log_gamma(a + size) + log_gamma(a + b) - log_gamma(a + b + size) - log_gamma(a)
    total = term.copy()
    for k in range(int(left.max(initial=0))):
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.log((size - k) / (k + 1)) + np.log((k + b) / (size - k - 1 + a))
        term = np.where(k < np.minimum(left, size), term + step, -np.inf)
        total = np.logaddexp(total, term)
    return np.where(left >= size, 1.0, np.minimum(np.exp(total), 1.0))
