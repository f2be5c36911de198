"""Plan labels on the items that a reason of their milestone names, if the configuration asks for them. Pure.

An item gets a label (``health/blocked``) when a reason names it. The label is removed when its fact has ended: the item
is closed, has left, is unblocked, has an owner or has changed. If a person removes the label before that, it stays
away: the store keeps each label of ours until its fact has ended.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from sync.history.counting import is_member
from sync.model.health import Reason, ReasonKind
from sync.model.item_label import ItemLabel
from sync.model.keys import short_key
from sync.model.tracker_data import Issue, State, uid
from sync.plan.desired import Plan
from sync.plan.inputs import RetirementInput
from sync.tracker.actions import Action, CreateLabel, LabelItem

if TYPE_CHECKING:
    from sync.assess.milestone import AssessedMilestone
    from sync.tracker.protocol import Capabilities

__all__ = ["ITEM_LABELS", "plan_item_labels", "retire_item_labels"]

ITEM_LABELS: Mapping[str, tuple[str, str]] = {
    "blocked": ("b60205", "Named in a milestone's health: waits for other open work"),
    "stale": ("bfd4f2", "Named in a milestone's health: open unusually long, or untouched"),
    "unowned": ("fbca04", "Named in a milestone's health: nobody is assigned"),
}
"""Colour and description of each item label, by the last part of its name."""

_WORDS = {ReasonKind.BLOCKED: "blocked", ReasonKind.STRAGGLERS: "stale", ReasonKind.UNASSIGNED: "unowned"}

STALE = timedelta(days=14)
"""Time without a change after which an open item is stale."""


class _Subject(Struct, frozen=True, kw_only=True):
    """An item with the labels that one of its milestones (uid) asks for.

    ``words`` are the last parts of the labels that a reason asks for, ``facts`` those whose fact is true; ``prefix`` is
    the first part of the labels.
    """

    milestone: str
    project_key: str
    issue: Issue
    words: frozenset[str]
    facts: frozenset[str]
    prefix: str


def plan_item_labels(
    milestones: Sequence[AssessedMilestone],
    labels: Sequence[ItemLabel],
    *,
    muted: Collection[str],
    project_labels: Mapping[str, Collection[str]],
    now: datetime,
) -> tuple[Plan, list[ItemLabel]]:
    """Plan the labels on the items of one connection. Return the stored labels whose fact has ended, too.

    ``labels`` are all our labels on this tracker; ``project_labels`` are the labels that each project (native id) has.
    Items of ``muted`` milestones (uid), and of milestones with stale data, keep their labels. ``now`` is in UTC.
    """
    paused = {m.uid for m in milestones if m.uid in muted or m.health.stale_since is not None}
    subjects = list(_subjects([m for m in milestones if m.uid not in paused], now))
    paused_items = {membership.item for m in milestones if m.uid in paused for membership in m.memberships}
    subjects += _orphans(milestones, labels, {subject.issue.id for subject in subjects}, paused_items)
    items = {subject.issue.id for subject in subjects}
    stored = [label for label in labels if label.issue in items]
    return _compare(subjects, stored, project_labels, milestones[0].connection.connector.capabilities)


def retire_item_labels(retirement: RetirementInput) -> Iterator[Plan]:
    """Yield the plans that remove every label of ours from the items, connection by connection."""
    by_connection: dict[str, list[AssessedMilestone]] = {}
    for milestone in retirement.milestones:
        by_connection.setdefault(milestone.connection.name, []).append(milestone)
    for milestones in by_connection.values():
        labels = retirement.item_labels.get(milestones[0].connection.source, ())
        yield _removal(_orphans(milestones, labels, (), ()), labels)


# --- items and facts -----------------------------------------------------------------------------------------------


def _subjects(milestones: Sequence[AssessedMilestone], now: datetime) -> Iterator[_Subject]:
    """Yield the members of the milestones that ask for item labels."""
    for milestone in milestones:
        if not milestone.connection.optional_outputs_of(milestone.project.key).item_labels:
            continue
        members = {membership.item for membership in milestone.memberships if is_member(membership, now)}
        for item in sorted(members & milestone.issues.keys()):
            issue, reasons = milestone.issues[item], milestone.health.reasons
            facts = _facts(issue, reasons, item, now)
            words = _words(reasons, item) & facts
            yield _subject(milestone, issue, words, facts, milestone.connection.prefix)


def _orphans(
    milestones: Sequence[AssessedMilestone],
    labels: Sequence[ItemLabel],
    known: Collection[str],
    paused: Collection[str],
) -> list[_Subject]:
    """Return the items with a label of ours that no milestone asks for: no fact is true of them.

    ``known`` are native ids of items that are planned already, ``paused`` are items (uid) that keep their labels.
    """
    issues = {issue.id: issue for issue in milestones[0].issues.values()} if labels else {}
    by_uid = {milestone.uid: milestone for milestone in milestones}
    origin = milestones[0].connection.source
    none = frozenset[str]()
    return [
        _subject(by_uid.get(label.milestone, milestones[0]), issue, none, none, label.label.rpartition("/")[0])
        for label in labels
        if (issue := issues.get(label.issue)) is not None
        and label.issue not in known
        and uid(origin, "issue", label.issue) not in paused
    ]


def _subject(
    milestone: AssessedMilestone, issue: Issue, words: frozenset[str], facts: frozenset[str], prefix: str
) -> _Subject:
    key = milestone.project_keys.get(issue.project, milestone.project.key)
    return _Subject(milestone=milestone.uid, project_key=key, issue=issue, words=words, facts=facts, prefix=prefix)


def _words(reasons: Iterable[Reason], item: str) -> frozenset[str]:
    """Return the label words that the reasons give an item (uid)."""
    return frozenset(_WORDS[reason.kind] for reason in reasons if reason.kind in _WORDS and item in reason.items)


def _facts(issue: Issue, reasons: Iterable[Reason], item: str, now: datetime) -> frozenset[str]:
    """Return the label words that are true of an item (uid); none are true of a closed one."""
    if issue.state is State.CLOSED:
        return frozenset()
    facts = {
        "blocked": bool(issue.blocked_by),
        "unowned": issue.needs_owner,
        "stale": now - issue.updated_at > STALE,
    }
    return frozenset(word for word, is_true in facts.items() if is_true) | _words(reasons, item)


# --- writes --------------------------------------------------------------------------------------------------------


def _compare(
    subjects: Iterable[_Subject],
    labels: Collection[ItemLabel],
    project_labels: Mapping[str, Collection[str]],
    capabilities: Capabilities,
) -> tuple[Plan, list[ItemLabel]]:
    """Compare wanted and present labels. Return the writes, and the stored labels whose fact has ended."""
    fold = str.casefold if capabilities.labels_any_case else str
    stored: dict[str, dict[str, ItemLabel]] = defaultdict(dict)
    for label in labels:
        stored[label.issue][label.label] = label
    by_item: dict[str, list[_Subject]] = defaultdict(list)
    for subject in subjects:
        by_item[subject.issue.id].append(subject)
    existing = {project: {fold(name) for name in names} for project, names in project_labels.items()}
    actions: list[Action] = []
    ended: list[ItemLabel] = []
    for item, of_item in sorted(by_item.items()):
        first, issue = of_item[0], of_item[0].issue
        present = {fold(name): name for name in issue.labels}
        wanted = {_label(s.prefix, word): word for s in of_item for word in sorted(s.words)}
        true = {_label(s.prefix, word) for s in of_item for word in s.facts}
        possible = {_label(s.prefix, word) for s in of_item for word in ITEM_LABELS}
        add = [name for name in wanted if fold(name) not in present and name not in stored[item]]
        obsolete = (possible | stored[item].keys()) - true  # stored ones may have a former prefix
        remove = [present[fold(name)] for name in sorted(obsolete) if fold(name) in present]
        ended += [label for name, label in stored[item].items() if name not in true and fold(name) not in present]
        if capabilities.needs_label_creation:
            have = existing.setdefault(issue.project, set())
            missing = [name for name in add if fold(name) not in have]
            have |= set(map(fold, missing))
            actions += [_create_label(first, name, wanted[name]) for name in missing]
        if add or remove:
            actions.append(_label_item(first, add, remove))
    return Plan(actions=tuple(actions)), ended


def _removal(subjects: Iterable[_Subject], labels: Collection[ItemLabel]) -> Plan:
    """Return the plan that removes the stored labels of ours from these items, and no others."""
    stored: dict[str, set[str]] = defaultdict(set)
    for label in labels:
        stored[label.issue].add(label.label)
    actions, planned = [], set[str]()
    for subject in subjects:
        issue = subject.issue
        remove = [name for name in issue.labels if name in stored[issue.id]]
        if remove and issue.id not in planned:
            planned.add(issue.id)
            actions.append(_label_item(subject, (), remove))
    return Plan(actions=tuple(actions))


def _label(prefix: str, word: str) -> str:
    """Return ``health/blocked``. The separator is ``/`` on every tracker: an item can carry one scoped label only."""
    return f"{prefix}/{word}"


def _create_label(subject: _Subject, label: str, word: str) -> CreateLabel:
    colour, description = ITEM_LABELS[word]
    return CreateLabel(
        milestone=subject.milestone,
        project=subject.issue.project,
        project_key=subject.project_key,
        label=label,
        colour=colour,
        description=description,
    )


def _label_item(subject: _Subject, add: Sequence[str], remove: Sequence[str]) -> LabelItem:
    issue = subject.issue
    return LabelItem(
        milestone=subject.milestone,
        project=issue.project,
        project_key=subject.project_key,
        item=issue.id,
        issue=short_key(issue.key, subject.project_key),
        add=tuple(add),
        remove=tuple(remove),
        touched=issue.updated_at,
    )
