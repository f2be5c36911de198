"""An engine at work for a command: with the configuration's trackers, a progress display, and its failures told."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from config.settings import Settings, load
from sync import log
from sync.cli import compose
from sync.cli.options import ERROR, PARTLY, tell_error
from sync.cli.progress import Shown
from sync.outcome import Failure
from sync.pulling import Puller

if TYPE_CHECKING:
    from sync.engine import Engine

__all__ = ["configured", "failure_rows", "reading", "told_failures", "working"]


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
    config: Path, *, verbose: bool, as_json: bool, create: bool, offline: bool = False, ahead: bool = False
) -> Iterator[tuple[Engine, Settings]]:
    """The configured engine, closed at the end. ``ahead`` asks the trackers before it is there."""
    settings = load(config, os.environ)
    with (
        compose.traced(settings),
        working(verbose=verbose, as_json=as_json) as (run_id, shown),
        compose.puller(settings, os.environ, create=create, progress=shown, offline=offline) as puller,
    ):
        if ahead and not settings.traces.endpoint:  # a span that began before its run's would stand alone
            puller.begin()
        from sync.cli import engines  # late: loading it takes longer than a tracker needs to answer

        yield engines.engine(settings, puller, run_id=run_id), settings


@contextmanager
def reading(config: Path, *, verbose: bool, as_json: bool) -> Iterator[Puller]:
    """What reads the configured trackers, closed at the end; nothing of the forecast is loaded."""
    settings = load(config, os.environ)
    with (
        compose.traced(settings),
        working(verbose=verbose, as_json=as_json) as (_, shown),
        compose.puller(settings, os.environ, create=True, progress=shown) as puller,
    ):
        yield puller


def told_failures(of: Engine | Puller) -> int:
    """0, or 3 when a part failed, or 1 when nothing went through; each failure is told."""
    for failure in of.failures:
        tell_error(failure.error)
    if not of.failures:
        return 0
    return PARTLY if of.went_through else ERROR


def failure_rows(failures: Iterable[Failure]) -> list[dict[str, str]]:
    """What went wrong, as other programs read it."""
    return [{"connection": f.connection, "project": f.project, "error": f.error} for f in failures]
