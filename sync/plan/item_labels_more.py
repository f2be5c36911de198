"""Labels on the items of milestones: from the assessments and what was put there before to the writes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from sync.assess.milestone import AssessedMilestone
from sync.history.counting import is_member
from sync.model.item_label import ItemLabel
from sync.model.tracker_data import Issue, uid
from sync.plan.desired import Plan
from sync.plan.item_labels import Subject, facts, named, plan_item_labels, remove_item_labels

__all__ = ["marked", "unmarked"]


def marked(
    managed: Sequence[AssessedMilestone],
    marks: Sequence[ItemLabel],
    *,
    silent: Collection[str],
    known: Mapping[str, Collection[str]],
    now: datetime,
) -> tuple[Plan, list[ItemLabel]]:
    """The writes on the items of one source, and the marks whose matter is over; ``marks`` are those of its tracker.

    ``silent`` are milestones (uids) about which nothing is said. What only they tell about stays as it is, and so does
    everything in a project whose data is stale.
    """
    asleep = {
        milestone.uid for milestone in managed if milestone.uid in silent or milestone.health.stale_since is not None
    }
    subjects = list(_subjects([milestone for milestone in managed if milestone.uid not in asleep], now))
    resting = {
        membership.item for milestone in managed if milestone.uid in asleep for membership in milestone.memberships
    }
    left = _left(managed, marks, {subject.issue.id for subject in subjects}, resting)
    can = managed[0].source.connector.capabilities
    here = [mark for mark in marks if mark.issue in {subject.issue.id for subject in (*subjects, *left)}]
    return plan_item_labels(
        [*subjects, *left], here, known=known, needs_label=can.needs_label_creation, any_case=can.labels_any_case
    )


def _subjects(managed: Sequence[AssessedMilestone], now: datetime) -> Iterator[Subject]:
    for milestone in managed:
        if milestone.source.optional_outputs_of(milestone.project.key).item_labels:
            for item in sorted({membership.item for membership in milestone.memberships if is_member(membership, now)}):
                if item in milestone.issues:
                    issue, reasons = milestone.issues[item], milestone.health.reasons
                    true = facts(issue, reasons, item, now)
                    yield _subject(milestone, issue, named(reasons, item) & true, true, milestone.source.prefix)


def _left(
    managed: Sequence[AssessedMilestone], marks: Sequence[ItemLabel], there: Collection[str], resting: Collection[str]
) -> list[Subject]:
    """Items that carry a mark of ours and that no milestone asks about any more: nothing is true of them."""
    found: list[Subject] = []
    issues = {issue.id: issue for issue in managed[0].issues.values()} if marks else {}
    by_uid = {milestone.uid: milestone for milestone in managed}
    origin = managed[0].source.connector.base_url
    for mark in marks:
        issue = issues.get(mark.issue)
        if issue is not None and mark.issue not in there and uid(origin, "issue", mark.issue) not in resting:
            serves = by_uid.get(mark.milestone, managed[0])
            nothing = frozenset[str]()
            found.append(_subject(serves, issue, nothing, nothing, mark.label.rpartition("/")[0]))
    return found


def _subject(
    milestone: AssessedMilestone, issue: Issue, names: frozenset[str], true: frozenset[str], prefix: str
) -> Subject:
    key = milestone.project_keys.get(issue.project, milestone.project.key)
    return Subject(milestone=milestone.uid, project_key=key, issue=issue, named=names, facts=true, prefix=prefix)


def unmarked(assessed: Sequence[AssessedMilestone], marks: Sequence[ItemLabel]) -> Plan:
    """The writes that take every label of ours off the items of one source."""
    return remove_item_labels(_left(assessed, marks, (), ()), marks) if assessed else Plan()
