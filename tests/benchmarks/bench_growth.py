"""Measure how the cost of runs grows when one dimension of an installation doubles.

Run it: ``python -m tests.benchmarks.bench_growth [dimension ...] [--times N]``. Each dimension is doubled alone, the
others stay small. The tracker is in memory, so that only our own work counts. An exponent of 1 is proportional, of 2 a
square; nothing is asserted here (`tests.integration.test_growth` does). `tests.growth_world` explains the steps and the
costs.
"""

from __future__ import annotations

import argparse
import logging
import math
import tempfile
from collections.abc import Mapping
from dataclasses import astuple, replace
from pathlib import Path

import structlog

from tests.growth_world import Cost, Size, World

SIZES: Mapping[str, Size] = {
    "milestones": Size(milestones=500),
    "projects": Size(projects=200, milestones=2),
    "connections": Size(connections=40, milestones=5),
    "issues": Size(milestones=10, issues=1000),
    "past": Size(projects=5, past=100),
    "joints": Size(milestones=200, joints=100),
    "dependencies": Size(milestones=800, dependencies=100),
    "comments": Size(milestones=20, comments=500),
    "days": Size(milestones=100, days=50),
}


def costs(size: Size) -> dict[str, Cost]:
    """Return the cost of every step for a size."""
    with tempfile.TemporaryDirectory() as folder:
        return World(size, Path(folder)).measure()


def growth(dimension: str, times: int) -> None:
    """Print the costs of a dimension when it doubles, and the exponents of each doubling."""
    size, before = SIZES[dimension], None
    for _ in range(times):
        own = costs(size)
        for step, cost in own.items():
            cpu, statements, database, requests, draws, _calls = astuple(cost)
            line = f"{dimension:13}{getattr(size, dimension):7} {step:6}{cpu:8.2f}"
            line += f"{statements:8}{database:9}{requests:8}{draws:8}"
            if before is not None:
                line += "".join(map(_exponent, astuple(before[step])[:-1], astuple(cost)[:-1]))
            print(line, flush=True)
        size, before = replace(size, **{dimension: 2 * getattr(size, dimension)}), own


def _exponent(before: float, after: float) -> str:
    return f"{math.log2(after / before):7.2f}" if before > 0 and after > 0 else f"{'-':>7}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("dimensions", nargs="*", default=[])
    parser.add_argument("--times", type=int, default=2)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    costs(Size())  # imports, and what is computed once
    columns = f"{'CPU s':>8}{'SQL':>8}{'SQLite':>9}{'asked':>8}{'drawn':>8}{'exponents, in the same order':>34}"
    print(f"{'dimension':13}{'size':>7} {'step':6}{columns}")
    for dimension in given.dimensions or SIZES:
        growth(dimension, given.times)


if __name__ == "__main__":
    main()
