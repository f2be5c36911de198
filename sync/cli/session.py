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

from config.settings import Settings
from sync.cli import wiring
from sync.cli.options import ERROR, PARTLY, load_settings, print_error
from sync.cli.progress import ProgressDisplay
from sync.pull.pull import Puller
from sync.telemetry import log

if TYPE_CHECKING:
    from sync.engine.engine import Engine

__all__ = ["command_session", "open_engine", "open_puller", "report_failures"]


@contextmanager
def command_session(*, verbose: bool, as_json: bool) -> Iterator[tuple[str, ProgressDisplay]]:
    """A run's id and its progress display; logs go to standard error."""
    run_id = uuid.uuid4().hex[:12]
    err = Console(stderr=True)
    log.configure(sys.stderr, verbose=verbose, run=run_id)
    with ProgressDisplay(err, quiet=as_json or (not err.is_terminal and not verbose)) as shown:
        yield run_id, shown


@contextmanager
def open_puller(
    config: Path, *, verbose: bool, as_json: bool, create: bool = True, offline: bool = False
) -> Iterator[tuple[Puller, Settings, str]]:
    """What reads the configured trackers, closed at the end, and the run's id. Nothing of the forecast is loaded."""
    settings = load_settings(config)
    with (
        wiring.tracing_spans(settings),
        command_session(verbose=verbose, as_json=as_json) as (run_id, shown),
        wiring.build_puller(settings, os.environ, create=create, progress=shown, offline=offline) as puller,
    ):
        yield puller, settings, run_id


@contextmanager
def open_engine(
    config: Path, *, verbose: bool, as_json: bool, create: bool, offline: bool = False, ahead: bool = False
) -> Iterator[tuple[Engine, Settings]]:
    """The configured engine, closed at the end. ``ahead`` asks the trackers before it is there."""
    opened = open_puller(config, verbose=verbose, as_json=as_json, create=create, offline=offline)
    with opened as (puller, settings, run_id):
        if ahead and not settings.traces.endpoint:  # a span that began before its run's would stand alone
            puller.start_early()
        from sync.cli import engine_factory  # late: loading it takes longer than a tracker needs to answer

        yield engine_factory.build_engine(settings, puller, run_id=run_id), settings


def report_failures(of: Engine | Puller) -> int:
    """0, or 3 when a part failed, or 1 when nothing went through; each failure is told."""
    for failure in of.failures:
        print_error(failure.error)
    if not of.failures:
        return 0
    return PARTLY if of.has_read_project else ERROR
