"""Three trackers whose milestones depend on each other, to take one after another away from."""

from __future__ import annotations

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
from sync.tracker.errors import UnreachableError
from tests.memory_tracker import MemoryConnector, MemoryTracker
from tests.portfolio_world import NOW, page, running

RULES = Rules(gate_least=20)
BOTH = JointMilestone(name="Both", due=date(2026, 3, 29), members=(running("app"), running("base")))
NAMES = ("base", "app", "other")
RANK = (Status.ON_TRACK, Status.AT_RISK, Status.OFF_TRACK, Status.OVERDUE, Status.UNKNOWN)


class OutageWorld:
    """``app`` waits for ``base``, which is late; both are in a joint milestone. ``other`` teaches both."""

    def __init__(self) -> None:
        self.now = NOW
        self.store = Store.memory(lambda: self.now)
        pages = {
            "base": page("base", still_open=9, late=range(6)),
            "app": page("app", still_open=3),
            "other": page("other", still_open=5, late=range(3)),
        }
        self.trackers = {name: MemoryTracker(lambda: self.now, pages=[pages[name]]) for name in NAMES}
        self.connections = [self._connection(name) for name in NAMES]
        self.runs = 0

    def _connection(self, name: str) -> Connection:
        connector = MemoryConnector(self.trackers[name], name=name, source=f"memory://{name}")
        return Connection(
            name=name,
            connector=connector,
            projects=(f"acme/{name}",),
            share="aggregate",
            policy_of=lambda _: Policy.CREATE,
        )

    def run(self, *down: str, hours: float = 1) -> Result:
        """Run after some hours; the trackers ``down`` do not answer."""
        self.runs += 1
        self.now += timedelta(hours=hours)
        for connection in self.connections:
            connector = connection.connector
            assert isinstance(connector, MemoryConnector)
            connector.fail["pull"] = [UnreachableError(connection.name)] if connection.name in down else []
        self.last = Engine(
            connections=self.connections,
            store=self.store,
            instance="acme",
            clock=lambda: self.now,
            rules=AssessmentRules(
                RULES, Calendar.plain(), joints=(BOTH,), dependencies=((running("base"), running("app")),)
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
