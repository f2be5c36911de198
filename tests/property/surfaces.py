"""Render every surface of a world, as plain texts with the links in them.

One run of the engine through HTTP and the command line gives all of them. A text is what a reader sees: markup is
removed, foreign text keeps its words in backticks, links are kept apart from the text with the words that are linked.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unittest import mock

from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import Tracker
from connectors.sandbox.world_data import Comment
from sync.cli import wiring
from sync.markup.document import clean
from tests.e2e.in_process import milesync
from tests.property.surface_worlds import SurfaceWorld, Truth, surface_world

__all__ = ["Surfaces", "Text", "render_surfaces", "run", "serve"]

WIDE = {"COLUMNS": "4000"}
"""Nothing is wrapped, so that a sentence is in one line."""


@dataclass(frozen=True)
class Text:
    """Words that a reader sees of one milestone on one surface; of the whole world where ``truth`` is None.

    ``fresh``: it was written by the last run, so its numbers are the present ones. ``links``: address -> linked words.
    """

    surface: str
    words: str
    truth: Truth | None = None
    links: tuple[tuple[str, str], ...] = ()
    fresh: bool = True

    def __str__(self) -> str:
        where = "" if self.truth is None else f" of {self.truth.situation} ({self.truth.tracker.kind})"
        return f"{self.surface}{where}"


@dataclass
class Surfaces:
    """All texts of a world after its last run. ``rows`` are those of ``status --json``, by the written id."""

    made: SurfaceWorld
    texts: list[Text] = field(default_factory=list)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    before: dict[str, dict[str, Any]] = field(default_factory=dict)
    calendar: list[tuple[str, date]] = field(default_factory=list)

    def add(self, surface: str, words: str, truth: Truth | None = None, **more: Any) -> None:
        """Add a text."""
        self.texts.append(Text(surface, words, truth, **more))

    def row(self, truth: Truth) -> dict[str, Any]:
        """The row of a milestone in ``status --json``."""
        return self.rows[truth.written]


@contextmanager
def serve(made: SurfaceWorld, folder: Path) -> Iterator[Path]:
    """Serve a world on loopback, for commands on its clock that never wait; yield the configuration."""
    config = folder / "milesync.toml"
    with (
        Sandbox(made.world),
        mock.patch.object(wiring, "clock", made.clock),
        mock.patch.object(wiring, "build_puller", partial(wiring.build_puller, sleep=lambda _: None)),
    ):
        config.write_text(made.configuration(), encoding="utf-8")
        yield config


def run(config: Path, *words: str) -> None:
    """Run once; a tracker may fail."""
    done = milesync("run", *words, config=config, env=WIDE)
    assert done.code in (0, 3), done.err


def render_surfaces(number: int, folder: Path) -> Surfaces:
    """Make the world of a number, run it twice a day apart, and render everything."""
    made = surface_world(number)
    shown = Surfaces(made)
    with serve(made, folder) as config:
        last = made.clock.now
        made.clock.now = last - max(timedelta(days=1), made.failing_for)
        run(config, "--first-run")
        shown.before = _rows(config)
        if made.failing_for:
            made.fail()
            made.clock.now = last - made.failing_for / 2
            run(config)
        made.clock.now = last
        made.work()
        config.write_text(made.configuration() + made.audiences(), encoding="utf-8")
        run(config)
        _tracker_texts(shown)
        _terminal_texts(shown, config)
        _page_texts(shown, config)
        _digest_texts(shown, folder)
    return shown


def _rows(config: Path) -> dict[str, dict[str, Any]]:
    done = milesync("status", "--json", config=config)
    assert done.code == 0, done.err
    return {row["id"]: row for row in done.document["milestones"]}


# --- in the tracker ---------------------------------------------------------------------------------------------------


def _tracker_texts(shown: Surfaces) -> None:
    for truth in shown.made.truths:
        tracker, words = truth.tracker, _wiki if truth.tracker.kind == "jira" else _markdown
        for issue in truth.project.issues.values():
            if issue.author is not tracker.bot or _milestone_of(issue, tracker) != truth.milestone.id:
                continue
            shown.add("label", " ".join(name for name in issue.labels if "health" in name), truth)
            shown.add("status issue", f"{issue.title}\n{_body(issue.body, words)[0]}", truth)
            for comment in issue.comments:
                if comment.author is tracker.bot:
                    said, links = _body(comment.body, words)
                    fresh = comment.updated == shown.made.clock.now
                    shown.add(_kind(comment), said, truth, links=links, fresh=fresh)
        shown.add("description", _markdown(truth.milestone.description)[0], truth)


def _marker(where: Any, text: Any) -> dict[str, Any]:
    """The marker of a text of ours: in a hidden comment, or in a property."""
    found = re.search(r"<!-- milesync (\{.*?\}) -->", text if isinstance(text, str) else "")
    if found:
        marker: dict[str, Any] = json.loads(found[1])
        return marker
    kept = where.properties.get("milesync", {}).get("marker", "{}")
    return dict(json.loads(kept))


def _milestone_of(issue: Any, tracker: Tracker) -> int | None:
    name = str(_marker(issue, issue.body).get("milestone", ""))
    found = re.search(r"(\d+)$", name)
    return int(found[1]) if found else None


def _kind(comment: Comment) -> str:
    return f"comment: {_marker(comment, comment.body).get('kind', '?')}"


def _body(body: Any, words: Any) -> tuple[str, tuple[tuple[str, str], ...]]:
    if isinstance(body, dict):
        links: list[tuple[str, str]] = []
        return "".join(_adf(body, links)), tuple(links)
    said: tuple[str, tuple[tuple[str, str], ...]] = words(body)
    return said


def _markdown(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    text = re.sub(r"<!--.*?-->|```mermaid.*?```|</?(?:details|summary)>", "", text, flags=re.DOTALL)
    links = tuple((found[2], found[1]) for found in re.finditer(r"\[([^\]\n]*)\]\((https?://[^)\s]+)\)", text))
    return re.sub(r"\[([^\]\n]*)\]\(https?://[^)\s]+\)|\*\*", r"\1", text), links


def _wiki(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    links = tuple((found[2], found[1]) for found in re.finditer(r"\[([^|\]\n]*)\|(https?://[^\]\s]+)\]", text))
    text = re.sub(r"\[([^|\]\n]*)\|https?://[^\]\s]+\]", r"\1", text)
    text = re.sub(r"\{\{(.*?)\}\}", r"`\1`", text)
    text = re.sub(r"(?<!\w)\*(\S[^*\n]*)\*", r"\1", re.sub(r"(?m)^\* ", "- ", text))
    return html.unescape(text), tuple((html.unescape(address), html.unescape(words)) for address, words in links)


def _adf(node: dict[str, Any], links: list[tuple[str, str]]) -> Iterator[str]:
    marks = {mark["type"]: mark for mark in node.get("marks", ())}
    if node["type"] == "text":
        if "link" in marks:
            links.append((marks["link"]["attrs"]["href"], node["text"]))
        yield f"`{node['text']}`" if "code" in marks else node["text"]
    elif node["type"] == "hardBreak":
        yield "\n"
    elif node["type"] == "expand":
        yield node["attrs"]["title"] + "\n"
    for inner in node.get("content", ()):
        yield from _adf(inner, links)
    if node["type"] in ("paragraph", "heading"):
        yield "\n"


# --- in the terminal --------------------------------------------------------------------------------------------------


def _terminal_texts(shown: Surfaces, config: Path) -> None:
    shown.rows = _rows(config)
    table = milesync("status", config=config, env=WIDE).out
    timeline = milesync("timeline", config=config, env=WIDE).out
    ics = config.parent / "dates.ics"
    mermaid = milesync("timeline", "--mermaid", "--ics", str(ics), config=config, env=WIDE).out
    shown.add("mermaid", mermaid)
    shown.calendar = list(_calendar(ics))
    for truth in shown.made.truths:
        shown.add("status table", _block(table, clean(truth.written)), truth)
        shown.add("timeline", _block(timeline, clean(truth.written)), truth)
    plan = milesync("plan", config=config, env=WIDE)
    assert plan.code in (0, 2, 3), plan.err
    shown.add("plan", plan.out)
    for truth in shown.made.truths:
        if truth.milestone.number % 6 == shown.made.number % 6:
            explained = milesync("explain", truth.written, config=config, env=WIDE)
            shown.add("explain", explained.out, truth)
    truth = shown.made.truths[shown.made.number % len(shown.made.truths)]
    shown.add("whatif", milesync("whatif", truth.written, config=config, env=WIDE).out, truth)


CUT = 60
"""Letters by which an id is found, as a long one may be cut."""


def _block(text: str, written: str) -> str:
    """The lines about a milestone: the one with its id, and the indented ones below."""
    found: list[str] = []
    written = written[:CUT]
    for line in text.splitlines():
        if not line.startswith("    ") and (f"  {written}" in line) and _ends_as(line, written):
            found = [line]
        elif found and line.startswith("    "):
            found.append(line)
        elif found:
            break
    return "\n".join(found)


def _ends_as(line: str, written: str) -> bool:
    rest = line.partition(f"  {written}")[2]
    return not rest or rest.startswith(" ") or len(written) == CUT


def _calendar(file: Path) -> Iterator[tuple[str, date]]:
    import icalendar

    for event in icalendar.Calendar.from_ical(file.read_bytes()).walk("VEVENT"):
        yield f"{event['summary']}\n{event['description']}", event.decoded("dtstart")


# --- pages and digest -------------------------------------------------------------------------------------------------


class _Reader(HTMLParser):
    """The words of a page; foreign text in backticks, a new line for each block."""

    BLOCKS = frozenset(("p", "li", "tr", "td", "th", "h1", "h2", "h3", "dt", "dd", "section", "summary", "ul", "div"))

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.links: list[tuple[str, str]] = []
        self.link = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in self.BLOCKS:
            self.said.append("\n")
        if tag == "tr" and given.get("data-s"):
            self.said.append(f"status={given['data-s']} ")
        if tag == "bdi":
            self.said.append("`")
        if tag == "a":
            self.link = given.get("href") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "bdi":
            self.said.append("`")
        if tag == "a":
            self.link = ""

    def handle_data(self, data: str) -> None:
        self.said.append(data)
        if self.link:
            self.links.append((self.link, data))


def _read(page: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    reader = _Reader()
    reader.feed(page)
    return re.sub(r"\n\s*\n+", "\n", "".join(reader.said)), tuple(reader.links)


def _page_texts(shown: Surfaces, config: Path) -> None:
    folder = config.parent / "site"
    done = milesync("report", "--out", str(folder), config=config)
    assert done.code == 0, done.err
    index = (folder / "index.html").read_text("utf-8")
    words, links = _read(index)
    shown.add("portfolio", words, links=links)
    shown.add("calibration", _read((folder / "calibration.html").read_text("utf-8"))[0])
    by_written = {clean(truth.written): truth for truth in shown.made.truths}
    for row in re.findall(r"<tr data-s=.*?</tr>", index, re.DOTALL):
        words, links = _read(row)
        truth = by_written.get(_written(row))
        if truth is not None:
            shown.add("portfolio row", words, truth, links=links)
    for file in sorted((folder / "m").glob("*.html")):
        page = file.read_text("utf-8")
        words, links = _read(page.partition('<section class="no-print" aria-labelledby="explain">')[0])
        written = _written(page.partition('<p class="crumb">')[2])
        if written.startswith("joint:"):
            shown.add("joint page", words, links=links)
        elif written in by_written:
            shown.add("milestone page", words, by_written[written], links=links)


def _written(part: str) -> str:
    found = re.search(r"<bdi>((?:gh|gl|jira|cloud|joint):[^<]*)</bdi>", part)
    return html.unescape(found[1]) if found else ""


def _digest_texts(shown: Surfaces, folder: Path) -> None:
    for file in sorted(folder.glob("*.md")):
        words, links = _markdown(file.read_text("utf-8"))
        shown.add(f"digest {file.stem}", words, links=links)
        for truth in shown.made.truths:
            head = f"{clean(truth.milestone.title)[:100]} ({truth.project.key})".replace("`", "")
            for block in re.sub(r"[`\\]", "", words).split("\n\n"):
                if head in block.replace("…", truth.milestone.title[99:100]):
                    shown.add(f"digest {file.stem}", block, truth)
