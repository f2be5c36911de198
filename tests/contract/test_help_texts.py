"""The help of every command at 80 columns: our own words, and lines that fill the screen and do not exceed it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from sync import cli

LEFTOVERS = re.compile(r"<[a-z]|\{\w|\[dynamic|int range|list\[|<=|PathLike|None\b|True\b|False\b|\.\.\.\.")
"""Types and marks of Typer, where a name of ours belongs."""


def every_command() -> Iterator[tuple[str, ...]]:
    """Yield the words of each command, the program itself first."""

    def walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield words
        for name, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, (*words, name))

    yield from walk(cli.application(cli.commands()), ())


@pytest.fixture(scope="module")
def helps() -> dict[tuple[str, ...], str]:
    """The help of each command, as `-h` prints it on a terminal of 80 columns, in one process."""
    program = (
        "import io, sys, contextlib\n"
        "from sync import cli\n"
        "for words in %r:\n"
        "    out = io.StringIO()\n"
        "    with contextlib.redirect_stdout(out):\n"
        "        cli.application(cli._entry_points(list(words[:1])))([*words, '-h'], standalone_mode=False)\n"
        "    print(repr((words, out.getvalue())))\n"
    )
    script = program % (list(every_command()),)
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"COLUMNS": "80", "LANG": "C.UTF-8"})
    return dict(map(eval, done.stdout.splitlines()))


def test_every_command_has_a_help_for_both_flags(helps: dict[tuple[str, ...], str]) -> None:
    assert len(helps) > 20
    assert [words for words, text in helps.items() if not re.search(r"--help +-h ", text)] == []


def test_no_help_shows_a_type_of_python(helps: dict[tuple[str, ...], str]) -> None:
    found = {words: match[0] for words, text in helps.items() if (match := LEFTOVERS.search(text))}
    assert found == {}


def test_a_value_has_a_name_and_a_flag_none(helps: dict[tuple[str, ...], str]) -> None:
    assert re.search(r"--config +FILE ", helps["run",])
    assert re.search(r"--json +One JSON", helps["run",])
    assert " explain [OPTIONS] MILESTONE\n" in re.sub(" +\n", "\n", helps["explain",])
    assert "[OPTIONS] [PREFIX...]\n" in re.sub(" +\n", "\n", helps["backtest",])


def test_a_line_of_a_paragraph_ends_where_the_next_word_does_not_fit(helps: dict[tuple[str, ...], str]) -> None:
    """A line break of the source in the help would end a line early."""
    wrong = []
    for words, text in helps.items():
        assert max(map(len, text.splitlines())) <= 80
        lines = [line.strip() for line in text.partition("╭")[0].splitlines()]
        wrong += [
            (words, line)
            for line, following in pairwise(lines)
            if line and following and not line.startswith("Usage") and len(line) + 1 + len(following.split()[0]) <= 77
        ]
    assert wrong == []


# --- completion -------------------------------------------------------------------------------------------------------

BIN = Path(sys.executable).parent
SHELLS = {
    "bash": 'eval "$(milesync --show-completion)"; COMP_WORDS=(milesync sta) COMP_CWORD=1;'
    ' _milesync_completion milesync; echo "${COMPREPLY[@]}"',
    "zsh": 'autoload -Uz compinit; compinit -u -d $HOME/dump; eval "$(milesync --show-completion)";'
    ' print -r -- "${_comps[milesync]}"; _TYPER_COMPLETE_ARGS="milesync sta" _MILESYNC_COMPLETE=complete_zsh milesync',
    "fish": 'milesync --show-completion | source; complete --do-complete "milesync sta"',
}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes_a_command(shell: str, tmp_path: Path) -> None:
    """The script is made for the shell that asks for it; then the shell itself completes the word."""
    program = which(shell)
    if not program:
        pytest.skip(f"{shell} is not installed")
    environ = {"HOME": str(tmp_path), "PATH": f"{BIN}:/usr/bin:/bin", "TERM": "dumb", "LANG": "C.UTF-8"}
    flags = ["-f"] if shell == "zsh" else []
    done = subprocess.run(
        [program, *flags, "-c", SHELLS[shell]], env=environ, capture_output=True, text=True, check=False, timeout=120
    )
    assert "status" in done.stdout, done.stderr
    assert "Traceback" not in done.stderr


def test_completion_is_installed_for_the_shell_that_asks(tmp_path: Path) -> None:
    bash = which("bash")
    if not bash:
        pytest.skip("bash is not installed")
    environ = {"HOME": str(tmp_path), "PATH": f"{BIN}:/usr/bin:/bin"}
    subprocess.run([bash, "-c", "milesync --install-completion; true"], env=environ, check=True, timeout=120)
    assert "bash_completions/milesync.sh" in (tmp_path / ".bashrc").read_text()
    assert "_milesync_completion" in (tmp_path / ".bash_completions" / "milesync.sh").read_text()


def test_completion_in_a_home_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    bash = which("bash")
    if not bash:
        pytest.skip("bash is not installed")
    (home := tmp_path / "home").touch()
    environ = {"HOME": str(home), "PATH": f"{BIN}:/usr/bin:/bin"}
    words = [bash, "-c", "milesync --install-completion; exit $?"]
    done = subprocess.run(words, env=environ, check=False, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (1, f"{home}: File exists\n")
