"""The clauses about a pull with a cursor: what changed comes, nothing is lost, whatever happens in between."""

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
    """A pull that goes on from an earlier one."""

    def filled(self, connector: Connector, side: Side, count: int = 3) -> Collected:
        """Two milestones, some issues, and a first pull of them."""
        for title in ("1.0", "2.0"):
            side.add_milestone(title, date(2026, 12, 1))
        for n in range(count):
            side.add_issue(f"item {n}", "1.0")
        side.pass_time(600)
        return self.pull(connector, side)

    def same(self, side: Side, taken: Collected) -> None:
        """What was gathered is what a new connector reads."""
        again = side.connect()
        whole = self.pull(again, side)
        again.close()
        assert taken.issues == whole.issues
        assert taken.milestones == whole.milestones
        assert taken.projects == whole.projects

    def test_nothing_changed_brings_nothing(self, connector: Connector, side: Side) -> None:
        """No row of an issue comes a second time, and the project is complete."""
        taken = self.pull(connector, side, self.filled(connector, side))
        assert [page.issues for page in taken.pages if page.issues] == []
        assert taken.complete == taken.projects.keys()

    def test_what_is_long_unchanged_does_not_come(self, connector: Connector, side: Side) -> None:
        """A cursor may overlap by minutes, not by hours."""
        side.add_issue("old")
        side.pass_time(3600)
        taken = self.filled(connector, side)
        side.rename("item 1", "another")
        taken = self.pull(connector, side, taken)
        came = {row.title for page in taken.pages for row in page.issues}
        assert "another" in came
        assert "old" not in came

    def test_a_new_issue_comes(self, connector: Connector, side: Side) -> None:
        """With its milestone."""
        taken = self.filled(connector, side)
        side.add_issue("new", "2.0")
        taken = self.pull(connector, side, taken)
        assert taken.issue("new").milestones == (taken.milestone("2.0").id,)

    def test_closing_and_reopening_come(self, connector: Connector, side: Side) -> None:
        """One after the other."""
        taken = self.filled(connector, side)
        side.close("item 0")
        taken = self.pull(connector, side, taken)
        assert taken.issue("item 0").state is State.CLOSED
        side.pass_time(60)
        side.reopen("item 0")
        taken = self.pull(connector, side, taken)
        assert taken.issue("item 0").state is State.OPEN

    def test_a_move_comes(self, connector: Connector, side: Side) -> None:
        """Into another milestone, and out of any."""
        taken = self.filled(connector, side)
        side.move("item 0", "2.0")
        side.move("item 1")
        taken = self.pull(connector, side, taken)
        assert taken.issue("item 0").milestones == (taken.milestone("2.0").id,)
        assert taken.issue("item 1").milestones == ()

    def test_two_edits_in_one_second_are_both_seen(self, connector: Connector, side: Side) -> None:
        """A cursor that is as fine as the clock loses what comes in the same second."""
        taken = self.filled(connector, side)
        side.rename("item 0", "first")
        taken = self.pull(connector, side, taken)
        side.rename("item 1", "second")
        taken = self.pull(connector, side, taken)
        assert {"first", "second"} <= taken.titles()

    def test_a_milestone_changes_alone(self, connector: Connector, side: Side) -> None:
        """Its title, its date and its end come although no issue changed."""
        taken = self.filled(connector, side)
        side.pass_time(60)
        side.edit_milestone("1.0", new="1.1", due=date(2027, 1, 31))
        taken = self.pull(connector, side, taken)
        assert taken.milestone("1.1").due == date(2027, 1, 31)
        side.pass_time(60)
        side.edit_milestone("1.1", closed=True)
        assert self.pull(connector, side, taken).milestone("1.1").state is State.CLOSED

    def test_a_milestone_that_is_gone_is_missing(self, connector: Connector, side: Side) -> None:
        """From a page that says it has all."""
        taken = self.filled(connector, side)
        side.delete_milestone("2.0")
        taken = self.pull(connector, side, taken)
        assert {row.title for row in taken.milestones.values()} == {"1.0"}

    def test_many_changes_at_once(self, connector: Connector, side: Side) -> None:
        """More than a page of them."""
        taken = self.filled(connector, side, side.page + 5)
        for n in range(side.page + 5):
            side.move(f"item {n}", "2.0")
        taken = self.pull(connector, side, taken)
        assert {row.milestones for row in taken.issues.values()} == {(taken.milestone("2.0").id,)}

    @pytest.mark.parametrize("pages", [1, 2])
    def test_a_pull_that_is_cut_off_goes_on(self, connector: Connector, side: Side, pages: int) -> None:
        """After any page: what was read counts, nothing is lost, and what was edited meanwhile comes."""
        side.add_milestone("1.0")
        for n in range(2 * side.page + 3):
            side.add_issue(f"item {n}", *["1.0"][: n % 10 == 0])
        side.pass_time(600)
        cut = connector.pull([side.project], {})
        taken = collect(islice(cut, pages))
        side.rename("item 0", "changed while cut")
        side.add_issue("added while cut")
        side.pass_time(600)
        again = side.connect()
        for _ in range(2):  # the first may only finish what was broken off
            taken = self.pull(again, side, taken)
        again.close()
        self.same(side, taken)

    def test_an_edit_while_reading_is_not_lost(self, connector: Connector, side: Side) -> None:
        """Between two pages somebody changes what was just read."""
        for n in range(2 * side.page + 3):
            side.add_issue(f"item {n}")
        side.pass_time(600)
        taken = Collected()
        for page in connector.pull([side.project], {}):
            taken.add(page)
            read = sorted(row.title for row in taken.issues.values() if row.title.startswith("item"))
            if read and "late" not in taken.titles():
                side.pass_time(1)
                side.rename(read[0], "late")
                break
        for _ in range(2):
            taken = self.pull(connector, side, taken)
        self.same(side, taken)

    def test_a_cursor_that_cannot_be_read_means_everything(self, connector: Connector, side: Side) -> None:
        """Another version's, or a torn one."""
        taken = self.filled(connector, side)
        torn = dict.fromkeys(taken.cursors, '{"no": "cursor of yours')
        assert collect(connector.pull([side.project], torn)).titles() == taken.titles()

    @pytest.mark.parametrize("seed", range(2))
    def test_pulls_add_up_to_a_full_one(self, connector: Connector, side: Side, seed: int) -> None:
        """Whatever people do: what incremental pulls gather is what one full pull brings."""
        rng, taken = Random(seed), self.filled(connector, side, 6)
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
                    side.close(name) if taken.issue(name).state is State.OPEN else side.reopen(name)
                case 3:
                    side.comment(name, side.text("words"))
                case 4:
                    side.label(name, f"label-{rng.randrange(5)}")
                case _:
                    side.edit_milestone("2.0", due=date(2027, 1, rng.randrange(1, 28)))
            side.pass_time(rng.choice((0.01, 1, 30, 4000)))
            taken = self.pull(connector, side, taken)
        self.same(side, taken)
