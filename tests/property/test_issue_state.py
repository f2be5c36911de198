"""A status issue stays as a person left it, closed or open, whenever a run stops."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.model.health import Status
from sync.tracker.actions import Action, CreateComment, SetIssueState, UpdateComment
from sync.tracker.marker import Marker
from tests.issue_state_world import HOUR, KEY, World
from tests.proof import TIMEOUT, full

pytestmark = TIMEOUT
STATUSES = (Status.AT_RISK, Status.OFF_TRACK, Status.DONE, Status.ENDED)


@dataclass(frozen=True)
class Run:
    """A run of milesync that is stopped after ``writes`` writes; None: it ends."""

    status: Status
    quiet: bool
    writes: int | None


@dataclass(frozen=True)
class Person:
    """A person closes or reopens the issue."""

    closes: bool


runs = st.builds(
    Run, st.sampled_from(STATUSES), st.sampled_from((False, False, True)), st.sampled_from((None, None, 0, 1, 2, 3))
)
steps = st.lists(runs | st.builds(Person, st.booleans()), max_size=14)


class Story:
    """The events so far, by what was written and done, not by markers."""

    def __init__(self) -> None:
        self.world = World()
        self.end_at: datetime | None = None
        """When the present end was announced; None while the milestone runs for its readers."""
        self.by_person: tuple[datetime, bool] | None = None
        """The last closing (True) or reopening by a person, unless we changed the state since."""

    def step(self, step: Run | Person) -> None:
        self.world.now += HOUR
        if isinstance(step, Run):
            self.run(step)
        elif self.world.issue.closed is not step.closes:
            self.world.tracker.set_state(KEY, closed=step.closes)
            self.by_person = self.world.now, step.closes

    def run(self, run: Run) -> None:
        plan = self.world.plan(run.status, quiet=run.quiet)
        if self.by_person is not None and self.by_person[1]:
            assert plan.actions == (), "a person closed the issue"
        for action in plan.actions[: run.writes]:
            self.check(run, action)
            self.world.tracker.do(action)
        if run.writes is not None:
            return
        assert self.world.plan(run.status, quiet=run.quiet).actions == ()
        if run.status.is_over and self.end_at is not None and not run.quiet:
            # reopened by a person, or by a run that was stopped before it said so: both accounts may be one
            change = self.world.issue.state_change
            was_reopened = change is not None and change.at >= self.end_at
            assert self.world.issue.closed or was_reopened, "an announced end closes the issue"
        if not run.status.is_over and not run.quiet and self.by_person is None:
            assert not self.world.issue.closed, "the issue of a milestone that runs is open"

    def check(self, run: Run, action: Action) -> None:
        if isinstance(action, SetIssueState):
            assert not run.quiet
            assert run.status.is_over is action.closed
            if action.closed and self.by_person is not None:
                assert self.end_at is not None
                assert self.by_person[0] < self.end_at, "a person reopened it for this end"
            if not action.closed:
                assert self.by_person is None, "a person closed it"
            self.by_person = None
        marker = Marker.decode(action.marker) if isinstance(action, CreateComment | UpdateComment) else None
        if marker is None or marker.status is None:
            return
        if not marker.status.is_over:
            self.end_at = None
        elif isinstance(action, CreateComment) and self.end_at is None:
            self.end_at = self.world.now


@settings(max_examples=full(20_000, 400), deadline=None)
@given(steps)
def test_what_a_person_did_last_stands(told: list[Run | Person]) -> None:
    story = Story()
    story.world.run(Status.AT_RISK)
    for step in told:
        story.step(step)
