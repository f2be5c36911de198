"""A run seen from outside: the event in the log, metrics, the ping, tidying up, and when each tracker was last seen."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from connectors.sandbox.world import World
from connectors.sandbox.world_data import Fault
from sync.store.store import Store
from tests.e2e.in_process import Done, milesync
from tests.e2e.small_world import served
from tests.e2e.subprocesses import ENVIRONMENT

Place = tuple[World, Path]
SECRET = "/ping/0f3c-s3cret"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with served(tmp_path) as (world, config):
        config.write_text(config.read_text().replace('policy = "create"', 'policy = "plan"'))
        yield world, config


class Listener(HTTPServer):
    """Answers each ping with the next of ``answers``, then with 200."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.heard: list[str] = []
        self.answers: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}{SECRET}"


class Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_GET(self) -> None:
        self.server.heard.append(self.path)
        self.send_response(self.server.answers.pop(0) if self.server.answers else 200)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def listening() -> Iterator[Listener]:
    """A server for pings, in a thread."""
    with Listener() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as server:
        yield server


def run(config: Path, *words: str, **env: str | None) -> Done:
    return milesync("run", "--first-run", "--json", "--config", str(config), *words, env=env)


def lose(world: World) -> None:
    """Let GitLab's project be gone for us."""
    for project in world.gitlab.projects.values():
        project.hidden = True


def event(done: Done, name: str = "run finished") -> dict[str, Any]:
    (found,) = [event for event in done.events if event["event"] == name]
    return found


def outlooks(config: Path) -> str:
    """The configuration with metrics and a ping."""
    text = config.read_text() + '[metrics]\ntextfile = "milesync.prom"\n[ping]\nurl = { env = "PING" }\n'
    config.write_text(text)
    return text


def metrics(config: Path) -> dict[tuple[str, str], float]:
    """Value by name and the one label's value."""
    families = text_string_to_metric_families(config.with_name("milesync.prom").read_text())
    return {(s.name, ",".join(s.labels.values())): s.value for family in families for s in family.samples}


def test_one_event_a_run_has_its_numbers_and_its_id(place: Place) -> None:
    _, config = place
    config.write_text(config.read_text().replace('policy = "plan"', 'policy = "create"'))
    done = run(config)
    told, document = event(done), done.document
    assert done.code == told["exit_code"] == 0
    assert told["milestones"] == document["milestones"] == 2
    assert told["applied"] == document["writes"]["applied"] > 0
    assert told["requests"] == document["requests"]
    assert told["failures"] == {"gh": 0, "gl": 0}
    assert sum(told["status"].values()) == 2
    assert {event["run"] for event in done.events} == {told["run"]}
    assert told["issues"] == 32


def test_metrics_and_ping_follow_a_good_run(place: Place, listener: Listener) -> None:
    _, config = place
    outlooks(config)
    done = run(config, PING=listener.url)
    assert done.code == 0
    assert listener.heard == [SECRET]
    told = metrics(config)
    assert told["milesync_run_exit_code", ""] == 0
    assert told["milesync_run_success_timestamp_seconds", ""] == told["milesync_run_finished_timestamp_seconds", ""]
    assert told["milesync_run_writes", "applied"] == event(done)["applied"]
    assert told["milesync_run_requests", "gh"] == done.document["requests"]["gh"]
    assert told["milesync_source_seen_timestamp_seconds", "gl"] > 1_700_000_000
    assert told["milesync_info", "sandbox,0.1.0"] == 1
    assert SECRET not in done.out + done.err


def test_a_run_that_failed_in_part_counts_and_does_not_ping(place: Place, listener: Listener) -> None:
    world, config = place
    outlooks(config)
    assert run(config, PING=listener.url).code == 0
    before = metrics(config)
    lose(world)
    done = run(config, PING=listener.url)
    assert done.code == event(done)["exit_code"] == 3
    assert len(listener.heard) == 1, "the first run's"
    after = metrics(config)
    assert after["milesync_run_exit_code", ""] == 3
    assert after["milesync_run_failures", "gl"] > 0
    assert after["milesync_run_failures", "gh"] == 0
    assert after["milesync_run_success_timestamp_seconds", ""] == pytest.approx(
        before["milesync_run_success_timestamp_seconds", ""], abs=1
    )
    for name in ("gl", "gh"):
        grew = (
            after["milesync_source_seen_timestamp_seconds", name]
            > before["milesync_source_seen_timestamp_seconds", name]
        )
        assert grew == (name == "gh")


def test_a_ping_that_fails_is_tried_again_and_changes_nothing_else(place: Place, listener: Listener) -> None:
    _, config = place
    outlooks(config)
    listener.answers = [500]
    assert run(config, PING=listener.url).code == 0
    assert len(listener.heard) == 2
    listener.answers = [302, 404]
    done = run(config, PING=listener.url)
    assert (done.code, event(done, "ping not sent")["error"]) == (0, "HTTP 404")
    assert "/elsewhere" not in listener.heard
    done = run(config, PING="http://127.0.0.1:1/s3cret-path")
    assert (done.code, event(done, "ping not sent")["error"]) == (0, "ConnectionError")
    assert "s3cret-path" not in done.err
    done = run(config, PING=None)
    assert (done.code, "PING is not set" in event(done, "ping not sent")["error"]) == (0, True)


def test_metrics_that_cannot_be_written_change_nothing_else(place: Place) -> None:
    _, config = place
    config.write_text(config.read_text() + '[metrics]\ntextfile = "none/milesync.prom"\n')
    done = run(config)
    assert (done.code, event(done, "metrics not written")["error"]) == (0, "No such file or directory")


def test_a_run_that_dies_says_so_in_its_event(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    _, config = place

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("sync.engine.engine.Engine.plan", broken)
    done = run(config)
    assert done.code == 1
    told = event(done)
    assert (told["crashed"], told["exit_code"]) == ("ZeroDivisionError", 1)


def test_the_first_run_of_a_day_tidies_up(place: Place) -> None:
    _, config = place
    assert run(config).code == 0
    assert [event for event in run(config).events if event["event"] == "store pruned"] == []
    with sqlite3.connect(config.with_name("milesync.db")) as raw:
        raw.execute("UPDATE run SET started_at = started_at - ?", (400 * 86400 * 10**6,))
    raw.close()
    told = event(run(config), "store pruned")
    assert (told["runs"], told["assessments"]) == (2, 0)
    assert [event for event in run(config).events if event["event"] == "store pruned"] == []


def test_status_shows_when_each_tracker_was_last_read(place: Place) -> None:
    world, config = place
    assert run(config).code == 0
    lose(world)
    assert run(config).code == 3
    done = milesync("status", "--json", "--config", str(config))
    sources = {source["connection"]: source for source in done.document["sources"]}
    assert sources.keys() == {"gh", "gl"}
    assert sources["gh"]["seen"] > sources["gl"]["seen"]
    assert sources["gh"]["stale"] == {}
    assert sources["gl"]["stale"] == {"acme/api": sources["gl"]["seen"]}
    words = milesync("status", "--config", str(config)).out
    assert "gh: last read " in words
    assert "acme/api: not read since" in words
    with Store.open(f"sqlite:///{config.with_name('milesync.db')}", create=False, clock=world.clock) as store:
        assert json.loads(store.last_runs(1)[0].summary or "{}")["failures"] > 0


def test_issues_in_a_milestone_that_no_list_names_are_shown(place: Place) -> None:
    world, config = place
    world.github.faults.append(Fault("status", "GET /repos/acme/app/milestones", status=200, body="[]", times=9))
    world.gitlab.faults.append(Fault("status", "/milestones", status=200, body="[]", times=99))
    assert run(config).code == 0
    done = milesync("status", "--json", "--config", str(config))
    unlisted = {source["connection"]: source["unlisted"] for source in done.document["sources"]}
    assert {name: list(projects) for name, projects in unlisted.items()} == {"gh": ["acme/app"], "gl": ["acme/api"]}
    words = "in a milestone that the tracker does not list"
    assert milesync("status", "--config", str(config)).out.count(words) == 2
    assert words in milesync("doctor", "--config", str(config)).out
    world.github.faults.clear()
    world.gitlab.faults.clear()
    world.github.milestone(world.github.projects["acme/app"], "new")
    assert run(config).code == 0
    assert words not in milesync("status", "--config", str(config)).out


def test_a_source_that_was_never_read(place: Place) -> None:
    world, config = place
    lose(world)
    assert run(config).code == 3
    done = milesync("status", "--json", "--config", str(config))
    never = next(source for source in done.document["sources"] if source["connection"] == "gl")
    assert (never["seen"], never["stale"]) == (None, {"acme/api": None})
    assert "gl: last read never" in milesync("status", "--config", str(config)).out


@pytest.mark.parametrize(
    ("redirection", "codes"), [("| head -c 1", "0 0"), (">&- 2>&-", "0"), ("2> /dev/full", "0"), ("> /dev/full", "1")]
)
def test_a_run_whose_output_is_lost_ends_like_any_other(
    place: Place, listener: Listener, redirection: str, codes: str
) -> None:
    """Its output may break off in mid-run: summary, metrics and ping follow. Only a full disk is an error."""
    _, config = place
    outlooks(config)
    command = f'"{sys.executable}" -m sync run --first-run --config "{config}"'
    program = f'{command} {redirection}; echo "${{PIPESTATUS[@]}}" >codes'
    env = {**ENVIRONMENT, "PING": listener.url}
    done = subprocess.run(
        ["bash", "-c", program], env=env, cwd=config.parent, capture_output=True, text=True, check=True
    )
    assert (config.parent / "codes").read_text().strip() == codes, done.stderr
    assert "Traceback" not in done.stderr
    assert metrics(config)["milesync_run_exit_code", ""] == 0
    assert len(listener.heard) == 1
