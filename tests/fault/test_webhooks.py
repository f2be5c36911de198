"""Forged, repeated, oversize and endless requests at the door: nothing is marked, and memory stays as it is."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import tracemalloc
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from connectors.github.webhook import parse_event
from sync.store.database import UnusableDatabase
from sync.worker import webhooks as serve
from sync.worker.webhooks import LARGEST, WebhookApp, WebhookEndpoint

PROOF = bool(os.environ.get("MILESYNC_PROOF"))
MANY = 100_000 if PROOF else 2_000
SECRET = "a secret of the tests"
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


class Knocker:
    """A door, what it marked, and a way to knock at it without a network."""

    def __init__(self, mark: Callable[[str, Collection[str]], None] | None = None) -> None:
        self.marked: list[tuple[str, tuple[str, ...]]] = []
        listening = {"gh": WebhookEndpoint(parse_event, SECRET, ("acme/app", "acme/web"))}
        self.door = WebhookApp(listening, mark or self._mark, is_healthy=lambda: True, clock=lambda: NOW)

    def _mark(self, connection: str, projects: Collection[str]) -> None:
        self.marked.append((connection, tuple(projects)))

    async def knock(
        self, body: bytes | Iterator[bytes] = b"", path: str = "/hooks/gh", method: str = "POST", **headers: str
    ) -> int:
        status = 0
        parts = iter([body]) if isinstance(body, bytes) else body

        async def receive() -> dict[str, Any]:
            part = next(parts, None)
            return {"type": "http.request", "body": part or b"", "more_body": part is not None}

        async def send(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)

        named = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
        scope = {
            "type": "http", "http_version": "1.1", "method": method, "path": path, "raw_path": path.encode(),
            "query_string": b"", "headers": named, "scheme": "http", "server": ("127.0.0.1", 80), "root_path": "",
        }  # fmt: skip
        app: Callable[..., Awaitable[None]] = self.door.app
        await app(scope, receive, send)
        return status

    async def signed(self, document: Any, event: str = "issues", **headers: str) -> int:
        body = json.dumps(document).encode()
        signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        return await self.knock(body, x_hub_signature_256=signature, x_github_event=event, **headers)


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


def test_an_endless_body_is_cut_off() -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1 << 16
            yield b"x" * (1 << 16)

    knocker = Knocker()
    assert asyncio.run(knocker.knock(endless(), x_hub_signature_256="sha256=0")) == 413
    assert taken <= LARGEST + (1 << 17)


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "PATIENCE", 0.0)
    knocker = Knocker()

    async def drip() -> int:
        app: Any = knocker.door.app
        status = []

        async def receive() -> dict[str, Any]:
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Any) -> None:
            status.append(message.get("status"))

        scope = {"type": "http", "method": "POST", "path": "/hooks/gh", "headers": [], "query_string": b""}
        await app(scope, receive, send)
        return int(status[0])

    assert asyncio.run(drip()) == 408


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
            return knocker.knock(body, x_hub_signature_256=right, content_length=str(LARGEST + 1)), 413
        case 4:
            return knocker.knock(body, x_hub_signature_256=right, content_length="-1"), 413
        case 5:
            return knocker.knock(body, path=f"/hooks/{random.randrange(10**9)}", x_hub_signature_256=right), 404
        case 6:
            return knocker.knock(body, method="GET", x_hub_signature_256=right), 405
        case _:
            return knocker.knock(random.randbytes(2_000), x_hub_signature_256=right[: random.randrange(71)]), 401


def test_a_flood_of_bad_requests_marks_nothing_and_takes_no_memory() -> None:
    random, knocker = Random(1), Knocker()
    body = json.dumps(issue()).encode()
    right = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    got: Counter[bool] = Counter()

    async def flood(number: int) -> None:
        for _ in range(number):
            request, wanted = bad_request(random, knocker, right, body)
            got[await request == wanted] += 1

    asyncio.run(flood(500))
    tracemalloc.start()
    try:
        asyncio.run(flood(200))
        before, _ = tracemalloc.get_traced_memory()
        asyncio.run(flood(MANY))
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
