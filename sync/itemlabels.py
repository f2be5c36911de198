"""Labels on the items of milestones: from the assessments and what was put there before to the writes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from sync.also import Mark, Subject, facts, marking, named, unmarking
from sync.assessment import Assessed
from sync.desired import Plan
from sync.model import Issue, uid

__all__ = ["marked", "unmarked"]


def marked(
    managed: Sequence[Assessed],
    marks: Sequence[Mark],
    *,
    silent: Collection[str],
    known: Mapping[str, Collection[str]],
    now: datetime,
) -> tuple[Plan, list[Mark]]:
    """The writes on the items of one source, and the marks whose matter is over; ``marks`` are those of its tracker.

    ``silent`` are milestones (uids) about which nothing is said. What only they tell about stays as it is, and so does
    everything in a project whose data is stale.
    """
    asleep = {one.uid for one in managed if one.uid in silent or one.health.stale_since is not None}
    subjects = list(_subjects([one for one in managed if one.uid not in asleep], now))
    resting = {stay.item for one in managed if one.uid in asleep for stay in one.stays}
    left = _left(managed, marks, {one.issue.id for one in subjects}, resting)
    can = managed[0].source.connector.capabilities
    here = [mark for mark in marks if mark.issue in {one.issue.id for one in (*subjects, *left)}]
    return marking([*subjects, *left], here, known=known, needs_label=can.labels_are_made, any_case=can.labels_any_case)


def _subjects(managed: Sequence[Assessed], now: datetime) -> Iterator[Subject]:
    for one in managed:
        if one.source.also_of(one.project.key).item_labels:
            for item in sorted({stay.item for stay in one.stays if stay.left is None and stay.reopened is None}):
                if item in one.issues:
                    issue, reasons = one.issues[item], one.health.reasons
                    true = facts(issue, reasons, item, now)
                    yield _subject(one, issue, named(reasons, item) & true, true, one.source.prefix)


def _left(
    managed: Sequence[Assessed], marks: Sequence[Mark], there: Collection[str], resting: Collection[str]
) -> list[Subject]:
    """Items that carry a mark of ours and that no milestone asks about any more: nothing is true of them."""
    found: list[Subject] = []
    issues = {issue.id: issue for issue in managed[0].issues.values()} if marks else {}
    by_uid = {one.uid: one for one in managed}
    origin = managed[0].source.connector.source
    for mark in marks:
        issue = issues.get(mark.issue)
        if issue is not None and mark.issue not in there and uid(origin, "issue", mark.issue) not in resting:
            serves = by_uid.get(mark.milestone, managed[0])
            nothing = frozenset[str]()
            found.append(_subject(serves, issue, nothing, nothing, mark.label.rpartition("/")[0]))
    return found


def _subject(one: Assessed, issue: Issue, names: frozenset[str], true: frozenset[str], prefix: str) -> Subject:
    key = one.project_keys.get(issue.project, one.project.key)
    return Subject(milestone=one.uid, project_key=key, issue=issue, named=names, facts=true, prefix=prefix)


def unmarked(assessed: Sequence[Assessed], marks: Sequence[Mark]) -> Plan:
    """The writes that take every label of ours off the items of one source."""
    return unmarking(_left(assessed, marks, (), ()), marks) if assessed else Plan()
