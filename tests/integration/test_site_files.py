"""The files of the report: which of them a build writes, and which it leaves as they are."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from shutil import copytree
from typing import Any

import msgspec
import pytest
from sqlalchemy import event

from sync.engine.engine import Engine
from sync.model.audience import OPERATOR, Audience
from sync.site.calibration import GivenDates, ReplayResult
from sync.site.contents import Contents, gather
from sync.site.milestone_page import MilestonePage, PageNumbers
from tests.sample_site import JOINT, NOW, WAITS, installation, small

build_module = pytest.importorskip("sync.site.build", reason="no Jinja2 here: the extra `site`")
build, CONTENT, MANIFEST, TIMES = (getattr(build_module, name) for name in ("build", "CONTENT", "MANIFEST", "TIMES"))

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with installation(small(), joints=(JOINT,), dependencies=WAITS) as made:
        yield made


def gathered(engine: Engine, later: timedelta = timedelta(0), audience: Audience = OPERATOR) -> Contents:
    """The contents of a report that is made ``later``; nothing else has happened since."""
    return gather(engine.store, engine.connections, NOW + later, engine.rules, audience)


@pytest.fixture(scope="module")
def contents(engine: Engine) -> Contents:
    return gathered(engine)


@pytest.fixture(scope="module")
def built(contents: Contents, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A report, and the number of its files."""
    folder = tmp_path_factory.mktemp("built")
    return folder, build(contents, folder, b"{}").files


@pytest.fixture
def report(built: tuple[Path, int], tmp_path: Path) -> Path:
    """A copy of that report, with the times of its files."""
    return copytree(built[0], tmp_path / "report")


def state(out: Path) -> dict[str, tuple[int, bytes]]:
    """The time of change and the bytes of each page and its data."""
    return {str(path.relative_to(out)): (path.stat().st_mtime_ns, path.read_bytes()) for path in out.glob("m/*")}


def files(out: Path) -> dict[str, bytes]:
    """The bytes of every file."""
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_a_report_holds_the_issues_of_the_assessment_before_it(
    engine: Engine, contents: Contents, tmp_path: Path
) -> None:
    running = [own for own in engine.assess(keep=False) if own.is_running]
    held = {(own.uid, row.item): own.issues[row.item] for own in running for row in own.memberships}
    made = gather(engine.store, engine.connections, NOW, engine.rules, OPERATOR, known=engine.portfolio)
    found = {own.uid: own for own in made.assessed}
    assert held
    assert all(found[uid].issues[item] is issue for (uid, item), issue in held.items())
    build(made, tmp_path / "shared", b"{}")
    build(contents, tmp_path / "alone", b"{}")
    assert files(tmp_path / "shared") == files(tmp_path / "alone")


def test_a_later_report_leaves_each_unchanged_page_as_it_is(engine: Engine, contents: Contents, tmp_path: Path) -> None:
    first = build(contents, tmp_path, b"{}")
    before, times = state(tmp_path), (tmp_path / TIMES).read_text()
    second = build(gathered(engine, HOUR), tmp_path, b"{}")
    assert first.written == first.files == second.files > 20
    assert state(tmp_path) == before
    assert "06:30 UTC" in times
    assert "07:30 UTC" in (tmp_path / TIMES).read_text()
    for name, at in ((build_module.INDEX, "07:30"), (build_module.CALIBRATION, "06:30")):
        assert "As of" in (tmp_path / name).read_text()
        assert f"{at} UTC" in (tmp_path / name).read_text()
    assert second.written == 2


def test_a_report_of_the_next_day_is_written(engine: Engine, contents: Contents, report: Path) -> None:
    before = state(report)
    build(gathered(engine, 24 * HOUR), report, b"{}")
    after = state(report)
    running = [page.row.page for page in contents.pages if not page.health.status.is_over and page.health.due]
    assert running
    for name in running:
        assert before[name][1] != after[name][1], "the days left"


def _renamed(page: MilestonePage) -> MilestonePage:
    return dataclasses.replace(page, row=dataclasses.replace(page.row, title="Another title"))


def _other_probability(page: MilestonePage) -> MilestonePage:
    health = msgspec.structs.replace(page.health, probability=0.123456)
    facts = msgspec.structs.replace(page.row.facts, health=health)
    return dataclasses.replace(page, row=dataclasses.replace(page.row, facts=facts))


CHANGES: dict[str, Callable[[MilestonePage], MilestonePage]] = {
    "title": _renamed,
    "probability": _other_probability,
    "verdict": lambda page: dataclasses.replace(page, verdict="<p>Another verdict</p>"),
    "chart": lambda page: dataclasses.replace(page, chart=None),
    "reasons": lambda page: dataclasses.replace(page, reasons=()),
    "levers": lambda page: dataclasses.replace(page, levers=()),
    "team words": lambda page: dataclasses.replace(page, team_words="<ul><li>Decide</li></ul>"),
    "scope": lambda page: dataclasses.replace(page, scope=()),
    "people": lambda page: dataclasses.replace(page, people=()),
    "attention": lambda page: dataclasses.replace(page, attention=()),
    "history": lambda page: dataclasses.replace(page, history=()),
    "status issue": lambda page: dataclasses.replace(page, status_issue="https://tracker.example/1"),
    "record": lambda page: dataclasses.replace(page, record="<p>Closed</p>"),
    "reliability": lambda page: dataclasses.replace(page, reliability=None),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_input_rewrites_its_page_and_no_other(contents: Contents, report: Path, name: str) -> None:
    before = state(report)
    page = next(
        page
        for page in contents.pages
        if page.chart and page.levers and page.scope and page.attention and page.reliability
    )
    pages = tuple(CHANGES[name](page) if page is own else own for own in contents.pages)
    build(dataclasses.replace(contents, pages=pages), report, b"{}")
    after = state(report)
    changed = {file for file in after if after[file] != before[file]}
    assert page.row.page in changed
    assert changed <= {page.row.page, page.row.page.replace(".html", ".json")}


def test_other_numbers_rewrite_their_page_and_its_data(contents: Contents, report: Path) -> None:
    before, page = state(report), contents.pages[0]
    asked: list[str] = []

    def numbers(uids: Collection[str]) -> Mapping[str, PageNumbers]:
        asked.extend(uids)
        return {uid: PageNumbers({**own.explained, "another": 1}) for uid, own in contents.numbers(uids).items()}

    build(dataclasses.replace(contents, numbers=numbers), report, b"{}")
    assert (asked, state(report)) == ([], before), "their digest is the same"
    pages = tuple(dataclasses.replace(own, inputs="another") if own is page else own for own in contents.pages)
    build(dataclasses.replace(contents, pages=pages, numbers=numbers), report, b"{}")
    after = state(report)
    assert asked == [page.row.uid]
    assert {file for file in after if after[file] != before[file]} == {
        page.row.page,
        page.row.page.replace(".html", ".json"),
    }


CALIBRATION_CHANGES: dict[str, dict[str, Any]] = {
    "history": {"replay_inputs": "another"},
    "reliabilities": {"reliabilities": ()},
    "given dates": {"given_dates": (GivenDates("app/Release", "85%", ("8 of 12: 67%",) * 5),)},
    "least dates": {"least_dates": 1},
    "address": {"is_local": True},
}


@pytest.mark.parametrize("name", [*CALIBRATION_CHANGES, "nothing"])
def test_the_back_test_is_computed_when_an_input_of_its_page_changes(
    contents: Contents, report: Path, name: str
) -> None:
    before, asked = inputs(report), list[str]()

    def replay() -> ReplayResult:
        asked.append(name)
        return contents.replay()

    changed = dataclasses.replace(contents, replay=replay, **CALIBRATION_CHANGES.get(name, {}))
    build(changed, report, b"{}")
    after = inputs(report)
    expected = [] if name == "nothing" else [build_module.CALIBRATION]
    assert [page for page in after if after[page] != before[page]] == expected
    assert asked == [name] * len(expected)


def test_a_build_reads_nothing_from_the_store_after_its_contents(engine: Engine, tmp_path: Path) -> None:
    """A run may write between the two, and the pages show one state."""
    made, asked = gathered(engine), list[str]()
    database = engine.store._engine

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(database, "before_cursor_execute", note)
    try:
        build(made, tmp_path, b"{}")
    finally:
        event.remove(database, "before_cursor_execute", note)
    assert (tmp_path / build_module.CALIBRATION).exists()
    assert asked == []


def test_other_code_renders_every_page_again(contents: Contents, report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(build_module, "_program", lambda: "another version")

    def numbers(uids: Collection[str]) -> Mapping[str, PageNumbers]:
        asked.extend(uids)
        return contents.numbers(uids)

    build(dataclasses.replace(contents, numbers=numbers), report, b"{}")
    assert sorted(asked) == sorted(page.row.uid for page in contents.pages)


@pytest.mark.parametrize("library", ["holidays", "jinja2", "markupsafe", "msgspec", "numpy"])
def test_another_version_of_a_library_renders_every_page_again(
    contents: Contents, report: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    before = inputs(report)
    monkeypatch.setattr(build_module, "version", lambda name: "another" if name == library else version(name))
    build_module._program.cache_clear()
    build(contents, report, b"{}")
    build_module._program.cache_clear()
    after = inputs(report)
    assert before
    assert [page for page in before if after[page] == before[page]] == []


def inputs(folder: Path) -> dict[str, str]:
    """Return the hash of the inputs of each page in a report."""
    known = json.loads((folder / build_module.CONTENT).read_text())
    return {name: own["inputs"] for name, own in known.items() if own["inputs"]}


def test_another_audience_rewrites_every_page(engine: Engine, contents: Contents, report: Path) -> None:
    before = state(report)
    narrow = gathered(engine, audience=Audience("public"))
    build(narrow, report, b"{}")
    after = state(report)
    pages = {page.row.page for page in narrow.pages} | {page.row.page for page in narrow.joint_pages}
    assert {file for file in after if file.endswith(".html")} == pages
    assert not any(after[name][1] == before[name][1] for name in pages)
    assert b"vault" not in (report / TIMES).read_bytes()
    assert b"vault" not in (report / CONTENT).read_bytes()


def test_another_template_rewrites_every_page(
    contents: Contents, report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(report)
    monkeypatch.setattr(build_module, "POLICY", "default-src 'none'")
    build(contents, report, b"{}")
    after = state(report)
    assert not any(after[name] == before[name] for name in after if name.endswith(".html"))


def test_the_page_of_a_milestone_that_is_gone_goes(contents: Contents, report: Path) -> None:
    build(dataclasses.replace(contents, pages=contents.pages[1:]), report, b"{}")
    gone = contents.pages[0].row.page
    assert not (report / gone).exists()
    assert not (report / gone.replace(".html", ".json")).exists()
    assert gone not in (report / CONTENT).read_text()
    assert (report / contents.pages[1].row.page).exists()


@pytest.mark.parametrize("damage", ["changed", "deleted", "deleted with its data"])
def test_a_damaged_page_is_written_again(contents: Contents, report: Path, damage: str) -> None:
    before = state(report)
    page = report / contents.pages[0].row.page
    page.unlink()
    if damage == "changed":
        page.write_bytes(b"<h1>Half a pa")
    elif damage == "deleted with its data":
        page.with_suffix(".json").unlink()
    assert build(contents, report, b"{}").written == (2 if damage == "deleted with its data" else 1)
    assert {name: body for name, (_, body) in state(report).items()} == {n: body for n, (_, body) in before.items()}


def test_a_build_that_stopped_at_any_file_is_completed_by_the_next(
    contents: Contents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its audience may have been another one, so no page of it may stay."""
    few = dataclasses.replace(contents, pages=contents.pages[:2], joint_pages=())
    changed = dataclasses.replace(few, audience="another")
    replace, left = Path.replace, 0

    def stopping(path: Path, target: Path) -> Path:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return replace(path, target)

    before, wanted = tmp_path / "before", tmp_path / "wanted"
    build(few, before, b"{}")
    build(changed, wanted, b"{}")
    for stop in range(12):
        out = copytree(before, tmp_path / str(stop))
        left = stop
        with monkeypatch.context() as patched:
            patched.setattr(Path, "replace", stopping)
            with suppress(KeyboardInterrupt):
                build(changed, out, b"{}")
        build(changed, out, b"{}")
        assert files(out) == files(wanted), stop
    assert left >= 0, "the last build did not stop"


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"index.html": 1}', "\udcff"])
def test_damaged_hashes_write_everything(
    contents: Contents, built: tuple[Path, int], report: Path, text: str | None
) -> None:
    known = report / CONTENT
    known.unlink()
    if text is not None:
        known.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert build(contents, report, b"{}").written == built[1]
    assert build(contents, report, b"{}").written == 0
    assert set(json.loads(known.read_bytes())) == set((report / MANIFEST).read_text().split())
