"""Every surface shows the truth: random worlds on four trackers, each surface read back and compared.

A world is rendered once (`tests.property.surfaces`) and every statement is held against all of its texts. The truth is
what the tracker shows (`Truth`), and for forecasts the row of ``status --json``.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

import pytest

from connectors.sandbox.world import Tracker
from sync.markup.document import clean
from tests.proof import TIMEOUT, Record, full
from tests.property.surface_figures import DATE, FIGURES, as_day, figures_of
from tests.property.surface_worlds import NAMES, SITUATIONS, Truth, surface_world
from tests.property.surfaces import Surfaces, Text, render_surfaces, run, serve

pytestmark = TIMEOUT

PARTS = range(full(20, 1))
"""Parts of the proof, each with its own worlds."""

WORLDS = 3
"""Worlds of each part."""


@cache
def worlds(part: int) -> list[Surfaces]:
    """The rendered worlds of a part."""
    found = []
    for number in range(WORLDS * part, WORLDS * (part + 1)):
        with TemporaryDirectory() as folder:
            found.append(render_surfaces(number, Path(folder)))
    return found


# --- the statements ---------------------------------------------------------------------------------------------------


def texts_of(shown: Surfaces) -> Iterator[tuple[Text, Truth, date]]:
    """The texts about one milestone, with the day of its connection."""
    for text in shown.texts:
        if text.truth is not None:
            yield text, text.truth, shown.made.today(NAMES[text.truth.tracker.kind])


def is_read(shown: Surfaces, truth: Truth) -> bool:
    """True if the milestone's tracker answered the last run."""
    return NAMES[truth.tracker.kind] != shown.made.failing


def due_day(shown: Surfaces) -> Iterator[str]:
    """The due day is the tracker's own day, everywhere."""
    for text, truth, _ in texts_of(shown):
        for figure, value in figures_of(text):
            if figure.name == "due" and text.fresh and value != truth.milestone.due and is_read(shown, truth):
                yield f"{text}: due on {value}, the tracker has {truth.milestone.due}"
    for words, day in shown.calendar:
        for truth in shown.made.truths:
            is_due = words.startswith("Due") and words.partition("\n")[2].startswith(f"{truth.written}:")
            if is_due and is_read(shown, truth) and day != truth.milestone.due:
                yield f"calendar of {truth.written}: due on {day}, the tracker has {truth.milestone.due}"


def days_from_today(shown: Surfaces) -> Iterator[str]:
    """Days are counted from the connection's today, in one way."""
    for text, truth, today in texts_of(shown):
        due = truth.milestone.due
        if due is None or not text.fresh or not is_read(shown, truth):
            continue
        for figure, value in figures_of(text):
            want = {"days left": (due - today).days, "overdue by": (today - due).days}.get(figure.name)
            if want is not None and value != want:
                yield f"{text}: {figure.name} {value} days, and it is due {due} with today {today}"
        for found in re.finditer(r", due today|\ntoday\n", text.words):
            if due != today:
                yield f"{text}: {found[0]!r}, and it is due {due} with today {today}"
        for on, days, way in re.findall(rf"({DATE})\*? \((\d+) days? (early|late)\)", text.words):
            if int(days) * (1 if way == "late" else -1) != (as_day(on) - due).days:
                yield f"{text}: {on} is {days} days {way}, and it is due {due}"


FORECAST_DATE = re.compile(
    rf"likely (?:to be done )?by ({DATE})|most likely (?:done)?(?: on)?\W+({DATE})"
    rf"|certainty (?:it is done )?by ({DATE})"
    rf"|with \d\d% by ({DATE})|\n50% ({DATE})|\d\d% sure\n({DATE})\n95% sure|\d\d% sure\W+({DATE})\*? \("
    rf"|promised[^.]*?({DATE}) with|in its date, ({DATE})|im Termin am ({DATE})",
    re.IGNORECASE,
)


def passed_dates(shown: Surfaces) -> Iterator[str]:
    """A date that has passed is no forecast: never today, in some days, likely by it, most likely on it."""
    for text, truth, today in texts_of(shown):
        if not text.fresh or not is_read(shown, truth):
            continue
        for found in FORECAST_DATE.finditer(text.words):
            day = as_day(next(group for group in found.groups() if group))
            if day < today:
                yield f"{text}: {found[0]!r}, and today is {today}"
    for truth in shown.made.truths:
        row, today = shown.row(truth), shown.made.today(NAMES[truth.tracker.kind])
        for name in ("p50", "p85", "p95"):
            if is_read(shown, truth) and row[name] and date.fromisoformat(row[name]) < today:
                yield f"{name} of {truth.situation} in --json: {row[name]}, and today is {today}"
        if row["probability"] is not None and row["due"] and date.fromisoformat(row["due"]) < today:
            yield f"probability of {truth.situation} in --json, and it was due {row['due']}"


OVERDUE = {"digest de": "überfällig"}
STATUS_SURFACES = "label|comment: summary|description|status table|timeline|portfolio row|milestone page|explain|digest"


def overdue(shown: Surfaces) -> Iterator[str]:
    """Open work past the due date is overdue, on every surface that says a status."""
    for text, truth, today in texts_of(shown):
        due, open_items = truth.milestone.due, truth.open
        if due is None or truth.milestone.closed is not None or not text.fresh or not is_read(shown, truth):
            continue
        allowed = int(0.1 * len(truth.members))
        is_late = open_items > allowed and timedelta(0) < today - due < timedelta(days=3650)
        if not text.words.strip() and text.surface not in ("description", "label"):
            yield f"{text}: nothing is said"
        elif is_late and re.match(STATUS_SURFACES, text.surface):
            word = OVERDUE.get(text.surface[:9], "overdue")
            if word not in text.words.lower():
                yield f"{text}: {open_items} open and due {due}, and it says {text.words[:80]!r}"


OWN_MEMORY = ("p50", "p85")
"""Dates stay still by what a reader was given before; an audience whose first digest this is was given none."""


def same_numbers(shown: Surfaces) -> Iterator[str]:
    """The same number reads the same on every surface."""
    read: dict[tuple[str, str], dict[object, set[str]]] = defaultdict(lambda: defaultdict(set))
    for text, truth, _ in texts_of(shown):
        if text.fresh and is_read(shown, truth):
            for figure, value in figures_of(text):
                if figure.name not in OWN_MEMORY or not text.surface.startswith("digest"):
                    read[truth.written, figure.name][value].add(text.surface)
    for (written, name), values in read.items():
        if len(values) > 1:
            yield f"{name} of {written}: {dict(values)}"
    for truth in shown.made.truths:
        if not is_read(shown, truth):
            continue
        row, members = shown.row(truth), truth.members
        p = row["probability"]
        wanted = {
            "probability": None if p is None else min(99, max(1, round(p * 100))),
            "done": (len(members) - truth.open, len(members)),
            "open": truth.open,
            "p50": date.fromisoformat(row["p50"]) if row["p50"] else None,
            "p85": date.fromisoformat(row["p85"]) if row["p85"] else None,
        }
        for name, want in wanted.items():
            found = set(read.get((truth.written, name), ()))
            if found - {want}:
                yield f"{name} of {truth.written} ({truth.situation}): {found}, and it is {want}"


WORSE = re.compile(r"(\d+)% → (\d+)%|most likely (\d+) days? (later|earlier)")


def arrows(shown: Surfaces) -> Iterator[str]:
    """An arrow, and `better` or `worse`, follow the first change that is named."""
    order = ("done", "on track", "at risk", "off track", "overdue")
    neither = ("not enough data", "no due date")
    for text in shown.texts:
        for sign, word, change in re.findall(r"([↑↓·])(better: |worse: )? `[^\n]*?`: ([^\n]*)", text.words):
            first = change.split("; ")[0]
            before, _, after = first.partition(" → ")
            turn = None
            if before in order and after in order:
                turn = order.index(after) < order.index(before)
            elif found := WORSE.fullmatch(first):
                turn = int(found[2]) > int(found[1]) if found[1] else found[4] == "earlier"
            elif (before in neither or after in neither) and word and "; " not in change:
                yield f"{text}: {sign} {word}{change}"
            if turn is not None and (sign, word) != (("↑", "better: ") if turn else ("↓", "worse: ")):
                yield f"{text}: {sign} {word}{change}"


def good_news(shown: Surfaces) -> Iterator[str]:
    """No good news on a milestone that is overdue or off track."""
    for text, _, _ in texts_of(shown):
        if re.search("Good news|Gute Nachricht", text.words) and re.search("Overdue|Off track", text.words):
            yield f"{text}: good news"


RATE = re.compile(r"(\d+) of (?:the last )?(\d+) [^\n.;]*(?:made their date|on time|held|by their due date)")


def contradictions(shown: Surfaces) -> Iterator[str]:
    """Reasons that contradict each other are not both given."""
    for text, _, _ in texts_of(shown):
        rates = set(RATE.findall(text.words))
        helps, hurts = (
            {re.sub(r"\d+", "n", line) for line in re.findall(rf"{word}[:\n ]+([^\n]*)", text.words)}
            for word in ("(?:Helps|In its favour)", "(?:Hurts|Against it)")
        )
        if helps & hurts:
            yield f"{text}: helps and hurts: {helps & hurts}"
        if len(rates) > 1:
            yield f"{text}: {rates}"


KEY = {
    "github": r"#\d+|[\w.-]+/[\w.-]+#\d+",
    "gitlab": r"[\w./-]*#\d+",
    "jira": r"-\d+|[A-Z][A-Z0-9_]*-\d+",
    "jira-cloud": r"-\d+|[A-Z][A-Z0-9_]*-\d+",
}


def links(shown: Surfaces) -> Iterator[str]:
    """Every key and every link resolves in its tracker."""
    by_address = {tracker.url: tracker for tracker in shown.made.world.trackers}
    for text in shown.texts:
        for address, words in text.links:
            parts = urlsplit(address)
            tracker = by_address.get(f"{parts.scheme}://{parts.netloc}")
            if parts.scheme and (tracker is None or not _resolves(tracker, unquote(parts.path))):
                yield f"{text}: {words!r} leads to {address}"
        if text.truth is None:
            continue
        project, kind = text.truth.project, text.truth.tracker.kind
        keys = {issue.key for issue in project.issues.values()}
        milestones = {f"#{milestone.number}" for milestone in project.milestones.values()}
        if kind in ("github", "gitlab"):
            keys |= {f"#{number}" for number in project.issues} | {f"{project.key}#{n}" for n in project.issues}
            keys |= {f"{project.key}{number}" for number in milestones}
        for key in re.findall(rf"`({KEY[kind]})`", text.words):
            others = {f"{other.project.key}#{other.milestone.number}" for other in shown.made.truths}
            if key not in keys | others:
                yield f"{text}: {key} is nowhere in {project.key}"


def _resolves(tracker: Tracker, path: str) -> bool:
    """True if the tracker has a page at that path."""
    for project in tracker.projects.values():
        numbers = {milestone.number for milestone in project.milestones.values()}
        ids = {milestone.id for milestone in project.milestones.values()}
        pages = {
            f"/{project.key}",
            *(f"/{project.key}/{way}/{n}" for way in ("issues", "-/issues", "pull") for n in project.issues),
            *(f"/{project.key}/milestone/{n}" for n in numbers),
            *(f"/{project.key}/-/milestones/{n}" for n in numbers),
            *(f"/projects/{project.key}/versions/{n}" for n in ids),
            *(f"/browse/{issue.key}" for issue in project.issues.values()),
        }
        if path in pages:
            return True
    return False


BEST_FIRST = ("done", "on_track", "at_risk", "off_track", "overdue")


def outages(shown: Surfaces) -> Iterator[str]:
    """Data that is missing improves no status, announces none and is no good news."""
    for text, truth, _ in texts_of(shown):
        if is_read(shown, truth):
            continue
        before, after = shown.before[truth.written]["status"], shown.row(truth)["status"]
        if before in BEST_FIRST and after in BEST_FIRST and BEST_FIRST.index(after) < BEST_FIRST.index(before):
            yield f"{text}: {before} → {after}"
        if re.search("Good news|Gute Nachricht", text.words) and text.fresh:
            yield f"{text}: good news while its data is missing"
        if text.surface.startswith("comment:") and text.fresh:
            yield f"{text}: written while its data is missing"


def hidden(shown: Surfaces) -> Iterator[str]:
    """The portfolio names the running milestones of a source that could not be read."""
    (page,) = (text.words for text in shown.texts if text.surface == "portfolio")
    notice = page.partition("could not be read\n")[2].partition("\nWhat changed\n")[0]
    for truth in shown.made.truths:
        is_running = truth.milestone.closed is None and shown.row(truth)["status"] not in ("done", "ended")
        if not is_read(shown, truth) and is_running and f"`{clean(truth.milestone.title)}`" not in notice:
            yield f"{truth.written} is not named: {notice}"


def charts(shown: Surfaces) -> Iterator[str]:
    """Names in the chart and the calendar begin with no sign, and their dates are those of the forecast."""
    (chart,) = (text.words for text in shown.texts if text.surface == "mermaid")
    for line in chart.splitlines()[5:]:
        if not re.match(r"    (section )?\w", line):
            yield f"mermaid: {line}"
    dates = {truth.written: shown.row(truth)["p85"] for truth in shown.made.truths}
    for words, day in shown.calendar:
        title, _, rest = words.partition("\n")
        written = next((written for written in dates if rest.startswith(f"{written}:")), None)
        if title.startswith("85% sure") and written and dates[written] != day.isoformat():
            yield f"calendar: {title} on {day}, and it is {dates[written]}"


STATEMENTS: tuple[Callable[[Surfaces], Iterator[str]], ...] = (
    due_day,
    days_from_today,
    passed_dates,
    overdue,
    same_numbers,
    arrows,
    good_news,
    contradictions,
    links,
    outages,
    hidden,
    charts,
)


@pytest.mark.proof
@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement.__name__)
@pytest.mark.parametrize("part", PARTS)
def test_every_surface_says_the_truth(
    part: int, statement: Callable[[Surfaces], Iterator[str]], record_property: Record
) -> None:
    found = [f"world {shown.made.number}: {problem}" for shown in worlds(part) for problem in statement(shown)]
    assert found == []
    record_property("worlds on four trackers with every surface read", len(worlds(part)))


@pytest.mark.parametrize("part", PARTS)
def test_every_figure_is_read_somewhere(part: int) -> None:
    """New wording must not leave the statements without anything to compare."""
    read = Counter(figure for shown in worlds(part) for text, _, _ in texts_of(shown) for figure, _ in figures_of(text))
    assert [figure for figure in FIGURES if not read[figure]] == []


def test_every_situation_comes_up() -> None:
    assert {truth.situation for shown in worlds(0) for truth in shown.made.truths} == set(SITUATIONS)


@pytest.mark.proof
def test_an_untouched_world_is_written_once_a_day(tmp_path: Path, record_property: Record) -> None:
    """Runs write only at the first run of a connection's day, also while people comment in the threads."""
    runs = full(24 * 14, 8)
    made = surface_world(0, ("on track", "overdue"))
    with serve(made, tmp_path) as config:
        config.write_text(config.read_text("utf-8").replace("reminders = true", ""), "utf-8")  # people answer to them
        run(config, "--first-run")
        for number in range(runs):
            days = {name: made.today(name) for name in made.trackers}
            wrote = {name: len(tracker.writes) for name, tracker in made.trackers.items()}
            made.clock.now += timedelta(hours=full(1, 3))
            made.chatter(number)
            run(config)
            for name, tracker in made.trackers.items():
                fresh = tracker.writes[wrote[name] :]
                assert made.today(name) != days[name] or fresh == [], f"run {number} of {name}"
                edits = [path for method, path, _ in fresh if method in ("PUT", "PATCH") and "comment" in path]
                assert len(set(edits)) == len(edits), f"run {number} of {name}"
    record_property("runs of an untouched world on four trackers, with people talking", runs)
