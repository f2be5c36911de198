"""The team's words in the description of each tracker, from the first run to every surface that shows them."""

from __future__ import annotations

import re
from calendar import day_name
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.serving import configuration
from connectors.sandbox.world import Tracker
from tests.e2e.in_process import milesync
from tests.e2e.small_world import KEYS, one_tracker, ours

TODAY = datetime.now(UTC).date()
PAST, SOON = TODAY - timedelta(days=3), TODAY + timedelta(days=5)
TEXT = f"""Owner: @lin
Start: {TODAY - timedelta(days=20)}
Tolerance: 10 %
Risk: the audit @channel
Decision needed: which vendor? by {PAST} from @ada
Decision needed: who signs? by {SOON}
Start: soon
"""
DIGEST = """
[audiences.team]
reads = ["{project}"]
[audiences.team.digest]
calendar = {{ weekend = {week} }}
file = "digest.html"
"""
"""No run sends this digest, on any day of a test, so the command has all of its news."""


@pytest.fixture(scope="module", params=sorted(KEYS))
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Tracker, Path]]:
    """A tracker after a first run over a milestone with all words, and its configuration."""
    world, tracker = one_tracker(request.param)
    (project,) = tracker.projects.values()
    milestone = next(milestone for milestone in project.milestones.values() if milestone.title == "v2")
    milestone.description = TEXT
    config = tmp_path_factory.mktemp("words") / "milesync.toml"
    with Sandbox(world, only=(tracker.kind,)), pytest.MonkeyPatch.context() as patch:
        patch.chdir(config.parent)
        text = configuration(world)
        name = text.partition("[connections.")[2].partition("]")[0]
        config.write_text(
            text + DIGEST.format(week=[day.lower() for day in day_name], project=f"{name}:{KEYS[tracker.kind]}"),
            encoding="utf-8",
        )
        done = milesync("run", "--first-run", config=config)
        assert done.code == 0, done.err
        yield tracker, config


def test_every_surface_shows_the_words(place: tuple[Tracker, Path]) -> None:
    tracker, config = place
    rows = milesync("status", "--json", config=config).document["milestones"]
    row = next(row for row in rows if row["title"] == "v2")
    assert (row["owners"], row["owner_origin"], row["risks"]) == (["@lin"], "description", ["the audit @channel"])
    assert row["decisions"] == [
        {"text": "which vendor?", "by": PAST.isoformat(), "from": "@ada", "is_overdue": True},
        {"text": "who signs?", "by": SOON.isoformat(), "from": "", "is_overdue": False},
    ]
    assert (row["described_tolerance"], date.fromisoformat(row["described_start"])) == (0.1, TODAY - timedelta(days=20))
    assert "description_line" in [finding["kind"] for finding in row["findings"]]
    assert "no_owner" not in [finding["kind"] for finding in row["findings"]]
    assert milesync("explain", row["id"], "--json", config=config).document["words"]["tolerance"] == 0.1
    milesync("report", "--out", "site", config=config)
    folder = config.parent
    pages = [path.read_text(encoding="utf-8") for path in (folder / "site").rglob("*.html")]
    texts = {
        "status": milesync("status", config=config).out,
        "explain": milesync("explain", row["id"], config=config).out,
        "figures": milesync("explain", row["id"], "-v", config=config).out,
        "digest": milesync("digest", config=config).out,
        "portfolio": (folder / "site" / "index.html").read_text(encoding="utf-8"),
        "page": next(page for page in pages if "Decisions and risks" in page),
        "comment": next(body for body in map(str, ours(tracker)) if "Decision overdue" in body),
    }
    for name, text in texts.items():
        words = re.sub(r"[{}*`\s]+|<[^>]*>", " ", unescape(text))
        for shown in ("Decision overdue", "which vendor?", "Decision needed", "who signs?"):
            assert shown in words, name
        assert ("the audit" in words) == (name != "portfolio"), name  # a risk needs no decision now


def test_a_wrong_line_is_quoted_by_its_key_only(place: tuple[Tracker, Path]) -> None:
    _, config = place
    for command in ("status", "doctor"):
        words = " ".join(milesync(command, config=config).out.split())
        assert re.search(r"[Ll]ine 7 of its description: Start has no readable date", words), command
        assert "Start: soon" not in words


def test_a_second_run_writes_nothing_and_a_changed_start_is_no_growth(place: tuple[Tracker, Path]) -> None:
    tracker, config = place
    assert milesync("run", "--json", config=config).document["writes"]["applied"] == 0
    before = milesync("status", "--json", config=config).document["milestones"]
    (project,) = tracker.projects.values()
    milestone = next(milestone for milestone in project.milestones.values() if milestone.title == "v2")
    start = str(TODAY - timedelta(days=10))
    milestone.description = TEXT.replace(str(TODAY - timedelta(days=20)), start)
    milestone.updated = datetime.now(UTC)
    assert milesync("pull", config=config).code == 0
    after = milesync("status", "--json", config=config).document["milestones"]
    was, now = ({row["title"]: row for row in rows}["v2"] for rows in (before, after))
    assert now["described_start"] == start != was["described_start"]
    assert (now["added"], now["open"], now["closed"]) == (was["added"], was["open"], was["closed"]) == (0, 2, 6)


@pytest.mark.parametrize("kind", ["jira", "jira-cloud"])
def test_the_lead_of_a_project_is_the_owner_where_no_other_is_named(kind: str, tmp_path: Path) -> None:
    world, tracker = one_tracker(kind)
    (project,) = tracker.projects.values()
    project.lead = tracker.user("ada")
    config = tmp_path / "milesync.toml"
    with Sandbox(world, only=(kind,)):
        config.write_text(configuration(world), encoding="utf-8")
        assert milesync("run", "--first-run", config=config).code == 0
        row = milesync("status", "--json", config=config).document["milestones"][0]
        assert (row["owners"], row["owner_origin"]) == (["Ada Fox"], "tracker")
        shown = milesync("status", "--all", config=config).out + "".join(map(str, ours(tracker)))
        assert "No owner is set" not in shown
        assert "Ada Fox" in shown
