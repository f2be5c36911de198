"""Clauses about what became of an issue, and when: the facts from which every forecast is computed.

The same facts must give the same counts on every tracker, so a connector reports them with one meaning: see
`sync.model.item_state` for done and removed.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from connectors.testing.tracker_side import Collected, Contract, Side
from sync.model.item_state import StateRules
from sync.model.tracker_data import EventKind, Issue, State, StatusCategory
from sync.tracker.protocol import Connector

__all__ = ["OutcomesContract"]

SECOND = timedelta(seconds=1)


class OutcomesContract(Contract):
    """Done, removed and open, with the times of each change."""

    def test_removed_from_scope_is_not_done(self, connector: Connector, side: Side) -> None:
        """An issue that is closed as not planned, cancelled or the like is closed, and its names say removed.

        A finished issue is not removed.
        """
        for title in ("finished", "removed", "open"):
            side.add_issue(title)
        side.pass_time(60)
        side.close("finished")
        side.remove("removed")
        state = self.pull(connector, side)
        assert _outcome(state.issue("finished")) == "done"
        assert _outcome(state.issue("removed")) == "removed"
        assert _outcome(state.issue("open")) == "open"

    def test_a_closed_issue_is_done_on_any_board(self, connector: Connector, side: Side) -> None:
        """State and category agree for done and for removed issues, and each has the time of its closing."""
        for title in ("finished", "removed"):
            side.add_issue(title)
        side.pass_time(3600)
        side.close("finished")
        side.remove("removed")
        closed_at = side.now()
        side.pass_time(3600)
        state = self.pull(connector, side)
        for title in ("finished", "removed"):
            issue = state.issue(title)
            assert (issue.state, issue.category) == (State.CLOSED, StatusCategory.DONE)
            assert issue.closed_at is not None
            assert abs(issue.closed_at - closed_at) <= SECOND

    def test_a_removed_issue_that_is_reopened_is_open(self, connector: Connector, side: Side) -> None:
        """A reopening clears the removal. If the issue is closed again as finished, it is done."""
        for title in ("open again", "done at last"):
            side.add_issue(title)
            side.pass_time(60)
            side.remove(title)
            side.pass_time(60)
            side.reopen(title)
        side.pass_time(60)
        side.close("done at last")
        state = self.pull(connector, side)
        assert _outcome(state.issue("open again")) == "open"
        assert _outcome(state.issue("done at last")) == "done"

    def test_a_removal_between_two_pulls_arrives(self, connector: Connector, side: Side) -> None:
        """A removal is a change like any other: the next pull brings it."""
        side.add_issue("removed")
        state = self.pull(connector, side)
        side.pass_time(3600)
        side.remove("removed")
        assert _outcome(self.pull(connector, side, state).issue("removed")) == "removed"

    def test_every_change_has_its_time(self, connector: Connector, side: Side) -> None:
        """A connector with history gives each join, closing, reopening and leaving at the time when it happened.

        Fractions of a second do not matter: they are cut for all trackers.
        """
        side.add_milestone("1.0")
        side.add_issue("one")
        steps = ((side.move, "1.0"), (side.close,), (side.reopen,), (side.remove,), (side.move,))
        times: list[datetime] = []
        for step, *where in steps:
            side.pass_time(5400)
            step("one", *where)
            times.append(side.now())
        state = self.pull(connector, side)
        if not connector.capabilities.history:
            return
        kinds = (EventKind.JOINED, EventKind.CLOSED, EventKind.REOPENED, EventKind.CLOSED, EventKind.LEFT)
        events = _changes(state, "one")
        assert [kind for _, kind in events] == list(kinds)
        assert all(abs(at - expected) <= SECOND for (at, _), expected in zip(events, times, strict=True))


def _outcome(issue: Issue) -> str:
    if issue.state is State.OPEN:
        assert (issue.resolution, issue.closed_at) == ("", None)
        return "open"
    return StateRules().state_of(issue).value


def _changes(state: Collected, title: str) -> list[tuple[datetime, EventKind]]:
    events = state.histories.get(state.issue(title).id, ())
    return sorted((event.at, event.kind) for event in events if event.kind is not EventKind.ESTIMATED)
