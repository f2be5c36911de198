"""`timeline`, `whatif`, `status` and `run` with joint milestones and dependencies, from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.forecast.joint import PATHS
from tests.e2e.in_process import milesync
from tests.e2e.small_world import ours, served

JOINT = """
[[joint]]
name = "Payments GA"
owner = "the lead"
members = ["gh:acme/app#2", "gl:acme/api%v2"]

[[dependency]]
before = "gl:acme/api%v2"
after = "gh:acme/app#2"
"""


def test_a_joint_milestone_is_shown_everywhere_and_written_once(tmp_path: Path) -> None:
    with served(tmp_path) as (world, config):
        config.write_text(config.read_text() + JOINT)
        assert milesync("run", "--first-run", config=config).code == 0
        rows = milesync("status", "--json", config=config).document["milestones"]
        joint = next(row for row in rows if row["id"] == "joint:Payments GA")
        members = [row for row in rows if row["id"] in joint["members"]]
        assert len(members) == 2
        assert 0 < joint["probability"] <= min(row["probability"] for row in members) + 1 / PATHS
        assert joint["due"] == max(row["due"] for row in members)
        assert {found["kind"] for found in members[0]["findings"]} >= {"no_owner", "no_exit_criteria"}
        told = milesync("status", config=config).out
        assert "joint:Payments GA" in told
        assert "No owner is set for this milestone." in told
        explained = milesync("explain", "joint:Payments GA", "--json", config=config).document
        assert explained["health"]["probability"] == pytest.approx(joint["probability"], abs=0.02)
        for tracker in (world.github, world.gitlab):
            (comment, *_) = ours(tracker)
            assert "Part of the joint milestone" in comment
            assert "Payments GA" in comment
        again = milesync("run", "--json", config=config).document
        assert again["writes"]["planned"] == 0


def test_the_timeline_in_four_forms(tmp_path: Path) -> None:
    with served(tmp_path) as (_, config):
        config.write_text(config.read_text() + JOINT)
        assert milesync("pull", config=config).code == 0
        shown = milesync("timeline", "--json", config=config).document
        by_id = {row["id"]: row for row in shown["milestones"]}
        assert [wait["id"] for wait in by_id["gh:acme/app#2"]["after"]] == ["gl:acme/api%v2"]
        assert "waits for gl:acme/api%v2" in milesync("timeline", config=config).out
        assert milesync("timeline", "--mermaid", config=config).out.startswith("gantt\n")
        pytest.importorskip("icalendar")
        file = tmp_path / "dates.ics"
        assert milesync("timeline", "--ics", str(file), config=config).code == 0
        assert file.read_bytes().startswith(b"BEGIN:VCALENDAR")


def test_a_circle_is_one_clear_error(tmp_path: Path) -> None:
    with served(tmp_path) as (_, config):
        circle = '[[dependency]]\nbefore = "gh:acme/app#2"\nafter = "gl:acme/api%v2"\n'
        config.write_text(config.read_text() + JOINT + circle)
        for command in ("timeline", "status", "run"):
            done = milesync(command, config=config)
            assert done.code == 1
            assert "wait for each other in a circle: " in done.err
            assert "Traceback" not in done.err


def test_whatif_shows_before_and_after_and_changes_nothing(tmp_path: Path) -> None:
    with served(tmp_path) as (world, config):
        assert milesync("pull", config=config).code == 0
        asked = len(world.github.log)
        words = ("whatif", "gh:acme/app#2", "--drop", "15", "--due", "2031-01-01", "--add-holiday", "2030-12-25")
        done = milesync(*words, "--json", config=config)
        assert done.code == 0, done.err
        answer = done.document
        assert answer["dropped"] == ["acme/app#15"]
        assert answer["after"]["due"] == "2031-01-01"
        assert answer["after"]["open"] == answer["before"]["open"] - 1
        assert "before" in milesync(*words, config=config).out
        assert len(world.github.log) == asked
        assert world.github.writes == []
        unknown = milesync("whatif", "gh:acme/app#99", config=config)
        assert unknown.code == 1
        assert "milesync status" in unknown.err
        assert milesync("whatif", "gh:acme/app#2", "--due", "soon", config=config).code == 1
