"""What would be if: issues taken out, another due date, more days off, from the store alone and before any of it is
done in a tracker.

The question is put to a store that answers as if it were so; everything is then assessed anew, the joint milestones and
whatever waits for the milestone too. Statuses remember the last run as always: a later due date alone is no progress.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import msgspec

from sync.assess.milestone import AssessedMilestone, AssessmentRules
from sync.assess.portfolio import Portfolio
from sync.assess.relations import build_portfolio
from sync.assess.snapshot import Snapshot
from sync.history import counting
from sync.model.health import Health
from sync.model.tracker_data import DueDate, Event, EventKind, Issue, Milestone
from sync.store.store import Store
from sync.tracker.connection import Connection

__all__ = ["Answer", "Scenario", "UnknownError", "whatif"]


class UnknownError(ValueError):
    """The question names a milestone or an issue that is not known here."""


@dataclass(frozen=True)
class Scenario:
    """``written`` is a milestone, or ``joint:<name>``; ``drop`` are open issues of it, as people write them."""

    written: str
    drop: tuple[str, ...] = ()
    due: date | None = None
    days_off: tuple[date, ...] = ()


@dataclass(frozen=True)
class Answer:
    """The health before and after, and that of every other milestone (by its written id) which it changes.

    ``dropped`` are the issues that would be taken out, with their whole keys.
    """

    before: Health
    after: Health
    dropped: tuple[Issue, ...]
    others: Mapping[str, tuple[Health, Health]]


def whatif(
    store: Store,
    sources: Sequence[Connection],
    at: datetime,
    book: AssessmentRules,
    asked: Scenario,
    *,
    replay: bool = False,
) -> Answer:
    """Answer a question about a time. Raises `UnknownError`."""
    now = build_portfolio(Snapshot(store, sources, at, book, replay=replay))
    before = _healths(now)
    if asked.written not in before:
        raise UnknownError(f"no milestone {asked.written!r} in the store; `milesync status` lists them")
    held = _held(now, asked.written)
    dropped = {uid: issue for word in asked.drop for uid, issue in _find(word, asked.written, held, at)}
    joint = asked.written.startswith("joint:")
    supposed = _Supposed(store, at, frozenset(dropped), held, None if joint else asked.due)
    changed = replace(book, calendar=book.calendar.with_days_off(asked.days_off))
    if joint and asked.due is not None:
        joints = [
            msgspec.structs.replace(joint_milestone, due=asked.due)
            if f"joint:{joint_milestone.name}" == asked.written
            else joint_milestone
            for joint_milestone in book.joints
        ]
        changed = replace(changed, joints=tuple(joints))
    after = _healths(build_portfolio(Snapshot(supposed, sources, at, changed, replay=replay)))
    others = {
        written: (health, after[written])
        for written, health in before.items()
        if written != asked.written and _told(health) != _told(after[written])
    }
    return Answer(before[asked.written], after[asked.written], tuple(dropped.values()), others)


def _healths(whole: Portfolio) -> dict[str, Health]:
    found = {milestone.written: milestone.health for milestone in whole.milestones}
    return found | {joint.written: joint.health for joint in whole.joints}


def _told(health: Health) -> tuple[object, ...]:
    """What people see of a health."""
    p = None if health.probability is None else round(health.probability, 2)
    return health.status, p, health.dates.p50, health.dates.p85


def _held(whole: Portfolio, written: str) -> list[AssessedMilestone]:
    """The milestones whose issues may be dropped: the one asked about, or the members of a joint one."""
    for joint in whole.joints:
        if joint.written == written:
            return list(joint.members)
    return [milestone for milestone in whole.milestones if milestone.written == written]


def _find(word: str, written: str, held: Sequence[AssessedMilestone], at: datetime) -> Iterator[tuple[str, Issue]]:
    """The open issues that a word means: a whole key (acme/app#12, PAY-7), or a number where the project is clear."""
    number = f"#{word.removeprefix('#')}"
    found: dict[str, tuple[str, Issue]] = {}
    for milestone in held:
        for item in {
            membership.item
            for membership in milestone.memberships
            if membership.item in milestone.issues and counting.is_open(membership, at)
        }:
            issue = milestone.issues[item]
            key = f"{milestone.project.key}{issue.key}" if issue.key.startswith("#") else issue.key
            if key == word or key.endswith(number):
                found[item] = key, msgspec.structs.replace(issue, key=key)
    if not found:
        raise UnknownError(f"{written} has no open issue {word!r}")
    if len(found) > 1:
        raise UnknownError(f"{word!r} means several issues: {', '.join(sorted(key for key, _ in found.values()))}")
    yield from ((item, issue) for item, (_, issue) in found.items())


class _Supposed(Store):
    """The store with some issues out of their milestones, and another due date from now on."""

    def __init__(
        self, store: Store, at: datetime, dropped: Collection[str], held: Sequence[AssessedMilestone], due: date | None
    ) -> None:
        vars(self).update(vars(store))  # the same database, read only
        self._at, self._due = at, due
        self._held = {(milestone.source.connector.base_url, milestone.milestone.id) for milestone in held}
        self._out = {
            (milestone.source.connector.base_url, milestone.issues[uid].id)
            for milestone in held
            for uid in dropped
            if uid in milestone.issues
        }

    def _without(self, source: str, issue: Issue) -> Issue:
        if (source, issue.id) not in self._out:
            return issue
        kept = tuple(name for name in issue.milestones if (source, name) not in self._held)
        return msgspec.structs.replace(issue, milestones=kept)

    def editions(self, source: str, projects: Collection[str]) -> Mapping[str, int]:  # noqa: ARG002
        """None: what is supposed is never kept."""
        return {}

    def issues(
        self,
        source: str,
        *,
        projects: Collection[str] | None = None,
        milestones: Collection[str] | None = None,
        ids: Collection[str] | None = None,
    ) -> Iterator[Issue]:
        """As stored, but for the milestones of what is dropped."""
        for issue in super().issues(source, projects=projects, milestones=milestones, ids=ids):
            yield self._without(source, issue)

    def events(
        self, source: str, *, projects: Collection[str] | None = None, milestones: Collection[str] | None = None
    ) -> Iterator[Event]:
        """As stored, then the leaving of what is dropped."""
        yield from super().events(source, projects=projects, milestones=milestones)
        for issue in sorted(native for origin, native in self._out if origin == source):
            for milestone in sorted(native for origin, native in self._held if origin == source):
                yield Event(issue=issue, at=self._at, kind=EventKind.LEFT, milestone=milestone)

    def milestones(self, source: str | None = None, *, deleted: bool = False) -> list[tuple[str, Milestone]]:
        """As stored, but for the due date."""
        return [
            (origin, msgspec.structs.replace(m, due=self._due) if self._moves(origin, m.id) else m)
            for origin, m in super().milestones(source, deleted=deleted)
        ]

    def due_dates(self, source: str) -> dict[str, list[DueDate]]:
        """As stored, then the supposed one."""
        seen = super().due_dates(source)
        for origin, milestone in self._held:
            if origin == source and self._moves(origin, milestone):
                seen.setdefault(milestone, []).append(DueDate(self._at, self._due))
        return seen

    def _moves(self, source: str, milestone: str) -> bool:
        return self._due is not None and (source, milestone) in self._held
