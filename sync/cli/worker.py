"""`milesync worker`: one of many processes that share the work."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import datetime
from typing import Annotated

import structlog
import typer

from config.settings import Settings, load
from sync import log
from sync.cli import compose, outside
from sync.cli.options import DEFAULT, ERROR, PARTLY, REFUSED, Config, FirstRun, Verbose, end, tell_error, worst
from sync.engine import Engine, Result
from sync.orders import Order, Work
from sync.store import Store

__all__ = ["work_of", "worker"]

Once = Annotated[bool, typer.Option("--once", help="Take what there is to do, then end.")]


def worker(config: Config = DEFAULT, first_run: FirstRun = False, once: Once = False, verbose: Verbose = False) -> None:
    """Share the work with other processes, round after round, until told to stop. Needs PostgreSQL."""
    settings = load(config, os.environ)
    log.configure(sys.stderr, verbose=verbose)
    try:
        from sync.queue import app, install, libpq
        from sync.worker import Worker
    except ImportError:
        tell_error("milesync worker needs an extra: pip install 'milesync[worker]'")
        end(ERROR)
    url = compose.database(settings, os.environ)
    libpq(url)  # refuses what is not PostgreSQL
    Store.open(url, create=first_run, clock=compose.clock).close()
    install(url)
    for source in compose.sources(settings, os.environ):  # a secret that is missing is told now
        source.connector.close()
    chosen = settings.worker
    process = Worker(
        app(url),
        work_of(settings, url),
        schedule=chosen.schedule,
        batch=chosen.batch,
        concurrency=chosen.concurrency,
    )
    end(0 if asyncio.run(process.run(once=once)) else ERROR)


def work_of(settings: Settings, url: str) -> Work:
    """What a process that works for ever needs, as configured."""

    def engine(order: Order) -> Engine:
        return compose.engine(
            settings if order.writes else compose.alone(settings, order.connection),
            os.environ,
            create=False,
            run_id=order.run_id,
            progress=order.progress,
            sleep=order.sleep,
            part=order.part,
        )

    def tidy() -> None:
        with Store.open(url, create=False, clock=compose.clock) as store:
            outside.tidied(store, settings)

    return Work(
        instance=settings.instance,
        connections={name: one.projects for name, one in settings.connections.items()},
        engine=engine,
        clock=compose.clock,
        told=_told,
        tidy=tidy,
    )


def _told(engine: Engine, result: Result, started: datetime) -> None:
    for reason in result.refused:
        structlog.get_logger("milesync").warning("refused", error=reason)
    code = worst(REFUSED if result.refused else 0, PARTLY if engine.failures else 0)
    outside.summed_up(engine, result, started, code)
