"""The count of open issues without a milestone, in every database of the store."""

from __future__ import annotations

from sync.model.item_state import StateNames, StateRules
from sync.model.tracker_data import MilestoneKind, State, Visibility
from sync.store.store import Store
from sync.tracker.protocol import Page
from tests.contract.store_rows import DAY, OTHER, SOURCE, T0, issue, milestone


def test_only_open_work_that_every_reader_may_see_counts(store: Store) -> None:
    rows = (
        issue("old", updated_at=T0 - 20 * DAY),
        issue("recent"),
        issue("other project", project="q"),
        issue("planned", milestones=("m",)),
        issue("closed", state=State.CLOSED),
        issue("change", is_pull_request=True),
        issue("secret", visibility=Visibility.CONFIDENTIAL),
        issue("epic", type="Epic"),
    )
    container = milestone(id="parent-9", kind=MilestoneKind.PARENT, url="https://j/browse/PAY-9")
    store.save(SOURCE, Page(issues=(*rows, issue("9", url=container.url)), milestones=(container,)), T0)
    store.save(OTHER, Page(issues=(issue("elsewhere"),)), T0)
    since = T0 - 14 * DAY
    assert store.open_work(SOURCE, ["p", "unknown"], since, {"epic"}) == {"p": (2, 1)}
    assert store.open_work(SOURCE, ["p", "q"], since, {"epic"}) == {"p": (2, 1), "q": (1, 1)}
    assert store.open_work(SOURCE, [], since) == {}
    store.save(SOURCE, Page(gone=frozenset({"old", "recent"})), T0)
    assert store.open_work(SOURCE, ["p"], since, {"epic"}) == {}


def test_open_work_is_open_by_the_rules_of_its_project(store: Store) -> None:
    rules = StateRules(done=StateNames(labels=frozenset({"shipped"})), started=StateNames(states=frozenset({"merged"})))
    own = [
        issue("1", labels=("Shipped",)),
        issue("2"),
        issue("3", state=State.CLOSED, raw_state="Merged"),
        issue("4", state=State.CLOSED, raw_state="Done"),
        issue("6", labels=("shipped!",)),
        issue("5", project="q", labels=("Shipped",)),
    ]
    store.save(SOURCE, Page(issues=tuple(own)), T0)
    assert store.open_work(SOURCE, ["p", "q"], T0, (), {"p": rules}) == {"p": (2, 2), "q": (1, 1)}
    assert store.open_work(SOURCE, ["p", "q"], T0) == {"p": (3, 3), "q": (1, 1)}
