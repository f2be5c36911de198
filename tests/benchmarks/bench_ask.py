"""Measure the answers of `milesync mcp` on 1,000 milestones, 300 of them running, against the target.

Run it: ``python -m tests.benchmarks.bench_ask``. Nothing is asserted. CPU milliseconds of this process, medians, with
the JSON text that the assistant gets; the transport of the SDK is left out.
The portfolio is loaded at the start; after a run or a midnight a thread loads it again. `thread` is what that takes,
`first after a run` the answer to a question that comes when the thread is done.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import structlog

from config.settings import Settings, load
from sync.cli import engine_factory, wiring
from sync.cli.answers import AssistantAnswers
from sync.cli.portfolio_cache import PortfolioCache
from sync.engine.engine import Engine
from sync.pull.progress import silent
from tests.benchmarks.bench_thousand import Installation

TARGET = 150
RUNNING = 300
REPEATS = 9


@contextmanager
def offline(config: Path) -> Iterator[tuple[Engine, Settings]]:
    """Yield the engine of a command that asks no tracker."""
    settings = load(config, {})
    with wiring.build_puller(settings, {}, create=False, progress=silent, offline=True) as puller:
        yield engine_factory.build_engine(settings, puller, run_id="asked"), settings


def measure(name: str, question: Callable[[], Any], target: int | None = TARGET, repeats: int = REPEATS) -> None:
    """Print the CPU time of an answer and its length."""
    times, text = [], b""
    for _ in range(repeats):
        began = time.process_time()
        text = msgspec.json.encode(msgspec.to_builtins(question(), str_keys=True))
        times.append(time.process_time() - began)
    print(f"{name:28}{1000 * median(times):8.0f}{target or '':>8}{len(text):>9}", flush=True)


def main() -> None:
    """Print the table."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as folder:
        installation = Installation(Path(folder), RUNNING)
        installation.run()
        installation.config.write_text(
            installation.config.read_text() + '[audiences.team]\nreads = ["*"]\n[audiences.team.digest]\nat = "00:00"\n'
        )
        print(f"{'1,000 milestones':28}{'CPU ms':>8}{'target':>8}{'bytes':>9}")
        with PortfolioCache(partial(offline, installation.config)) as cache:
            measure("load", lambda: cache.load("").snapshot.at, None, repeats=1)
            answers = AssistantAnswers(cache, "", installation.config)
            written = answers.portfolio(status=["at_risk"])["milestones"][0]["id"]
            due = (installation.now + timedelta(days=60)).date().isoformat()
            measure("portfolio", answers.portfolio)
            measure("portfolio, 50 rows", lambda: answers.portfolio(limit=50, text="release"))
            measure("milestone", lambda: answers.milestone(written))
            measure("explain", lambda: answers.explain(written))
            measure("what_if", lambda: answers.what_if(written, due=due))
            measure("calibration", answers.calibration)
            installation.change(10, installation.now)
            installation.run()
            cache.refresh("")
            measure("thread", lambda: cache.refresh(""), None, repeats=1)
            measure("first after a run", answers.portfolio, repeats=1)
            cache.load("team")
            measure("digest", AssistantAnswers(cache, "team").digest)


if __name__ == "__main__":
    main()
