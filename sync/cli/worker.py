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

from config.settings import Settings
from sync.cli import after_run, engine_factory, wiring
from sync.cli.options import (
    DEFAULT,
    ERROR,
    PARTLY,
    REFUSED,
    Config,
    FirstRun,
    Verbose,
    exit_code,
    exit_with,
    load_settings,
    missing_extra,
    print_error,
)
from sync.engine.engine import Engine
from sync.engine.result import Result, RoundResult
from sync.store.store import Store
from sync.telemetry import log
from sync.worker.job import JobEnvironment, JobSpec

if TYPE_CHECKING:
    from sync.worker.prometheus import PrometheusExporter

__all__ = ["job_environment", "prometheus_exporter", "worker"]

Once = Annotated[bool, typer.Option("--once", help="Take what there is to do, then end.")]


def worker(config: Config = DEFAULT, first_run: FirstRun = False, once: Once = False, verbose: Verbose = False) -> None:
    """Share the work with other processes, round after round, until told to stop. Needs PostgreSQL."""
    settings = load_settings(config)
    log.configure(sys.stderr, verbose=verbose)
    try:
        from sync.worker.queue import app, install, libpq
        from sync.worker.worker import Worker, WorkerOptions
    except ImportError:
        print_error(missing_extra("milesync worker", "worker"))
        exit_with(ERROR)
    url = wiring.database_url(settings, os.environ)
    libpq(url)  # refuses what is not PostgreSQL
    Store.open(url, create=first_run, clock=wiring.clock).close()
    install(url)
    for source in wiring.build_connections(settings, os.environ):  # a secret that is missing is told now
        source.connector.close()
    chosen = settings.worker
    live = prometheus_exporter(settings)
    if live is not None and settings.metrics.listen:
        live.listen(settings.metrics.listen)
    process = Worker(
        app(url),
        job_environment(settings, url, live),
        WorkerOptions(schedule=chosen.schedule, batch=chosen.batch, concurrency=chosen.concurrency),
    )
    with wiring.tracing_spans(settings):
        well = asyncio.run(process.run(once=once))
    missed = process.unfinished_outcomes if once else set()
    exit_with(
        0 if well else ERROR,
        REFUSED if "refused" in missed else 0,
        PARTLY if missed - {"refused"} else 0,
    )


def prometheus_exporter(settings: Settings) -> PrometheusExporter | None:
    """What shows figures for Prometheus. Ends the program when they are wanted and the extra is missing."""
    try:
        from sync.worker.prometheus import PrometheusExporter
    except ImportError:
        if settings.metrics.listen:
            print_error(missing_extra("metrics.listen", "metrics"))
            exit_with(ERROR)
        return None
    return PrometheusExporter(installation=settings.instance, version=version("milesync"))


def job_environment(settings: Settings, url: str, live: PrometheusExporter | None = None) -> JobEnvironment:
    """What a process that works for ever needs, as configured."""

    def engine(order: JobSpec) -> Engine:
        wanted = settings if order.may_write else wiring.with_only(settings, order.connection)
        puller = wiring.build_puller(
            wanted,
            os.environ,
            create=False,
            progress=order.progress,
            sleep=order.sleep,
            offline=order.share is None,
        )
        return engine_factory.build_engine(wanted, puller, run_id=order.run_id, share=order.share)

    def tidy() -> None:
        with Store.open(url, create=False, clock=wiring.clock) as store:
            after_run.prune_store(store, settings)

    def after(engine: Engine, ended: RoundResult) -> bool:
        return after_run.finish_round(engine, settings, ended)

    def told(engine: Engine, result: Result, started: datetime) -> None:
        for reason in result.refused:
            structlog.get_logger("milesync").warning("refused", error=reason)
        code = exit_code(REFUSED if result.refused else 0, PARTLY if engine.failures else 0)
        figures = after_run.log_summary(engine, result, started, code)
        if live is not None:
            live.write_back(figures)

    return JobEnvironment(
        instance=settings.instance,
        connections={name: connection.projects for name, connection in settings.connections.items()},
        make_engine=engine,
        clock=wiring.clock,
        on_result=told,
        after_round=after if after_run.needs_after_round(settings) else None,
        prune=tidy,
        on_step_end=live.step if live is not None else lambda *_: None,
    )
