"""A milestone with its status issue in memory, and people who close and reopen it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from sync.model.health import Status
from sync.model.policy import Policy
from sync.plan.desired import Desired, Plan, label_name
from sync.plan.reconcile import reconcile
from sync.tracker.actions import Action
from sync.tracker.marker import Marker
from sync.tracker.observed import StatusIssue, Target
from tests.memory_tracker import MemoryTracker

__all__ = ["HOUR", "KEY", "TARGET", "UID", "World"]

UID = "memory://tracker/milestone/1"
TARGET = Target(milestone=UID, project="p", project_key="acme/app")
KEY = "1"
HOUR = timedelta(hours=1)


class World:
    """One milestone with its status issue, and the clock of both sides."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 15, 12, tzinfo=UTC)
        self.tracker = MemoryTracker(lambda: self.now, labels={label_name("health", "/", status) for status in Status})

    @property
    def issue(self) -> StatusIssue:
        return self.tracker.issues[KEY]

    def want(self, status: Status, **fields: Any) -> Desired:
        base = Desired(
            milestone=UID,
            project="p",
            project_key="acme/app",
            status=status,
            since=self.now,
            label=label_name("health", "/", status),
            siblings=tuple(label_name("health", "/", other) for other in Status if other is not status),
            summary=f"summary {status}",
            meaning=f"meaning {status}",
            transition=lambda before: f"{before} -> {status}",
            closing="how it went" if status.is_over else None,
            issue_title="Health of v1",
            issue_body="about",
            policy=Policy.CREATE,
            closes=True,
        )
        return msgspec.structs.replace(base, **fields)

    def plan(self, status: Status, **fields: Any) -> Plan:
        return reconcile([self.want(status, **fields)], self.tracker.seen([TARGET]), instance="acme", now=self.now)

    def do(self, plan: Plan, only: Callable[[Action], bool] = lambda _: True) -> None:
        """Apply the writes of a plan until the first that ``only`` does not admit."""
        for action in plan.actions:
            if not only(action):
                return
            self.tracker.do(
                msgspec.structs.replace(action, issue=KEY) if getattr(action, "issue", "x") == "" else action
            )

    def run(self, status: Status, **fields: Any) -> Plan:
        """Plan and apply one hour later; a second run at the same time writes nothing."""
        self.now += HOUR
        plan = self.plan(status, **fields)
        self.do(plan)
        assert self.plan(status, **fields).actions == ()
        return plan

    def person(self, *, closed: bool) -> None:
        """A person closes or reopens the issue, an hour later."""
        self.now += HOUR
        self.tracker.set_state(KEY, closed=closed)

    def without_note(self) -> None:
        """Our comments as an earlier version wrote them."""
        old = tuple(
            msgspec.structs.replace(c, marker=msgspec.structs.replace(marker, closes=False).encode())
            for c in self.issue.comments
            if (marker := Marker.decode(c.marker))
        )
        self.tracker.issues[KEY] = msgspec.structs.replace(self.issue, comments=old)
