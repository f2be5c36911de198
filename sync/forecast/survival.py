"""Item survival and reference class: estimates from what earlier milestones did from the same phase on.

*Item survival*: of ``N`` items of an earlier milestone that were open at the phase or joined later until the due date,
``K`` were gone by the due date. The share ``q`` and its spread ``rho`` over milestones make a beta-binomial for the
number of open items that are left over, after growth by the usual number of items that join later.

*Reference class*: the share of the earlier milestones not done at the phase that were done by the due date.

Both come from running sums over the finished milestones of each stream and kind, in the order of their due dates. So an
estimate costs the same for a short and a long history.
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
    """Estimates for a batch of containers (t) at every phase (g) of `sync.forecast.history_tables.PHASES`.

    ``q[t, g]``: share of items gone by the due date. ``rho[t, g]``: its over-dispersion. ``growth[t, g]``: items that
    join later, per open item. ``hit_rate[t, g]``: probability of being done by the due date, if not done at the phase.

    ``members[t, h]`` are the positions of the earlier containers used, -1 where there are fewer, and ``sums[t, g, c]``
    their `sync.forecast.history_tables.TableColumn`. ``from_stream[t]``: they are of the stream itself, not only of the
    kind. ``stream_finished[t]`` and ``kind_finished[t]`` count all finished containers of the stream and of the kind.
    ``kind_hit_rate[t]`` is the kind's hit rate with one hit and one miss added (Laplace).
    """

    q: Floats
    rho: Floats
    growth: Floats
    hit_rate: Floats
    sums: Floats
    members: Ints
    from_stream: NDArray[np.bool_]
    stream_finished: Ints
    kind_finished: Ints
    kind_hit_rate: Floats


class AfterDueEstimates(Struct, frozen=True):
    """Estimates for the due date and after, from each container's phase on.

    At each time (x) of `sync.forecast.history_tables.TIMES`: ``q[t, x]`` share of items gone by then, and ``hit_rate[t,
    x]`` probability of being done by then, neither falling in x. ``rho[t]`` and ``growth[t]`` are those of
    `PhaseEstimates` at the container's phase.
    """

    q: Floats
    hit_rate: Floats
    rho: Floats
    growth: Floats


def phase_estimates(tables: HistoryTables, index: Ints, at: Floats) -> PhaseEstimates:
    """Estimate from history for the containers at positions ``index``, each as of ``at`` (days since 1970 UTC)."""
    rules, ledger = tables.rules, tables.ledger
    stream, kind = ledger.stream[index], ledger.kind[index]
    known = np.fmin(at - rules.settle_days, ledger.due[index])  # excludes its own result
    stream_end, kind_end = tables.by_stream.before(stream, known), tables.by_kind.before(kind, known)
    stream_first, kind_first = tables.by_stream.first[stream], tables.by_kind.first[kind]
    stream_finished, kind_finished = stream_end - stream_first, kind_end - kind_first
    from_stream = stream_finished >= rules.stream_least

    by_stream, by_kind = tables.stream_sums, tables.kind_sums
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
    kind_hits = tables.kind_hits[0]
    kind_hit_rate = (kind_hits[kind_end] - kind_hits[kind_first] + 1) / (kind_finished + 2)
    b0 = kind_hit_rate[:, None]
    return PhaseEstimates(
        q=q,
        rho=_dispersion(q, sums, rules),
        growth=(sums[:, :, TableColumn.JOINING] + rules.growth_joined)
        / (sums[:, :, TableColumn.OPEN] + rules.growth_open),
        hit_rate=(sums[:, :, TableColumn.HITS] + rules.reference_weight * b0)
        / (sums[:, :, TableColumn.UNFINISHED] + rules.reference_weight),
        sums=sums,
        members=_members(tables, from_stream, (low_stream, stream_end), (low_kind, kind_end)),
        from_stream=from_stream,
        stream_finished=stream_finished,
        kind_finished=kind_finished,
        kind_hit_rate=kind_hit_rate,
    )


def _shrunk_prior(gone: Floats, exposed: Floats, rules: Rules) -> Floats:
    return (gone + rules.prior_pseudo) / (exposed + 2 * rules.prior_pseudo)


def _dispersion(q: Floats, sums: Floats, rules: Rules) -> Floats:
    """Return the moment estimate of rho, clipped, and shrunk towards the prior by the number of milestones."""
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
    tables: HistoryTables, from_stream: NDArray[np.bool_], stream: tuple[Ints, Ints], kind: tuple[Ints, Ints]
) -> Ints:
    low = np.where(from_stream, stream[0], kind[0])
    high = np.where(from_stream, stream[1], kind[1])
    width = max(tables.rules.stream_window, tables.rules.kind_window)
    position = low[:, None] + np.arange(width)
    inside = position < high[:, None]
    if len(tables.stream_members) == 0:
        return np.full(inside.shape, -1, dtype=np.int64)
    position = np.minimum(position, len(tables.stream_members) - 1)
    chosen = np.where(from_stream[:, None], tables.stream_members[position], tables.kind_members[position])
    return np.where(inside, chosen, -1)


def after_due_estimates(
    tables: HistoryTables, index: Ints, at: Floats, phase: Floats, estimates: PhaseEstimates
) -> AfterDueEstimates:
    """Estimate what follows the due date, from each container's ``phase`` (may be above 1) on."""
    rules = tables.rules
    column = np.where(
        phase < 1.0,
        np.abs(phase[:, None] - PHASES).argmin(axis=1),
        np.clip(np.searchsorted(GRID, phase, side="right") - 1, DUE, len(GRID) - 1),
    )
    shares = _shares(tables, estimates.members, column, at)
    prior = _shares(tables, _last_of_kind(tables, index, at), column, at)
    q0 = _shrunk_prior(prior.gone, prior.exposed, rules)
    q = (shares.gone + rules.prior_weight * q0) / (shares.exposed + rules.prior_weight)
    b0 = _kind_hit_rates(tables, index, at)
    hit_rate = (shares.hits + rules.reference_weight * b0) / (shares.waiting + rules.reference_weight)
    at_phase = np.minimum(column, DUE - 1)
    rows = np.arange(len(index))
    return AfterDueEstimates(
        q=np.maximum.accumulate(q, axis=1),
        hit_rate=np.maximum.accumulate(hit_rate, axis=1),
        rho=estimates.rho[rows, at_phase],
        growth=np.where(phase < 1.0, estimates.growth[rows, at_phase], 0.0),
    )


def _last_of_kind(tables: HistoryTables, index: Ints, at: Floats) -> Ints:
    """Return the last ``prior_window`` finished containers of each kind: int64[t, h], -1 where there are fewer."""
    rules, ledger = tables.rules, tables.ledger
    kind = ledger.kind[index]
    end = tables.by_kind.before(kind, np.fmin(at - rules.settle_days, ledger.due[index]))
    low = np.maximum(end - rules.prior_window, tables.by_kind.first[kind])
    position = low[:, None] + np.arange(rules.prior_window)
    inside = position < end[:, None]
    if len(tables.kind_members) == 0:
        return np.full(inside.shape, -1, dtype=np.int64)
    return np.where(inside, tables.kind_members[np.minimum(position, len(tables.kind_members) - 1)], -1)


def _kind_hit_rates(tables: HistoryTables, index: Ints, at: Floats) -> Floats:
    """Return the kind's Laplace hit rate at each of `TIMES`, from the containers that show that time by ``at``."""
    kind = tables.ledger.kind[index]
    rates = np.empty((len(index), len(TIMES)))
    for x, by_kind in enumerate(tables.by_kind_shown):
        first, end = by_kind.first[kind], by_kind.before(kind, at - tables.rules.settle_days)
        rates[:, x] = (tables.kind_hits[x][end] - tables.kind_hits[x][first] + 1) / (end - first + 2)
    return rates


class _Shares(Struct, frozen=True):
    """Sums float64[t, x] over earlier containers: items exposed and gone; containers waiting (not done) and hits."""

    exposed: Floats
    gone: Floats
    waiting: Floats
    hits: Floats


def _shares(tables: HistoryTables, members: Ints, column: Ints, at: Floats) -> _Shares:
    """Return sums over ``members[t, h]`` for each of `TIMES`, of those old enough to show that time by ``at``.

    ``column[t]`` is the column of each container's phase in tables over `GRID`.
    """
    member = np.maximum(members, 0)
    is_member = members >= 0
    from_column = column[:, None]
    ended = tables.gone_by[member, from_column]
    exposed = tables.joined_by[member, DUE] - ended
    waiting = np.where(
        from_column < DUE,
        tables.unfinished[member, np.minimum(from_column, DUE - 1)],
        ~tables.finished_by[member, np.clip(from_column - DUE, 0, len(TIMES) - 1)],
    )
    shown_at = tables.start[member][:, :, None] + tables.length[member][:, :, None] * TIMES
    is_shown = is_member[:, :, None] & (shown_at <= at[:, None, None])
    gone = np.maximum(tables.gone_by[member][:, :, DUE:] - ended[:, :, None], 0)
    done = tables.finished_by[member]
    is_counted = is_shown & waiting[:, :, None]
    return _Shares(
        exposed=(exposed[:, :, None] * is_shown).sum(axis=1).astype(np.float64),
        gone=(gone * is_shown).sum(axis=1).astype(np.float64),
        waiting=is_counted.sum(axis=1).astype(np.float64),
        hits=(is_counted & done).sum(axis=1).astype(np.float64),
    )


def beta_binomial(size: Floats, left_over: Floats, q: Floats, rho: Floats) -> Floats:
    """Return P(at most ``left_over`` of ``size`` items are not gone), with mean share gone ``q`` and spread ``rho``.

    All arguments broadcast; ``size`` and ``left_over`` are whole numbers >= 0.
    """
    size, left_over, q, rho = np.broadcast_arrays(size, left_over, q, rho)
    pull = 1.0 / rho - 1.0
    a, b = q * pull, (1 - q) * pull  # items gone, items left over
    term = log_gamma(a + size) + log_gamma(a + b) - log_gamma(a + b + size) - log_gamma(a)
    total = term.copy()
    for k in range(int(left_over.max(initial=0))):
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.log((size - k) / (k + 1)) + np.log((k + b) / (size - k - 1 + a))
        term = np.where(k < np.minimum(left_over, size), term + step, -np.inf)
        total = np.logaddexp(total, term)
    return np.where(left_over >= size, 1.0, np.minimum(np.exp(total), 1.0))
