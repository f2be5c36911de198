"""Clauses about people: commands in a thread, texts of another account, and removing what milesync wrote."""

from __future__ import annotations

import pytest

from connectors.testing.tracker_side import LABEL, Side, marker
from connectors.testing.writes import TITLE, WritingContract
from sync.tracker.actions import CloseIssue, LabelItem, MoveLabel, RemoveLabel, UpdateDescription
from sync.tracker.errors import RefusedError
from sync.tracker.managed_block import wrap_block
from sync.tracker.protocol import Connector

__all__ = ["PeopleContract"]


class PeopleContract(WritingContract):
    """Commands and claims of a status issue; `RemoveLabel`, `LabelItem`, `UpdateDescription` and `CloseIssue`."""

    def test_a_command_has_its_author_and_time(self, connector: Connector, side: Side) -> None:
        """Only the lines of the command arrive. ``may_write`` is False unless the tracker confirms the permission."""
        target = self.open(connector, side)
        side.pass_time(60)
        side.comment(TITLE, side.text("/milesync at-risk until 2026-12-05 because we wait"))
        side.comment(TITLE, side.text("what does /milesync do?"))
        [asked] = self.seen(connector, target).asked
        assert asked.text == "/milesync at-risk until 2026-12-05 because we wait"
        assert asked.author
        assert asked.name
        assert not asked.may_write
        assert asked.at == side.now()

    def test_an_issue_that_is_closed_to_commands_has_none_of_other_accounts(
        self, connector: Connector, side: Side
    ) -> None:
        """`is_open_to_commands` is False only where no other account can give commands."""
        target = self.open(connector, side)
        side.comment(TITLE, side.text("/milesync mute"))
        observed = connector.observe([target])
        (issue,) = observed.issues.values()
        assert issue.is_open_to_commands or not any(comment.may_write for comment in issue.asked)
        assert not observed.closed_to_commands & observed.issues.keys()

    def test_the_owner_of_the_token_may_give_commands(self, connector: Connector, side: Side) -> None:
        """A person may run milesync with their own account; a comment with a marker is never a command."""
        target = self.open(connector, side)
        side.comment(TITLE, side.text("/milesync refresh"), ours=True)
        sign = marker(target.milestone, "summary")
        side.comment(TITLE, side.text("/milesync mute"), marker=sign, ours=True)
        assert [(comment.text, comment.may_write) for comment in self.seen(connector, target).asked] == [
            ("/milesync refresh", True)
        ]

    def test_another_accounts_text_with_our_marker_is_a_claim(self, connector: Connector, side: Side) -> None:
        """A comment of another account with our marker is a claim with its author, and no comment of ours."""
        target = self.open(connector, side)
        sign = marker(target.milestone, "summary")
        side.comment(TITLE, side.text("a copy"), marker=sign)
        self.say(connector, side, target)
        [claim] = self.seen(connector, target).claims
        assert (claim.marker, bool(claim.author), claim.issue) == (sign, True, "")
        assert len(self.comments(connector, target)) == 1

    def test_a_claimed_status_issue_is_observed_where_ours_is_missing(self, connector: Connector, side: Side) -> None:
        """After a change of token the old status issue belongs to another account: it is a claim until ours exists."""
        target = self.aim(connector, side)
        self.labels(connector, target, LABEL)
        sign = marker(target.milestone, "status_issue")
        side.copy_status_issue("copied", sign)
        claim = connector.observe([target]).claims[target.milestone]
        assert claim.marker == sign
        assert connector.observe([self.named(target, claim.issue)]).issues[target.milestone].issue == claim.issue
        self.make(connector, side, target)
        assert connector.observe([target]).claims == {}

    def test_labels_are_removed(self, connector: Connector, side: Side) -> None:
        """Only the labels of the action are removed; a label may be missing already."""
        target = self.open(connector, side)
        self.labels(connector, target, "h/old")
        connector.apply(MoveLabel(**self.about(target), issue=target.issue, add="h/old"))
        side.label(TITLE, "theirs")
        for _ in range(2):
            connector.apply(RemoveLabel(**self.about(target), issue=target.issue, labels=("h/old", "h/none")))
        assert "h/old" not in self.seen(connector, target).labels
        assert "theirs" in self.seen(connector, target).labels

    def test_an_issue_of_a_milestone_is_labelled(self, connector: Connector, side: Side) -> None:
        """`LabelItem` adds and removes several labels; a pull returns them, and the labels of people stay."""
        target = self.aim(connector, side)
        self.labels(connector, target, "h/blocked", "h/stale")
        side.add_issue("work", "1.0")
        side.label("work", "theirs")
        issue = self.pull(connector, side).issue("work")
        about = {**self.about(target), "item": issue.id, "issue": issue.key}
        for add, remove in ((("h/blocked", "h/stale"), ()), (("h/stale",), ("h/blocked", "h/none")), ((), ())):
            connector.apply(LabelItem(**about, add=add, remove=remove))
        side.pass_time(600)
        assert sorted(self.pull(connector, side).issue("work").labels) == ["h/stale", "theirs"]

    def test_a_managed_block_is_written_into_a_description(self, connector: Connector, side: Side) -> None:
        """The block is added, replaced and removed; if the block in the tracker is another one, nothing is written."""
        if not connector.capabilities.description_limit:
            pytest.skip("the connector writes no descriptions")
        target = self.aim(connector, side)

        def describe(words: str, was: str = "") -> str:
            there = self.pull(connector, side).milestone("1.0")
            lines = wrap_block(words, target.milestone, "suite", plain=True) if words else ""
            about = {"native": there.id, "key": there.key, "url": there.url, "instance": "suite"}
            connector.apply(UpdateDescription(**self.about(target), **about, lines=lines, was=was))
            side.pass_time(600)
            return self.pull(connector, side).milestone("1.0").description

        first = describe("words")
        assert "words" in first
        mark = first.split()[3]
        second = describe("other words", mark)
        assert "other words" in second
        with pytest.raises(RefusedError):
            describe("late", mark)
        assert describe("", second.split()[3]) == ""

    def test_a_status_issue_is_closed(self, connector: Connector, side: Side) -> None:
        """The status issue is closed, or `RefusedError` says that the workflow has no such transition."""
        target = self.open(connector, side)
        try:
            connector.apply(CloseIssue(**self.about(target), issue=target.issue))
        except RefusedError:
            return
        assert self.seen(connector, target).closed
