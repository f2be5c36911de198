"""Clauses about a pull with a cursor: changes arrive, and an interrupted pull loses nothing."""

from __future__ import annotations

from datetime import date
from itertools import islice
from random import Random

import pytest

from connectors.testing.tracker_side import Collected, Contract, Side, collect
from sync.model.tracker_data import State
from sync.tracker.protocol import Connector

__all__ = ["ChangesContract"]


class ChangesContract(Contract):
    """A pull that continues an earlier one."""

    def filled(self, connector: Connector, side: Side, count: int = 3) -> Collected:
        """Add two milestones and ``count`` issues, and pull them."""
        for title in ("1.0", "2.0"):
            side.add_milestone(title, date(2026, 12, 1))
        for n in range(count):
            side.add_issue(f"item {n}", "1.0")
        side.pass_time(600)
        return self.pull(connector, side)

    def assert_complete(self, side: Side, state: Collected) -> None:
        """Compare the rows and histories with those that a new connector reads."""
        again = side.connect()
        whole = self.pull(again, side)
        again.close()
        assert state.issues == whole.issues
        assert state.milestones == whole.milestones
        assert state.projects == whole.projects
        histories = {issue: events for issue, events in state.histories.items() if events and issue in state.issues}
        assert histories == {issue: events for issue, events in whole.histories.items() if events}

    def test_nothing_changed_brings_nothing(self, connector: Connector, side: Side) -> None:
        """Without a change no issue arrives a second time, and the project is complete."""
        state = self.pull(connector, side, self.filled(connector, side))
        assert [page.issues for page in state.pages if page.issues] == []
        assert state.complete == state.projects.keys()

    def test_nothing_changed_costs_few_requests(self, connector: Connector, side: Side) -> None:
        """Without a change a pull costs no more requests than declared, and the cursor is unchanged."""
        state = self.pull(connector, side, self.filled(connector, side))
        before, cursors = side.requests(), dict(state.cursors)
        state = self.pull(connector, side, state)
        assert side.requests() - before <= side.costs.unchanged
        assert state.cursors == cursors
        assert not any(page.issues for page in state.pages)

    def test_issues_unchanged_for_an_hour_do_not_come(self, connector: Connector, side: Side) -> None:
        """A cursor may overlap by minutes, not by hours."""
        side.add_issue("old")
        side.pass_time(3600)
        state = self.filled(connector, side)
        side.rename("item 1", "another")
        state = self.pull(connector, side, state)
        titles = {row.title for page in state.pages for row in page.issues}
        assert "another" in titles
        assert "old" not in titles

    def test_a_new_issue_comes(self, connector: Connector, side: Side) -> None:
        """A new issue arrives with its milestone."""
        state = self.filled(connector, side)
        side.add_issue("new", "2.0")
        state = self.pull(connector, side, state)
        assert state.issue("new").milestones == (state.milestone("2.0").id,)

    def test_closing_and_reopening_come(self, connector: Connector, side: Side) -> None:
        """An issue that is closed, and later reopened, arrives with its state and history each time."""
        state = self.filled(connector, side)
        side.close("item 0")
        state = self.pull(connector, side, state)
        assert state.issue("item 0").state is State.CLOSED
        side.pass_time(60)
        side.reopen("item 0")
        state = self.pull(connector, side, state)
        assert state.issue("item 0").state is State.OPEN
        self.assert_complete(side, state)

    def test_a_move_comes(self, connector: Connector, side: Side) -> None:
        """An issue that moves to another milestone or to none arrives with its milestones and whole history."""
        state = self.filled(connector, side)
        side.move("item 0", "2.0")
        side.move("item 1")
        state = self.pull(connector, side, state)
        assert state.issue("item 0").milestones == (state.milestone("2.0").id,)
        assert state.issue("item 1").milestones == ()
        self.assert_complete(side, state)

    def test_two_edits_in_one_second_are_both_seen(self, connector: Connector, side: Side) -> None:
        """An edit in the same second as the newest edit of the last pull arrives."""
        state = self.filled(connector, side)
        side.rename("item 0", "first")
        state = self.pull(connector, side, state)
        side.rename("item 1", "second")
        state = self.pull(connector, side, state)
        assert {"first", "second"} <= state.titles()

    def test_a_milestone_changes_alone(self, connector: Connector, side: Side) -> None:
        """A new title, date or state of a milestone arrives although no issue changed."""
        state = self.filled(connector, side)
        side.pass_time(60)
        side.edit_milestone("1.0", new="1.1", due=date(2027, 1, 31))
        state = self.pull(connector, side, state)
        assert state.milestone("1.1").due == date(2027, 1, 31)
        side.pass_time(60)
        side.edit_milestone("1.1", closed=True)
        assert self.pull(connector, side, state).milestone("1.1").state is State.CLOSED

    def test_a_deleted_milestone_is_missing(self, connector: Connector, side: Side) -> None:
        """A page whose ``all_milestones`` names the project lacks a milestone that was deleted."""
        state = self.filled(connector, side)
        side.delete_milestone("2.0")
        state = self.pull(connector, side, state)
        assert {row.title for row in state.milestones.values()} == {"1.0"}

    def test_more_changes_than_a_page_come(self, connector: Connector, side: Side) -> None:
        """More changes than fit on a page arrive with one pull."""
        state = self.filled(connector, side, side.page + 5)
        for n in range(side.page + 5):
            side.move(f"item {n}", "2.0")
        state = self.pull(connector, side, state)
        assert {row.milestones for row in state.issues.values()} == {(state.milestone("2.0").id,)}

    @pytest.mark.parametrize("pages", [1, 2])
    def test_a_pull_that_is_cut_off_goes_on(self, connector: Connector, side: Side, pages: int) -> None:
        """After any page, the next pull continues: no issue and no later edit is missing."""
        side.add_milestone("1.0")
        for n in range(2 * side.page + 3):
            side.add_issue(f"item {n}", *["1.0"][: n % 10 == 0])
        side.pass_time(600)
        cut = connector.pull([side.project], {})
        state = collect(islice(cut, pages))
        side.rename("item 0", "changed while cut")
        side.add_issue("added while cut")
        side.pass_time(600)
        again = side.connect()
        for _ in range(2):  # the first pull may only finish the interrupted one
            state = self.pull(again, side, state)
        again.close()
        self.assert_complete(side, state)

    @pytest.mark.parametrize("is_cut", [True, False], ids=["cut off", "read to the end"])
    def test_an_edit_while_reading_is_not_lost(self, connector: Connector, side: Side, is_cut: bool) -> None:
        """An issue that was read and is then edited between two pages arrives with the next pulls, a new one too."""
        for n in range(2 * side.page + 3):
            side.add_issue(f"item {n}")
        side.pass_time(600)
        state = Collected()
        for page in connector.pull([side.project], {}):
            state.add(page)
            read = sorted(row.title for row in state.issues.values() if row.title.startswith("item"))
            if read and not side.issues("late"):
                side.pass_time(1 if is_cut else 3600)
                side.rename(read[0], "late")
                side.add_issue("new")
                if is_cut:
                    break
        for _ in range(2 if is_cut else 1):
            state = self.pull(connector, side, state)
        assert {"late", "new"} <= state.titles()
        self.assert_complete(side, state)

    @pytest.mark.parametrize(
        "cursor", ['{"no": "cursor of yours', "not JSON", "7", "[]", '{"v": 9, "kind": "future"}', '{"since": 5}']
    )
    def test_an_unreadable_cursor_means_everything(self, connector: Connector, side: Side, cursor: str) -> None:
        """With a cursor of another version, or a damaged one, the pull reads everything."""
        state = self.filled(connector, side)
        unreadable = dict.fromkeys(state.cursors, cursor)
        assert collect(connector.pull([side.project], unreadable)).titles() == state.titles()

    @pytest.mark.parametrize("seed", range(2))
    def test_pulls_add_up_to_a_full_one(self, connector: Connector, side: Side, seed: int) -> None:
        """After any edits, incremental pulls add up to the rows and histories of one full pull."""
        rng, state = Random(seed), self.filled(connector, side, 6)
        names = [f"item {n}" for n in range(6)]
        for step in range(40):
            name = rng.choice(names)
            match rng.randrange(6):
                case 0:
                    names.append(f"new {step}")
                    side.add_issue(names[-1], rng.choice(("1.0", "2.0")))
                case 1:
                    side.move(name, *rng.sample(("1.0", "2.0"), rng.randrange(2)))
                case 2:
                    side.close(name) if state.issue(name).state is State.OPEN else side.reopen(name)
                case 3:
                    side.comment(name, side.text("words"))
                case 4:
                    side.label(name, f"label-{rng.randrange(5)}")
                case _:
                    side.edit_milestone("2.0", due=date(2027, 1, rng.randrange(1, 28)))
            side.pass_time(rng.choice((0.01, 1, 30, 4000)))
            state = self.pull(connector, side, state)
        self.assert_complete(side, state)
