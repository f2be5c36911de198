"""Settings that texts in the trackers depend on, changed between two runs."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.serving import configuration
from connectors.sandbox.world import Tracker, World
from tests.e2e.in_process import Done, milesync
from tests.e2e.small_world import KEYS, contents, one_tracker


def _run(world: World, config: Path, settings: str = "", command: str = "run", *options: str) -> Done:
    config.write_text(f"{settings}\n{configuration(world)}")
    return milesync(command, *options, "--json", config=config)


def _status_labels(tracker: Tracker) -> list[list[str]]:
    """Return the labels of each issue that has a comment of ours."""
    issues = [issue for project in tracker.projects.values() for issue in project.issues.values()]
    return [
        sorted(set(issue.labels) - {"milestone-status"})
        for issue in issues
        if any(comment.author is tracker.bot for comment in issue.comments)
    ]


@pytest.mark.parametrize("lost", [False, True], ids=["database kept", "database lost"])
@pytest.mark.parametrize("kind", KEYS)
def test_a_changed_prefix_moves_the_labels(kind: str, lost: bool, tmp_path: Path) -> None:
    world, tracker = one_tracker(kind)
    config, separator = tmp_path / "milesync.toml", "::" if kind == "gitlab" else "/"
    with Sandbox(world, only=(kind,)):
        assert _run(world, config, "", "run", "--first-run").code == 0
        assert _status_labels(tracker) == [[f"health{separator}at-risk"]]
        if lost:
            (tmp_path / "milesync.db").unlink()
        before = contents(tracker)
        assert _run(world, config, 'label_prefix = "state"', "run", "--first-run").code == 0
        assert _status_labels(tracker) == [[f"state{separator}at-risk"]]
        assert contents(tracker) == before
        assert _run(world, config, 'label_prefix = "third"').code == 0
        assert _status_labels(tracker) == [[f"third{separator}at-risk"]]
        again = _run(world, config, 'label_prefix = "third"')
        assert again.document["writes"]["applied"] == 0


@pytest.mark.parametrize("kind", KEYS)
def test_a_changed_instance_is_refused_until_its_texts_are_adopted(kind: str, tmp_path: Path) -> None:
    world, tracker = one_tracker(kind)
    config = tmp_path / "milesync.toml"
    with Sandbox(world, only=(kind,)):
        assert _run(world, config, "", "run", "--first-run").code == 0
        before, renamed = contents(tracker), configuration(world).replace('"sandbox"', '"other"', 1)

        def command(*words: str) -> Done:
            config.write_text(renamed)
            return milesync(*words, "--json", config=config)

        for words in (("plan",), ("run",)):
            refused = command(*words)
            assert refused.code == 4
            assert "milesync adopt" in refused.err
        assert contents(tracker) == before
        assert command("adopt", "--yes").code == 0
        assert contents(tracker) == before
        assert command("run").document["writes"]["applied"] == 0
        (tmp_path / "milesync.db").unlink()
        lost = command("run", "--first-run")
        assert (lost.code, lost.document["writes"]["applied"]) == (0, 0)
        assert contents(tracker) == before


@pytest.mark.parametrize("kind", KEYS)
def test_a_changed_instance_may_retire_the_former_one(kind: str, tmp_path: Path) -> None:
    world, tracker = one_tracker(kind)
    config = tmp_path / "milesync.toml"
    with Sandbox(world, only=(kind,)):
        assert _run(world, config, "", "run", "--first-run").code == 0
        config.write_text(configuration(world).replace('"sandbox"', '"other"', 1))
        assert milesync("retire", "--yes", "--json", config=config).code == 0
        assert contents(tracker)["comments"] == 0
        assert milesync("run", "--json", config=config).code == 0


def test_a_database_of_an_earlier_version_knows_the_instance_by_its_status_issues(tmp_path: Path) -> None:
    world, _ = one_tracker("github")
    config = tmp_path / "milesync.toml"
    with Sandbox(world, only=("github",)):
        assert _run(world, config, "", "run", "--first-run").code == 0
        with sqlite3.connect(tmp_path / "milesync.db") as database:
            database.execute("DELETE FROM installation")
        database.close()
        config.write_text(configuration(world).replace('"sandbox"', '"other"', 1))
        assert milesync("run", "--json", config=config).code == 4
