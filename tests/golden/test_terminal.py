"""Output of commands for a terminal against the text that people reviewed. ``MILESYNC_GOLDEN=1`` writes them again."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.text import Text

from sync.assess.milestone import AssessedMilestone
from sync.assess.whatif import Answer, Scenario
from sync.cli.comparison import comparison
from sync.cli.explanation import short_explanation
from sync.cli.output import milestone_table
from sync.cli.plan_lines import plan_lines
from sync.cli.streams import OutputStream
from sync.cli.terminal import Terminal
from sync.model.health import Dates, Health, Status
from sync.model.membership import Counts
from sync.model.tracker_data import Project
from sync.plan.desired import Plan, Skipped
from sync.report.facts import Facts
from sync.tracker.actions import (
    Action,
    CreateComment,
    CreateLabel,
    CreateStatusIssue,
    MoveLabel,
    UpdateDescription,
)
from sync.tracker.connection import Connection, MilestoneOverrides
from sync.tracker.protocol import Connector
from tests.golden.situations import NOW, SITUATIONS, facts, health, milestone

FOLDER = Path(__file__).parent / "terminal"
SIZES = {"60": (60, "utf-8"), "80": (80, "utf-8"), "200": (200, "utf-8"), "ascii": (80, "ascii")}
LONG = "A very long title that goes on " * 10
ODD = {
    "right-to-left": ("شراء السيارة وبيعها", date(2026, 12, 12), 3),
    "wide": ("日本語の題名 한국어 🎉", date(2026, 12, 12), 3),
    "long": (LONG, date(2026, 12, 12), 3),
    "1970": ("Epoch", date(1970, 1, 1), 3),
    "2199": ("Far away", date(2199, 12, 31), 3),
    "empty": ("No issues", date(2026, 12, 12), 0),
    "3000": ("Everything", date(2026, 12, 12), 3000),
}


def odd(title: str, due: date, items: int) -> Facts:
    status = Status.OVERDUE if due < NOW.date() else Status.AT_RISK
    counts = Counts(open=items // 2, closed=items - items // 2)
    dates = Dates(p50=due + timedelta(days=3), horizon=max(due, NOW.date()) + timedelta(days=90))
    made = health(status, None if status is Status.OVERDUE else 0.5, due=due, baseline=due, counts=counts, dates=dates)
    return facts(made, milestone=milestone(title, due))


WORLD = {**{name: make() for name, make in SITUATIONS.items()}, **{name: odd(*values) for name, values in ODD.items()}}


def assessed(known: Facts, number: int) -> AssessedMilestone:
    return AssessedMilestone(
        connection=Connection("gh", cast("Connector", None), (known.project,)),
        project=Project(id=known.project, key=known.project, name=known.project, url=""),
        milestone=known.milestone,
        uid=str(number),
        written=f"gh:{known.project}#{number}",
        stream="app",
        health=known.health,
        memberships=(),
        issues=known.items,
        due_dates=known.due_dates,
        overrides=MilestoneOverrides(),
        project_keys={},
        is_running=not known.health.status.is_over,
        has_status_issue=False,
        findings=known.findings,
        words=known.words,
    )


MILESTONES = [assessed(known, number) for number, known in enumerate(WORLD.values(), start=1)]


def status() -> RenderableType:
    return milestone_table(MILESTONES, every=True, lint=True)


def explain() -> RenderableType:
    parts: list[RenderableType] = []
    for name, known in WORLD.items():
        parts += [Text(f"[{name}]"), short_explanation(known, has_hyperlinks=False), ""]
    return Group(*parts)


def plan() -> RenderableType:
    common: dict[str, Any] = {"milestone": "1", "project": "1", "project_key": "acme/app"}
    actions = (
        CreateStatusIssue(**common, title=f"Health of milestone: {LONG[:180]}", body="", marker=""),
        MoveLabel(**common, issue="", add="health/at-risk", remove=("health/on-track",)),
        CreateComment(**common, issue="", body="", marker="", summary=True),
        MoveLabel(**{**common, "milestone": "gone"}, issue="7", add="health/done"),
    )
    return plan_lines(
        Plan(actions=actions, skipped=(Skipped("2", "no status issue is opened for a closed milestone"),)), MILESTONES
    )


def whatif() -> RenderableType:
    before, far = WORLD["at_risk"].health, WORLD["3000"].health
    after = replace(before, status=Status.ON_TRACK, probability=0.86, due=date(2027, 1, 20))
    issues = tuple(WORLD["at_risk"].items.values())[:3]
    other: dict[str, tuple[Health, Health]] = {"gh:acme/app#17": (after, before)}
    return Group(
        comparison(Scenario("gh:acme/app#12"), Answer(before, after, issues, other)),
        "",
        comparison(Scenario("joint:Payments GA"), Answer(far, WORLD["no_due_date"].health, (), {})),
    )


def first_plan() -> RenderableType:
    """A first plan: three new status issues, one with a further write, and a change of another milestone."""
    common: dict[str, Any] = {"project": "1", "project_key": "acme/app"}
    actions: list[Action] = []
    for uid, label in (("1", "health/at-risk"), ("2", "health/on-track"), ("gone", "health/unknown")):
        own, title = {**common, "milestone": uid}, f"Health of milestone: {LONG[:30] if uid == '1' else uid}"
        labels = (label, "milestone-status")
        actions += [CreateLabel(**own, label=name, colour="0e8a16", description="") for name in labels if uid == "1"]
        actions.append(CreateStatusIssue(**own, title=title, body="", marker="", labels=labels))
        actions.append(CreateComment(**own, issue="", body="", marker="", summary=True))
    actions.append(UpdateDescription(**common, milestone="2", native="2", key="2", url="", instance="x", lines="x"))
    actions.append(MoveLabel(**common, milestone="far", issue="7", add="health/done"))
    return plan_lines(Plan(actions=tuple(actions)), MILESTONES)


VIEWS: dict[str, Callable[[], RenderableType]] = {
    "status": status,
    "explain": explain,
    "plan": plan,
    "first_plan": first_plan,
    "whatif": whatif,
}


def printed(view: str, width: int, encoding: str) -> str:
    raw = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    Terminal(file=OutputStream(raw), width=width).print(VIEWS[view]())
    raw.flush()
    raw.seek(0)
    return raw.read()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("view", VIEWS)
def test_output_is_the_reviewed_one(view: str, size: str) -> None:
    text = printed(view, *SIZES[size])
    golden = FOLDER / f"{view}.{size}.txt"
    if os.environ.get("MILESYNC_GOLDEN") == "1":
        golden.write_text(text, encoding="utf-8", newline="\n")
    assert golden.read_bytes().decode() == text


@pytest.mark.parametrize("width", [60, 72, 80, 100, 200])
@pytest.mark.parametrize("view", VIEWS)
def test_lines_fit_the_terminal_unless_a_word_is_longer(view: str, width: int) -> None:
    too_long = [line for line in printed(view, width, "utf-8").splitlines() if cell_len(line) > width]
    assert [line for line in too_long if len(line.split()) > 1] == []


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_keys_and_addresses_stay_whole(width: int) -> None:
    table, explanation = printed("status", width, "utf-8"), printed("explain", width, "utf-8")
    assert [entry.written for entry in MILESTONES if entry.written not in table] == []
    assert explanation.count("https://github.com/acme/app/milestone/12") == len(WORLD)


def test_no_golden_file_is_left_over() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{view}.{size}.txt" for view in VIEWS for size in SIZES}
