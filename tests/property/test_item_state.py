"""State of an item by every set of rules: total, monotone, and the same by its present and by its history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sync.history.memberships import memberships
from sync.model.item_state import ItemState, StateNames, StateRules
from sync.model.tracker_data import Event, EventKind, Issue, State, StatusCategory

NAMES = ("alpha", "beta", "gamma", "cancelled", "done")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

names = st.frozensets(st.sampled_from(NAMES), max_size=2)
written = st.sampled_from([*NAMES, "ALPHA", " [Beta] ", "Gamma!", "other", ""])


@st.composite
def all_rules(draw: st.DrawFn) -> StateRules:
    """Rules in which each name has one meaning, as the configuration demands."""
    states, labels, resolutions = ([draw(names) for _ in range(3)] for _ in range(3))
    for lists in (states, labels, resolutions):
        lists[1] -= lists[0]
        lists[2] -= lists[0] | lists[1]
    return StateRules.named(
        done=StateNames(states[0], labels[0], resolutions[0]),
        started=StateNames(states[1], labels[1]),
        removed_states=draw(st.sampled_from([None, states[2]])),
        removed_labels=labels[2],
        removed_resolutions=draw(st.sampled_from([None, resolutions[2]])),
    )


@st.composite
def issues(draw: st.DrawFn) -> Issue:
    is_closed = draw(st.booleans())
    categories = [StatusCategory.DONE] if is_closed else [StatusCategory.TODO, StatusCategory.IN_PROGRESS]
    return Issue(
        id="1",
        project="p",
        key="#1",
        title="T",
        url="u",
        state=State.CLOSED if is_closed else State.OPEN,
        raw_state=draw(written),
        category=draw(st.sampled_from(categories)),
        created_at=BEGIN,
        updated_at=BEGIN + timedelta(hours=100),
        resolution=draw(written),
        labels=tuple(draw(st.lists(written, max_size=3))),
        milestones=("m",),
    )


@st.composite
def events(draw: st.DrawFn) -> list[Event]:
    kinds = (EventKind.CLOSED, EventKind.REOPENED, EventKind.STATUS, EventKind.LABELED, EventKind.UNLABELED)
    found = draw(st.lists(st.tuples(st.integers(1, 90), st.sampled_from(kinds), written), max_size=8))
    return [Event(issue="1", at=BEGIN + timedelta(hours=n), kind=kind, value=name) for n, kind, name in found]


def named_more(rules: StateRules, issue: Issue, kind: str) -> StateRules:
    """The rules with the issue's own state or labels among those of ``done``, and nowhere else."""
    plain = {name.strip(" []!").casefold() for name in ((issue.raw_state,) if kind == "states" else issue.labels)}
    own = frozenset(plain - {""})

    def without(names: StateNames) -> StateNames:
        return replace(names, **{kind: getattr(names, kind) - own})

    return replace(
        rules,
        done=replace(rules.done, **{kind: getattr(rules.done, kind) | own}),
        removed=without(rules.removed),
        started=without(rules.started),
        cancelled_states=rules.cancelled_states - own if kind == "states" else rules.cancelled_states,
    )


@given(all_rules(), issues())
def test_every_item_has_exactly_one_state(rules: StateRules, issue: Issue) -> None:
    state = rules.state_of(issue)
    assert state in ItemState
    read = rules.with_state(issue)
    assert (read.state is State.CLOSED) is state.is_finished
    assert (read.category is StatusCategory.DONE) is state.is_finished
    assert (read.category is StatusCategory.IN_PROGRESS) is (state is ItemState.STARTED)


@given(all_rules(), issues())
def test_more_names_of_done_work_never_make_an_item_less_finished(rules: StateRules, issue: Issue) -> None:
    for kind in ("states", "labels"):
        before, after = rules.state_of(issue), named_more(rules, issue, kind).state_of(issue)
        assert after.is_finished or not before.is_finished


@given(all_rules(), issues())
def test_a_resolution_alone_finishes_nothing(rules: StateRules, issue: Issue) -> None:
    without = rules.state_of(replace(issue, resolution=""))
    assert rules.state_of(issue).is_finished is without.is_finished
    assert without is not ItemState.REMOVED or rules.state_of(issue) is ItemState.REMOVED


@given(all_rules(), issues())
def test_what_contradicts_itself_has_more_than_one_name(rules: StateRules, issue: Issue) -> None:
    if rules.contradicts(issue):
        assert issue.resolution or issue.labels
    assert not rules.contradicts(replace(issue, resolution="", labels=()))


@given(all_rules(), issues(), events())
def test_the_history_ends_at_the_present_state(rules: StateRules, issue: Issue, told: Sequence[Event]) -> None:
    last = list(memberships([issue], told, {}, source="s", rules=rules))[-1]
    state = rules.state_of(issue)
    assert (last.closed is not None and last.reopened is None) is state.is_finished
    assert last.removed is (state is ItemState.REMOVED)


@given(all_rules(), issues(), st.lists(st.tuples(st.integers(1, 90), written), max_size=4))
def test_names_without_a_meaning_change_nothing(
    rules: StateRules, issue: Issue, told: Sequence[tuple[int, str]]
) -> None:
    """A label that no rule names leaves the memberships as they are without it."""
    noise = [
        Event(issue="1", at=BEGIN + timedelta(hours=n), kind=EventKind.LABELED, value=f"no rule has {name}")
        for n, name in told
    ]
    plain = list(memberships([issue], (), {}, source="s", rules=rules))
    assert list(memberships([issue], noise, {}, source="s", rules=rules)) == plain
