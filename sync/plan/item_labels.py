"""What is written beside the label and the comment, where it is asked for: labels on the items that a reason names.

An item is marked when a reason of its milestone names it, and the mark goes when what it says is over: the item is
closed, has left, is no longer blocked, unowned or stale. In between a person may take the mark off, and it stays off:
what we put there is remembered until the matter itself is over. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from sync.model.health import Reason, ReasonKind
from sync.model.item_label import ItemLabel
from sync.model.tracker_data import Issue, State
from sync.plan.desired import Plan
from sync.tracker.actions import CreateLabel, LabelItem

__all__ = ["ITEM_LABELS", "Subject", "facts", "item_label", "named", "plan_item_labels", "remove_item_labels"]

ITEM_LABELS: Mapping[str, tuple[str, str]] = {
    "blocked": ("b60205", "Named in a milestone's health: waits for other open work"),
    "stale": ("bfd4f2", "Named in a milestone's health: open unusually long, or untouched"),
    "unowned": ("fbca04", "Named in a milestone's health: nobody is assigned"),
}
"""Colour and description of each label that a member issue may get, by the end of its name."""

_REASONS = {ReasonKind.BLOCKED: "blocked", ReasonKind.STRAGGLERS: "stale", ReasonKind.UNASSIGNED: "unowned"}

STALE = timedelta(days=14)


class Subject(Struct, frozen=True, kw_only=True):
    """An item that is in a milestone (uid), for which labels are asked. ``named`` are the words which a reason of that
    milestone has for it, ``facts`` those that are true of it, ``prefix`` the start of their labels.
    """

    milestone: str
    project_key: str
    issue: Issue
    named: frozenset[str]
    facts: frozenset[str]
    prefix: str


def item_label(prefix: str, word: str) -> str:
    """``health/blocked``, on every tracker: of scoped labels an item could carry one only."""
    return f"{prefix}/{word}"


def named(reasons: Iterable[Reason], item: str) -> frozenset[str]:
    """The words that these reasons have for an item (uid)."""
    return frozenset(_REASONS[reason.kind] for reason in reasons if reason.kind in _REASONS and item in reason.items)


def facts(issue: Issue, reasons: Iterable[Reason], item: str, now: datetime) -> frozenset[str]:
    """What is still true of an open item, whether a reason names it now or not."""
    if issue.state is State.CLOSED:
        return frozenset()
    true = {
        "blocked": bool(issue.blocked_by),
        "unowned": not issue.assignees,
        "stale": now - issue.updated_at > STALE,
    }
    return frozenset(word for word, holds in true.items() if holds) | named(reasons, item)


def plan_item_labels(
    subjects: Iterable[Subject],
    marks: Collection[ItemLabel],
    *,
    known: Mapping[str, Collection[str]],
    needs_label: bool,
    any_case: bool,
) -> tuple[Plan, list[ItemLabel]]:
    """The writes on the items of one tracker, and the marks that can be forgotten since their matter is over.

    ``known`` are the labels that each project (native id) has, where the tracker ``needs_label`` to be made first;
    ``any_case``: it knows them whatever their case.
    """
    fold = str.casefold if any_case else str
    ours: dict[str, dict[str, ItemLabel]] = defaultdict(dict)
    for mark in marks:
        ours[mark.issue][mark.label] = mark
    by_item: dict[str, list[Subject]] = defaultdict(list)
    for subject in subjects:
        by_item[subject.issue.id].append(subject)
    made = {project: {fold(label) for label in labels} for project, labels in known.items()}
    actions: list[Any] = []
    over: list[ItemLabel] = []
    for item, asked in sorted(by_item.items()):
        issue, first = asked[0].issue, asked[0]
        there = {fold(label): label for label in issue.labels}
        true = {item_label(one.prefix, word) for one in asked for word in one.facts}
        wanted = {item_label(one.prefix, word): word for one in asked for word in sorted(one.named)}
        every = {item_label(one.prefix, word) for one in asked for word in ITEM_LABELS}
        add = [label for label in wanted if fold(label) not in there and label not in ours[item]]
        remove = [there[fold(label)] for label in sorted(every - true) if fold(label) in there]
        over += [mark for label, mark in ours[item].items() if label not in true and fold(label) not in there]
        if needs_label:
            have = made.setdefault(issue.project, set())
            unknown = [label for label in add if fold(label) not in have]
            have |= set(map(fold, unknown))
            actions += [_new(first, label, wanted[label]) for label in unknown]
        if add or remove:
            actions.append(_mark(first, add, remove))
    return Plan(actions=tuple(actions)), over


def _new(subject: Subject, label: str, word: str) -> CreateLabel:
    colour, description = ITEM_LABELS[word]
    return CreateLabel(
        milestone=subject.milestone,
        project=subject.issue.project,
        project_key=subject.project_key,
        label=label,
        colour=colour,
        description=description,
    )


def _mark(subject: Subject, add: Sequence[str], remove: Sequence[str]) -> LabelItem:
    issue = subject.issue
    return LabelItem(
        milestone=subject.milestone,
        project=issue.project,
        project_key=subject.project_key,
        item=issue.id,
        issue=issue.key,
        add=tuple(add),
        remove=tuple(remove),
        touched=issue.updated_at,
    )


def remove_item_labels(subjects: Iterable[Subject], marks: Collection[ItemLabel]) -> Plan:
    """Take every label of ours off these items: those that we remember, and no other."""
    ours: dict[str, set[str]] = defaultdict(set)
    for mark in marks:
        ours[mark.issue].add(mark.label)
    actions, seen = [], set[str]()
    for subject in subjects:
        issue = subject.issue
        away = [label for label in issue.labels if label in ours[issue.id]]
        if away and issue.id not in seen:
            seen.add(issue.id)
            actions.append(_mark(subject, (), away))
    return Plan(actions=tuple(actions))
