"""HTTP layer common to all trackers of the sandbox: token check, faults, latency, request log."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable
from email.utils import format_datetime
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.sandbox.stale_lists import Lag
from connectors.sandbox.versions import absent
from connectors.sandbox.world import Tracker
from connectors.sandbox.world_data import Answer, Fault

__all__ = ["Wire", "wired"]

_PAGE_SIZE = re.compile(rb"""(per_page=|maxResults=|"maxResults": ?|"first": ?|first: )([0-9]+)""")


class Wire:
    """ASGI middleware of one tracker: logs each request, applies latency and faults, checks the token.

    ``authorised`` returns True for a request with good credentials; ``refuse`` makes the tracker's own 401.
    """

    def __init__(
        self,
        app: ASGIApp,
        tracker: Tracker,
        authorised: Callable[[Request], bool],
        refuse: Callable[[Request], Response],
    ) -> None:
        self.app, self.tracker, self.authorised, self.refuse = app, tracker, authorised, refuse
        self.lag = Lag(tracker)
        self.gathered = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        query = scope["query_string"].decode("latin-1")
        path = scope["path"] + (f"?{query}" if query else "")
        method = scope["method"]

        async def logged(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = self._dated(message.get("headers", []))
                self.tracker.log.append((method, scope.get("milesync.path", path), message["status"]))
            await send(message)

        if any(fault.kind == "stale" for fault in self.tracker.faults):
            self.lag.note()
        if self.tracker.latency:
            await asyncio.sleep(self.tracker.latency)
        fault = self.tracker.fault(method, path)
        if fault is not None and fault.kind == "refuse":
            self.tracker.log.append((method, path, 0))
            send.__self__.transport.abort()  # type: ignore[attr-defined]  # a uvicorn attribute; ASGI has none
            return
        if fault is not None:
            await self._fail(fault, scope, receive, logged)
            return
        request = Request(scope, receive)
        if not self.authorised(request):
            await self.refuse(request)(scope, receive, logged)
            return
        if absent(self.tracker, scope["path"]):
            await Response('{"message": "404 Not Found"}', 404, media_type="application/json")(scope, receive, logged)
            return
        if self.tracker.page_limit is not None:
            scope, receive = await _with_smaller_pages(scope, receive, self.tracker.page_limit)
        await self.app(scope, receive, logged if self.tracker.alter is None else self._altered(method, path, logged))

    def _altered(self, method: str, path: str, send: Send) -> Send:
        """Collect an answer and send it as `Tracker.alter` changes it."""
        start: Message = {}
        body = b""

        async def collected(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
                return
            body += message.get("body", b"")
            if message.get("more_body"):
                return
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
            answer = Answer(start["status"], headers, body)
            answer = self.tracker.alter(method, path, answer) if self.tracker.alter else answer
            answer.headers["content-length"] = str(len(answer.body))
            raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
            await send({**start, "status": answer.status, "headers": raw})
            await send({"type": "http.response.body", "body": answer.body})

        return collected

    def _dated(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Return headers with the date of the world's clock, unless they have one."""
        present = list(headers)
        if any(name.lower() == b"date" for name, _ in present):
            return present
        return [*present, (b"date", format_datetime(self.tracker.world.clock(), usegmt=True).encode())]

    async def _fail(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a fault. A dropped connection announces a length that is never sent."""
        if fault.kind == "stale":
            await self._lagging(scope, receive, send)
            return
        if fault.kind in ("drop", "late"):
            await self.app(scope, receive, _swallow)
        if fault.kind in ("drop", "reset", "truncate"):
            await send(
                {
                    "type": "http.response.start",
                    "status": 200,
                    "headers": [(b"content-type", b"application/json"), (b"content-length", b"1000")],
                }
            )
            await send({"type": "http.response.body", "body": b'{"cut', "more_body": True})
            raise ConnectionResetError
        if fault.kind == "endless":
            await _endless(receive, send)
            return
        if fault.kind == "gather":
            gathered = self.gathered
            if fault.times == 0:
                self.gathered = asyncio.Event()
                gathered.set()
            await gathered.wait()
            await self.app(scope, receive, send)
            return
        if fault.kind == "slow":
            await asyncio.sleep(float(fault.headers.get("seconds", "5")))
            await self.app(scope, receive, send)
            return
        bodies = {
            "html": "<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>",
            "garbage": '{"unexpected": [1, 2',
            "empty": "[]",
        }
        status = fault.status if fault.kind in ("status", "late") else 200
        kind = "text/html" if fault.kind == "html" else "application/json"
        body = fault.body or bodies.get(fault.kind, '{"message": "fault"}')
        await Response(body, status, media_type=kind, headers=fault.headers)(scope, receive, send)

    async def _lagging(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a read from the state of some seconds ago; execute a write normally."""
        body = await Request(scope, receive).body()

        again = _replayed(body)
        if not self.tracker.reads(scope["method"], scope["path"]) or b"mutation" in body:
            await self.app(scope, again, send)
            return
        numbers = [value for key, value in parse_qsl(scope["query_string"].decode("latin-1")) if key.startswith("iids")]
        asked = " ".join([scope["path"], *numbers, body.decode("utf-8", "replace")])
        with self.lag.shown(asked):
            await self.app(scope, again, send)


def _replayed(body: bytes) -> Receive:
    """Return the channel of a request with this body."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _with_smaller_pages(scope: Scope, receive: Receive, most: int) -> tuple[Scope, Receive]:
    """Return the request with each page size in its query, JSON or GraphQL document limited to ``most`` rows."""

    def smaller(match: re.Match[bytes]) -> bytes:
        return match[1] + str(min(most, int(match[2]))).encode()

    body = await Request(scope, receive).body()
    limited = {**scope, "query_string": _PAGE_SIZE.sub(smaller, scope["query_string"])}
    return limited, _replayed(_PAGE_SIZE.sub(smaller, body))


async def _endless(receive: Receive, send: Send) -> None:
    """Send blanks until the client closes the connection."""

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    left = asyncio.ensure_future(gone())
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    while not left.done():
        await send({"type": "http.response.body", "body": b" " * 65536, "more_body": True})
        await asyncio.sleep(0)


async def _swallow(message: Message) -> None:
    """Discard an answer."""


def wired(
    app: ASGIApp,
    tracker: Tracker,
    authorised: Callable[[Request], bool],
    refuse: Callable[[Request], Response],
) -> ASGIApp:
    """Wrap an application in the HTTP layer."""
    return Wire(app, tracker, authorised, refuse)
