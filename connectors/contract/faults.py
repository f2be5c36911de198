"""The clauses about faults: each is an error that says what to do next, nothing is sent twice, no secret is told."""

from __future__ import annotations

import logging
import traceback
from contextlib import suppress
from datetime import timedelta

import msgspec
import pytest

from connectors.contract.side import EVER, LABEL, At, Side, Taken, Trouble, marker
from connectors.contract.writing import TITLE, WritingContract
from sync.connector import (
    AuthError,
    BusyError,
    Connector,
    CreateComment,
    LimitedError,
    MalformedError,
    MoveLabel,
    Receipt,
    RefusedError,
    Target,
    TrackerError,
    UncertainError,
    UnreachableError,
    UpdateComment,
)

__all__ = ["FaultsContract"]

HOUR = 3600


class FaultsContract(WritingContract):
    """Everything that goes wrong with trackers."""

    def ends(self, connector: Connector, side: Side) -> tuple[Taken, list[TrackerError]]:
        """A pull, and the errors with which it ended: raised, or its project's own."""
        taken = Taken()
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
            (Trouble.UNAUTHORISED, (AuthError,)),
            (Trouble.FORBIDDEN, (RefusedError, AuthError)),
            (Trouble.LIMITED, (LimitedError,)),
            (Trouble.BUSY, (BusyError,)),
            (Trouble.HTML, (MalformedError,)),
            (Trouble.RESET, (UnreachableError, MalformedError)),
        ],
        ids=lambda value: value.name if isinstance(value, Trouble) else "",
    )
    def test_a_trouble_that_stays_is_an_error_of_its_sort(
        self, connector: Connector, side: Side, trouble: Trouble, kinds: tuple[type[TrackerError], ...]
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
    @pytest.mark.parametrize("trouble", [Trouble.UNAUTHORISED, Trouble.BUSY], ids=lambda t: t.name)
    def test_a_trouble_in_the_middle_never_ends_as_complete(
        self, connector: Connector, side: Side, trouble: Trouble, after: int
    ) -> None:
        """Whichever request it begins with; the next pull reads what is missing."""
        for n in range(2 * side.page + 1):
            side.add_issue(f"item {n}")
        side.pass_time(HOUR)
        taken, errors = Taken(), []
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

    @pytest.mark.parametrize("trouble", [Trouble.BUSY, Trouble.RESET], ids=lambda t: t.name)
    def test_a_trouble_that_passes_is_not_noticed(self, connector: Connector, side: Side, trouble: Trouble) -> None:
        """A read is asked again."""
        side.add_issue("one")
        side.meet(trouble)
        taken, errors = self.ends(connector, side)
        assert errors == []
        assert taken.titles() == {"one"}

    def test_a_short_limit_is_waited_out(self, connector: Connector, side: Side) -> None:
        """As long as the tracker asked, and no request is sent before."""
        side.add_issue("one")
        side.meet(Trouble.LIMITED, retry_after=20)
        before = side.now()
        taken, errors = self.ends(connector, side)
        assert errors == []
        assert taken.titles() == {"one"}
        assert side.now() - before >= timedelta(seconds=20)

    def test_a_long_limit_ends_the_work_and_says_until_when(self, connector: Connector, side: Side) -> None:
        """Before that, nothing is sent: neither to read nor to observe nor to write."""
        side.add_issue("one")
        target = self.open(connector, side)
        side.meet(Trouble.LIMITED, retry_after=2 * HOUR, times=EVER)
        started = side.now()
        _, errors = self.ends(connector, side)
        [limited] = errors
        assert isinstance(limited, LimitedError)
        assert limited.until is not None
        assert timedelta(hours=1.9) <= limited.until - started <= timedelta(hours=2.1)
        asked = side.requests()
        side.meet(Trouble.LIMITED, times=0)
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

    @pytest.mark.parametrize("trouble", [Trouble.LOST, Trouble.LATE], ids=lambda t: t.name)
    def test_a_lost_answer_to_a_create_is_uncertain_and_sent_once(
        self, connector: Connector, side: Side, trouble: Trouble
    ) -> None:
        """What was made is then found by its marker."""
        target = self.open(connector, side)
        side.meet(trouble, At.CREATE)
        with pytest.raises(UncertainError):
            self.post(connector, side, target)
        assert side.comments(TITLE) == 1
        assert [comment.marker for comment in self.comments(connector, target)] == [marker(target.milestone, "summary")]

    @pytest.mark.parametrize("trouble", [Trouble.BUSY, Trouble.RESET, Trouble.HTML], ids=lambda t: t.name)
    def test_what_is_not_known_to_be_refused_is_uncertain(
        self, connector: Connector, side: Side, trouble: Trouble
    ) -> None:
        """A 502 may stand for a comment that was stored: it is never sent again by the connector."""
        target = self.open(connector, side)
        asked = side.requests()
        side.meet(trouble, At.CREATE)
        with pytest.raises(UncertainError):
            self.post(connector, side, target)
        assert side.requests() == asked + 1
        assert side.comments(TITLE) == 0

    @pytest.mark.parametrize("trouble", [Trouble.LOST, Trouble.LATE], ids=lambda t: t.name)
    def test_a_lost_status_issue_is_found_and_not_made_again(
        self, connector: Connector, side: Side, trouble: Trouble
    ) -> None:
        """By its marker."""
        target = self.aim(connector, side)
        self.labels(connector, target, LABEL)
        side.meet(trouble, At.CREATE)
        with pytest.raises(UncertainError):
            self.make(connector, side, target)
        assert side.issues(TITLE) == 1
        assert self.seen(connector, target).marker == marker(target.milestone, "status_issue")

    @pytest.mark.parametrize(
        ("trouble", "kinds"),
        [
            (Trouble.UNAUTHORISED, (AuthError,)),
            (Trouble.FORBIDDEN, (RefusedError, AuthError)),
            (Trouble.LIMITED, (LimitedError,)),
        ],
        ids=lambda value: value.name if isinstance(value, Trouble) else "",
    )
    def test_a_refused_create_did_not_happen(
        self, connector: Connector, side: Side, trouble: Trouble, kinds: tuple[type[TrackerError], ...]
    ) -> None:
        """It is an error of its sort and not an uncertain one, and sent once."""
        target = self.open(connector, side)
        asked = side.requests()
        side.meet(trouble, At.CREATE, retry_after=2 * HOUR if trouble is Trouble.LIMITED else None)
        with pytest.raises(TrackerError) as caught:
            self.post(connector, side, target)
        assert isinstance(caught.value, kinds)
        assert side.requests() == asked + 1
        assert side.comments(TITLE) == 0

    @pytest.mark.parametrize("trouble", [Trouble.LOST, Trouble.LATE, Trouble.BUSY], ids=lambda t: t.name)
    def test_a_rewriting_may_be_sent_again(self, connector: Connector, side: Side, trouble: Trouble) -> None:
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
        for trouble in (Trouble.UNAUTHORISED, Trouble.FORBIDDEN, Trouble.BUSY, Trouble.HTML, Trouble.RESET):
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
        for trouble in Trouble:
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
