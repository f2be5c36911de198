"""Leftover: how well the forecast of the items left over at the due date held, and "no more left over than usual".

The number left over is scored by the CRPS (the mean distance between the forecast distribution and the outcome) as a
share of the scope. The reference knows the team's own history only: the shares that its last 20 milestones left over,
each applied to the present scope. While the stream has fewer than four, these are the last 25 of the kind.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec.structs import asdict
from numpy.typing import NDArray

from sync.backtest import baselines
from sync.backtest.parts import time_gone
from sync.backtest.questions import AnsweredQuestions
from sync.forecast.batch import forecast_batches
from sync.forecast.history_tables import HistoryTables, SortedEvents
from sync.forecast.scoring import score
from sync.history.ledger import moment

__all__ = ["crps_of_cumulative", "crps_of_sample", "reference_shares", "score_leftover", "score_usual"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OWN_WINDOW, OWN_LEAST, KIND_WINDOW = 20, 4, 25
SETTLE_DAYS = 1.0
_ROUNDING = 1e-9


def score_leftover(resolved: AnsweredQuestions) -> dict[str, Any]:
    """Score the distribution of the items left over: CRPS skill, and how often the published range held.

    Figures: ``n`` questions with a range and a reference, ``crps_skill``, ``covered`` (the share of outcomes in the
    range of the .15 to the .85 quantile), ``below`` and ``above`` it, ``width`` (mean of the range as a share of the
    scope) and ``by_time_gone`` with the skill. NaN where a figure does not exist.
    """
    tables, asked = resolved.tables, resolved.asked
    left, _ = _at_due(resolved)
    shares = reference_shares(tables, asked.index, asked.at)
    own, usual = np.full(len(asked), np.nan), np.full(len(asked), np.nan)
    for k, cumulative in enumerate(_cumulative(resolved)):
        if cumulative is not None and len(shares[k]):
            own[k] = crps_of_cumulative(cumulative, int(left[k])) / asked.scope[k]
            usual[k] = crps_of_sample(np.rint(shares[k] * asked.scope[k]), int(left[k])) / asked.scope[k]
    is_scored = ~np.isnan(own)
    published = [each.leftover for each, is_kept in zip(resolved.forecasts, is_scored, strict=True) if is_kept]
    low = np.array([np.nan if each is None else each.low for each in published], dtype=np.float64)
    high = np.array([np.nan if each is None else each.high for each in published], dtype=np.float64)
    outcome, scope = left[is_scored], asked.scope[is_scored]
    return {
        "n": int(is_scored.sum()),
        "crps_skill": _skill(own[is_scored], usual[is_scored]),
        "covered": _mean((low <= outcome) & (outcome <= high)),
        "below": _mean(outcome < low),
        "above": _mean(outcome > high),
        "width": _mean((high - low) / scope),
        "by_time_gone": {
            name: _skill(own[mask & is_scored], usual[mask & is_scored]) for name, mask in time_gone(resolved).items()
        },
    }


def score_usual(resolved: AnsweredQuestions) -> dict[str, Any]:
    """Score the probability that no more is left over than usual, as the scores of a method.

    The reference is the share of such outcomes of the same kind that were known before, with one hit and one miss
    added. ``base`` is the share over all questions, ``by_time_gone`` has the Brier skill. NaN where a figure does not
    exist.
    """
    has_forecast = np.array([each.usual is not None for each in resolved.forecasts], dtype=bool)
    known = resolved.where(has_forecast)
    asked, ledger = known.asked, known.tables.ledger
    usual = [each.usual for each in known.forecasts if each.usual is not None]
    p = np.array([each.probability for each in usual], dtype=np.float64)
    left, scope = _at_due(known)
    share = np.array([each.share for each in usual], dtype=np.float64)
    hit = left <= np.floor(share * scope + _ROUNDING)
    due, kind = ledger.due[asked.index], ledger.kind[asked.index]
    reference = baselines.base_rate(asked.at, kind, due, hit, np.arange(len(asked)))
    return {
        **asdict(score(p, hit, asked.index, reference)),
        "base": _mean(hit),
        "by_time_gone": {
            name: score(p[mask], hit[mask], asked.index[mask], reference[mask]).bss
            for name, mask in time_gone(known).items()
        },
    }


def crps_of_cumulative(cumulative: Floats, actual: int) -> float:
    """Return the CRPS of whole numbers with P(at most k) = ``cumulative[k]``, 1 for larger k, in items."""
    k = np.arange(max(len(cumulative), actual))
    below = np.ones(len(k))
    below[: len(cumulative)] = cumulative
    return float(((below - (k >= actual)) ** 2).sum())


def crps_of_sample(sample: Floats, actual: int) -> float:
    """Return the CRPS of the distribution in which each number of the sample (at least one) is as probable."""
    ordered, n = np.sort(sample), len(sample)
    spread = float(((2 * np.arange(1, n + 1) - n - 1) * ordered).sum()) / n**2
    return float(np.abs(ordered - actual).mean()) - spread


def reference_shares(tables: HistoryTables, index: Ints, at: Floats) -> list[Floats]:
    """Return the shares that earlier milestones of each container left over at their due date, as known ``at`` (days).

    They are the last ones of the stream, or of the kind while the stream has fewer than four.
    """
    ledger = tables.ledger
    usable = np.flatnonzero(tables.is_usable)
    counts = [_counts_at_due(tables, i) for i in usable.tolist()]
    share = np.full(len(ledger.containers), np.nan)
    share[usable] = [open_items / scope if scope else np.nan for open_items, scope in counts]
    own, kind = (
        SortedEvents(codes[usable], ledger.due[usable], len(names))
        for codes, names in ((ledger.stream, ledger.streams), (ledger.kind, ledger.kinds))
    )
    known = np.fmin(at - SETTLE_DAYS, ledger.due[index])
    own_end, kind_end = own.before(ledger.stream[index], known), kind.before(ledger.kind[index], known)
    shares = []
    for k, i in enumerate(index.tolist()):
        events, end, first, window = own, own_end[k], own.first[ledger.stream[i]], OWN_WINDOW
        if end - first < OWN_LEAST:
            events, end, first, window = kind, kind_end[k], kind.first[ledger.kind[i]], KIND_WINDOW
        of_milestones = share[usable[events.order[max(end - window, first) : end]]]
        shares.append(of_milestones[~np.isnan(of_milestones)])
    return shares


def _cumulative(resolved: AnsweredQuestions) -> list[Floats | None]:
    """Return the forecast distribution of each question as P(at most k left over); None without history."""
    tables, asked = resolved.tables, resolved.asked
    cumulative: list[Floats | None] = []
    moments = [moment(at) for at in asked.at.tolist()]
    for batch in forecast_batches(tables, asked.index.tolist(), moments, resolved.setup.calendar):
        mixture = batch.leftover()
        cumulative += [mixture.cumulative(k) if mixture.has_members[k] else None for k in range(len(batch.index))]
    return cumulative


def _at_due(resolved: AnsweredQuestions) -> tuple[Floats, Floats]:
    """Return the open items and the scope of each question's container at its due moment: float64[m] each."""
    by_container = {i: _counts_at_due(resolved.tables, i) for i in set(resolved.asked.index.tolist())}
    counts = [by_container[i] for i in resolved.asked.index.tolist()]
    left, scope = np.array(counts, dtype=np.float64).reshape(len(counts), 2).T
    return left, scope


def _counts_at_due(tables: HistoryTables, i: int) -> tuple[int, int]:
    ledger = tables.ledger
    rows, due = ledger.rows(i), float(ledger.due[i])
    return int(ledger.is_open(due, rows).sum()), int(ledger.in_scope(due, rows).sum())


def _skill(own: Floats, reference: Floats) -> float:
    return 1 - float(own.sum() / reference.sum()) if len(own) and reference.sum() > 0 else np.nan


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if len(values) else np.nan
