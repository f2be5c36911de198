"""Session of one command: an open engine or puller, a progress display, and the report of failures.

The display is shown first; the modules that take long to import are imported while it is.
"""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sync.cli.options import ERROR, PARTLY, load_settings, print_error
from sync.cli.progress import ProgressDisplay
from sync.telemetry import log

if TYPE_CHECKING:
    from config.settings import Settings
    from sync.engine.engine import Engine
    from sync.pull.pull import Puller

__all__ = ["command_session", "open_engine", "open_puller", "report_failures"]


@contextmanager
def command_session(
    *, verbose: bool, as_json: bool, errors_only: bool = False
) -> Iterator[tuple[str, ProgressDisplay]]:
    """Yield a new run id and the progress display. Logs go to standard error.

    ``errors_only`` is for commands of people alone, which print the rest as sentences.
    """
    run_id = uuid.uuid4().hex[:12]
    log.configure(sys.stderr, verbose=verbose, errors_only=errors_only, run=run_id)
    with ProgressDisplay(sys.stderr, quiet=as_json or not (sys.stderr.isatty() or verbose)) as display:
        yield run_id, display


@contextmanager
def open_puller(
    config: Path, *, verbose: bool, as_json: bool, create: bool = True, offline: bool = False, ahead: bool = False
) -> Iterator[tuple[Puller, Settings, str]]:
    """Yield the puller of the configured trackers, the settings and the run id. Close the puller at the end.

    Imports nothing of the forecast. ``create`` allows a new database, ``offline`` needs no secrets. ``ahead``: the
    caller pulls, so that the trackers may be asked before a new database is made.
    """
    with command_session(verbose=verbose, as_json=as_json) as (run_id, display):
        settings = load_settings(config)
        from sync.cli import wiring
        from sync.pull.memory import use_one_arena

        use_one_arena()
        ahead = ahead and not settings.traces.endpoint  # a span that starts before that of its run would have no parent
        with (
            wiring.tracing_spans(settings),
            wiring.build_puller(
                settings, os.environ, create=create, progress=display, offline=offline, ahead=ahead
            ) as puller,
        ):
            yield puller, settings, run_id


@contextmanager
def open_engine(
    config: Path, *, verbose: bool, as_json: bool, create: bool, offline: bool = False, ahead: bool = False
) -> Iterator[tuple[Engine, Settings]]:
    """Yield the configured engine and the settings. Close the engine at the end.

    ``ahead`` starts reading the trackers while the engine's modules are imported.
    """
    session = open_puller(config, verbose=verbose, as_json=as_json, create=create, offline=offline, ahead=ahead)
    with session as (puller, settings, run_id):
        if ahead and not settings.traces.endpoint:  # a span that starts before the span of its run would have no parent
            puller.start_early()
        from sync.cli import engine_factory

        engine = engine_factory.build_engine(settings, puller, run_id=run_id)
        if ahead:
            _ = engine.planner  # imported now, while the trackers answer
        yield engine, settings


def report_failures(work: Engine | Puller) -> int:
    """Print each failure, and whether all projects failed. Return exit code 0, or 3 if a project was read, else 1."""
    for error in dict.fromkeys(failure.error for failure in work.failures):
        print_error(error)
    if not work.failures:
        return 0
    if work.has_read_project:
        return PARTLY
    print_error("No project could be read. Check address, network and token, then run the command again.")
    return ERROR
