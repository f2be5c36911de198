"""`milesync serve` as a process of its own: a signed webhook has the engine run, whose own writes come to rest."""

from __future__ import annotations

import hashlib
import hmac
import json
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from tests import postgres
from tests.e2e.small_world import ours, served
from tests.e2e.subprocesses import ENVIRONMENT, milesync
from tests.proof import TIMEOUT, full

SECRET = "a secret of the tests"


def address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def prepared(config: Path) -> tuple[str, str]:
    """A configuration whose GitHub connection takes webhooks; the addresses for them and for /health."""
    at, private = address(), address()
    head, table, tail = config.read_text().partition("[connections.gh]\n")
    config.write_text(
        f'{head}{table}webhook_secret = {{ env = "HOOK" }}\n{tail}\n[serve]\nlisten = "{at}"\n'
        f'health = "{private}"\nsettle = 0\n'
    )
    return at, private


@contextmanager
def process(
    words: list[str], config: Path, log: Path, files: int = 1_024, /, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A command that may have so many files open, and is stopped at the end."""
    with log.open("wb") as errors:
        running = subprocess.Popen(
            [
                "sh",
                "-c",
                'ulimit -n "$0" && exec "$@"',
                str(files),
                sys.executable,
                "-m",
                "milesync",
                *words,
                "--config",
                str(config),
            ],
            stderr=errors,
            env={**ENVIRONMENT, **environment},
        )
    try:
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        assert running.wait(30) == 128 + signal.SIGTERM, log.read_text()


def until(what: Callable[[], Any], log: Path) -> None:
    deadline = time.monotonic() + 240
    while not what():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def answers(at: str) -> bool:
    try:
        return requests.get(f"http://{at}/health", timeout=60).status_code == 200
    except requests.ConnectionError:
        return False


def figures(at: str) -> dict[str, float]:
    """Metrics as Prometheus reads them."""
    answer = requests.get(f"http://{at}/metrics", timeout=60)
    assert answer.status_code == 200
    rows = (line.rpartition(" ") for line in answer.text.splitlines() if not line.startswith("#"))
    return {name: float(number) for name, _, number in rows}


def knock(at: str, event: str, document: dict[str, Any], secret: str = SECRET) -> int:
    body = json.dumps(document).encode()
    signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": signature, "X-GitHub-Event": event}
    return requests.post(f"http://{at}/hooks/gh", data=body, headers=headers, timeout=60).status_code


def refreshed(log: Path) -> list[int]:
    """Number of writes of each refresh."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [line["applied"] for line in lines if line["event"] == "run finished" and line["task"] == "refresh"]


def come_to_rest(at: str, log: Path) -> None:
    """Send the webhook of a change, then those that our own writes cause, and wait for each refresh."""
    assert knock(at, "issues", {"repository": {"full_name": "acme/app"}}, "wrong") == 401
    assert knock(at, "issues", {"repository": {"full_name": "somebody/else"}}) == 202
    assert knock(at, "issues", {"repository": {"full_name": "acme/app"}, "action": "opened"}) == 202
    for n, action in enumerate(("labeled", "created", "edited"), 1):
        until(lambda n=n: len(refreshed(log)) == n, log)  # type: ignore[misc]
        assert knock(at, "issue_comment", {"repository": {"full_name": "acme/app"}, "action": action}) == 202
    until(lambda: len(refreshed(log)) == 4, log)
    first, *others = refreshed(log)
    assert first > 0
    assert others == [0, 0, 0]


def test_on_sqlite_it_runs_the_engine_itself(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with served(tmp_path) as (world, config):
        at, private = prepared(config)
        with process(["serve", "--first-run"], config, log, HOOK=SECRET):
            until(lambda: answers(private), log)
            come_to_rest(at, log)
    (started,) = (line for line in map(json.loads, log.read_text().splitlines()) if line["event"] == "listening")
    assert (started["at"], started["health"], started["connections"]) == (at, private, ["gh"])
    assert (len(ours(world.github)), len(ours(world.gitlab))) == (1, 0), "only the connection that spoke was served"
    assert SECRET not in log.read_text()


def test_on_postgresql_the_workers_do(tmp_path: Path) -> None:
    database = postgres.database(migrated=False)
    if database is None:
        pytest.skip("no PostgreSQL is installed")
    log, other = tmp_path / "log", tmp_path / "other"
    environment = {"MILESYNC_DATABASE": database, "HOOK": SECRET}
    with served(tmp_path) as (world, config):
        (at, private), watched = prepared(config), address()
        config.write_text(f'{config.read_text()}\n[metrics]\nlisten = "{watched}"\n')
        with process(["worker", "--first-run"], config, log, **environment):
            until(lambda: log.read_text().count('"run finished"') == 2, log)  # the round of its start
            for issue in list(world.github.projects["acme/app"].issues.values()):
                if issue.closed is None and issue.title.startswith("Task"):
                    world.github.close(issue, world.github.bot, datetime.now(UTC), resolution="completed")
            with process(["serve"], config, other, **environment):
                until(lambda: answers(private), other)
                come_to_rest(at, log)
                doors, works = figures(private), figures(watched)
        assert {name.partition("{")[2]: number for name, number in doors.items() if "webhooks{" in name} == {
            'outcome="forged"}': 1,
            'outcome="elsewhere"}': 1,
            'outcome="marked"}': 4,
        }
        assert works['milesync_steps_total{connection="gh",outcome="done",task="refresh"}'] == 4
        assert works['milesync_writes_total{outcome="applied"}'] > 0
        assert works['milesync_source_seen_timestamp_seconds{connection="gl"}'] > 0
        assert SECRET not in str(doors | works)
        assert len(ours(world.github)) == 2, "the summary, and one word about the new status"


def test_without_a_secret_no_webhook_is_accepted(tmp_path: Path) -> None:
    with served(tmp_path) as (_, config):
        done = milesync("serve", "--first-run", config=config)
    assert done.returncode == 1
    assert "webhook_secret" in done.stderr


def test_an_address_in_use_is_told_with_its_setting(tmp_path: Path) -> None:
    with served(tmp_path) as (_, config), socket.socket() as taken:
        _, private = prepared(config)
        host, _, port = private.rpartition(":")
        taken.bind((host, int(port)))
        taken.listen()
        done = milesync("serve", "--first-run", config=config, env={"HOOK": SECRET})
    assert done.returncode == 1
    assert f"serve.health: cannot listen at {private}: Address already in use" in done.stderr
    assert "Traceback" not in done.stderr


BEGINNINGS = (
    b"",
    b"POST /hooks",
    b"POST /hooks/gh HTTP/1.1\r\nHost: door\r\nX: x",
    b"POST /hooks/gh HTTP/1.1\r\nHost: door\r\nContent-Length: 1000\r\n\r\nx",
)
"""Requests that do not go on."""


def flood(at: str, line: bytes) -> int:
    """Send headers in one request until the server ends it; return how many bytes were sent."""
    host, _, port = at.rpartition(":")
    sent = 0
    with socket.create_connection((host, int(port))) as connection, suppress(ConnectionError):
        connection.sendall(b"POST /hooks/gh HTTP/1.1\r\nHost: door\r\nX: ")
        while True:
            sent += connection.send(line)
    return sent


@TIMEOUT
@pytest.mark.proof
def test_slow_connections_and_endless_headers_stop_nothing(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """With far fewer files than connections; memory stays as it is."""
    connections, megabytes = full((2_000, 1_000), (200, 50))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * connections), hard))
    log = tmp_path / "log"
    with served(tmp_path) as (_, config):
        at, private = prepared(config)
        host, _, port = at.rpartition(":")
        with process(["serve", "--first-run"], config, log, 128, HOOK=SECRET) as running, ExitStack() as slow:
            until(lambda: answers(private), log)
            server = psutil.Process(running.pid)
            assert knock(at, "ping", {}) == 202
            before = server.memory_info().rss
            for number in range(connections):
                connection = slow.enter_context(socket.create_connection((host, int(port))))
                with suppress(ConnectionError):
                    connection.sendall(BEGINNINGS[number % len(BEGINNINGS)])
                if number % 50 == 49:
                    assert answers(private)
                    assert knock(at, "ping", {}) == 202
            sent = 0
            while sent < megabytes * 1_000_000:
                sent += flood(at, b"x" * 8_000 + (b"\r\nX: " if sent % 2 else b""))
                assert answers(private)
            assert knock(at, "ping", {}) == 202
            assert server.memory_info().rss - before < 64_000_000
    assert "Traceback" not in log.read_text()
    record_property("slow connections", connections)
    record_property("megabytes of headers", sent // 1_000_000)
