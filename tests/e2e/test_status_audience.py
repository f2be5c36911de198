"""`status` for one audience and in Markdown: the summary of a job whose readers may read less than the operator."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from connectors.sandbox.world import World
from tests.e2e.in_process import milesync
from tests.e2e.small_world import served, small_world

HOSTILE = "a | b `c` <script>x</script> @ada #1 [l](http://evil.example) ![i](http://evil.example/i.png) \\| \u202e end"


def world_with_a_private_project() -> World:
    """The small world, whose GitLab project is private, with a milestone of a hostile title on GitHub."""
    world, now = small_world(), datetime.now(UTC).replace(microsecond=0)
    next(iter(world.gitlab.projects.values())).private = True
    (project,), author = world.github.projects.values(), world.github.user("ada", "Ada Fox")
    start = now - timedelta(days=20)
    milestone = world.github.milestone(project, HOSTILE, at=start, due=(now + timedelta(days=20)).date())
    for n in range(4):
        issue = world.github.issue(project, f"Odd task {n}", author, at=start)
        world.github.move(project, issue, [milestone.id], author, start)
    return world


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with served(tmp_path_factory.mktemp("status"), world_with_a_private_project()) as (_, config):
        assert milesync("run", "--first-run", config=config).code == 0
        yield config


def rendered_rows(text: str) -> list[list[str]]:
    """Parse a document in Markdown, which must be one table, and return the HTML of its cells."""
    html = MarkdownIt("commonmark").enable("table").render(text)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)]


def test_the_table_in_markdown_has_the_figures_of_the_terminal(config: Path) -> None:
    table = milesync("status", config=config).out
    head, *rows = rendered_rows(milesync("status", "--markdown", config=config).out)
    assert head == ["Status", "In time", "Due", "85% sure", "Done", "Milestone"]
    assert len(rows) == 3
    for status, probability, due, sure, done, name in rows:
        written = re.findall(r"<code>(.*?)</code>", name)[0]
        (line,) = [line for line in table.splitlines() if written in line and line.startswith(status)]
        assert (
            re.split(r"\s{2,}", line.replace(f"{status} ", f"{status}  ", 1))[:5]
            == [
                *(cell for cell in (status, probability, due, sure, done) if cell),
                *([] if probability else [re.split(r"\s{2,}", line)[-1]]),
            ][:5]
        )


def test_a_title_stays_text_in_its_cell(config: Path) -> None:
    done = milesync("status", "--markdown", config=config)
    (row,) = [row for row in rendered_rows(done.out) if "script" in row[-1]]
    assert len(row) == 6, "a pipe in a title ends no cell"
    assert re.findall(r"<(?!/?code>)[^>]*>", row[-1].partition("</a>")[2]) == []
    assert "evil.example" in row[-1]
    assert "\u202e" not in done.out


@pytest.mark.parametrize("form", [(), ("--markdown",), ("--json",)], ids=["table", "markdown", "json"])
def test_an_audience_sees_nothing_else(config: Path, form: tuple[str, ...]) -> None:
    whole = milesync("status", *form, config=config)
    public = milesync("status", *form, "--audience", "public", config=config)
    assert whole.code == public.code == 0
    assert "acme/api" in whole.out
    assert "gh:acme/app" in public.out
    assert not re.search(r"acme/api|gl", public.out + public.err)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--audience", "nobody"), "no audience 'nobody'"),
        (("--calibration", "--markdown"), "leave out the other option"),
        (("--calibration", "--audience", "public"), "leave out the other option"),
        (("--json", "--markdown"), "choose --json or --markdown"),
    ],
)
def test_options_that_do_not_fit_are_errors(config: Path, words: tuple[str, ...], message: str) -> None:
    done = milesync("status", *words, config=config)
    assert done.code == 1
    assert message in done.err
    assert done.out.strip() == ""
