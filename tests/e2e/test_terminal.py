"""Standard output and standard error of every command: on a terminal, in a pipe, and in every encoding."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.sandbox.world import World
from sync import cli
from tests.e2e.in_process import milesync
from tests.e2e.small_world import served, small_world
from tests.e2e.subprocesses import ENVIRONMENT
from tests.terminal_screen import run_on_terminal, screen

ROOT = Path(__file__).parents[2]
TITLES = ("日本語の題名 🎉", "شراء السيارة \u202eabc", "Größe → “größer” " + "very long " * 30)
MILESTONE = "gh:acme/app#2"
JSON: dict[str, tuple[str, ...]] = {
    "adopt": (),
    "apply": (),
    "backtest": (),
    "check": ("github:acme/app", "gitlab:acme/nothing"),
    "db": ("check",),
    "digest": (),
    "doctor": (),
    "explain": (MILESTONE,),
    "plan": (),
    "pull": (),
    "report": ("--out", "site"),
    "retire": (),
    "run": (),
    "status": ("--all",),
    "timeline": (),
    "whatif": (MILESTONE, "--due", "2027-03-01"),
}
"""Each command with a JSON document, and the words that it needs."""

WITHOUT_JSON = {"init", "mcp", "new-connector", "serve", "worker", "demo", "sandbox"}
DIGEST = '[audiences.team]\nreads = ["gh:acme/app"]\n[audiences.team.digest]\nat = "00:00"\n'
UID = re.compile(r"https?://[^\s\"]+/(milestone|version|sprint|iteration|rule)s?/\w")
"""Identity of a milestone in the store: the tracker's address, the kind, the native id."""


def odd_world() -> World:
    """The small world with running milestones of odd titles, each with some issues."""
    world, now = small_world(), datetime.now(UTC).replace(microsecond=0)
    for tracker in (world.github, world.gitlab):
        (project,), author = tracker.projects.values(), tracker.user("ada", "Ada Fox")
        for title in TITLES:
            start, due = now - timedelta(days=20), (now + timedelta(days=20)).date()
            milestone = tracker.milestone(project, title, at=start, due=due)
            for n in range(4):
                issue = tracker.issue(project, f"{n} {title}", author, at=start)
                tracker.move(project, issue, [milestone.id], author, start)
                if n == 0:
                    tracker.close(issue, author, start + timedelta(days=2), resolution="completed")
    return world


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A configuration after a run that wrote to GitLab; GitHub asks for a second between writes, which tests spare."""
    folder = tmp_path_factory.mktemp("terminal")
    with served(folder, odd_world()) as (world, file), pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        file.write_text(file.read_text(encoding="utf-8") + DIGEST, encoding="utf-8")
        for name, value in {
            "GITHUB_API_URL": world.github.url,
            "GITLAB_URL": world.gitlab.url,
            "MILESYNC_POLICY_GH": "plan",
        }.items():
            patch.setitem(ENVIRONMENT, name, value)
        assert milesync("run", "--first-run", config=file).code == 0
        yield file


def words(command: str, config: Path) -> tuple[str, ...]:
    tail = () if command == "check" else ("--config", str(config))
    return (command, *JSON[command], *tail)


def test_every_command_is_tried_here() -> None:
    assert set(JSON) | WITHOUT_JSON == {command.name for command in cli.commands()}


# --- any encoding ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.parametrize("command", JSON)
def test_a_command_can_write_in_every_encoding(command: str, encoding: str, config: Path) -> None:
    done = milesync(*words(command, config), encoding=encoding)
    assert done.code in (0, 2, 3), done.err
    assert "Traceback" not in done.err
    assert done.out
    assert done.out.isascii() or encoding != "ascii"
    document = milesync(*words(command, config), "--json", encoding=encoding)
    assert document.code in (0, 2, 3), document.err
    assert isinstance(document.document, dict | list)


@pytest.mark.parametrize("command", JSON)
def test_a_process_without_a_locale_ends_well(command: str, config: Path) -> None:
    env = {**ENVIRONMENT, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "COLUMNS": "80"}
    process = [sys.executable, "-m", "milesync", *words(command, config)]
    code, out, err = run_on_terminal(process, env, piped="stderr", cwd=config.parent)
    assert code in (0, 2, 3), err
    assert (out + err).isascii()
    assert "Traceback" not in out + err


def test_titles_are_the_same_in_the_documents_of_all_encodings(config: Path) -> None:
    documents = [milesync("status", "--json", config=config, encoding=name).document for name in ("ascii", "utf-8")]
    titles = [{row["title"] for row in document["milestones"]} for document in documents]
    assert titles[0] == titles[1]
    assert TITLES[0] in titles[0]


def test_files_are_utf_8_whatever_the_terminal_writes(config: Path) -> None:
    plan, calendar, folder = (config.parent / name for name in ("plan.json", "dates.ics", "site"))
    assert milesync("plan", "--out", str(plan), config=config, encoding="ascii").code == 2
    assert milesync("timeline", "--ics", str(calendar), config=config, encoding="ascii").code == 0
    assert milesync("report", "--out", str(folder), config=config, encoding="ascii").code == 0
    pages = [file for file in folder.rglob("*") if file.suffix in (".html", ".json", ".svg")]
    texts = [file.read_bytes().decode() for file in (plan, calendar, *pages)]
    assert sum("日本語" in text for text in texts) > 2


def test_broken_bytes_in_arguments_are_shown(config: Path) -> None:
    done = milesync("explain", "gh:acme/\udcff#1", config=config)
    assert done.code == 1
    assert "gh:acme/" in done.err
    assert "Traceback" not in done.err


# --- progress on a terminal ------------------------------------------------------------------------------------------

SHOWS_PROGRESS = {
    "plan": 2,
    "status": 0,
    "run": 0,
    "pull": 0,
    "explain": 0,
    "check": 3,
    "retire": 2,
}


@pytest.mark.parametrize(
    ("command", "piped"), [*((command, "") for command in SHOWS_PROGRESS), ("plan", "stdout"), ("plan", "stderr")]
)
def test_progress_is_erased_before_anything_else_is_written(command: str, piped: str, config: Path) -> None:
    env = {**os.environ, **ENVIRONMENT, "COLUMNS": "80", "TERM": "xterm-256color"}
    process = [sys.executable, "-m", "milesync", *words(command, config)]
    code, out, pipe = run_on_terminal(process, env, piped=piped, cwd=config.parent)
    assert code == SHOWS_PROGRESS[command], out + pipe
    lines, visible = screen(out)
    assert visible, "the cursor"
    assert ("\x1b[?25l" in out) == (piped != "stderr"), "progress is for standard error"
    assert "\x1b" not in pipe
    shown = "\n".join(lines)
    assert not re.search("[⠀-⣿]|Starting|Pulling|Assessing|Planning|Observing|Writing", shown), shown
    failed = "acme/nothing" in (pipe if piped == "stderr" else shown)
    assert failed == (command == "check")


@pytest.mark.parametrize("arguments", [("explain", "gh:nothing#1"), ("whatif", MILESTONE, "--drop", "nothing")])
def test_progress_is_erased_before_an_error(arguments: tuple[str, ...], config: Path) -> None:
    env = {**os.environ, **ENVIRONMENT, "COLUMNS": "80", "TERM": "xterm-256color"}
    process = [sys.executable, "-m", "milesync", *arguments, "--config", str(config)]
    code, out, _ = run_on_terminal(process, env, cwd=config.parent)
    lines, visible = screen(out)
    assert (code, visible) == (1, True)
    assert len([line for line in lines if line]) == 1, lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("request_number", ["1", "4"])
def test_progress_is_erased_and_the_cursor_shown_after_a_signal(
    request_number: str, number: signal.Signals, config: Path, tmp_path: Path
) -> None:
    env = {**os.environ, **ENVIRONMENT, "COLUMNS": "80", "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
    module = [sys.executable, "-m", "tests.fault.stopped_command"]
    when = ["http.client.send", request_number, str(int(number)), str(tmp_path / "sent")]
    code, out, _ = run_on_terminal([*module, *when, *words("plan", config)], env, cwd=config.parent)
    assert "\x1b[?25l" in out, "progress was shown"
    lines, visible = screen(out)
    assert (code, visible) == (128 + number, True)
    assert [line for line in lines if line] == []


def test_a_signal_during_a_hidden_answer_leaves_the_echo_on(tmp_path: Path) -> None:
    master, terminal = pty.openpty()
    command = [sys.executable, "-m", "milesync", "init", "--config", str(tmp_path / "milesync.toml")]
    env = {name: value for name, value in ENVIRONMENT.items() if name != "GITHUB_TOKEN"}
    process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, env=env)

    def echoes() -> bool:
        return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)

    try:
        os.write(master, b"team\n" + b"\n" * 3)  # name, tracker, address, variable
        shown = b""
        while b"Paste a token" not in shown or echoes():
            shown += os.read(master, 4096)
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
        assert echoes()
        assert list(tmp_path.iterdir()) == [], "no half file"
    finally:
        process.kill()
        process.wait()
        os.close(master)
        os.close(terminal)


# --- names in logs and output ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [command for command in JSON if command not in ("backtest", "db", "doctor")])
def test_people_read_no_internal_identity(command: str, config: Path) -> None:
    done = milesync(*words(command, config), "-v")
    assert not UID.search(done.out), UID.search(done.out)
    assert not UID.search(done.err), UID.search(done.err)


def test_written_events_name_the_milestone(tmp_path: Path) -> None:
    with served(tmp_path, small_world()) as (_, config):
        done = milesync("run", "--first-run", config=config, env={"MILESYNC_POLICY_GH": "plan"})
        removed = milesync("retire", "--yes", config=config, env={"MILESYNC_POLICY_GH": "plan"})
    for events in (done.events, removed.events):
        written = [event["milestone"] for event in events if event["event"] == "written"]
        assert set(written) == {"gl:acme/api%v2"}


# --- check -----------------------------------------------------------------------------------------------------------


def test_check_that_could_read_nothing_says_so_once(config: Path) -> None:
    done = milesync("check", "github:acme/nothing")
    assert (done.code, done.out) == (1, "")
    assert len([line for line in done.err.splitlines() if "acme/nothing" in line]) == 1
    assert "Check address, network and token" in done.err
    assert not done.events


@pytest.mark.parametrize("command", [("plan",), ("run", "--first-run")])
def test_a_command_that_could_read_nothing_says_so_once(command: tuple[str, ...], tmp_path: Path) -> None:
    with served(tmp_path) as (_, config):
        pass  # no tracker answers from now on
    done = milesync(*command, config=config)
    sentences = [line for line in done.err.splitlines() if not line.startswith("{")]
    assert (done.code, done.out) == (1, "")
    assert [line.split(":")[0] for line in sorted(sentences)] == [
        "No project could be read. Check address, network and token, then run the command again.",
        "gh",
        "gl",
    ]


def test_milestones_that_were_read_before_are_shown_when_nothing_can_be_read(tmp_path: Path) -> None:
    with served(tmp_path) as (_, config):
        assert milesync("plan", config=config).code == 2
    done = milesync("plan", config=config)
    assert done.code == 1
    assert "acme/app#2" in done.out
    assert done.err.count("No project could be read.") == 1


def test_check_names_what_failed_once(config: Path) -> None:
    done = milesync("check", "github:acme/app", "gitlab:acme/nothing")
    assert done.code == 3
    assert "github:acme/app#2" in done.out
    assert done.err.count("acme/nothing") == 1
