"""Find which milestones are drawn together and in which order: joint milestones and dependencies connect them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from sync.forecast.dependencies import Dependency

__all__ = ["RelatedMilestones"]

Bools = NDArray[np.bool_]


class RelatedMilestones:
    """Milestones (uids) with relations: ``joints`` are the members of each joint milestone.

    Correlations are estimated pair by pair. The more of them meet in one draw, the more they contradict each other, and
    the less it can follow each. So milestones that nothing connects are not drawn together.

    The paths of a milestone depend on those drawn before it. First come the milestones of public projects (``public``)
    with a public relation, then those with a relation among them and those whose connection shares aggregates
    (``shared``). No other relation decides which of them are drawn together. So nothing private changes anything
    public, and nothing that is not shared changes what waits for something shared.
    """

    def __init__(
        self,
        joints: Iterable[Sequence[str]],
        dependencies: Iterable[Dependency],
        public: Set[str],
        shared: Set[str],
    ) -> None:
        members, pairs = list(joints), [(own.before, own.after) for own in dependencies]
        self._groups = _groups((*members, *pairs))
        self._known_groups = [_groups(_relations_among(known, members, pairs)) for known in (public, public | shared)]
        self.uids = list(dict.fromkeys(chain.from_iterable(map(sorted, (*self._known_groups, self._groups)))))

    def groups(self, uids: Iterable[str]) -> list[list[str]]:
        """Return those of ``uids`` that are drawn together, each group in the order of ``uids``."""
        groups: dict[int, list[str]] = {}
        for uid in uids:
            groups.setdefault(self._groups[uid], []).append(uid)
        return list(groups.values())

    def is_drawn_apart(self, uids: Sequence[str]) -> Bools:
        """Return which pairs of one group have no correlation, as only other relations connect them: bool[m, m]."""
        apart: Bools = np.zeros((len(uids), len(uids)), dtype=np.bool_)
        for known in self._known_groups:
            groups = np.array([known.get(uid, -1) for uid in uids])
            is_known = groups >= 0
            apart |= is_known & is_known[:, None] & (groups != groups[:, None])
        return apart


def _relations_among(
    known: Set[str], members: Iterable[Sequence[str]], pairs: Iterable[Sequence[str]]
) -> list[Sequence[str]]:
    """Return the ``known`` members of each joint milestone, and the pairs of which both are known."""
    joints = [[uid for uid in own if uid in known] for own in members]
    return [*joints, *[pair for pair in pairs if pair[0] in known and pair[1] in known]]


def _groups(relations: Iterable[Sequence[str]]) -> dict[str, int]:
    """Return a number for each uid, the same for two that a chain of relations connects."""
    neighbours: dict[str, list[str]] = {}
    for relation in relations:
        for uid, other in zip(relation, (*relation[1:], *relation[:1]), strict=True):
            neighbours.setdefault(uid, []).append(other)
            neighbours.setdefault(other, []).append(uid)
    groups: dict[str, int] = {}
    for number, first in enumerate(neighbours):
        waiting = [first]
        while waiting:
            uid = waiting.pop()
            if uid not in groups:
                groups[uid] = number
                waiting += neighbours[uid]
    return groups
