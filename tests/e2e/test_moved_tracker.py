"""A tracker that moves to another address keeps its status issues, comments and history: nothing is written twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.serving import configuration
from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Fault
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


def _taken_over(world: World, other: World, config: Path, former: str, address: str) -> Done:
    """Run with ``gl``, moved from a former address, and ``gl2``, another tracker at an address of its own."""
    _write(world, config, formerly=former, host="127.0.0.1")
    connection = configuration(other).partition("[connections.")[2].partition("]")[2].replace(other.gitlab.url, address)
    config.write_text(f"{config.read_text()}\n[connections.gl2]{connection}")
    return milesync("run", "--first-run", "--json", config=config)


@pytest.mark.parametrize("moved_before", [False, True], ids=["at once", "after a run"])
def test_a_new_server_at_a_former_address_shares_nothing(moved_before: bool, tmp_path: Path) -> None:
    """The new connection reads and writes nothing until it has another address, as the message says."""
    world, tracker = one_tracker("gitlab")
    other, newcomer = one_tracker("gitlab")
    config = tmp_path / "milesync.toml"
    former, before = _first_run(world, tracker, config)
    port = int(former.rpartition(":")[2])
    with Sandbox(world, only=("gitlab",)):
        if moved_before:
            assert _run(world, config, formerly=former).code == 0
        with Sandbox(other, only=("gitlab",), ports={"gitlab": port}):
            untouched = contents(newcomer)
            for _ in range(2):
                done = _taken_over(world, other, config, former, former)
                assert done.code == 3
                assert "gl2: The address of the connection belongs to the tracker of another connection" in done.err
                assert f"{former} is an address of the tracker of" in done.err.replace("\n", " ")
                assert (done.document["milestones"], done.document["writes"]["applied"]) == (1, 0)
                assert (contents(tracker), contents(newcomer)) == (before, untouched)
                assert not newcomer.log
            done = _taken_over(world, other, config, former, f"http://localhost:{port}")
            assert done.code == 0, done.err
            assert done.document["milestones"] == 2
            assert contents(tracker) == before
            assert contents(newcomer)["issues"] == untouched["issues"] + 1


@pytest.mark.parametrize("fault", ["html", "garbage", "403"])
def test_an_answer_of_a_proxy_is_no_id_of_a_site(fault: str, tmp_path: Path) -> None:
    """The site is asked again in the next run, so that a later change of its name is recognised."""
    world, tracker = one_tracker("jira-cloud")
    config = tmp_path / "milesync.toml"
    kind = fault if fault != "403" else "status"
    tracker.faults.append(Fault(kind, "/_edge/tenant_info", times=10, status=403))
    _, before = _first_run(world, tracker, config)
    assert tracker.faults.pop().times < 10
    for host in ("127.0.0.1", "localhost"):
        with Sandbox(world, only=("jira-cloud",), ports={"jira-cloud": int(tracker.url.rpartition(":")[2])}):
            done = _run(world, config, host=host)
            assert done.code == 0, done.err
            assert contents(tracker) == before


def test_a_site_without_an_id_is_asked_once(tmp_path: Path) -> None:
    world, tracker = one_tracker("jira-cloud")
    config = tmp_path / "milesync.toml"
    tracker.faults.append(Fault("status", "/_edge/tenant_info", times=10, status=404))
    with Sandbox(world, only=("jira-cloud",)):
        assert [_run(world, config).code for _ in range(2)] == [0, 0]
    assert tracker.faults.pop().times == 9
