"""Scripts of faults against the engine: what people do, what trackers do to requests, and what must hold in the end."""

from __future__ import annotations

import sqlite3
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from sqlalchemy import Connection as SqlConnection

from sync.assess.milestone import AssessmentRules
from sync.engine.result import Result
from sync.model.health import Status
from sync.model.policy import Policy
from sync.model.tracker_data import Issue, Markup, Milestone, MilestoneKind, Project, State, StatusCategory, Visibility
from sync.store.database import open_engine
from sync.store.store import Store
from sync.tracker.actions import Action, CreateComment, CreateStatusIssue, Receipt, UpdateComment
from sync.tracker.connection import Connection
from sync.tracker.errors import BusyError, LimitedError, UncertainError, UnreachableError
from sync.tracker.marker import Marker, MarkerKind
from sync.tracker.observed import Observed, StatusIssue, Target
from sync.tracker.protocol import Capabilities, Page
from tests.engine_factory import engine
from tests.memory_tracker import MemoryTracker

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
SOURCE = "memory://tracker"
LAG = timedelta(seconds=20)
"""How long a listing may show what stood before; less than the time between two runs."""


@dataclass
class Scene:
    """A project with some milestones, as people change it, and the tracker that shows it. A request takes a second."""

    milestones: int = 2
    now: datetime = START
    due: dict[int, date | None] = field(default_factory=dict)
    open: dict[int, list[bool]] = field(default_factory=dict)
    updated: dict[tuple[int, int], datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tracker = MemoryTracker(self.clock)
        self.shown: list[tuple[datetime, dict[str, StatusIssue]]] = [(START, {})]
        self.told: list[tuple[str, CreateComment | UpdateComment]] = []
        for n in range(self.milestones):
            self.due[n], self.open[n] = date(2026, 4, 1), [True, True, True, False]

    def clock(self) -> datetime:
        return self.now

    def tick(self) -> None:
        self.now += timedelta(seconds=1)

    # --- what people do ----------------------------------------------------------------------------------------------

    def replan(self, n: int, days: int | None) -> None:
        """Move a due date, to so many days from now, or take it away."""
        self.due[n] = None if days is None else (self.now + timedelta(days=days)).date()

    def toggle(self, n: int, item: int) -> None:
        """Close or reopen an item."""
        self.open[n][item] = not self.open[n][item]
        self.updated[n, item] = self.now

    def finish(self, n: int) -> None:
        """Close all items."""
        for item, still in enumerate(self.open[n]):
            if still:
                self.toggle(n, item)

    def page(self) -> Page:
        """All of it."""
        made = START - timedelta(days=60)
        milestones, issues = [], []
        for n in range(self.milestones):
            milestones.append(
                Milestone(
                    id=str(n),
                    project="p",
                    kind=MilestoneKind.MILESTONE,
                    key=str(n),
                    written=f"#{n}",
                    title=f"v{n}",
                    url="memory:m",
                    state=State.OPEN,
                    start=date(2026, 1, 1),
                    due=self.due[n],
                    created_at=made,
                )
            )
            for item, still in enumerate(self.open[n]):
                at = self.updated.get((n, item), made + timedelta(days=item))
                issues.append(
                    Issue(
                        id=f"{n}-{item}",
                        project="p",
                        key=f"#{n}{item}",
                        title=f"item {item}",
                        url="memory:i",
                        state=State.OPEN if still else State.CLOSED,
                        raw_state="open" if still else "closed",
                        category=StatusCategory.TODO if still else StatusCategory.DONE,
                        created_at=made,
                        updated_at=at,
                        closed_at=None if still else at,
                        milestones=(str(n),),
                    )
                )
        project = Project(id="p", key="acme/app", name="App", url="memory:p", visibility=Visibility.PUBLIC)
        return Page(
            projects=(project,),
            milestones=tuple(milestones),
            issues=tuple(issues),
            all_milestones=frozenset({"p"}),
            complete=frozenset({"p"}),
            cursors={"p": "1"},
        )

    # --- what the tracker does ---------------------------------------------------------------------------------------

    def do(self, action: Action) -> Receipt:
        receipt = self.tracker.do(action)
        if isinstance(action, CreateComment | UpdateComment):
            self.told.append((action.issue, action))
        self.shown.append((self.now, dict(self.tracker.issues)))
        return receipt

    def seen(self, targets: Sequence[Target], *, stale: bool) -> Observed:
        """Observe the tracker; where a listing lags, issues and comments are those of an earlier time."""
        if not stale:
            return self.tracker.seen(targets)
        then = next(issues for at, issues in reversed(self.shown) if at <= self.now - LAG or at == START)
        fresh = self.tracker.issues
        self.tracker.issues = {
            key: msgspec.structs.replace(issue, comments=then[key].comments if key in then else ())
            for key, issue in fresh.items()
            if key in then or any(target.issue == key for target in targets)
        }
        seen = self.tracker.seen(targets)
        self.tracker.issues = fresh
        return seen


class FaultyConnector:
    """The scene's connector. ``script`` holds what its next calls meet, by verb; when it is empty, nothing."""

    def __init__(self, scene: Scene, source: str = SOURCE) -> None:
        self.scene, self.name, self.base_url = scene, "memory", source
        self.capabilities = Capabilities(markup=Markup.GITHUB, body_limit=65_000)
        self.requests = 0
        self.script: dict[str, deque[str]] = defaultdict(deque)

    def _meets(self, verb: str) -> str:
        self.requests += 1
        self.scene.tick()
        what = self.script[verb].popleft() if self.script[verb] else "fine"
        match what:
            case "busy":
                raise BusyError(self.name, "acme/app")
            case "limited":
                raise LimitedError(self.name, until=self.scene.now + timedelta(hours=1))
            case "timeout":
                raise UnreachableError(self.name)
        return what

    def pull(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        what, page = self._meets("pull"), self.scene.page()
        if what == "cut":
            yield msgspec.structs.replace(page, complete=frozenset(), cursors={}, issues=page.issues[:2])
            raise UnreachableError(self.name)
        yield page

    def observe(self, targets: Sequence[Target]) -> Observed:
        return self.scene.seen(targets, stale=self._meets("observe") == "stale")

    def apply(self, action: Action) -> Receipt:
        what = self._meets("apply")
        once = isinstance(action, CreateComment | CreateStatusIssue)
        if what == "dropped":  # neither done nor answered
            raise UncertainError(self.name) if once else UnreachableError(self.name)
        receipt = self.scene.do(action)
        if what == "lost":  # done, and not answered
            raise UncertainError(self.name) if once else UnreachableError(self.name)
        return receipt

    def close(self) -> None:
        """Nothing to give back."""


class Blank:
    """A database in memory that is emptied for each script, as to make and migrate one takes longer than the script."""

    def __init__(self) -> None:
        self._engine = open_engine("sqlite://", create=True)
        self._empty = sqlite3.connect(":memory:")
        with self._engine.connect() as connection:
            self._held(connection).backup(self._empty)

    def store(self, clock: Callable[[], datetime]) -> Store:
        """A store with nothing in it; the one that was given before is gone."""
        with self._engine.connect() as connection:
            self._empty.backup(self._held(connection))
        return Store(self._engine, clock)

    @staticmethod
    def _held(connection: SqlConnection) -> sqlite3.Connection:
        held = connection.connection.driver_connection
        assert isinstance(held, sqlite3.Connection)
        return held

    def close(self) -> None:
        """Give back the memory."""
        self._empty.close()
        self._engine.dispose()


_RULES = AssessmentRules()
"""One for all runs, as it keeps what its calendar has worked out."""


def run(connector: FaultyConnector, store: Store, zone: str = "UTC") -> Result:
    """One run of the engine, as a process of its own would do it."""
    connection = Connection(
        name="memory",
        connector=connector,
        projects=("acme/app",),
        policy_of=lambda project: Policy.CREATE,
        zone=ZoneInfo(zone),
    )
    return engine(connection, store, connector.scene.clock, rules=_RULES).run()


def check(scene: Scene) -> None:
    """Check one status issue and one summary for each milestone; each change of status is announced exactly once."""
    by_milestone: dict[str, list[StatusIssue]] = defaultdict(list)
    for issue in scene.tracker.issues.values():
        marker = Marker.decode(issue.marker)
        assert marker is not None
        by_milestone[marker.milestone].append(issue)
    for milestone, issues in by_milestone.items():
        assert len(issues) == 1, f"{milestone} has {len(issues)} status issues"
        [issue] = issues
        kinds = [m.kind for comment in issue.comments if (m := Marker.decode(comment.marker))]
        assert kinds.count(MarkerKind.SUMMARY) == 1, kinds
        assert kinds.count(MarkerKind.CLOSING) <= 1, kinds
        labels = [name for name in issue.labels if name.startswith("health/")]
        assert len(labels) == 1, labels
        told(issue.issue, [action for key, action in scene.told if key == issue.issue])


TELLING = (MarkerKind.TRANSITION, MarkerKind.CLOSING)
"""Comments that tell a new status; the second tells, once, that it is done."""


def told(issue: str, actions: Iterable[CreateComment | UpdateComment]) -> None:
    """Check that the announced statuses of a thread alternate, in the order of the writes."""
    known: Status | None = None
    for action in actions:
        marker = Marker.decode(action.marker)
        assert marker is not None
        if marker.kind in TELLING:
            assert marker.status is not known, f"#{issue}: told of {known} twice"
            known = marker.status
        else:
            assert known in (None, marker.status), f"#{issue}: nobody was told that {known} became {marker.status}"
            known = marker.status


def played(script: type[RuleBasedStateMachine], *, scripts: int, steps: int, part: int) -> None:
    """Play so many scripts of so many steps, the same for the same part. One that fails is printed as it is: to make it
    shorter takes longer than the whole proof.
    """
    how = settings(
        max_examples=scripts,
        stateful_step_count=steps,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(part)(script), settings=how)
