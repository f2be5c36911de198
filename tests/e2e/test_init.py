"""`milesync init`, answered from a pipe: what it asks again, what it tests, and what it leaves behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config import load
from connectors.github.connector import GitHubConnector
from connectors.sandbox.world import World
from sync.tracker.container_use import ContainerUse
from tests.e2e.in_process import Done, milesync
from tests.e2e.small_world import served

UNSET: dict[str, str | None] = {"GITHUB_TOKEN": None, "GITLAB_TOKEN": None, "JIRA_TOKEN": None}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with served(tmp_path_factory.mktemp("init")) as (world, _):
        yield world


@pytest.fixture
def world(running: World) -> World:
    for tracker in running.trackers:
        tracker.log.clear()
        for project in tracker.projects.values():
            project.read_only = False
    return running


def init(folder: Path, *answers: str, env: dict[str, str | None] | None = None) -> Done:
    config = folder / "milesync.toml"
    done = milesync("init", "--config", str(config), typed="".join(f"{answer}\n" for answer in answers), env=env)
    left = [path.name for path in folder.iterdir()]
    assert left == (["milesync.toml"] if config.exists() else []), "no draft, no database"
    return done


def test_a_newcomer_gets_a_file_that_runs_and_sees_the_milestones(world: World, tmp_path: Path) -> None:
    done = init(tmp_path, "acme", "github", world.github.url, "", "acme/app", "n", "", "")
    assert done.code == 0, done.err
    settings = load(tmp_path / "milesync.toml", {})
    (connection,) = settings.connections.values()
    assert (settings.instance, settings.policy, connection.projects) == ("acme", "plan", ("acme/app",))
    assert "the token belongs to milesync-bot" in done.out
    assert "gh:acme/app#2" in done.out
    assert world.github.writes == []
    text = (tmp_path / "milesync.toml").read_text()
    assert text.count("#") > 8
    assert 'exclude = ["Backlog"] }   # milestones to leave out, by title' in text
    assert "sandbox" not in text, "the token"
    assert milesync("doctor", "--config", str(tmp_path / "milesync.toml")).code == 0


def test_wrong_answers_are_asked_again(world: World, tmp_path: Path) -> None:
    done = init(
        tmp_path,
        *("two words", "acme"),
        *("gitea", "GitHub"),
        *("ftp://x", "http://example.org", world.github.url),
        *("ghp lower", "GITHUB_TOKEN"),
        *("app", " , ", "acme/app"),
        "n",
        *("everything", "create"),
        "n",
    )
    assert done.code == 0, done.err
    for said in (
        "The answer should be at most 40 letters",
        "The answer should be one of github, gitlab, jira",
        "The answer should be an address that starts with https://",
        "The answer should start with https://, because the token is sent there",
        "not the token itself",
        "The answer should be written owner/name",
        "The answer should name at least one project",
        "The answer should be one of plan, update, create",
    ):
        assert said in done.out, said
    assert load(tmp_path / "milesync.toml", {}).policy == "create"


def test_two_trackers_of_a_kind_and_one_without_a_token(world: World, tmp_path: Path) -> None:
    done = init(
        tmp_path,
        "acme",
        *("github", world.github.url, "", "acme/app", "y"),
        *("github", world.github.url, "OTHER", "", "acme/*", "y"),
        *("jira", "https://acme.atlassian.net", "no e-mail", "bot@example.org", "", "", "PAY, WEB", "n"),
        "",
        env=UNSET | {"GITHUB_TOKEN": "sandbox"},
    )
    assert done.code == 0, done.err
    settings = load(tmp_path / "milesync.toml", {})
    assert list(settings.connections) == ["gh", "gh2", "jira"]
    assert settings.connections["jira"].email == "bot@example.org"
    assert settings.connections["jira"].projects == ("PAY", "WEB")
    assert "OTHER is not set here. The token needs: Issues: read and write" in done.out
    assert "export JIRA_TOKEN=..." in done.out
    assert "export GITHUB_TOKEN" not in done.out
    assert "Read the projects now" not in done.out


def test_a_token_typed_for_the_tests_is_kept_nowhere(world: World, tmp_path: Path) -> None:
    done = init(
        tmp_path,
        *("acme", "gitlab", world.gitlab.url, ""),
        *("wr0ng-t0ken", "acme/api", "n"),  # refused: the token is asked again, and nothing else
        *("GITLAB_TOKEN", "sandbox"),
        *("n", "", "y"),
        env=UNSET,
    )
    assert done.code == 0, done.err
    assert "Keep these answers anyway?" in done.out
    assert "The tracker refused the token" in done.out
    assert "gl:acme/api%v2" in done.out
    assert "wr0ng" not in (tmp_path / "milesync.toml").read_text() + done.err
    assert "export GITLAB_TOKEN=..." in done.out


def test_a_project_that_is_not_there_is_asked_again(world: World, tmp_path: Path) -> None:
    done = init(
        tmp_path,
        *("acme", "github", world.github.url, "", "acme/gone", "n"),
        *("acme/app", "n", "", "n"),
    )
    assert done.code == 0, done.err
    assert "acme/gone" in done.out
    assert load(tmp_path / "milesync.toml", {}).connections["gh"].projects == ("acme/app",)


def test_an_address_that_does_not_answer_is_asked_again(world: World, tmp_path: Path) -> None:
    done = init(
        tmp_path,
        *("acme", "github", "http://127.0.0.1:9", "", "acme/app", "n"),
        *(world.github.url, "n", "", "n"),
    )
    assert done.code == 0, done.err
    assert done.out.count("Environment variable that holds the token") == 1
    assert done.out.count("Projects (owner/name") == 1
    assert load(tmp_path / "milesync.toml", {}).connections["gh"].url == world.github.url


def test_one_wrong_project_of_several_is_corrected_in_the_former_answer(world: World, tmp_path: Path) -> None:
    done = init(
        tmp_path, *("acme", "github", world.github.url, "", "acme/app, acme/gone", "n", "acme/app", "n", "", "n")
    )
    assert done.code == 0, done.err
    assert "[acme/app, acme/gone]" in done.out, "the former answer is the default"


def test_answers_that_the_user_keeps_are_written(world: World, tmp_path: Path) -> None:
    done = init(tmp_path, *("acme", "github", world.github.url, "", "acme/gone", "y", "n", "", "n"))
    assert done.code == 0, done.err
    assert load(tmp_path / "milesync.toml", {}).connections["gh"].projects == ("acme/gone",)


@pytest.mark.parametrize("address", ["https://ACME.atlassian.net", "https://acme.atlassian.net:443/jira"])
def test_each_address_of_jira_cloud_asks_for_the_account(tmp_path: Path, address: str) -> None:
    done = init(tmp_path, *("acme", "jira", address, "bot@example.org", "", "", "PAY", "n", ""), env=UNSET)
    assert done.code == 0, done.err
    assert load(tmp_path / "milesync.toml", {}).connections["jira"].email == "bot@example.org"


def test_a_right_that_is_missing_for_later_is_a_warning_now(world: World, tmp_path: Path) -> None:
    next(iter(world.github.projects.values())).read_only = True
    done = init(tmp_path, "acme", "github", world.github.url, "", "acme/app", "n", "", "n")
    assert done.code == 0, done.err
    assert '▲ missing: Issues: write on acme/app (needed for policy = "update")' in done.out


@pytest.mark.parametrize("answer", ["", "n"])
def test_an_existing_file_is_kept_by_default(tmp_path: Path, answer: str) -> None:
    (tmp_path / "milesync.toml").write_text("mine")
    done = init(tmp_path, answer)
    assert (done.code, (tmp_path / "milesync.toml").read_text()) == (0, "mine")


def test_a_file_is_overwritten_on_request(world: World, tmp_path: Path) -> None:
    (tmp_path / "milesync.toml").write_text("mine")
    done = init(tmp_path, "y", "acme", "github", world.github.url, "", "acme/app", "n", "", "n")
    assert done.code == 0, done.err
    assert "mine" not in (tmp_path / "milesync.toml").read_text()


def test_who_stops_answering_leaves_nothing_behind(world: World, tmp_path: Path) -> None:
    done = init(tmp_path, "acme", "github", world.github.url)
    assert done.code == 1
    assert "The input ended before the last answer" in done.err
    assert not (tmp_path / "milesync.toml").exists()


def test_without_any_input_it_says_so(tmp_path: Path) -> None:
    done = init(tmp_path)
    assert done.code == 1
    assert "The input ended before the last answer" in done.err


def test_a_closed_input_is_no_input(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sync", "init", "--config", str(tmp_path / "milesync.toml")]
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@" <&-', "sh", *command], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "The input ended before the last answer" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_name_with_signs_of_toml_in_it_stays_one_text(tmp_path: Path) -> None:
    done = init(tmp_path, *("acme", "jira", "https://jira.example.org", "", "", 'A"B\\ü, C'), *("n", ""), env=UNSET)
    assert done.code == 0, done.err
    assert load(tmp_path / "milesync.toml", {}).connections["jira"].projects == ('A"B\\ü', "C")


class Surveyed:
    """A connector that found issues in two kinds of containers."""

    @staticmethod
    def containers_in_use(*_: object) -> list[ContainerUse]:
        boards = {"boards": ["acme/7"]}
        return [ContainerUse(word="milestones", issues=3), ContainerUse(word="iterations", issues=17, options=boards)]


@pytest.mark.parametrize(
    ("answer", "options"),
    [
        ("", {"containers": ["iterations"], "boards": ["acme/7"]}),
        ("Milestones, iterations", {"containers": ["milestones", "iterations"], "boards": ["acme/7"]}),
        ("milestones", {}),
    ],
)
def test_kinds_of_milestones_in_use_are_offered(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, options: dict[str, Any]
) -> None:
    monkeypatch.setattr(GitHubConnector, "containers_in_use", Surveyed.containers_in_use, raising=False)
    done = init(tmp_path, "acme", "github", world.github.url, "", "acme/app", "weeks", answer, "n", "", "n")
    assert done.code == 0, done.err
    assert "Of the open issues that were looked at, 17 are in iterations, 3 in milestones." in done.out
    assert "The answer should be some of iterations, milestones" in done.out
    assert load(tmp_path / "milesync.toml", {}).connections["gh"].options == options


def test_a_team_with_the_usual_milestones_alone_is_not_asked(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [ContainerUse(word="milestones", issues=3), ContainerUse(word="iterations", issues=0)]
    monkeypatch.setattr(GitHubConnector, "containers_in_use", lambda *_: found, raising=False)
    done = init(tmp_path, "acme", "github", world.github.url, "", "acme/app", "n", "", "n")
    assert done.code == 0, done.err
    assert load(tmp_path / "milesync.toml", {}).connections["gh"].options == {}
