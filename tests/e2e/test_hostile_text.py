"""Foreign text cannot command a terminal: every command and every file, with escape sequences in all that others name.

OSC 52 writes to the clipboard, OSC 8 makes a link, CSI moves the cursor and erases, C1 does the same in one character;
bidi signs show another text than the one that is read; a line break forges a line of ours.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.sandbox.world import World
from connectors.sandbox.world_data import Fault
from sync import cli
from tests.e2e.in_process import Done, milesync
from tests.e2e.small_world import served, small_world
from tests.e2e.subprocesses import ENVIRONMENT
from tests.terminal_screen import run_on_terminal

ATTACKS = (
    "\x1b]52;c;ZXZpbA==\x07",
    "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "\x1b[2J\x1b[H\x1b[31m",
    "\x9d52;c;ZXZpbA==\x9c\x9b2J",
    "\u202egnp.exe\u2066\u200f\u061c",
    "\nFORGED: all is well\r\nFORGED\u2028FORGED\x0bFORGED\x85FORGED",
    "\x7f\x00\x08\x08\ufeff\u200b\U000e0041",
)
ATTACK = " ".join(ATTACKS)
TYPED = " ".join(ATTACKS[:5])
"""What a person typed or pasted: line breaks are their own."""
MILESTONE = "gh:acme/app#3"
COMMANDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "adopt": ((),),
    "apply": ((),),
    "backtest": ((), (f"no{TYPED}",)),
    "check": (("github:acme/app", "gitlab:acme/api"), (f"github:acme/{TYPED}",)),
    "db": (("check",), ("export", "rows.jsonl"), ("forget", "gh", TYPED)),
    "digest": ((), ("--audience", TYPED)),
    "doctor": ((),),
    "explain": ((MILESTONE,), (MILESTONE, "-v"), (MILESTONE, "--all"), (f"gh:acme/app#{TYPED}",)),
    "plan": ((), ("--out", "plan.json")),
    "pull": ((), ("-v",)),
    "report": (("--out", "site"), ("--audience", TYPED)),
    "retire": ((),),
    "run": ((), ("-v",)),
    "status": ((), ("--all",), ("--scores",), ("--as-of", TYPED)),
    "timeline": ((), ("--ics", "dates.ics"), ("--mermaid",)),
    "whatif": ((MILESTONE, "--due", "2027-03-01"), (MILESTONE, "--drop", TYPED)),
}
"""Each command that shows what trackers hold or what was typed."""

WORDS = """Owner: {attack}
Start: {attack}
Tolerance: {attack}
Risk: {attack}
Decision needed: {attack} by 2026-01-02 from {attack}
Decision needed: {attack} by 2026-01-02 from @{attack}
Decision needed: {attack} by 2026-13-02
- [ ] {attack}
"""

WITHOUT = {"init", "serve", "worker", "demo", "sandbox", "mcp", "new-connector"}
DIGEST = '[audiences.team]\nreads = ["gh:acme/app"]\n[audiences.team.digest]\nat = "00:00"\nfile = "digest.{kind}"\n'
OWN = re.compile(r"\x1b\[[\d;]*m|\x1b\]8;id=\d+;https?://[\w./:%#?=&~-]+\x1b\\|\x1b\]8;;\x1b\\")
PROGRESS = re.compile(r"\r|\x1b\[(?:2K|1A|\?25[lh])")
"""What the progress display adds on a terminal."""


def hostile_world() -> World:
    """The small world, and in each tracker a running milestone of which every name is an attack."""
    world, now = small_world(), datetime.now(UTC).replace(microsecond=0)
    for tracker in (world.github, world.gitlab):
        (project,), start = tracker.projects.values(), now - timedelta(days=20)
        author = tracker.user("eve", f"Eve {ATTACK}")
        for place, attack in enumerate((ATTACK, "".join(reversed(ATTACKS)), ATTACKS[5])):
            title = f"v{place + 3} {attack}"
            milestone = tracker.milestone(
                project, title, at=start, due=(now + timedelta(days=9)).date(), description=WORDS.format(attack=attack)
            )
            for n in range(4):
                issue = tracker.issue(project, f"{n} {attack}", author, at=start, labels=[f"{n} {attack}"])
                tracker.move(project, issue, [milestone.id], author, start)
                if n == 0:
                    tracker.close(issue, author, start + timedelta(days=2), resolution="completed")
    return world


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Path]]:
    folder = tmp_path_factory.mktemp("hostile")
    with served(folder, hostile_world()) as (world, file), pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        digest = DIGEST.replace("digest.{kind}", "digest.html")
        file.write_text(file.read_text(encoding="utf-8") + digest, encoding="utf-8")
        for name, value in {
            "GITHUB_API_URL": world.github.url,
            "GITLAB_URL": world.gitlab.url,
            "MILESYNC_POLICY_GH": "plan",
            "FORCE_COLOR": "1",
            "COLUMNS": "5000",  # nothing is wrapped: a line of others would be a forged one
        }.items():
            patch.setitem(ENVIRONMENT, name, value)
        assert milesync("run", "--first-run", config=file).code == 0
        yield world, file


def assert_quiet(text: str, *, progress: bool = False) -> None:
    """No control character but our colours and links, no sign that turns the text, no line of another's making."""
    plain = OWN.sub("", PROGRESS.sub("", text) if progress else text)
    for character in plain:
        category = unicodedata.category(character)
        assert character == "\n" or category not in {"Cc", "Zl", "Zp", "Cs"}, (
            hex(ord(character)),
            excerpt(plain, character),
        )
        assert category != "Cf" or character in "\u200c\u200d", (hex(ord(character)), excerpt(plain, character))
    forged = [line for line in plain.splitlines() if line.lstrip(" >").startswith("FORGED")]
    assert forged == []


def excerpt(text: str, character: str) -> str:
    place = text.index(character)
    return repr(text[max(0, place - 60) : place + 30])


def assert_document(done: Done) -> None:
    """A JSON document shows no character that is not printable; a parser reads the title as it was."""
    assert all(character == "\n" or character.isprintable() for character in done.out), done.out[:200]
    if done.out:
        json.loads(done.out)


def test_every_command_is_tried_here() -> None:
    assert {point.name for point in cli.commands()} <= COMMANDS.keys() | WITHOUT


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_no_command_writes_a_control_sequence_of_others(command: str, place: tuple[World, Path]) -> None:
    _, config = place
    for words in COMMANDS[command]:
        Path("rows.jsonl").unlink(missing_ok=True)
        done = milesync(command, *words, config=None if command == "check" else config)
        assert_quiet(done.out)
        assert_quiet(done.err)
        Path("rows.jsonl").unlink(missing_ok=True)
        if "--mermaid" not in words:
            done = milesync(command, *words, "--json", config=None if command == "check" else config)
            assert_document(done)
            assert_quiet(done.err)


@pytest.mark.parametrize("status", [401, 403, 404, 422, 500])
def test_an_error_that_quotes_a_tracker_is_quiet(status: int, place: tuple[World, Path]) -> None:
    world, config = place
    body = json.dumps({"message": f"not allowed {ATTACK}"}, ensure_ascii=status % 2 == 0)
    try:
        for tracker in (world.github, world.gitlab):
            tracker.faults.append(Fault("status", times=999, status=status, body=body))
        for command in ("check", "pull", "plan", "run", "doctor", "status"):
            words = ("github:acme/app", "gitlab:acme/api") if command == "check" else ()
            for more in ((), ("-v",)) if command != "status" else ((),):
                done = milesync(command, *words, *more, config=None if command == "check" else config)
                assert_quiet(done.out)
                assert_quiet(done.err)
    finally:
        for tracker in (world.github, world.gitlab):
            tracker.faults.clear()


def test_files_are_quiet(place: tuple[World, Path]) -> None:
    """The calendar, the pages, the digest and the saved plan; their documents hold the titles in escaped form."""
    _, config = place
    milesync("plan", "--out", "plan.json", config=config)
    milesync("report", "--out", "site", config=config)
    milesync("timeline", "--ics", "dates.ics", config=config)
    milesync("digest", "--send", config=config)
    folder = config.parent
    files = [folder / "plan.json", folder / "dates.ics", *(folder / "site").rglob("*"), *folder.glob("digest*")]
    texts = {file: file.read_bytes().decode() for file in files if file.is_file()}
    assert {file.suffix for file in texts} >= {".json", ".ics", ".html", ".css", ".js"}
    for file, text in texts.items():
        if file.name not in ("report.css", "report.js"):
            assert_quiet(re.sub(r"\r\n ?", "", text) if file.suffix == ".ics" else text)
        if file.suffix == ".json":
            json.loads(text)


@pytest.mark.parametrize(
    "words", [("status",), ("explain", MILESTONE), ("plan",), ("check", "github:acme/app"), ("doctor",), ("run", "-v")]
)
def test_a_real_terminal_receives_no_sequence_of_others(words: tuple[str, ...], place: tuple[World, Path]) -> None:
    _, config = place
    tail = [] if words[0] == "check" else ["--config", str(config)]
    command = [sys.executable, "-m", "sync.cli", *words, *tail]
    _, shown, _ = run_on_terminal(command, {**ENVIRONMENT, "TERM": "xterm-256color"}, cwd=config.parent)
    assert len(shown) > 100
    assert_quiet(shown.replace("\r\n", "\n"), progress=True)
