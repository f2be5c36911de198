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

import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from sync.store.database import StoreError
from sync.tracker.webhook import ForgedError, WebhookEvent

__all__ = ["WebhookApp", "WebhookEndpoint", "matching_projects"]

log = structlog.get_logger("milesync")

LARGEST = 2 << 20
"""Maximum size of a body in bytes; trackers send far smaller ones."""
PATIENCE = 10.0
"""Maximum time in seconds for a body to arrive."""
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


class _RefusedError(Exception):
    """A refused request, with the HTTP status that its sender gets."""

    def __init__(self, status: int, why: str) -> None:
        self.status, self.why = status, why
        super().__init__(why)


class WebhookApp:
    """The web application.

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
        self._endpoints, self._mark = endpoints, mark
        self._is_healthy, self._clock, self._metrics = is_healthy, clock, metrics
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._last_logged: datetime | None = None
        self.counts: Counter[str] = Counter()
        routes = [
            Route("/hooks/{connection}", self._hook, methods=["POST"]),
            Route("/health", self._health, methods=["GET"]),
        ]
        if metrics is not None:
            routes.append(Route("/metrics", self._show_metrics, methods=["GET"]))
        self.app = Starlette(routes=routes)

    async def _hook(self, request: Request) -> Response:
        try:
            outcome = await self._accept(request)
        except _RefusedError as refusal:
            self._count_refusal(refusal.why)
            return Response(status_code=refusal.status)
        self.counts[outcome] += 1
        return Response(status_code=202)

    async def _accept(self, request: Request) -> str:
        """Mark the projects of a request; return ``marked``, or the reason why it changes nothing."""
        name = request.path_params["connection"]
        endpoint = self._endpoints.get(name)
        if endpoint is None:
            raise _RefusedError(404, "unknown")
        body = await _body(request)
        try:
            event = endpoint.read(request.headers, body, endpoint.secret)
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

    def _count_refusal(self, why: str) -> None:
        """Count a refused request, and log at intervals: a flood of requests must not fill the disk."""
        self.counts[why] += 1
        now = self._clock()
        if self._last_logged is None or now - self._last_logged >= LOG_INTERVAL:
            self._last_logged = now
            log.warning("webhook refused", why=why, so_far=dict(self.counts))

    async def _health(self, _request: Request) -> Response:
        is_healthy = await asyncio.to_thread(self._is_healthy)
        return Response(
            b"ok\n" if is_healthy else b"no database\n", 200 if is_healthy else 503, media_type="text/plain"
        )

    async def _show_metrics(self, _request: Request) -> Response:
        assert self._metrics is not None
        content, kind = self._metrics()
        return Response(content, headers={"content-type": kind})


async def _body(request: Request) -> bytes:
    """Return the body. Raises `_RefusedError` when it is too large, too slow or incomplete."""
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length[:12]) > LARGEST:
        raise _RefusedError(413, "too large")
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST:
                    raise _RefusedError(413, "too large")
    except TimeoutError:
        raise _RefusedError(408, "too slow") from None
    except ClientDisconnect:
        raise _RefusedError(400, "broken off") from None
    return bytes(body)
