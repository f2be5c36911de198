"""The report that each run makes: where the configuration names a folder, and what a failure of it may not touch."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.world import World
from tests.e2e.in_process import Done, milesync
from tests.e2e.small_world import ours, served
from tests.sample_site import contents, installation, project, series

build: Any = pytest.importorskip("sync.site.build", reason="no Jinja2 or Vega-Lite here: the extra `site`").build

REPORT = '[report]\nout = "pages"\nbase_url = "https://acme.example/health/"\n'


def run(config: Path, tables: str, *words: str) -> Done:
    text = config.read_text().split("[report]")[0]
    config.write_text(f"{text}\n{tables}")
    return milesync("run", "--json", "--config", str(config), *words)


def bodies(world: World) -> list[str]:
    return [*ours(world.github), *ours(world.gitlab)]


def test_a_run_makes_the_report_and_comments_link_to_its_pages(tmp_path: Path) -> None:
    with served(tmp_path) as (world, config):
        assert run(config, REPORT, "--first-run").code == 0
        told = bodies(world)
        again = run(config, REPORT)
    assert told
    for body in told:
        name = body.split("(https://acme.example/health/")[1].split(")")[0]
        assert (tmp_path / "pages" / name).is_file()
    assert again.document["writes"]["planned"] == 0
    assert not list((tmp_path / "pages").glob(".milesync-*"))


def test_a_new_address_is_one_edit_of_each_comment(tmp_path: Path) -> None:
    with served(tmp_path) as (world, config):
        assert run(config, "", "--first-run").code == 0
        assert not any("acme.example" in body for body in bodies(world))
        count = len(bodies(world))
        first, second = run(config, REPORT), run(config, REPORT)
    assert (first.document["writes"]["applied"], second.document["writes"]["applied"]) == (count, 0)


def test_no_comment_links_to_a_page_that_its_report_does_not_have(tmp_path: Path) -> None:
    with served(tmp_path) as (world, config):
        assert run(config, REPORT + 'audience = "gl:acme/api"\n', "--first-run").code == 0
        github, gitlab = ours(world.github), ours(world.gitlab)
    assert not any("acme.example" in body for body in github)
    assert all("acme.example" in body for body in gitlab)
    assert len(list((tmp_path / "pages" / "m").glob("*.html"))) == 2


def test_a_failed_report_is_reported_and_the_writes_stay(tmp_path: Path) -> None:
    (tmp_path / "pages").write_text("in the way")
    with served(tmp_path) as (world, config):
        done = run(config, REPORT, "--first-run")
        assert bodies(world)
    assert done.code == 3
    assert done.document["writes"]["applied"] == done.document["writes"]["planned"] > 0
    (error,) = done.document["errors"]
    assert error["connection"] == "report"
    assert "the report was not made" in error["error"]


def test_an_audience_without_members_gets_no_report(tmp_path: Path) -> None:
    with served(tmp_path) as (_, config):
        done = run(config, REPORT + 'audience = "nobody"\n', "--first-run")
    assert done.code == 3
    assert "no audience 'nobody'" in done.document["errors"][0]["error"]
    assert not (tmp_path / "pages" / "index.html").exists()


def test_the_command_takes_folder_and_audience_from_the_configuration(tmp_path: Path) -> None:
    with served(tmp_path) as (_, config):
        assert run(config, "", "--first-run").code == 0
        bare = milesync("report", "--config", str(config))
        assert run(config, REPORT.replace("pages", "elsewhere")).code == 0
        done = milesync("report", "--json", "--config", str(config))
    assert (bare.code, "--out" in bare.err) == (1, True)
    assert done.document["out"] == str(tmp_path / "elsewhere")
    held = json.loads((tmp_path / "elsewhere" / "status.json").read_text())["milestones"]
    assert len(held) == 4


def test_a_broken_build_leaves_the_old_report_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    with installation({"gh": [series(project("acme/app"), earlier=3)]}, daily=False) as engine:
        made = contents(engine)
    build(made, tmp_path, b"{}")
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(AttributeError):
        build(replace(made, at=made.at + timedelta(days=1), joint_pages=(None,)), tmp_path, b"[]")  # type: ignore[arg-type]
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
    (tmp_path / ".milesync-killed").mkdir()  # what a build leaves that was killed
    build(made, tmp_path, b"{}")
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
    assert not list(tmp_path.glob(".milesync-*"))
