"""Receive webhooks: mark the configured projects that a signed request names as changed.

Nothing else of a request is used. A request that is too large or for an unknown connection is refused before its body
is read; a request with a wrong signature is refused before anything is stored. Only the configured name of a project
is stored; a refresh then asks the tracker. A stolen secret can therefore only cause a few more reads.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from tornado.routing import Rule, URLSpec
from tornado.web import HTTPError, stream_request_body

from sync.store.database import StoreError
from sync.telemetry.log import events as log
from sync.tracker.webhook import ForgedError, WebhookEvent
from sync.worker.listener import MetricsHandler, PlainHandler, QuietApplication

__all__ = ["MAX_BODY", "WebhookApp", "WebhookEndpoint", "matching_projects"]

MAX_BODY = 2 << 20
"""Maximum size of a body in bytes; trackers send far smaller ones."""
MAX_RECEIVED = 32 << 20
"""Size in bytes of all bodies that are being received, from which on only small ones are accepted."""
SMALL_BODY = 64 << 10
"""Size in bytes up to which a body is accepted under any load; most webhooks are smaller."""
REMEMBERED = 10_000
"""Number of requests that are kept to ignore duplicates."""
LOG_INTERVAL = timedelta(minutes=1)
"""Minimum time between two log lines about refused requests."""


@dataclass(frozen=True)
class WebhookEndpoint:
    """A connection that takes webhooks: how its connector reads a request, the secret, the configured projects."""

    read: Callable[[Mapping[str, str], bytes, str], WebhookEvent]
    secret: str = field(repr=False)
    projects: Sequence[str] = ()


def matching_projects(projects: Sequence[str], named: str) -> tuple[str, ...]:
    """Return the configured projects that are, contain or belong to the named project or group; all if it is empty."""
    if not named:
        return tuple(projects)
    name = named.casefold()

    def matches(project: str) -> bool:
        pattern = project.casefold()
        return fnmatchcase(name, pattern) or name.startswith(f"{pattern}/") or pattern.startswith(f"{name}/")

    return tuple(project for project in projects if matches(project))


class _RefusedError(HTTPError):
    """A refused request, with the HTTP status that its sender gets."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(status)
        self.why = why


class WebhookApp:
    """The web applications: ``hooks`` for the trackers, ``health`` for those who operate the service.

    ``mark`` stores the projects of a connection that may have changed, and may block. ``is_healthy`` returns whether
    the store answers. ``clock`` gives the time in UTC. ``counts`` has the number of requests by outcome.
    """

    def __init__(
        self,
        endpoints: Mapping[str, WebhookEndpoint],
        mark: Callable[[str, Collection[str]], None],
        *,
        is_healthy: Callable[[], bool],
        clock: Callable[[], datetime],
        metrics: Callable[[], tuple[bytes, str]] | None = None,
    ) -> None:
        self._endpoints, self._mark, self._clock = endpoints, mark, clock
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._last_logged: datetime | None = None
        self.counts: Counter[str] = Counter()
        self.received = 0
        """Size in bytes of all bodies that are being received."""
        arguments = {"app": self}
        self.hooks = QuietApplication(
            [(r"/hooks/([^/]+)", _HookHandler, arguments)],
            default_handler_class=_HookHandler,
            default_handler_args=arguments,
        )
        routes: list[Rule] = [URLSpec(r"/health", _HealthHandler, {"is_healthy": is_healthy})]
        if metrics is not None:
            routes.append(URLSpec(r"/metrics", MetricsHandler, {"metrics": metrics}))
        self.health = QuietApplication(routes)

    def endpoint(self, name: str) -> WebhookEndpoint:
        """Return the endpoint of a connection. Raises `_RefusedError` for an unknown one."""
        if name not in self._endpoints:
            raise _RefusedError(404, "unknown")
        return self._endpoints[name]

    async def accept(self, name: str, headers: Mapping[str, str], body: bytes) -> str:
        """Mark the projects of a request; return ``marked``, or the reason why it changes nothing.

        Names of headers are in lower case. Raises `_RefusedError`.
        """
        endpoint = self.endpoint(name)
        try:
            event = endpoint.read(headers, body, endpoint.secret)
        except ForgedError:
            raise _RefusedError(401, "forged") from None
        if not event.matters:
            return "ignored"
        projects = matching_projects(endpoint.projects, event.project)
        if not projects:
            return "elsewhere"
        # Duplicates are found by the body: the id in a header is not signed.
        digest = hashlib.sha256(name.encode() + b"\0" + body).digest()
        if digest in self._seen:
            return "repeated"
        try:
            await asyncio.to_thread(self._mark, name, projects)
        except StoreError as error:
            reason = "webhook not stored: the database is not available; the next pull reads the change"
            log.warning(reason, connection=name, error=str(error))
            raise _RefusedError(503, "no database") from None
        self._seen[digest] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return "marked"

    def count_refusal(self, why: str) -> None:
        """Count a refused request, and log at intervals: a flood of requests must not fill the disk."""
        self.counts[why] += 1
        now = self._clock()
        if self._last_logged is None or now - self._last_logged >= LOG_INTERVAL:
            self._last_logged = now
            log.warning("webhook refused", why=why, so_far=dict(self.counts))


@stream_request_body
class _HookHandler(PlainHandler):
    """Receive the body of a webhook piece by piece, as long as it and all bodies together are not too large."""

    def initialize(self, app: WebhookApp) -> None:
        self._app = app
        self._body = bytearray()

    def prepare(self) -> None:
        """Refuse a request by its head, before its body is read."""
        self._app.endpoint(self.path_args[0] if self.path_args else "")
        length = self.request.headers.get("Content-Length", "0")
        if length.isdigit() and int(length[:12]) > MAX_BODY:
            raise _RefusedError(413, "too large")

    def data_received(self, chunk: bytes) -> None:
        self._body += chunk
        self._app.received += len(chunk)
        if self._app.received > MAX_RECEIVED and len(self._body) > SMALL_BODY:
            self._app.count_refusal("too many")
            self.send_error(503)

    async def post(self, name: str) -> None:
        headers = {name.lower(): value for name, value in self.request.headers.items()}
        outcome = await self._app.accept(name, headers, bytes(self._body))
        self._app.counts[outcome] += 1
        self.set_status(202)

    def log_exception(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, _RefusedError):
            self._app.count_refusal(error.why)
        else:
            super().log_exception(kind, error, trace)

    def on_finish(self) -> None:
        self._release()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._release()

    def _release(self) -> None:
        self._app.received -= len(self._body)
        self._body = bytearray()


class _HealthHandler(PlainHandler):
    def initialize(self, is_healthy: Callable[[], bool]) -> None:
        self._is_healthy = is_healthy

    async def get(self) -> None:
        is_healthy = await asyncio.to_thread(self._is_healthy)
        self.set_status(200 if is_healthy else 503)
        self.write("ok\n" if is_healthy else "no database\n")
