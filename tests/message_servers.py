"""Chats and a mail server on loopback: what digests are really sent to."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_MATRIX = (
    b'{"access_token": "a", "user_id": "@m:localhost", "room_id": "!r:localhost", "event_id": "$1", "joined_rooms": []}'
)


class Chat(ThreadingHTTPServer):
    """Keeps what is posted. ``answers`` are used up one by one, then it is 200: a status, ``lost`` (kept, and the
    connection is cut) or ``slow`` (kept, and answered only after ``slow`` seconds).
    """

    daemon_threads = True
    slow = 0.5

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Posted)
        self.heard: list[tuple[str, bytes]] = []
        self.answers: list[int | str] = []

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_port}"

    @property
    def bodies(self) -> list[Any]:
        """Posted bodies, as JSON."""
        return [json.loads(body) for _, body in self.heard if body]


class _Posted(BaseHTTPRequestHandler):
    server: Chat

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.server.answers.pop(0) if self.server.answers else 200
        if answer in (200, "lost", "slow"):
            self.server.heard.append((self.path, body))
        if answer == "lost":
            self.close_connection = True
            return
        if answer == "slow":
            time.sleep(self.server.slow)
        self.send_response(answer if isinstance(answer, int) else 200)
        self.end_headers()
        self.wfile.write(_MATRIX if self.path.startswith("/_matrix") else b"ok")

    def do_PUT(self) -> None:
        self.do_POST()

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


class Post(socketserver.ThreadingTCPServer):
    """Just enough SMTP to take mails, but not for the addresses that are ``refused``."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.mails: list[Any] = []
        self.refused: set[bytes] = set()

    @property
    def port(self) -> int:
        """Port on which the server listens."""
        return int(self.server_address[1])


class _Session(socketserver.StreamRequestHandler):
    server: Post

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                mail = b""
                while (part := self.rfile.readline()) not in (b".\r\n", b""):
                    mail += part
                self.server.mails.append(message_from_bytes(mail, policy=policy.default))
            if word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            refused = word == b"RCPT" and any(address in line for address in self.server.refused)
            self.wfile.write(b"550 nobody here\r\n" if refused else b"250 fine\r\n")


@contextmanager
def serving(server: Any) -> Iterator[Any]:
    """The server at work in a thread."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
