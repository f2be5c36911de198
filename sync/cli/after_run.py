"""Everything that follows the writes of a run or a round: report, digests, summary event, metrics, ping, pruning.

None of it changes the exit code: the run has written what it had to write.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from config.errors import ConfigurationError
from config.settings import Settings
from sync.cli.options import ERROR, PARTLY
from sync.engine.metrics import Figures, figures_of_run, ping, round_figures, write_textfile
from sync.store.database import StoreError
from sync.store.store import Store
from sync.telemetry.log import events as log

if TYPE_CHECKING:
    from sync.engine.engine import Engine
    from sync.engine.result import Result, RoundResult

__all__ = ["after_writes", "finish", "finish_round", "log_summary", "needs_after_round", "prune_store", "timed_run"]


@contextmanager
def timed_run(engine: Engine) -> Iterator[datetime]:
    """The start of the run. A run that ends by an exception still logs its summary event."""
    started = engine.clock()
    try:
        yield started
    except Exception as error:
        seconds = round((engine.clock() - started).total_seconds(), 3)
        log.error("run finished", exit_code=ERROR, seconds=seconds, crashed=type(error).__name__)  # noqa: TRY400
        raise


def after_writes(engine: Engine, settings: Settings) -> list[dict[str, Any]]:
    """Make the report, then send the digests that are due. Return the outcome of each digest.

    A module is imported only if the configuration asks for its output.
    """
    if settings.report_folder() is not None:
        from sync.cli import site

        site.refresh_report(engine, settings)
    if any(audience.digest for audience in settings.audiences.values()):
        from sync.cli import digests

        return digests.digest_rows(digests.send_digests(engine, settings))
    return []


def finish(engine: Engine, settings: Settings, run_figures: Figures) -> None:
    """Prune the database, write the metrics and send the ping of a run or a round that ended with these figures."""
    _prune_once_a_day(engine, settings)
    _write_metrics(settings, run_figures)
    if run_figures.exit_code == 0:
        _send_ping(settings)


def log_summary(engine: Engine, result: Result, started: datetime, code: int) -> Figures:
    """Log the one summary event of a run, and return its figures."""
    run_figures = figures_of_run(engine, result, started, code)
    log.info("run finished", **_summary_event(run_figures))
    return run_figures


def finish_round(engine: Engine, settings: Settings, result: RoundResult) -> bool:
    """Do everything that follows the writes of a round. Return False if the round or a step of this had a failure."""
    after_writes(engine, settings)
    for failure in engine.failures:
        log.warning("failed", error=failure.error)
    totals = round_figures(engine, result, 0 if result.is_ok and not engine.failures else PARTLY)
    event = {name: value for name, value in _summary_event(totals).items() if value not in (None, {})}
    log.info("round finished", **event)
    finish(engine, settings, totals)
    return totals.exit_code == 0


def needs_after_round(settings: Settings) -> bool:
    """Return True if the configuration asks for a report, metrics, a ping or a digest after a round."""
    outputs = (settings.report_folder(), settings.textfile(), settings.ping.url)
    return any(outputs) or any(audience.digest for audience in settings.audiences.values())


def _summary_event(run_figures: Figures) -> dict[str, object]:
    """The figures to log. Every line has the run id already; the times are for the textfile only."""
    omitted = ("run", "started", "finished", "seen", "succeeded")
    return {name: getattr(run_figures, name) for name in run_figures.__struct_fields__ if name not in omitted}


def _prune_once_a_day(engine: Engine, settings: Settings) -> None:
    """Prune the database in the first run of a day, in UTC."""
    try:
        earlier = [run.started_at for run in engine.store.last_runs(2) if run.id != engine.run_id]
        if earlier and earlier[0].date() < engine.clock().date():
            prune_store(engine.store, settings)
    except StoreError as error:
        log.warning("store not pruned; the first run of the next day tries again", error=str(error))


def prune_store(store: Store, settings: Settings) -> None:
    """Delete the rows that are older than ``retention`` allows. Raises `StoreError`."""
    deleted = store.prune(settings.retention)
    log.info("store pruned", assessments=deleted.assessments, runs=deleted.runs, writes=deleted.writes)


def _write_metrics(settings: Settings, run_figures: Figures) -> None:
    path = settings.textfile()
    if path is None:
        return
    try:
        write_textfile(path, run_figures, installation=settings.instance, version=version("milesync"))
    except ImportError:
        from sync.installation import missing_extra

        log.warning("metrics not written", file=str(path), error=missing_extra("the file", "metrics"))
    except OSError as error:
        log.warning("metrics not written", file=str(path), error=error.strerror or type(error).__name__)


def _send_ping(settings: Settings) -> None:
    try:
        url = settings.ping_url(os.environ)
    except ConfigurationError as error:
        log.warning("ping not sent", error=str(error))
        return
    if url is None:
        return
    failure = ping(url.get_secret_value())
    if failure:
        log.warning("ping not sent", error=failure)
