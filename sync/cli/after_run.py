"""What a run or a round does for those who are not watching: pages, digests, a summary in the log, metrics, a ping,
and tidying up once a day.

None of it changes the exit code: a run that did its work has done it, whoever could not be told.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import structlog
from rich.text import Text

from config.errors import ConfigurationError
from config.settings import Settings
from sync.cli import wiring as compose
from sync.cli.options import ERROR, PARTLY
from sync.engine.metrics import Figures, ReadState, figures, ping, round_figures, write_textfile
from sync.report import phrases as sentences
from sync.store.store import Store, StoreError
from sync.telemetry.log import secrets

if TYPE_CHECKING:
    from sync.engine.engine import Engine
    from sync.engine.result import Result, RoundResult

__all__ = [
    "finished",
    "followed",
    "round_ended",
    "round_followed",
    "seen_lines",
    "summed_up",
    "tidied",
    "watched",
]

log = structlog.get_logger("milesync")


@contextmanager
def watched(engine: Engine) -> Iterator[datetime]:
    """A run's time; one that ends by an exception says so in its summary event."""
    started = engine.clock()
    try:
        yield started
    except Exception as problem:
        seconds = round((engine.clock() - started).total_seconds(), 3)
        log.error("run finished", exit_code=ERROR, seconds=seconds, crashed=type(problem).__name__)  # noqa: TRY400
        raise


def followed(engine: Engine, settings: Settings) -> list[dict[str, Any]]:
    """What follows the writes of a run or a round: the report, then the digests that are due. What became of these.

    Neither is loaded where nobody wants it.
    """
    if settings.report_folder() is not None:
        from sync.cli import report

        report.made_anew(engine, settings)
    if any(audience.digest for audience in settings.audiences.values()):
        from sync.cli import digest

        return digest.rows(digest.sent(engine, settings))
    return []


def finished(engine: Engine, settings: Settings, told: Figures) -> None:
    """Everything that follows a run or a round which ended with these figures."""
    _tidied(engine, settings)
    _counted(settings, told)
    if told.exit_code == 0:
        _pinged(settings)


def summed_up(engine: Engine, result: Result, started: datetime, code: int) -> Figures:
    """The figures of a run, told in its one summary event."""
    told = figures(engine, result, started, code)
    log.info("run finished", **_event(told))
    return told


def round_ended(engine: Engine, settings: Settings, ended: RoundResult) -> bool:
    """All that follows the writes of a round; whether it and the round went well."""
    followed(engine, settings)
    for failure in engine.failures:
        log.warning("failed", error=failure.error)
    told = round_figures(engine, ended, 0 if ended.well and not engine.failures else PARTLY)
    log.info("round finished", **{name: value for name, value in _event(told).items() if value not in (None, {})})
    finished(engine, settings, told)
    return told.exit_code == 0


def round_followed(settings: Settings) -> bool:
    """Whether anybody wants to hear of a round."""
    told = (settings.report_folder(), settings.textfile(), settings.ping.url)
    return any(told) or any(audience.digest for audience in settings.audiences.values())


def _event(told: Figures) -> dict[str, object]:
    """The run id stands in every line already; times are for the textfile."""
    left_out = ("run", "started", "finished", "seen", "succeeded")
    return {name: getattr(told, name) for name in told.__struct_fields__ if name not in left_out}


def _tidied(engine: Engine, settings: Settings) -> None:
    """Forget what is too old, in the first run of a day."""
    try:
        before = [run.started_at for run in engine.store.last_runs(2) if run.id != engine.run_id]
        if before and before[0].date() < engine.clock().date():
            tidied(engine.store, settings)
    except StoreError as problem:
        log.warning("not tidied", error=str(problem))


def tidied(store: Store, settings: Settings) -> None:
    """Forget what is too old. Raises a `StoreError`."""
    taken = store.tidy(compose.retention(settings))
    log.info("tidied", assessments=taken.assessments, runs=taken.runs, writes=taken.writes)


def _counted(settings: Settings, told: Figures) -> None:
    path = settings.textfile()
    if path is None:
        return
    try:
        write_textfile(path, told, installation=settings.instance, version=version("milesync"))
    except ImportError:
        log.warning("no metrics", error="the extra is not installed: milesync[metrics]")
    except OSError as problem:
        log.warning("no metrics", error=problem.strerror or type(problem).__name__)


def _pinged(settings: Settings) -> None:
    try:
        url = settings.ping_url(os.environ)
    except ConfigurationError as problem:
        log.warning("not pinged", error=str(problem))
        return
    if url is None:
        return
    secrets.register(url.get_secret_value())
    failed = ping(url.get_secret_value())
    if failed:
        log.warning("not pinged", error=failed)


# --- when each tracker was last seen --------------------------------------------------------------------------------


def seen_lines(sources: Iterable[ReadState], now: datetime) -> Iterator[Text]:
    """One line for each connection, and one for each of its projects that could not be read."""
    for state in sources:
        when = f"{state.seen:%Y-%m-%d %H:%M} UTC, {_ago(state.seen, now)}" if state.seen else "never"
        yield Text(f"{state.connection}: last read {when}", style="dim")
        for project, at in state.stale.items():
            since = f"since {at:%Y-%m-%d %H:%M} UTC" if at else "so far"
            yield Text(f"  {project}: not read {since}", style="yellow")


def _ago(at: datetime, now: datetime) -> str:
    minutes = max(0, round((now - at).total_seconds() / 60))
    if minutes < 120:
        return f"{sentences.plural(minutes, 'minute')} ago"
    return f"{minutes // 60} hours ago" if minutes < 48 * 60 else f"{minutes // 1440} days ago"
