"""The count of open issues without a milestone, in every database of the store."""

from __future__ import annotations

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
