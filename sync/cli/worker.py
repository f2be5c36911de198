"""`milesync worker`: one of several processes that share the work."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from sync.cli.options import (
    DEFAULT,
    ERROR,
    PARTLY,
    REFUSED,
    Config,
    FirstRun,
    Verbose,
    exit_with,
    load_settings,
    print_error,
)

__all__ = ["worker"]

Once = Annotated[bool, typer.Option("--once", help="Do the jobs that are due, then end.")]


def worker(config: Config = DEFAULT, first_run: FirstRun = False, once: Once = False, verbose: Verbose = False) -> None:
    """Share the work with other processes, round after round, until a signal stops it. Needs PostgreSQL."""
    import asyncio

    from sync.telemetry import log

    log.configure(sys.stderr, verbose=verbose)
    settings = load_settings(config)
    try:
        from sync.worker.queue import app, install, libpq
        from sync.worker.tasks import WorkerOptions
        from sync.worker.worker import Worker
    except ImportError:
        from sync.installation import missing_extra

        print_error(missing_extra("milesync worker", "worker"))
        exit_with(ERROR)
    from sync.cli import wiring
    from sync.cli.jobs import job_environment, listening, prometheus_exporter
    from sync.store.store import Store

    url = wiring.database_url(settings, os.environ)
    libpq(url)  # raises for a database other than PostgreSQL
    Store.open(url, create=first_run, clock=wiring.clock).close()
    install(url)
    for connection in wiring.build_connections(settings, os.environ):  # raises now for a missing secret
        connection.connector.close()
    table = settings.worker
    exporter = prometheus_exporter(settings)
    process = Worker(
        app(url, patient=not once),
        job_environment(settings, url, exporter),
        WorkerOptions(schedule=table.schedule, batch=table.batch, concurrency=table.concurrency),
    )

    async def run() -> bool:
        if exporter is not None and settings.metrics.listen:
            with listening("metrics.listen", settings.metrics.listen):
                exporter.listen(settings.metrics.listen)
        return await process.run(once=once)

    with wiring.tracing_spans(settings):
        well = asyncio.run(run())
    missed = process.unfinished_outcomes if once else set()
    exit_with(
        0 if well else ERROR,
        REFUSED if "refused" in missed else 0,
        PARTLY if missed - {"refused"} else 0,
    )
