"""An engine at work for a command: with the configuration's trackers, a progress display, and its failures told."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from config.settings import Settings, load
from sync.cli import wiring as compose
from sync.cli.options import ERROR, PARTLY, tell_error
from sync.cli.progress import Shown
from sync.pull.pull import Puller
from sync.telemetry import log

if TYPE_CHECKING:
    from sync.engine.engine import Engine

__all__ = ["configured", "reading", "told_failures", "working"]


@contextmanager
def working(*, verbose: bool, as_json: bool) -> Iterator[tuple[str, Shown]]:
    """A run's id and its progress display; logs go to standard error."""
    run_id = uuid.uuid4().hex[:12]
    err = Console(stderr=True)
    log.configure(sys.stderr, verbose=verbose, run=run_id)
    with Shown(err, quiet=as_json or (not err.is_terminal and not verbose)) as shown:
        yield run_id, shown


@contextmanager
def reading(
    config: Path, *, verbose: bool, as_json: bool, create: bool = True, offline: bool = False
) -> Iterator[tuple[Puller, Settings, str]]:
    """What reads the configured trackers, closed at the end, and the run's id. Nothing of the forecast is loaded."""
    settings = load(config, os.environ)
    with (
        compose.traced(settings),
        working(verbose=verbose, as_json=as_json) as (run_id, shown),
        compose.puller(settings, os.environ, create=create, progress=shown, offline=offline) as puller,
    ):
        yield puller, settings, run_id


@contextmanager
def configured(
    config: Path, *, verbose: bool, as_json: bool, create: bool, offline: bool = False, ahead: bool = False
) -> Iterator[tuple[Engine, Settings]]:
    """The configured engine, closed at the end. ``ahead`` asks the trackers before it is there."""
    opened = reading(config, verbose=verbose, as_json=as_json, create=create, offline=offline)
    with opened as (puller, settings, run_id):
        if ahead and not settings.traces.endpoint:  # a span that began before its run's would stand alone
            puller.start_early()
        from sync.cli import engine_factory as engines  # late: loading it takes longer than a tracker needs to answer

        yield engines.engine(settings, puller, run_id=run_id), settings


def told_failures(of: Engine | Puller) -> int:
    """0, or 3 when a part failed, or 1 when nothing went through; each failure is told."""
    for failure in of.failures:
        tell_error(failure.error)
    if not of.failures:
        return 0
    return PARTLY if of.has_read_project else ERROR
