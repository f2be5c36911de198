"""A tracker in memory behind the connector's seam: what the engine and the plan are tested against."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from sync.model.tracker_data import Markup
from sync.tracker.actions import (
    Action,
    Attach,
    CloseIssue,
    CreateComment,
    CreateLabel,
    CreateStatusIssue,
    DeleteComment,
    Detach,
    LabelItem,
    MoveLabel,
    Receipt,
    RemoveLabel,
    SetIssueState,
    SetNativeHealth,
    UpdateComment,
    UpdateDescription,
)
from sync.tracker.errors import TrackerError, UncertainError
from sync.tracker.managed_block import replace_block
from sync.tracker.marker import status_issue_of
from sync.tracker.observed import Attached, Files, Observed, OurComment, StateChange, StatusIssue, Target
from sync.tracker.protocol import Capabilities, Page


@dataclass
class MemoryTracker:
    """The tracker's side: status issues by key with labels and comments, and the labels that exist."""

    clock: Callable[[], datetime]
    issues: dict[str, StatusIssue] = field(default_factory=dict)
    labels: set[str] = field(default_factory=set)
    pages: list[Page] = field(default_factory=list)
    writes: list[Action] = field(default_factory=list)
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def do(self, action: Action) -> Receipt:
        """Change the tracker as the action says."""
        self.writes.append(action)
        match action:
            case CreateLabel(label=label):
                self.labels.add(label)
                return Receipt(id=label)
            case CreateStatusIssue(labels=labels, marker=marker):
                key = str(next(self.ids))
                self.issues[key] = StatusIssue(
                    issue=key,
                    url=f"memory:{key}",
                    closed=False,
                    labels=labels,
                    comments=(),
                    marker=marker,
                    files=Files(),
                )
                return Receipt(issue=key)
            case MoveLabel(issue=key, add=add, remove=remove):
                kept = tuple(name for name in self.issues[key].labels if name not in remove and name != add)
                self._set(key, labels=(*kept, add))
                return Receipt(issue=key)
            case RemoveLabel(issue=key, labels=gone):
                self._set(key, labels=tuple(name for name in self.issues[key].labels if name not in gone))
                return Receipt(issue=key)
            case SetNativeHealth(issue=key, value=value):
                self._set(key, health=value)
                return Receipt(issue=key)
            case UpdateDescription():
                self._describe(action)
                return Receipt()
            case LabelItem(issue=key):
                self._mark(action)
                return Receipt(issue=key)
            case CloseIssue(issue=key):
                self._set(key, closed=True)
                return Receipt(issue=key)
            case CreateComment(issue=key, body=body, marker=marker):
                now = self.clock()
                made = OurComment(id=str(next(self.ids)), marker=marker, body=body, created_at=now, updated_at=now)
                self._set(key, comments=(*self.issues[key].comments, made))
                return Receipt(id=made.id, issue=key)
            case UpdateComment(issue=key, comment=comment, body=body, marker=marker):
                changed = tuple(
                    msgspec.structs.replace(c, body=body, marker=marker, updated_at=self.clock())
                    if c.id == comment
                    else c
                    for c in self.issues[key].comments
                )
                self._set(key, comments=changed)
                return Receipt(id=comment, issue=key)
            case DeleteComment(issue=key, comment=comment):
                there = self.issues[key]
                self._set(key, comments=tuple(c for c in there.comments if c.id != comment))
                self._set(key, claims=tuple(c for c in there.claims if c.id != comment))
                return Receipt(id=comment, issue=key)
        return self._other(action)

    def _other(self, action: Action) -> Receipt:
        if isinstance(action, SetIssueState):
            if self.issues[action.issue].closed is not action.closed:
                self.set_state(action.issue, closed=action.closed, by_us=True)
            return Receipt(issue=action.issue)
        if not isinstance(action, Attach | Detach):
            raise TypeError(action)
        key, files = action.issue, self.issues[action.issue].files or Files()
        if isinstance(action, Detach):
            kept = tuple(attached for attached in files.ours if attached.id != action.file)
            self._set(key, files=msgspec.structs.replace(files, ours=kept))
            return Receipt(id=action.file, issue=key)
        made = Attached(id=str(next(self.ids)), name=action.name, created_at=self.clock())
        self._set(key, files=msgspec.structs.replace(files, ours=(*files.ours, made)))
        return Receipt(id=made.id, issue=key)

    def _describe(self, action: UpdateDescription) -> None:
        for n, page in enumerate(self.pages):
            milestones = tuple(
                msgspec.structs.replace(
                    milestone,
                    description=replace_block(milestone.description, action.lines, action.instance, action.was),
                    updated_at=self.clock(),
                )
                if milestone.id == action.native
                else milestone
                for milestone in page.milestones
            )
            self.pages[n] = msgspec.structs.replace(page, milestones=milestones)

    def _mark(self, action: LabelItem) -> None:
        """The labels of an item, in the pages that the next pull reads."""
        for n, page in enumerate(self.pages):
            issues = tuple(
                msgspec.structs.replace(
                    issue,
                    labels=(*(name for name in issue.labels if name not in action.remove), *action.add),
                    updated_at=self.clock(),
                )
                if issue.id == action.item
                else issue
                for issue in page.issues
            )
            self.pages[n] = msgspec.structs.replace(page, issues=issues)

    def set_state(self, key: str, *, closed: bool, by_us: bool = False) -> None:
        """Close or reopen a status issue, as a person or as our account."""
        self._set(key, closed=closed, state_change=StateChange(at=self.clock(), by_us=by_us))

    def _set(self, key: str, **fields: object) -> None:
        self.issues[key] = msgspec.structs.replace(self.issues[key], **fields)

    def seen(self, targets: Sequence[Target]) -> Observed:
        """Observe these milestones."""
        found: dict[str, StatusIssue] = {}
        for target in targets:
            for issue in self.issues.values():
                mine = status_issue_of(issue.marker, {target.milestone: target}) is not None
                if issue.issue == target.issue or (not target.issue and mine):
                    found[target.milestone] = issue
        return Observed(issues=found, labels={target.project: frozenset(self.labels) for target in targets})


class MemoryConnector:
    """The connector's side. ``fail`` holds errors that the next calls of a verb meet, by verb; ``lose`` the number
    of answers to writes that are lost after the write was done.
    """

    def __init__(self, tracker: MemoryTracker, name: str = "memory", source: str = "memory://tracker") -> None:
        self.tracker, self.name, self.base_url = tracker, name, source
        self.capabilities = Capabilities(markup=Markup.GITHUB, body_limit=65_000, description_limit=1_000)
        self.requests = 0
        self.fail: dict[str, list[TrackerError]] = {}
        self.lose = 0

    def pull(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        """The pages that the tracker holds."""
        self.requests += 1
        self._maybe_fail("pull")
        yield from self.tracker.pages

    def observe(self, targets: Sequence[Target]) -> Observed:
        """Observe the status issues."""
        self.requests += 1
        self._maybe_fail("observe")
        return self.tracker.seen(targets)

    def apply(self, action: Action) -> Receipt:
        """Do it, unless a failure was put in the way."""
        self.requests += 1
        self._maybe_fail("apply")
        receipt = self.tracker.do(action)
        if self.lose:
            self.lose -= 1
            raise UncertainError(self.name)
        return receipt

    def close(self) -> None:
        """Nothing to give back."""

    def _maybe_fail(self, verb: str) -> None:
        if self.fail.get(verb):
            raise self.fail[verb].pop(0)
