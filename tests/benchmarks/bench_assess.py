"""Time the assessment of 10,000 milestones with a million memberships, and its growth with size.

Run it: ``python -m tests.benchmarks.bench_assess [milestones ...]``. Each size is measured in a process of its own, so
that the peak memory is its own. Streams have twenty milestones of 28 days each with a hundred items, begun every
fortnight; the moment lies so that one in ten is running, or (crowded) one in two.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import numpy as np

from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.pooled import forecast
from sync.health.assess import assess
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger, days, moment
from sync.model.membership import Container

EACH, IN_STREAM = 100, 20
START = datetime(2024, 1, 1, tzinfo=UTC)
PLANNED = timedelta(days=28)


def world(milestones: int, gap: timedelta, seed: int = 7) -> tuple[Ledger, datetime]:
    """A ledger of streams whose milestones begin every ``gap``, and the moment when the last are running."""
    rng = np.random.default_rng(seed)
    containers = []
    for i in range(milestones):
        stream, k = divmod(i, IN_STREAM)
        start = START + k * gap + timedelta(days=stream % 14)
        containers.append(
            Container(
                id=f"https://tracker.example/milestone/{i}",
                kind="milestone",
                stream=f"project-{stream}/milestone/Release",
                start=start,
                due=start + PLANNED,
                ended=start + PLANNED * 1.2,
            )
        )
    n = milestones * EACH
    begun = np.repeat([days(c.start) for c in containers], EACH)
    joined = begun + np.where(rng.random(n) < 0.6, 0.0, rng.random(n) * 24)
    closed = joined + rng.gamma(1.2, 9.0, n)
    left = np.where(rng.random(n) < 0.05, joined + rng.random(n) * 20, np.inf)
    ledger = Ledger(containers, np.repeat(np.arange(milestones), EACH), np.arange(n), joined, left, closed)
    return ledger, START + (IN_STREAM - 1) * gap + timedelta(days=20)


def measure(milestones: int) -> dict[str, float]:
    """Seconds and peak megabytes for one size."""
    calendar, rules = Calendar(country="US"), Rules()
    figures: dict[str, float] = {"milestones": milestones, "memberships": milestones * EACH}
    for name, gap in (("assess", timedelta(days=14)), ("assess_crowded", timedelta(days=2.5))):
        ledger, at = world(milestones, gap)
        ids = [c.id for c in ledger.containers]
        begun = time.process_time()
        found = assess(HistoryTables(ledger, rules), ids, at, calendar)
        figures[f"{name}_s"] = round(time.process_time() - begun, 2)
        figures[f"{name}_forecasts"] = sum(h.probability is not None for h in found.values())
    begun = time.process_time()
    tables = HistoryTables(ledger, rules)
    figures["count_s"] = round(time.process_time() - begun, 2)
    halfway = [moment(v) for v in (ledger.start + ledger.due) / 2]
    begun = time.process_time()
    forecast(tables, range(milestones), halfway, rules, calendar)
    figures["forecasts_s"] = round(time.process_time() - begun, 2)
    figures["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return figures


def main(sizes: list[int]) -> None:
    """Print one line of JSON per size, and the growth of the cost between them."""
    before: dict[str, float] | None = None
    for size in sizes:
        command = [sys.executable, "-m", "tests.benchmarks.bench_assess", "--one", str(size)]
        figures = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        if before is not None:
            factor = size / before["milestones"]
            figures["cost_per_milestone_against_before"] = round(figures["assess_s"] / before["assess_s"] / factor, 2)
        print(json.dumps(figures))
        before = figures


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(int(sys.argv[2]))))
    else:
        main([int(size) for size in sys.argv[1:]] or [2_500, 10_000])
