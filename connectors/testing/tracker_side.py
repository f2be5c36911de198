"""What a connector's author provides for the suite: the tracker's side; and what the suite gathers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Protocol

import pytest

from sync.model.tracker_data import Event, Issue, Milestone, Project, uid
from sync.tracker.errors import TrackerError
from sync.tracker.protocol import Connector, Page, StatusIssue, Target

__all__ = ["EVER", "LABEL", "AppliesTo", "Collected", "Contract", "InjectedFault", "Side", "collect", "marker"]

EVER = 10_000
"""So many times that a trouble does not pass."""

LABEL = "milestone-status"
"""The label by which the suite's status issues are found; a connector's default, or an option that its side sets."""


class InjectedFault(StrEnum):
    """What a request may meet. In all but the last three the tracker has done nothing."""

    UNAUTHORISED = "401: the token is not good (any more)"
    FORBIDDEN = "403: no right to this"
    LIMITED = "429: too many requests; `retry_after` seconds are said where given"
    BUSY = "502: a passing fault"
    HTML = "200 with a page of HTML, as from a proxy"
    RESET = "the connection breaks in the middle of the answer"
    LOST = "done, and the answer is lost"
    LATE = "done, and the answer is a 502"


class AppliesTo(StrEnum):
    """Which requests meet it."""

    ANY = "any"
    CREATE = "one that creates an issue or a comment"


class Side(Protocol):
    """A tracker with one connector to it, and all that people do there. Issues and milestones are named by their
    titles, which the suite keeps unique. Whatever people do moves the time of update, as in the tracker.

    ``project`` and ``other`` are two empty projects as a user would configure them. ``page`` is how many issues the
    connector reads with one request. ``secret`` is the token that ``connect`` gives. ``several`` says that an issue
    may be in several milestones. The clock stands still until ``pass_time``; the connector sleeps by ``pass_time``.
    """

    project: str
    other: str
    page: int
    secret: str
    several: bool

    def connect(self) -> Connector:
        """A new connector with good credentials."""
        ...

    def now(self) -> datetime:
        """The time, by the clock that the connector was given."""
        ...

    def pass_time(self, seconds: float) -> None:
        """Let it pass."""
        ...

    def text(self, words: str) -> str:
        """A body that says these words, in the connector's markup."""
        ...

    # --- what people do --------------------------------------------------------------------------------------------

    def add_milestone(self, title: str, due: date | None = None) -> None:
        """Add an open milestone to ``project``."""
        ...

    def edit_milestone(self, title: str, *, new: str = "", due: date | None = None, closed: bool = False) -> None:
        """Change what is given."""
        ...

    def delete_milestone(self, title: str) -> None:
        """Delete one that no issue is in."""
        ...

    def add_issue(self, title: str, *milestones: str, elsewhere: bool = False) -> None:
        """Add an open issue to ``project``, or to ``other``."""
        ...

    def move(self, title: str, *milestones: str) -> None:
        """Put an issue into exactly these milestones."""
        ...

    def close(self, title: str) -> None:
        """Close an issue, as finished."""
        ...

    def reopen(self, title: str) -> None:
        """Open it again."""
        ...

    def rename(self, title: str, new: str) -> None:
        """Give an issue another title."""
        ...

    def label(self, title: str, name: str) -> None:
        """Put a label on an issue."""
        ...

    def copy_status_issue(self, title: str, marker: str) -> None:
        """Somebody else adds an issue with a marker of ours and the label of status issues."""
        ...

    def comment(self, title: str, body: str, *, marker: str = "", ours: bool = False) -> None:
        """Comment an issue, with a marker of ours in the body or wherever it stands; ``ours``: from our account."""
        ...

    # --- what is there, and what it does to requests ---------------------------------------------------------------

    def issues(self, title: str) -> int:
        """How many issues of that title there are."""
        ...

    def comments(self, title: str) -> int:
        """How many comments stand on an issue."""
        ...

    def requests(self) -> int:
        """How many requests have come."""
        ...

    def writes(self) -> int:
        """How many changes were asked for."""
        ...

    def meet(
        self, trouble: InjectedFault, at: AppliesTo = AppliesTo.ANY, times: int = 1, retry_after: int | None = None
    ) -> None:
        """Let the next so many requests of that sort meet a trouble; ``times`` 0 ends all troubles."""
        ...


@dataclass
class Collected:
    """What pages add up to, as a store would have it."""

    projects: dict[str, Project] = field(default_factory=dict)
    milestones: dict[str, Milestone] = field(default_factory=dict)
    issues: dict[str, Issue] = field(default_factory=dict)
    histories: dict[str, tuple[Event, ...]] = field(default_factory=dict)
    cursors: dict[str, str] = field(default_factory=dict)
    complete: set[str] = field(default_factory=set)
    failed: dict[str, TrackerError] = field(default_factory=dict)
    pages: list[Page] = field(default_factory=list)

    def add(self, page: Page) -> None:
        """Take in one page."""
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
        """The one issue of that title."""
        [found] = [row for row in self.issues.values() if row.title == title]
        return found

    def milestone(self, title: str) -> Milestone:
        """The one milestone of that title."""
        [found] = [row for row in self.milestones.values() if row.title == title]
        return found

    def titles(self) -> set[str]:
        """The titles of all issues."""
        return {row.title for row in self.issues.values()}


def collect(pages: Iterable[Page], so_far: Collected | None = None) -> Collected:
    """Take in all pages, on top of what was taken in before; ``pages`` and ``complete`` are this pull's alone."""
    taken = so_far or Collected()
    taken.pages, taken.complete, taken.failed = [], set(), {}
    for page in pages:
        taken.add(page)
    return taken


INSTANCE = "contract"
"""The installation that the suite stands for."""


def marker(milestone: str, kind: str, **more: Any) -> str:
    """A marker of one line, as the planner makes them."""
    return json.dumps({"v": 1, "instance": INSTANCE, "kind": kind, "milestone": milestone, **more})


class Contract:
    """What the parts of the suite share."""

    @pytest.fixture
    def connector(self, side: Side) -> Iterator[Connector]:
        """The connector under test."""
        made = side.connect()
        yield made
        made.close()

    @staticmethod
    def pull(connector: Connector, side: Side, so_far: Collected | None = None) -> Collected:
        """A pull of the one project."""
        return collect(connector.pull([side.project], dict(so_far.cursors) if so_far else {}), so_far)

    def aim(self, connector: Connector, side: Side, title: str = "1.0") -> Target:
        """A milestone of that title, made if need be, as the engine would ask about it."""
        taken = self.pull(connector, side)
        if title not in {row.title for row in taken.milestones.values()}:
            side.add_milestone(title, date(2026, 12, 1))
            taken = self.pull(connector, side)
        milestone = taken.milestone(title)
        project = taken.projects[milestone.project]
        name = uid(connector.base_url, "milestone", milestone.id)
        return Target(milestone=name, project=project.id, project_key=project.key, instance=INSTANCE)

    @staticmethod
    def about(target: Target) -> Mapping[str, Any]:
        """What each action on a target begins with."""
        return {"milestone": target.milestone, "project": target.project, "project_key": target.project_key}

    @staticmethod
    def seen(connector: Connector, target: Target) -> StatusIssue:
        """The target's status issue, afresh."""
        observed = connector.observe([target])
        assert not observed.failed
        return observed.issues[target.milestone]
