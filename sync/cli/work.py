"""An engine at work for a command: with the configuration's trackers, a progress display, and its failures told."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from config.settings import Settings, load
from sync import log
from sync.cli import compose
from sync.cli.options import ERROR, PARTLY, tell_error
from sync.cli.progress import Shown
from sync.engine import Engine

__all__ = ["configured", "told_failures", "working"]


@contextmanager
def working(*, verbose: bool, as_json: bool) -> Iterator[tuple[str, Shown]]:
    """A run's id and its progress display; logs go to standard error."""
    run_id = uuid.uuid4().hex[:12]
    err = Console(stderr=True)
    log.configure(sys.stderr, verbose=verbose, run=run_id)
    with Shown(err, quiet=as_json or (not err.is_terminal and not verbose)) as shown:
        yield run_id, shown


@contextmanager
def configured(
    config: Path, *, verbose: bool, as_json: bool, create: bool, offline: bool = False
) -> Iterator[tuple[Engine, Settings]]:
    """The configured engine, closed at the end."""
    settings = load(config, os.environ)
    with (
        compose.traced(settings),
        working(verbose=verbose, as_json=as_json) as (run_id, shown),
        compose.engine(settings, os.environ, create=create, run_id=run_id, progress=shown, offline=offline) as engine,
    ):
        yield engine, settings


def told_failures(engine: Engine) -> int:
    """0, or 3 when a part failed, or 1 when nothing went through; each failure is told."""
    for failure in engine.failures:
        tell_error(failure.error)
    if not engine.failures:
        return 0
    return PARTLY if engine.went_through else ERROR
