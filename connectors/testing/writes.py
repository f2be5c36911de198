"""Clauses about status issues: found by author and marker, read to the last page, one change for each action."""

from __future__ import annotations

import msgspec

from connectors.testing.tracker_side import LABEL, Contract, Side, marker
from sync.tracker.actions import (
    Action,
    CreateComment,
    CreateLabel,
    CreateStatusIssue,
    DeleteComment,
    MoveLabel,
    Receipt,
    SetIssueState,
    UpdateComment,
)
from sync.tracker.marker import body_hash
from sync.tracker.observed import OurComment, StateChange, Target
from sync.tracker.protocol import Connector

__all__ = ["WritingContract"]

TITLE = "Health of 1.0"
WORDS = '`code` <b>bold</b> &amp; "quotes" \\ #1 @all [a](b) | {x} --> 漢字 🚀'


class WritingContract(Contract):
    """`Connector.observe` and `Connector.apply`."""

    def open(self, connector: Connector, side: Side, title: str = TITLE, milestone: str = "1.0") -> Target:
        """Create the status issue of a milestone; the target names the issue."""
        target = self.aim(connector, side, milestone)
        self.labels(connector, target, LABEL)
        return msgspec.structs.replace(target, issue=self.make(connector, side, target, title).issue)

    def make(self, connector: Connector, side: Side, target: Target, title: str = TITLE) -> Receipt:
        """Create the status issue; its label must exist."""
        sign = marker(target.milestone, "status_issue")
        body, to = side.text("about"), self.about(target)
        return connector.apply(CreateStatusIssue(**to, title=title, body=body, marker=sign, labels=(LABEL,)))

    def say(self, connector: Connector, side: Side, target: Target, words: str = "words", **more: object) -> str:
        """Post a summary comment and return its id."""
        sign = marker(target.milestone, "summary", **more)
        to = self.about(target)
        return connector.apply(
            CreateComment(**to, issue=target.issue, body=side.text(words), marker=sign, summary=True)
        ).id

    def labels(self, connector: Connector, target: Target, *names: str) -> None:
        """Create labels where the tracker demands that they exist."""
        for name in names if connector.capabilities.needs_label_creation else ():
            connector.apply(CreateLabel(**self.about(target), label=name, colour="0e8a16", description="of the suite"))

    def comments(self, connector: Connector, target: Target) -> tuple[OurComment, ...]:
        """Observe the comments of milesync on the status issue."""
        return self.seen(connector, target).comments

    # --- status issues ---------------------------------------------------------------------------------------------

    def test_without_a_status_issue_none_is_observed(self, connector: Connector, side: Side) -> None:
        """A milestone without a status issue is in neither ``issues`` nor ``failed``."""
        observed = connector.observe([self.aim(connector, side)])
        assert not observed.issues
        assert not observed.failed

    def test_a_status_issue_is_found_by_its_marker(self, connector: Connector, side: Side) -> None:
        """A connector that does not know the key finds the issue, with its key, URL, label and marker."""
        target = self.open(connector, side)
        again = side.connect()
        seen = self.seen(again, self.named(target, ""))
        again.close()
        assert (seen.issue, seen.marker, seen.closed) == (
            target.issue,
            marker(target.milestone, "status_issue"),
            False,
        )
        assert LABEL in seen.labels
        assert seen.url.startswith(("http://", "https://"))

    def test_a_status_issue_is_never_in_its_milestone(self, connector: Connector, side: Side) -> None:
        """A status issue in the milestone would count as scope."""
        self.open(connector, side)
        side.pass_time(600)
        assert self.pull(connector, side).issue(TITLE).milestones == ()

    def test_each_milestone_has_its_own_status_issue(self, connector: Connector, side: Side) -> None:
        """Several targets are observed at once; a milestone without a status issue changes nothing for the others."""
        first, second = self.open(connector, side), self.open(connector, side, "Health of 2.0", "2.0")
        without = self.aim(connector, side, "3.0")
        observed = connector.observe([self.named(target, "") for target in (first, second, without)])
        assert {uid: seen.issue for uid, seen in observed.issues.items()} == {
            first.milestone: first.issue,
            second.milestone: second.issue,
        }
        assert observed.failed == {}

    def test_a_copied_marker_is_not_believed(self, connector: Connector, side: Side) -> None:
        """An issue of another user is no status issue of milesync, although it carries the marker."""
        target = self.aim(connector, side)
        self.labels(connector, target, LABEL)
        side.copy_status_issue("copied", marker(target.milestone, "status_issue"))
        observed = connector.observe([target])
        assert not observed.issues
        assert not observed.failed
        copied = self.seen(connector, self.named(target, self.pull(connector, side).issue("copied").key))
        assert (copied.marker, copied.comments) == ("", ())

    def test_another_instances_status_issue_is_not_found(self, connector: Connector, side: Side) -> None:
        """Two installations with the same account never move each other's labels. Instance "" finds any of them."""
        target = self.open(connector, side)
        unknown = self.named(target, "")
        other = connector.observe([msgspec.structs.replace(unknown, instance="another")])
        assert (other.issues, other.failed, other.claims) == ({}, {}, {})
        assert self.seen(connector, msgspec.structs.replace(unknown, instance="")).issue == target.issue

    def test_of_two_status_issues_the_older_counts(self, connector: Connector, side: Side) -> None:
        """After two runs that each created a status issue, both use the older one."""
        first = self.open(connector, side)
        side.pass_time(60)
        self.open(connector, side, "Health of 1.0 again")
        assert self.seen(connector, self.named(first, "")).issue == first.issue

    def test_an_issue_that_a_person_named_has_no_marker(self, connector: Connector, side: Side) -> None:
        """The issue is read by its key, and does not count as created by milesync."""
        target = self.aim(connector, side)
        side.add_issue("the team's own")
        key = self.pull(connector, side).issue("the team's own").key
        seen = self.seen(connector, self.named(target, key))
        assert (seen.marker, seen.comments, seen.closed) == ("", (), False)

    def test_a_closed_status_issue_is_closed(self, connector: Connector, side: Side) -> None:
        """``closed`` is set, whether the issue is found by key or by marker: people mute milesync by closing it."""
        target = self.open(connector, side)
        side.close(TITLE)
        assert self.seen(connector, target).closed
        assert self.seen(connector, self.named(target, "")).closed

    def test_a_status_issue_is_closed_and_reopened(self, connector: Connector, side: Side) -> None:
        """With `Capabilities.issue_state`: the issue gets the state, a second time nothing changes, and
        ``state_change`` says when it was and whether our account or a person did it.
        """
        if not connector.capabilities.issue_state:
            return
        target = self.open(connector, side)
        self.say(connector, side, target, status="done", closes=True)
        assert self.seen(connector, target).state_change is None
        for closed in (True, False):
            side.pass_time(60)
            action = SetIssueState(**self.about(target), issue=target.issue, closed=closed)
            receipt, at = connector.apply(action), side.now()
            side.pass_time(60)
            connector.apply(action)
            seen = self.seen(connector, target)
            assert (receipt.issue, seen.closed, seen.state_obstacle) == (target.issue, closed, "")
            assert seen.state_change == StateChange(at=at, by_us=True)

    def test_a_closing_and_a_reopening_by_a_person_are_not_ours(self, connector: Connector, side: Side) -> None:
        """With `Capabilities.issue_state`: what a person does to an issue that we closed before counts as theirs."""
        if not connector.capabilities.issue_state:
            return
        target = self.open(connector, side)
        self.say(connector, side, target, status="done", closes=True)
        connector.apply(SetIssueState(**self.about(target), issue=target.issue, closed=True))
        for change, closed in ((side.reopen, False), (side.close, True)):
            side.pass_time(60)
            change(TITLE)
            seen = self.seen(connector, target)
            assert (seen.closed, seen.state_change) == (closed, StateChange(at=side.now(), by_us=False))

    # --- comments --------------------------------------------------------------------------------------------------

    def test_a_comment_comes_back_as_it_was_sent(self, connector: Connector, side: Side) -> None:
        """A comment is observed with its id, body, marker and times."""
        target = self.open(connector, side)
        side.pass_time(60)
        comment = self.say(connector, side, target, WORDS, status="on_track", probability=0.5)
        [seen] = self.comments(connector, target)
        assert seen.id == comment
        assert seen.marker == marker(target.milestone, "summary", status="on_track", probability=0.5)
        assert body_hash(seen.body) == body_hash(side.text(WORDS)), "or it would count as edited by a person"
        assert seen.created_at == seen.updated_at == side.now()

    def test_a_marker_may_hold_any_text(self, connector: Connector, side: Side) -> None:
        """Text in a marker that looks like the end of a comment in HTML does not end the marker."""
        target = self.open(connector, side)
        self.say(connector, side, target, meaning="--> <!-- -- > é\u2028")
        assert self.comments(connector, target)[0].marker == marker(
            target.milestone, "summary", meaning="--> <!-- -- > é\u2028"
        )

    def test_ours_is_what_we_wrote_and_marked(self, connector: Connector, side: Side) -> None:
        """A comment counts as ours only with both our author and our marker."""
        target = self.open(connector, side)
        sign = marker(target.milestone, "summary")
        side.comment(TITLE, side.text("a copy"), marker=sign)
        side.comment(TITLE, side.text("no marker"), ours=True)
        side.comment(TITLE, side.text("ours"), marker=sign, ours=True)
        side.comment(TITLE, side.text("chatter"))
        side.comment(TITLE, side.text("<!-- milesync not JSON -->"))
        [seen] = self.comments(connector, target)
        assert body_hash(seen.body) == body_hash(side.text("ours"))

    def test_a_long_thread_is_read_to_its_end(self, connector: Connector, side: Side) -> None:
        """Our comments are found on the first, a middle and the last page of a thread, also between other events."""
        target, ids = self.open(connector, side), []
        for n in range(250):
            if n in (0, 125, 249):
                side.pass_time(60)
                ids.append(self.say(connector, side, target))
            side.comment(TITLE, side.text(f"chatter {n}"))
            if n % 10 == 0:
                side.label(TITLE, f"l{n}")
        ids.append(self.say(connector, side, target))
        assert {comment.id for comment in self.comments(connector, target)} == set(ids)

    def test_several_of_ours_have_their_times(self, connector: Connector, side: Side) -> None:
        """Several of our comments have their times, so that the plan can keep the oldest."""
        target = self.open(connector, side)
        ids = []
        for n in range(3):
            side.pass_time(60)
            ids.append(self.say(connector, side, target, f"words {n}"))
        seen = self.comments(connector, target)
        assert [comment.id for comment in sorted(seen, key=lambda comment: comment.created_at)] == ids

    def test_a_comment_is_updated_in_place(self, connector: Connector, side: Side) -> None:
        """An update keeps the id and the time of creation, and changes body, marker and time of update."""
        target = self.open(connector, side)
        comment = self.say(connector, side, target)
        before = self.comments(connector, target)[0]
        side.pass_time(3600)
        new = marker(target.milestone, "summary", status="done")
        connector.apply(
            UpdateComment(
                **self.about(target), issue=target.issue, comment=comment, body=side.text("other words"), marker=new
            )
        )
        [after] = self.comments(connector, target)
        assert (after.id, after.marker, after.created_at) == (comment, new, before.created_at)
        assert after.updated_at == side.now()
        assert body_hash(after.body) == body_hash(side.text("other words"))

    def test_a_comment_is_deleted(self, connector: Connector, side: Side) -> None:
        """A second deletion of the same comment succeeds; the other comments stay."""
        target = self.open(connector, side)
        side.comment(TITLE, side.text("chatter"))
        comment = self.say(connector, side, target)
        for _ in range(2):
            connector.apply(DeleteComment(**self.about(target), issue=target.issue, comment=comment))
        assert self.comments(connector, target) == ()
        assert side.comments(TITLE) == 1

    def test_a_body_at_the_limit_is_accepted(self, connector: Connector, side: Side) -> None:
        """The tracker accepts a body of `Capabilities.body_limit` together with its marker."""
        target = self.open(connector, side)
        self.say(connector, side, target, "x" * (connector.capabilities.body_limit - 1_000))
        assert len(self.comments(connector, target)) == 1

    # --- labels ----------------------------------------------------------------------------------------------------

    def test_a_label_moves_and_leaves_the_others(self, connector: Connector, side: Side) -> None:
        """Labels of people stay, a label to remove may be missing, and a second move changes nothing."""
        target = self.open(connector, side)
        self.labels(connector, target, "h/old", "h/new")
        connector.apply(MoveLabel(**self.about(target), issue=target.issue, add="h/old"))
        side.label(TITLE, "theirs")
        move = MoveLabel(**self.about(target), issue=target.issue, add="h/new", remove=("h/old", "h/none"))
        for _ in range(2):
            connector.apply(move)
        assert set(self.seen(connector, target).labels) == {LABEL, "theirs", "h/new"}

    def test_a_label_may_be_created_twice(self, connector: Connector, side: Side) -> None:
        """Creating an existing label succeeds; an observation returns the labels of the project."""
        target = self.aim(connector, side)
        self.labels(connector, target, "h/new")
        self.labels(connector, target, "h/new")
        if connector.capabilities.needs_label_creation:
            assert "h/new" in connector.observe([target]).labels[target.project]

    def test_each_action_is_one_change(self, connector: Connector, side: Side) -> None:
        """Every action is exactly one request for a change, so that the journal knows its outcome."""
        target, known = self.open(connector, side), connector.capabilities.needs_label_creation
        self.labels(connector, target, "h/old", "h/new")
        to = self.about(target)
        connector.apply(MoveLabel(**to, issue=target.issue, add="h/old"))
        comment, sign = self.say(connector, side, target), marker(target.milestone, "summary", status="done")
        actions: list[tuple[Action, int]] = [
            (CreateStatusIssue(**to, title="x", body=side.text("x"), marker=sign, labels=(LABEL,)), 1),
            (CreateComment(**to, issue=target.issue, body=side.text("x"), marker=sign, summary=True), 1),
            (CreateLabel(**to, label="h/another", colour="0e8a16", description=""), 1 if known else 0),
            (UpdateComment(**to, issue=target.issue, comment=comment, body=side.text("x"), marker=sign), 1),
            (MoveLabel(**to, issue=target.issue, add="h/new", remove=("h/old",)), 1),
            (DeleteComment(**to, issue=target.issue, comment=comment), 1),
        ]
        if connector.capabilities.issue_state:
            actions.append((SetIssueState(**to, issue=target.issue, closed=True), 1))
        for action, writes in actions:
            before = side.writes()
            connector.apply(action)
            assert side.writes() - before == writes, action
