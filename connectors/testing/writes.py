"""The clauses about status issues: found by author and marker, read to the end, changed one thing at a time."""

from __future__ import annotations

import msgspec

from connectors.testing.tracker_side import LABEL, Contract, Side, marker
from sync.tracker.marker import body_hash
from sync.tracker.protocol import (
    Connector,
    CreateComment,
    CreateLabel,
    CreateStatusIssue,
    DeleteComment,
    MoveLabel,
    OurComment,
    Receipt,
    Target,
    UpdateComment,
)

__all__ = ["WritingContract"]

TITLE = "Health of 1.0"
WORDS = '`code` <b>bold</b> &amp; "quotes" \\ #1 @all [a](b) | {x} --> 漢字 🚀'


class WritingContract(Contract):
    """`observe` and `apply`."""

    def open(self, connector: Connector, side: Side, title: str = TITLE, milestone: str = "1.0") -> Target:
        """A milestone whose status issue stands; the target names it."""
        target = self.aim(connector, side, milestone)
        self.labels(connector, target, LABEL)
        return msgspec.structs.replace(target, issue=self.make(connector, side, target, title).issue)

    def make(self, connector: Connector, side: Side, target: Target, title: str = TITLE) -> Receipt:
        """Make the status issue, and nothing before it."""
        sign = marker(target.milestone, "status_issue")
        body, to = side.text("about"), self.about(target)
        return connector.apply(CreateStatusIssue(**to, title=title, body=body, marker=sign, labels=(LABEL,)))

    def say(self, connector: Connector, side: Side, target: Target, words: str = "words", **more: object) -> str:
        """Post a summary; its id."""
        sign = marker(target.milestone, "summary", **more)
        to = self.about(target)
        return connector.apply(
            CreateComment(**to, issue=target.issue, body=side.text(words), marker=sign, summary=True)
        ).id

    def labels(self, connector: Connector, target: Target, *names: str) -> None:
        """Make labels known where the tracker needs that."""
        for name in names if connector.capabilities.needs_label_creation else ():
            connector.apply(CreateLabel(**self.about(target), label=name, colour="0e8a16", description="of the suite"))

    def comments(self, connector: Connector, target: Target) -> tuple[OurComment, ...]:
        """Ours, as they stand."""
        return self.seen(connector, target).comments

    # --- finding ---------------------------------------------------------------------------------------------------

    def test_where_none_stands_none_is_seen(self, connector: Connector, side: Side) -> None:
        """No status issue is an absence, not a failure."""
        observed = connector.observe([self.aim(connector, side)])
        assert not observed.issues
        assert not observed.failed

    def test_a_status_issue_is_found_by_its_marker(self, connector: Connector, side: Side) -> None:
        """By a connector that has never seen its key; with key, address, label and marker."""
        target = self.open(connector, side)
        again = side.connect()
        seen = self.seen(again, msgspec.structs.replace(target, issue=""))
        again.close()
        assert (seen.issue, seen.marker, seen.closed) == (
            target.issue,
            marker(target.milestone, "status_issue"),
            False,
        )
        assert LABEL in seen.labels
        assert seen.url.startswith(("http://", "https://"))

    def test_it_is_never_in_the_milestone(self, connector: Connector, side: Side) -> None:
        """Else it would count in the scope that it tells about."""
        self.open(connector, side)
        side.pass_time(600)
        assert self.pull(connector, side).issue(TITLE).milestones == ()

    def test_each_milestone_has_its_own(self, connector: Connector, side: Side) -> None:
        """Several are observed at once, each under its milestone; one that is missing spoils no other."""
        one, two = self.open(connector, side), self.open(connector, side, "Health of 2.0", "2.0")
        none = self.aim(connector, side, "3.0")
        asked = [msgspec.structs.replace(target, issue="") for target in (one, two, none)]
        observed = connector.observe(asked)
        assert {uid: seen.issue for uid, seen in observed.issues.items()} == {
            one.milestone: one.issue,
            two.milestone: two.issue,
        }
        assert observed.failed == {}

    def test_a_copied_marker_is_not_believed(self, connector: Connector, side: Side) -> None:
        """An issue of somebody else's is not a status issue of ours, whatever it says."""
        target = self.aim(connector, side)
        self.labels(connector, target, LABEL)
        side.copy_status_issue("copied", marker(target.milestone, "status_issue"))
        observed = connector.observe([target])
        assert not observed.issues
        assert not observed.failed

    def test_another_instances_is_not_found(self, connector: Connector, side: Side) -> None:
        """So that two installations that share an account never move each other's label."""
        target = self.open(connector, side)
        unknown = msgspec.structs.replace(target, issue="")
        other = connector.observe([msgspec.structs.replace(unknown, instance="another")])
        assert (other.issues, other.failed, other.claims) == ({}, {}, {})
        assert self.seen(connector, msgspec.structs.replace(unknown, instance="")).issue == target.issue

    def test_of_two_the_older_counts(self, connector: Connector, side: Side) -> None:
        """So that two runs that made one each agree."""
        first = self.open(connector, side)
        side.pass_time(60)
        self.open(connector, side, "Health of 1.0 again")
        assert self.seen(connector, msgspec.structs.replace(first, issue="")).issue == first.issue

    def test_one_that_a_person_named_has_no_marker(self, connector: Connector, side: Side) -> None:
        """It is read by its key, and is not taken for one that we made."""
        target = self.aim(connector, side)
        side.add_issue("the team's own")
        key = self.pull(connector, side).issue("the team's own").key
        seen = self.seen(connector, msgspec.structs.replace(target, issue=key))
        assert (seen.marker, seen.comments, seen.closed) == ("", (), False)

    def test_a_closed_one_says_so(self, connector: Connector, side: Side) -> None:
        """That is how people mute it."""
        target = self.open(connector, side)
        side.close(TITLE)
        assert self.seen(connector, target).closed
        assert self.seen(connector, msgspec.structs.replace(target, issue="")).closed

    # --- comments --------------------------------------------------------------------------------------------------

    def test_a_comment_comes_back_as_it_was_sent(self, connector: Connector, side: Side) -> None:
        """Body, marker and id, with times."""
        target = self.open(connector, side)
        side.pass_time(60)
        made = self.say(connector, side, target, WORDS, status="on_track", probability=0.5)
        [seen] = self.comments(connector, target)
        assert seen.id == made
        assert seen.marker == marker(target.milestone, "summary", status="on_track", probability=0.5)
        assert body_hash(seen.body) == body_hash(side.text(WORDS)), "else it would be taken for edited by a person"
        assert seen.created_at == seen.updated_at == side.now()

    def test_a_marker_may_hold_what_it_likes(self, connector: Connector, side: Side) -> None:
        """Also what ends the hidden place in which it stands."""
        target = self.open(connector, side)
        self.say(connector, side, target, meaning="--> <!-- -- > é\u2028")
        assert self.comments(connector, target)[0].marker == marker(
            target.milestone, "summary", meaning="--> <!-- -- > é\u2028"
        )

    def test_ours_is_what_we_wrote_and_marked(self, connector: Connector, side: Side) -> None:
        """Neither the author nor the marker is enough."""
        target = self.open(connector, side)
        sign = marker(target.milestone, "summary")
        side.comment(TITLE, side.text("a copy"), marker=sign)
        side.comment(TITLE, side.text("no marker"), ours=True)
        side.comment(TITLE, side.text("ours"), marker=sign, ours=True)
        side.comment(TITLE, side.text("chatter"))
        [seen] = self.comments(connector, target)
        assert body_hash(seen.body) == body_hash(side.text("ours"))

    def test_a_long_thread_is_read_to_its_end(self, connector: Connector, side: Side) -> None:
        """Ours may stand on its last page."""
        target = self.open(connector, side)
        for n in range(230):
            side.comment(TITLE, side.text(f"chatter {n}"))
        made = self.say(connector, side, target)
        assert [comment.id for comment in self.comments(connector, target)] == [made]

    def test_several_of_ours_come_oldest_first(self, connector: Connector, side: Side) -> None:
        """With their times, so that the plan can tell which to keep."""
        target = self.open(connector, side)
        made = []
        for n in range(3):
            side.pass_time(60)
            made.append(self.say(connector, side, target, f"words {n}"))
        seen = self.comments(connector, target)
        assert [comment.id for comment in sorted(seen, key=lambda comment: comment.created_at)] == made

    def test_a_comment_is_rewritten_in_place(self, connector: Connector, side: Side) -> None:
        """It keeps its id and its place; body, marker and time of update change."""
        target = self.open(connector, side)
        made = self.say(connector, side, target)
        before = self.comments(connector, target)[0]
        side.pass_time(3600)
        new = marker(target.milestone, "summary", status="done")
        connector.apply(
            UpdateComment(
                **self.about(target), issue=target.issue, comment=made, body=side.text("other words"), marker=new
            )
        )
        [after] = self.comments(connector, target)
        assert (after.id, after.marker, after.created_at) == (made, new, before.created_at)
        assert after.updated_at == side.now()
        assert body_hash(after.body) == body_hash(side.text("other words"))

    def test_a_comment_is_taken_away(self, connector: Connector, side: Side) -> None:
        """Taking it away twice is as good as once; the others stay."""
        target = self.open(connector, side)
        side.comment(TITLE, side.text("chatter"))
        made = self.say(connector, side, target)
        for _ in range(2):
            connector.apply(DeleteComment(**self.about(target), issue=target.issue, comment=made))
        assert self.comments(connector, target) == ()
        assert side.comments(TITLE) == 1

    def test_a_body_at_the_limit_is_taken(self, connector: Connector, side: Side) -> None:
        """`Capabilities.body_limit` has room for a marker below what the tracker takes."""
        target = self.open(connector, side)
        self.say(connector, side, target, "x" * (connector.capabilities.body_limit - 1_000))
        assert len(self.comments(connector, target)) == 1

    # --- labels ----------------------------------------------------------------------------------------------------

    def test_a_label_moves_and_leaves_the_others(self, connector: Connector, side: Side) -> None:
        """A delta: what people put there stays, and siblings that are not there are no mistake."""
        target = self.open(connector, side)
        self.labels(connector, target, "h/old", "h/new")
        connector.apply(MoveLabel(**self.about(target), issue=target.issue, add="h/old"))
        side.label(TITLE, "theirs")
        connector.apply(MoveLabel(**self.about(target), issue=target.issue, add="h/new", remove=("h/old", "h/none")))
        assert set(self.seen(connector, target).labels) == {LABEL, "theirs", "h/new"}

    def test_a_label_that_is_there_is_as_good(self, connector: Connector, side: Side) -> None:
        """Making it twice is no mistake; those that there are come with an observation."""
        target = self.aim(connector, side)
        self.labels(connector, target, "h/new")
        self.labels(connector, target, "h/new")
        if connector.capabilities.needs_label_creation:
            assert "h/new" in connector.observe([target]).labels[target.project]

    def test_each_action_is_one_change(self, connector: Connector, side: Side) -> None:
        """So that the journal around it tells what happened."""
        target = self.open(connector, side)
        self.labels(connector, target, "h/old", "h/new")
        connector.apply(MoveLabel(**self.about(target), issue=target.issue, add="h/old"))
        to, counted = self.about(target), []

        def count() -> None:
            counted.append(side.writes())

        count()
        made = self.say(connector, side, target)
        count()
        sign = marker(target.milestone, "summary", status="done")
        connector.apply(UpdateComment(**to, issue=target.issue, comment=made, body=side.text("x"), marker=sign))
        count()
        connector.apply(MoveLabel(**to, issue=target.issue, add="h/new", remove=("h/old",)))
        count()
        connector.apply(DeleteComment(**to, issue=target.issue, comment=made))
        count()
        assert counted == list(range(counted[0], counted[0] + 5))
