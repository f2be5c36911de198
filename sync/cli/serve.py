"""`milesync serve`: take webhooks, so that a change is seen within a minute instead of within an hour."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from config.errors import ConfigurationError
from config.settings import Settings
from sync.cli import wiring
from sync.cli.options import (
    DEFAULT,
    ERROR,
    Config,
    FirstRun,
    Verbose,
    exit_with,
    load_settings,
    missing_extra,
    print_error,
)
from sync.cli.worker import job_environment, prometheus_exporter
from sync.store.store import Store, StoreError
from sync.telemetry import log
from sync.tracker.webhook import WebhookListener
from sync.worker.in_process import InProcessRefresher

if TYPE_CHECKING:
    from sync.worker.webhooks import WebhookEndpoint

__all__ = ["serve"]

AT_ONCE = 32
"""Requests under way; more are turned away, so that a flood takes no more memory than that."""


def serve(config: Config = DEFAULT, first_run: FirstRun = False, verbose: Verbose = False) -> None:
    """Take webhooks and have what they name read again: by the workers on PostgreSQL, else in this process."""
    settings = load_settings(config)
    log.configure(sys.stderr, verbose=verbose)
    try:
        import uvicorn

        from sync.worker.webhooks import WebhookApp
    except ImportError:
        print_error(missing_extra("milesync serve", "serve"))
        exit_with(ERROR)
    url = wiring.database_url(settings, os.environ)
    listening = _webhook_endpoints(settings, os.environ)
    with (
        Store.open(url, create=first_run, clock=wiring.clock) as store,
        _refresh_requests(settings, url, store) as ask,
    ):

        def mark(connection: str, projects: Collection[str]) -> None:
            store.mark_changed(connection, projects, wiring.clock())
            ask(connection)

        def healthy() -> bool:
            try:
                store.changed_projects()
            except StoreError:
                return False
            return True

        def figures() -> tuple[bytes, str]:
            assert live is not None
            live.hooks(door.counts)
            return live.text()

        live = prometheus_exporter(settings)
        metrics = figures if live is not None else None
        door = WebhookApp(listening, mark, is_healthy=healthy, clock=wiring.clock, metrics=metrics)
        host, _, port = settings.serve.listen.rpartition(":")
        for number in (signal.SIGTERM, signal.SIGINT):  # the server raises them again when it has ended well
            signal.signal(number, lambda *_: None)
        structlog.get_logger("milesync").info("listening", at=settings.serve.listen, connections=sorted(listening))
        uvicorn.run(
            door.app,
            host=host.strip("[]"),
            port=int(port),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            limit_concurrency=AT_ONCE,
            timeout_graceful_shutdown=10,
        )


def _webhook_endpoints(settings: Settings, environ: Mapping[str, str]) -> dict[str, WebhookEndpoint]:
    """The connections that have a secret for webhooks, each with its tracker's ear."""
    from sync.worker.webhooks import WebhookEndpoint

    secrets = settings.webhook_secrets(environ)
    if not secrets:
        raise ConfigurationError(["no connection has a webhook_secret, so there is nobody to listen to"])
    log.secrets.register(*(secret.get_secret_value() for secret in secrets.values()))
    found, errors = {}, []
    for source in wiring.build_connections(settings, environ):
        if source.name in secrets:
            if isinstance(source.connector, WebhookListener):
                secret = secrets[source.name].get_secret_value()
                found[source.name] = WebhookEndpoint(source.connector.heard, secret, source.projects)
            else:
                errors.append(f"connections.{source.name}: this type of tracker has no webhooks here")
    if errors:
        raise ConfigurationError(errors)
    return found


@contextmanager
def _refresh_requests(settings: Settings, url: str, store: Store) -> Iterator[Callable[[str], None]]:
    """What has a connection refreshed: the workers' queue, or a thread of this process that looks for itself."""
    if url.startswith("postgresql"):
        try:
            from sync.worker import queue
        except ImportError:
            print_error(missing_extra("milesync serve on PostgreSQL", "worker"))
            exit_with(ERROR)
        queue.install(url)
        with queue.app(url, threads=True).open() as made:
            yield lambda name: queue.refresh(made, settings.instance, name, after=settings.serve.settle)
        return
    here = InProcessRefresher(store, job_environment(settings, url), settle=timedelta(seconds=settings.serve.settle))
    thread = threading.Thread(target=here.run, name="refresh")
    thread.start()
    try:
        yield lambda _name: None
    finally:
        here.stop()
        thread.join()
