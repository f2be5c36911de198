"""HTTP server for addresses that strangers can reach: each connection has a limit in time and in memory."""

from __future__ import annotations

import resource
from collections.abc import Callable
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream
from tornado.web import Application, RequestHandler

__all__ = ["MetricsHandler", "PlainHandler", "QuietApplication", "bounded_server", "listen"]

MAX_CONNECTIONS = 512
"""Connections at the same time, or half of the files that this process may open, if that is less."""
MAX_HEAD = 16 << 10
"""Maximum size in bytes of a request line with all headers."""
PATIENCE = 10.0
"""Maximum time in seconds for a head to arrive, counted from the connection, and for a body."""
BACKLOG = 1024
"""Connections that wait until they are accepted."""


class _Server(HTTPServer):
    """Server that closes its oldest connection when all are in use.

    A request takes milliseconds, so the oldest connection of a flood is a slow one, and a new request is never refused.
    """

    _by_age: dict[IOStream, None]

    def initialize(self, *args: Any, **limits: Any) -> None:
        super().initialize(*args, **limits)
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._limit = MAX_CONNECTIONS if files == resource.RLIM_INFINITY else min(MAX_CONNECTIONS, files // 2)
        self._by_age = {}

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        if len(self._by_age) >= self._limit:
            oldest = next(iter(self._by_age))
            del self._by_age[oldest]
            oldest.close()
        self._by_age[stream] = None
        super().handle_stream(stream, address)

    def on_close(self, server_conn: Any) -> None:
        self._by_age.pop(server_conn.stream, None)
        super().on_close(server_conn)


class PlainHandler(RequestHandler):
    """Handler whose answers do not name the server and whose errors have no text."""

    def set_default_headers(self) -> None:
        """Name a content type and no server."""
        self.clear_header("Server")
        self.set_header("Content-Type", "text/plain; charset=utf-8")

    def write_error(self, status_code: int, **_details: Any) -> None:  # noqa: ARG002 - Tornado sends the status
        """Send an empty body."""
        self.finish()


class MetricsHandler(PlainHandler):
    """Handler of the figures of this process: ``metrics`` returns them and their content type."""

    def initialize(self, metrics: Callable[[], tuple[bytes, str]]) -> None:
        """Keep the argument of the route."""
        self._metrics = metrics

    def get(self) -> None:
        """Send the figures."""
        content, kind = self._metrics()
        self.set_header("Content-Type", kind)
        self.write(content)


class QuietApplication(Application):
    """Application that logs no requests: a flood of them must not fill the disk."""

    def log_request(self, handler: RequestHandler) -> None:
        """Log nothing."""


def bounded_server(application: Application, *, max_body: int = 0) -> HTTPServer:
    """Build the server of an application. ``max_body``: maximum size of a body in bytes."""
    return _Server(
        application,
        no_keep_alive=True,
        chunk_size=MAX_HEAD,
        max_header_size=MAX_HEAD,
        idle_connection_timeout=PATIENCE,
        body_timeout=PATIENCE,
        max_body_size=max_body,
    )


def listen(address: str, server: HTTPServer) -> None:
    """Accept connections at ``HOST:PORT`` in the running event loop. Raises OSError."""
    host, _, port = address.rpartition(":")
    server.listen(int(port), host.strip("[]"), backlog=BACKLOG)
