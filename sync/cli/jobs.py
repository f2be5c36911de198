"""Jobs of the long-running processes, `milesync worker` and `milesync serve`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from config.errors import ConfigurationError
from config.settings import Settings
from sync.cli import after_run, engine_factory, wiring
from sync.cli.options import ERROR, PARTLY, REFUSED, exit_code, exit_with, print_error
from sync.engine.engine import Engine
from sync.engine.result import Result, RoundResult
from sync.installation import missing_extra
from sync.store.store import Store
from sync.telemetry.log import events
from sync.worker.job import JobEnvironment, JobSpec

if TYPE_CHECKING:
    from sync.worker.prometheus import PrometheusExporter

__all__ = ["job_environment", "listening", "prometheus_exporter"]


@contextmanager
def listening(key: str, address: str) -> Iterator[None]:
    """Name the setting and the address when it cannot be listened on."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError([f"{key}: cannot listen at {address}: {error.strerror or error}"]) from None


def prometheus_exporter(settings: Settings) -> PrometheusExporter | None:
    """Build the exporter for Prometheus; None if the extra is missing.

    Exits with an error if the extra is missing and `metrics.listen` is set.
    """
    try:
        from sync.worker.prometheus import PrometheusExporter
    except ImportError:
        if settings.metrics.listen:
            print_error(missing_extra("metrics.listen", "metrics"))
            exit_with(ERROR)
        return None
    return PrometheusExporter(installation=settings.instance, version=version("milesync"))


def job_environment(settings: Settings, url: str, exporter: PrometheusExporter | None = None) -> JobEnvironment:
    """Build the environment of the jobs of a long-running process from the settings."""

    def engine(order: JobSpec) -> Engine:
        order_settings = settings if order.may_write else wiring.with_only(settings, order.connection)
        puller = wiring.build_puller(
            order_settings,
            os.environ,
            create=False,
            progress=order.progress,
            sleep=order.sleep,
            offline=order.share is None,
        )
        return engine_factory.build_engine(order_settings, puller, run_id=order.run_id, share=order.share)

    def prune() -> None:
        with Store.open(url, create=False, clock=wiring.clock) as store:
            after_run.prune_store(store, settings)

    def finish_round(engine: Engine, result: RoundResult) -> bool:
        return after_run.finish_round(engine, settings, result)

    def report_writes(engine: Engine, result: Result, started: datetime) -> None:
        for reason in result.refused:
            events.warning("refused", error=reason)
        code = exit_code(REFUSED if result.refused else 0, PARTLY if engine.failures else 0)
        figures = after_run.log_summary(engine, result, started, code)
        if exporter is not None:
            exporter.write_back(figures)

    return JobEnvironment(
        instance=settings.instance,
        connections={name: connection.projects for name, connection in settings.connections.items()},
        make_engine=engine,
        clock=wiring.clock,
        on_result=report_writes,
        after_round=finish_round if after_run.needs_after_round(settings) else None,
        prune=prune,
        on_step_end=exporter.step if exporter is not None else lambda *_: None,
    )
