"""Clauses about faults: every fault is a typed error, no create is sent twice, and no message contains the token."""

from __future__ import annotations

import logging
import traceback
from contextlib import suppress
from datetime import timedelta

import msgspec
import pytest

from connectors.testing.tracker_side import FOREVER, LABEL, AppliesTo, Collected, InjectedFault, Side, marker
from connectors.testing.writes import TITLE, WritingContract
from sync.tracker.actions import (
    Action,
    CreateComment,
    CreateLabel,
    CreateStatusIssue,
    DeleteComment,
    MoveLabel,
    Receipt,
    UpdateComment,
)
from sync.tracker.errors import (
    AuthError,
    BusyError,
    LimitedError,
    MalformedError,
    RefusedError,
    TrackerError,
    UncertainError,
    UnreachableError,
)
from sync.tracker.observed import Target
from sync.tracker.protocol import Connector

__all__ = ["FaultsContract"]

HOUR = 3600


def name_of(value: object) -> str:
    """Return the id of a parameter: the name of a fault, "" for other values."""
    return value.name if isinstance(value, InjectedFault) else ""


class FaultsContract(WritingContract):
    """Pulls, observations and writes through every fault of `InjectedFault`."""

    def pull_with_errors(self, connector: Connector, side: Side) -> tuple[Collected, list[TrackerError]]:
        """Pull once; the errors are the one that was raised, or those of the projects."""
        state = Collected()
        try:
            for page in connector.pull([side.project], {}):
                state.add(page)
        except TrackerError as error:
            return state, [error]
        return state, list(state.failed.values())

    def post(self, connector: Connector, side: Side, target: Target) -> Receipt:
        """Post a summary comment."""
        return connector.apply(
            CreateComment(
                **self.about(target),
                issue=target.issue,
                body=side.text("words"),
                marker=marker(target.milestone, "summary"),
                summary=True,
            )
        )

    # --- reads -----------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("fault", "kinds"),
        [
            (InjectedFault.UNAUTHORISED, (AuthError,)),
            (InjectedFault.FORBIDDEN, (RefusedError, AuthError)),
            (InjectedFault.LIMITED, (LimitedError,)),
            (InjectedFault.BUSY, (BusyError,)),
            (InjectedFault.HTML, (MalformedError,)),
            (InjectedFault.GARBAGE, (MalformedError,)),
            (InjectedFault.RESET, (UnreachableError, MalformedError)),
        ],
        ids=name_of,
    )
    def test_a_lasting_fault_is_a_typed_error(
        self, connector: Connector, side: Side, fault: InjectedFault, kinds: tuple[type[TrackerError], ...]
    ) -> None:
        """The error names the connection, no project is complete, and a later pull succeeds."""
        side.add_issue("one")
        side.inject(fault, times=FOREVER)
        state, errors = self.pull_with_errors(connector, side)
        assert errors
        assert all(isinstance(error, kinds) for error in errors), errors
        assert all(str(error).startswith(connector.name) for error in errors)
        assert state.complete == set()
        side.inject(fault, times=0)
        side.pass_time(2 * HOUR)
        assert self.pull(connector, side).titles() == {"one"}

    @pytest.mark.parametrize("after", [1, 2, 3])
    @pytest.mark.parametrize("fault", [InjectedFault.UNAUTHORISED, InjectedFault.BUSY], ids=name_of)
    def test_a_fault_between_pages_never_ends_as_complete(
        self, connector: Connector, side: Side, fault: InjectedFault, after: int
    ) -> None:
        """A fault that begins after any page: the project is not complete, and the next pull reads the rest."""
        for n in range(2 * side.page + 1):
            side.add_issue(f"item {n}")
        side.pass_time(HOUR)
        state, errors = Collected(), []
        try:
            for page in connector.pull([side.project], {}):
                state.add(page)
                if len(state.pages) == after:
                    side.inject(fault, times=FOREVER)
        except TrackerError as error:
            errors.append(error)
        side.inject(fault, times=0)
        assert bool(state.complete) == (len(state.titles()) == 2 * side.page + 1)
        assert state.complete or errors or state.failed
        side.pass_time(2 * HOUR)
        state = self.pull(connector, side, state)
        assert len(state.titles()) == 2 * side.page + 1
        assert state.complete

    @pytest.mark.parametrize("times", [1, 2])
    @pytest.mark.parametrize("fault", [InjectedFault.BUSY, InjectedFault.RESET], ids=name_of)
    def test_a_passing_fault_of_a_read_is_retried(
        self, connector: Connector, side: Side, fault: InjectedFault, times: int
    ) -> None:
        """A read is sent again after one or two passing faults, later than at once; the pull has no error."""
        side.add_issue("one")
        side.inject(fault, times=times)
        before = side.now()
        state, errors = self.pull_with_errors(connector, side)
        assert errors == []
        assert state.titles() == {"one"}
        assert side.now() > before

    def test_a_short_limit_is_waited_out(self, connector: Connector, side: Side) -> None:
        """The connector waits as long as the tracker demands, and sends no request before."""
        side.add_issue("one")
        side.inject(InjectedFault.LIMITED, retry_after=17)
        before = side.now()
        state, errors = self.pull_with_errors(connector, side)
        assert errors == []
        assert state.titles() == {"one"}
        assert side.now() - before >= timedelta(seconds=17)

    def test_a_long_limit_ends_the_work_and_says_until_when(self, connector: Connector, side: Side) -> None:
        """`LimitedError.until` is the tracker's time; before that time nothing is sent, not even a read."""
        side.add_issue("one")
        target = self.open(connector, side)
        side.inject(InjectedFault.LIMITED, retry_after=2 * HOUR, times=FOREVER)
        started = side.now()
        _, errors = self.pull_with_errors(connector, side)
        [limited] = errors
        assert isinstance(limited, LimitedError)
        assert limited.until is not None
        assert timedelta(hours=1.9) <= limited.until - started <= timedelta(hours=2.1)
        assert side.now() == started, "the connector does not wait for a long limit"
        sent = side.requests()
        side.inject(InjectedFault.LIMITED, times=0)
        assert any(isinstance(error, LimitedError) for error in self.pull_with_errors(connector, side)[1])
        with pytest.raises(LimitedError):
            self.post(connector, side, target)
        with suppress(LimitedError):
            assert connector.observe([target]).failed
        assert side.requests() == sent
        assert connector.requests == sent
        side.pass_time(2 * HOUR + 60)
        self.post(connector, side, target)
        assert side.comments(TITLE) == 1

    # --- writes ----------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("fault", [InjectedFault.LOST, InjectedFault.LATE], ids=name_of)
    def test_a_lost_answer_to_a_create_is_uncertain_and_sent_once(
        self, connector: Connector, side: Side, fault: InjectedFault
    ) -> None:
        """The create raises `UncertainError` and is sent once; an observation finds the comment by its marker."""
        target = self.open(connector, side)
        side.inject(fault, AppliesTo.CREATE)
        with pytest.raises(UncertainError):
            self.post(connector, side, target)
        assert side.comments(TITLE) == 1
        assert [comment.marker for comment in self.comments(connector, target)] == [marker(target.milestone, "summary")]

    @pytest.mark.parametrize(
        "fault", [InjectedFault.BUSY, InjectedFault.RESET, InjectedFault.HTML, InjectedFault.GARBAGE], ids=name_of
    )
    def test_a_create_without_a_clear_refusal_is_uncertain(
        self, connector: Connector, side: Side, fault: InjectedFault
    ) -> None:
        """The tracker may have stored the comment in spite of a 502: the connector never sends it again."""
        target = self.open(connector, side)
        sent = side.requests()
        side.inject(fault, AppliesTo.CREATE)
        with pytest.raises(UncertainError):
            self.post(connector, side, target)
        assert side.requests() == sent + 1
        assert side.comments(TITLE) == 0
        assert self.comments(connector, target) == ()

    @pytest.mark.parametrize("fault", [InjectedFault.LOST, InjectedFault.LATE], ids=name_of)
    def test_a_lost_status_issue_is_found_and_not_created_again(
        self, connector: Connector, side: Side, fault: InjectedFault
    ) -> None:
        """The create of a status issue is sent once; an observation finds the issue by its marker."""
        target = self.aim(connector, side)
        self.labels(connector, target, LABEL)
        side.inject(fault, AppliesTo.CREATE)
        with pytest.raises(UncertainError):
            self.make(connector, side, target)
        assert side.issues(TITLE) == 1
        assert self.seen(connector, target).marker == marker(target.milestone, "status_issue")

    @pytest.mark.parametrize(
        ("fault", "kinds"),
        [
            (InjectedFault.UNAUTHORISED, (AuthError,)),
            (InjectedFault.FORBIDDEN, (RefusedError, AuthError)),
            (InjectedFault.LIMITED, (LimitedError,)),
        ],
        ids=name_of,
    )
    def test_a_refused_create_did_not_happen(
        self, connector: Connector, side: Side, fault: InjectedFault, kinds: tuple[type[TrackerError], ...]
    ) -> None:
        """The error is typed and not `UncertainError`; the create is sent once.

        A connector may ask once for the reason of a refusal.
        """
        target = self.open(connector, side)
        sent, asked = side.writes(), side.requests()
        side.inject(fault, AppliesTo.CREATE, retry_after=2 * HOUR if fault is InjectedFault.LIMITED else None)
        with pytest.raises(TrackerError) as caught:
            self.post(connector, side, target)
        assert isinstance(caught.value, kinds)
        assert side.writes() == sent + 1
        assert side.requests() - asked <= (2 if fault is InjectedFault.FORBIDDEN else 1)
        assert side.comments(TITLE) == 0

    def test_a_create_that_a_short_limit_refuses_is_sent_again_after_it(self, connector: Connector, side: Side) -> None:
        """A limit refuses surely, so the create waits as long as the tracker demands, and makes one comment."""
        target = self.open(connector, side)
        side.inject(InjectedFault.LIMITED, AppliesTo.CREATE, retry_after=2)
        before = side.now()
        self.post(connector, side, target)
        assert side.comments(TITLE) == 1
        assert side.now() - before >= timedelta(seconds=2)

    @pytest.mark.parametrize("fault", [InjectedFault.UNAUTHORISED, InjectedFault.FORBIDDEN], ids=name_of)
    def test_a_write_without_permission_is_refused(
        self, connector: Connector, side: Side, fault: InjectedFault
    ) -> None:
        """Every kind of write raises `AuthError` or `RefusedError` and changes nothing; reads still succeed."""
        target = self.open(connector, side)
        comment = self.post(connector, side, target).id
        to, body, sign = self.about(target), side.text("other words"), marker(target.milestone, "summary")
        actions: list[Action] = [
            CreateStatusIssue(**to, title="another", body=body, marker=sign, labels=(LABEL,)),
            CreateComment(**to, issue=target.issue, body=body, marker=sign, summary=True),
            UpdateComment(**to, issue=target.issue, comment=comment, body=body, marker=sign),
            DeleteComment(**to, issue=target.issue, comment=comment),
            MoveLabel(**to, issue=target.issue, add=LABEL, remove=("h/old",)),
        ]
        if connector.capabilities.needs_label_creation:
            actions.append(CreateLabel(**to, label="h/refused", colour="0e8a16", description=""))
        before = self.comments(connector, target)
        side.inject(fault, times=FOREVER)
        for action in actions:
            with pytest.raises((AuthError, RefusedError)):
                connector.apply(action)
        side.inject(fault, times=0)
        assert self.comments(connector, target) == before
        assert (side.issues("another"), side.comments(TITLE)) == (0, 1)
        assert self.pull(connector, side).complete

    @pytest.mark.parametrize("fault", [InjectedFault.LOST, InjectedFault.LATE, InjectedFault.BUSY], ids=name_of)
    def test_an_update_may_be_sent_again(self, connector: Connector, side: Side, fault: InjectedFault) -> None:
        """An update, a move of a label or the creation of a label is sent again: twice has the effect of once."""
        target = self.open(connector, side)
        comment = self.post(connector, side, target).id
        new = marker(target.milestone, "summary", status="done")
        side.inject(fault)
        connector.apply(
            UpdateComment(**self.about(target), issue=target.issue, comment=comment, body=side.text("x"), marker=new)
        )
        assert [(c.id, c.marker) for c in self.comments(connector, target)] == [(comment, new)]
        assert side.comments(TITLE) == 1
        side.inject(fault)
        self.labels(connector, target, "h/new")
        side.inject(fault)
        connector.apply(MoveLabel(**self.about(target), issue=target.issue, add="h/new"))
        assert set(self.seen(connector, target).labels) == {LABEL, "h/new"}

    def test_a_write_to_a_missing_issue_is_refused(self, connector: Connector, side: Side) -> None:
        """The error is not `UncertainError`, and nothing is created."""
        target = self.open(connector, side)
        nowhere = msgspec.structs.replace(target, issue=target.issue + "999")
        for action in (
            MoveLabel(**self.about(nowhere), issue=nowhere.issue, add=LABEL),
            CreateComment(**self.about(nowhere), issue=nowhere.issue, body=side.text("x"), marker="{}", summary=True),
        ):
            with pytest.raises(TrackerError) as caught:
                connector.apply(action)
            assert not isinstance(caught.value, UncertainError)

    def test_a_failed_observation_is_no_absence(self, connector: Connector, side: Side) -> None:
        """A target that cannot be observed is in ``failed``: otherwise a second status issue would be created."""
        target = self.open(connector, side)
        for fault in (
            InjectedFault.UNAUTHORISED,
            InjectedFault.FORBIDDEN,
            InjectedFault.BUSY,
            InjectedFault.HTML,
            InjectedFault.GARBAGE,
            InjectedFault.RESET,
        ):
            side.inject(fault, times=FOREVER)
            for wanted in (target, self.named(target, "")):
                try:
                    observed = connector.observe([wanted])
                except TrackerError:
                    continue
                assert target.milestone in observed.failed, fault
            side.inject(fault, times=0)

    # --- secrets ---------------------------------------------------------------------------------------------------

    def test_no_message_contains_the_token(
        self, connector: Connector, side: Side, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The token is in no repr, no cursor, no line of a log, and no error with its causes."""
        caplog.set_level(logging.DEBUG)
        side.add_issue("one")
        target = self.open(connector, side)
        texts = [repr(connector), str(connector), *self.pull(connector, side).cursors.values()]
        for fault in InjectedFault:
            side.inject(fault, times=FOREVER)
            texts += ["".join(traceback.format_exception(error)) for error in self.pull_with_errors(connector, side)[1]]
            with pytest.raises(TrackerError) as caught:
                self.post(connector, side, target)
            texts.append("".join(traceback.format_exception(caught.value)))
            side.inject(fault, times=0)
            side.pass_time(2 * HOUR)
        texts += [record.getMessage() for record in caplog.records]
        assert len(texts) > 3
        assert not [text for text in texts if side.secret in text]
