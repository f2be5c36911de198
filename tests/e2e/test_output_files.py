"""An output file or folder that cannot be written: one line with its name and the cause, exit code 1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.sandbox.world import World
from tests.e2e.in_process import Done, milesync
from tests.e2e.small_world import served


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Path]]:
    with served(tmp_path_factory.mktemp("output")) as (world, config):
        assert milesync("run", "--first-run", config=config).code == 0
        yield world, config


def check(done: Done, path: Path, cause: str) -> None:
    assert done.code == 1
    assert done.err.splitlines()[-1] == f"{path}: {cause}"
    assert "crashed" not in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "--out"),
        ("timeline", "--ics"),
        ("backtest", "--plot"),
        ("db", "export"),
        ("sandbox", "--port", "0", "--write-config"),
    ],
    ids=" ".join,
)
def test_a_path_below_a_file_is_named(there: tuple[World, Path], tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "new.png"
    config = None if words[0] == "sandbox" else there[1]
    check(milesync(*words, str(path), config=config), path, "Not a directory")


def test_a_file_instead_of_the_folder_of_the_report_is_named(there: tuple[World, Path], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "report", Path("/dev/null")):
        check(milesync("report", "--out", str(path), config=there[1]), path, "File exists")


def test_init_names_the_file_when_it_tests_the_first_tracker(there: tuple[World, Path], tmp_path: Path) -> None:
    path = tmp_path / "missing" / "milesync.toml"
    answers = ("acme", "github", there[0].github.url, "", "acme/app")
    done = milesync("init", "--config", str(path), typed="".join(f"{answer}\n" for answer in answers))
    check(done, path, "No such file or directory")


def test_init_names_the_file_when_it_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "milesync.toml"
    answers = ("acme", "github", "", "", "", "acme/app", "n", "")
    done = milesync(
        "init", "--config", str(path), typed="".join(f"{answer}\n" for answer in answers), env={"GITHUB_TOKEN": None}
    )
    check(done, path, "No such file or directory")
