"""`milesync worker`: one of many processes that share the work."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated

import structlog
import typer

from config.settings import Settings, load
from sync.cli import after_run as outside
from sync.cli import engine_factory as engines
from sync.cli import wiring as compose
from sync.cli.options import DEFAULT, ERROR, PARTLY, REFUSED, Config, FirstRun, Verbose, end, lacking, tell_error, worst
from sync.engine.engine import Engine
from sync.engine.result import Result, RoundResult
from sync.store.store import Store
from sync.telemetry import log
from sync.worker.job import JobEnvironment, JobSpec

if TYPE_CHECKING:
    from sync.worker.prometheus import PrometheusExporter

__all__ = ["shown", "work_of", "worker"]

Once = Annotated[bool, typer.Option("--once", help="Take what there is to do, then end.")]


def worker(config: Config = DEFAULT, first_run: FirstRun = False, once: Once = False, verbose: Verbose = False) -> None:
    """Share the work with other processes, round after round, until told to stop. Needs PostgreSQL."""
    settings = load(config, os.environ)
    log.configure(sys.stderr, verbose=verbose)
    try:
        from sync.worker.queue import app, install, libpq
        from sync.worker.worker import Worker
    except ImportError:
        tell_error(lacking("milesync worker", "worker"))
        end(ERROR)
    url = compose.database(settings, os.environ)
    libpq(url)  # refuses what is not PostgreSQL
    Store.open(url, create=first_run, clock=compose.clock).close()
    install(url)
    for source in compose.sources(settings, os.environ):  # a secret that is missing is told now
        source.connector.close()
    chosen = settings.worker
    live = shown(settings)
    if live is not None and settings.metrics.listen:
        live.listen(settings.metrics.listen)
    process = Worker(
        app(url),
        work_of(settings, url, live),
        schedule=chosen.schedule,
        batch=chosen.batch,
        concurrency=chosen.concurrency,
    )
    with compose.traced(settings):
        well = asyncio.run(process.run(once=once))
    missed = process.missed if once else set()
    end(
        0 if well else ERROR,
        REFUSED if "refused" in missed else 0,
        PARTLY if missed - {"refused"} else 0,
    )


def shown(settings: Settings) -> PrometheusExporter | None:
    """What shows figures for Prometheus. Ends the program when they are wanted and the extra is missing."""
    try:
        from sync.worker.prometheus import PrometheusExporter
    except ImportError:
        if settings.metrics.listen:
            tell_error(lacking("metrics.listen", "metrics"))
            end(ERROR)
        return None
    return PrometheusExporter(installation=settings.instance, version=version("milesync"))


def work_of(settings: Settings, url: str, live: PrometheusExporter | None = None) -> JobEnvironment:
    """What a process that works for ever needs, as configured."""

    def engine(order: JobSpec) -> Engine:
        wanted = settings if order.writes else compose.alone(settings, order.connection)
        puller = compose.puller(
            wanted,
            os.environ,
            create=False,
            progress=order.progress,
            sleep=order.sleep,
            offline=order.share is None,
        )
        return engines.engine(wanted, puller, run_id=order.run_id, share=order.share)

    def tidy() -> None:
        with Store.open(url, create=False, clock=compose.clock) as store:
            outside.tidied(store, settings)

    def after(engine: Engine, ended: RoundResult) -> bool:
        return outside.round_ended(engine, settings, ended)

    def told(engine: Engine, result: Result, started: datetime) -> None:
        for reason in result.refused:
            structlog.get_logger("milesync").warning("refused", error=reason)
        code = worst(REFUSED if result.refused else 0, PARTLY if engine.failures else 0)
        figures = outside.summed_up(engine, result, started, code)
        if live is not None:
            live.wrote_back(figures)

    return JobEnvironment(
        instance=settings.instance,
        connections={name: connection.projects for name, connection in settings.connections.items()},
        engine=engine,
        clock=compose.clock,
        told=told,
        after=after if outside.round_followed(settings) else None,
        tidy=tidy,
        ended=live.step if live is not None else lambda *_: None,
    )
