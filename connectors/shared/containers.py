"""The seam for kinds of containers: milestones, versions, sprints, iterations, epics. A kind is one file.

A kind is a class in ``connectors/<tracker>/containers/<word>.py``. Its instance serves one pull: it reads the
containers of the projects, and then says which of them an issue is in, now and by its history. Where the tracker keeps
no history, the members are listed instead (`sync.tracker.protocol.Page.members`): such a kind is read by a reader of
whole lists, as `connectors.github.boards` and `connectors.github.sub_issues`, not by `ContainerKind.read`.
``docs/how-to/write-a-connector.md`` has the steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from msgspec import Struct, field

from sync.model.tracker_data import DueDate, Event, EventKind, Milestone, Person, UnreadRow
from sync.tracker.errors import TrackerError
from sync.tracker.preflight import Limitation, Obstacle, Unread

__all__ = ["ContainerKind", "ContainerRows", "Containers", "moved", "selected_words"]

Finding = Limitation | Obstacle | Unread
"""A line of ``milesync doctor``."""


class ContainerRows(Struct, frozen=True):
    """The containers of projects, by native project id.

    ``failed``: projects whose containers could not be read. ``unread``: containers that could not be read.
    """

    milestones: Mapping[str, Sequence[Milestone]] = field(default_factory=dict)
    failed: Mapping[str, TrackerError] = field(default_factory=dict)
    unread: Sequence[UnreadRow] = ()

    def join(self, others: Iterable[ContainerRows]) -> ContainerRows:
        """Return these rows and all others. A milestone that two projects show stays with the first of them."""
        milestones: dict[str, list[Milestone]] = {}
        failed: dict[str, TrackerError] = {}
        unread: list[UnreadRow] = []
        known: set[str] = set()
        for rows in (self, *others):
            for project, found in rows.milestones.items():
                new = {row.id: row for row in found if row.id not in known}
                known |= new.keys()
                milestones.setdefault(project, []).extend(new.values())
            failed |= rows.failed
            unread += rows.unread
        return ContainerRows(milestones, failed, unread)


def moved(
    issue: str,
    at: datetime,
    actor: Person | None,
    left: str = "",
    joined: str = "",
    titles: tuple[str, str] = ("", ""),
) -> list[Event]:
    """Return LEFT and JOINED of an issue (native id) at a time (UTC); nothing if both containers are the same.

    ``left`` and ``joined`` are native ids, empty for none. ``titles`` are the titles of both if the history names them.
    """
    ends = ((EventKind.LEFT, left, titles[0]), (EventKind.JOINED, joined, titles[1]))
    return [
        Event(issue=issue, at=at, kind=kind, milestone=milestone, milestone_title=title, actor=actor)
        for kind, milestone, title in (ends if left != joined else ())
        if milestone
    ]


class HasId(Protocol):
    """A project as the tracker names it."""

    @property
    def id(self) -> Any:
        """The native id."""


P = TypeVar("P", bound=HasId)
"""A project of the tracker."""
R = TypeVar("R")
"""An issue of the tracker."""
H = TypeVar("H")
"""An entry of an issue's history."""


class ContainerKind(Generic[P, R, H]):
    """One kind of container for one pull. A subclass overrides what its kind has; ``word`` names it in the options."""

    word: ClassVar[str] = ""

    def read(self, projects: Sequence[P]) -> ContainerRows:
        """Read the containers of these projects. Raises an error of the whole connection."""
        raise NotImplementedError

    def now(self, row: R) -> Iterable[str]:
        """The ids of the containers that an issue's own row is in; nothing for a listed kind."""
        del row
        return ()

    def events(self, row: R, history: Sequence[H]) -> Iterable[Event]:
        """The joins and leaves of an issue by its history, oldest entry first (`moved`); nothing for a listed kind."""
        del row, history
        return ()

    def due_dates(self, row: R, history: Sequence[H]) -> Mapping[str, tuple[DueDate, ...]]:
        """The due dates over time of a container that is an issue itself, by container id, from its history."""
        del row, history
        return {}

    def findings(self, projects: Sequence[P]) -> Iterable[Finding]:
        """The lines of ``milesync doctor``, found by reading only: a missing licence, board or right."""
        del projects
        return ()


def selected_words(option: Sequence[str], words: Sequence[str]) -> tuple[str, ...]:
    """Return the kinds that the option ``containers`` names, the first one by default, in the order of ``words``.

    Raises ValueError for an unknown word.
    """
    if not set(option) <= set(words):
        raise ValueError(f"containers must be some of {', '.join(words)}")
    return tuple(word for word in words if word in (option or words[:1]))


class Containers(Generic[P, R, H]):
    """All kinds of containers of one pull, as one."""

    def __init__(self, kinds: Sequence[ContainerKind[P, R, H]] = ()) -> None:
        self.kinds = kinds

    def read(self, projects: Sequence[P]) -> ContainerRows:
        """Read the containers of all kinds. A project that fails for one kind is not read for the next."""
        rows = ContainerRows({str(project.id): () for project in projects})
        for kind in self.kinds:
            readable = [project for project in projects if str(project.id) not in rows.failed]
            if readable:
                rows = rows.join([kind.read(readable)])
        return rows

    def now(self, row: R) -> tuple[str, ...]:
        """The ids of the containers that an issue is in now, each once."""
        ids = [id_ for kind in self.kinds for id_ in kind.now(row)]
        return tuple(dict.fromkeys(ids))

    def events(self, row: R, history: Sequence[H]) -> list[Event]:
        """The joins and leaves of an issue by its history, oldest entry first."""
        return [event for kind in self.kinds for event in kind.events(row, history)]

    def due_dates(self, row: R, history: Sequence[H]) -> dict[str, tuple[DueDate, ...]]:
        """The due dates over time of the containers that this issue is, by container id."""
        dates: dict[str, tuple[DueDate, ...]] = {}
        for kind in self.kinds:
            dates |= kind.due_dates(row, history)
        return dates

    def findings(self, projects: Sequence[P]) -> list[Finding]:
        """The findings of all kinds."""
        return [finding for kind in self.kinds for finding in kind.findings(projects)]
