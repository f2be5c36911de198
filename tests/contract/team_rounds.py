"""A team's milestone in one of the four dialects, served, and an engine that does rounds over it in this process."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Comment, Issue, Label, Project
from sync.assess.milestone import AssessedMilestone, AssessmentRules
from sync.engine.engine import Engine
from sync.engine.result import Result
from sync.history.calendar import Calendar
from sync.model.policy import Limits, Policy
from sync.store.store import Store
from sync.tracker.connection import Connection
from sync.tracker.protocol import Connector, Setup

DIALECTS = ("github", "gitlab", "jira", "jira-cloud")
MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
KEYS = {"github": "acme/app", "gitlab": "acme/app", "jira": "PAY", "jira-cloud": "PAY"}
INSTANCE = "acme"


@dataclass
class Clock:
    """A clock that moves only when a test moves it."""

    now: datetime = MONDAY

    def __call__(self) -> datetime:
        return self.now

    def on(self, **span: float) -> datetime:
        self.now += timedelta(**span)
        return self.now


@dataclass
class Team:
    """One tracker with one project and one milestone, due on 20 March; ``ada`` may write, ``eve`` may only read."""

    tracker: Tracker
    clock: Clock
    store: Store
    keep_quiet: bool = False
    open: list[Connector] = field(default_factory=list)
    rounds: int = 0

    @property
    def project(self) -> Project:
        return self.tracker.projects[KEYS[self.tracker.kind]]

    @property
    def issue(self) -> Issue:
        """The status issue: the only one outside the milestone."""
        return next(issue for issue in self.project.issues.values() if not issue.milestones)

    @property
    def separator(self) -> str:
        return "::" if self.tracker.kind == "gitlab" else "/"

    @property
    def health_labels(self) -> list[str]:
        """The status labels that the status issue carries."""
        return sorted(name for name in self.issue.labels if name.startswith("health"))

    def label(self, status: str) -> str:
        return f"health{self.separator}{status}"

    def texts(self) -> list[str]:
        """Words of the comments by the present account of milesync, oldest first."""
        return [str(c.body) for c in self.issue.comments if c.author is self.tracker.bot]

    def changes(self) -> str:
        """Return the title of the changes in the summary: ``Since 6 Mar 2026: 1 added``; empty without changes."""
        title = re.search(r"Since \d+ \w+ \d{4}: [\w ,-]+", self.texts()[0])
        return title[0] if title else ""

    def make_labels(self, *names: str) -> None:
        """Let the project know these labels, where a tracker needs that."""
        for name in names:
            self.project.labels.setdefault(name, Label(self.tracker.world.next_id(), name))

    def connector(self) -> Connector:
        kind = self.tracker.kind
        module = import_module(f"connectors.{kind.removesuffix('-cloud')}")
        secrets = {"token": self.tracker.token, **({"email": "bot@example.org"} if kind == "jira-cloud" else {})}
        setup = Setup(name="x", url=self.tracker.url, secrets=secrets, clock=self.clock, sleep=lambda seconds: None)
        made: Connector = module.connect(setup)
        self.open.append(made)
        return made

    def engine(self, **more: Any) -> Engine:
        """One round's engine; ``more`` goes into its connection."""
        self.rounds += 1
        fields: dict[str, Any] = {
            "projects": (self.project.key,),
            "policy_of": lambda project: Policy.CREATE,
            **more,
        }
        return Engine(
            connections=[Connection(name="x", connector=self.connector(), **fields)],
            store=self.store,
            instance=INSTANCE,
            clock=self.clock,
            rules=AssessmentRules(calendar=Calendar(quiet_weeks=()), keep_quiet=self.keep_quiet),
            limits=Limits(),
            run_id=f"run{self.rounds}",
            holder="test",
        )

    def run(self, fails: type[Exception] | None = None, /, **more: Any) -> Result:
        """One run. Raises when something failed in it, unless it was by this error."""
        engine = self.engine(**more)
        result = engine.run()
        assert {type(failure.cause) for failure in result.failures} == ({fails} if fails else set()), result.failures
        assert result.refused == []
        return result

    def looked(self) -> tuple[Engine, list[AssessedMilestone]]:
        """An engine that has pulled and assessed."""
        engine = self.engine()
        engine.pull()
        return engine, engine.assess(keep=False)

    def says(self, text: str, login: str = "ada", **fields: Any) -> Comment:
        """A person comments on the status issue, a minute later."""
        return self.tracker.comment(self.issue, self.tracker.user(login), text, self.clock.on(minutes=1), **fields)

    def edits(self, comment: Comment, words: str) -> None:
        """A person rewrites a comment; the marker stays where it is."""
        body = comment.body
        if isinstance(body, dict):
            paragraph = {"type": "paragraph", "content": [{"type": "text", "text": words}]}
            body = {**body, "content": [paragraph, *body["content"]]}
        else:
            body = f"{words}\n\n{body}"
        self.tracker.edit_comment(self.issue, comment, body, self.clock.on(minutes=1))

    def changes_token(self) -> None:
        """The token belongs to another account from now on."""
        self.tracker.bot.bot = False
        self.tracker.bot = self.tracker.user("new-bot", "New Bot", bot=True)

    def loses_database(self) -> None:
        self.store.close()
        self.store = Store.memory(self.clock)


@contextmanager
def team(kind: str) -> Iterator[Team]:
    """A team in that dialect. Eight issues since mid-February, five of them closed."""
    clock = Clock()
    world = World(clock)
    with Sandbox(world, only=(kind,)):
        tracker = next(tracker for tracker in world.trackers if tracker.kind == kind)
        begun, ada = MONDAY - timedelta(days=14), tracker.user("ada", "Ada Fox")
        tracker.user("eve", "Eve")
        project = tracker.project(KEYS[kind], "App", created=begun)
        project.members |= {"ada": "write", "eve": "read"}
        project.admin = True
        milestone = tracker.milestone(project, "v1", at=begun, due=(MONDAY + timedelta(days=18)).date())
        for n in range(8):
            issue = tracker.issue(project, f"Task {n}", ada, at=begun)
            tracker.move(project, issue, [milestone.id], ada, begun)
            if n < 5:
                tracker.close(issue, ada, begun + timedelta(days=2 * n + 1), resolution="completed")
        made = Team(tracker, clock, Store.memory(clock))
        try:
            yield made
        finally:
            for connector in made.open:
                connector.close()
            made.store.close()
