"""Find milestones of the same weeks whose people are the same. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date

import numpy as np
from numpy.typing import NDArray

from sync.health.definition import SharedPeople

__all__ = ["shared_people"]

Ints = NDArray[np.int64]

PEOPLE_LEAST = 0.5
"""Least share of the assignees in another milestone that is a finding."""

_NONE: Ints = np.zeros(0, dtype=np.int64)


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

    Arrays hold positions of milestones. Milestones with the same people and readers have the same candidates.
    """
    names = [name for name in people if name in planned]
    first, last = (np.array([planned[name][end].toordinal() for name in names]) for end in (0, 1))
    by_team = defaultdict[tuple[str, frozenset[str]], list[int]](list)
    by_person = defaultdict[tuple[str, str], list[int]](list)
    by_item = defaultdict[str, list[int]](list)
    for k, name in enumerate(names):
        group = (readers or {}).get(name, "")
        by_team[group, people[name]].append(k)
        for person in people[name]:
            by_person[group, person].append(k)
        for item in open_items[name]:
            by_item[item].append(k)
    positions = {key: np.array(own) for key, own in by_person.items()}
    shared: dict[str, SharedPeople] = {}
    for team, members in by_team.items():
        others, counts = _candidates(*team, positions)
        for k in members if len(others) > 1 else ():
            is_shared = (first[others] <= last[k]) & (first[k] <= last[others])
            is_other = np.ones(len(names), dtype=np.bool_)
            is_other[[k, *(own for item in open_items[names[k]] for own in by_item[item])]] = False
            is_shared &= is_other[others]
            if number := np.count_nonzero(is_shared):
                shared[names[k]] = SharedPeople(int(counts[is_shared].max()), int(number))
    return shared


def _candidates(group: str, people: frozenset[str], positions: Mapping[tuple[str, str], Ints]) -> tuple[Ints, Ints]:
    """Return the milestones in which half or more of these people work, and how many of them work in each.

    ``group`` are the readers. ``positions``: the milestones of each group and person.
    """
    keys = [(readers, person) for readers in {"", group} for person in people]
    counts = np.bincount(np.concatenate([_NONE, *(positions[key] for key in keys if key in positions)]))
    others = np.flatnonzero(counts >= max(2, PEOPLE_LEAST * len(people)))
    return others, counts[others]
