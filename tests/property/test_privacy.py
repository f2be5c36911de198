"""Whatever happens to issues that a comment's readers may not see, everything written stays the same, byte for byte."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.also import Also
from sync.assessment import Source
from sync.model import Issue, Person, State, StatusCategory, Visibility
from sync.plan import Policy
from tests.proof import TIMEOUT, full
from tests.unit.test_engine import NOW, World, page

pytestmark = TIMEOUT
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
moments = st.integers(0, 19 * 24).map(lambda hours: NOW - timedelta(hours=hours))


@st.composite
def private(draw: st.DrawFn, number: int) -> Issue:
    """An issue of the milestone that its project's readers may not all see."""
    plain = page().issues[3]
    closed = draw(st.none() | moments)
    return msgspec.structs.replace(
        plain,
        id=f"p1-{number}",
        key=f"#{number}",
        title=draw(words),
        labels=tuple(draw(st.lists(words, max_size=2))),
        assignees=tuple(Person(one, one) for one in draw(st.lists(words, max_size=2))),
        state=State.CLOSED if closed else State.OPEN,
        category=StatusCategory.DONE if closed else StatusCategory.TODO,
        closed_at=closed,
        updated_at=closed or draw(moments),
        due=draw(st.none() | moments.map(lambda at: at.date())),
        estimate=draw(st.none() | st.integers(0, 10**6)),
        spent=draw(st.none() | st.integers(0, 10**6)),
        points=draw(st.none() | st.floats(0, 100)),
        blocked_by=tuple(draw(st.lists(words, max_size=2))),
        visibility=draw(st.sampled_from((Visibility.CONFIDENTIAL, Visibility.UNKNOWN))),
    )


privates = st.lists(st.integers(0, 6), unique=True, max_size=7).flatmap(
    lambda numbers: st.tuples(*(private(50 + n) for n in numbers))
)


def written(*stages: tuple[Issue, ...]) -> list[bytes]:
    """Every action of a run for each stage of the private issues, with all that is optional asked for."""
    world = World()
    told = []
    source = Source(
        name="memory",
        connector=world.connector,
        projects=("acme/app",),
        policy_of=lambda _: Policy.CREATE,
        also_of=lambda _: Also(item_labels=True, description=True),
    )
    seen: dict[str, Any] = {}
    for hidden in stages:
        first = world.tracker.pages[0]
        seen |= {one.id: one for one in hidden}
        public = tuple(one for one in first.issues if one.visibility is Visibility.PROJECT)
        world.tracker.pages = [msgspec.structs.replace(first, issues=(*public, *seen.values()))]
        result = world.run(source)
        assert result.failures == []
        told.append(msgspec.json.encode([one.action for one in result.written]))
        told.append(result.summary().encode())
        world.now += timedelta(hours=30)
    return told


NOTHING = written((), ())


@settings(max_examples=full(1_000, 10), deadline=None)
@given(st.lists(privates, min_size=2, max_size=2), st.lists(privates, min_size=2, max_size=2))
def test_what_readers_may_not_see_changes_no_byte(one: list[Any], other: list[Any]) -> None:
    assert written(*one) == NOTHING
    assert written(*other) == NOTHING


def test_the_same_change_to_an_issue_that_they_may_see_is_told() -> None:
    seen = msgspec.structs.replace(page().issues[3], id="p1-50", key="#50", title="Seen by all")
    assert written((seen,), ()) != written((), ())
