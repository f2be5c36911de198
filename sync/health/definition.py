"""What a milestone's definition lacks, before its forecast is worth much: rules over what the tracker holds.

====================  ===============================================================================================
no owner              nobody is named for it in the configuration
no due date           the tracker has none
no exit criteria      its description has no task list
no items              nothing is in it
unestimated           some of its open items have an estimate or points, and a fifth or more have none
due on a day off      a weekend, a holiday or a team's day off
same people           half or more of those who have open items in it have some in another milestone of these weeks
circular              issues of it and of another milestone block each other
====================  ===============================================================================================

The description is foreign text: nothing of it is shown, only how many exit criteria there are and how many are met.
People are counted, never named or measured.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from sync.model.definition import Criteria, Finding, FindingKind
from sync.model.health import Value
from sync.model.tracker_data import Issue, Milestone

if TYPE_CHECKING:
    from sync.history.calendar import Calendar

__all__ = ["criteria", "findings", "overlaps"]

UNESTIMATED_LEAST = 0.2
PEOPLE_LEAST = 0.5

_TASK = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+\[([ xX])\]\s+\S")
_FENCE = re.compile(r"\s*(```|~~~)")


def criteria(description: str) -> Criteria:
    """Count the task list of a description: lines such as ``- [x] security review``, outside of code."""
    marks: list[str] = []
    fence = ""
    for line in description.splitlines():
        edge = _FENCE.match(line)
        if edge and fence in ("", edge[1]):
            fence = "" if fence else edge[1]
        elif not fence and (task := _TASK.match(line)):
            marks.append(task[1])
    return Criteria(sum(mark != " " for mark in marks), len(marks))


def findings(
    milestone: Milestone,
    due: date | None,
    open_items: Sequence[Issue],
    total: int,
    *,
    owner: str,
    calendar: Calendar,
    shared: Sequence[int] = (),
    circular: int = 0,
) -> tuple[Finding, ...]:
    """What is to be found about one running milestone, in the order of the table above.

    ``total`` items are in it, ``open_items`` of them known and open. ``shared`` comes from `overlaps`;
    ``circular`` milestones wait for it as it waits for them.
    """
    found: list[Finding] = []

    def note(kind: FindingKind, when: bool, **values: Value) -> None:
        if when:
            found.append(Finding(kind=kind, values=values))

    bare = [item for item in open_items if item.estimate is None and item.points is None]
    people = len({person.id for item in open_items for person in item.assignees})
    some = 0 < len(bare) < len(open_items)
    note(FindingKind.NO_OWNER, not owner)
    note(FindingKind.NO_DUE_DATE, due is None)
    note(FindingKind.NO_EXIT_CRITERIA, criteria(milestone.description).of == 0)
    note(FindingKind.NO_ITEMS, total == 0)
    note(
        FindingKind.UNESTIMATED,
        some and len(bare) >= UNESTIMATED_LEAST * len(open_items),
        count=len(bare),
        of=len(open_items),
    )
    note(FindingKind.DUE_DAY_OFF, due is not None and not calendar.is_working_day(due), due=due)
    note(FindingKind.SAME_PEOPLE, bool(shared), count=max(shared, default=0), of=people, others=len(shared))
    note(FindingKind.CIRCULAR, circular > 0, count=circular)
    return tuple(found)


def overlaps(
    people: Mapping[str, frozenset[str]], planned: Mapping[str, tuple[date, date]]
) -> dict[str, dict[str, int]]:
    """Milestone -> the others that half or more of its people work on in the same weeks -> how many do.

    ``people``: milestone -> who has open items in it (by tracker and id); ``planned``: its first and its due day. One
    person is not a team: at least two have to be the same.
    """
    by_person: dict[str, list[str]] = {}
    for name, own in people.items():
        for person in own:
            by_person.setdefault(person, []).append(name)
    found: dict[str, dict[str, int]] = {}
    for name, own in people.items():
        met: dict[str, int] = {}
        for other in _beside(name, (by_person[person] for person in own), planned):
            met[other] = met.get(other, 0) + 1
        enough = {other: count for other, count in sorted(met.items()) if count >= max(2, PEOPLE_LEAST * len(own))}
        if enough:
            found[name] = enough
    return found


def _beside(name: str, lists: Iterable[Sequence[str]], planned: Mapping[str, tuple[date, date]]) -> Iterable[str]:
    if name not in planned:
        return
    first, last = planned[name]
    for others in lists:
        for other in others:
            if other != name and other in planned and planned[other][0] <= last and first <= planned[other][1]:
                yield other
