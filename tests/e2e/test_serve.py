"""`milesync serve` as a process of its own: a signed webhook has the engine run, whose own writes come to rest."""

from __future__ import annotations

import hashlib
import hmac
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from tests import postgres
from tests.e2e.small_world import ours, served
from tests.e2e.subprocesses import ENVIRONMENT, milesync

SECRET = "a secret of the tests"


def address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def prepared(config: Path) -> str:
    """A configuration whose GitHub connection takes webhooks; the address where it does."""
    at = address()
    head, table, tail = config.read_text().partition("[connections.gh]\n")
    config.write_text(
        f'{head}{table}webhook_secret = {{ env = "HOOK" }}\n{tail}\n[serve]\nlisten = "{at}"\nsettle = 0\n'
    )
    return at


@contextmanager
def process(words: list[str], config: Path, log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as errors:
        running = subprocess.Popen(
            [sys.executable, "-m", "sync.cli", *words, "--config", str(config)],
            stderr=errors,
            env={**ENVIRONMENT, **environment},
        )
    try:
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        assert running.wait(30) == 0, log.read_text()


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
        at = prepared(config)
        with process(["serve", "--first-run"], config, log, HOOK=SECRET):
            until(lambda: answers(at), log)
            come_to_rest(at, log)
    assert (len(ours(world.github)), len(ours(world.gitlab))) == (1, 0), "only the connection that spoke was served"
    assert SECRET not in log.read_text()


def test_on_postgresql_the_workers_do(tmp_path: Path) -> None:
    database = postgres.database(migrated=False)
    if database is None:
        pytest.skip("no PostgreSQL is installed")
    log, other = tmp_path / "log", tmp_path / "other"
    environment = {"MILESYNC_DATABASE": database, "HOOK": SECRET}
    with served(tmp_path) as (world, config):
        at, watched = prepared(config), address()
        config.write_text(f'{config.read_text()}\n[metrics]\nlisten = "{watched}"\n')
        with process(["worker", "--first-run"], config, log, **environment):
            until(lambda: log.read_text().count('"run finished"') == 2, log)  # the round of its start
            for issue in list(world.github.projects["acme/app"].issues.values()):
                if issue.closed is None and issue.title.startswith("Task"):
                    world.github.close(issue, world.github.bot, datetime.now(UTC), resolution="completed")
            with process(["serve"], config, other, **environment):
                until(lambda: answers(at), other)
                come_to_rest(at, log)
                doors, works = figures(at), figures(watched)
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
