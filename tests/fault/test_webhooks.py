"""Forged, repeated, oversize and endless requests at the door: nothing is marked, and memory stays as it is."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import hmac
import json
import os
import socket
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property
from random import Random
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream

from connectors.github.webhook import parse_event
from sync.store.database import UnusableDatabase
from sync.worker import listener
from sync.worker import webhooks as serve
from sync.worker.listener import bounded_server
from sync.worker.webhooks import MAX_BODY, WebhookApp, WebhookEndpoint

PROOF = bool(os.environ.get("MILESYNC_PROOF"))
MANY = 20_000 if PROOF else 1_000
SECRET = "a secret of the tests"
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


class Knocker:
    """A door, what it marked, and a way to knock at it through a pair of sockets."""

    def __init__(self, mark: Callable[[str, Collection[str]], None] | None = None) -> None:
        self.marked: list[tuple[str, tuple[str, ...]]] = []
        listening = {"gh": WebhookEndpoint(parse_event, SECRET, ("acme/app", "acme/web"))}
        self.door = WebhookApp(listening, mark or self._mark, is_healthy=lambda: True, clock=lambda: NOW)

    @cached_property
    def server(self) -> HTTPServer:
        return bounded_server(self.door.hooks, max_body=MAX_BODY)

    def _mark(self, connection: str, projects: Collection[str]) -> None:
        self.marked.append((connection, tuple(projects)))

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A new connection to the door."""
        near, far = socket.socketpair()
        far.setblocking(False)
        stream = IOStream(far, read_chunk_size=self.server.read_chunk_size)
        self.server.handle_stream(stream, ("127.0.0.1", 0))
        reader, writer = await asyncio.open_connection(sock=near)
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            stream.close()

    async def knock(self, body: bytes = b"", path: str = "/hooks/gh", method: str = "POST", **headers: str) -> int:
        """Send a request; return the status of its answer."""
        async with self.connection() as (reader, writer):
            writer.write(head(path, method, **{"content_length": str(len(body)), **headers}) + body)
            return await answer(reader)

    async def signed(self, document: Any, event: str = "issues", **headers: str) -> int:
        body = json.dumps(document).encode()
        return await self.knock(body, x_hub_signature_256=signature(body), x_github_event=event, **headers)


def signature(body: bytes) -> str:
    return "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def head(path: str = "/hooks/gh", method: str = "POST", **headers: str) -> bytes:
    """A request line with headers."""
    lines = [f"{method} {path} HTTP/1.1", "Host: door", *(f"{n.replace('_', '-')}: {v}" for n, v in headers.items())]
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1")


async def answer(reader: asyncio.StreamReader) -> int:
    """The status of an answer; 0 if the connection was closed without one."""
    try:
        first = await reader.readline()
    except ConnectionError:
        return 0
    return int(first.split()[1]) if first else 0


def issue(n: int = 1, project: str = "acme/app") -> dict[str, Any]:
    return {"issue": {"number": n}, "repository": {"full_name": project}}


def test_a_signed_request_marks_its_project_and_nothing_else() -> None:
    async def knocks() -> list[int]:
        row = {**issue(), "projects": ["acme/web"], "changes": {"repository": "acme/web"}}
        return [await knocker.signed(row), await knocker.signed(issue(2, "somebody/else"))]

    knocker = Knocker()
    assert asyncio.run(knocks()) == [202, 202]
    assert knocker.marked == [("gh", ("acme/app",))]


def test_a_replayed_request_marks_nothing_under_any_id() -> None:
    async def knocks() -> None:
        for n in range(50):
            assert await knocker.signed(issue(), x_github_delivery=str(n)) == 202

    knocker = Knocker()
    asyncio.run(knocks())
    assert len(knocker.marked) == 1
    assert knocker.door.counts == {"marked": 1, "repeated": 49}


def test_a_webhook_that_cannot_be_stored_is_refused_and_accepted_the_next_time() -> None:
    broken = [True]

    def mark(_connection: str, _projects: Collection[str]) -> None:
        if broken:
            broken.pop()
            raise UnusableDatabase("postgresql://", "gone")

    async def knocks() -> list[int]:
        return [await knocker.signed(issue()), await knocker.signed(issue())]

    knocker = Knocker(mark)
    assert asyncio.run(knocks()) == [503, 202]


def test_events_that_change_no_milestone_mark_nothing() -> None:
    async def knocks() -> None:
        for event in ("push", "ping", "star", "workflow_run"):
            assert await knocker.signed(issue(), event) == 202

    knocker = Knocker()
    asyncio.run(knocks())
    assert knocker.marked == []


async def pour(writer: asyncio.StreamWriter, piece: bytes) -> int:
    """Write the piece again and again until the other side closes the connection; how many bytes were written."""
    poured = 0
    with suppress(ConnectionError):
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
            poured += len(piece)
    return poured


def test_an_endless_body_is_cut_off() -> None:
    async def knock() -> None:
        chunk = b"10000\r\n" + b"x" * (1 << 16) + b"\r\n"
        async with knocker.connection() as (_, writer):
            writer.write(head(transfer_encoding="chunked"))
            assert await pour(writer, chunk) < MAX_BODY + (1 << 20), "the buffers of a socket and no more"

    knocker = Knocker()
    asyncio.run(knock())
    assert knocker.door.received == 0


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"", b""),
        (b"POST /hooks/gh", b""),
        (b"POST /hooks/gh HTTP/1.1\r\nHost: door\r\nX: ", b"x"),
        (head(content_length="1000"), b""),
        (head(content_length="1000000"), b"x"),
        (head(transfer_encoding="chunked"), b"1\r\nx\r\n"),
    ],
    ids=["nothing", "line", "slow head", "no body", "slow body", "slow chunks"],
)
def test_a_request_that_does_not_come_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, begin: bytes, piece: bytes
) -> None:
    monkeypatch.setattr(listener, "PATIENCE", 0.01)

    async def knock() -> None:
        async with knocker.connection() as (reader, writer):
            writer.write(begin)
            if piece:
                await pour(writer, piece)
            assert await answer(reader) == 0

    knocker = Knocker()
    asyncio.run(knock())
    assert knocker.door.received == 0


@pytest.mark.parametrize("piece", [b"x" * 8_000, b"x: " + b"x" * 8_000 + b"\r\n"], ids=["line", "lines"])
def test_endless_headers_are_cut_off(piece: bytes) -> None:
    async def knock() -> None:
        async with knocker.connection() as (_, writer):
            writer.write(b"POST /hooks/gh HTTP/1.1\r\nHost: door\r\nX: ")
            assert await pour(writer, piece) < 1 << 20, "the buffers of a socket and no more"

    knocker = Knocker()
    asyncio.run(knock())
    assert knocker.door.counts == {}


def test_slow_connections_keep_no_new_request_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "MAX_CONNECTIONS", 20)

    async def knocks() -> None:
        async with AsyncExitStack() as slow:
            readers = [(await slow.enter_async_context(knocker.connection()))[0] for _ in range(200)]
            assert await knocker.signed(issue()) == 202
            assert [await answer(reader) for reader in readers[:181]] == [0] * 181
            assert not any(reader.at_eof() for reader in readers[181:])

    knocker = Knocker()
    asyncio.run(knocks())
    assert len(knocker.marked) == 1


def test_large_bodies_keep_no_small_one_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "MAX_RECEIVED", 0)

    async def knocks() -> list[int]:
        return [await knocker.knock(b"x" * (serve.SMALL_BODY + 1)), await knocker.signed(issue())]

    knocker = Knocker()
    assert asyncio.run(knocks()) == [503, 202]
    assert knocker.door.counts == {"too many": 1, "marked": 1}
    assert knocker.door.received == 0


def bad_request(random: Random, knocker: Knocker, right: str, body: bytes) -> tuple[Awaitable[int], int]:
    """One of the ways to be refused, with the status that says so."""
    kind = random.randrange(8)
    forged = "sha256=" + random.randbytes(32).hex()
    match kind:
        case 0:
            return knocker.knock(body, x_hub_signature_256=forged), 401
        case 1:
            return knocker.knock(body, x_github_event="issues"), 401
        case 2:
            return knocker.knock(body + b" ", x_hub_signature_256=right), 401
        case 3:
            return knocker.knock(body, x_hub_signature_256=right, content_length=str(MAX_BODY + 1)), 413
        case 4:
            return knocker.knock(body, x_hub_signature_256=right, content_length="-1"), 400
        case 5:
            return knocker.knock(body, path=f"/hooks/{random.randrange(10**9)}", x_hub_signature_256=right), 404
        case 6:
            return knocker.knock(body, method="GET", x_hub_signature_256=right), 405
        case _:
            return knocker.knock(random.randbytes(2_000), x_hub_signature_256=right[: random.randrange(71)]), 401


def test_a_flood_of_bad_requests_marks_nothing_and_takes_no_memory() -> None:
    random, knocker = Random(1), Knocker()
    body = json.dumps(issue()).encode()
    right = signature(body)
    got: Counter[bool] = Counter()

    async def flood(number: int) -> None:
        for _ in range(number):
            request, wanted = bad_request(random, knocker, right, body)
            got[await request == wanted] += 1

    asyncio.run(flood(500))
    tracemalloc.start()
    try:
        asyncio.run(flood(200))
        gc.collect()  # cycles wait for the collector, and are no memory that stays
        before, _ = tracemalloc.get_traced_memory()
        asyncio.run(flood(MANY))
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert got == {True: MANY + 700}
    assert knocker.marked == []
    assert after - before < 200_000, "bytes"


def test_a_flood_of_good_requests_is_remembered_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "REMEMBERED", 100)

    async def flood() -> None:
        for n in range(300):
            await knocker.signed(issue(n))

    knocker = Knocker()
    asyncio.run(flood())
    assert len(knocker.door._seen) == 100
    assert set(knocker.marked) == {("gh", ("acme/app",))}
