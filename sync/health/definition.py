"""Findings about the definition of a milestone: rules over the data of its tracker.

====================  ===============================================================================================
no owner              neither the configuration, nor its description, nor its tracker names an owner; none of a timebox
no due date           the tracker has no due date
no exit criteria      the description has no task list; none of a timebox
description line      a line of the description has a key of `sync.tracker.team_words` and no readable value
no items              the milestone has no items
only pull requests    the milestone has no items, but pull or merge requests, which are not counted as items
unestimated           some open issues have an estimate or points, and a fifth or more have none
due on a day off      a weekend, a holiday or a team's day off
same people           half or more of the assignees have open items in another milestone of the same weeks; none of two
                      milestones with an open item in common, such as a sprint and a version: that is one plan
circular              issues of the milestone and of another milestone block each other
contradiction         items whose state contradicts their resolution or labels; the state counts
====================  ===============================================================================================

The description is foreign text: a finding has the key of a line and its number. People are counted, never named or
measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from msgspec import Struct

from sync.model.definition import Finding, FindingKind
from sync.model.health import Value
from sync.model.membership import Counts
from sync.model.team_words import Owners, TeamWords, WordFault
from sync.model.tracker_data import Issue, MilestoneKind

if TYPE_CHECKING:
    from sync.history.calendar import Calendar

__all__ = ["DefinitionFacts", "SharedPeople", "description_finding", "findings"]

UNESTIMATED_LEAST = 0.2
"""Least share of open items without an estimate that is a finding."""

TIMEBOXES = frozenset((MilestoneKind.SPRINT, MilestoneKind.ITERATION, MilestoneKind.TARGET_DATE))
"""Kinds that are a span of time: trackers have no field for an owner or exit criteria of one."""


class SharedPeople(Struct, frozen=True):
    """People whom a milestone shares with ``others``: ``count`` of them with the milestone that shares the most."""

    count: int = 0
    others: int = 0


class DefinitionFacts(Struct, frozen=True, kw_only=True):
    """Facts about one running milestone of a ``kind`` that the findings are made from.

    ``counts`` are those of its items; ``open_items`` are known and open. ``shared``: see `sync.health.shared_people`.
    ``circular``: number of milestones that block it and are blocked by it. ``contradicting``: the items (uids) whose
    state contradicts their other names (`sync.model.item_state`).
    """

    words: TeamWords
    due: date | None
    open_items: Sequence[Issue]
    counts: Counts
    owners: Owners
    shared: SharedPeople = SharedPeople()
    circular: int = 0
    contradicting: Sequence[str] = ()
    kind: MilestoneKind = MilestoneKind.MILESTONE


def findings(facts: DefinitionFacts, calendar: Calendar) -> tuple[Finding, ...]:
    """Return the findings about one running milestone, in the order of the table above."""
    findings: list[Finding] = []

    def note(kind: FindingKind, when: bool, **values: Value) -> None:
        if when:
            findings.append(Finding(kind=kind, values=values))

    due, counts, open_items, shared = facts.due, facts.counts, facts.open_items, facts.shared
    issues = [item for item in open_items if not item.is_pull_request]
    unestimated = [issue for issue in issues if issue.estimate is None and issue.points is None]
    people = len({person.id for item in open_items for person in item.assignees})
    has_only_changes = counts.total == 0 and counts.pull_requests + counts.closed_pull_requests > 0
    is_estimated_in_part = 0 < len(unestimated) < len(issues)
    is_timebox = facts.kind in TIMEBOXES
    note(FindingKind.NO_OWNER, not facts.owners.names and not is_timebox)
    note(FindingKind.NO_DUE_DATE, due is None)
    note(FindingKind.NO_EXIT_CRITERIA, facts.words.criteria.of == 0 and not is_timebox)
    findings += map(description_finding, facts.words.faults)
    note(FindingKind.NO_ITEMS, counts.total == 0 and not counts.has_only_uncounted)
    note(
        FindingKind.ONLY_PULL_REQUESTS,
        has_only_changes,
        open=counts.pull_requests,
        closed=counts.closed_pull_requests,
        word=counts.word,
    )
    note(
        FindingKind.UNESTIMATED,
        is_estimated_in_part and len(unestimated) >= UNESTIMATED_LEAST * len(issues),
        count=len(unestimated),
        of=len(issues),
    )
    note(FindingKind.DUE_DAY_OFF, due is not None and not calendar.is_working_day(due), due=due)
    note(FindingKind.SAME_PEOPLE, shared.others > 0, count=shared.count, of=people, others=shared.others)
    note(FindingKind.CIRCULAR, facts.circular > 0, count=facts.circular)
    if facts.contradicting:
        values: dict[str, Value] = {"count": len(facts.contradicting)}
        findings.append(Finding(kind=FindingKind.CONTRADICTION, values=values, items=tuple(facts.contradicting)))
    return tuple(findings)


def description_finding(fault: WordFault) -> Finding:
    """Return the finding about a line of a description."""
    return Finding(
        kind=FindingKind.DESCRIPTION_LINE, values={"key": fault.key, "fault": fault.kind.value, "line": fault.line}
    )
