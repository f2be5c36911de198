"""The sandbox as the tracker's side of the contract suite, in each of its four dialects."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Fault, Issue, Label, Milestone, Project
from connectors.testing import AppliesTo, InjectedFault, RequestCosts
from sync.cli.wiring import connect
from sync.tracker.marker import with_marker
from sync.tracker.protocol import Connector, Setup

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
PROJECTS = {
    "github": ("acme/app", "acme/web"),
    "gitlab": ("acme/app", "acme/web"),
    "jira": ("APP", "WEB"),
    "jira-cloud": ("APP", "WEB"),
}
CREATES = {
    "github": "POST /repos/",
    "gitlab": "POST /api/v4/projects/",
    "jira": "POST /rest/api/2/issue",
    "jira-cloud": "POST /rest/api/3/issue",
}
COSTS = {
    "github": RequestCosts(unchanged=2, first_pull=3),
    "gitlab": RequestCosts(unchanged=4, first_pull=7),
    "jira": RequestCosts(unchanged=2, first_pull=7),
    "jira-cloud": RequestCosts(unchanged=2, first_pull=9),
}
OLD_COSTS = {
    ("github", "3.14"): RequestCosts(unchanged=2, first_pull=6),
    ("gitlab", "15.0"): RequestCosts(unchanged=4, first_pull=7, issue=2),
}
"""Old servers: GitHub refuses queries for the fields that it lacks; GitLab has histories and links by issue."""
FAULTS = {
    InjectedFault.UNAUTHORISED: ("status", 401),
    InjectedFault.FORBIDDEN: ("status", 403),
    InjectedFault.LIMITED: ("status", 429),
    InjectedFault.BUSY: ("status", 502),
    InjectedFault.HTML: ("html", 200),
    InjectedFault.GARBAGE: ("garbage", 200),
    InjectedFault.RESET: ("reset", 200),
    InjectedFault.LOST: ("drop", 200),
    InjectedFault.LATE: ("late", 502),
}


@dataclass
class Clock:
    """A clock that moves only when a test moves it."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now


@dataclass
class SandboxSide:
    """One tracker of a served world, emptied; see `connectors.testing.Side`."""

    tracker: Tracker
    clock: Clock
    made: list[Connector] = field(default_factory=list)
    page: int = 100
    secret: str = "s3cret-of-the-contract"
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """The tracker as it was in the beginning, so that one server is enough for many tests."""
        tracker, self.clock.now = self.tracker, START
        for filled in (tracker.projects, tracker.faults, tracker.log, tracker.moved, tracker.iterations, tracker.epics):
            filled.clear()
        tracker.users = {tracker.bot.id: tracker.bot}
        tracker.used, tracker.token = 0, self.secret
        self.several = tracker.kind.startswith("jira")
        self.project, self.other = PROJECTS[tracker.kind]
        self.costs = OLD_COSTS.get((tracker.kind, tracker.version), COSTS[tracker.kind])
        self.place, self.elsewhere = tracker.project(self.project), tracker.project(self.other)
        self.people = tracker.user("ada", "Ada Fox")

    @classmethod
    def of(cls, world: World, kind: str, version: str = "") -> SandboxSide:
        """The side of a dialect on a server of a version (empty: the newest). The world's clock is a `Clock`."""
        assert isinstance(world.clock, Clock)
        tracker = {tracker.kind: tracker for tracker in world.trackers}[kind]
        tracker.version = version
        return cls(tracker, world.clock)

    def connect(self, *, concurrency: int = 3, timeout: int = 60) -> Connector:
        kind = self.tracker.kind.partition("-")[0]
        secrets = {"token": self.secret}
        if self.tracker.kind == "jira-cloud":
            secrets["email"] = "bot@example.org"
        setup = Setup(
            name="side",
            url=f"{self.tracker.url}/",
            secrets=secrets,
            clock=self.clock,
            sleep=self.pass_time,
            timeout=timeout,
            concurrency=concurrency,
            options=self.options,
        )
        self.made.append(connect(kind, setup))
        return self.made[-1]

    def now(self) -> datetime:
        return self.clock.now

    def pass_time(self, seconds: float) -> None:
        self.clock.now += timedelta(seconds=seconds)

    def text(self, words: str) -> str:
        if self.tracker.kind != "jira-cloud":
            return words
        content = {"type": "paragraph", "content": [{"type": "text", "text": words}]}
        document = {"type": "doc", "version": 1, "content": [content]}
        return json.dumps(document, ensure_ascii=False, separators=(",", ":"))

    # --- what people do --------------------------------------------------------------------------------------------

    def add_milestone(self, title: str, due: date | None = None) -> None:
        self.tracker.milestone(self.place, title, due=due)

    def edit_milestone(self, title: str, *, new: str = "", due: date | None = None, closed: bool = False) -> None:
        milestone = self._milestone(title)
        milestone.title, milestone.due, milestone.updated = new or title, due or milestone.due, self.clock.now
        if closed:
            self.tracker.close_milestone(self.place, milestone)

    def delete_milestone(self, title: str) -> None:
        del self.place.milestones[self._milestone(title).id]

    def add_issue(self, title: str, *milestones: str, elsewhere: bool = False) -> None:
        self.tracker.issue(
            self.elsewhere if elsewhere else self.place,
            title,
            self.people,
            milestones=[self._milestone(name).id for name in milestones],
        )

    def move(self, title: str, *milestones: str) -> None:
        place, issue = self._issue(title)
        self.tracker.move(place, issue, [self._milestone(name).id for name in milestones], self.people)

    def close(self, title: str) -> None:
        self.tracker.close(self._issue(title)[1], self.people, resolution="completed")

    def remove(self, title: str) -> None:
        words = {"github": "not_planned", "gitlab": "duplicate"}
        self.tracker.close(self._issue(title)[1], self.people, resolution=words.get(self.tracker.kind, "Won't Do"))

    def reopen(self, title: str) -> None:
        self.tracker.reopen(self._issue(title)[1], self.people)

    def rename(self, title: str, new: str) -> None:
        issue = self._issue(title)[1]
        issue.title, issue.updated = new, self.clock.now

    def label(self, title: str, name: str) -> None:
        place, issue = self._issue(title)
        place.labels.setdefault(name, Label(self.tracker.world.next_id(), name))
        self.tracker.label(issue, [name], [], self.people)

    def copy_status_issue(self, title: str, marker: str) -> None:
        jira = self.tracker.kind.startswith("jira")
        fields: dict[str, Any] = {"body": "" if jira else with_marker("about", marker)}
        if jira:
            fields = {"properties": {"milesync": {"marker": marker}}}
        self.tracker.issue(self.place, title, self.people, labels=["milestone-status"], **fields)

    def comment(self, title: str, body: str, *, marker: str = "", ours: bool = False) -> None:
        author = self.tracker.bot if ours else self.people
        fields: dict[str, Any] = {}
        stored: Any = json.loads(body) if self.tracker.kind == "jira-cloud" else body
        if marker and self.tracker.kind.startswith("jira"):
            fields["properties"] = {"milesync": {"marker": marker}}
        elif marker:
            stored = with_marker(body, marker)
        self.tracker.comment(self._issue(title)[1], author, stored, **fields)

    # --- what is there, and what it does to requests ---------------------------------------------------------------

    def issues(self, title: str) -> int:
        return sum(issue.title == title for p in self.tracker.projects.values() for issue in p.issues.values())

    def comments(self, title: str) -> int:
        return len(self._issue(title)[1].comments)

    def requests(self) -> int:
        return len(self.tracker.log)

    def writes(self) -> int:
        return len(self.tracker.writes)

    def inject(
        self, fault: InjectedFault, at: AppliesTo = AppliesTo.ANY, times: int = 1, retry_after: int | None = None
    ) -> None:
        kind, status = FAULTS[fault]
        self.tracker.faults.clear()
        if times:
            headers = {} if retry_after is None else {"retry-after": str(retry_after)}
            match = CREATES[self.tracker.kind] if at is AppliesTo.CREATE else ""
            self.tracker.faults.append(Fault(kind, match, times=times, status=status, headers=headers))

    # --- by title ----------------------------------------------------------------------------------------------------

    def _issue(self, title: str) -> tuple[Project, Issue]:
        return next((p, i) for p in (self.place, self.elsewhere) for i in p.issues.values() if i.title == title)

    def _milestone(self, title: str) -> Milestone:
        return next(m for m in self.place.milestones.values() if m.title == title)
