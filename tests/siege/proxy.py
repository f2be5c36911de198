"""A reverse proxy on loopback that damages the answers of one tracker, by a seeded plan."""

from __future__ import annotations

import http.client
import threading
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from tests.siege.mutations import Answer, Mutation

__all__ = ["Plan", "Proxy"]

_OWN = {"connection", "content-length", "transfer-encoding", "server"}
_REPEATABLE = {"GET", "HEAD", "PUT", "PATCH", "DELETE"}
"""Methods that a proxy may send twice (RFC 9110, 9.2.2)."""


class _Request(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        """The request without what differs from page to page and from run to run."""
        return f"{self.method} {self.path.partition('?')[0]} {zlib.crc32(self.body[:200])}"


@dataclass
class Plan:
    """Plan of the damage to the answers of a tracker.

    ``rate``: share of the answers that are damaged. ``lasting``: a request meets the same damage each time.
    ``doubled``: share of the repeatable requests that reach the tracker twice. ``late``: share of the writes that reach
    it only after the command has ended; their answer is an error of a gateway. Shares are from 0 to 1. ``counts`` has
    the damages by name. The draws depend on the seed and on the request, not on the order of threads.
    """

    seed: str = ""
    mutations: Sequence[Mutation] = ()
    rate: float = 0.0
    lasting: bool = False
    doubled: float = 0.0
    late: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    _seen: Counter[str] = field(default_factory=Counter)

    def draws(self, request: _Request) -> Random:
        """Return the randomness for a request."""
        self._seen[request.kind] += 1
        return Random(f"{self.seed} {request.kind} {0 if self.lasting else self._seen[request.kind]}")

    def damage(self, answer: Answer, request: _Request, random: Random) -> Answer:
        """Return the answer, perhaps damaged."""
        if not self.mutations or random.random() >= self.rate:
            return answer
        mutation = random.choice(self.mutations)
        self.counts[mutation.name] += 1
        headers = {**{name.lower(): value for name, value in request.headers.items()}, ":path": request.path}
        return mutation.apply(answer, headers, random)


class Proxy:
    """Proxy of ``target`` (a URL) on a free port; ``with Proxy(url) as proxy: proxy.plan = ...``."""

    def __init__(self, target: str) -> None:
        self.plan = Plan()
        self._target = urlsplit(target)
        self._lock = threading.Lock()
        self._late: list[_Request] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, at: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def send_late(self) -> None:
        """Send the requests that were kept back."""
        while self._late:
            self._ask(self._late.pop(0))

    def answer(self, request: _Request) -> Answer:
        """Return the target's answer to a request, damaged as the plan says."""
        plan = self.plan
        with self._lock:
            random = plan.draws(request)
            if request.method != "GET" and random.random() < plan.late:
                plan.counts["a request comes late"] += 1
                self._late.append(request)
                return Answer(504, {}, b"")
            is_doubled = request.method in _REPEATABLE and random.random() < plan.doubled
        answer = self._ask(request)
        if is_doubled:
            plan.counts["a request comes twice"] += 1
            answer = self._ask(request)
        return plan.damage(answer, request, random)

    def _ask(self, request: _Request) -> Answer:
        connection = http.client.HTTPConnection(self._target.hostname or "", self._target.port, timeout=60)
        try:
            # The tracker builds its own links from the name that the client used.
            dropped = {"accept-encoding", *_OWN}
            headers = {name: value for name, value in request.headers.items() if name.lower() not in dropped}
            connection.request(request.method, request.path, request.body, headers)
            answer = connection.getresponse()
            found = {name: value for name, value in answer.getheaders() if name.lower() not in _OWN}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:  # the client went away
                self.close_connection = True

        def _forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._send(proxy.answer(_Request(self.command, self.path, dict(self.headers.items()), body)))

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _forward  # noqa: N815 - names of the library

        def _send(self, answer: Answer) -> None:
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            length = len(answer.body) if answer.length is None else answer.length
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)
            if length != len(answer.body):
                self.close_connection = True

    return Handler
