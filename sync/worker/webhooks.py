"""The door for webhooks: who is known may say that a project may have changed. Nothing else of a request is believed.

A request is refused before its body is read when it is too large or for nobody, and before anything is stored when its
signature is not right. What is stored is the name of a project as it stands in the configuration; whoever looks after
it then asks the tracker. So the worst that a stolen secret can do is to have a project read a little more often.
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

from sync.store.store import StoreError
from sync.tracker.webhook import ForgedError, WebhookEvent

__all__ = ["WebhookApp", "WebhookEndpoint", "matching_projects"]

log = structlog.get_logger("milesync")

LARGEST = 2 << 20
"""Bytes of a body; what trackers send of an issue stays far below."""
PATIENCE = 10.0
"""Seconds that a body may take to arrive."""
REMEMBERED = 10_000
"""Requests that would be known again if they were sent a second time."""
QUIET = timedelta(minutes=1)
"""The least time between two lines in the log about refused requests."""


@dataclass(frozen=True)
class WebhookEndpoint:
    """One connection that takes webhooks: its connector's ear, the secret, the projects as configured."""

    hear: Callable[[Mapping[str, str], bytes, str], WebhookEvent]
    secret: str = field(repr=False)
    projects: Sequence[str] = ()


def matching_projects(projects: Sequence[str], named: str) -> tuple[str, ...]:
    """The configured projects that a project or group of this name is, belongs to, or holds; all for an empty name."""
    if not named:
        return tuple(projects)
    name = named.casefold()

    def meant(entry: str) -> bool:
        one = entry.casefold()
        return fnmatchcase(name, one) or name.startswith(f"{one}/") or one.startswith(f"{name}/")

    return tuple(entry for entry in projects if meant(entry))


class _RefusedError(Exception):
    """A request that gets no further, with the status that its sender sees."""

    def __init__(self, status: int, why: str) -> None:
        self.status, self.why = status, why
        super().__init__(why)


class WebhookApp:
    """The web application. ``mark`` stores which projects of a connection may have changed, and may block.

    ``healthy`` tells whether the store answers. ``counts`` says how many requests ended how.
    """

    def __init__(
        self,
        listening: Mapping[str, WebhookEndpoint],
        mark: Callable[[str, Collection[str]], None],
        *,
        healthy: Callable[[], bool],
        clock: Callable[[], datetime],
        metrics: Callable[[], tuple[bytes, str]] | None = None,
    ) -> None:
        self._listening, self._mark = listening, mark
        self._healthy, self._clock, self._metrics = healthy, clock, metrics
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._told: datetime | None = None
        self.counts: Counter[str] = Counter()
        routes = [
            Route("/hooks/{connection}", self._hook, methods=["POST"]),
            Route("/health", self._health, methods=["GET"]),
        ]
        if metrics is not None:
            routes.append(Route("/metrics", self._show, methods=["GET"]))
        self.app = Starlette(routes=routes)

    async def _hook(self, request: Request) -> Response:
        try:
            outcome = await self._heard(request)
        except _RefusedError as problem:
            self._refused(problem.why)
            return Response(status_code=problem.status)
        self.counts[outcome] += 1
        return Response(status_code=202)

    async def _heard(self, request: Request) -> str:
        """What became of a request: ``marked``, or why it changes nothing."""
        name = request.path_params["connection"]
        endpoint = self._listening.get(name)
        if endpoint is None:
            raise _RefusedError(404, "unknown")
        body = await _body(request)
        try:
            said = endpoint.hear(request.headers, body, endpoint.secret)
        except ForgedError:
            raise _RefusedError(401, "forged") from None
        if not said.matters:
            return "ignored"
        meant = matching_projects(endpoint.projects, said.project)
        if not meant:
            return "elsewhere"
        # By what was sent, not by the id in a header: that one is not signed.
        digest = hashlib.sha256(name.encode() + b"\0" + body).digest()
        if digest in self._seen:
            return "repeated"
        try:
            await asyncio.to_thread(self._mark, name, meant)
        except StoreError as problem:
            log.warning("no database", error=str(problem))
            raise _RefusedError(503, "no database") from None
        self._seen[digest] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return "marked"

    def _refused(self, why: str) -> None:
        """Count it; tell of it now and then, since whoever knocks must not fill a disk."""
        self.counts[why] += 1
        now = self._clock()
        if self._told is None or now - self._told >= QUIET:
            self._told = now
            log.warning("webhook refused", why=why, so_far=dict(self.counts))

    async def _health(self, _request: Request) -> Response:
        well = await asyncio.to_thread(self._healthy)
        return Response(b"ok\n" if well else b"no database\n", 200 if well else 503, media_type="text/plain")

    async def _show(self, _request: Request) -> Response:
        assert self._metrics is not None
        content, kind = self._metrics()
        return Response(content, headers={"content-type": kind})


async def _body(request: Request) -> bytes:
    """The whole body, unless it is too large, too slow, or breaks off."""
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length[:12]) > LARGEST:
        raise _RefusedError(413, "too large")
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for part in request.stream():
                body += part
                if len(body) > LARGEST:
                    raise _RefusedError(413, "too large")
    except TimeoutError:
        raise _RefusedError(408, "too slow") from None
    except ClientDisconnect:
        raise _RefusedError(400, "broken off") from None
    return bytes(body)
