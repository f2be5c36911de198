"""A project behind schedule and over budget, its levers taken week by week, until the closing record.

The comments of each week are in ``tests/e2e/turnaround``; ``MILESYNC_GOLDEN=1`` writes them again. The tutorial
`docs/tutorial/turnaround.md` quotes them.
"""

from __future__ import annotations

import os
import re
from datetime import date
from pathlib import Path

import pytest

from connectors.sandbox.demo_story import ADDED
from tests.e2e.turnaround_story import MONDAY, Turnaround, run, told

HERE = Path(__file__).parent / "turnaround"
TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial" / "turnaround.md"
NAME = "gl:acme/shop%Checkout 2.0"
EXTRA = ADDED[1:]


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Our comments of each week, the summary first, and the answers of `whatif` before a lever was used."""
    story, found = Turnaround(), {}
    story.now = MONDAY
    with told(tmp_path_factory.mktemp("turnaround"), story) as config:

        def look(name: str, *words: str) -> None:
            run(config, "run", *words)
            found[f"{name}.md"] = "\n\n---\n\n".join(story.comments()) + "\n"
            writes = len(story.gitlab.writes)
            run(config, "run")
            assert len(story.gitlab.writes) == writes, "the second run of a day writes nothing"

        def ask(name: str, *words: str) -> None:
            told = run(config, "whatif", NAME, *words).out
            found[f"{name}.txt"] = "\n".join(line.rstrip() for line in told.splitlines()) + "\n"

        look("week-0", "--first-run")
        ask("week-0-cut", *(word for title in EXTRA for word in ("--drop", str(story.issues[title].number))))
        story.drop(*EXTRA)
        story.work(2)
        look("week-1")
        story.assign()
        story.issues["Accept vouchers"].blocked_by = []
        story.work(4)
        look("week-2")
        ask("week-2-date", "--due", "2026-04-24")
        story.move_due(date(2026, 4, 24))
        story.work(3)
        look("week-3")
        story.work(2)
        look("week-4")
        story.work(1)
        story.end()
        look("week-5")
        story.milestone.title = "Checkout 2.0, as told later"
        story.milestone.due = date(2026, 3, 1)
        story.milestone.updated = story.project.updated = story.now
        run(config, "pull")
        found["record"] = run(config, "explain", f"{NAME}, as told later", "--json").out
    return found


def test_each_week_says_what_people_reviewed(weeks: dict[str, str]) -> None:
    told = {name: text for name, text in weeks.items() if name != "record"}
    if os.environ.get("MILESYNC_GOLDEN") == "1":
        for name, text in told.items():
            (HERE / name).write_text(text, encoding="utf-8", newline="\n")
    stored = {path.name: path.read_text("utf-8") for path in HERE.iterdir() if path.suffix in (".md", ".txt")}
    assert told == stored


def test_it_goes_from_off_track_to_done_and_a_later_date_alone_helps_nobody(weeks: dict[str, str]) -> None:
    heads = [weeks[f"week-{n}.md"].splitlines()[0] for n in range(6)]
    signs = ["Off track", "Off track", "Off track", "At risk", "On track", "Done"]
    assert all(sign in head for sign, head in zip(signs, heads, strict=True)), heads
    assert "over the estimate" in weeks["week-0.md"]
    assert "Good news: it is back on track." in weeks["week-4.md"]


def test_the_end_is_one_closing_comment_and_a_record_that_stays(weeks: dict[str, str]) -> None:
    assert weeks["week-5.md"].count("Worth a look together") == 1
    assert '"title": "Checkout 2.0"' in weeks["record"]
    assert '"baseline": "2026-03-27"' in weeks["record"]


def test_the_tutorial_quotes_what_is_said(weeks: dict[str, str]) -> None:
    page = TUTORIAL.read_text("utf-8")
    quotes = re.findall(r"<!-- from ([\w.-]+) -->\n```text\n(.*?)```", page, re.DOTALL)
    assert len(quotes) >= 8
    for name, block in quotes:
        said = [line.strip() for line in weeks[name].splitlines()]
        assert [line for line in block.splitlines() if line.strip() and line.strip() not in said] == [], name
    assert re.findall(r"<!-- from", page) == ["<!-- from"] * len(quotes)
