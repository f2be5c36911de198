"""Rows, histories and deletions in every database of the store."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from sync.history import memberships as history
from sync.model.item_state import StateNames, StateRules, fold_name
from sync.model.tracker_data import (
    DueDate,
    EventKind,
    MilestoneKind,
    Person,
    Project,
    State,
    StatusCategory,
    Visibility,
)
from sync.store.store import Store
from sync.tracker.protocol import Page
from tests.contract.store_rows import DAY, OTHER, SOURCE, T0, closed, event, everything, issue, milestone
from tests.journal_rows import unfinished_writes

# --- rows ---------------------------------------------------------------------------------------------------------


def test_rows_of_several_statements_come_back_and_the_last_of_one_key_counts(store: Store) -> None:
    issues = [issue(f"{n:03}", title=f"Title {n}", milestones=("m",)) for n in range(250)]
    histories = {
        row.id: tuple(event(EventKind.JOINED, T0 + n * DAY, of=row.id, milestone="m") for n in range(int(row.id) % 3))
        for row in issues
    }
    page = Page(issues=(issue("007", title="Before"), *issues), histories=histories)
    store.save(SOURCE, page, T0)
    assert list(store.issues(SOURCE)) == issues
    assert list(store.events(SOURCE)) == [told for row in issues for told in histories[row.id]]
    assert store.save(SOURCE, page, T0).changed == frozenset()
    assert list(store.issues(SOURCE, milestones=["m"])) == issues


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
        closes=("7", "8"),
        reviewers=(Person("c3", "Cy", "cy", is_bot=True),),
        review_since=T0 - DAY,
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
        owners=(Person("a1", "Ann"),),
        is_due_inherited=True,
    )
    told = event(EventKind.JOINED, T0, milestone="m1", milestone_title="One", actor=Person("a1", "Ann"))
    labelled = event(EventKind.LABELED, T0 + DAY, value="shipped")
    page = Page(
        projects=(project,),
        milestones=(dated, milestone("bare")),
        issues=(full, issue("2")),
        histories={"1": (told, labelled)},
        cursors={"p": '{"since": "x"}'},
    )
    saved = store.save(SOURCE, page, T0)
    assert (saved.issues, saved.milestones, saved.events, saved.changed) == (2, 2, 2, frozenset({"1", "2"}))
    assert store.projects(SOURCE) == [project]
    assert store.milestones(SOURCE) == [(SOURCE, milestone("bare")), (SOURCE, dated)]
    assert list(store.issues(SOURCE)) == [full, issue("2")]
    assert list(store.events(SOURCE)) == [told, labelled]
    assert store.cursors(SOURCE) == {"p": '{"since": "x"}'}


def test_text_that_a_database_cannot_hold_is_replaced(store: Store) -> None:
    store.save(SOURCE, Page(issues=(issue(title="a\x00b", labels=("c\x00",)),)), T0)
    [kept] = store.issues(SOURCE)
    assert kept.title == "a\ufffdb"
    assert kept.labels == ("c\x00",)  # inside JSON it is escaped


def test_sources_are_apart(store: Store) -> None:
    store.save(SOURCE, Page(issues=(issue(),), cursors={"p": "1"}, milestones=(milestone(),)), T0)
    store.save(OTHER, Page(issues=(issue(title="Other"),), cursors={"p": "2"}), T0)
    assert [item.title for item in store.issues(SOURCE)] == ["Title"]
    assert [item.title for item in store.issues(OTHER)] == ["Other"]
    assert (store.cursors(SOURCE), store.cursors(OTHER)) == ({"p": "1"}, {"p": "2"})
    assert store.milestones(OTHER) == []


def test_a_source_never_seen_is_empty(store: Store) -> None:
    assert everything(store) == ([], [], [], {}, {}, {})
    assert store.status_issue_ids("nobody") == frozenset()
    assert unfinished_writes(store, "nobody") == []


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
    told = {item.id: (event(EventKind.JOINED, T0, of=item.id, milestone=item.milestones[0]),) for item in many}
    store.save(SOURCE, Page(issues=many, histories=told), T0)
    assert list(store.issues(SOURCE)) == list(many)
    assert [event.issue for event in store.events(SOURCE)] == [item.id for item in many]
    assert [item.id for item in store.issues(SOURCE, projects=["p1"])] == [f"{n:05}" for n in range(1, 2_500, 2)]
    assert [item.id for item in store.issues(SOURCE, milestones=["m2"])] == [f"{n:05}" for n in range(2, 2_500, 3)]


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
    assert [item.id for item in store.issues(SOURCE, milestones=["m"])] == ["left by id", "left by title", "now"]
    assert len(list(store.events(SOURCE, milestones=["m"]))) == 2
    assert list(store.issues(SOURCE, milestones=[])) == []
    assert list(store.issues(SOURCE, projects=[])) == []


# --- history from our own pulls -----------------------------------------------------------------------------------


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
    assert [item.id for item in store.issues(SOURCE, milestones=["a"])] == ["1"]


def test_a_new_estimate_is_recorded_also_with_a_history_of_the_tracker(store: Store) -> None:
    joined = event(EventKind.JOINED, T0 - DAY, milestone="a")
    first = issue(milestones=("a",), estimate=3600)
    store.save(SOURCE, Page(issues=(first,), histories={"1": (joined,)}), T0)
    second = replace(first, estimate=7200, updated_at=T0 + DAY)
    store.save(SOURCE, Page(issues=(second,), histories={"1": (joined,)}), T0 + DAY)
    store.save(SOURCE, Page(issues=(replace(second, points=3.0),)), T0 + 2 * DAY)
    noted = [event for event in store.events(SOURCE) if event.kind is EventKind.ESTIMATED]
    assert [event.at for event in noted] == [T0 + DAY, T0 + 2 * DAY]
    assert [event for event in store.events(SOURCE) if event not in noted] == [joined]
    (stay,) = history.memberships(store.issues(SOURCE), store.events(SOURCE), {}, source=SOURCE)
    assert (stay.joined, stay.left, stay.closed) == ((T0 - DAY).replace(microsecond=0), None, None)


def test_a_change_that_did_not_move_the_issue_is_dated_by_the_pull(store: Store) -> None:
    store.save(SOURCE, Page(issues=(issue(milestones=("a",)),)), T0)
    saved = store.save(SOURCE, Page(issues=(issue(),)), T0 + 2 * DAY)
    assert list(store.events(SOURCE)) == [event(EventKind.LEFT, T0 + 2 * DAY, milestone="a")]
    assert saved.changed == {"1"}


def test_a_history_replaces_the_trackers_events_and_nothing_else(store: Store) -> None:
    store.save(SOURCE, Page(issues=(issue(milestones=("a",)),)), T0)
    store.save(SOURCE, Page(issues=(issue(updated_at=T0 + DAY),)), T0 + DAY)
    noted = event(EventKind.LEFT, T0 + DAY, milestone="a")
    first, second = event(EventKind.JOINED, T0, milestone="a"), event(EventKind.LEFT, T0 + DAY / 2, milestone="a")
    store.save(SOURCE, Page(histories={"1": (first,)}), T0)
    assert list(store.events(SOURCE)) == [noted, first] or list(store.events(SOURCE)) == [first, noted]
    moved = issue(updated_at=T0 + 2 * DAY, milestones=("b",))
    store.save(SOURCE, Page(issues=(moved,), histories={"1": (second,)}), T0)
    assert sorted(store.events(SOURCE), key=lambda event: event.at) == [second, noted]


def test_snapshots_give_the_same_memberships_as_a_history(store: Store) -> None:
    """One tracker returns its history; the other one has none and is pulled after every change."""
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


def test_snapshots_tell_since_when_a_label_or_a_state_says_done(store: Store) -> None:
    """Keep the changes of a tracker without a history; one with a history has them in it."""
    rules = StateRules.named(
        done=StateNames(labels=frozenset({"shipped"}), states=frozenset({"released"})),
        started=StateNames(states=frozenset({"merged"})),
    )
    changes: list[dict[str, Any]] = [
        {},
        {"labels": ("Shipped",)},
        {},
        {"raw_state": "Released"},
        {"raw_state": "Merged"},
    ]
    for n, fields in enumerate(changes):
        seen = issue(milestones=("m",), updated_at=T0 + n * DAY, **fields)
        store.save(SOURCE, Page(issues=(seen,)), seen.updated_at)
    found = history.memberships(store.issues(SOURCE), store.events(SOURCE), {}, source=SOURCE, rules=rules)
    second = T0.replace(microsecond=0)
    times = [second + n * DAY for n in (1, 2, 3, 4)]
    assert [(own.closed, own.reopened) for own in found] == [tuple(times[:2]), tuple(times[2:]), (None, None)]


def test_names_in_use_are_those_of_today_and_of_the_past(store: Store) -> None:
    assert store.names_in_use(SOURCE) == StateNames()
    done = closed(issue("1", labels=("Bug", "[UI]"), resolution="Won\u2019t Do"), T0)
    past = (
        event(EventKind.LABELED, T0, value="Shipped"),
        event(EventKind.UNLABELED, T0, value="Shipped"),
        event(EventKind.STATUS, T0, value="In Review"),
    )
    store.save(SOURCE, Page(issues=(done, issue("2")), histories={"1": past}), T0)
    used = store.names_in_use(SOURCE)
    assert used.labels == {"bug", "ui", "shipped"}
    assert used.resolutions == {"won't do"}
    assert used.states == {"open", "in review", fold_name(done.raw_state)}
    assert store.names_in_use("https://other.example") == StateNames()


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
    assert [due_date.by for due_date in store.due_dates(SOURCE)["n"]] == [None, ada]


def test_earlier_due_dates_of_the_tracker_come_first(store: Store) -> None:
    told = (DueDate(T0 - 9 * DAY, date(2026, 1, 1)), DueDate(T0 - DAY, date(2026, 2, 1)))
    page = Page(milestones=(milestone(due=date(2026, 2, 1)),), due_dates={"m": told})
    store.save(SOURCE, page, T0)
    assert store.due_dates(SOURCE) == {"m": list(told)}


def test_every_title_ever_seen_is_kept(store: Store) -> None:
    store.save(SOURCE, Page(milestones=(milestone("m", title="A", created_at=T0), milestone("n", title="B"))), T0)
    store.save(SOURCE, Page(milestones=(milestone("m", title="B", created_at=T0),)), T0)
    assert store.titles(SOURCE) == {("p", "A"): [(T0, "m")], ("p", "B"): [(None, "n"), (T0, "m")]}


# --- what is gone -------------------------------------------------------------------------------------------------


def test_a_milestone_missing_from_a_full_list_is_gone_and_can_come_back(store: Store) -> None:
    stays_, goes, foreign = milestone("a"), milestone("b"), milestone("c", project="other")
    store.save(SOURCE, Page(milestones=(stays_, goes, foreign)), T0)
    listing = Page(milestones=(stays_,), all_milestones=frozenset({"p"}))
    store.save(SOURCE, listing, T0 + DAY)
    assert [assessed.id for _, assessed in store.milestones()] == ["c", "a"]
    assert [assessed.id for _, assessed in store.milestones(deleted=True)] == ["c", "a", "b"]
    assert ("p", "Milestone b") in store.titles(SOURCE)
    store.save(SOURCE, Page(milestones=(goes,)), T0 + 2 * DAY)
    assert [assessed.id for _, assessed in store.milestones()] == ["c", "a", "b"]


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


def test_no_change_closes_what_is_gone(store: Store) -> None:
    change = issue("9", is_pull_request=True, closes=("1", "2"))
    store.save(SOURCE, Page(issues=(issue(), issue("2"), change)), T0)
    store.save(OTHER, Page(issues=(issue(), change)), T0)
    store.save(SOURCE, Page(gone=frozenset({"1"})), T0 + DAY)
    closed = {source: {row.id: row.closes for row in store.issues(source)}["9"] for source in (SOURCE, OTHER)}
    assert closed == {SOURCE: ("2",), OTHER: ("1", "2")}


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
    assert [event.kind for event in store.events(SOURCE)] == [EventKind.LEFT, EventKind.JOINED]


# --- sweeps -------------------------------------------------------------------------------------------------------


def test_a_sweep_deletes_missing_issues_of_its_project_only(store: Store) -> None:
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


# --- milestones that no list names ----------------------------------------------------------------------------------


def test_issues_in_a_milestone_that_no_list_names_are_found(store: Store) -> None:
    project = Project(id=issue().project, key="acme/app", name="app", url="u", visibility=Visibility.PUBLIC)
    listed = milestone("listed")
    old, new = T0 - DAY, T0 + timedelta(minutes=30)
    rows = (
        issue("1", milestones=("listed",), updated_at=old),
        issue("2", milestones=("hidden",), updated_at=old),
        issue("3", milestones=("hidden", "listed"), updated_at=old),
        issue("4", milestones=("younger than the list",), updated_at=new),
        issue("5", milestones=("hidden",), updated_at=old),
        issue("6", milestones=(), updated_at=old),
    )
    left = event(EventKind.JOINED, old - DAY, of="6", milestone="hidden")
    page = Page(projects=(project,), milestones=(listed,), issues=rows, histories={"6": (left,)})
    store.save(SOURCE, page, T0)
    assert store.unlisted_milestones() == [], "the project was not read to its end"
    store.note_pull(SOURCE, "acme/app", T0 + timedelta(minutes=45), None)
    store.save(SOURCE, Page(gone=frozenset("5")), T0)
    assert store.unlisted_milestones() == [], "no connection reads the project"
    store.watch("gh", SOURCE, [project.id], only=True)
    (found,) = store.unlisted_milestones()
    assert (found.source, found.project_key, found.milestone) == (SOURCE, "acme/app", "hidden")
    assert found.issues == (rows[1].key, rows[2].key)
    store.save(SOURCE, Page(milestones=(milestone("hidden"),)), T0)
    assert store.unlisted_milestones() == []
    store.save(SOURCE, Page(milestones=(listed,), all_milestones=frozenset([project.id])), old - DAY)
    assert store.unlisted_milestones() == [found], "an issue was changed in it after it was deleted"
    store.save(SOURCE, Page(issues=(replace(rows[1], updated_at=T0, milestones=()),)), T0)
    assert [entry.issues for entry in store.unlisted_milestones()] == [(rows[2].key,)]


# --- how pulls went -----------------------------------------------------------------------------------------------


def test_stale_since_the_last_good_pull(store: Store) -> None:
    store.note_pull(SOURCE, "good", T0, None)
    store.note_pull(SOURCE, "bad", T0, None)
    store.note_pull(SOURCE, "bad", T0 + DAY, "down")
    store.note_pull(SOURCE, "bad", T0 + 2 * DAY, "still down")
    store.note_pull(OTHER, "never", T0 + DAY, "no")
    assert store.stale_projects() == {(SOURCE, "bad"): T0, (OTHER, "never"): None}
    store.note_pull(SOURCE, "bad", T0 + 3 * DAY, None)
    assert store.stale_projects() == {(OTHER, "never"): None}
    assert store.last_pulls() == {(SOURCE, "good"): T0, (SOURCE, "bad"): T0 + 3 * DAY}
