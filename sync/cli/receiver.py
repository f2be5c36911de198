"""The process of `milesync serve`: it listens for webhooks and requests the refresh of what they name."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from config.errors import ConfigurationError
from config.settings import Settings
from sync import signals
from sync.cli import wiring
from sync.cli.jobs import job_environment, listening, prometheus_exporter
from sync.cli.options import ERROR, exit_with, print_error, print_note
from sync.installation import missing_extra
from sync.store.database import StoreError
from sync.store.store import Store
from sync.telemetry.log import events
from sync.tracker.webhook import WebhookListener
from sync.worker.in_process import InProcessRefresher

if TYPE_CHECKING:
    from sync.worker.webhooks import WebhookEndpoint

__all__ = ["receive"]


def receive(settings: Settings, *, create: bool) -> None:
    """Accept webhooks until a signal stops the process. ``create`` allows a new database."""
    try:
        from sync.worker.listener import bounded_server, listen
        from sync.worker.webhooks import MAX_BODY, WebhookApp
    except ImportError:
        print_error(missing_extra("milesync serve", "serve"))
        exit_with(ERROR)
    url = wiring.database_url(settings, os.environ)
    endpoints = _webhook_endpoints(settings, os.environ)
    with (
        Store.open(url, create=create, clock=wiring.clock) as store,
        _refresh_requests(settings, url, store) as request_refresh,
    ):

        def mark(connection: str, projects: Collection[str]) -> None:
            store.mark_changed(connection, projects, wiring.clock())
            request_refresh(connection)

        def is_healthy() -> bool:
            try:
                store.changed_projects()
            except StoreError:
                return False
            return True

        def metrics() -> tuple[bytes, str]:
            assert exporter is not None
            exporter.hooks(app.counts)
            return exporter.text()

        exporter = prometheus_exporter(settings)
        app = WebhookApp(
            endpoints,
            mark,
            is_healthy=is_healthy,
            clock=wiring.clock,
            metrics=metrics if exporter is not None else None,
        )

        async def run() -> None:
            hooks, health = bounded_server(app.hooks, max_body=MAX_BODY), bounded_server(app.health)
            at = settings.serve
            with listening("serve.listen", at.listen):
                listen(at.listen, hooks)
            with listening("serve.health", at.health):
                listen(at.health, health)
            events.info("listening", at=at.listen, health=at.health, connections=sorted(endpoints))
            if sys.stderr.isatty():  # where only errors are logged
                print_note(f"Webhooks are accepted at {at.listen}, health is shown at {at.health}. Ctrl+C ends this.")
            await _stop_signal()
            hooks.stop()
            health.stop()

        asyncio.run(run())


async def _stop_signal() -> None:
    """Wait for a signal that ends the command."""
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    with signals.on_stop(lambda _: loop.call_soon_threadsafe(stopped.set), ends=True):
        await stopped.wait()


def _webhook_endpoints(settings: Settings, environ: Mapping[str, str]) -> dict[str, WebhookEndpoint]:
    """The endpoints of the connections that have a webhook secret. Raises `ConfigurationError` if there are none."""
    from sync.worker.webhooks import WebhookEndpoint

    secrets = settings.webhook_secrets(environ)
    if not secrets:
        raise ConfigurationError(["no connection has a webhook_secret; set connections.NAME.webhook_secret"])
    endpoints, errors = {}, []
    for connection in wiring.build_connections(settings, environ):
        if connection.name not in secrets:
            continue
        if isinstance(connection.connector, WebhookListener):
            secret = secrets[connection.name].get_secret_value()
            endpoints[connection.name] = WebhookEndpoint(connection.connector.read_webhook, secret, connection.projects)
        else:
            errors.append(
                f"connections.{connection.name}.webhook_secret: this type of tracker has no webhooks; delete the key"
            )
    if errors:
        raise ConfigurationError(errors)
    return endpoints


@contextmanager
def _refresh_requests(settings: Settings, url: str, store: Store) -> Iterator[Callable[[str], None]]:
    """Yield a function that requests the refresh of a connection.

    On PostgreSQL it adds a job to the workers' queue. On SQLite a thread of this process looks for marked projects.
    """
    if url.startswith("postgresql"):
        try:
            from sync.worker import queue
        except ImportError:
            print_error(missing_extra("milesync serve on PostgreSQL", "worker"))
            exit_with(ERROR)
        queue.install(url)
        with queue.app(url, threads=True).open() as app:
            yield lambda name: queue.refresh(app, settings.instance, name, after=settings.serve.settle)
        return
    settle = timedelta(seconds=settings.serve.settle)
    refresher = InProcessRefresher(store, job_environment(settings, url), settle=settle)
    thread = threading.Thread(target=refresher.run, name="refresh")
    thread.start()
    try:
        yield lambda _name: None
    finally:
        refresher.stop()
        thread.join()
