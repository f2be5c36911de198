"""The life of a status issue over HTTP, on four trackers: closed and reopened with its milestone.

With ``lost`` every run begins with an empty database: what milesync knows is on the tracker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Issue
from sync.cli.wiring import connect
from sync.engine.handover import retire
from sync.engine.result import Result
from sync.model.policy import Policy
from sync.store.store import Store
from sync.tracker.actions import Action, CloseIssue, Receipt, SetIssueState
from sync.tracker.connection import Connection, MilestoneOverrides
from sync.tracker.errors import UncertainError
from sync.tracker.marker import MarkerKind
from sync.tracker.protocol import Connector, Setup
from tests.engine_factory import engine
from tests.fault.tracker_contents import markers

KINDS = ("github", "gitlab", "jira", "jira-cloud")
START = datetime(2026, 3, 16, 9, tzinfo=UTC)  # a Monday
TITLE = "1.0"


class Stage:
    """A tracker with one milestone of four items, and a milesync that runs against it."""

    def __init__(self, sandbox: Sandbox, kind: str) -> None:
        self.now, self.kind = START, kind
        sandbox.world.clock = lambda: self.now
        self.tracker: Tracker = next(tracker for tracker in sandbox.world.trackers if tracker.kind == kind)
        self.key = "APP" if kind.startswith("jira") else "acme/app"
        self.ada = self.tracker.user("ada", "Ada Fox")
        self.project = self.tracker.project(self.key)
        self.milestone = self.tracker.milestone(
            self.project, TITLE, at=START - timedelta(days=40), due=date(2026, 4, 20)
        )
        for n in range(4):
            made = START - timedelta(days=40 - n)
            self.tracker.issue(self.project, f"item {n}", self.ada, at=made, milestones=[self.milestone.id])
        self.store, self.lost = Store.memory(lambda: self.now), False
        self.options: dict[str, Any] = {}
        self.closes = True
        self.named: dict[str, MilestoneOverrides] = {}
        self.wrap: Callable[[Any], Any] = lambda connector: connector

    # --- milesync ---------------------------------------------------------------------------------------------------

    def connect(self) -> Connector:
        kind, _, cloud = self.kind.partition("-")
        secrets = {"token": "sandbox"} | ({"email": "bot@example.org"} if cloud else {})
        setup = Setup(
            name=kind,
            url=self.tracker.url,
            secrets=secrets,
            clock=lambda: self.now,
            sleep=lambda _: None,
            options=self.options,
        )
        return connect(kind, setup)

    def connection(self) -> Connection:
        return Connection(
            name="it",
            connector=self.wrap(self.connect()),
            projects=(self.key,),
            policy_of=lambda _: Policy.CREATE,
            closes_issues=self.closes,
            named=self.named,
        )

    def run(self) -> Result:
        """One run, two hours later; a further run at once writes nothing."""
        self.now += timedelta(hours=2)
        result = self.once()
        assert result.failures == []
        again = self.once()
        assert (again.failures, again.written) == ([], [])
        return result

    def once(self) -> Result:
        """One run now."""
        if self.lost:
            self.store = Store.memory(lambda: self.now)
        connection = self.connection()
        try:
            return engine(connection, self.store, lambda: self.now).run()
        finally:
            connection.connector.close()

    # --- people -----------------------------------------------------------------------------------------------------

    @property
    def issue(self) -> Issue:
        [issue] = [issue for issue in self.project.issues.values() if issue.author is self.tracker.bot]
        return issue

    @property
    def is_closed(self) -> bool:
        return self.issue.closed is not None

    def end(self) -> None:
        """Everything is closed, and the milestone; a version of Jira ends with its release date, yesterday."""
        if self.kind.startswith("jira"):
            self.milestone.due = (self.now - timedelta(days=1)).date()
        for issue in self.project.issues.values():
            if issue.closed is None and issue.milestones:
                self.tracker.close(issue, self.ada, resolution="completed" if self.kind == "github" else "")
        self.tracker.close_milestone(self.project, self.milestone)

    def go_on(self) -> None:
        """A person opens the milestone again, with a later date, and puts work into it."""
        self.milestone.due = (self.now + timedelta(days=30)).date()
        self.milestone.closed, self.milestone.released, self.milestone.updated = None, False, self.now
        self.tracker.issue(self.project, f"more at {self.now}", self.ada, milestones=[self.milestone.id])

    def close(self) -> None:
        self.now += timedelta(hours=1)
        self.tracker.close(self.issue, self.ada)

    def reopen(self) -> None:
        self.now += timedelta(hours=1)
        self.tracker.reopen(self.issue, self.ada)


@pytest.fixture(params=KINDS)
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with Sandbox(World(lambda: START), only=(request.param,)) as sandbox:
        yield Stage(sandbox, request.param)


def states(result: Result) -> list[bool]:
    """The closings and reopenings of a run."""
    return [write.action.closed for write in result.written if isinstance(write.action, SetIssueState)]


def test_the_issue_is_closed_with_its_milestone_and_reopened_with_it(stage: Stage) -> None:
    assert states(stage.run()) == []
    for _ in range(2):
        stage.end()
        assert states(stage.run()) == [True]
        assert stage.is_closed
        stage.go_on()
        assert states(stage.run()) == [False]
        assert not stage.is_closed


def test_who_closed_it_is_told_by_the_tracker_after_the_database_is_lost(stage: Stage) -> None:
    stage.run()
    stage.end()
    assert states(stage.run()) == [True]
    stage.lost = True
    stage.go_on()
    assert states(stage.run()) == [False]
    stage.close()
    stage.go_on()
    assert stage.run().written == []
    assert stage.is_closed


@pytest.mark.parametrize("lost", [False, True])
def test_a_closing_by_a_person_mutes_and_a_reopening_resumes(stage: Stage, lost: bool) -> None:
    stage.run()
    stage.lost = lost
    stage.close()
    stage.milestone.due, stage.milestone.updated = date(2026, 3, 10), stage.now
    assert stage.run().written == []
    stage.reopen()
    assert stage.run().written != []


def test_a_reopening_by_a_person_holds_until_the_milestone_ends_again(stage: Stage) -> None:
    stage.run()
    stage.end()
    stage.run()
    stage.reopen()
    for _ in range(3):
        stage.now += timedelta(days=1)
        assert states(stage.run()) == []
    assert not stage.is_closed
    stage.go_on()
    assert states(stage.run()) == []
    stage.end()
    assert states(stage.run()) == [True]


def test_a_person_who_closes_what_we_reopened_mutes_it(stage: Stage) -> None:
    stage.run()
    stage.end()
    stage.run()
    stage.go_on()
    stage.run()
    stage.close()
    stage.end()
    assert stage.run().written == []


def test_without_the_setting_nothing_is_closed_and_switching_it_on_closes_nothing_later(stage: Stage) -> None:
    stage.closes = False
    stage.run()
    stage.end()
    assert states(stage.run()) == []
    stage.closes = True
    stage.now += timedelta(days=2)
    assert states(stage.run()) == []
    assert not stage.is_closed


def test_an_issue_that_a_person_named_is_never_closed(stage: Stage) -> None:
    named = stage.tracker.issue(stage.project, "Our board", stage.ada)
    written = stage.key + {"github": "#1", "gitlab": "%1.0"}.get(stage.kind, "/1.0")
    key = named.key if stage.kind.startswith("jira") else f"{stage.key}#{named.number}"
    stage.named = {written: MilestoneOverrides(report_on=key)}
    stage.run()
    assert len(named.comments) == 1
    stage.end()
    assert states(stage.run()) == []
    assert len(named.comments) == 2


class Faulty:
    """A connector whose next closing or reopening is lost: the request (``before``), or the answer to it."""

    def __init__(self, connector: Connector, *, before: bool) -> None:
        self._connector, self._before, self._is_due = connector, before, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connector, name)

    def apply(self, action: Action) -> Receipt:
        if not isinstance(action, SetIssueState) or not self._is_due:
            return self._connector.apply(action)
        self._is_due = False
        if not self._before:
            self._connector.apply(action)
        raise UncertainError("it", action.project_key)


@pytest.mark.parametrize("before", [True, False])
def test_a_lost_request_or_answer_is_completed_and_said_once(stage: Stage, before: bool) -> None:
    """Report a lost request and send it again in the next run; look up a lost answer."""
    stage.run()
    for change, closed in ((stage.end, True), (stage.go_on, False)):
        change()
        stage.now += timedelta(hours=2)
        stage.wrap = lambda connector: Faulty(connector, before=before)
        result = stage.once()
        assert bool(result.failures) is before
        assert stage.is_closed is (closed is not before)
        stage.wrap = lambda connector: connector
        assert states(stage.run()) == ([closed] if before else [])
        assert stage.is_closed is closed
    kinds = [marker.kind for marker in markers(stage.tracker) if marker.kind is not MarkerKind.SUMMARY]
    assert kinds == [MarkerKind.STATUS_ISSUE, MarkerKind.CLOSING, MarkerKind.TRANSITION]


def test_retire_closes_it_and_leaves_it_closed(stage: Stage) -> None:
    stage.run()
    stage.end()
    stage.run()
    stage.now += timedelta(hours=2)
    running = engine(stage.connection(), stage.store, lambda: stage.now)
    plan, _ = retire(running, running.assess())
    assert [action for action in plan.actions if isinstance(action, CloseIssue | SetIssueState)] == []


# --- Jira's workflows -------------------------------------------------------------------------------------------------

JIRA = pytest.mark.parametrize("stage", ["jira", "jira-cloud"], indirect=True)
TWO = {"To Do": "To Do", "Work": "In Progress", "Done": "Done", "Reject": "Closed"}


@JIRA
def test_of_two_transitions_that_close_it_the_configured_one_is_used(stage: Stage) -> None:
    stage.tracker.transitions = TWO
    stage.run()
    stage.end()
    result = stage.run()
    assert states(result) == []
    why = "its status issue stays open: 2 transitions close it; name one of them in status_issue.close_transition"
    assert [skipped.why for skipped in result.plan.skipped] == [why]
    stage.options = {"close_transition": "reject"}
    stage.now += timedelta(days=1)
    assert states(stage.run()) == [True]
    assert stage.issue.status == "Closed"


@JIRA
def test_of_several_transitions_that_reopen_it_the_only_one_to_do_or_the_configured_one_is_used(stage: Stage) -> None:
    stage.run()
    stage.end()
    stage.run()
    stage.go_on()
    assert states(stage.run()) == [False]
    assert stage.issue.status == "To Do"
    stage.end()
    stage.run()
    stage.tracker.transitions = {"To Do": "To Do", "Open": "Open", "Work": "In Progress", "Done": "Done"}
    stage.go_on()
    result = stage.run()
    assert result.written == []
    why = "its status issue stays closed: 3 transitions reopen it; name one of them in status_issue.reopen_transition"
    assert [skipped.why for skipped in result.plan.skipped] == [why]
    stage.options = {"reopen_transition": "Work"}
    stage.now += timedelta(days=1)
    assert states(stage.run()) == [False]
    assert stage.issue.status == "In Progress"


@JIRA
def test_without_the_permission_to_transition_the_plan_says_so(stage: Stage) -> None:
    stage.project.denied.add("TRANSITION_ISSUES")
    stage.run()
    stage.end()
    result = stage.run()
    why = "its status issue stays open: no transition that closes it is offered to this account"
    assert [skipped.why for skipped in result.plan.skipped] == [why]
    assert not stage.is_closed
