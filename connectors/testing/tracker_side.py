"""The side of the tracker: the protocol that a connector's author implements, and helpers of the suite."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Protocol

import msgspec
import pytest

from sync.model.tracker_data import Event, Issue, Milestone, Project, uid
from sync.tracker.errors import TrackerError
from sync.tracker.observed import StatusIssue, Target
from sync.tracker.protocol import Connector, Page

__all__ = [
    "FOREVER",
    "LABEL",
    "AppliesTo",
    "Collected",
    "Contract",
    "InjectedFault",
    "RequestCosts",
    "Side",
    "collect",
    "marker",
]

FOREVER = 10_000
"""``times`` of a fault that does not pass: more requests than any test sends."""

LABEL = "milestone-status"
"""Label by which the connector finds the suite's status issues: its default, or an option that the side sets."""


class InjectedFault(StrEnum):
    """Fault that a request meets. Except for LOST and LATE, the tracker carries out nothing."""

    UNAUTHORISED = "401: the token is invalid or has expired"
    FORBIDDEN = "403: the token lacks a permission"
    LIMITED = "429: too many requests; the answer gives `retry_after` in seconds if it is set"
    BUSY = "502: a passing fault of the server"
    HTML = "200 with a page of HTML, as a proxy sends it"
    GARBAGE = "200 with JSON that is no answer to the request"
    RESET = "the connection breaks before the answer is complete"
    LOST = "the request is carried out, and the answer is lost"
    LATE = "the request is carried out, and the answer is a 502"


class AppliesTo(StrEnum):
    """Requests that meet a fault."""

    ANY = "any request"
    CREATE = "requests that create an issue or a comment"


@dataclass(frozen=True)
class RequestCosts:
    """Maximum number of requests that the connector sends, as its author declares it."""

    unchanged: int
    """A pull of one project in which nothing changed since the cursor."""

    first_pull: int
    """A first pull of one project, in addition to one request for each page of issues."""

    issue: int = 0
    """A first pull, in addition for each issue, where a server has no request for the histories of many."""


class Side(Protocol):
    """A tracker with one connector to it, and what people do in the tracker.

    The suite names issues and milestones by title, and uses each title once. An edit moves the time of update, as in
    the tracker. The clock moves only by `pass_time`, and the connector sleeps by `pass_time`.

    ``project`` and ``other`` are two empty projects, written as in the configuration. ``page`` is the number of issues
    that the connector reads with one request. ``secret`` is the token that `connect` passes. ``several``: an issue may
    be in several milestones. ``costs`` declares how many requests the connector sends.
    """

    project: str
    other: str
    page: int
    secret: str
    several: bool
    costs: RequestCosts

    def connect(self) -> Connector:
        """Return a new connector with valid credentials."""
        ...

    def now(self) -> datetime:
        """Return the time of the clock that the connector gets."""
        ...

    def pass_time(self, seconds: float) -> None:
        """Move the clock forward."""
        ...

    def text(self, words: str) -> str:
        """Return a body with these words in the connector's markup."""
        ...

    # --- edits by people -------------------------------------------------------------------------------------------

    def add_milestone(self, title: str, due: date | None = None) -> None:
        """Add an open milestone to ``project``."""
        ...

    def edit_milestone(self, title: str, *, new: str = "", due: date | None = None, closed: bool = False) -> None:
        """Change the title, the due date or the state; an argument at its default changes nothing."""
        ...

    def delete_milestone(self, title: str) -> None:
        """Delete a milestone without issues."""
        ...

    def add_issue(self, title: str, *milestones: str, elsewhere: bool = False) -> None:
        """Add an open issue to ``project``; ``elsewhere``: to ``other``."""
        ...

    def move(self, title: str, *milestones: str) -> None:
        """Put an issue into exactly these milestones."""
        ...

    def close(self, title: str) -> None:
        """Close an issue as finished."""
        ...

    def remove(self, title: str) -> None:
        """Close an issue as removed from scope: not planned, duplicate, cancelled, or what the tracker calls it."""
        ...

    def reopen(self, title: str) -> None:
        """Reopen a closed issue."""
        ...

    def rename(self, title: str, new: str) -> None:
        """Change the title of an issue."""
        ...

    def label(self, title: str, name: str) -> None:
        """Add a label to an issue."""
        ...

    def copy_status_issue(self, title: str, marker: str) -> None:
        """Add an issue of another user with a marker of milesync and the label `LABEL`."""
        ...

    def comment(self, title: str, body: str, *, marker: str = "", ours: bool = False) -> None:
        """Comment on an issue, with a marker of milesync if one is given; ``ours``: from the account of the token."""
        ...

    # --- counts and faults -----------------------------------------------------------------------------------------

    def issues(self, title: str) -> int:
        """Return how many issues have this title."""
        ...

    def comments(self, title: str) -> int:
        """Return how many comments an issue has."""
        ...

    def requests(self) -> int:
        """Return how many requests the tracker received."""
        ...

    def writes(self) -> int:
        """Return how many requests asked for a change."""
        ...

    def inject(
        self, fault: InjectedFault, at: AppliesTo = AppliesTo.ANY, times: int = 1, retry_after: int | None = None
    ) -> None:
        """Let the next ``times`` requests of a kind meet a fault, instead of any earlier fault; 0 ends all faults."""
        ...


@dataclass
class Collected:
    """Rows of all pages so far, as a store would keep them."""

    projects: dict[str, Project] = field(default_factory=dict)
    milestones: dict[str, Milestone] = field(default_factory=dict)
    issues: dict[str, Issue] = field(default_factory=dict)
    histories: dict[str, tuple[Event, ...]] = field(default_factory=dict)
    cursors: dict[str, str] = field(default_factory=dict)
    complete: set[str] = field(default_factory=set)
    failed: dict[str, TrackerError] = field(default_factory=dict)
    pages: list[Page] = field(default_factory=list)

    def add(self, page: Page) -> None:
        """Merge the rows of one page."""
        self.pages.append(page)
        self.projects |= {row.id: row for row in page.projects}
        self.milestones = {k: row for k, row in self.milestones.items() if row.project not in page.all_milestones}
        self.milestones |= {row.id: row for row in page.milestones}
        self.issues |= {row.id: row for row in page.issues}
        self.histories |= page.histories
        for gone in page.gone - {row.id for row in page.issues}:
            self.issues.pop(gone, None)
        self.cursors |= page.cursors
        self.complete |= page.complete
        self.failed |= page.failed

    def issue(self, title: str) -> Issue:
        """Return the only issue with this title."""
        [issue] = [row for row in self.issues.values() if row.title == title]
        return issue

    def milestone(self, title: str) -> Milestone:
        """Return the only milestone with this title."""
        [milestone] = [row for row in self.milestones.values() if row.title == title]
        return milestone

    def titles(self) -> set[str]:
        """Return the titles of all issues."""
        return {row.title for row in self.issues.values()}


def collect(pages: Iterable[Page], so_far: Collected | None = None) -> Collected:
    """Merge all pages of a pull into ``so_far``; ``pages``, ``complete`` and ``failed`` are those of this pull only."""
    state = so_far or Collected()
    state.pages, state.complete, state.failed = [], set(), {}
    for page in pages:
        state.add(page)
    return state


INSTANCE = "contract"
"""Name of the installation in the suite's markers."""


def marker(milestone: str, kind: str, **more: Any) -> str:
    """Return a marker as the planner writes it: JSON in one line."""
    return json.dumps({"v": 1, "instance": INSTANCE, "kind": kind, "milestone": milestone, **more})


class Contract:
    """Fixtures and helpers of all parts of the suite."""

    @pytest.fixture
    def connector(self, side: Side) -> Iterator[Connector]:
        """The connector under test."""
        connector = side.connect()
        yield connector
        connector.close()

    @staticmethod
    def pull(connector: Connector, side: Side, so_far: Collected | None = None) -> Collected:
        """Pull ``side.project``, from the cursors of ``so_far`` on."""
        return collect(connector.pull([side.project], dict(so_far.cursors) if so_far else {}), so_far)

    def aim(self, connector: Connector, side: Side, title: str = "1.0") -> Target:
        """Return the target of a milestone, as the engine observes it; add the milestone if there is none."""
        state = self.pull(connector, side)
        if title not in {row.title for row in state.milestones.values()}:
            side.add_milestone(title, date(2026, 12, 1))
            state = self.pull(connector, side)
        milestone = state.milestone(title)
        project = state.projects[milestone.project]
        name = uid(connector.base_url, "milestone", milestone.id)
        return Target(milestone=name, project=project.id, project_key=project.key, instance=INSTANCE)

    @staticmethod
    def named(target: Target, issue: str) -> Target:
        """Return the target with the key of a status issue; "": the issue is found by its marker."""
        return msgspec.structs.replace(target, issue=issue)

    @staticmethod
    def about(target: Target) -> Mapping[str, Any]:
        """Return the fields that every action on a target has."""
        return {"milestone": target.milestone, "project": target.project, "project_key": target.project_key}

    @staticmethod
    def seen(connector: Connector, target: Target) -> StatusIssue:
        """Observe the target again and return its status issue."""
        observed = connector.observe([target])
        assert not observed.failed
        return observed.issues[target.milestone]
