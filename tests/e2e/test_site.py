"""The report in a real browser: every page, both themes, three widths, by keyboard, with hostile text, and in bulk.

The golden images are in ``tests/golden/site``. ``python -m tests.e2e.test_site`` draws them again, for review.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PIL import Image, ImageChops, ImageStat

from sync.assess.milestone import AssessedMilestone
from sync.assess.relations import build_portfolio
from sync.cli import output
from sync.engine.engine import Engine
from sync.health.closing import FinishedMilestone, closing_record
from sync.model.audience import Audience
from sync.model.health import Status
from sync.model.published import PublishedForecast
from sync.report.page_links import has_page
from sync.site.contents import Contents
from tests.e2e.in_process import milesync
from tests.e2e.subprocesses import sandbox
from tests.property.hostile_text import PARTS
from tests.sample_site import JOINT, NOW, WAITS, contents, installation, project, reading, series, small

playwright_api = pytest.importorskip("playwright.sync_api", reason="no Playwright here: pip install playwright")
site = pytest.importorskip("sync.site.build", reason="no Jinja2 or Vega-Lite here: the extra `site`")

GOLDEN = Path(__file__).parents[1] / "golden" / "site"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--font-render-hinting=none"),
]
FONTS = Path("/usr/share/fonts/truetype/dejavu")
FONTS_CONF = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><dir>{folder}</dir>
<selectfont><rejectfont><glob>*</glob></rejectfont><acceptfont><glob>*/DejaVuSans.ttf</glob></acceptfont>
<acceptfont><glob>*/DejaVuSans-Bold.ttf</glob></acceptfont></selectfont>
</fontconfig>"""
DATA = Path(__file__).parents[3] / "shared" / "data"
WIDTHS = (1280, 768, 360)
THEMES = ("light", "dark")
TOLERANCE = 6.0
"""Mean difference of a pixel, of 255, that fonts of another machine may make."""

AXE = "axe-core@4.14.1"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")


def document(made: Contents) -> bytes:
    """Return the document of `status --json` for these milestones."""
    return msgspec.json.encode({"milestones": output.milestone_rows(made.assessed, made.joints)})


class Report:
    """A built report and its contents."""

    def __init__(self, made: Contents, out: Path) -> None:
        self.made, self.out = made, out
        self.built = site.build(made, out, document(made))

        self.closed = ""

    def page_of(self, status: Status) -> str:
        return next(r.page for r in self.made.rows if r.health.status is status and r.page)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    with installation(small(), joints=(JOINT,), dependencies=WAITS) as engine:
        closed = _with_record(engine)
        made = Report(contents(engine), tmp_path_factory.mktemp("report"))
        made.closed = closed
        return made


def launched(playwright: Any) -> Any:
    """Chromium with one font, the one that Debian's fontconfig brings: text breaks alike on every such machine."""
    fonts = Path(tempfile.gettempdir()) / "milesync-fonts.conf"
    fonts.write_text(FONTS_CONF.format(folder=FONTS), encoding="utf-8")
    known = {"env": {**os.environ, "FONTCONFIG_FILE": str(fonts)}} if FONTS.is_dir() else {}
    return playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, **known)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright_api.sync_playwright() as playwright:
        opened = launched(playwright)
        yield opened
        opened.close()


@contextmanager
def visits(browser: Any, *, theme: str = "light", width: int = 1280, quiet: bool = True) -> Iterator[Any]:
    """A window at the report's own time; what it says to the console, or asks of the network, fails the test."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme, bypass_csp=not quiet)
    page = context.new_page()
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("dialog", lambda dialog: heard.append(f"dialog {dialog.message}"))
    page.on("request", lambda request: heard.append(request.url) if not request.url.startswith("file:") else None)
    page.clock.set_fixed_time(NOW)
    yield page
    context.close()
    assert not quiet or heard == []


@contextmanager
def visit(
    browser: Any, out: Path, name: str, *, theme: str = "light", width: int = 1280, quiet: bool = True
) -> Iterator[Any]:
    """One page of a report."""
    with visits(browser, theme=theme, width=width, quiet=quiet) as page:
        page.goto((out / name).as_uri())
        yield page


def names(report: Report) -> dict[str, str]:
    """The pages that are looked at."""
    risky = next(r.page for r in report.made.rows if r.health.probability is not None and r.page and r.why)
    joint = report.made.joint_pages[0].row.page
    return {"portfolio": "index.html", "milestone": risky, "joint": joint, "calibration": "calibration.html"}


def _with_record(engine: Engine) -> str:
    """Give a milestone that ended lately a closing record, as the run that saw it end does; its uid."""
    done = next(milestone for milestone in build_portfolio(reading(engine)).milestones if page_stays(milestone))
    told = [
        PublishedForecast(at=NOW - timedelta(days=40), probability=0.4),
        PublishedForecast(at=NOW - timedelta(days=30), probability=0.8),
    ]
    finished = FinishedMilestone(
        health=done.health,
        title=done.milestone.title,
        url=done.milestone.url,
        project=done.project.key,
        ended_on=done.milestone.closed_on(done.connection.zone),
        zone=done.connection.zone,
        memberships=done.memberships,
        issues=done.issues,
        due_dates=done.due_dates,
        forecasts=told,
        criteria=done.criteria,
    )
    engine.store.save_records([closing_record(finished)])
    return done.uid


def page_stays(milestone: AssessedMilestone) -> bool:
    """Check that a milestone that has ended still has a page."""
    return not milestone.is_running and has_page(milestone.is_running, milestone.milestone.closed_at, NOW)


# --- every page -----------------------------------------------------------------------------------------------------


def test_every_page_opens_in_both_themes_at_every_width_without_a_word_in_the_console(
    browser: Any, report: Report
) -> None:
    pages = ["index.html", "calibration.html", *(r.page for r in report.made.rows if r.page)]
    assert len(pages) == report.built.pages + 2 > 10
    for theme, width in (("light", 1280), ("dark", 360)):
        with visits(browser, theme=theme, width=width) as page:
            for name in pages:
                page.goto((report.out / name).as_uri())
                assert page.locator("h1").count() == 1
                assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is wider than {width}"


def test_each_link_within_the_report_leads_somewhere(report: Report) -> None:
    for file in report.out.rglob("*.html"):
        for target in re.findall(r'(?:href|src)="([^"#]+)"', file.read_text()):
            if not target.startswith("https://"):
                assert (file.parent / target).is_file(), f"{file.name}: {target}"


def test_the_numbers_are_those_of_status_to_the_digit(browser: Any, report: Report) -> None:
    told = {row["id"]: row for row in json.loads((report.out / "status.json").read_text())["milestones"]}
    counts = {row.written: row.health.counts for row in report.made.rows}
    with visit(browser, report.out, "index.html") as page:
        shown = page.evaluate("""[...document.querySelectorAll('#milestones tbody tr')].map(row => ({
            id: row.querySelector('.id').textContent, status: row.dataset.s,
            p: row.querySelector('data')?.value ?? null, p50: row.cells[3].dataset.k, due: row.cells[4].dataset.k,
            done: row.cells[5].textContent.trim()}))""")
    assert len(shown) == len(told)
    for row in shown:
        want = told[row["id"]]
        assert row["status"] == want["status"]
        assert (None if row["p"] is None else float(row["p"])) == want["probability"]
        assert (row["p50"] or None, row["due"] or None) == (want["p50"], want["due"])
        assert row["done"] == f"{counts[row['id']].done}/{counts[row['id']].total}"
        assert (counts[row["id"]].open, counts[row["id"]].closed) == (want["open"], want["closed"])


def test_the_numbers_on_each_page_are_those_too(browser: Any, report: Report) -> None:
    told = {row["id"]: row for row in json.loads((report.out / "status.json").read_text())["milestones"]}
    with visits(browser) as page:
        for r in report.made.rows:
            if not r.page:
                continue
            page.goto((report.out / r.page).as_uri())
            shown = page.evaluate("""({p: document.querySelector('.big data')?.value ?? null,
                dates: [...document.querySelectorAll('.big + dl time')].map(one => one.dateTime)})""")
            want = told[r.written]
            assert (None if shown["p"] is None else float(shown["p"])) == want["probability"]
            assert shown["dates"] == [want[name] for name in ("due", "p50", "p85", "p95") if want[name]]
            explained = json.loads((report.out / r.page.replace(".html", ".json")).read_text())
            assert explained["health"]["probability"] == want["probability"]


def test_a_joint_milestone_leads_to_its_members_and_what_waits_to_what_it_waits_for(
    browser: Any, report: Report
) -> None:
    (joint,) = report.made.joint_pages
    with visit(browser, report.out, joint.row.page) as page:
        members = page.locator("table.list tbody tr").all_inner_texts()
        assert [any(name in text for text in members) for name in JOINT.members] == [True, True]
        page.click("table.list a:has-text('app 9')")
        assert page.locator("h1").inner_text() == "app 9"
    (late,) = (page for page in report.made.pages if page.before)
    assert report.made.numbers({late.row.uid})[late.row.uid].alone is not None
    with visit(browser, report.out, late.row.page) as page:
        assert "app 11" in page.locator("section:has(> #before)").inner_text()
        assert "Without its dependencies" in page.locator("main").inner_text()
        page.click("section:has(> #before) a")
        assert "api 8" in page.locator("section:has(> #after)").inner_text()


def test_a_finished_milestone_shows_its_closing_record(browser: Any, report: Report) -> None:
    (done,) = (page for page in report.made.pages if page.row.uid == report.closed)
    with visit(browser, report.out, done.row.page) as page:
        told = page.locator(".record").text_content()
    assert "done on" in told.casefold() or "ended on" in told.casefold()
    assert "40%" in told


def test_it_is_worst_first(report: Report) -> None:
    ranks = [r.facts.rank for r in report.made.rows]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) >= 3


def made_by_command(folder: Path, *words: str, only: Sequence[str] = (), load: Sequence[str] = ()) -> Path:
    """A report of the sandbox's trackers, made as a user makes it; nothing is written to them."""
    with sandbox(folder, *load, only=only) as file:
        config = ("--config", str(file))
        assert milesync("pull", *config).code == 0
        done = milesync("report", "--out", str(folder / "out"), *words, *config)
        assert done.code == 0, done.err
        told = milesync("status", "--json", *words, *config)
    assert told.code == 0, told.err
    told_rows = told.document["milestones"]
    assert len(told_rows) == len(json.loads((folder / "out" / "status.json").read_text())["milestones"]) > 20
    return folder / "out"


def opens_quietly(browser: Any, out: Path) -> tuple[int, int]:
    """Open every page of a report: how many there are, and how many of them have sliders.

    Filters and sliders are moved as far as they go, and put back.
    """
    pages = [
        *("index.html", "calibration.html"),
        *sorted(f"m/{file.name}" for file in (out / "m").glob("*.html")),
    ]
    sliding = 0
    with visits(browser, width=360) as page:
        for name in pages:
            page.goto((out / name).as_uri())
            assert page.locator("h1").count() == 1
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, name
            if name == "index.html":
                filters_work(page)
            if page.locator("#w-answer").count():
                sliders_work(page, name)
                sliding += 1
    return len(pages), sliding


def filters_work(page: Any) -> None:
    """Each choice of each filter leaves as many rows as it says."""
    rows = page.locator("#milestones tbody tr:visible")
    for chooser in page.locator("#filters select").all():
        before = chooser.input_value()
        for choice in chooser.locator("option").evaluate_all("all => all.map(one => one.value)"):
            chooser.select_option(choice)
            assert page.locator("#count").inner_text().split()[0] == str(rows.count())
        chooser.select_option(before)


def sliders_work(page: Any, name: str) -> None:
    """Each slider answers at both of its ends, and the button brings the first answer back."""
    answer = page.locator("#w-answer")
    first = answer.inner_text()
    for slider in page.locator("input[type=range]").all():
        slider.focus()
        for key in ("Home", "End"):
            page.keyboard.press(key)
            assert re.fullmatch(r"\d+% likely", answer.inner_text()), name
    page.click("#w-reset")
    assert answer.inner_text() == first, name


def test_the_report_of_the_sandbox_world(browser: Any, tmp_path: Path) -> None:
    out = made_by_command(tmp_path)
    opened, sliding = opens_quietly(browser, out)
    assert opened > 5
    assert sliding > 0


@pytest.mark.timeout(900)  # opens hundreds of pages in a browser
@pytest.mark.shared
@pytest.mark.skipif(not DATA.is_dir(), reason="the real history, ../shared/data, is not here")
def test_every_page_of_the_report_of_the_real_history_opens_quietly(browser: Any, tmp_path: Path) -> None:
    out = made_by_command(tmp_path, "--as-of", "2014-03-15", only=["jira"], load=["--load", str(DATA)])
    opened, sliding = opens_quietly(browser, out)
    assert opened == 2 + len(list((out / "m").glob("*.html"))) > 380
    assert sliding > 0


# --- filters, order, what-if ----------------------------------------------------------------------------------------


def visible(page: Any) -> list[str]:
    found: list[str] = page.locator("#milestones tbody tr:visible .id").all_inner_texts()
    return found


def test_filters_leave_what_fits(browser: Any, report: Report) -> None:
    rows = report.made.rows
    with visit(browser, report.out, "index.html") as page:
        assert visible(page) == [r.written for r in rows if r.current]
        page.select_option("#f-status", "done")
        assert visible(page) == [r.written for r in rows if r.health.status is Status.DONE]
        page.select_option("#f-status", "*")
        assert len(visible(page)) == len(rows)
        page.select_option("#f-tracker", "gl")
        assert visible(page) == [r.written for r in rows if r.tracker == "gl"]
        page.click("text=Clear")
        page.select_option("#f-owner", "Noor Hill")
        assert visible(page) == [r.written for r in rows if r.current and "Noor Hill" in r.owners]
        page.fill("#f-text", "no such thing")
        assert visible(page) == []
        assert page.locator("#none").is_visible()
        assert page.locator("#count").inner_text().startswith("0 of")


def test_the_table_sorts_by_keyboard_and_says_so(browser: Any, report: Report) -> None:
    with visit(browser, report.out, "index.html") as page:
        head = page.locator("#milestones thead button", has_text="Due")
        head.focus()
        page.keyboard.press("Enter")
        dues = page.locator("#milestones tbody tr:visible td:nth-child(5)").evaluate_all("c => c.map(x => x.dataset.k)")
        known = [due for due in dues if due]
        assert known == sorted(known)
        assert dues == known + [""] * (len(dues) - len(known))
        assert page.locator("th[aria-sort=ascending]").inner_text().startswith("Due")
        page.keyboard.press("Enter")
        again = page.locator("#milestones tbody tr:visible td:nth-child(5)").evaluate_all(
            "c => c.map(x => x.dataset.k)"
        )
        assert [due for due in again if due] == sorted(known, reverse=True)


def test_everything_is_reached_by_keyboard_and_the_focus_is_seen(browser: Any, report: Report) -> None:
    with visit(browser, report.out, "index.html") as page:
        reached = []
        for _ in range(40):
            page.keyboard.press("Tab")
            reached.append(
                page.evaluate("(e => [e.tagName, e.id, getComputedStyle(e).outlineStyle])(document.activeElement)")
            )
        assert {"f-text", "f-status", "f-tracker", "f-owner", "f-order"} <= {element[1] for element in reached}
        assert {element[2] for element in reached if element[0] in ("A", "BUTTON")} == {"solid"}


def test_the_sliders_answer_with_what_was_computed(browser: Any, report: Report) -> None:
    numbers = report.made.numbers({page.row.uid for page in report.made.pages})
    tables = ((page, numbers[page.row.uid].what_if) for page in report.made.pages)
    one, table = next((page, table) for page, table in tables if table is not None and len(table.cuts) > 2)
    with visit(browser, report.out, one.row.page) as page:
        answer = page.locator("#w-answer")
        assert answer.inner_text() == f"{one.row.likely} likely"
        page.locator("#w-cut").focus()
        page.keyboard.press("Home")
        assert answer.inner_text() == f"{table.percents[0][table.now[1]]}% likely"
        page.locator("#w-date").focus()
        page.keyboard.press("End")
        assert answer.inner_text() == f"{table.percents[0][-1]}% likely"
        assert "days" in page.locator("#w-date").get_attribute("aria-valuetext")
        page.click("#w-reset")
        assert answer.inner_text() == f"{one.row.likely} likely"


def test_an_old_page_says_that_it_is_old(browser: Any, report: Report) -> None:
    with visit(browser, report.out, "index.html") as page:
        assert not page.locator("#old").is_visible()
        page.clock.set_fixed_time("2026-11-25T06:30:00Z")
        page.reload()
        assert "3 days" in page.locator("#old").inner_text()


def test_an_unchanged_page_shows_the_times_of_the_last_run(browser: Any, tmp_path: Path) -> None:
    with installation(small(), daily=False) as engine:
        first = Report(contents(engine), tmp_path)
        page_name = first.page_of(Status.ON_TRACK)
        kept = (tmp_path / page_name).read_bytes()
        later = replace(first.made, at=NOW + timedelta(hours=1))
        site.build(later, tmp_path, document(later))
    assert (tmp_path / page_name).read_bytes() == kept
    with visit(browser, tmp_path, page_name) as page:
        assert page.locator("#made").inner_text() == "22 Nov 2026, 07:30 UTC"
        assert page.locator("#made").get_attribute("datetime") == "2026-11-22T07:30:00+00:00"
        assert page.locator("[data-read]").inner_text() == "22 Nov 2026, 06:30 UTC"


def test_without_its_script_every_row_is_there(browser: Any, report: Report) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((report.out / "index.html").as_uri())
    assert page.locator("#milestones tbody tr").count() == len(report.made.rows)
    assert not page.locator("#filters").is_visible()
    context.close()


# --- who may see what, stale sources, hostile text ------------------------------------------------------------------


def test_the_public_sees_public_projects_only(tmp_path: Path) -> None:
    with installation(small(), joints=(JOINT,)) as engine:
        whole = contents(engine)
        report = Report(contents(engine, Audience("public")), tmp_path)
        one = contents(engine, Audience("gl:acme/api"))
    assert any("vault" in r.written for r in whole.rows)
    projects = {re.split("[#%]", row.written)[0] for row in report.made.rows}
    assert projects == {"gh:acme/app", "gl:acme/api", "joint:Payments GA"}
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert b"vault" not in file.read_bytes(), file.name
    assert {re.split("[#%]", r.written)[0] for r in one.rows} == {"gl:acme/api"}


def test_a_narrower_audience_in_the_same_folder_takes_the_other_pages_away(tmp_path: Path) -> None:
    (tmp_path / "CNAME").write_text("report.example")
    with installation(small(), daily=False) as engine:
        before = Report(contents(engine), tmp_path)
        after = Report(contents(engine, Audience("public")), tmp_path)
    gone = {r.page for r in before.made.rows} - {r.page for r in after.made.rows}
    assert len(gone) > 2
    assert not any((tmp_path / name).exists() for name in gone if name)
    assert (tmp_path / "CNAME").exists()


OUTAGE = (
    "gl:acme/api has not been read completely since 21 Nov 2026, 06:30 UTC: 2 milestones as of 21 Nov 2026, 06:30 UTC."
)


def test_a_stale_source_is_shown_at_the_top_and_on_its_pages(browser: Any, tmp_path: Path) -> None:
    with installation(small(), stale="gl") as engine:
        report = Report(contents(engine), tmp_path)
    with visit(browser, report.out, "index.html") as page:
        assert OUTAGE in page.locator(".stale").inner_text()
    stale = next(r for r in report.made.rows if r.tracker == "gl" and r.health.stale_since and r.page)
    assert (stale.health.unknown, stale.health.at < NOW) == (None, True), "the last verdict is kept for a day"
    with visit(browser, report.out, stale.page) as page:
        assert "a source has not been read completely since 21 Nov" in page.locator(".stale").inner_text()


HOSTILE = (
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "javascript:alert(1)"),
    *("</title><script>alert(1)</script>", "{{ 7*7 }}{% raw %}", "</td></tr></table>", "' onmouseover='alert(1)"),
    "".join(PARTS).replace("\ud800", ""),  # no tracker's JSON decodes to half a character
)


def test_a_source_that_was_never_read_is_shown_at_the_top(tmp_path: Path) -> None:
    """The source has no rows, so none of its milestones could show this, and its readers are unknown."""
    with installation(small(), stale="gl", daily=False) as engine:
        report = Report(contents(engine), tmp_path / "all")
        public = Report(contents(engine, Audience("public")), tmp_path / "public")
    whole, narrow = ((site.out / "index.html").read_text() for site in (report, public))
    assert "<bdi>gl:acme/api</bdi> has not been read completely yet." in whole
    assert "All sources could be read" not in whole + narrow
    assert "acme/api" not in narrow
    assert "Everything shown here could be read." in narrow


def test_a_hostile_world_is_text(browser: Any, tmp_path: Path) -> None:
    home = project("acme/<b>app</b>")
    made = series(home, earlier=4, running=3, titles=HOSTILE[:3], work=HOSTILE)
    with installation({"gh": [made]}, daily=False) as engine:
        report = Report(contents(engine), tmp_path)
    foreign = "img, main script, svg[onload], [onerror], [onmouseover], [onload], [style], a[href^='javascript']"
    with visits(browser) as page:
        for name in ("index.html", *(r.page for r in report.made.rows if r.page)):
            scripts = re.findall(r"<script[^>]*>", (report.out / name).read_text())
            assert [Path(re.findall('src="([^"]*)"', tag)[0]).name for tag in scripts] == ["times.js", "report.js"]
            page.goto((report.out / name).as_uri())
            page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
            assert page.locator(foreign).count() == 0
    with visit(browser, report.out, "index.html") as page:
        shown = page.locator("#milestones").inner_text()
    assert "<img src=x onerror=alert(1)>" in shown
    assert "<script>alert(1)</script>" in shown


def test_only_addresses_of_the_web_become_links(report: Report) -> None:
    assert site.link("https://tracker.example/1") == "https://tracker.example/1"
    assert [site.link(url) for url in ("javascript:alert(1)", "data:text/html,x", "//x", " https://x")] == [""] * 4


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere(report: Report) -> None:
    for file in report.out.rglob("*.html"):
        source = file.read_text()
        assert "default-src 'none'" in unescape(source)
        assert "unsafe" not in source.split("</head>")[0]
        assert re.search(r"\sstyle=|<style|\son\w+=", source) is None, file.name


# --- accessibility, size, pictures ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, from the registry of the machine's npm; no test where that does not answer."""
    if shutil.which("npm") is None:
        pytest.skip("no npm here: axe-core cannot be had")
    folder = tmp_path_factory.mktemp("axe")
    done = subprocess.run(["npm", "pack", AXE, "--silent"], cwd=folder, capture_output=True, timeout=120, check=False)
    packed = next(folder.glob("axe-core-*.tgz"), None)
    if done.returncode or packed is None:
        pytest.skip("npm could not fetch axe-core")
    with tarfile.open(packed) as archive:
        member = archive.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode()


@pytest.mark.parametrize(
    ("theme", "width", "rules"), [("light", 1280, ()), ("light", 360, ()), ("dark", 768, ("color-contrast",))]
)
def test_axe_finds_nothing(
    browser: Any, report: Report, axe: str, theme: str, width: int, rules: Sequence[str]
) -> None:
    """Themes differ in their colours only, so the dark one is asked about contrast alone."""
    options = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
    with visits(browser, theme=theme, width=width, quiet=False) as page:
        for name in names(report).values():
            page.goto((report.out / name).as_uri())
            page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
            page.evaluate(axe)
            found = page.evaluate("options => axe.run(document, options)", options)["violations"]
            told = [(violation["id"], violation["impact"], violation["nodes"][0]["html"][:200]) for violation in found]
            assert told == [], name


def test_a_thousand_milestones_are_small_enough(browser: Any, tmp_path: Path) -> None:
    """The size is asserted; the time is only printed, since a busy machine proves nothing."""
    pages = [series(project(f"acme/team{n}"), earlier=15, running=5) for n in range(5)]
    with installation({"gh": pages}, daily=False) as engine:
        made = contents(engine)
    # ten times those that are assessed: to assess a thousand, and to draw a page for each, would only take long
    rows = tuple(replace(r, written=f"{r.written}-{n}") for n in range(10) for r in made.rows)
    assert len(rows) == 1000
    out = tmp_path / "out"
    site.build(replace(made, rows=rows, pages=()), out, b"{}")
    size = sum((out / name).stat().st_size for name in ("index.html", "report.css", "report.js"))
    assert size < 3_000_000
    with visit(browser, out, "calibration.html") as page:
        began = time.perf_counter()
        page.goto((out / "index.html").as_uri())
        assert page.locator("#milestones tbody tr").count() == 1000
        took = time.perf_counter() - began
    print(f"1,000 milestones: {size / 1e6:.2f} MB, loaded in {took:.2f} s")


def drawn(page: Any, report: Report, name: str) -> Image.Image:
    page.goto((report.out / name).as_uri())
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


@contextmanager
def gallery(browser: Any, theme: str, width: int) -> Iterator[Any]:
    """A window of a width and theme; on paper, an A4 page between its margins."""
    paper = theme == "print"
    with visits(browser, theme="light" if paper else theme, width=width) as page:
        page.set_viewport_size({"width": width, "height": 1400})
        page.emulate_media(media="print" if paper else "screen")
        yield page


LOOKS = [*((theme, width) for theme in THEMES for width in WIDTHS), ("print", 718)]


@pytest.mark.skipif(not FONTS.is_dir(), reason="no DejaVu font here: apt-get install fonts-dejavu-core")
@pytest.mark.parametrize(("theme", "width"), LOOKS)
def test_pages_look_as_they_did_when_somebody_looked(browser: Any, report: Report, theme: str, width: int) -> None:
    with gallery(browser, theme, width) as page:
        for name, file in names(report).items():
            with Image.open(GOLDEN / f"{name}-{theme}-{width}.png") as kept:
                wanted = kept.convert("RGB")
            found = drawn(page, report, file)
            assert found.size == wanted.size
            difference = sum(ImageStat.Stat(ImageChops.difference(found, wanted)).mean) / 3
            assert difference < TOLERANCE, f"{name} {theme} {width}: {difference:.1f}"


def test_no_golden_image_is_left_over(report: Report) -> None:
    wanted = {f"{name}-{theme}-{width}.png" for name in names(report) for theme, width in LOOKS}
    assert {file.name for file in GOLDEN.iterdir()} == wanted


def main(folder: Path) -> None:
    """Draw the golden images again."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as out,
        installation(small(), joints=(JOINT,), dependencies=WAITS) as engine,
        playwright_api.sync_playwright() as playwright,
    ):
        _with_record(engine)
        report = Report(contents(engine), Path(out))
        opened = launched(playwright)
        for theme, width in LOOKS:
            with gallery(opened, theme, width) as page:
                for name, file in names(report).items():
                    shot = drawn(page, report, file).quantize(64)
                    shot.save(folder / f"{name}-{theme}-{width}.png", optimize=True)
        opened.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else GOLDEN)
