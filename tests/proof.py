"""Run the large proofs at their full counts, and write the page with their figures.

    python -m tests.proof

A proof is a test with the mark ``proof``. It records its figures with ``record_property(words, number)``. `make test`
runs a proof at a reduced count; this module runs all of them at the full one (`full`). When every proof has passed, the
section of ``docs/promises.md`` between two signs is replaced. If one failed or was skipped, nothing is written.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PAGE = Path(__file__).parents[1] / "docs" / "promises.md"
BEGIN, END = "<!-- written by make proof -->\n", "<!-- to here -->\n"
_FULL = "MILESYNC_PROOF"

T = TypeVar("T")
Record = Callable[[str, object], None]
"""What ``record_property`` is."""


def full(in_full: T, otherwise: T) -> T:
    """The first in `make proof`, else the second."""
    return in_full if os.environ.get(_FULL) else otherwise


def tried(check: Callable[..., None], *of: SearchStrategy[Any], cases: int, part: int) -> int:
    """Hold a check against so many examples, the same for the same part; how many there were."""
    from hypothesis import HealthCheck, given, seed, settings  # late, as pytest wants to be the first to import it
    from hypothesis.strategies import tuples

    count = 0

    def counting(example: tuple[Any, ...]) -> None:
        nonlocal count
        count += 1
        check(*example)

    how = settings(
        max_examples=cases, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
    )
    seed(part)(how(given(tuples(*of))(counting)))()
    return count


TIMEOUT = pytest.mark.timeout(full(3_000, 300))
"""For a proof: a time after which it surely hangs."""


@dataclass
class Row:
    """Figures of a proof, summed over its cases, and the seconds of all cases."""

    counted: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


@dataclass
class Tally:
    """A plugin of pytest that adds up what proofs report; under xdist, in the process that the workers report to."""

    rows: dict[str, Row] = field(default_factory=lambda: defaultdict(Row))
    passed: int = 0
    missing: list[str] = field(default_factory=list)
    """The cases that did not pass."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add one phase of one case. A failure is printed at once, as the rest may take half an hour."""
        if not report.passed:
            self.missing.append(f"{report.nodeid} ({report.outcome})")
            print("", self.missing[-1], report.longreprtext, sep="\n", flush=True)
        elif report.when == "call":
            self.passed += 1
            row = self.rows[report.nodeid.partition("[")[0]]
            row.seconds += report.duration
            row.counted.update({words: int(str(n)) for words, n in report.user_properties})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be read holds proofs that did not run."""
        if not report.passed:
            self.missing.append(f"{report.nodeid} ({report.outcome})")

    def whole(self, code: int) -> bool:
        """Return whether all proofs ran and passed."""
        return code == pytest.ExitCode.OK and not self.missing and self.passed > 0


def section(rows: Mapping[str, Row], *, on: date, seconds: float, workers: int, versions: str) -> str:
    """Return the section of the page."""
    lines = [
        f"`make proof` of {on}, {versions}, {workers} workers: {seconds / 60:.0f} minutes.",
        "",
        "| proof | counted | seconds |",
        "|---|---|---|",
    ]
    for name, row in sorted(rows.items()):
        counted = ", ".join(f"{number:,} {words}" for words, number in row.counted.items())
        lines.append(f"| `{name}` | {counted or 'passed'} | {row.seconds:,.0f} |")
    return "\n".join([*lines, ""])


def replaced(page: str, between: str) -> str:
    """The page with that between its two signs."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError("the page has lost the signs between which the figures stand")
    return f"{before}{BEGIN}\n{between}\n{END}{after}"


def main(arguments: Sequence[str] = ()) -> int:
    """Run all proofs and write the page; further arguments go to pytest, and then nothing is written."""
    os.environ[_FULL] = "1"
    workers, tally, began = max(2, os.cpu_count() or 1), Tally(), time.monotonic()
    how = ["-q", "-m", "proof", "-p", "no:cacheprovider", "-n", str(workers), "--dist", "worksteal", "--durations=30"]
    code = int(pytest.main([*how, *arguments], plugins=[tally]))
    took = time.monotonic() - began
    figures = section(
        tally.rows,
        on=datetime.now(UTC).date(),
        seconds=took,
        workers=workers,
        versions=f"Python {platform.python_version()}, {os.cpu_count()} cores",
    )
    print(figures)
    if not tally.whole(code):
        print("Not written, as these did not pass:", *tally.missing, sep="\n  ")
        return code or 1
    if not arguments:
        PAGE.write_text(replaced(PAGE.read_text("utf-8"), figures), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
