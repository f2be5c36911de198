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

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import chain
from typing import TYPE_CHECKING

from msgspec import Struct

from sync.model.definition import Finding, FindingKind
from sync.model.health import Value
from sync.model.membership import Counts
from sync.model.team_words import Owners, TeamWords, WordFault
from sync.model.tracker_data import Issue, MilestoneKind

if TYPE_CHECKING:
    from sync.history.calendar import Calendar

__all__ = ["DefinitionFacts", "SharedPeople", "description_finding", "findings", "shared_people"]

UNESTIMATED_LEAST = 0.2
"""Least share of open items without an estimate that is a finding."""

PEOPLE_LEAST = 0.5
"""Least share of the assignees in another milestone that is a finding."""

TIMEBOXES = frozenset((MilestoneKind.SPRINT, MilestoneKind.ITERATION, MilestoneKind.TARGET_DATE))
"""Kinds that are a span of time: trackers have no field for an owner or exit criteria of one."""


class SharedPeople(Struct, frozen=True):
    """People whom a milestone shares with ``others``: ``count`` of them with the milestone that shares the most."""

    count: int = 0
    others: int = 0


class DefinitionFacts(Struct, frozen=True, kw_only=True):
    """Facts about one running milestone of a ``kind`` that the findings are made from.

    ``counts`` are those of its items; ``open_items`` are known and open. ``shared``: see `shared_people`. ``circular``:
    number of milestones that block it and are blocked by it. ``contradicting``: the items (uids) whose state
    contradicts their other names (`sync.model.item_state`).
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


def shared_people(
    people: Mapping[str, frozenset[str]],
    planned: Mapping[str, tuple[date, date]],
    open_items: Mapping[str, frozenset[str]],
    readers: Mapping[str, str] | None = None,
) -> dict[str, SharedPeople]:
    """Return for each milestone how many others half or more of its people work in, in the same weeks; not for none.

    ``people``: milestone -> assignees of its open items (by tracker and id); ``planned``: its first day and its due
    day, which is not before it; ``open_items``: its open items (uids). At least two people have to be the same: one
    person is not a team. Milestones with a common open item, such as a sprint and a version, plan the same work and are
    not compared. ``readers``: the group that may read a milestone; none for a public one. A milestone is compared with
    those of its own group and with public ones.

    Teams are compared, and not each milestone with each: many milestones may have the same people.
    """
    teams = _teams({name: own for name, own in people.items() if name in planned}, readers or {})
    by_person = defaultdict[tuple[str, str], list[_Team]](list)
    by_item = defaultdict[str, list[str]](list)
    for team in teams:
        for person in team.people:
            by_person[team.readers, person].append(team)
        for name in team.milestones:
            for item in open_items[name]:
                by_item[item].append(name)
    times = {team: _Times([planned[name] for name in team.milestones]) for team in teams}
    team_of = {name: team for team in teams for name in team.milestones}
    shared: dict[str, SharedPeople] = {}
    for team in teams:
        groups = {"", team.readers}
        known = (by_person.get((group, person), ()) for group in groups for person in team.people)
        least = max(2, PEOPLE_LEAST * len(team.people))
        counts = {other: count for other, count in Counter(chain.from_iterable(known)).items() if count >= least}
        for name in team.milestones if counts else ():
            numbers = {other: times[other].overlapping(planned[name]) for other in counts}
            for own in {name, *chain.from_iterable(by_item[item] for item in open_items[name])}:
                if team_of[own] in numbers:
                    numbers[team_of[own]] -= _is_same_time(planned[name], planned[own])
            if others := sum(numbers.values()):
                shared[name] = SharedPeople(max(counts[other] for other, number in numbers.items() if number), others)
    return shared


class _Team(Struct, frozen=True, eq=False):
    """The milestones with exactly these people that the same group may read (empty: public ones)."""

    readers: str
    people: frozenset[str]
    milestones: frozenset[str]


def _teams(people: Mapping[str, frozenset[str]], readers: Mapping[str, str]) -> list[_Team]:
    milestones = defaultdict[tuple[str, frozenset[str]], list[str]](list)
    for name, own in people.items():
        milestones[readers.get(name, ""), own].append(name)
    return [_Team(group, own, frozenset(names)) for (group, own), names in milestones.items()]


class _Times:
    """Spans of days, of which those that overlap another span are counted without looking at each."""

    def __init__(self, spans: Sequence[tuple[date, date]]) -> None:
        self._first = sorted(first for first, _ in spans)
        self._last = sorted(last for _, last in spans)

    def overlapping(self, span: tuple[date, date]) -> int:
        """Return the number of spans that begin until the end of ``span``, less those that end before it."""
        return bisect_right(self._first, span[1]) - bisect_left(self._last, span[0])


def _is_same_time(own: tuple[date, date], other: tuple[date, date]) -> bool:
    return other[0] <= own[1] and own[0] <= other[1]
