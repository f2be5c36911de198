"""Optional outputs next to label and comment, through the command line and over the trackers' own APIs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.serving import configuration
from connectors.sandbox.world import Tracker, World
from tests.e2e.in_process import Done, milesync
from tests.e2e.subprocesses import only_these


def crowd() -> World:
    """In each tracker a series of milestones; no person has edited the open issues of the running one."""
    world = World()
    now = datetime.now(UTC).replace(microsecond=0)
    for tracker, key in _projects(world):
        author = tracker.user("ada", "Ada Fox")
        project = tracker.project(key, "Acme", created=now - timedelta(days=200))
        for n in range(6):
            begin = now - timedelta(days=165 - 30 * n)
            milestone = tracker.milestone(project, f"v{n}", at=begin, due=(begin + timedelta(days=30)).date())
            for k in range(10):
                issue = tracker.issue(project, f"Task {k} of v{n}", author, at=begin)
                tracker.move(project, issue, [milestone.id], author, begin)
                if n < 5 or k < 8:
                    issue.assignees = [author]
                    tracker.close(issue, author, begin + timedelta(days=2 * k + 1), resolution="completed")
            if n < 5:
                tracker.close_milestone(project, milestone, begin + timedelta(days=29))
    return world


def _projects(world: World) -> list[tuple[Tracker, str]]:
    return [(getattr(world, name), "acme/app") for name in ("github", "gitlab")]


@pytest.fixture
def there(tmp_path: Path) -> Iterator[tuple[World, Path]]:
    world = crowd()
    with Sandbox(world, only=("github", "gitlab")):
        config = tmp_path / "milesync.toml"
        config.write_text(configuration(world))
        yield world, config


def asks(config: Path, *names: str) -> None:
    """Turn it on for both connections."""
    text = config.read_text()
    lines = "".join(f"{name} = true\n" for name in names)
    for connection in ("gh", "gl"):
        text += f"\n[connections.{connection}.optional_outputs]\n{lines}"
    config.write_text(text)


def run(config: Path, *more: str) -> Done:
    done = milesync("run", "--json", "--config", str(config), *more)
    assert done.code == 0, done.err
    return done


def labelled(tracker: Tracker, label: str) -> int:
    return sum(label in issue.labels for project in tracker.projects.values() for issue in project.issues.values())


def test_the_items_that_a_reason_names_are_labelled_over_each_api(there: tuple[World, Path]) -> None:
    world, config = there
    run(config, "--first-run")
    assert [labelled(tracker, "health/stale") for tracker, _ in _projects(world)] == [0, 0]
    asks(config, "item_labels")
    shown = milesync("plan", "--config", str(config))
    assert "label health/stale on" in shown.out
    run(config)
    assert [labelled(tracker, "health/stale") for tracker, _ in _projects(world)] == [2, 2]
    assert run(config).document["writes"]["planned"] == 0
    done = milesync("retire", "--yes", "--json", "--config", str(config))
    assert done.code == 0, done.err
    assert [labelled(tracker, "health/stale") for tracker, _ in _projects(world)] == [0, 0]


def test_the_milestones_own_descriptions_show_the_status(there: tuple[World, Path]) -> None:
    world, config = there
    for tracker, key in _projects(world):
        last = max(tracker.projects[key].milestones.values(), key=lambda milestone: milestone.number)
        last.description = "What it is for."
    asks(config, "description")

    def texts() -> list[str]:
        return [list(tracker.projects[key].milestones.values())[-1].description for tracker, key in _projects(world)]

    run(config, "--first-run")
    for text in texts():
        assert text.startswith("What it is for.\n\n<!-- milesync sandbox ")
        assert "likely by" in text
    assert run(config).document["writes"]["planned"] == 0
    assert "+ our lines in the milestone's description" not in milesync("plan", "--config", str(config)).out
    done = milesync("retire", "--yes", "--json", "--config", str(config))
    assert done.code == 0, done.err
    assert texts() == ["What it is for."] * 2


def test_gitlabs_own_health_status_follows_and_goes(there: tuple[World, Path]) -> None:
    world, config = there
    config.write_text(only_these(config.read_text(), ["gl"]))
    config.write_text(config.read_text() + "\n[connections.gl.optional_outputs]\nhealth_status = true\n")

    def healths() -> set[str]:
        return {issue.health for issue in world.gitlab.projects["acme/app"].issues.values()}

    run(config, "--first-run")
    assert healths() == {"", "on_track"}
    assert run(config).document["writes"] == {"planned": 0, "applied": 0, "skipped": 0}
    done = milesync("retire", "--yes", "--json", "--config", str(config))
    assert done.code == 0, done.err
    assert healths() == {""}


def test_a_project_board_gets_one_status_update_that_is_edited_in_place_and_goes(there: tuple[World, Path]) -> None:
    world, config = there
    config.write_text(only_these(config.read_text(), ["gh"]))
    plain = config.read_text()
    config.write_text(plain + '\n[connections.gh.optional_outputs]\nproject_status = "acme/7"\n')
    board = world.github.board("acme/7", public=True)
    run(config, "--first-run")
    assert "this token may not read the board acme/7" in milesync("plan", "--config", str(config)).out
    again = run(config).document
    assert (again["writes"]["applied"], again["errors"]) == (0, [])
    world.github.scopes = ("repo", "project")
    assert "+ our status update on the board acme/7" in milesync("plan", "--config", str(config)).out
    config.write_text(plain + '\n[connections.gh.optional_outputs]\nproject_status = "acme/8"\n')
    other = world.github.board("acme/8")
    assert run(config).document["writes"]["applied"] == 1
    config.write_text(plain + '\n[connections.gh.optional_outputs]\nproject_status = "acme/7"\n')
    assert run(config).document["writes"]["applied"] == 2
    assert other.notes == []
    (note,) = board.notes
    assert "likely by" in note.body
    assert note.body.count("<!-- milesync ") == 1
    assert run(config).document["writes"] == {"planned": 0, "applied": 0, "skipped": 0}
    written, person = note.body, note.body.replace("likely by", "hardly by")
    note.body = person
    run(config)
    done = milesync("retire", "--yes", "--json", "--config", str(config))
    assert done.code == 0, done.err
    assert [note.body for note in board.notes] == [person]
    note.body = written
    done = milesync("retire", "--yes", "--json", "--config", str(config))
    assert (done.code, board.notes) == (0, []), done.err


def test_after_a_change_of_token_adopt_takes_over_the_boards_too(there: tuple[World, Path]) -> None:
    world, config = there
    config.write_text(only_these(config.read_text(), ["gh"]))
    config.write_text(config.read_text() + '\n[connections.gh.optional_outputs]\nproject_status = "acme/7"\n')
    world.github.scopes = ("repo", "project")
    board = world.github.board("acme/7", public=True)
    run(config, "--first-run")
    run(config)
    (former,) = board.notes
    world.github.bot.bot = False
    world.github.bot = world.github.user("new-bot", "New Bot", bot=True)
    run(config)
    assert board.notes == [former], "nothing is posted next to it"
    looked = milesync("adopt", "--json", "--config", str(config))
    found = [(row["account"], row["what"]) for row in looked.document["found"]]
    assert (former.creator.login, "status update") in found
    done = milesync("adopt", "--yes", "--json", "--config", str(config))
    assert done.code == 0, done.err
    (ours,) = board.notes
    assert (ours.creator, ours.status) == (world.github.bot, former.status)
    again = run(config).document
    assert (again["writes"]["planned"], board.notes) == (0, [ours])


def test_a_public_board_shows_nothing_of_a_private_milestone(there: tuple[World, Path]) -> None:
    world, config = there
    world.github.scopes = ("repo", "project")
    world.github.projects["acme/app"].private = True
    board = world.github.board("acme/7", public=True)
    config.write_text(only_these(config.read_text(), ["gh"]))
    config.write_text(config.read_text() + '\n[connections.gh.optional_outputs]\nproject_status = "acme/7"\n')
    run(config, "--first-run")
    run(config)
    assert board.notes == []
    assert "the board acme/7 is public, and the milestone is not" in milesync("plan", "--config", str(config)).out
    board.public = False
    board.read_only = True
    assert run(config).document["errors"] == []


def test_without_the_licence_it_is_reported_and_all_other_outputs_are_written(there: tuple[World, Path]) -> None:
    world, config = there
    world.gitlab.premium = False
    config.write_text(only_these(config.read_text(), ["gl"]))
    config.write_text(config.read_text() + "\n[connections.gl.optional_outputs]\nhealth_status = true\n")
    run(config, "--first-run")
    again = run(config).document
    assert again["writes"] == {"planned": 0, "applied": 0, "skipped": 1}
    assert again["errors"] == []
    assert "its tracker's licence knows no health status" in milesync("plan", "--config", str(config)).out
