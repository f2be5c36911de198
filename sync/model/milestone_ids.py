"""Ids of milestones as people write them.

==============================  =====================================================================================
milestone of a project          ``gh:acme/app#12``, ``gl:acme/api%2.0``, ``jira:PAY/2.0``
milestone of a GitLab group     ``gl:acme%2.0``, ``gl:acme/iteration:Cadence 2026-11-02``, ``gl:acme/epic:7``, with
                                the group, in whichever project it is seen; with the project that it was read with,
                                ``gl:acme/api%2.0``, unless that is another milestone's id
several of one id               ``jira:PAY/sprint:Sprint 3@sprint-42``, with the native id; the text without it is
                                ambiguous
==============================  =====================================================================================

These ids are for people. The store and markers use `sync.model.tracker_data.uid`, which no rename changes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from sync.model.errors import AmbiguousIdError
from sync.model.tracker_data import Milestone, Project, uid

__all__ = ["MilestoneId", "MilestoneIds", "milestone_ids", "plain_id"]


class MilestoneId(Struct, frozen=True, kw_only=True):
    """Id of a milestone (``uid``). ``others`` are further texts that may mean it; ``url`` is its address."""

    uid: str
    written: str
    url: str
    others: tuple[str, ...] = ()


class MilestoneIds:
    """All ids of an installation or of one connection."""

    def __init__(self, ids: Iterable[MilestoneId]) -> None:
        self.by_uid: Mapping[str, MilestoneId] = {own.uid: own for own in ids}
        self._exact = {own.written: own for own in self.by_uid.values()}
        self._others: dict[str, list[MilestoneId]] = {}
        for own in self.by_uid.values():
            for text in own.others:
                self._others.setdefault(text, []).append(own)

    def find(self, text: str) -> MilestoneId | None:
        """Return the milestone that a text means; None if there is none. Raises `AmbiguousIdError`."""
        if text in self._exact:
            return self._exact[text]
        matches = self._others.get(text, [])
        if len(matches) > 1:
            raise AmbiguousIdError(text, [(own.written, own.url) for own in matches])
        return matches[0] if matches else None

    def canonical(self, text: str) -> str:
        """Return the id of the milestone that a text means; the text itself if there is none.

        Raises `AmbiguousIdError`.
        """
        found = self.find(text)
        return text if found is None else found.written


def plain_id(milestone: Milestone, project: Project) -> str:
    """Return a milestone's id without the connection, without the suffix that makes equal ids differ."""
    is_of_group = re.match(r"\w", milestone.written) is not None
    return milestone.written if is_of_group else f"{project.key}{milestone.written}"


def _below_group(written: str) -> str:
    """Return the id of a group's milestone without the group: ``%2.0``, ``/epic:7``."""
    sign = re.search(r"%|/[a-z ]+:", written)
    return written[sign.start() :] if sign else ""


def milestone_ids(
    connection: str, source: str, milestones: Iterable[Milestone], projects: Mapping[str, Project]
) -> Iterator[MilestoneId]:
    """Yield the ids of a connection's milestones; ``projects`` are by native id."""
    plain = {milestone.id: (milestone, plain_id(milestone, projects[milestone.project])) for milestone in milestones}
    counts = Counter(text for _, text in plain.values())
    for milestone, text in plain.values():
        is_repeated = counts[text] > 1
        others = [text] if is_repeated else []
        if text == milestone.written:  # of a group
            others.append(f"{projects[milestone.project].key}{_below_group(text)}")
        yield MilestoneId(
            uid=uid(source, "milestone", milestone.id),
            written=f"{connection}:{text}{f'@{milestone.id}' if is_repeated else ''}",
            url=milestone.url,
            others=tuple(f"{connection}:{other}" for other in others),
        )
