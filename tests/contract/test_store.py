"""What every database behind the store must do: SQLite in memory, SQLite in a file, PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from msgspec.structs import replace
from sqlalchemy import Engine, inspect, text, update

from sync import history
from sync.action import CreateComment, CreateStatusIssue, MoveLabel, OurComment, Receipt, StatusIssue
from sync.connector import Page
from sync.database import schema
from sync.database.opening import open_engine, unmigrated, upgrade, writing
from sync.model import (
    Basis,
    Confidence,
    Counts,
    Dates,
    DueDate,
    Event,
    EventKind,
    Health,
    Issue,
    Lever,
    LeverKind,
    Milestone,
    MilestoneKind,
    Person,
    Project,
    Reason,
    ReasonKind,
    State,
    Status,
    StatusCategory,
    Visibility,
)
from sync.plan import Marker, MarkerKind
from sync.retained import retained
from sync.selfscore import Outcome
from sync.store import MissingDatabase, NewerDatabase, Store, UnusableDatabase
from tests import postgres

SOURCE = "https://tracker.test"
OTHER = "https://tracker.test/second"
DAY = timedelta(days=1)
T0 = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)

Opener = Callable[[], Store]


def url_of(kind: str, folder: Path) -> str:
    if kind == "memory":
        return "sqlite://"
    if kind == "sqlite":
        return f"sqlite:///{folder / 'milesync.db'}"
    found = postgres.database()
    if found is None:
        pytest.skip("no PostgreSQL is installed (initdb, pg_ctl)")
    return found


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with Store.open(url_of(request.param, tmp_path), create=True, clock=lambda: T0) as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgresql"])
def lasting(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database that several stores may open."""
    return url_of(request.param, tmp_path)


def issue(n: str = "1", **changes: Any) -> Issue:
    fields: dict[str, Any] = {
        "id": n,
        "project": "p",
        "key": f"#{n}",
        "title": "Title",
        "url": f"{SOURCE}/p/{n}",
        "state": State.OPEN,
        "raw_state": "open",
        "category": StatusCategory.TODO,
        "created_at": T0 - 10 * DAY,
        "updated_at": T0,
    }
    return Issue(**fields | changes)


def milestone(n: str = "m", **changes: Any) -> Milestone:
    fields: dict[str, Any] = {
        "id": n,
        "project": "p",
        "kind": MilestoneKind.MILESTONE,
        "key": n,
        "written": f"#{n}",
        "title": f"Milestone {n}",
        "url": f"{SOURCE}/m/{n}",
        "state": State.OPEN,
    }
    return Milestone(**fields | changes)


def closed(one: Issue, at: datetime) -> Issue:
    return replace(one, state=State.CLOSED, closed_at=at, updated_at=at)


def event(kind: EventKind, at: datetime, *, of: str = "1", **more: Any) -> Event:
    return Event(issue=of, at=at, kind=kind, **more)


def everything(store: Store) -> tuple[Any, ...]:
    """All that can be read of a source."""
    return (
        store.projects(SOURCE),
        store.milestones(deleted=True),
        list(store.histories(SOURCE)),
        store.due_dates(SOURCE),
        store.titles(SOURCE),
        store.cursors(SOURCE),
    )


# --- rows -------------------------------------------------------------------------------------------------------


def test_every_field_comes_back(store: Store) -> None:
    full = issue(
        title="Zeitplan \u2014 \u202eright to left\u202c \U0001f600 'quoted\" \\ %s ? :x",
        state=State.CLOSED,
        raw_state="In Review",
        category=StatusCategory.DONE,
        closed_at=T0 - DAY,
        resolution="Won't Do",
        type="Bug",
        priority="High",
        assignees=(Person("a1", "Ann, O'Hara"), Person("b2", "Bo {x}")),
        labels=("a", 'b"c', "d,e"),
        milestones=("m1", "m2"),
        estimate=3_600,
        remaining=0,
        spent=2**40,
        points=0.5,
        blocked_by=("#7", "https://tracker.test/x"),
        parent="#3",
        due=date(2026, 2, 28),
        is_pull_request=True,
        visibility=Visibility.CONFIDENTIAL,
    )
    project = Project(id="p", key="acme/app", name="App", url=SOURCE, visibility=Visibility.PUBLIC)
    dated = milestone(
        kind=MilestoneKind.VERSION,
        state=State.CLOSED,
        description="Text",
        start=date.min,
        due=date.max,
        created_at=datetime(1, 1, 1, tzinfo=UTC),
        updated_at=datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        closed_at=T0,
    )
    told = event(EventKind.JOINED, T0, milestone="m1", milestone_title="One", actor=Person("a1", "Ann"))
    page = Page(
        projects=(project,),
        milestones=(dated, milestone("bare")),
        issues=(full, issue("2")),
        histories={"1": (told,)},
        cursors={"p": '{"since": "x"}'},
    )
    saved = store.save(SOURCE, page, T0)
    assert (saved.issues, saved.milestones, saved.events, saved.changed) == (2, 2, 1, frozenset({"1", "2"}))
    assert store.projects(SOURCE) == [project]
    assert store.milestones(SOURCE) == [(SOURCE, milestone("bare")), (SOURCE, dated)]
    assert list(store.issues(SOURCE)) == [full, issue("2")]
    assert list(store.events(SOURCE)) == [told]
    assert store.cursors(SOURCE) == {"p": '{"since": "x"}'}


def test_text_that_a_database_cannot_hold_is_replaced(store: Store) -> None:
    store.save(SOURCE, Page(issues=(issue(title="a\x00b", labels=("c\x00",)),)), T0)
    [kept] = store.issues(SOURCE)
    assert kept.title == "a\ufffdb"
    assert kept.labels == ("c\x00",)  # inside JSON it is escaped


def test_sources_are_apart(store: Store) -> None:
    store.save(SOURCE, Page(issues=(issue(),), cursors={"p": "1"}, milestones=(milestone(),)), T0)
    store.save(OTHER, Page(issues=(issue(title="Other"),), cursors={"p": "2"}), T0)
    assert [one.title for one in store.issues(SOURCE)] == ["Title"]
    assert [one.title for one in store.issues(OTHER)] == ["Other"]
    store.drop_cursors(SOURCE)
    assert (store.cursors(SOURCE), store.cursors(OTHER)) == ({}, {"p": "2"})
    assert store.milestones(OTHER) == []


def test_a_source_never_seen_is_empty(store: Store) -> None:
    assert everything(store) == ([], [], [], {}, {}, {})
    assert store.status_issues("nobody") == frozenset()
    assert store.unfinished("nobody") == []


def test_saving_a_page_twice_changes_nothing(store: Store) -> None:
    page = Page(
        milestones=(milestone(due=date(2026, 4, 1)),),
        issues=(issue(milestones=("m",)),),
        histories={"1": (event(EventKind.JOINED, T0, milestone="m"),)},
        due_dates={"m": (DueDate(T0 - DAY, date(2026, 3, 20)),)},
        cursors={"p": "1"},
        all_milestones=frozenset({"p"}),
        gone=frozenset({"9"}),
    )
    store.save(SOURCE, page, T0)
    once = everything(store)
    saved = store.save(SOURCE, page, T0 + DAY)
    assert everything(store) == once
    assert saved.changed == saved.gone == frozenset()


def test_an_older_row_never_overwrites_a_newer_one(store: Store) -> None:
    old, new = issue(title="Old", updated_at=T0), issue(title="New", updated_at=T0 + DAY, milestones=("m",))
    told = {"1": (event(EventKind.JOINED, T0 + DAY, milestone="m"),)}
    store.save(SOURCE, Page(issues=(new,), histories=told), T0)
    store.save(SOURCE, Page(issues=(old,), histories={"1": ()}), T0)
    assert list(store.histories(SOURCE)) == [(new, list(told["1"]))]
    before = milestone(title="Old", updated_at=T0, due=date(2026, 1, 1))
    after = milestone(title="New", updated_at=T0 + DAY, due=date(2026, 2, 2))
    store.save(SOURCE, Page(milestones=(after,)), T0)
    store.save(SOURCE, Page(milestones=(before,)), T0 + DAY)
    assert store.milestones(SOURCE) == [(SOURCE, after)]
    assert [note.due for note in store.due_dates(SOURCE)["m"]] == [date(2026, 2, 2)]


def test_the_newest_of_several_copies_in_one_page_counts(store: Store) -> None:
    new, old = issue(title="New", updated_at=T0 + DAY), issue(title="Old")
    store.save(SOURCE, Page(issues=(new, old), milestones=(milestone(), milestone())), T0)
    assert list(store.issues(SOURCE)) == [new]


def test_rows_and_cursors_are_stored_together_or_not_at_all(store: Store) -> None:
    store.save(SOURCE, Page(cursors={"p": "1"}), T0)
    bad: Any = object()
    page = Page(milestones=(milestone(),), issues=(issue(), issue("2", estimate=bad)), cursors={"p": "2"})
    with pytest.raises(Exception, match=r".") as caught:
        store.save(SOURCE, page, T0)
    assert "Title" not in str(caught.value)
    assert store.cursors(SOURCE) == {"p": "1"}
    assert list(store.issues(SOURCE)) == []
    assert store.milestones(SOURCE) == []


def test_large_pages_and_reads_in_batches(store: Store) -> None:
    many = tuple(issue(f"{n:05}", project=f"p{n % 2}", milestones=(f"m{n % 3}",)) for n in range(2_500))
    told = {one.id: (event(EventKind.JOINED, T0, of=one.id, milestone=one.milestones[0]),) for one in many}
    store.save(SOURCE, Page(issues=many, histories=told), T0)
    assert list(store.issues(SOURCE)) == list(many)
    assert [one.issue for one in store.events(SOURCE)] == [one.id for one in many]
    assert [one.id for one in store.issues(SOURCE, projects=["p1"])] == [f"{n:05}" for n in range(1, 2_500, 2)]
    assert [one.id for one in store.issues(SOURCE, milestones=["m2"])] == [f"{n:05}" for n in range(2, 2_500, 3)]


def test_issues_of_a_milestone_are_all_that_were_ever_in_it(store: Store) -> None:
    page = Page(
        milestones=(milestone("m", title="Beta"), milestone("n", title="Gamma"), milestone("q", project="other")),
        issues=(
            issue("now", milestones=("m",)),
            issue("left by id"),
            issue("left by title"),
            issue("elsewhere", project="other"),
            issue("another", milestones=("n",)),
        ),
        histories={
            "left by id": (event(EventKind.LEFT, T0, of="left by id", milestone="m"),),
            "left by title": (event(EventKind.LEFT, T0, of="left by title", milestone_title="Beta"),),
            "elsewhere": (event(EventKind.LEFT, T0, of="elsewhere", milestone_title="Beta"),),
        },
    )
    store.save(SOURCE, page, T0)
    store.save(SOURCE, Page(milestones=(milestone("m", title="Beta 2"),)), T0)
    assert [one.id for one in store.issues(SOURCE, milestones=["m"])] == ["left by id", "left by title", "now"]
    assert len(list(store.events(SOURCE, milestones=["m"]))) == 2
    assert list(store.issues(SOURCE, milestones=[])) == []
    assert list(store.issues(SOURCE, projects=[])) == []


# --- history from our own pulls ---------------------------------------------------------------------------------


def test_changes_between_two_pulls_become_events(store: Store) -> None:
    first = issue(milestones=("a", "b"))
    store.save(SOURCE, Page(issues=(first,)), T0)
    second = closed(replace(first, milestones=("b", "c")), T0 + DAY)
    store.save(SOURCE, Page(issues=(second,)), T0 + 2 * DAY)
    third = replace(second, state=State.OPEN, closed_at=None, updated_at=T0 + 3 * DAY)
    store.save(SOURCE, Page(issues=(third,)), T0 + 4 * DAY)
    assert list(store.events(SOURCE)) == [
        event(EventKind.LEFT, T0 + DAY, milestone="a"),
        event(EventKind.JOINED, T0 + DAY, milestone="c"),
        event(EventKind.CLOSED, T0 + DAY),
        event(EventKind.REOPENED, T0 + 3 * DAY),
    ]
    assert [one.id for one in store.issues(SOURCE, milestones=["a"])] == ["1"]


def test_a_new_estimate_is_noted_also_where_the_tracker_tells_the_history(store: Store) -> None:
    joined = event(EventKind.JOINED, T0 - DAY, milestone="a")
    first = issue(milestones=("a",), estimate=3600)
    store.save(SOURCE, Page(issues=(first,), histories={"1": (joined,)}), T0)
    second = replace(first, estimate=7200, updated_at=T0 + DAY)
    store.save(SOURCE, Page(issues=(second,), histories={"1": (joined,)}), T0 + DAY)
    store.save(SOURCE, Page(issues=(replace(second, points=3.0),)), T0 + 2 * DAY)
    noted = [one for one in store.events(SOURCE) if one.kind is EventKind.ESTIMATED]
    assert [one.at for one in noted] == [T0 + DAY, T0 + 2 * DAY]
    assert [one for one in store.events(SOURCE) if one not in noted] == [joined]
    (stay,) = history.memberships(store.issues(SOURCE), store.events(SOURCE), {}, source=SOURCE)
    assert (stay.joined, stay.left, stay.closed) == (T0 - DAY, None, None)


def test_a_change_that_did_not_move_the_issue_is_dated_by_the_pull(store: Store) -> None:
    store.save(SOURCE, Page(issues=(issue(milestones=("a",)),)), T0)
    saved = store.save(SOURCE, Page(issues=(issue(),)), T0 + 2 * DAY)
    assert list(store.events(SOURCE)) == [event(EventKind.LEFT, T0 + 2 * DAY, milestone="a")]
    assert saved.changed == {"1"}


def test_a_history_replaces_what_the_tracker_told_and_nothing_else(store: Store) -> None:
    store.save(SOURCE, Page(issues=(issue(milestones=("a",)),)), T0)
    store.save(SOURCE, Page(issues=(issue(updated_at=T0 + DAY),)), T0 + DAY)
    noted = event(EventKind.LEFT, T0 + DAY, milestone="a")
    first, second = event(EventKind.JOINED, T0, milestone="a"), event(EventKind.LEFT, T0 + DAY / 2, milestone="a")
    store.save(SOURCE, Page(histories={"1": (first,)}), T0)
    assert list(store.events(SOURCE)) == [noted, first] or list(store.events(SOURCE)) == [first, noted]
    moved = issue(updated_at=T0 + 2 * DAY, milestones=("b",))
    store.save(SOURCE, Page(issues=(moved,), histories={"1": (second,)}), T0)
    assert sorted(store.events(SOURCE), key=lambda one: one.at) == [second, noted]


def test_snapshots_make_the_same_memberships_as_told_history(store: Store) -> None:
    """One tracker tells its history, the other one is only looked at after every change."""
    change = [
        issue(milestones=("a",)),
        issue(milestones=("b",), updated_at=T0 + DAY),
        closed(issue(milestones=("b",)), T0 + 2 * DAY),
        issue(milestones=("b",), updated_at=T0 + 3 * DAY),
    ]
    for seen in change:
        store.save(SOURCE, Page(issues=(seen,)), seen.updated_at)
    told = (
        event(EventKind.LEFT, T0 + DAY, milestone="a"),
        event(EventKind.JOINED, T0 + DAY, milestone="b"),
        event(EventKind.CLOSED, T0 + 2 * DAY),
        event(EventKind.REOPENED, T0 + 3 * DAY),
    )
    noted = list(history.memberships(store.issues(SOURCE), store.events(SOURCE), {}, source=SOURCE))
    assert noted == list(history.memberships([change[-1]], told, {}, source=SOURCE))
    assert len(noted) == 3


def test_due_dates_are_noted_when_they_differ(store: Store) -> None:
    days = [None, date(2026, 4, 1), date(2026, 4, 1), date(2026, 5, 1), None]
    for n, due in enumerate(days):
        store.save(SOURCE, Page(milestones=(milestone(due=due),)), T0 + n * DAY)
    assert store.due_dates(SOURCE)["m"] == [
        DueDate(T0, None),
        DueDate(T0 + DAY, date(2026, 4, 1)),
        DueDate(T0 + 3 * DAY, date(2026, 5, 1)),
        DueDate(T0 + 4 * DAY, None),
    ]


def test_a_due_date_was_moved_between_two_pulls_or_by_whom_the_tracker_names(store: Store) -> None:
    where = Project(id="p", key="acme/app", name="App", url=SOURCE)
    store.save(SOURCE, Page(projects=(where,), milestones=(milestone(due=date(2026, 4, 1)),)), T0)
    store.note_pull(SOURCE, "acme/app", T0 + timedelta(minutes=1), None)
    store.save(SOURCE, Page(milestones=(milestone(due=date(2026, 5, 1)),)), T0 + DAY)
    first, second = store.due_dates(SOURCE)["m"]
    assert (first.after, first.by, second.by) == (None, None, None)
    assert (second.after, second.seen) == (T0 + timedelta(minutes=1), T0 + DAY)
    ada = Person("7", "Ada")
    store.save(SOURCE, Page(due_dates={"n": (DueDate(T0, date(2026, 1, 1)), DueDate(T0 + DAY, None, ada))}), T0)
    assert [one.by for one in store.due_dates(SOURCE)["n"]] == [None, ada]


def test_earlier_due_dates_that_the_tracker_tells_come_first(store: Store) -> None:
    told = (DueDate(T0 - 9 * DAY, date(2026, 1, 1)), DueDate(T0 - DAY, date(2026, 2, 1)))
    page = Page(milestones=(milestone(due=date(2026, 2, 1)),), due_dates={"m": told})
    store.save(SOURCE, page, T0)
    assert store.due_dates(SOURCE) == {"m": list(told)}


def test_every_title_ever_seen_is_kept(store: Store) -> None:
    store.save(SOURCE, Page(milestones=(milestone("m", title="A", created_at=T0), milestone("n", title="B"))), T0)
    store.save(SOURCE, Page(milestones=(milestone("m", title="B", created_at=T0),)), T0)
    assert store.titles(SOURCE) == {("p", "A"): [(T0, "m")], ("p", "B"): [(None, "n"), (T0, "m")]}


# --- what is gone -----------------------------------------------------------------------------------------------


def test_a_milestone_missing_from_a_full_list_is_gone_and_can_come_back(store: Store) -> None:
    stays_, goes, foreign = milestone("a"), milestone("b"), milestone("c", project="other")
    store.save(SOURCE, Page(milestones=(stays_, goes, foreign)), T0)
    listing = Page(milestones=(stays_,), all_milestones=frozenset({"p"}))
    store.save(SOURCE, listing, T0 + DAY)
    assert [one.id for _, one in store.milestones()] == ["c", "a"]
    assert [one.id for _, one in store.milestones(deleted=True)] == ["c", "a", "b"]
    assert ("p", "Milestone b") in store.titles(SOURCE)
    store.save(SOURCE, Page(milestones=(goes,)), T0 + 2 * DAY)
    assert [one.id for _, one in store.milestones()] == ["c", "a", "b"]


def test_a_gone_issue_leaves_its_milestones_but_keeps_its_past(store: Store) -> None:
    store.save(SOURCE, Page(issues=(issue(milestones=("m",), visibility=Visibility.PUBLIC),)), T0)
    saved = store.save(SOURCE, Page(gone=frozenset({"1", "unknown"})), T0 + DAY)
    assert saved.gone == {"1"}
    [(kept, events)] = store.histories(SOURCE, milestones=["m"])
    assert (kept.milestones, kept.visibility) == ((), Visibility.UNKNOWN)
    assert list(events) == [event(EventKind.LEFT, T0 + DAY, milestone="m")]
    store.save(SOURCE, Page(gone=frozenset({"1"})), T0 + 2 * DAY)
    assert len(list(store.events(SOURCE))) == 1


def test_what_is_gone_blocks_nothing_any_more(store: Store) -> None:
    waiting = issue("2", blocked_by=("#1", "#3", f"{SOURCE}/p/1"))
    namesake = issue("4", project="q", blocked_by=("#1", f"{SOURCE}/p/1"))
    whole = issue("5", key="PAY-5", blocked_by=("#9",))
    store.save(SOURCE, Page(issues=(issue(), waiting, namesake, whole)), T0)
    store.save(SOURCE, Page(gone=frozenset({"1"})), T0 + DAY)
    assert {row.id: row.blocked_by for row in store.issues(SOURCE)} == {
        "1": (),
        "2": ("#3",),
        "4": ("#1",),
        "5": ("#9",),
    }


def test_a_blocker_that_a_sweep_does_not_find_blocks_nothing_even_if_it_was_never_read(store: Store) -> None:
    waiting = issue("2", key="PAY-2", blocked_by=("PAY-1", "PAY-3", "APP-1", f"{SOURCE}/x"))
    numbered = issue("4", project="q", blocked_by=("#1", "PAY-1"))
    places = tuple(Project(id=n, key=key, name=key, url=f"{SOURCE}/{n}") for n, key in (("p", "PAY"), ("q", "APP")))
    store.save(SOURCE, Page(projects=places, issues=(waiting, issue("3", key="PAY-3"), numbered)), T0)
    store.save(SOURCE, Page(all_issues={"p": frozenset({"2", "3", "99"})}), T0 + DAY)
    assert next(row for row in store.issues(SOURCE) if row.id == "2").blocked_by == waiting.blocked_by, (
        "not all is read"
    )
    store.save(SOURCE, Page(all_issues={"p": frozenset({"2", "3"})}), T0 + DAY)
    assert {row.id: row.blocked_by for row in store.issues(SOURCE)} == {
        "2": ("PAY-3", "APP-1", f"{SOURCE}/x"),
        "3": (),
        "4": ("#1",),
    }


def test_a_gone_issue_comes_back_with_a_later_pull_only(store: Store) -> None:
    there = issue(milestones=("m",))
    store.save(SOURCE, Page(issues=(there,)), T0)
    store.save(SOURCE, Page(gone=frozenset({"1"})), T0 + DAY)
    store.save(SOURCE, Page(issues=(there,)), T0 + DAY)
    assert next(store.issues(SOURCE)).milestones == ()
    saved = store.save(SOURCE, Page(issues=(there,)), T0 + 2 * DAY)
    assert list(store.issues(SOURCE)) == [there]
    assert saved.changed == {"1"}
    assert [one.kind for one in store.events(SOURCE)] == [EventKind.LEFT, EventKind.JOINED]


# --- how pulls went ---------------------------------------------------------------------------------------------


def test_stale_since_the_last_good_pull(store: Store) -> None:
    store.note_pull(SOURCE, "good", T0, None)
    store.note_pull(SOURCE, "bad", T0, None)
    store.note_pull(SOURCE, "bad", T0 + DAY, "down")
    store.note_pull(SOURCE, "bad", T0 + 2 * DAY, "still down")
    store.note_pull(OTHER, "never", T0 + DAY, "no")
    assert store.stale() == {(SOURCE, "bad"): T0, (OTHER, "never"): None}
    store.note_pull(SOURCE, "bad", T0 + 3 * DAY, None)
    assert store.stale() == {(OTHER, "never"): None}
    assert store.pulled() == {(SOURCE, "good"): T0, (SOURCE, "bad"): T0 + 3 * DAY}


# --- assessments ------------------------------------------------------------------------------------------------

FULL = Health(
    container="c",
    at=T0,
    status=Status.AT_RISK,
    band=Status.OFF_TRACK,
    since=T0 - DAY,
    audience="team",
    due=date(2026, 4, 1),
    baseline=date(2026, 3, 1),
    start=date(2026, 1, 1),
    probability=0.4,
    dates=Dates(p50=date(2026, 4, 2), p85=date(2026, 4, 9), p95=None, horizon=date(2027, 1, 1)),
    counts=Counts(open=3, closed=2, removed=1, added=1),
    reasons=(Reason(kind=ReasonKind.DUE_MOVED, effect=-0.5, values={"from": date(2026, 3, 1), "days": 31, "x": None}),),
    levers=(
        Lever(
            kind=LeverKind.MOVE, probability=0.8, values={"to": date(2026, 4, 9), "text": "2026-04-09"}, items=("i",)
        ),
        Lever(kind=LeverKind.PACE, probability=None, values={"needed": 2.5}),
    ),
    confidence=Confidence.LOW,
    basis=Basis(stream="s", survival=0.3),
)


def test_the_last_health_comes_back_whole_and_by_audience(store: Store) -> None:
    later = replace(FULL, at=T0 + DAY, status=Status.ON_TRACK)
    public = replace(FULL, audience="public", reasons=(), levers=())
    store.save_health("run 1", [FULL, public])
    store.save_health("run 2", [later])
    assert store.last_health("team") == {"c": later}
    assert store.last_health("public") == {"c": public}
    assert store.last_health() == {}


def test_a_late_older_health_is_not_the_last_one(store: Store) -> None:
    store.save_health("run", [replace(FULL, at=T0 + DAY)])
    store.save_health("run", [FULL])
    store.save_health("run", [FULL])
    assert store.last_health("team")["c"].at == T0 + DAY
    assert len(list(store.forecasts())) == 2


def test_what_was_last_said_in_each_week(store: Store) -> None:
    thursday = datetime(2026, 1, 1, tzinfo=UTC)
    days = (0, 1, 6, 7, 15, 20)
    told = [replace(FULL, audience="", at=thursday + n * DAY, probability=0.3 + n / 100) for n in days]
    store.save_health("run", [*told, replace(FULL, audience="public", at=thursday + 8 * DAY)])
    found = store.weekly(thursday, thursday + 20 * DAY)
    assert [(one.at - thursday).days for one in found["c"]] == [6, 7, 15]
    assert [round(one.probability or 0, 2) for one in found["c"]] == [0.36, 0.37, 0.45]
    assert [(one.at - thursday).days for one in store.weekly(thursday + 7 * DAY, thursday + 99 * DAY)["c"]] == [7, 20]


def test_forecasts_and_outcomes_are_kept_for_scoring(store: Store) -> None:
    silent = replace(FULL, container="d", probability=None, dates=Dates(), basis=Basis(stream="t"))
    store.save_health("run 1", [FULL, silent, replace(FULL, container="a")], {"a": "named"})
    store.save_health("run 2", [replace(FULL, at=T0 + DAY)])
    found = list(store.forecasts())
    assert [(one.container, one.at, one.stream) for one in found] == [
        ("a", T0, "named"),
        ("c", T0, "s"),
        ("c", T0 + DAY, "s"),
    ]
    assert (found[1].probability, found[1].start, found[1].due) == (0.4, FULL.start, FULL.due)
    assert (found[1].p50, found[1].p85, found[1].p95) == (FULL.dates.p50, FULL.dates.p85, None)
    assert [one.container for one in store.forecasts("named")] == ["a"]
    store.save_outcomes({"c": Outcome(done=T0), "a": Outcome(dropped=True)})
    store.save_outcomes({"c": Outcome(done=T0 + DAY)})
    assert store.outcomes() == {"c": Outcome(done=T0 + DAY), "a": Outcome(dropped=True)}


def test_what_was_said_at_a_time_and_when_it_turned(store: Store) -> None:
    risk = replace(FULL, audience="", status=Status.AT_RISK)
    told = [
        risk,
        replace(risk, at=T0 + DAY, probability=0.5),
        replace(risk, at=T0 + 2 * DAY, status=Status.ON_TRACK),
        replace(risk, at=T0 + 3 * DAY, status=Status.ON_TRACK, due=None),
        replace(risk, container="d", at=T0 + DAY),
        replace(risk, audience="public", at=T0 + DAY),
    ]
    store.save_health("run", told)
    assert store.said_at(T0 - DAY) == {}
    before = store.said_at(T0 + DAY)
    assert {name: (one.at, one.probability) for name, one in before.items()} == {
        "c": (T0 + DAY, 0.5),
        "d": (T0 + DAY, 0.4),
    }
    assert store.said_at(T0 + 9 * DAY)["c"].due is None
    turns = store.turns()
    assert [(one.at, one.status, one.due) for one in turns["c"]] == [
        (T0, Status.AT_RISK, FULL.due),
        (T0 + 2 * DAY, Status.ON_TRACK, FULL.due),
        (T0 + 3 * DAY, Status.ON_TRACK, None),
    ]
    assert len(turns["d"]) == 1
    assert store.said_at(T0, "public") == {}
    assert len(store.turns("public")["c"]) == 1


# --- observation and journal ------------------------------------------------------------------------------------

UID = f"{SOURCE}/milestone/m"


def marker(kind: MarkerKind, milestone: str = UID) -> str:
    return Marker(instance="i", kind=kind, milestone=milestone).encode()


def status_issue(**changes: Any) -> StatusIssue:
    fields: dict[str, Any] = {
        "issue": "#1",
        "url": f"{SOURCE}/p/1",
        "closed": False,
        "labels": ("health/on-track",),
        "comments": (),
    }
    return StatusIssue(**fields | changes)


def comment(kind: MarkerKind) -> OurComment:
    return OurComment(id="c1", marker=marker(kind), body="Body", created_at=T0, updated_at=T0)


def test_the_last_observation_stands(store: Store) -> None:
    store.save(SOURCE, Page(), T0)
    seen = status_issue(comments=(comment(MarkerKind.TRANSITION),))
    store.save_observed(UID, None, T0)
    store.save_observed(UID, seen, T0 + DAY)
    store.save_observed(f"{SOURCE}/milestone/n", None, T0)
    assert store.observed() == {UID: (seen, T0 + DAY), f"{SOURCE}/milestone/n": (None, T0)}


def test_status_issues_are_known_from_the_journal(store: Store) -> None:
    store.save(SOURCE, Page(issues=(issue("9", key="#5"), issue("8", key="#5", project="q"), issue("7"))), T0)
    action = CreateStatusIssue(milestone=UID, project="p", project_key="a/b", title="T", body="B", marker="{}")
    entry = store.begin("run", action)
    assert store.status_issues(SOURCE) == frozenset()
    store.finish(entry, Receipt(issue="#5"))
    assert store.status_issues(SOURCE) == {"9"}


def test_status_issues_are_known_from_an_observation_by_their_marker(store: Store) -> None:
    store.save(SOURCE, Page(issues=(issue("1"), issue("2"))), T0)
    named = status_issue(issue="#2", url=f"{SOURCE}/p/2")
    store.save_observed(f"{SOURCE}/milestone/n", named, T0)
    foreign = status_issue(marker=marker(MarkerKind.STATUS_ISSUE, "another milestone"))
    store.save_observed(UID, foreign, T0)
    assert store.status_issues(SOURCE) == frozenset()
    store.save_observed(UID, status_issue(marker=marker(MarkerKind.STATUS_ISSUE)), T0)
    store.save_observed(UID, None, T0 + DAY)
    assert store.status_issues(SOURCE) == {"1"}


def test_a_summary_once_posted_is_remembered(store: Store) -> None:
    store.save(SOURCE, Page(), T0)
    post = CreateComment(milestone=UID, project="p", project_key="k", issue="#1", body="B", marker="{}", summary=True)
    store.finish(store.begin("run", replace(post, summary=False)), Receipt(id="1"))
    store.finish(store.begin("run", post), "refused")
    assert store.posted() == frozenset()
    store.finish(store.begin("run", post), Receipt(id="1"))
    assert store.posted() == {UID}
    other = f"{SOURCE}/milestone/n"
    text = Marker(instance="i", kind=MarkerKind.SUMMARY, milestone=other).encode()
    store.save_observed(other, status_issue(comments=(replace(comment(MarkerKind.SUMMARY), marker=text),)), T0)
    store.save_observed(other, status_issue(), T0 + DAY)
    assert store.posted() == {UID, other}


def test_touched_is_what_the_pull_shows_changed(store: Store) -> None:
    store.save(SOURCE, Page(issues=(issue(updated_at=T0),)), T0)
    assert store.touched(SOURCE, "#1", "p", T0 - DAY)
    assert not store.touched(SOURCE, "#1", "p", T0)
    assert not store.touched(SOURCE, "#1", "other", T0 - DAY)


def test_what_was_begun_and_never_finished_is_known(store: Store) -> None:
    for source in (SOURCE, OTHER):
        store.save(source, Page(), T0)
    move = MoveLabel(milestone=UID, project="p", project_key="k", issue="#1", add="a", remove=("b",))
    elsewhere = replace(move, milestone=f"{OTHER}/milestone/m")
    first, second = store.begin("run", move), store.begin("run", elsewhere)
    third = store.begin("run", replace(move, add="c"))
    assert [(e.n, e.action, e.run, e.begun_at) for e in store.unfinished(OTHER)] == [(second, elsewhere, "run", T0)]
    assert [e.n for e in store.unfinished(SOURCE)] == [first, third]
    store.finish(first, Receipt())
    store.finish(third, "The tracker refused")
    assert store.unfinished(SOURCE) == []


def test_runs(store: Store) -> None:
    store.start_run("a", T0)
    store.start_run("b", T0 + DAY)
    store.finish_run("a", '{"milestones": 1}', T0 + DAY)
    assert [(r.id, r.started_at, r.finished_at, r.summary) for r in store.last_runs()] == [
        ("b", T0 + DAY, None, None),
        ("a", T0, T0 + DAY, '{"milestones": 1}'),
    ]
    assert [r.id for r in store.last_runs(1)] == ["b"]


# --- the right to write -----------------------------------------------------------------------------------------


def time_passes(store: Store, seconds: float) -> None:
    """Move every lease into the past: the same as moving the database's clock forward."""
    with store._engine.begin() as connection:
        table = schema.lease
        connection.execute(update(table).values(until=table.c.until - int(seconds * 1_000_000)))


def test_one_holder_at_a_time_for_each_source(store: Store) -> None:
    held = store.acquire(SOURCE, "host:1:1")
    assert held is not None
    assert store.acquire(SOURCE, "host:2:2") is None
    assert store.acquire(SOURCE, "host:1:1") is None
    assert store.acquire(OTHER, "host:2:2") is not None
    assert held.check()
    held.release()
    assert not held.check()
    assert store.acquire(SOURCE, "host:2:2") is not None


def test_a_lease_runs_out_and_is_renewed_by_its_checks(store: Store) -> None:
    held = store.acquire(SOURCE, "host:1:1")
    assert held is not None
    time_passes(store, 100)
    assert held.check()  # more than half spent, so renewed
    time_passes(store, 100)
    assert held.check()
    time_passes(store, 121)
    assert not held.check()
    assert not held.renew()
    taken = store.acquire(SOURCE, "host:2:2")
    assert taken is not None
    assert taken.check()
    assert not held.check()
    held.close()  # gives nothing back that is not its own
    assert taken.check()


def test_the_same_holder_again_does_not_revive_its_lost_lease(store: Store) -> None:
    lost = store.acquire(SOURCE, "host:1:1")
    time_passes(store, 121)
    again = store.acquire(SOURCE, "host:1:1")
    assert lost is not None
    assert again is not None
    assert not lost.check()
    assert again.check()


def test_a_dead_holder_is_succeeded_at_once(store: Store) -> None:
    held = store.acquire(SOURCE, "host:1:1")
    assert store.acquire(SOURCE, "host:2:2", dead=lambda holder: False) is None
    heir = store.acquire(SOURCE, "host:2:2", dead=lambda holder: holder == "host:1:1")
    assert held is not None
    assert heir is not None
    assert not held.check()
    assert heir.check()


# --- opening ----------------------------------------------------------------------------------------------------


def test_what_was_saved_is_there_after_opening_again(lasting: str) -> None:
    with Store.open(lasting, create=True, clock=lambda: T0) as store:
        store.save(SOURCE, Page(issues=(issue(),), cursors={"p": "1"}), T0)
    with Store.open(lasting, create=False, clock=lambda: T0) as store:
        assert list(store.issues(SOURCE)) == [issue()]
        assert store.cursors(SOURCE) == {"p": "1"}


def test_a_later_version_of_the_database_is_refused(lasting: str) -> None:
    with Store.open(lasting, create=True, clock=lambda: T0) as store, store._engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerDatabase, match="made by a later version"):
        Store.open(lasting, create=True, clock=lambda: T0)


def test_a_missing_file_is_not_made_unasked(tmp_path: Path) -> None:
    path = tmp_path / "absent.db"
    with pytest.raises(MissingDatabase, match="--first-run"):
        Store.open(f"sqlite:///{path}", create=False, clock=lambda: T0)
    assert not path.exists()
    Store.open(f"sqlite:///{path}", create=True, clock=lambda: T0).close()
    assert path.stat().st_mode & 0o077 == 0


def test_a_file_without_tables_is_missing_too(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    with pytest.raises(MissingDatabase):
        Store.open(f"sqlite:///{tmp_path / 'empty.db'}", create=False, clock=lambda: T0)


def test_an_empty_server_is_missing_too() -> None:
    url = postgres.database(migrated=False)
    if url is None:
        pytest.skip("no PostgreSQL is installed (initdb, pg_ctl)")
    with pytest.raises(MissingDatabase):
        Store.open(url, create=False, clock=lambda: T0)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "not a URL"),
        ("mysql://x/y", "only SQLite and PostgreSQL|not a URL"),
        ("postgresql://user:hunter2@127.0.0.1:1/x", "cannot be used"),
        ("sqlite:////proc/no/such/folder/x.db", "cannot be used"),
    ],
)
def test_an_unusable_url_is_explained_without_its_password(url: str, words: str) -> None:
    with pytest.raises(UnusableDatabase, match=words) as caught:
        Store.open(url, create=True, clock=lambda: T0)
    assert "hunter2" not in str(caught.value)


# --- the tables themselves --------------------------------------------------------------------------------------


def test_the_revisions_add_up_to_the_tables(lasting: str, tmp_path: Path) -> None:
    """A new database has its tables at once; one that grew by the revisions has the very same."""
    made = _made(open_engine(lasting, create=True))
    file = f"sqlite:///{tmp_path / 'grown.db'}"
    with unmigrated(file if "sqlite" in lasting else str(postgres.database(migrated=False)), create=True) as engine:
        with writing(engine) as connection:
            upgrade(connection, "")
        grown = _made(engine)
    assert grown == made
    assert made["difference"] == []


_TABLES = {
    "sqlite": ("SELECT name, wr, strict FROM pragma_table_list", "SELECT name, sql FROM sqlite_master WHERE sql > ''"),
    "postgresql": ("SELECT tablename, '', '' FROM pg_tables", "SELECT indexname, indexdef FROM pg_indexes"),
}


def _made(engine: Engine) -> dict[str, Any]:
    """All that a database says of its tables, whatever the order of their columns."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found: dict[str, Any] = {"difference": compare_metadata(context, schema.METADATA)}
        found["version"] = connection.scalars(text("SELECT version_num FROM alembic_version")).all()
        tables, indexes = _TABLES[engine.dialect.name]
        found["tables"] = set(connection.execute(text(tables)).all())
        found["indexes"] = {(name, sql) for name, sql in connection.execute(text(indexes)) if "CREATE TABLE" not in sql}
        seen = inspect(connection)
        for table in seen.get_table_names():
            columns = {c["name"]: (str(c["type"]), c["nullable"], c["default"]) for c in seen.get_columns(table)}
            found[table] = columns, seen.get_pk_constraint(table)["constrained_columns"]
    engine.dispose()
    return found


def test_the_newest_revision_is_the_one_the_code_expects() -> None:
    folder = Path(schema.__file__).parents[1] / "migrations"
    assert ScriptDirectory(str(folder)).get_heads() == [schema.HEAD]
    assert all(re.fullmatch(r"\d{4}_\w+\.py|__init__\.py", file.name) for file in (folder / "versions").glob("*.py"))


@pytest.mark.parametrize(
    ("kind", "table"), [(Issue, schema.issue), (Milestone, schema.milestone), (Project, schema.project)]
)
def test_every_field_has_its_column(kind: Any, table: Any) -> None:
    assert set(kind.__struct_fields__) == {c.name for c in table.columns} - {"source", "deleted_at"}


# --- sweeps -----------------------------------------------------------------------------------------------------


def test_a_sweep_buries_what_is_missing_in_its_project_only(store: Store) -> None:
    other = issue("5", project="q")
    store.save(SOURCE, Page(issues=(issue(), issue("2"), other), cursors={"p": "c"}), T0)
    saved = store.save(SOURCE, Page(all_issues={"p": frozenset({"1"})}), T0 + DAY)
    assert saved.gone == {"2"}
    assert store.cursors(SOURCE)["p"] == "c"


def test_a_sweep_that_finds_the_unknown_has_everything_read_again(store: Store) -> None:
    key = "p"
    store.save(SOURCE, Page(issues=(issue(),), cursors={key: "c"}), T0)
    swept = Page(all_issues={key: frozenset({"1", "99"})}, cursors={key: "swept"})
    assert store.save(SOURCE, swept, T0 + DAY).gone == frozenset()
    assert store.cursors(SOURCE)[key] == ""


def test_a_sweep_has_what_came_back_read_again(store: Store) -> None:
    key = "p"
    store.save(SOURCE, Page(issues=(issue(),), cursors={key: "c"}, gone=frozenset()), T0)
    store.save(SOURCE, Page(all_issues={key: frozenset()}, cursors={key: "d"}), T0 + DAY)
    assert store.cursors(SOURCE)[key] == "d"
    store.save(SOURCE, Page(all_issues={key: frozenset({"1"})}, cursors={key: "e"}), T0 + 2 * DAY)
    assert store.cursors(SOURCE)[key] == ""
    store.save(SOURCE, Page(issues=(issue(),)), T0 + 3 * DAY)
    assert [row.milestones for row in store.issues(SOURCE)] == [issue().milestones]


# --- what is made of the rows once -------------------------------------------------------------------------------


def known_stays(store: Store, at: datetime = T0 + 9 * DAY) -> dict[str, list[str]]:
    made = retained(store, SOURCE, {"p"}, history.REMOVED, at, ()).stays
    return {
        container.rpartition("/")[2]: [stay.item for stay in some] for container, some in made.by_container().items()
    }


class Unread(Store):
    """The same store, whose issues are not to be read."""

    def __init__(self, store: Store) -> None:
        vars(self).update(vars(store))

    def issues(self, *_: Any, **__: Any) -> Iterator[Issue]:
        raise AssertionError("read again")


def test_stays_are_made_once_for_what_stands_there(store: Store) -> None:
    page = Page(
        issues=(issue(milestones=("m",)), issue("2")),
        milestones=(milestone(), milestone("n")),
        histories={"1": (event(EventKind.JOINED, T0, milestone="m"),)},
        cursors={"p": "1"},
    )
    store.save(SOURCE, page, T0)
    first = known_stays(store)
    assert set(first) == {"m"}
    store.save(SOURCE, page, T0 + DAY)  # as an overlap reads it again
    store.save(SOURCE, Page(cursors={"p": "2"}), T0 + DAY)
    assert known_stays(Unread(store)) == first


@pytest.mark.parametrize(
    "page",
    [
        Page(issues=(issue("2", milestones=("n",), updated_at=T0 + DAY),)),
        Page(issues=(issue(milestones=("m",), visibility=Visibility.CONFIDENTIAL),)),
        Page(histories={"1": (event(EventKind.JOINED, T0, milestone="n"),)}),
        Page(milestones=(milestone("m", title="renamed"),)),
        Page(milestones=(milestone("o"),)),
        Page(gone=frozenset({"1"})),
    ],
)
def test_stays_are_made_anew_when_anything_changed_that_they_are_made_of(store: Store, page: Page) -> None:
    before = Page(issues=(issue(milestones=("m",)), issue("2")), milestones=(milestone(), milestone("n")))
    store.save(SOURCE, before, T0)
    known_stays(store)
    store.save(SOURCE, page, T0 + DAY)
    with pytest.raises(AssertionError, match="read again"):
        known_stays(Unread(store))


class Fixed(Store):
    """The same store, which takes nothing in."""

    def __init__(self, store: Store) -> None:
        vars(self).update(vars(store))

    def save_memos(self, *_: Any) -> None:
        raise UnusableDatabase("db", "read only")


def test_who_may_only_read_gets_them_all_the_same(store: Store) -> None:
    store.save(SOURCE, Page(issues=(issue(milestones=("m",)),)), T0)
    assert known_stays(Fixed(store)) == {"m": [f"{SOURCE}/issue/1"]}
    assert store.memos(SOURCE, "", ["p"]) == {}


def test_another_rule_makes_them_anew(store: Store) -> None:
    store.save(SOURCE, Page(issues=(issue(milestones=("m",)),)), T0)
    known_stays(store)
    with pytest.raises(AssertionError, match="read again"):
        retained(Unread(store), SOURCE, {"p"}, {"other"}, T0, ())
