"""Done, removed and open of every tracker, through the real clients over HTTP: the table of `sync.model.item_state`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from connectors.sandbox.gitlab import planning
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Fault, Issue, Label, Milestone, User
from sync.model.item_state import StateNames, StateRules, fold_names
from sync.store.store import Store
from tests.contract.dialect_facts import NOW, USUAL, outcomes, pulls, reading

JIRAS = ("jira", "jira-cloud")
KINDS = ("github", "gitlab", *JIRAS)
CLOSED = NOW - timedelta(days=2)
CANCELLED = ("Cancelled", "Canceled", "Abandoned", "Won\u2019t do", "Rejected", "Declined", "Obsolete", "Abgebrochen")


class Small:
    """A project with one milestone, in one tracker."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker: Tracker = tracker
        self.ada: User = tracker.user("ada", "Ada Fox")
        keys = ("APP", "WEB") if tracker.kind in JIRAS else ("acme/app", "acme/web")
        self.project, self.other = (tracker.project(key, created=NOW - timedelta(days=90)) for key in keys)
        self.milestone: Milestone = tracker.milestone(
            self.project, "1.0", at=NOW - timedelta(days=30), due=NOW.date() + timedelta(days=10)
        )

    def item(self, title: str, *, status: str = "To Do", at: datetime = NOW - timedelta(days=20)) -> Issue:
        """Add an item that is in the milestone since a moment after its creation."""
        issue = self.tracker.issue(self.project, title, self.ada, at=at, status=status)
        self.tracker.move(self.project, issue, [self.milestone.id], self.ada, at + timedelta(hours=1))
        return issue

    def label(self, issue: Issue, name: str, at: datetime, *, remove: bool = False) -> None:
        """Add a label of the project to an item, or remove it."""
        self.project.labels.setdefault(name, Label(self.tracker.world.next_id(), name))
        self.tracker.label(issue, [] if remove else [name], [name] if remove else [], self.ada, at)

    def set_status(self, issue: Issue, status: str, at: datetime) -> None:
        """Change the status on Jira's board and nothing else."""
        self.tracker.change(issue, "status", issue.status, status, self.ada, at, "")
        issue.status = status

    def outcomes(self, rules: StateRules = USUAL) -> dict[str, str]:
        return outcomes(reading(self.tracker, rules=rules), "1.0")

    def closed_at(self, title: str, rules: StateRules = USUAL) -> str:
        """Return the moment of the last closure of an item, or None as a text."""
        return [str(row[3]) for row in reading(self.tracker, rules=rules).memberships["1.0"] if row[0] == title][-1]


def clock_of(world: World) -> Clock:
    assert isinstance(world.clock, Clock)
    return world.clock


def tracker_of(world: World, kind: str) -> Tracker:
    return next(tracker for tracker in world.trackers if tracker.kind == kind)


class Clock:
    """A clock that a test sets."""

    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    served = World(Clock())
    with Sandbox(served):
        yield served


@pytest.fixture
def small(world: World) -> Callable[[str], Small]:
    """A tracker of a kind, emptied, with a small project."""

    def emptied(kind: str) -> Small:
        tracker = tracker_of(world, kind)
        tracker.projects.clear()
        tracker.faults.clear()
        tracker.statuses.clear()
        clock_of(world).now = NOW
        return Small(tracker)

    return emptied


@pytest.mark.parametrize("kind", JIRAS)
def test_state_and_resolution_of_jira(small: Callable[[str], Small], kind: str) -> None:
    side = small(kind)
    for name in CANCELLED:
        side.tracker.statuses[name] = "done"
    for name in CANCELLED:
        for resolution in ("", "Done", None):
            side.tracker.close(side.item(f"{name}: {resolution}"), side.ada, CLOSED, status=name, resolution=resolution)
    for resolution in ("Done", "Fixed", "", None):
        side.tracker.close(side.item(f"Done as {resolution}"), side.ada, CLOSED, resolution=resolution)
    for resolution in ("Won't Do", "Duplicate", "Cannot Reproduce", "Nicht reproduzierbar"):
        side.tracker.close(side.item(f"Done as {resolution}"), side.ada, CLOSED, resolution=resolution)
    stale = side.item("back in progress")
    side.tracker.close(stale, side.ada, CLOSED, resolution="Done")
    side.set_status(stale, "In Progress", CLOSED + timedelta(hours=5))
    again = side.item("closed again")
    side.tracker.close(again, side.ada, CLOSED - timedelta(days=3), resolution="Duplicate")
    side.tracker.reopen(again, side.ada, CLOSED - timedelta(days=2))
    side.tracker.close(again, side.ada, CLOSED, resolution="Done")
    resolved = side.item("resolved in progress", status="In Progress")
    resolved.closed, resolved.resolution = CLOSED, "Done"
    found = side.outcomes()
    assert {found[f"{name}: {resolution}"] for name in CANCELLED for resolution in ("", "Done", None)} == {"removed"}
    assert {found[f"Done as {resolution}"] for resolution in ("Done", "Fixed", "", None)} == {"done"}
    removed = ("Won't Do", "Duplicate", "Cannot Reproduce", "Nicht reproduzierbar")
    assert {found[f"Done as {resolution}"] for resolution in removed} == {"removed"}
    assert (found["back in progress"], found["resolved in progress"], found["closed again"]) == ("open", "open", "done")


@pytest.mark.parametrize("kind", JIRAS)
def test_a_done_issue_without_a_time_is_done(small: Callable[[str], Small], kind: str) -> None:
    """Created in a done status and never resolved: no entry of the log says when it was closed."""
    side = small(kind)
    created = NOW - timedelta(days=20)
    side.item("always done", status="Done", at=created)
    assert side.outcomes() == {"always done": "done"}
    assert side.closed_at("always done") == str(created)


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_a_closed_issue_without_a_time_is_done(small: Callable[[str], Small], kind: str) -> None:
    side = small(kind)
    reasons = {"github": ("not_planned", "duplicate"), "gitlab": ("moved", "duplicate")}[kind]
    for reason in reasons:
        side.tracker.close(side.item(reason), side.ada, CLOSED, resolution=reason)
    side.tracker.close(side.item("finished"), side.ada, CLOSED, resolution="completed")
    assert side.outcomes() == {"finished": "done"} | dict.fromkeys(reasons, "removed")


def test_issues_that_moved_to_another_project_of_gitlab_are_out_of_scope(small: Callable[[str], Small]) -> None:
    side = small("gitlab")
    items = [side.item(f"item {n}") for n in range(10)]
    for item in items[:2]:
        side.tracker.close(item, side.ada, CLOSED)
    for item in items[2:]:
        side.tracker.transfer(side.project, item, side.other, side.ada)
    counts = reading(side.tracker).counts["1.0"]
    assert (counts.done, counts.total, counts.removed, counts.open) == (2, 2, 8, 0)


@pytest.mark.parametrize(
    ("version", "outcome"), [("", "removed"), ("18.2", "removed"), ("18.1", "done"), ("15.0", "done")]
)
def test_an_issue_of_gitlab_that_was_closed_as_canceled(
    small: Callable[[str], Small], world: World, version: str, outcome: str
) -> None:
    """From 18.2 on a status says so; the weekly sweep reads the issue without its history and keeps it."""
    side, clock = small("gitlab"), clock_of(world)
    side.tracker.version = version
    side.tracker.statuses["Parked"] = "canceled"
    try:
        side.tracker.close(side.item("parked"), side.ada, CLOSED, status="Parked")
        side.tracker.close(side.item("finished"), side.ada, CLOSED)
        again = side.item("parked and taken up again")
        side.tracker.close(again, side.ada, CLOSED, status="Parked")
        side.tracker.reopen(again, side.ada, CLOSED + timedelta(hours=1), status="Parked")
        readings = pulls(side.tracker)
        expected = {"parked": outcome, "finished": "done", "parked and taken up again": "open"}
        for _ in range(2):
            assert outcomes(next(readings), "1.0") == expected
            clock.now += timedelta(days=8)
        readings.close()
    finally:
        side.tracker.version = ""


def test_an_issue_that_moved_within_a_group_of_gitlab_counts_once(small: Callable[[str], Small]) -> None:
    """The original keeps the milestone and is closed as moved; the new issue is in the same milestone of the group."""
    side = small("gitlab")
    side.milestone = side.tracker.group_milestone("acme", "2.0", at=NOW - timedelta(days=30))
    items = [side.item(f"item {n}") for n in range(10)]
    for item in items[:2]:
        side.tracker.close(item, side.ada, CLOSED)
    moved = [side.tracker.transfer(side.project, item, side.other, side.ada) for item in items[2:6]]
    assert all(item.milestones == [side.milestone.id] for item in moved)
    side.tracker.close(moved[0], side.ada)
    counts = reading(side.tracker).counts["2.0"]
    assert (counts.done, counts.total, counts.removed, counts.open) == (3, 10, 4, 7)


def test_an_item_of_gitlab_counts_once_in_each_container(small: Callable[[str], Small]) -> None:
    """In a milestone of a group, an iteration and an epic; a moved original is removed from all of them."""
    side, start = small("gitlab"), NOW.date() - timedelta(days=7)
    side.milestone = side.tracker.group_milestone("acme", "2.0", at=NOW - timedelta(days=30))
    sprint = planning.add_iteration(side.tracker, "acme", start, start + timedelta(days=14), title="Sprint 1")
    epic = planning.add_epic(side.tracker, "acme", "Checkout")
    items = [side.item(f"item {n}") for n in range(6)]
    for item in items[:4]:
        planning.plan_iteration(side.tracker, item, sprint, side.ada, CLOSED)
        planning.plan_epic(side.tracker, item, epic, side.ada, CLOSED)
    side.tracker.close(items[0], side.ada)
    side.tracker.transfer(side.project, items[1], side.other, side.ada)
    counts = reading(side.tracker, containers=["milestones", "iterations", "epics"]).counts
    found = {title: (each.done, each.total, each.removed) for title, each in counts.items() if each.total}
    assert {found.pop(title) for title in list(found) if title != "2.0"} == {(1, 3, 1)}
    assert found == {"2.0": (1, 6, 1)}
    assert len([each for each in counts.values() if each.total]) == 3


@pytest.mark.parametrize("kind", ["github", *JIRAS])
def test_issues_that_moved_to_another_project_leave(small: Callable[[str], Small], kind: str) -> None:
    side = small(kind)
    items = [side.item(f"item {n}") for n in range(10)]
    for item in items[:2]:
        side.tracker.close(item, side.ada, CLOSED, resolution="completed" if kind == "github" else "Done")
    for item in items[2:]:
        side.tracker.transfer(side.project, item, side.other, side.ada)
    counts = reading(side.tracker).counts["1.0"]
    assert (counts.done, counts.total, counts.open) == (2, 2, 0)


@pytest.mark.parametrize(("kind", "days"), [("github", 8), ("gitlab", 0), ("jira", 0), ("jira-cloud", 0)])
def test_an_issue_that_moves_between_two_pulls_is_out_of_scope(
    small: Callable[[str], Small], world: World, kind: str, days: int
) -> None:
    """GitHub only stops listing it: the weekly sweep finds that."""
    side, clock = small(kind), clock_of(world)
    items = [side.item(f"item {n}") for n in range(10)]
    readings = pulls(side.tracker)
    before = next(readings).counts["1.0"]
    assert (before.open, before.total) == (10, 10)
    clock.now += timedelta(hours=1)
    for item in items[:2]:
        side.tracker.close(item, side.ada, resolution="completed" if kind == "github" else "Done")
    for item in items[2:]:
        side.tracker.transfer(side.project, item, side.other, side.ada)
    clock.now += timedelta(days=days, hours=1)
    after = next(readings).counts["1.0"]
    readings.close()
    assert (after.done, after.total, after.open) == (2, 2, 0)


# --- names of a team --------------------------------------------------------------------------------------------------

TEAM = StateRules.named(
    done=StateNames(
        labels=fold_names(["Shipped"]), states=fold_names(["Ready for Release"]), resolutions=fold_names(["Duplicate"])
    ),
    started=StateNames(states=fold_names(["Merged"]), labels=fold_names(["doing"])),
    removed_labels=fold_names(["Descoped"]),
    removed_states=fold_names(["Parked"]),
)
LATER = CLOSED + timedelta(hours=5)


@pytest.mark.parametrize("kind", [*KINDS, "gitlab by REST"])
def test_a_label_says_done_since_it_was_given(small: Callable[[str], Small], kind: str) -> None:
    side = small(kind.partition(" ")[0])
    if "REST" in kind:
        side.tracker.faults.append(Fault("status", "/api/graphql", times=100, status=403, body='{"message": "no"}'))
    done, again, removed, other = (side.item(title) for title in ("done", "again", "removed", "other"))
    side.label(done, "shipped", CLOSED)
    side.label(done, "other", CLOSED)
    side.label(again, "shipped", CLOSED)
    side.label(again, "shipped", LATER, remove=True)
    side.label(removed, "descoped", CLOSED)
    side.label(other, "other", CLOSED)
    assert side.outcomes(TEAM) == {"done": "done", "again": "open", "removed": "removed", "other": "open"}
    assert side.closed_at("done", TEAM) == str(CLOSED)
    assert set(side.outcomes().values()) == {"open"}
    rows = [row for row in reading(side.tracker, rules=TEAM).memberships["1.0"] if row[0] == "again"]
    assert [(row[3], row[4]) for row in rows] == [(str(CLOSED), str(LATER)), ("None", "None")]


@pytest.mark.parametrize("kind", JIRAS)
def test_a_column_says_done_since_the_issue_came_into_it(small: Callable[[str], Small], kind: str) -> None:
    side = small(kind)
    side.tracker.statuses |= {"Ready for Release": "indeterminate", "Parked": "new", "Merged": "done"}
    for title, status in (("ready", "Ready for Release"), ("parked", "Parked"), ("merged", "Merged")):
        side.set_status(side.item(title), status, CLOSED)
    back = side.item("back")
    side.set_status(back, "Ready for Release", CLOSED)
    side.set_status(back, "In Progress", LATER)
    side.item("always", status="Ready for Release")
    assert side.outcomes(TEAM) == {
        "ready": "done", "parked": "removed", "merged": "open", "back": "open", "always": "done",
    }  # fmt: skip
    assert side.closed_at("ready", TEAM) == side.closed_at("parked", TEAM) == str(CLOSED)
    assert side.closed_at("back", TEAM) == "None"
    assert side.outcomes()["merged"] == "done"


@pytest.mark.parametrize("kind", JIRAS)
def test_a_column_that_was_renamed_is_known_by_its_present_name(small: Callable[[str], Small], kind: str) -> None:
    """A changelog has the name of the time, the status its own id."""
    side = small(kind)
    side.tracker.statuses["Done-ish"] = "indeterminate"
    ready, back = side.item("ready"), side.item("back")
    side.set_status(ready, "Done-ish", CLOSED)
    side.set_status(back, "Done-ish", CLOSED)
    side.set_status(back, "In Progress", LATER)
    side.tracker.rename_status("Done-ish", "Ready for Release")
    assert side.outcomes(TEAM) == {"ready": "done", "back": "open"}
    assert side.closed_at("ready", TEAM) == str(CLOSED)


@pytest.mark.parametrize("kind", [*JIRAS, "github"])
def test_a_resolution_that_usually_removes_may_say_done(small: Callable[[str], Small], kind: str) -> None:
    side = small(kind)
    side.tracker.close(side.item("same"), side.ada, CLOSED, resolution="duplicate")
    assert (side.outcomes(TEAM), side.outcomes()) == ({"same": "done"}, {"same": "removed"})


@pytest.mark.parametrize("kind", KINDS)
def test_new_names_are_read_from_the_history_at_the_next_pull(
    small: Callable[[str], Small], world: World, kind: str, tmp_path: Path
) -> None:
    side, clock = small(kind), clock_of(world)
    side.label(side.item("done"), "shipped", CLOSED)

    def memberships(rules: StateRules) -> list[tuple[object, ...]]:
        store = Store.open(f"sqlite:///{tmp_path / 'milesync.db'}", create=True, clock=clock)
        running = pulls(side.tracker, rules=rules, store=store)
        found = next(running).memberships["1.0"]
        running.close()
        return found

    assert [row[3] for row in memberships(USUAL)] == ["None"]
    assert [row[3] for row in memberships(TEAM)] == [str(CLOSED)]
