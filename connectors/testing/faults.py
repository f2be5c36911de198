"""The clauses about faults: each is an error that says what to do next, nothing is sent twice, no secret is told."""

from __future__ import annotations

import logging
import traceback
from contextlib import suppress
from datetime import timedelta

import msgspec
import pytest

from connectors.testing.tracker_side import EVER, LABEL, AppliesTo, Collected, InjectedFault, Side, marker
from connectors.testing.writes import TITLE, WritingContract
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
from sync.tracker.protocol import Connector, CreateComment, MoveLabel, Receipt, Target, UpdateComment

__all__ = ["FaultsContract"]

HOUR = 3600


class FaultsContract(WritingContract):
    """Everything that goes wrong with trackers."""

    def ends(self, connector: Connector, side: Side) -> tuple[Collected, list[TrackerError]]:
        """A pull, and the errors with which it ended: raised, or its project's own."""
        taken = Collected()
        try:
            for page in connector.pull([side.project], {}):
                taken.add(page)
        except TrackerError as error:
            return taken, [error]
        return taken, list(taken.failed.values())

    def post(self, connector: Connector, side: Side, target: Target) -> Receipt:
        """Post a summary."""
        return connector.apply(
            CreateComment(
                **self.about(target),
                issue=target.issue,
                body=side.text("words"),
                marker=marker(target.milestone, "summary"),
                summary=True,
            )
        )

    # --- reading ---------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("trouble", "kinds"),
        [
            (InjectedFault.UNAUTHORISED, (AuthError,)),
            (InjectedFault.FORBIDDEN, (RefusedError, AuthError)),
            (InjectedFault.LIMITED, (LimitedError,)),
            (InjectedFault.BUSY, (BusyError,)),
            (InjectedFault.HTML, (MalformedError,)),
            (InjectedFault.RESET, (UnreachableError, MalformedError)),
        ],
        ids=lambda value: value.name if isinstance(value, InjectedFault) else "",
    )
    def test_a_trouble_that_stays_is_an_error_of_its_sort(
        self, connector: Connector, side: Side, trouble: InjectedFault, kinds: tuple[type[TrackerError], ...]
    ) -> None:
        """It names the connection, nothing is called complete, and later the pull goes through."""
        side.add_issue("one")
        side.meet(trouble, times=EVER)
        taken, errors = self.ends(connector, side)
        assert errors
        assert all(isinstance(error, kinds) for error in errors), errors
        assert all(str(error).startswith(connector.name) for error in errors)
        assert taken.complete == set()
        side.meet(trouble, times=0)
        side.pass_time(2 * HOUR)
        assert self.pull(connector, side).titles() == {"one"}

    @pytest.mark.parametrize("after", [1, 2, 3])
    @pytest.mark.parametrize("trouble", [InjectedFault.UNAUTHORISED, InjectedFault.BUSY], ids=lambda t: t.name)
    def test_a_trouble_in_the_middle_never_ends_as_complete(
        self, connector: Connector, side: Side, trouble: InjectedFault, after: int
    ) -> None:
        """Whichever request it begins with; the next pull reads what is missing."""
        for n in range(2 * side.page + 1):
            side.add_issue(f"item {n}")
        side.pass_time(HOUR)
        taken, errors = Collected(), []
        try:
            for page in connector.pull([side.project], {}):
                taken.add(page)
                if len(taken.pages) == after:
                    side.meet(trouble, times=EVER)
        except TrackerError as error:
            errors.append(error)
        side.meet(trouble, times=0)
        assert bool(taken.complete) == (len(taken.titles()) == 2 * side.page + 1)
        assert taken.complete or errors or taken.failed
        side.pass_time(2 * HOUR)
        taken = self.pull(connector, side, taken)
        assert len(taken.titles()) == 2 * side.page + 1
        assert taken.complete

    @pytest.mark.parametrize("trouble", [InjectedFault.BUSY, InjectedFault.RESET], ids=lambda t: t.name)
    def test_a_trouble_that_passes_is_not_noticed(
        self, connector: Connector, side: Side, trouble: InjectedFault
    ) -> None:
        """A read is asked again."""
        side.add_issue("one")
        side.meet(trouble)
        taken, errors = self.ends(connector, side)
        assert errors == []
        assert taken.titles() == {"one"}

    def test_a_short_limit_is_waited_out(self, connector: Connector, side: Side) -> None:
        """As long as the tracker asked, and no request is sent before."""
        side.add_issue("one")
        side.meet(InjectedFault.LIMITED, retry_after=20)
        before = side.now()
        taken, errors = self.ends(connector, side)
        assert errors == []
        assert taken.titles() == {"one"}
        assert side.now() - before >= timedelta(seconds=20)

    def test_a_long_limit_ends_the_work_and_says_until_when(self, connector: Connector, side: Side) -> None:
        """Before that, nothing is sent: neither to read nor to observe nor to write."""
        side.add_issue("one")
        target = self.open(connector, side)
        side.meet(InjectedFault.LIMITED, retry_after=2 * HOUR, times=EVER)
        started = side.now()
        _, errors = self.ends(connector, side)
        [limited] = errors
        assert isinstance(limited, LimitedError)
        assert limited.until is not None
        assert timedelta(hours=1.9) <= limited.until - started <= timedelta(hours=2.1)
        asked = side.requests()
        side.meet(InjectedFault.LIMITED, times=0)
        assert any(isinstance(error, LimitedError) for error in self.ends(connector, side)[1])
        with pytest.raises(LimitedError):
            self.post(connector, side, target)
        with suppress(LimitedError):
            assert connector.observe([target]).failed
        assert side.requests() == asked
        assert connector.requests == asked
        side.pass_time(2 * HOUR + 60)
        self.post(connector, side, target)
        assert side.comments(TITLE) == 1

    # --- writing ---------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("trouble", [InjectedFault.LOST, InjectedFault.LATE], ids=lambda t: t.name)
    def test_a_lost_answer_to_a_create_is_uncertain_and_sent_once(
        self, connector: Connector, side: Side, trouble: InjectedFault
    ) -> None:
        """What was made is then found by its marker."""
        target = self.open(connector, side)
        side.meet(trouble, AppliesTo.CREATE)
        with pytest.raises(UncertainError):
            self.post(connector, side, target)
        assert side.comments(TITLE) == 1
        assert [comment.marker for comment in self.comments(connector, target)] == [marker(target.milestone, "summary")]

    @pytest.mark.parametrize(
        "trouble", [InjectedFault.BUSY, InjectedFault.RESET, InjectedFault.HTML], ids=lambda t: t.name
    )
    def test_what_is_not_known_to_be_refused_is_uncertain(
        self, connector: Connector, side: Side, trouble: InjectedFault
    ) -> None:
        """A 502 may stand for a comment that was stored: it is never sent again by the connector."""
        target = self.open(connector, side)
        asked = side.requests()
        side.meet(trouble, AppliesTo.CREATE)
        with pytest.raises(UncertainError):
            self.post(connector, side, target)
        assert side.requests() == asked + 1
        assert side.comments(TITLE) == 0

    @pytest.mark.parametrize("trouble", [InjectedFault.LOST, InjectedFault.LATE], ids=lambda t: t.name)
    def test_a_lost_status_issue_is_found_and_not_made_again(
        self, connector: Connector, side: Side, trouble: InjectedFault
    ) -> None:
        """By its marker."""
        target = self.aim(connector, side)
        self.labels(connector, target, LABEL)
        side.meet(trouble, AppliesTo.CREATE)
        with pytest.raises(UncertainError):
            self.make(connector, side, target)
        assert side.issues(TITLE) == 1
        assert self.seen(connector, target).marker == marker(target.milestone, "status_issue")

    @pytest.mark.parametrize(
        ("trouble", "kinds"),
        [
            (InjectedFault.UNAUTHORISED, (AuthError,)),
            (InjectedFault.FORBIDDEN, (RefusedError, AuthError)),
            (InjectedFault.LIMITED, (LimitedError,)),
        ],
        ids=lambda value: value.name if isinstance(value, InjectedFault) else "",
    )
    def test_a_refused_create_did_not_happen(
        self, connector: Connector, side: Side, trouble: InjectedFault, kinds: tuple[type[TrackerError], ...]
    ) -> None:
        """It is an error of its sort and not an uncertain one, and sent once."""
        target = self.open(connector, side)
        asked = side.requests()
        side.meet(trouble, AppliesTo.CREATE, retry_after=2 * HOUR if trouble is InjectedFault.LIMITED else None)
        with pytest.raises(TrackerError) as caught:
            self.post(connector, side, target)
        assert isinstance(caught.value, kinds)
        assert side.requests() == asked + 1
        assert side.comments(TITLE) == 0

    @pytest.mark.parametrize(
        "trouble", [InjectedFault.LOST, InjectedFault.LATE, InjectedFault.BUSY], ids=lambda t: t.name
    )
    def test_a_rewriting_may_be_sent_again(self, connector: Connector, side: Side, trouble: InjectedFault) -> None:
        """Doing it twice is doing it once."""
        target = self.open(connector, side)
        made = self.post(connector, side, target).id
        new = marker(target.milestone, "summary", status="done")
        side.meet(trouble)
        connector.apply(
            UpdateComment(**self.about(target), issue=target.issue, comment=made, body=side.text("x"), marker=new)
        )
        assert [(c.id, c.marker) for c in self.comments(connector, target)] == [(made, new)]
        assert side.comments(TITLE) == 1

    def test_a_write_to_what_is_not_there_is_refused(self, connector: Connector, side: Side) -> None:
        """An error, and nothing is made."""
        target = self.open(connector, side)
        nowhere = msgspec.structs.replace(target, issue=target.issue + "999")
        for action in (
            MoveLabel(**self.about(nowhere), issue=nowhere.issue, add=LABEL),
            CreateComment(**self.about(nowhere), issue=nowhere.issue, body=side.text("x"), marker="{}", summary=True),
        ):
            with pytest.raises(TrackerError) as caught:
                connector.apply(action)
            assert not isinstance(caught.value, UncertainError)

    def test_an_observation_that_fails_is_not_an_absence(self, connector: Connector, side: Side) -> None:
        """Else a second status issue would be made."""
        target = self.open(connector, side)
        for trouble in (
            InjectedFault.UNAUTHORISED,
            InjectedFault.FORBIDDEN,
            InjectedFault.BUSY,
            InjectedFault.HTML,
            InjectedFault.RESET,
        ):
            side.meet(trouble, times=EVER)
            for asked in (target, msgspec.structs.replace(target, issue="")):
                try:
                    observed = connector.observe([asked])
                except TrackerError:
                    continue
                assert target.milestone in observed.failed, trouble
            side.meet(trouble, times=0)

    # --- secrets ---------------------------------------------------------------------------------------------------

    def test_no_secret_is_told(self, connector: Connector, side: Side, caplog: pytest.LogCaptureFixture) -> None:
        """Neither in a repr nor in an error with all its causes nor in any line of a log."""
        caplog.set_level(logging.DEBUG)
        side.add_issue("one")
        target = self.open(connector, side)
        told = [repr(connector), str(connector)]
        for trouble in InjectedFault:
            side.meet(trouble, times=EVER)
            told += ["".join(traceback.format_exception(error)) for error in self.ends(connector, side)[1]]
            with pytest.raises(TrackerError) as caught:
                self.post(connector, side, target)
            told.append("".join(traceback.format_exception(caught.value)))
            side.meet(trouble, times=0)
            side.pass_time(2 * HOUR)
        told += [record.getMessage() for record in caplog.records]
        assert len(told) > 2
        assert not [text for text in told if side.secret in text]
