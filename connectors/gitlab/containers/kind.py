"""Bases of GitLab's kinds of containers: membership, and the lists of groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from msgspec import Raw, structs

from connectors.gitlab import api_types
from connectors.gitlab.group_lists import GroupQuery, group_rows
from connectors.gitlab.moves import ActivityNote, Move, moves_between
from connectors.gitlab.session import Session
from connectors.shared.containers import ContainerKind, ContainerRows
from connectors.shared.paths import path_of
from connectors.shared.responses import RowError
from connectors.shared.rows import Rows, fields_of, read_rows, word_at
from sync.model.tracker_data import Event, Milestone, Project, UnreadKind, UnreadRow
from sync.tracker.errors import BusyError, GoneError, MalformedError, RefusedError, TrackerError
from sync.tracker.preflight import Unread

__all__ = ["GitLabContainers", "LicensedContainers", "group_path"]


def group_path(project: str) -> str:
    """The path of the group that a project (path) is in."""
    return project.rpartition("/")[0]


class GitLabContainers(ContainerKind[Project, api_types.Issue, Move]):
    """One kind: which containers an issue is in, by its row and by the system notes of its thread."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def move(self, note: ActivityNote) -> tuple[bool, str] | None:
        """The join (True) or leave of a system note, with the container, empty if unknown; None for other notes."""
        raise NotImplementedError

    def moves(self, notes: Iterable[ActivityNote]) -> list[Move]:
        """The moves in these system notes."""
        moves = ((note, self.move(note)) for note in notes)
        return [
            Move(self.word, note.at, *move, title=self.title(move[1]), user=note.user)
            for note, move in moves
            if move is not None
        ]

    def title(self, container: str) -> str:
        """The title of a container for its events, if they have titles by REST, too."""
        del container
        return ""

    def fetch_moves(self, item_path: str, project: str) -> list[Move]:
        """Fetch the moves of an issue (by its path) by REST: where GraphQL has no activity, or not the whole of it."""
        raise NotImplementedError

    def prepare(self, rows: Sequence[api_types.Issue], histories: Iterable[Sequence[Move]]) -> None:
        """Fetch what `events` needs for these issues with these histories."""

    def explains(self, row: api_types.Issue, history: Sequence[Move]) -> bool:
        """Return whether this history ends where the issue is now."""
        current = ""
        for move in history:
            if move.word == self.word:
                current = move.container if move.is_join else ""
        return tuple(self.now(row))[:1] == ((current,) if current else ())

    def events(self, row: api_types.Issue, history: Sequence[Move]) -> Iterable[Event]:
        """The joins and leaves of an issue."""
        own = [move for move in history if move.word == self.word]
        return moves_between(str(row.id), row.created_at, own)


class LicensedContainers(GitLabContainers):
    """One kind that belongs to groups and needs a licence. ``refused``: the groups without such a list, after `read`.

    Each group is read once in a pull, for all its projects. A project can use the containers of all groups above it. A
    server without a licence has no such list by REST (403 or 404); by GraphQL it does not know the fields, or lists
    nothing. So an empty list is an answer only if REST has the list, too.
    """

    prefix: ClassVar[str] = ""
    """Beginning of the native ids: GitLab numbers each kind separately."""
    query: ClassVar[GroupQuery] = GroupQuery("")
    path: ClassVar[str] = ""
    parameters: ClassVar[Mapping[str, Any]] = {}
    """The list by GraphQL, and by REST."""
    licence: ClassVar[str] = "GitLab Premium"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.refused: dict[str, str] = {}

    # --- reading -----------------------------------------------------------------------------------------------------

    def read(self, projects: Sequence[Project]) -> ContainerRows:
        """Read the containers that each of these projects can use, also those of groups above it.

        A container of a group that several projects use is in the rows of each of them.
        """
        groups = dict.fromkeys(group_path(project.key) for project in projects)
        answers = dict(zip(groups, self.session.caller.map_all(self._read_group, groups), strict=True))
        milestones: dict[str, Sequence[Milestone]] = {}
        failed: dict[str, TrackerError] = {}
        unread: list[UnreadRow] = []
        for project in projects:
            answer = answers[group_path(project.key)]
            if isinstance(answer, TrackerError):
                failed[project.id] = answer
                continue
            milestones[project.id] = [structs.replace(row, project=project.id) for row in answer.read]
            unread += (structs.replace(row, project=project.id) for row in answer.unread)
        return ContainerRows(milestones, failed, unread)

    def _read_group(self, group: str) -> Rows[Milestone] | TrackerError:
        """Read the containers of a group and of the groups above it; none, and a reason in `refused`, if refused."""
        try:
            listed = group_rows(self.session, self.query, group)
            if not listed:
                listed = self.session.rows(Raw, path_of(self.path, group), group, **self.parameters)
            found = read_rows(listed, self._converted, self.unread_row)
        except (GoneError, RefusedError) as error:
            self.refused[group] = error.detail
            return Rows()
        except (MalformedError, BusyError) as error:
            return error
        return Rows([milestone for milestone in found.read if milestone is not None], found.unread)

    def _converted(self, row: Raw) -> Milestone | None:
        try:
            return self.convert(row)
        except ValueError:  # the 31st of a month without it
            raise RowError(self.session.name, "", "a day that does not exist") from None

    def convert(self, row: Raw) -> Milestone | None:
        """Convert a row of either list, without its project; None if it is not to be reported on.

        Raises `MalformedError`, or ValueError for a day that does not exist.
        """
        raise NotImplementedError

    def unread_row(self, row: Raw, reason: str) -> UnreadRow:
        """Describe a row that cannot be read."""
        number = word_at(fields_of(row), "id").rpartition("/")[2]
        key = f"{self.prefix}{number}" if number else ""
        return UnreadRow(project="", kind=UnreadKind.MILESTONE, reason=reason, id=key, key=key)

    # --- doctor ------------------------------------------------------------------------------------------------------

    def findings(self, projects: Sequence[Project]) -> Iterator[Unread]:
        """One line for each group of these projects without such a list."""
        self.read(projects)
        for group in self.refused:
            yield Unread(project=group, what=self.word, remedy=self.remedy())

    @classmethod
    def remedy(cls) -> str:
        """Return the advice for a server that refuses the list of this kind."""
        return f"they need {cls.licence} and a token that may read the group; else remove them from `containers`"
