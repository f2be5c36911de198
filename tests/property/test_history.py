"""Every history: the order of its events does not matter, and a replay gives the memberships of the time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from sync.history import memberships as history
from sync.history.counting import is_member
from sync.history.memberships import Titles
from sync.model.membership import Container, Counts, Membership
from sync.model.tracker_data import (
    DueDate,
    Event,
    EventKind,
    Issue,
    Milestone,
    MilestoneKind,
    Project,
    State,
    StatusCategory,
    uid,
)
from sync.pull.page_batches import joined_pages
from sync.store.store import Store
from sync.tracker.protocol import Page
from tests.count_oracle import counts

SOURCE = "https://tracker.test"
MILESTONES = ("a", "b", "c")
TITLES: Titles = {("p", f"Title {key}"): [(None, key)] for key in MILESTONES}
END = 40


def moment(n: float) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=n)


class Change(Struct, frozen=True):
    """One thing that somebody did: moved the issue in or out of a milestone, or closed or reopened it (empty)."""

    at: int
    milestone: str


class Life(Struct, frozen=True):
    """The true life of one issue: what it was created in, and what was changed in order. Each change is a toggle."""

    id: str
    born: int
    first: frozenset[str]
    changes: tuple[Change, ...]

    def at(self, n: float) -> tuple[frozenset[str], list[int]]:
        """Return the milestones of the issue, and the times of its closures and reopenings, after the first n steps."""
        inside, turns = set(self.first), []
        for change in self.changes:
            if change.at > n:
                break
            if change.milestone:
                inside ^= {change.milestone}
            else:
                turns.append(change.at)
        return frozenset(inside), turns

    def seen(self, n: int) -> tuple[Issue, list[Event]]:
        """Return a tracker's answer at a time: its state, and every event until then. Some events name only a title."""
        inside, turns = self.at(n)
        is_closed = len(turns) % 2 == 1
        known = [change for change in self.changes if change.at <= n]
        now = Issue(
            id=self.id,
            project="p",
            key=self.id,
            title="T",
            url="u",
            state=State.CLOSED if is_closed else State.OPEN,
            raw_state="",
            category=StatusCategory.TODO,
            created_at=moment(self.born),
            updated_at=moment(max([self.born, *(change.at for change in known)])),
            closed_at=moment(turns[-1]) if is_closed else None,
            milestones=tuple(sorted(inside)),
        )
        return now, list(self._told(known))

    def _told(self, known: Sequence[Change]) -> Iterator[Event]:
        inside, is_closed = set(self.first), False
        for n, change in enumerate(known):
            if not change.milestone:
                is_closed = not is_closed
                kind = EventKind.CLOSED if is_closed else EventKind.REOPENED
                yield Event(issue=self.id, at=moment(change.at), kind=kind)
                continue
            inside ^= {change.milestone}
            kind = EventKind.JOINED if change.milestone in inside else EventKind.LEFT
            key, title = ("", f"Title {change.milestone}") if n % 2 else (change.milestone, "")
            yield Event(issue=self.id, at=moment(change.at), kind=kind, milestone=key, milestone_title=title)


@st.composite
def lives(draw: st.DrawFn, *, one_at_a_time: bool = False) -> Life:
    born = draw(st.integers(0, 5))
    gaps = draw(st.lists(st.integers(1 if one_at_a_time else 0, 4), max_size=12))
    changes, now = [], born + (1 if one_at_a_time else 0)
    for gap in gaps:
        now += gap
        changes.append(Change(now, draw(st.sampled_from(["", *MILESTONES]))))
    first = frozenset(draw(st.sets(st.sampled_from(MILESTONES))))
    return Life(str(draw(st.integers(0, 10**6))), born, first, tuple(changes))


worlds = st.lists(lives(), max_size=4, unique_by=lambda life: life.id)


def told(world: Sequence[Life], n: int = 10**3) -> tuple[list[Issue], list[Event]]:
    seen = [life.seen(n) for life in world if life.born <= n]
    return [issue for issue, _ in seen], [event for _, events in seen for event in events]


def stays_of(world: Sequence[Life], *, pulled: int = 10**3, at: int | None = None) -> list[Membership]:
    issues, events = told(world, pulled)
    when = None if at is None else moment(at)
    return list(history.memberships(issues, events, TITLES, source=SOURCE, at=when))


def box(key: str) -> str:
    return uid(SOURCE, "milestone", key)


@given(worlds, st.data())
def test_the_order_of_events_does_not_matter(world: list[Life], data: st.DataObject) -> None:
    issues, events = told(world)
    shuffled = data.draw(st.permutations(events))
    again = history.memberships(issues, shuffled, TITLES, source=SOURCE)
    assert list(again) == stays_of(world)


@given(worlds)
def test_at_any_time_at_most_one_stay_of_an_item_holds_in_a_container(world: list[Life]) -> None:
    stays = stays_of(world)
    for n in range(2 * END):
        held = [(stay.container, stay.item) for stay in stays if is_member(stay, moment(n / 2))]
        assert len(held) == len(set(held))


@given(worlds)
def test_stays_are_in_order_and_have_one_end(world: list[Life]) -> None:
    for stay in stays_of(world):
        ends = [end for end in (stay.left, stay.reopened) if end is not None]
        assert len(ends) <= 1
        assert all(stay.joined < end for end in ends)
        assert stay.closed is None or stay.reopened is None or stay.closed < stay.reopened
        assert stay.reopened is None or stay.closed is not None


@given(worlds, st.integers(0, END), st.integers(0, END))
def test_counts_are_those_of_a_naive_replay(world: list[Life], n: int, start: int) -> None:
    stays = stays_of(world)
    for key in MILESTONES:
        mine = [stay for stay in stays if stay.container == box(key)]
        container = Container(id=box(key), kind="k", stream="s", start=moment(start), due=None)
        found = counts(container, mine, moment(n))
        members = [life for life in world if life.born <= n and key in life.at(n)[0]]
        finished = [life for life in members if len(life.at(n)[1]) % 2 == 1]
        there = [life for life in members if life.born <= start and key in life.at(start)[0]]
        late = 0 if n < start else len(members) - len(there)
        expected = Counts(open=len(members) - len(finished), closed=len(finished), added=late, added_week=late)
        assert found == expected


@given(worlds, st.integers(0, END))
def test_a_replay_is_what_a_pull_at_that_time_would_have_given(world: list[Life], n: int) -> None:
    assert stays_of(world, at=n) == stays_of(world, pulled=n)


@given(worlds, st.integers(0, END), st.integers(0, END))
def test_a_replay_counts_what_the_whole_history_counts(world: list[Life], n: int, later: int) -> None:
    whole, cut = stays_of(world), stays_of(world, at=n + later)
    for key in MILESTONES:
        container = Container(id=box(key), kind="k", stream="s", start=moment(0), due=None)
        one, other = ([s for s in stays if s.container == box(key)] for stays in (whole, cut))
        assert counts(container, one, moment(n)) == counts(container, other, moment(n))


# --- through the store ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with Store.memory(lambda: moment(0)) as opened:
        yield opened


_fresh = count()
through_store = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def stored(store: Store, pages: Sequence[Page], at: datetime) -> tuple[Any, ...]:
    """Save these pages in a store, as a source of their own."""
    source = f"https://tracker.test/{next(_fresh)}"
    for page in pages:
        store.save(source, page, at)
    return (
        list(store.histories(source)),
        [milestone for _, milestone in store.milestones(source)],
        store.due_dates(source),
        store.titles(source),
        store.cursors(source),
        store.projects(source),
    )


@through_store
@given(world=worlds, data=st.data())
def test_neither_the_order_of_pages_nor_duplicates_matter(store: Store, world: list[Life], data: st.DataObject) -> None:
    milestones = tuple(
        Milestone(
            id=key,
            project="p",
            kind=MilestoneKind.MILESTONE,
            key=key,
            written=key,
            title=key,
            url="u",
            state=State.OPEN,
            due=moment(n).date(),
            updated_at=moment(n),
        )
        for n, key in enumerate(MILESTONES)
    )
    due_dates = {"a": (DueDate(moment(-9), moment(0).date()),)}
    pages = [Page(milestones=milestones, due_dates=due_dates), Page(cursors={"p": "1"})]
    for life in world:
        issue, events = life.seen(END)
        pages.append(Page(issues=(issue,), histories={issue.id: tuple(events)}))
    shuffled = data.draw(st.permutations(pages + data.draw(st.lists(st.sampled_from(pages), max_size=4))))
    assert stored(store, shuffled, moment(END)) == stored(store, pages, moment(END))


@through_store
@given(world=worlds, data=st.data())
def test_joined_pages_store_what_single_pages_store(store: Store, world: list[Life], data: st.DataObject) -> None:
    seen = [life.seen(n) for life in world for n in range(0, END, 20) if n >= life.born]
    named = (Project(id="p", key=f"p{n}", name="", url="") for n in range(len(seen)))
    pages = [
        Page(projects=(project,), issues=(issue,), histories={issue.id: tuple(events)} if events else {})
        for project, (issue, events) in zip(named, seen, strict=True)
    ]
    pages += [Page(cursors={"p": "1"}), Page(gone=frozenset(life.seen(END)[0].id for life in world[:1]))]
    order, limit = data.draw(st.permutations(pages)), data.draw(st.integers(1, 4))
    assert stored(store, list(joined_pages(order, limit)), moment(END)) == stored(store, order, moment(END))


@through_store
@given(life=lives(), order=st.permutations(range(4)))
def test_the_newest_row_wins_in_any_order(store: Store, life: Life, order: list[int]) -> None:
    seen = {life.seen(n)[0].updated_at: life.seen(n) for n in range(0, END, 10) if n >= life.born}
    versions = [Page(issues=(issue,), histories={issue.id: tuple(events)}) for issue, events in seen.values()]
    shuffled = [versions[n] for n in order if n < len(versions)]
    assert stored(store, shuffled, moment(END)) == stored(store, versions[-1:], moment(END))


@through_store
@given(life=lives(one_at_a_time=True))
def test_pulls_after_every_change_replace_a_history(store: Store, life: Life) -> None:
    """A tracker without history, pulled after each change, gives the same memberships as a tracker with history."""
    times = [life.born, *(change.at for change in life.changes)]
    pages = [Page(issues=(life.seen(n)[0],)) for n in times]
    source = f"https://tracker.test/{next(_fresh)}"
    for n, page in zip(times, pages, strict=True):
        store.save(source, page, moment(n + 0.5))
    found = [history.memberships_of(issue, events, {}, source=SOURCE) for issue, events in store.histories(source)]
    assert [stay for stays in found for stay in stays] == stays_of([life])


@through_store
@given(life=lives(), n=st.integers(0, END))
def test_reading_by_milestone_gives_all_of_its_stays(store: Store, life: Life, n: int) -> None:
    """Also those of issues which have left, by a title too."""
    source = f"https://tracker.test/{next(_fresh)}"
    issue, events = life.seen(n)
    named = tuple(
        Milestone(
            id=key,
            project="p",
            kind=MilestoneKind.MILESTONE,
            key=key,
            written=key,
            title=f"Title {key}",
            url="u",
            state=State.OPEN,
        )
        for key in MILESTONES
    )
    page = Page(issues=(issue,), histories={issue.id: tuple(events)}, milestones=named)
    store.save(source, replace(page, cursors={}), moment(n))
    titles = store.titles(source)
    whole = history.memberships([issue], events, TITLES, source=SOURCE)
    wanted = [stay for stay in whole if stay.container == box("a")]
    found = [
        stay
        for item, told_of in store.histories(source, milestones=["a"])
        for stay in history.memberships_of(item, told_of, titles, source=SOURCE)
        if stay.container == box("a")
    ]
    assert found == wanted
