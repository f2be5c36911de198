"""A tracker that moves to another address keeps its status issues, comments and history: nothing is written twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from connectors.sandbox.cli import configuration
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import Tracker, World
from tests.e2e.in_process import Done, milesync
from tests.e2e.small_world import KEYS, contents, one_tracker

KINDS = tuple(KEYS)


def _run(world: World, config: Path, *, formerly: str = "", host: str = "127.0.0.1") -> Done:
    """Run against the world at its present address."""
    _write(world, config, formerly=formerly, host=host)
    return milesync("run", "--first-run", "--json", config=config)


def _write(world: World, config: Path, *, formerly: str, host: str) -> None:
    text = configuration(world).replace("127.0.0.1", host)
    config.write_text(text.replace("\ntoken =", f'\nformerly = ["{formerly}"]\ntoken =') if formerly else text)


def _doctor(world: World, config: Path, *, formerly: str = "") -> str:
    """Return the findings of `doctor` about the tracker's connection, at the present address."""
    _write(world, config, formerly=formerly, host="localhost")
    findings = milesync("doctor", "--json", config=config).document["findings"]
    return "\n".join(finding["words"] for finding in findings)


def _first_run(world: World, tracker: Tracker, config: Path) -> tuple[str, Counter[str]]:
    """Run once at a first address; return the address and what the tracker holds then."""
    before = contents(tracker)
    with Sandbox(world, only=(tracker.kind,)):
        done = _run(world, config)
        assert done.code == 0, done.err
        after = contents(tracker)
        assert after["issues"] == before["issues"] + 1
        assert after["comments"] == 1
        return tracker.url, after


@pytest.mark.parametrize("lost", [False, True], ids=["database kept", "database lost"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_moved_tracker_gets_no_second_text(kind: str, lost: bool, tmp_path: Path) -> None:
    """The setting ``formerly`` connects both addresses; a tracker with an id of its own does not need it."""
    world, tracker = one_tracker(kind)
    config = tmp_path / "milesync.toml"
    former, before = _first_run(world, tracker, config)
    if lost:
        (tmp_path / "milesync.db").unlink()
    with Sandbox(world, only=(kind,)):
        assert tracker.url != former
        doctor = "" if lost else _doctor(world, config, formerly="" if kind == "jira-cloud" else former)
        assert lost or f"changed from {former} to" in doctor
        done = _run(world, config, formerly="" if kind == "jira-cloud" else former, host="localhost")
        assert done.code == 0, done.err
        assert contents(tracker) == before
        assert done.document["milestones"] == 1
        again = _run(world, config, formerly="" if kind == "jira-cloud" else former, host="localhost")
        assert (again.code, again.document["writes"]["applied"]) == (0, 0)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "jira-cloud"])
def test_an_unknown_address_writes_nothing_and_names_the_setting(kind: str, tmp_path: Path) -> None:
    """Without ``formerly`` nothing is written; the message has the line to add."""
    world, tracker = one_tracker(kind)
    config = tmp_path / "milesync.toml"
    former, before = _first_run(world, tracker, config)
    with Sandbox(world, only=(kind,)):
        assert f'formerly = ["{former}"]' in _doctor(world, config)
        done = _run(world, config, host="localhost")
        assert done.code == 1
        assert f'formerly = ["{former}"]' in done.err.replace("\\", "")
        (tmp_path / "milesync.db").unlink()
        lost = _run(world, config, host="localhost")
        assert lost.code == 3
        assert f'formerly = ["{former}"]' in lost.out.replace("\\", "") + lost.err
        assert lost.document["writes"]["applied"] == 0
        assert contents(tracker) == before
