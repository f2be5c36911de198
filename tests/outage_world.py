"""Three trackers whose milestones depend on each other, to take one after another away from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, timedelta

from sync.assess.milestone import AssessmentRules
from sync.engine.engine import Engine
from sync.engine.result import Result
from sync.forecast.parameters import Rules
from sync.history.calendar import Calendar
from sync.model.health import Health, Status
from sync.model.joint import JointMilestone
from sync.model.policy import Limits, Policy
from sync.store.store import Store
from sync.tracker.connection import Connection
from sync.tracker.errors import BusyError, GoneError
from sync.tracker.protocol import Page
from tests.memory_tracker import MemoryConnector, MemoryTracker
from tests.portfolio_world import NOW, page, running

RULES = Rules(gate_least=20)
BOTH = JointMilestone(name="Both", due=date(2026, 3, 29), members=(running("app"), running("base")))
DEPENDENCIES = ((running("base"), running("app")),)
NAMES = ("base", "app", "other")
RANK = (Status.ON_TRACK, Status.AT_RISK, Status.OFF_TRACK, Status.OVERDUE, Status.UNKNOWN)


class _Connector(MemoryConnector):
    """A connector that reads the projects it is asked for: one that does not exist is gone."""

    def pull(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        for found in super().pull(projects, cursors):
            keys = {project.key for project in found.projects}
            if keys & set(projects):
                yield found
            yield Page(failed={name: GoneError(self.name, name) for name in set(projects) - keys})


class OutageWorld:
    """``app`` waits for ``base``, which is late; both are in a joint milestone. ``other`` teaches both.

    ``blocked``: it waits because open issues of ``base`` block its own, not by configuration.
    """

    def __init__(self, *, share: str = "aggregate", blocked: bool = False, still_open: int = 3) -> None:
        self.now, self.share, self.is_configured = NOW, share, not blocked
        self.store = Store.memory(lambda: self.now)
        blockers = [f"https://tracker.example/base-m8/{k}" for k in range(1, 10)] if blocked else []
        pages = {
            "base": page("base", still_open=9, late=range(6)),
            "app": page("app", still_open=still_open, blocked_by=blockers),
            "other": page("other", still_open=5, late=range(3)),
        }
        self.trackers = {name: MemoryTracker(lambda: self.now, pages=[pages[name]]) for name in NAMES}
        self.connectors = {name: _Connector(self.trackers[name], name, f"memory://{name}") for name in NAMES}
        self.runs = 0

    def _connection(self, name: str, projects: tuple[str, ...]) -> Connection:
        return Connection(
            name=name,
            connector=self.connectors[name],
            projects=projects,
            share=self.share,
            policy_of=lambda _: Policy.CREATE,
        )

    def run(
        self, *down: str, hours: float = 1, removed: Collection[str] = (), misspelt: Collection[str] = ()
    ) -> Result:
        """Run after some hours.

        The trackers ``down`` do not answer. The projects of the trackers ``removed`` are not configured, and those of
        the trackers ``misspelt`` with another name.
        """
        self.runs += 1
        self.now += timedelta(hours=hours)
        for name, connector in self.connectors.items():
            connector.fail["pull"] = [BusyError(name, "", "HTTP 502: Bad Gateway")] if name in down else []
        names = {name: (f"acme/{name}s" if name in misspelt else f"acme/{name}",) for name in NAMES}
        self.connections = [self._connection(name, () if name in removed else names[name]) for name in NAMES]
        self.last = Engine(
            connections=self.connections,
            store=self.store,
            instance="acme",
            clock=lambda: self.now,
            rules=AssessmentRules(
                RULES, Calendar.plain(), joints=(BOTH,), dependencies=DEPENDENCIES if self.is_configured else ()
            ),
            limits=Limits(),
            run_id=f"run-{self.runs}",
            holder="host:1:1",
        )
        return self.last.run()

    def healths(self) -> dict[str, Health]:
        """The healths of the last run: running milestones by connection, and the joint milestone."""
        assert self.last.portfolio is not None
        shown = {running(name): name for name in NAMES}
        found = {
            shown[milestone.written]: milestone.health
            for milestone in self.last.portfolio.milestones
            if milestone.written in shown
        }
        (joint,) = self.last.portfolio.joints
        return {**found, "joint": joint.health}
