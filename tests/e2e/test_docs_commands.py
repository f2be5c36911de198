"""Every command of the documentation runs unchanged against the demo's trackers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

from connectors.sandbox.demo_world import demo_world
from connectors.sandbox.server import Sandbox
from connectors.sandbox.serving import configuration
from connectors.sandbox.world import World
from tests.contract.test_docs import PAGES, ROOT, block_calls, block_lines, calls, span_calls
from tests.e2e.in_process import milesync

ELSEWHERE = {
    "demo": "tests/contract/test_supply_chain.py",
    "init": "tests/e2e/test_init.py",
    "mcp": "tests/e2e/test_mcp_command.py",
    "new-connector": "tests/e2e/test_new_connector.py",
    "sandbox": "tests/e2e/subprocesses.py",
    "serve": "tests/e2e/test_serve.py",
    "worker": "tests/e2e/test_worker.py",
}
"""Commands that ask, or that go on until they are stopped, and the tests that run them."""

STANDS_FOR = {
    "github:acme/projects/7": "github:acme/app",
    "joint:NAME": "joint:Payments GA",
    "MILESTONE": "gh:acme/app#2",
    "TARGET...": "github:acme/app",
    "FILE": "plan.json",
    "DIR": "site",
    "FOLDER": "site",
    "--audience NAME": "public",
    "KEY...": "",
    "PREFIX...": "",
    "[PREFIX...]": "",
}
"""What a reader would put in the place of these words, some of them by the word before. None stands in a block."""

NAMES = ("check", "db", "explain", "report", "whatif")
"""Commands that need more words; alone they are only named, and their help is shown."""

MORE = """
[[joint]]
name = "Payments GA"
members = ["gh:acme/app#2", "jira:PAY/2.0"]

[report]
out = "site"

[audiences.management]
reads = ["gh:acme/app"]
digest = { every = "week", file = "management.md" }
"""


STORIES = ("docs/tutorial/first-steps.md", "docs/tutorial/turnaround.md")
"""Pages whose commands follow one another: `test_first_steps` and `test_turnaround` run these."""


RUN_ELSEWHERE = {
    ".venv/bin/python": ("e2e/test_new_connector.py", "pytest"),
    "check-jsonschema": ("contract/test_status_json.py", "jsonschema"),
    "make": ("contract/test_supply_chain.py", "make"),
    "pg_dump": ("integration/test_backup.py", "pg_dump"),
    "pg_restore": ("integration/test_backup.py", "pg_restore"),
    "sqlite3": ("integration/test_backup.py", "sqlite3"),
    "uv": ("e2e/test_installed_wheel.py", "uv"),
    "uvx": ("e2e/test_installed_wheel.py", "uvx"),
}
"""Other programs in blocks, the tests that run them or do what they do, and a word of the test for it."""

NOT_RUN = {
    "cd": "a step between two commands",
    "docker": "images need a network; `test_docker` checks and plays the steps of ours",
    "helm": "it comes from a network; `test_chart` renders and checks the chart",
    "kubectl": "it needs a cluster",
    "openssl": "32 random bytes",
    "python3": "it makes an empty environment",
    "rclone": "it needs a bucket",
    "sudo": "it changes the machine; `test_cron` checks the units",
}
"""Programs in blocks that no test runs, and why."""


def world_of_the_pages() -> World:
    """The demo's world, with the projects and people that the pages name."""
    world = demo_world()
    for tracker in world.trackers[2:]:
        tracker.user("ada").name = "Ada Wolf"  # so that one person has the name that the page forgets
    ben = world.gitlab.user("ben")
    del world.gitlab.users[ben.id]
    ben.id = 4711
    world.gitlab.users[4711] = ben
    for tracker, key in ((world.github, "owner/repo"), (world.gitlab, "group/project")):
        project = tracker.project(key)
        milestone = tracker.milestone(project, "v1")
        tracker.issue(project, "Show the fee first", tracker.user("ada"), milestones=[milestone.id])
    return world


def _found(calls_of: Callable[[str], list[list[str]]]) -> set[tuple[str, ...]]:
    pages = [page for page in PAGES if page not in STORIES]
    return {tuple(words) for page in pages for words in calls_of(page) if words[0] not in ELSEWHERE}


IN_BLOCKS = _found(block_calls)
"""Commands that a reader may copy: they run as they are written."""


def typed(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return a command as a reader would type it."""
    pairs = zip(("", *words), words, strict=False)
    read = (STANDS_FOR.get(f"{before} {given}", STANDS_FOR.get(given, given)) for before, given in pairs)
    return tuple(word for word in read if word)


def shown() -> list[tuple[str, ...]]:
    """Each command once; those that others need come first, those that take something away last."""
    first, last = [("run", "--first-run"), ("plan", "--out", "FILE")], ("retire", "--yes")
    once: dict[tuple[str, ...], tuple[str, ...]] = {}
    for words in [*first, *sorted((IN_BLOCKS | _found(span_calls)) - {last}), last]:
        once.setdefault(typed(words), words)
    return list(once.values())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("docs")
    world = world_of_the_pages()
    people = {"forget NAME": str(world.gitlab.user("cleo").id)}
    with Sandbox(world):
        for name in ("milesync.toml", "demo.toml"):
            (folder / name).write_text(configuration(world) + MORE, encoding="utf-8")
        addresses = {"GITHUB_API_URL": world.github.url, "GITLAB_URL": world.gitlab.url, "JIRA_URL": world.jira.url}
        # GitHub asks for a second between writes, which these tests need not wait for.
        environment = mock.patch.dict("tests.e2e.in_process.ENVIRONMENT", {**addresses, "MILESYNC_POLICY_GH": "plan"})
        with environment, mock.patch.dict(STANDS_FOR, people):
            yield folder


def test_a_command_in_a_block_can_be_copied_as_it_is() -> None:
    assert [words for words in sorted(IN_BLOCKS) if typed(words) != words] == []


@pytest.mark.parametrize("words", shown(), ids=" ".join)
def test_a_command_of_the_pages_runs(words: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    env: dict[str, str | None] = {"JIRA_EMAIL": None} if words[0] == "check" else {}
    command = typed(words)
    done = milesync(*command, *(["--help"] if command[0] in NAMES and len(command) == 1 else []), env=env)
    assert done.code in (0, 2), done.err + done.out
    assert "Traceback" not in done.err
    assert done.out.strip() or words[0] == "pull", "it says what it did"


@pytest.mark.parametrize("command", sorted({words[0] for page in PAGES for words in calls(page)} & set(ELSEWHERE)))
def test_what_is_not_run_here_is_run_elsewhere(command: str) -> None:
    assert f'"{command}"' in (ROOT / ELSEWHERE[command]).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_each_other_program_in_a_block_is_run_elsewhere_or_cannot_be(page: str) -> None:
    lines = (re.sub(r"^([A-Z_]+=\S+ )+", "", line) for line in block_lines(page))
    others = {line.split()[0] for line in lines} - {"milesync", "export"}
    assert sorted(others - RUN_ELSEWHERE.keys() - NOT_RUN.keys()) == []
    for file, word in (RUN_ELSEWHERE[name] for name in others - NOT_RUN.keys()):
        assert re.search(rf"\b{word}\b", (ROOT / "tests" / file).read_text(encoding="utf-8")), (file, word)
