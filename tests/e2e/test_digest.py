"""Digests from the command line: looked at, sent by a run, kept back by the policy, and failing without failing it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.in_process import Done, milesync
from tests.e2e.small_world import served
from tests.message_servers import Chat, serving

SECRET = "c4naryV4lue"
TABLES = """
[audiences.team]
reads = ["*:acme/*"]
[audiences.team.digest]
at = 00:00:00
calendar = { weekend = [] }
channels = { chat = { env = "TEAM_CHAT" } }
file = "out/{day}.md"
"""


@pytest.fixture
def chat() -> Iterator[Chat]:
    with serving(Chat()) as server:
        yield server


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    with served(tmp_path) as (_, path):
        path.write_text(f"{path.read_text()}\n{TABLES}")
        yield path


def run(config: Path, *words: str, **env: str) -> Done:
    return milesync("run", "--first-run", "--json", "--config", str(config), *words, env=env)


def states(done: Done) -> dict[str, str]:
    return {digest["channel"]: digest["state"] for digest in done.document.get("digests", [])}


def test_a_run_sends_what_is_due_and_the_next_one_nothing(config: Path, chat: Chat) -> None:
    address = f"json://{chat.address}/{SECRET}"
    first = run(config, TEAM_CHAT=address)
    assert (first.code, states(first)) == (0, {"chat": "sent", "file": "sent"})
    second = run(config, TEAM_CHAT=address)
    assert (second.code, states(second)) == (0, {"chat": "told", "file": "told"})
    assert len(chat.heard) == 1
    (file,) = (config.parent / "out").iterdir()
    assert chat.bodies[0]["message"] in file.read_text("utf-8")
    assert "v2 (acme/app)" in file.read_text("utf-8")
    for done in (first, second):
        assert SECRET not in done.out + done.err
    assert SECRET.encode() not in (config.parent / "milesync.db").read_bytes()


def test_a_failing_channel_fails_no_run_and_is_reported(config: Path, chat: Chat) -> None:
    chat.answers = [500]
    address = f"json://{chat.address}/{SECRET}"
    first = run(config, TEAM_CHAT=address)
    assert (first.code, states(first)) == (0, {"chat": "refused", "file": "sent"})
    assert "digest to team over chat: the service refused it with 500; the next run tries again" in first.err
    sent = milesync("digest", "--send", "--json", "--config", str(config), env={"TEAM_CHAT": address})
    assert (sent.code, states(sent)) == (0, {"chat": "sent", "file": "told"})
    missing = run(config)
    assert (missing.code, states(missing)) == (0, {"chat": "told", "file": "told"})


@pytest.mark.parametrize("where", ["file", "environment"])
def test_the_policy_stops_sending_but_not_looking(config: Path, chat: Chat, where: str) -> None:
    env = {"TEAM_CHAT": f"json://{chat.address}/hook"}
    if where == "file":
        config.write_text(config.read_text().replace('policy = "create"', 'policy = "plan"'))
    else:
        env["MILESYNC_POLICY"] = "plan"
    done = run(config, **env)
    assert (done.code, states(done)) == (0, {})
    refused = milesync("digest", "--send", "--config", str(config), env=env)
    assert (refused.code, "the policy is plan" in refused.err) == (4, True)
    seen = milesync("digest", "--config", str(config))
    assert seen.code == 0
    assert "To team over chat" in seen.out
    assert "Milestones: 2 milestones" in seen.out or "decision" in seen.out
    assert chat.heard == []
    assert not (config.parent / "out").exists()


def test_what_cannot_be_asked_for_is_said(config: Path) -> None:
    run(config)
    for words, reason in (
        (("--audience", "board"), "no audience 'board' has a digest; these have: team"),
        (("--send", "--as-of", "2026-01-01"), "leave --as-of out"),
    ):
        done = milesync("digest", *words, "--config", str(config))
        assert (done.code, reason in " ".join(done.err.split())) == (1, True)
    earlier = milesync("digest", "--json", "--as-of", "2026-01-01", "--config", str(config))
    assert states(earlier) == {"chat": "quiet", "file": "quiet"}


def test_the_doctor_looks_at_the_channels_and_sends_nothing(config: Path, chat: Chat) -> None:
    for address, words in (
        (f"json://{chat.address}/{SECRET}", "the address is valid; nothing was sent now"),
        (f"nonsense://{SECRET}", "Apprise does not understand the address"),
        (" ", "the environment variable TEAM_CHAT is not set"),
    ):
        done = milesync("doctor", "--json", "--config", str(config), env={"TEAM_CHAT": address})
        (found,) = [finding for finding in done.document["findings"] if finding["area"] == "digest to team over chat"]
        assert words in found["words"]
        assert SECRET not in done.out + done.err
    assert chat.heard == []
