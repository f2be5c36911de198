"""From Jira's words to issues and events: when an issue was closed, and by which of its changes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from connectors.jira.api_types import History, issue_type
from connectors.jira.containers.versions import Versions
from connectors.jira.cursor import Cursor
from connectors.jira.normalize import issue_of, to_utc
from connectors.shared.containers import Containers
from sync.model.tracker_data import Event, EventKind, Issue, State, StatusCategory

BORN = datetime(2026, 1, 1, 9, tzinfo=UTC)
CATEGORIES = {"1": "new", "2": "indeterminate", "5": "done", "6": "done"}
ITEM = issue_type(("customfield_1", "customfield_2"), "customfield_3")
UNUSED: Any = None
VERSIONS = Versions(UNUSED, UNUSED)
"""Versions as containers; no session, as nothing is read."""

CLOSED, REOPENED = EventKind.CLOSED, EventKind.REOPENED


def day(n: int) -> datetime:
    return BORN + timedelta(days=n)


def status(n: int, old: str, new: str) -> dict[str, Any]:
    return {"created": day(n).isoformat(), "items": [{"field": "status", "from": old, "to": new}]}


def resolution(n: int, old: str | None, new: str | None) -> dict[str, Any]:
    return {"created": day(n).isoformat(), "items": [{"field": "resolution", "from": old, "to": new}]}


def both(n: int, old: str, new: str, before: str | None, after: str | None) -> dict[str, Any]:
    items = [status(n, old, new)["items"][0], resolution(n, before, after)["items"][0]]
    return {"created": day(n).isoformat(), "items": items}


def read(
    history: list[dict[str, Any]] | None, *, now: str = "1", resolved: int | None = None, **fields: Any
) -> tuple[Issue, tuple[Event, ...]]:
    wire = {
        "id": "7",
        "key": "A-7",
        "fields": {
            "summary": "t",
            "status": {"id": now, "name": now, "statusCategory": {"key": CATEGORIES.get(now, "undefined")}},
            "project": {"id": "1"},
            "created": BORN.isoformat(),
            "updated": day(30).isoformat(),
            "resolutiondate": None if resolved is None else day(resolved).isoformat(),
            **fields,
        },
    }
    item = msgspec.json.decode(msgspec.json.encode(wire), type=ITEM)
    logs = None if history is None else msgspec.convert(history, list[History])
    return issue_of(
        item, logs, CATEGORIES, "https://j", points=2, blocked_link="is blocked by", containers=Containers([VERSIONS])
    )


@pytest.mark.parametrize(
    ("history", "now", "resolved", "closed", "events"),
    [
        pytest.param([both(3, "1", "5", None, "f")], "5", 3, 3, [(CLOSED, 3)], id="usual"),
        pytest.param([status(3, "1", "5")], "5", None, 3, [(CLOSED, 3)], id="a workflow that sets no resolution"),
        pytest.param([], "5", None, 0, [(CLOSED, 0)], id="created in a done status and never resolved"),
        pytest.param([], "5", 4, 4, [(CLOSED, 4)], id="resolved without a word in the log"),
        pytest.param([resolution(4, None, "f")], "1", 4, None, [], id="resolved in a status that is not done"),
        pytest.param([resolution(4, None, "f")], "2", 4, None, [], id="resolved while in progress"),
        pytest.param(
            [both(3, "1", "5", None, "f"), status(5, "5", "2")],
            "2",
            3,
            None,
            [(CLOSED, 3), (REOPENED, 5)],
            id="back in progress with an old resolution",
        ),
        pytest.param(
            [both(3, "1", "5", None, "f"), status(5, "5", "2"), status(8, "2", "6")],
            "6",
            3,
            8,
            [(CLOSED, 3), (REOPENED, 5), (CLOSED, 8)],
            id="closed again under its old resolution",
        ),
        pytest.param(
            [both(3, "1", "5", None, "f")],
            "2",
            3,
            None,
            [(CLOSED, 3), (REOPENED, 30)],
            id="back in progress without a word in the log",
        ),
        pytest.param(
            [both(3, "1", "99", None, "f")], "99", 3, 3, [(CLOSED, 3)], id="resolved in a status that was deleted"
        ),
        pytest.param(
            [both(3, "1", "99", None, "f"), status(5, "99", "6")],
            "6",
            3,
            3,
            [(CLOSED, 3)],
            id="resolved in a status that was deleted, then closed",
        ),
        pytest.param(
            [both(3, "1", "5", None, "f"), both(5, "5", "1", "f", None)],
            "5",
            None,
            30,
            [(CLOSED, 3), (REOPENED, 5), (CLOSED, 30)],
            id="done although the log ends open",
        ),
        pytest.param(
            [both(3, "1", "5", None, "f"), both(5, "5", "1", "f", None)],
            "5",
            9,
            9,
            [(CLOSED, 3), (REOPENED, 5), (CLOSED, 9)],
            id="resolved after the log ends open",
        ),
        pytest.param(
            [both(3, "1", "5", None, "f"), status(5, "5", "6")], "6", 3, 3, [(CLOSED, 3)], id="Resolved, then Closed"
        ),
        pytest.param([status(3, "1", "5"), status(5, "5", "6")], "6", None, 3, [(CLOSED, 3)], id="done to done"),
        pytest.param(
            [both(3, "1", "5", None, "f"), both(5, "5", "1", "f", None)],
            "1",
            None,
            None,
            [(CLOSED, 3), (REOPENED, 5)],
            id="reopened",
        ),
        pytest.param(
            [both(3, "1", "5", None, "f"), both(5, "5", "1", "f", None), both(8, "1", "6", None, "f")],
            "6",
            8,
            8,
            [(CLOSED, 3), (REOPENED, 5), (CLOSED, 8)],
            id="and closed again",
        ),
        pytest.param(
            [both(3, "1", "5", None, "f"), resolution(6, "f", "w")], "5", 6, 3, [(CLOSED, 3)], id="resolution corrected"
        ),
        pytest.param([resolution(5, "f", None)], "1", None, None, [], id="imported with a resolution, never done"),
        pytest.param(
            [status(3, "1", "5")], "1", None, None, [(CLOSED, 3), (REOPENED, 30)], id="the workflow was changed"
        ),
        pytest.param([status(3, "1", "99")], "99", None, None, [], id="a status that nobody knows any more"),
        pytest.param(
            [status(5, "5", "1"), status(3, "1", "5")], "1", None, None, [(CLOSED, 3), (REOPENED, 5)], id="newest first"
        ),
    ],
)
def test_when_an_issue_is_closed(
    history: list[dict[str, Any]],
    now: str,
    resolved: int | None,
    closed: int | None,
    events: list[tuple[EventKind, int]],
) -> None:
    issue, told = read(history, now=now, resolved=resolved)
    assert issue.closed_at == (None if closed is None else day(closed))
    assert issue.state is (State.OPEN if closed is None else State.CLOSED)
    assert [(event.kind, event.at) for event in told] == [(kind, day(n)) for kind, n in events]


def test_an_open_issue_keeps_its_category_and_a_resolution_that_was_not_cleared() -> None:
    stale, _ = read([both(3, "1", "5", None, "f"), status(5, "5", "2")], now="2", resolved=3, resolution={"name": "f"})
    assert (stale.resolution, stale.category) == ("f", StatusCategory.IN_PROGRESS)
    done, _ = read([both(3, "1", "5", None, "f")], now="5", resolved=3, resolution={"name": "f"})
    assert (done.resolution, done.category) == ("f", StatusCategory.DONE)
    unknown, _ = read([both(3, "1", "99", None, "f")], now="99", resolved=3, resolution={"name": "f"})
    assert (unknown.state, unknown.category) == (State.CLOSED, StatusCategory.DONE)


@pytest.mark.parametrize(
    ("now", "history", "closed"),
    [
        ("5", [], 6),
        ("2", [both(3, "1", "5", None, "f")], None),
        ("5", [both(3, "1", "5", None, "f"), both(5, "5", "1", "f", None)], 6),
    ],
)
def test_the_date_of_the_category_is_used_where_the_log_is_silent(
    now: str, history: list[dict[str, Any]], closed: int | None
) -> None:
    """Only Jira Cloud has it: the workflow or the status was changed, and no entry of the log says so."""
    issue, events = read(history, now=now, statuscategorychangedate=day(6).isoformat())
    assert issue.closed_at == (None if closed is None else day(closed))
    assert (events[-1].kind, events[-1].at) == (REOPENED if closed is None else CLOSED, day(6))


def test_a_change_of_versions_on_either_dialect() -> None:
    cloud = {"field": "Fix Version", "fieldId": "fixVersions", "from": "10", "fromString": "1.0", "to": None}
    server = {"field": "Fix Version", "from": None, "to": "11", "toString": "2.0"}
    other = {"field": "Version", "fieldId": "versions", "from": None, "to": "12", "toString": "3.0"}
    author = {"accountId": "u1", "displayName": "Ada"}
    _, events = read([{"created": day(2).isoformat(), "items": [cloud, server, other], "author": author}])
    assert [(e.kind, e.milestone, e.milestone_title, e.at) for e in events] == [
        (EventKind.LEFT, "10", "1.0", day(2)),
        (EventKind.JOINED, "11", "2.0", day(2)),
    ]
    assert {event.actor.id for event in events if event.actor} == {"u1"}


@pytest.mark.parametrize("value", [1767258000, 1767258000000, BORN])
def test_moments_in_text_seconds_and_milliseconds(value: int | datetime) -> None:
    assert to_utc(value) == BORN


def test_the_first_story_points_with_a_value_count() -> None:
    assert read([], customfield_1=None, customfield_2=3)[0].points == 3.0
    assert read([], customfield_1=0, customfield_2=3)[0].points == 0.0


def link(inward: str, key: str, category: str, side: str = "inwardIssue") -> Mapping[str, Any]:
    other = {"key": key, "fields": {"status": {"id": "1", "name": "x", "statusCategory": {"key": category}}}}
    return {"type": {"inward": inward}, side: other}


def test_only_open_issues_on_the_blocked_side_block() -> None:
    links = [
        link("is blocked by", "A-1", "new"),
        link("Is Blocked By", "A-2", "indeterminate"),
        link("is blocked by", "A-3", "done"),
        link("is blocked by", "A-4", "new", side="outwardIssue"),
        link("relates to", "A-5", "new"),
    ]
    assert read([], issuelinks=links)[0].blocked_by == ("A-1", "A-2")


@pytest.mark.parametrize(
    ("category", "resolved", "closed"),
    [
        pytest.param(8, 3, 8, id="reopened, and closed again with the old resolution"),
        pytest.param(8, None, 8, id="without a resolution"),
        pytest.param(None, 3, 3, id="Data Center"),
        pytest.param(None, None, 30, id="Data Center without a resolution: the last update"),
    ],
)
def test_without_a_changelog_the_change_of_category_comes_first(
    category: int | None, resolved: int | None, closed: int
) -> None:
    changed = None if category is None else day(category).isoformat()
    issue, events = read(None, now="5", resolved=resolved, statuscategorychangedate=changed)
    assert (issue.closed_at, issue.state, events) == (day(closed), State.CLOSED, ())


def test_a_sub_task_has_its_parent_and_a_story_its_epic() -> None:
    assert read([], parent={"key": "A-1"}, customfield_3="A-9")[0].parent == "A-1"
    assert read([], customfield_3="A-9")[0].parent == "A-9"


def test_without_change_logs_the_last_change_of_category_is_used() -> None:
    assert read(None, now="5", statuscategorychangedate=day(6).isoformat())[0].closed_at == day(6)
    assert read(None, now="5")[0].closed_at == day(30)
    assert read(None, now="5", resolved=2)[0].closed_at == day(2)
    assert read(None, now="1")[0].closed_at is None


def test_a_cursor_remembers_what_the_overlap_will_bring_again() -> None:
    updated = {"1": day(5), "2": day(5) - timedelta(minutes=5), "3": day(4)}
    cursor = Cursor.after_pull(day(5), updated)
    assert cursor.seen_updates == {"1": day(5), "2": day(5) - timedelta(minutes=5)}
    assert Cursor.decode(cursor.encode("")) == cursor
    many = {str(n): day(5) for n in range(500)}
    assert Cursor.after_pull(day(5), many).seen_updates == {}
    assert Cursor.decode("") is None


def test_a_cursor_from_before_the_status_decided_begins_again() -> None:
    """Its issues were closed by their resolutions; only a new reading corrects those without an edit."""
    before = msgspec.json.decode(Cursor.after_pull(day(5), {}).encode("A"))
    before["at"] = before.pop("read_until")
    assert Cursor.decode(msgspec.json.encode(before).decode()) is None


@pytest.mark.parametrize(
    ("points", "epic"),
    [(("customfield_1", "customfield_1"), ""), (("customfield_1", "summary"), "customfield_1")],
    ids=["listed twice", "the id of another field"],
)
def test_an_id_that_is_used_already_makes_no_second_field(points: tuple[str, ...], epic: str) -> None:
    wire = {
        "id": "7",
        "key": "A-7",
        "fields": {
            "summary": "t",
            "status": {"id": "1", "name": "1", "statusCategory": {"key": "new"}},
            "project": {"id": "1"},
            "created": BORN.isoformat(),
            "updated": BORN.isoformat(),
            "customfield_1": 5,
        },
    }
    item = msgspec.json.decode(msgspec.json.encode(wire), type=issue_type(points, epic))
    assert [item.fields.points_0, item.fields.points_1, item.fields.epic] == [5, None, None]
