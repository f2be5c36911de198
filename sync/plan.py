"""From what should stand in the trackers and what does stand there to the writes between: pure, level-triggered.

``reconcile(desired, observed)`` looks at values only. After its actions have been applied it returns none:

===============================  ==========================================================================
what is observed                 what is planned
===============================  ==========================================================================
no status issue                  create it, its label and the summary (policy ``create``); else nothing
status issue closed by a person  nothing: that mutes the milestone
no label, or a sibling of it     one delta that adds ours and removes the siblings
no summary                       post it; nothing when ours was there and a person deleted it
two summaries of ours            keep the older, delete the rest
summary with another meaning     rewrite it in place
same meaning, another body       rewrite it when the last rewriting is a day old
status differs from the summary  a transition comment first, unless that very one stands there already
===============================  ==========================================================================
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from sync.action import (
    Action,
    CreateComment,
    CreateLabel,
    CreateStatusIssue,
    DeleteComment,
    MoveLabel,
    Observed,
    OurComment,
    StatusIssue,
    UpdateComment,
)
from sync.model import Status

__all__ = [
    "LABELS",
    "Desired",
    "Limits",
    "Marker",
    "MarkerKind",
    "Plan",
    "Policy",
    "Refusal",
    "Skipped",
    "fingerprint",
    "label_name",
    "over_limits",
    "reconcile",
]

QUIET = timedelta(days=1)
"""How old a summary must be before it is rewritten although its meaning is the same."""

LABELS: Mapping[Status, tuple[str, str]] = {
    Status.ON_TRACK: ("0e8a16", "Milestone health: on track"),
    Status.AT_RISK: ("fbca04", "Milestone health: at risk"),
    Status.OFF_TRACK: ("d93f0b", "Milestone health: off track"),
    Status.OVERDUE: ("b60205", "Milestone health: overdue"),
    Status.DONE: ("5319e7", "Milestone health: done"),
    Status.NO_DUE_DATE: ("c5def5", "Milestone health: no due date"),
    Status.UNKNOWN: ("cccccc", "Milestone health: not enough data"),
}
"""Colour (six hex digits) and description of each status label."""


class Policy(StrEnum):
    """What may be written: nothing, what exists, or new status issues too. The narrower of two wins."""

    PLAN = "plan"
    UPDATE = "update"
    CREATE = "create"


class MarkerKind(StrEnum):
    """Which text of ours a marker stands in."""

    STATUS_ISSUE = "status_issue"
    SUMMARY = "summary"
    TRANSITION = "transition"


class Marker(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The hidden sign in each of our texts, and the memory that outlives a lost database.

    ``milestone`` is a uid, ``instance`` the configured name of the installation. ``meaning`` is the hash of what the
    comment says, ``body`` the hash of its text, ``written`` when it was last rewritten. Versioned by ``v``.
    """

    v: int = 1
    instance: str
    kind: MarkerKind
    milestone: str
    status: Status | None = None
    since: datetime | None = None
    baseline: date | None = None
    probability: float | None = None
    meaning: str = ""
    body: str = ""
    written: datetime | None = None

    def encode(self) -> str:
        """One line of JSON."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def decode(cls, text: str) -> Marker | None:
        """The marker, or None when the text is not one that this version reads."""
        try:
            return msgspec.json.decode(text, type=cls)
        except (msgspec.DecodeError, msgspec.ValidationError):
            return None


class Desired(Struct, frozen=True, kw_only=True):
    """What should stand in a tracker for one milestone.

    ``label`` is the wanted status label, ``siblings`` the other labels of its prefix. ``summary`` and ``transition``
    are rendered bodies; ``transition`` says what changed, given the status in the last summary, and may decline.
    ``posted`` tells that a summary of ours stood there before, so that its absence is a person's doing.
    ``may_create`` is false for a milestone that gets no status issue made for it; ``needs_label`` says that the
    tracker wants labels created before use. ``stale``: a source failed, so only a summary that stands is rewritten.
    """

    milestone: str
    project: str
    project_key: str
    status: Status
    since: datetime
    label: str
    siblings: tuple[str, ...]
    summary: str
    meaning: str
    transition: Callable[[Status], str | None]
    issue_title: str
    issue_body: str
    issue_labels: tuple[str, ...] = ()
    baseline: date | None = None
    policy: Policy = Policy.PLAN
    posted: bool = False
    may_create: bool = True
    needs_label: bool = False
    probability: float | None = None
    stale: bool = False


class Skipped(Struct, frozen=True):
    """A milestone for which nothing is written although something differs, and why in a few words."""

    milestone: str
    why: str


class Plan(Struct, frozen=True, kw_only=True):
    """Actions in the order in which they are applied, and what was left out on purpose."""

    actions: tuple[Action, ...] = ()
    skipped: tuple[Skipped, ...] = ()


def label_name(prefix: str, separator: str, status: Status) -> str:
    """``health/on-track`` or, where labels are scoped, ``health::on-track``."""
    return f"{prefix}{separator}{status.value.replace('_', '-')}"


def reconcile(desired: Iterable[Desired], observed: Observed, *, instance: str, now: datetime) -> Plan:
    """The writes that make ``observed`` what ``desired`` says. Pure: same values, same plan."""
    actions: list[Action] = []
    skipped: list[Skipped] = []
    known: dict[str, set[str]] = {project: set(names) for project, names in observed.labels.items()}
    for want in desired:
        if want.milestone in observed.failed:
            skipped.append(Skipped(want.milestone, "its status issue could not be read"))
            continue
        have = observed.issues.get(want.milestone)
        todo = list(_for_one(want, have, instance, now))
        if not todo:
            continue
        why = _not_allowed(want, have)
        if why:
            skipped.append(Skipped(want.milestone, why))
            continue
        actions += _new_labels(want, todo, known)
        actions += todo
    return Plan(actions=tuple(actions), skipped=tuple(skipped))


def _not_allowed(want: Desired, have: StatusIssue | None) -> str:
    if have is None and not want.may_create:
        return "no status issue is made for it"
    if have is None and want.policy is Policy.UPDATE:
        return "it has no status issue, and the policy is to update only"
    if have is not None and have.closed:
        return "its status issue is closed, which mutes it"
    return ""


def _for_one(want: Desired, have: StatusIssue | None, instance: str, now: datetime) -> Iterator[Action]:
    to: dict[str, Any] = {"milestone": want.milestone, "project": want.project, "project_key": want.project_key}
    if have is None:
        if not want.stale:
            marker = Marker(instance=instance, kind=MarkerKind.STATUS_ISSUE, milestone=want.milestone)
            yield CreateStatusIssue(
                **to, title=want.issue_title, body=want.issue_body, marker=marker.encode(), labels=want.issue_labels
            )
            yield MoveLabel(**to, issue="", add=want.label)
            summary = _summary(want, instance, now).encode()
            yield CreateComment(**to, issue="", body=want.summary, marker=summary, summary=True)
        return
    ours = _ours(want.milestone, have.comments, instance)
    summaries = sorted(
        ((c, m) for c, m in ours if m.kind is MarkerKind.SUMMARY), key=lambda pair: (pair[0].created_at, pair[0].id)
    )
    wrong = tuple(label for label in want.siblings if label in have.labels)
    if (want.label not in have.labels or wrong) and not want.stale:
        yield MoveLabel(**to, issue=have.issue, add=want.label, remove=wrong)
    for double, _ in summaries[1:]:
        yield DeleteComment(**to, issue=have.issue, comment=double.id)
    if not summaries:
        if not want.posted and not want.stale:
            marker = _summary(want, instance, now)
            yield CreateComment(**to, issue=have.issue, body=want.summary, marker=marker.encode(), summary=True)
        return
    comment, last = summaries[0]
    if last.status is not None and last.status is not want.status and not want.stale:
        yield from _transition(want, have, last.status, ours, instance)
    if _must_rewrite(want, last, now):
        marker = _summary(want, instance, now)
        yield UpdateComment(**to, issue=have.issue, comment=comment.id, body=want.summary, marker=marker.encode())


def _transition(
    want: Desired, have: StatusIssue, before: Status, ours: Sequence[tuple[OurComment, Marker]], instance: str
) -> Iterator[Action]:
    said = any(m.kind is MarkerKind.TRANSITION and m.status is want.status and m.since == want.since for _, m in ours)
    body = None if said else want.transition(before)
    if body is None:
        return
    marker = Marker(
        instance=instance,
        kind=MarkerKind.TRANSITION,
        milestone=want.milestone,
        status=want.status,
        since=want.since,
        body=_hash(body),
    )
    yield CreateComment(
        milestone=want.milestone,
        project=want.project,
        project_key=want.project_key,
        issue=have.issue,
        body=body,
        marker=marker.encode(),
        summary=False,
    )


def _must_rewrite(want: Desired, last: Marker, now: datetime) -> bool:
    if last.meaning != want.meaning:
        return True
    return last.body != _hash(want.summary) and (last.written is None or now - last.written >= QUIET)


def _summary(want: Desired, instance: str, now: datetime) -> Marker:
    return Marker(
        instance=instance,
        kind=MarkerKind.SUMMARY,
        milestone=want.milestone,
        status=want.status,
        since=want.since,
        baseline=want.baseline,
        probability=want.probability,
        meaning=want.meaning,
        body=_hash(want.summary),
        written=now,
    )


def _ours(milestone: str, comments: Sequence[OurComment], instance: str) -> list[tuple[OurComment, Marker]]:
    """Comments of this instance about this milestone; their author was checked when they were observed."""
    read = ((c, Marker.decode(c.marker)) for c in comments)
    return [(c, m) for c, m in read if m is not None and m.instance == instance and m.milestone == milestone]


def _new_labels(want: Desired, todo: Sequence[Action], known: dict[str, set[str]]) -> Iterator[Action]:
    """The labels that these actions use and the project does not have, where a tracker needs them created."""
    if not want.needs_label:
        return
    have = known.setdefault(want.project, set())
    used = [a.add for a in todo if isinstance(a, MoveLabel)]
    for a in todo:
        if isinstance(a, CreateStatusIssue):
            used += a.labels
    colour, description = LABELS[want.status]
    for label in used:
        if label not in have:
            have.add(label)
            ours = label == want.label
            yield CreateLabel(
                milestone=want.milestone,
                project=want.project,
                project_key=want.project_key,
                label=label,
                colour=colour if ours else "ededed",
                description=description if ours else "Carries a milestone's health",
            )


# --- limits and fingerprint ----------------------------------------------------------------------------------------


class Limits(Struct, frozen=True, kw_only=True):
    """The most that one run may write, for creates, updates and deletes each: by number, and by share of milestones.

    The share binds once more than ``floor`` milestones are looked after, so that a small team is never stopped by it.
    """

    creates: int = 200
    updates: int = 500
    deletes: int = 20
    share: float = 1.0
    floor: int = 10


class Refusal(Struct, frozen=True):
    """A limit that a plan exceeds."""

    what: str
    planned: int
    limit: int

    def __str__(self) -> str:
        return f"{self.planned} {self.what} planned, {self.limit} allowed"


def over_limits(plan: Plan, limits: Limits, milestones: int) -> list[Refusal]:
    """Every limit that the plan exceeds. A share counts milestones touched, not single writes."""
    sorts: dict[str, list[Action]] = {"creates": [], "updates": [], "deletes": []}
    for action in plan.actions:
        sorts[_sort(action)].append(action)
    found = []
    for what, most in (("creates", limits.creates), ("updates", limits.updates), ("deletes", limits.deletes)):
        if len(sorts[what]) > most:
            found.append(Refusal(what, len(sorts[what]), most))
        touched = len({action.milestone for action in sorts[what]})
        if milestones > limits.floor and touched > limits.share * milestones:
            found.append(Refusal(f"milestones with {what}", touched, int(limits.share * milestones)))
    return found


def _sort(action: Action) -> str:
    if isinstance(action, DeleteComment):
        return "deletes"
    return "creates" if isinstance(action, CreateStatusIssue | CreateComment | CreateLabel) else "updates"


def fingerprint(actions: Iterable[Action]) -> str:
    """The same for actions that do and mean the same: the wording of a summary and its times do not count, so that a
    saved plan ages by what happens, not by the clock.
    """
    digest = hashlib.sha256()
    for action in actions:
        plain = msgspec.to_builtins(action)
        marker = Marker.decode(plain.get("marker", ""))
        if marker is not None:
            meant = msgspec.structs.replace(marker, written=None, since=None, probability=None, body="")
            plain["marker"] = msgspec.to_builtins(meant)
            if marker.meaning:
                del plain["body"]
        digest.update(msgspec.json.encode(plain, order="sorted") + b"\n")
    return digest.hexdigest()


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
