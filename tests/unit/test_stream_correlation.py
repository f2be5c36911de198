"""Correlations of streams: all pairs at once give what one pair after another gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from sync.forecast import joint
from sync.forecast.history_tables import DUE, HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.stats import normal_score
from sync.forecast.stream_correlation import StreamCorrelation
from sync.history.ledger import days
from tests.days import day
from tests.ledgers import Given, container, ledger

AT = days(day(900))


def _streams(rng: np.random.Generator, count: int, *, weeks: bool) -> list[Given]:
    """Streams of no to twelve milestones each, whose planned times overlap at random. ``weeks``: many are equal."""
    found: list[Given] = []
    for stream in range(count):
        for n in range(int(rng.integers(0, 13))):
            begun, length = float(rng.uniform(0, 300)), float(rng.uniform(5, 120))
            if weeks:
                begun, length = 14 * round(begun / 14), 14 * max(1, round(length / 14))
            name = container(f"{stream}/{n}", begun, begun + length, stream=f"s{stream}", ended=begun + length + 40)
            closed = begun + length * rng.uniform(0.1, 1.6, int(rng.integers(1, 6)))
            found.append((name, [(begun, float(at)) for at in closed]))
    return [found[k] for k in rng.permutation(len(found))]


def _one_after_another(tables: HistoryTables, streams: Sequence[str]) -> np.ndarray:
    """Return the correlations as the documentation describes them, pair by pair and milestone by milestone."""
    due, start = tables.ledger.due.tolist(), tables.start.tolist()
    scores: dict[str, dict[int, float]] = {}
    for stream in streams:
        code = tables.ledger.streams.index(stream) if stream in tables.ledger.streams else -1
        own = [int(n) for n in np.flatnonzero(tables.is_usable & (tables.ledger.stream == code)) if due[n] < AT - 1]
        late = {
            n: int((tables.open_at[n, :DUE] > 0).sum()) + sum(not finished for finished in tables.finished_by[n])
            for n in own
        }
        scores[stream] = {
            n: float(
                normal_score(
                    (sum(own < late[n] for own in late.values()) + sum(own <= late[n] for own in late.values()))
                    / (2 * len(late))
                )
            )
            for n in own
        }

    def between(first: str, second: str) -> float:
        own, others = sorted((first, second), key=lambda stream: (len(scores[stream]), stream))
        pairs: dict[frozenset[int], tuple[float, float]] = {}
        for n in scores[own]:
            near = [k for k in scores[others] if k != n and start[k] < due[n] and start[n] < due[k]]
            if near:
                k = min(near, key=lambda k: (abs(due[k] - due[n]), k))
                pairs.setdefault(frozenset((n, k)), (scores[own][n], scores[others][k]))
        if min(len(scores[first]), len(scores[second]), len(pairs)) < 5:
            return 0.0
        a, b = np.array(list(pairs.values())).T
        spread = np.sqrt((a @ a) * (b @ b))
        raw = float(a @ b / spread) if spread > 0 else 0.0
        return float(np.clip(raw * len(pairs) / (len(pairs) + 10), -0.9, 0.9))

    matrix = np.array([[between(first, second) for second in streams] for first in streams])
    np.fill_diagonal(matrix, 1.0)
    return matrix


@pytest.mark.parametrize("block", [1, 40, 1 << 16])
@pytest.mark.parametrize("weeks", [False, True])
def test_all_pairs_at_once_are_those_one_after_another(
    block: int, weeks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.forecast.stream_correlation._BLOCK", block)
    rng, compared = np.random.default_rng(8), 0
    for _ in range(3):
        tables = HistoryTables(ledger(_streams(rng, 14, weeks=weeks)), Rules())
        streams = [*(f"s{n}" for n in rng.permutation(14)), "s3", "s5", "unknown"]
        found, expected = StreamCorrelation(tables, AT).matrix(streams), _one_after_another(tables, streams)
        assert np.allclose(found, expected, rtol=0.0, atol=1e-14)
        compared += int(np.count_nonzero(expected)) - len(streams)
        ids = [f"m{n}" for n in range(len(streams))]
        assert np.array_equal(joint.completion_ranks(ids, found), joint.completion_ranks(ids, expected))
    assert compared > 200
