"""A tracker that fails: one clear error, the others go through, and nothing wrong is written."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any
from urllib.parse import quote

import pytest

from connectors.sandbox.world_data import Fault
from tests.e2e.in_process import milesync
from tests.e2e.small_world import ours, served

LIST = {"gh": "POST /graphql", "gl": "GET /api/v4/projects"}


def errors(document: dict[str, Any]) -> str:
    return " ".join(row["error"] for row in document["errors"])


def test_an_unreachable_tracker_delays_nobody(tmp_path: Path) -> None:
    with served(tmp_path) as (world, config):
        config.write_text(config.read_text().replace(world.github.url, "http://127.0.0.1:9"))
        done = milesync("run", "--first-run", "--json", config=config)
        assert done.code == 3, done.err
        document = done.document
        assert "gh" in errors(document)
        assert "did not answer" in errors(document)
        assert ours(world.gitlab)


def test_when_nothing_goes_through_the_code_is_one(tmp_path: Path) -> None:
    with served(tmp_path) as (world, config):
        text = config.read_text()
        config.write_text(
            text.replace(world.github.url, "http://127.0.0.1:9").replace(world.gitlab.url, "http://127.0.0.1:9")
        )
        assert milesync("run", "--first-run", config=config).code == 1


def test_a_wrong_token_is_named_as_such(tmp_path: Path) -> None:
    with served(tmp_path) as (world, config):
        world.github.token = "another"
        done = milesync("run", "--first-run", "--json", config=config)
        assert done.code == 3
        assert "refused the token" in errors(done.document)
        assert world.github.writes == []
        assert ours(world.gitlab)


@pytest.mark.parametrize(("name", "key"), [("gh", "acme/app"), ("gl", "acme/api")])
def test_a_project_that_is_gone_is_named_and_the_other_goes_on(tmp_path: Path, name: str, key: str) -> None:
    with served(tmp_path) as (_, config):
        config.write_text(config.read_text().replace(f'"{key}"', f'"{key}", "acme/gone"'))
        done = milesync("run", "--first-run", "--json", config=config)
        assert done.code == 3, done.err
        document = done.document
        assert {(row["connection"], row["project"]) for row in document["errors"]} == {(name, "acme/gone")}
        assert "does not exist" in errors(document)
        assert document["milestones"] == 2


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("html", times=99), "HTML instead of JSON"),
        (Fault("garbage", times=99), "does not match its API"),
        (Fault("status", status=500, body="{}", times=99), "HTTP 500"),
        (Fault("reset", times=99), "did not answer"),
        (Fault("status", status=200, body='{"data": {"repository": {"id": 7}}}', times=99), "does not match its API"),
        (Fault("status", status=200, body="null", times=99), "does not match its API"),
    ],
)
@pytest.mark.parametrize("name", ["gh", "gl"])
def test_a_malformed_answer_is_one_error_and_no_write(tmp_path: Path, name: str, fault: Fault, said: str) -> None:
    with served(tmp_path) as (world, config):
        tracker = world.github if name == "gh" else world.gitlab
        tracker.faults.append(Fault(fault.kind, LIST[name], fault.times, fault.status, {}, fault.body))
        done = milesync("run", "--first-run", "--json", config=config)
        assert done.code == 3, done.out + done.err
        document = done.document
        assert {row["connection"] for row in document["errors"]} == {name}
        assert said in errors(document)
        assert tracker.writes == []


def test_stale_data_says_since_when_and_nothing_else(tmp_path: Path) -> None:
    with served(tmp_path) as (world, config):
        assert milesync("run", "--first-run", config=config).code == 0
        label = [i.labels for i in world.gitlab.projects["acme/api"].issues.values() if i.comments]
        before = ours(world.gitlab)[0]
        writes = len(world.gitlab.writes)
        world.gitlab.faults.append(Fault("html", "issues?", times=3))
        first = milesync("run", "--json", config=config)
        assert first.code == 3, first.out
        assert (first.document["status"].get("unknown", 0), len(world.gitlab.writes)) == (0, writes)
        assert "As of " in milesync("status", config=config).out
        milesync("run", config=config)
        with closing(connect(tmp_path / "milesync.db")) as database, database:
            database.execute("update pull set failed_at = failed_at - 25 * 3600 * 1000000 where failed_at is not null")
        done = milesync("run", "--json", config=config)
        assert done.code == 3, done.out
        assert done.document["status"]["unknown"] == 1
        assert len(ours(world.gitlab)) == 1
        after = ours(world.gitlab)[0]
        assert after != before
        assert "No verdict: a source could not be read" in after
        assert len(world.gitlab.writes) == writes + 1
        assert [i.labels for i in world.gitlab.projects["acme/api"].issues.values() if i.comments] == label
        world.gitlab.faults.clear()
        assert milesync("run", config=config).code == 0
        assert "No verdict" not in ours(world.gitlab)[0]


def test_a_secret_is_in_no_log_plan_database_or_comment(tmp_path: Path) -> None:
    canary = "canary+7/Qw==x9_Zk"
    with served(tmp_path) as (world, config):
        world.github.token = world.gitlab.token = canary
        env = {"GITHUB_TOKEN": canary, "GITLAB_TOKEN": canary}
        plan = str(tmp_path / "plan.json")
        texts = []
        for words in (["plan", "-v", "--out", plan], ["run", "-v", "--json"], ["status", "--json"]):
            done = milesync(*words, config=config, env=env)
            texts += [done.out, done.err]
        world.github.faults.append(Fault("html", times=99))
        world.gitlab.token = "another"
        done = milesync("run", "-v", config=config, env=env)
        assert done.code == 1
        texts += [done.out, done.err, *ours(world.github), *ours(world.gitlab)]
        files = [file.read_bytes() for file in tmp_path.iterdir()]
        shapes = [canary.encode(), base64.b64encode(canary.encode())[:-2], canary[:-1].encode()]
        for blob in [text.encode() for text in texts] + files:
            for shape in shapes:
                assert shape not in blob


ECHOES: dict[str, Callable[[str], str]] = {
    "as it is": lambda token: token,
    "in an address": lambda token: f"https://tracker.example/api?private_token={quote(token, safe='')}",
    "as basic auth": lambda token: base64.b64encode(f"me@example.org:{token}".encode()).decode(),
}


@pytest.mark.parametrize("name", ["github", "gitlab"])
@pytest.mark.parametrize("echo", ECHOES)
def test_a_token_that_a_tracker_echoes_is_stored_nowhere(tmp_path: Path, name: str, echo: str) -> None:
    """The database, its export, logs and documents are searched for the token and its beginning."""
    token = "canary+7/Qw==x9_Zk"
    with served(tmp_path) as (world, config):
        tracker = getattr(world, name)
        tracker.token = token
        env = {f"{name.upper()}_TOKEN": token}
        words = "x" * 150 + f" not accepted: {ECHOES[echo](token)}"
        for status in (422, 500, 403, 404):
            tracker.faults.append(Fault("status", times=3, status=status, body=json.dumps({"message": words})))
        texts = []
        for command in (["run", "-v", "--first-run"], ["run", "--json"], ["status", "--json"], ["doctor"]):
            done = milesync(*command, config=config, env=env)
            texts += [done.out, done.err]
        export = tmp_path / "export.jsonl"
        assert milesync("db", "export", str(export), config=config, env=env).code == 0
        assert export.stat().st_size
        assert any("xxxx" in text for text in texts), "the error was shown"
        blobs = [text.encode() for text in texts] + [file.read_bytes() for file in tmp_path.iterdir() if file.is_file()]
        shown = [ECHOES[echo](token).encode(), token.encode(), token[:8].encode()]
        assert [shape for blob in blobs for shape in shown if shape in blob] == []


def test_a_token_that_no_request_can_carry_is_refused_without_a_character_of_it(tmp_path: Path) -> None:
    with served(tmp_path) as (world, config):
        for token in ("abc\u2026def", "first line\nsecond line", "caf\u00e9"):
            for command in ("run", "plan", "doctor"):
                done = milesync(command, config=config, env={"GITHUB_TOKEN": token})
                assert done.code == 1
                shown = done.out + done.err
                assert "connections.gh.token" in "".join(shown.split())
                assert not set(shown).intersection("\u2026\u00e9")
                assert "2026" not in shown.replace("2026-", "")
                assert "second" not in shown
        assert not world.github.log


def test_a_project_with_issues_switched_off_is_a_failure_once(tmp_path: Path) -> None:
    """From the second run on, `status` shows it with the reason, and the others go on with exit code 0."""
    with served(tmp_path) as (world, config):
        body = '{"message": "Issues are disabled for this repo"}'
        world.github.faults.append(Fault("status", "/repos/acme/app/issues", times=999, status=410, body=body))
        first = milesync("run", "--first-run", config=config)
        assert first.code == 3
        assert "gh: acme/app: Issues are switched off in this project; switch them on" in first.err
        assert milesync("run", config=config).code == 0
        shown = " ".join(milesync("status", config=config).out.split())
        assert "acme/app: not read so far: Issues are switched off in this project" in shown
        world.github.faults.clear()
        assert milesync("run", config=config).code == 0
        assert "not read" not in milesync("status", config=config).out


def test_an_archived_repository_is_a_failure_once(tmp_path: Path) -> None:
    with served(tmp_path) as (world, config):
        assert milesync("run", "--first-run", config=config).code == 0
        project = world.github.projects["acme/app"]
        project.archived = True
        for issue in list(project.issues.values()):
            if issue.closed is None and issue.milestones:
                world.github.close(issue, world.github.user("ada", "Ada Fox"), resolution="completed")
        first = milesync("run", config=config)
        assert first.code == 3
        assert "gh:acme/app#2: " in first.err
        assert "The project is archived, so nothing can be written" in first.err
        again = milesync("run", config=config)
        assert again.code == 0
        assert "archived" not in again.err
        assert again.out.count("Held back: gh: acme/app: The project is archived") == 1
        remedy = "remove it from the configuration, or unarchive it"
        assert remedy in again.out
        assert remedy in " ".join(milesync("doctor", config=config).out.split())
        assert "The project is archived" in milesync("status", config=config).out
        assert "the repository is archived" in " ".join(milesync("doctor", config=config).out.split())
        project.archived = False
        assert milesync("run", config=config).code == 0
        assert "archived" not in milesync("status", config=config).out


@pytest.mark.parametrize("made", ["missing", "folder", "text", "bytes", "another document"])
def test_a_file_that_is_no_saved_plan_is_one_line_and_no_write(tmp_path: Path, made: str) -> None:
    file = tmp_path / "plan.json"
    contents = {"text": b"hello", "bytes": b"\xff\xfe", "another document": b'{"milestones": []}'}
    if made == "folder":
        file.mkdir()
    elif made in contents:
        file.write_bytes(contents[made])
    with served(tmp_path) as (world, config):
        milesync("pull", config=config)
        done = milesync("apply", str(file), config=config)
        assert done.code == 1
        (line,) = done.err.splitlines()
        assert line.startswith(f"{file}: ")
        assert ("`milesync plan --out FILE` saves one" in line) == (made in contents)
        assert not world.github.writes


@pytest.mark.parametrize(
    ("command", "argument"),
    [("check", "TARGET..."), ("explain", "MILESTONE"), ("whatif", "MILESTONE"), ("new-connector", "NAME")],
)
def test_a_missing_argument_is_named_as_in_the_help_that_the_message_points_at(command: str, argument: str) -> None:
    done = milesync(command)
    assert done.code == 1
    assert done.err == f"Missing argument '{argument}'; see `milesync {command} --help`\n"
    assert argument in milesync(command, "--help").out
