"""Epics of groups, by GraphQL or by REST. An issue is in its epic and in all epics above it.

GitLab has no events of epics, but system notes: ``added to epic &7`` until 17.6, then ``added acme&7 as parent epic``.
Confidential epics are left out, because a status issue would show their titles.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from typing import Any, ClassVar

from msgspec import Raw, structs

from connectors.gitlab import api_types
from connectors.gitlab.container_ids import EPIC, epic_id, group_number
from connectors.gitlab.containers.kind import LicensedContainers, group_path
from connectors.gitlab.epic_history import fetch_stays
from connectors.gitlab.epic_rows import EPICS, EpicRow
from connectors.gitlab.epic_tree import EpicTree, Stay, stays_of
from connectors.gitlab.moves import ActivityNote, Move, moves_between
from connectors.gitlab.normalize import group_of
from connectors.gitlab.session import Session
from connectors.shared.containers import ContainerRows
from connectors.shared.responses import decode_row
from connectors.shared.rows import fields_of, word_at
from sync.model.tracker_data import Event, Milestone, Project, UnreadRow

__all__ = ["Epics"]

_MOVES = (
    (True, re.compile(r"(?:added to epic|changed epic to) (\S*?)[&#](\d+)\b.*", re.DOTALL)),
    (True, re.compile(r"added (?:epic )?(\S*?)[&#](\d+) as parent epic.*", re.DOTALL)),
    (False, re.compile(r"(?:removed from epic|removed parent epic) (\S*?)[&#](\d+)\b.*", re.DOTALL)),
)


class Epics(LicensedContainers):
    """The epics of groups. ``parents`` has the id of the epic above each nested epic, after `read`.

    ``had_parents``: there were nested epics at the last pull.
    """

    word = "epics"
    prefix = EPIC
    query = EPICS
    path = "/groups/{}/epics"
    parameters: ClassVar[Mapping[str, Any]] = {"include_ancestor_groups": "true", "include_descendant_groups": "false"}

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.parents: dict[str, str] = {}
        self.had_parents = False
        self._parents: dict[str, int | str] = {}
        self._ids: dict[int | str | None, str] = {}
        self._groups: dict[str, str] = {}
        self._stays: dict[str, list[Stay]] = {}
        self._confidential: set[str] = set()
        self._lock = threading.Lock()

    def read(self, projects: Sequence[Project]) -> ContainerRows:
        """Read the epics that each of these projects can use, and how they are nested."""
        rows = super().read(projects)
        known = {row.id for found in rows.milestones.values() for row in found}
        parents = {epic: self._ids.get(parent, str(parent)) for epic, parent in self._parents.items()}
        self.parents = {epic: parent for epic, parent in parents.items() if {epic, parent} <= known}
        return rows

    def convert(self, row: Raw) -> Milestone | None:
        """Convert a row of either list. None: the epic is confidential."""
        epic = decode_row(row, EpicRow, self.session.name)
        milestone = epic.milestone
        with self._lock:
            self._groups[group_of(epic.web_url)] = group_number(milestone.id)
            self._ids[epic.id] = milestone.id
            if parent := epic.parent_id or epic.parent:
                self._parents[milestone.id] = parent
            if epic.confidential:
                self._confidential.add(milestone.id)
        return None if epic.confidential else milestone

    def unread_row(self, row: Raw, reason: str) -> UnreadRow:
        """Describe an epic that cannot be read."""
        fields = fields_of(row)
        group, number = word_at(fields, "group", "id") or word_at(fields, "group_id"), word_at(fields, "iid")
        key = epic_id(group, number) if group and number else ""
        return structs.replace(super().unread_row(row, reason), id=key, key=key)

    @property
    def _tree(self) -> EpicTree:
        return EpicTree(self.parents, self._stays)

    def now(self, row: api_types.Issue) -> Iterator[str]:
        """The epic of an issue, and the epics above it."""
        if row.epic is not None and row.epic.group_id is not None:
            chain = self._tree.with_ancestors(epic_id(row.epic.group_id, row.epic.iid))
            yield from (epic for epic in chain if epic not in self._confidential)

    def move(self, note: ActivityNote) -> tuple[bool, str] | None:
        """Read the text of a join or leave."""
        for is_join, pattern in _MOVES:
            if match := pattern.fullmatch(note.body):
                group = self._groups.get(match[1].strip("/") or note.group)
                return is_join, epic_id(group, match[2]) if group else ""
        return None

    def fetch_moves(self, item_path: str, project: str) -> list[Move]:
        """Fetch the moves of an issue from its system notes."""
        parameters = {"activity_filter": "only_activity", "sort": "asc", "order_by": "created_at"}
        notes = self.session.rows(api_types.Note, f"{item_path}/notes", project, **parameters)
        return self.moves(
            ActivityNote(note.body, "", note.created_at, group_path(project), note.author)
            for note in notes
            if note.system and note.created_at is not None
        )

    def explains(self, row: api_types.Issue, history: Sequence[Move]) -> bool:
        """Return whether there is any history, or none is needed: REST has the same notes, and no better ones."""
        return row.epic is None or any(move.word == self.word for move in history)

    def events(self, row: api_types.Issue, history: Sequence[Move]) -> Iterable[Event]:
        """The joins and leaves of an issue, in its epics and all epics above.

        Where the history does not end at the present epic, the issue has been in this epic since its last update.
        """
        own = [move for move in history if move.word == self.word]
        stays = stays_of(moves_between(str(row.id), row.created_at, own))
        last, now = stays[-1].epic if stays and stays[-1].left is None else "", next(self.now(row), "")
        if last != now:
            since = max(row.updated_at, *(stay.joined for stay in stays)) if stays else row.created_at
            stays = [stay._replace(left=since) if stay.left is None else stay for stay in stays]
            stays += [Stay(now, since.astimezone(UTC), None)] if now else []
        return self._tree.events(str(row.id), stays)

    def prepare(self, rows: Sequence[api_types.Issue], histories: Iterable[Sequence[Move]]) -> None:
        """Fetch the history of the tree above these issues' epics, if there is or was a tree."""
        if not (self.parents or self.had_parents):
            return
        wanted = {epic for row in rows for epic in self.now(row)}
        wanted |= {move.container for moves in histories for move in moves if move.word == self.word and move.container}
        with self._lock:
            while missing := wanted - self._stays.keys():
                found = fetch_stays(self.session, missing, self._groups, self.moves)
                self._stays |= {epic: found.get(epic, []) for epic in missing}
                wanted = {stay.epic for stays in found.values() for stay in stays}
