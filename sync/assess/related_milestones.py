"""Find which milestones are drawn together and in which order: joint milestones and dependencies connect them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

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
    with a public relation; no other relation decides which of them are drawn together. So nothing private changes
    anything public.
    """

    def __init__(
        self, joints: Iterable[Sequence[str]], dependencies: Iterable[Dependency], public: Collection[str]
    ) -> None:
        members, pairs = list(joints), [(own.before, own.after) for own in dependencies]
        self._groups = _groups((*members, *pairs))
        self._public_groups = _groups(
            (
                *([uid for uid in own if uid in public] for own in members),
                *(pair for pair in pairs if all(uid in public for uid in pair)),
            )
        )
        self.uids = sorted(self._groups, key=lambda uid: (uid not in self._public_groups, uid))

    def groups(self, uids: Iterable[str]) -> list[list[str]]:
        """Return those of ``uids`` that are drawn together, each group in the order of ``uids``."""
        groups: dict[int, list[str]] = {}
        for uid in uids:
            groups.setdefault(self._groups[uid], []).append(uid)
        return list(groups.values())

    def is_drawn_apart(self, uids: Sequence[str]) -> Bools:
        """Return which pairs of one group have no correlation, as only other relations connect them: bool[m, m]."""
        groups = np.array([self._public_groups.get(uid, -1) for uid in uids])
        is_public = groups >= 0
        apart: Bools = is_public & is_public[:, None] & (groups != groups[:, None])
        return apart


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
