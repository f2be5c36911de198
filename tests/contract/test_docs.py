"""The pages agree with the program: commands, settings, exit codes, figures, links."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import msgspec
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from config import load
from sync.cli import reference
from sync.forecast.parameters import Rules
from sync.health import usual
from sync.model.tracker_data import Issue, Milestone, Project
from sync.tracker import errors
from tests.contract.command_lines import commands, unknown_words

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "tests" / "README.md")
)
HOW_TO = [page for page in PAGES if page.startswith("docs/how-to/go-live-")]


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@cache
def tokens(page: str) -> list[Token]:
    top = MarkdownIt("commonmark").enable("table").parse(text(page))
    return [inner for token in top for inner in (token, *(token.children or []))]


def blocks(page: str, language: str) -> list[str]:
    return [token.content for token in tokens(page) if token.type == "fence" and token.info == language]


def block_lines(page: str) -> list[str]:
    """The commands in shell blocks, without prompt, comment and output; a line that continues is one with the next."""
    scripts = [line for block in blocks(page, "sh") for line in block.replace("\\\n", " ").splitlines()]
    typed = [line[2:] for block in blocks(page, "console") for line in block.splitlines() if line.startswith("$ ")]
    lines = (line.partition(" #")[0].strip() for line in scripts + typed)
    return [line for line in lines if line and not line.startswith("#")]


def _calls(lines: Iterable[str]) -> list[list[str]]:
    found = [re.search(r"^(?:[A-Z_]+=\S+ )*milesync ([a-z].*)", line.strip()) for line in lines]
    return [shlex.split(match[1].split(" #")[0]) for match in found if match]


def block_calls(page: str) -> list[list[str]]:
    """The words after each `milesync` in shell blocks."""
    return _calls(block_lines(page))


def span_calls(page: str) -> list[list[str]]:
    """The words after each `milesync` in code spans."""
    return _calls(token.content for token in tokens(page) if token.type == "code_inline")


def calls(page: str) -> list[list[str]]:
    """The words after each `milesync` in shell blocks and in code spans."""
    return [*block_calls(page), *span_calls(page)]


def test_the_pages_are_found() -> None:
    assert {"README.md", "CHANGELOG.md", "docs/lifecycle.md", "tests/README.md"} <= set(PAGES)
    assert len(HOW_TO) == 3


@pytest.mark.parametrize("page", PAGES)
def test_every_link_and_picture_leads_somewhere(page: str) -> None:
    found = [str(t.attrs.get("href") or t.attrs.get("src")) for t in tokens(page) if t.type in ("link_open", "image")]
    local = [link.partition("#")[0] for link in found if "://" not in link and not link.startswith("#")]
    assert [link for link in local if not ((ROOT / page).parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_flag_exists(page: str) -> None:
    assert [words for words in calls(page) if unknown_words(words)] == []


@pytest.mark.parametrize("page", PAGES)
def test_no_page_names_this_machine_or_shows_a_token(page: str) -> None:
    assert not re.search(r"/(root|work|home/\w+)/|ghp_|github_pat_|glpat-|ATATT", text(page))


@pytest.mark.parametrize("page", PAGES)
def test_every_target_of_make_exists(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = [line.split()[1] for line in block_lines(page) if line.startswith("make ")]
    named += [match[1] for token in tokens(page) if (match := re.fullmatch(r"make ([\w-]+)", token.content))]
    assert [target for target in named if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_the_readme_has_a_demo_and_the_tests() -> None:
    assert {"make demo", "make test"} <= set(block_lines("README.md"))


def test_the_table_of_commands_names_each_and_says_what_it_writes() -> None:
    table = text("docs/reference/commands.md").partition("\n## ")[0]
    assert set(re.findall(r"^\| `milesync ([\w-]+)", table, re.MULTILINE)) == set(commands())
    assert set(reference.WRITES) <= set(commands())


SHIPPED = [
    path.relative_to(ROOT).as_posix()
    for folder in ("charts", "config", "connectors", "cron", "sync", "templates")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in {".md", ".py", ".tmpl", ".toml", ".tpl", ".txt", ".yaml", ".yml"}
]


@pytest.mark.parametrize("page", [*PAGES, *SHIPPED, "Dockerfile", "action.yml"])
def test_no_page_or_message_installs_a_name_that_is_not_published(page: str) -> None:
    program = r"(?:uvx|(?:pip3?|pipx|uv tool|uv pip) (?:install|run))"
    bare = program + r" (?:-[\w-]+ )*['\"]?milesync(?:\[[\w,]+\])?['\"]?(?=[\s`]|$)"
    found = [match[0] for match in re.finditer(bare, text(page), re.MULTILINE)]
    assert found == []


@pytest.mark.parametrize("page", ["README.md", *HOW_TO])
def test_the_configurations_on_a_page_are_right_each_alone_and_together(page: str, tmp_path: Path) -> None:
    first, *more = blocks(page, "toml")
    path = tmp_path / "milesync.toml"
    for end in range(1, len(more) + 2):
        path.write_text("\n".join([first, *more][:end]), encoding="utf-8")
        settings = load(path, {})
        assert settings.policy == "plan", "a page begins by writing nothing"
    if page in HOW_TO:
        (connection,) = settings.connections.values()
        policies = [settings.policy_for(next(iter(settings.connections)), project) for project in connection.project]
        assert policies == ["create"]


def test_the_least_rights_in_the_readme_are_those_of_the_pages() -> None:
    for page, word in zip(HOW_TO, ("Pull requests", "read_api", "personal access token"), strict=True):
        assert word in text("README.md")
        assert word in text(page)
        assert page in text("README.md")


def test_exit_codes() -> None:
    from sync.cli import options as cli

    page = "docs/reference/exit-codes.md"
    rows = dict(re.findall(r"^\| (\d) \| (.*?) \|", text(page), re.MULTILINE))
    assert rows.keys() == {"0", "1", "2", "3", "4"}
    words = {cli.ERROR: "error", cli.CHANGES: "changes", cli.PARTLY: "a part", cli.REFUSED: "refused"}
    assert all(word in rows[str(code)] for code, word in words.items())
    assert "first of 1, 4, 3, 2 wins" in text(page)


def test_the_figures_of_the_forecast_are_those_of_the_code() -> None:
    page, rules = " ".join(text("docs/explanation/forecast.md").split()), Rules()
    said = {
        f"(weight {rules.weight_survival})",
        f"({rules.weight_reference:.2f})",
        f"({rules.weight_closures})",
        f"At least {rules.on_track:.0%}",
        f"At least {rules.off_track:.0%}",
        f"{rules.margin * 100:.0f} points",
        f"reaches {rules.target:.0%}",
        "a tenth" if rules.scope_jump == 0.1 else "?",
        "fewer than three items" if rules.least_items == 3 else "?",
        f"last {rules.stream_window} of its own series",
        f"last {rules.kind_window} of other series",
        f"fewer than {rules.stream_least} earlier milestones",
        f"(weights {rules.weight_survival_dates} and {rules.weight_reference_dates})",
        "at most one in five" if (usual.RARELY, usual.LEAST_MILESTONES) == (0.2, 4) else "?",
    }
    assert {figure for figure in said if figure not in page} == set()


def test_measured_figures_of_the_forecast_are_in_printed_blocks_only() -> None:
    """Figures of a measurement change with each method; `tests/e2e/test_backtest.py` compares the blocks."""
    page = text("docs/explanation/forecast.md")
    measured = page[page.index("## What it can't know") :]
    prose = re.sub(r"```.*?```|`[^`]*`|\(\.\./[^)]*\)|^#.*?$", "", measured, flags=re.DOTALL | re.MULTILINE)
    sentences = (sentence.strip() for sentence in re.split(r"(?<=\.)\s", prose))
    assert [words for words in sentences if re.search(r"\d", words) and not words.startswith("Printed on 20")] == []


def test_decisions_are_numbered_without_gaps_and_say_why() -> None:
    records = [page for page in PAGES if page.startswith("docs/adr/")]
    numbers = [int(Path(page).name[:4]) for page in records]
    assert numbers == list(range(1, len(records) + 1))
    for page, number in zip(records, numbers, strict=True):
        assert text(page).startswith(f"# {number:04d}. ")
        assert re.search(r"^Status: (proposed|accepted|superseded by \d{4})", text(page), re.MULTILINE)
        assert [h for h in ("Context", "Decision", "Consequences") if f"\n## {h}\n" not in text(page)] == []


def test_every_folder_of_tests_has_its_line() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name[0] not in "._"}
    assert set(re.findall(r"^\| `(\w+)/` \|", text("tests/README.md"), re.MULTILINE)) == folders


def test_the_changelog_names_the_version_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"## [{project['version']}]" in text("CHANGELOG.md")


def test_the_page_of_commands_is_the_generated_one() -> None:
    from sync.cli.reference import reference

    assert text("docs/reference/commands.md") == reference(), (
        "run: python -m sync.cli.reference > docs/reference/commands.md"
    )


def test_the_page_of_commands_has_each_command_with_its_flags() -> None:
    page = text("docs/reference/commands.md")
    assert {heading.split()[1] for heading in re.findall(r"^## (.*)", page, re.MULTILINE)} == set(commands())
    run = page.partition("## milesync run")[2].partition("## ")[0]
    assert "| `--first-run` | Create the database if it does not exist. |" in run
    assert "## milesync db export FILE" in page


def test_every_message_that_is_explained_is_one_that_the_program_says() -> None:
    rows = re.findall(r"^\| `(.*?)` \| (.+) \|$", text("docs/how-to/troubleshoot.md"), re.MULTILINE)
    said = "\n".join(
        path.read_text(encoding="utf-8")
        for name in ("sync", "config", "connectors")
        for path in (ROOT / name).rglob("*.py")
    )
    said = re.sub(r"\{kind\.name\}", "Task", said)
    assert len(rows) > 20
    assert [message for message, _ in rows if message not in said] == []


def test_the_page_about_installing_names_every_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    table = text("docs/how-to/install.md").partition("| extra | for |")[2].partition("\n\n")[0]
    first_cells = " ".join(line.split("|")[1] for line in table.splitlines() if line)
    assert set(re.findall(r"`([a-z]+)`", first_cells)) == set(extras)


def test_every_error_of_a_tracker_or_of_the_store_is_explained() -> None:
    from sync.store import database

    page = text("docs/how-to/troubleshoot.md")
    kinds = [
        kind
        for module, base in ((errors, errors.TrackerError), (database, database.StoreError))
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, base) and kind is not base
    ]
    explained = re.findall(r"^\| `(.*?)` \|", page, re.MULTILINE)
    assert len(kinds) > 8
    assert [k.__name__ for k in kinds if not any(words in str(k.__doc__) for words in explained)] == []


@pytest.mark.parametrize("type_", [Project, Milestone, Issue])
def test_a_table_says_where_each_field_of_the_model_comes_from(type_: type[msgspec.Struct]) -> None:
    table = text("docs/how-to/write-a-connector.md").partition(f"### `{type_.__name__}`")[2].partition("\n#")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(type_.__struct_fields__)
    assert all(line.count("|") == 7 and line.rstrip(" |") for line in table.splitlines() if line.startswith("| `"))
