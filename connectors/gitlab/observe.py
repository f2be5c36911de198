"""Observe status issues: their labels, our comments, and the commands of people.

A person may give commands as an active member of the issue's project, inherited or not, from the role Developer on.
Commands in internal notes are ignored, because every reader of the issue would see their effect.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import UNSET, Struct

from connectors.gitlab import api_types
from connectors.gitlab.issue_pages import ALL
from connectors.gitlab.normalize import number_of, project_of, unread_issue, visibility_of
from connectors.gitlab.session import PROJECT_ERRORS, Session
from connectors.gitlab.threads import Candidate, Place, Thread, read_places, read_threads
from connectors.shared.paths import path_of
from connectors.shared.responses import RowError, decode
from sync.model.tracker_data import Visibility
from sync.tracker.errors import GoneError, RefusedError, TrackerError
from sync.tracker.marker import claimed_target, find_marker, notes_closing, status_issue_of
from sync.tracker.observed import Claim, CommandComment, Observed, OurComment, StateChange, StatusIssue, Target
from sync.tracker.slash_commands import command_lines

__all__ = ["Observer", "parse_key"]

MAX_NUMBERS = 50
"""Issue numbers in one request: more would make its address too long."""

DEVELOPER = 30
"""Access level of the lowest role that may write."""


def parse_key(issue: str, project: str, project_key: str) -> tuple[str, int]:
    """Parse ``group/project#12``, ``#12`` or ``12`` to the API path of the issue's project and its number there.

    Raises ValueError for any other text.
    """
    path, _, number = issue.rpartition("#")
    if path in ("", project_key):
        return path_of("/projects/{}", project), int(number)
    return path_of("/projects/{}", path), int(number)


class _Address(Struct, frozen=True):
    """Place of a status issue: the API path of its project, the project's path, and the issue's number there."""

    path: str
    project: str
    number: int

    @classmethod
    def of(cls, target: Target) -> _Address:
        """Parse the key of a target's issue. Raises ValueError."""
        path, number = parse_key(target.issue, target.project, target.project_key)
        return cls(path, target.issue.rpartition("#")[0] or target.project_key, number)


class _Search(Struct):
    """Result of the search for the status issues of a project (id)."""

    project: str
    labels: frozenset[str] | None = None
    addresses: dict[Target, _Address] = {}
    rows: dict[Target, api_types.Issue] = {}
    claims: dict[str, Claim] = {}
    failed: dict[str, Exception] = {}


class _Labelled(Struct, frozen=True):
    """Issue with a status label. ``row`` is its row by REST."""

    number: int
    name: str
    description: str
    author: api_types.User | None
    row: api_types.Issue | None = None

    @classmethod
    def of_graphql(cls, row: Candidate, project: str) -> _Labelled:
        """Convert a candidate of a project (path)."""
        author = row.author.user if row.author else None
        return cls(int(row.iid), f"{project}#{row.iid}", row.description or "", author)


class _StatusRow(Struct, frozen=True):
    """Fields of a status issue. ``name`` is its key; ``health`` is None without a licence for it."""

    project_id: int
    iid: int
    name: str
    url: str
    is_closed: bool
    labels: tuple[str, ...]
    description: str
    author: api_types.User | None
    confidential: bool | None
    health: str | None

    @classmethod
    def of(cls, row: api_types.Issue) -> _StatusRow:
        """Convert a row by REST."""
        return cls(
            project_id=row.project_id,
            iid=row.iid,
            name=row.references.full,
            url=row.web_url,
            is_closed=row.state == "closed",
            labels=tuple(row.labels),
            description=row.description or "",
            author=row.author,
            confidential=row.confidential,
            health=None if row.health_status is UNSET else row.health_status or "",
        )


class Observer:
    """Observer of one connection. The first observation fetches our own account's id.

    ``status_labels`` are the labels of status issues that milesync created.
    """

    def __init__(self, session: Session, status_labels: Sequence[str]) -> None:
        self._session, self._status_labels = session, status_labels
        self._own_id: int | None = None
        self._visibility: dict[int, Visibility] = {}
        self._has_health: dict[str, bool] = {}
        """Whether the top-level groups have a licence for the health status."""
        self._may_write_cache: dict[tuple[int, int], bool] = {}
        self._hidden_members: set[int] = set()

    def observe(self, targets: Sequence[Target]) -> Observed:
        """Read the present status issues. See `Connector.observe`.

        A known status issue that was deleted is a failure, so that no second one is created.
        """
        self._may_write_cache, self._hidden_members, self._visibility = {}, set(), {}
        by_project: dict[str, list[Target]] = defaultdict(list)
        for target in targets:
            by_project[target.project].append(target)
        status_labels = self._status_labels if any(not target.issue for target in targets) else ()
        places = read_places(self._session, list(by_project), status_labels)
        self._visibility = {int(id_): place.visibility for id_, place in places.by_id.items() if place.visibility}
        if self._own_id is None:
            account = places.account or decode(self._session.get("/user"), api_types.User, self._session.name)
            self._own_id = account.id
        map_all, groups = self._session.caller.map_all, list(by_project.values())
        searches = map_all(lambda group: self._search(group, places.by_id.get(group[0].project, Place())), groups)
        wanted: dict[str, dict[int, None]] = defaultdict(dict)
        ids: dict[str, str] = {}
        for search in searches:
            for address in search.addresses.values():
                wanted[address.project][address.number] = None
                if address.path == path_of("/projects/{}", search.project):
                    ids[address.project] = search.project
        login = places.account.username if places.account else ""
        threads = read_threads(self._session, {path: list(numbers) for path, numbers in wanted.items()}, ids, login)
        self._read_licences(threads.values())
        issues: dict[str, StatusIssue] = {}
        for search, results in zip(
            searches, map_all(lambda search: self._status_issues(search, threads), searches), strict=True
        ):
            for target, result in results.items():
                if isinstance(result, TrackerError):
                    search.failed[target.milestone] = result
                else:
                    issues[target.milestone] = result
        return Observed(
            issues=issues,
            failed={uid: error for search in searches for uid, error in search.failed.items()},
            labels={search.project: search.labels for search in searches if search.labels is not None},
            claims={uid: claim for search in searches for uid, claim in search.claims.items()},
        )

    def _search(self, targets: Sequence[Target], place: Place) -> _Search:
        """Find the status issues of a project's milestones: where they are, and what cannot be found."""
        search = _Search(targets[0].project)
        try:
            key = targets[0].project_key
            search.labels = self._labels(search.project, key) if place.labels is None else place.labels
            for target in targets:
                if target.issue:
                    try:
                        search.addresses[target] = _Address.of(target)
                    except ValueError:
                        detail = f"no status issue {target.issue}; write an issue as group/project#12"
                        search.failed[target.milestone] = GoneError(self._session.name, target.project_key, detail)
            self._find_by_marker(targets, search, place.candidates)
        except PROJECT_ERRORS as error:
            search.addresses.clear()
            search.failed |= {target.milestone: error for target in targets}
        return search

    def _labels(self, project: str, key: str) -> frozenset[str]:
        path = path_of("/projects/{}/labels", project)
        rows = self._session.rows(api_types.Label, path, key, include_ancestor_groups="true")
        return frozenset(label.name for label in rows)

    def _fetch_numbers(
        self, path: str, by_number: Mapping[int, list[Target]], failed: dict[str, Exception]
    ) -> dict[Target, api_types.Issue]:
        """Fetch status issues by their numbers, many in one request."""
        numbers = sorted(by_number)
        found: dict[Target, api_types.Issue] = {}
        for start in range(0, len(numbers), MAX_NUMBERS):
            batch = numbers[start : start + MAX_NUMBERS]
            key = by_number[batch[0]][0].project_key
            parameters: dict[str, Any] = {"iids[]": batch, **ALL}
            try:
                rows = self._session.readable_rows(api_types.Issue, f"{path}/issues", key, unread_issue, **parameters)
            except PROJECT_ERRORS as error:
                failed |= {target.milestone: error for number in batch for target in by_number[number]}
                continue
            existing = {row.iid: row for row in rows.read}
            unread = {number_of(row): row.reason for row in rows.unread}
            for number in batch:
                for target in by_number[number]:
                    if number in existing:
                        found[target] = existing[number]
                    elif rows.unread and (number in unread or None in unread):
                        detail = f"the status issue #{number}: {unread.get(number, unread.get(None))}"
                        failed[target.milestone] = RowError(self._session.name, target.project_key, detail)
                    else:
                        detail = f"the status issue #{number} does not exist"
                        failed[target.milestone] = GoneError(self._session.name, target.project_key, detail)
        return found

    def _find_by_marker(
        self, targets: Sequence[Target], search: _Search, candidates: Sequence[Candidate] | None
    ) -> None:
        """Find the status issues without a known key by label and marker. The oldest of our own issues wins.

        Where no issue is ours, an issue of another account becomes a claim. An issue that cannot be read may be the
        status issue of any of them: then all fail. ``candidates`` are the issues with a status label; None: REST is
        asked for them.
        """
        wanted = {target.milestone: target for target in targets if not target.issue}
        if not wanted:
            return
        path, key = path_of("/projects/{}", search.project), targets[0].project_key
        try:
            found = [_Labelled.of_graphql(row, key) for row in candidates] if candidates is not None else []
            for label in self._status_labels if candidates is None else ():
                parameters: dict[str, Any] = {"labels": label, "sort": "asc", **ALL}
                rows = self._session.rows(api_types.Issue, f"{path}/issues", key, order_by="created_at", **parameters)
                found += (
                    _Labelled(row.iid, row.references.full, row.description or "", row.author, row) for row in rows
                )
        except RowError as error:
            search.failed |= dict.fromkeys(wanted, error)
            return
        for issue in found:
            marker = find_marker(issue.description)
            target = status_issue_of(marker, wanted)
            claimed = target or claimed_target(marker, wanted)
            if target is not None and self._is_ours(issue.author):
                if target not in search.addresses:
                    search.addresses[target] = _Address(path, key, issue.number)
                    search.rows |= {target: issue.row} if issue.row else {}
            elif claimed is not None and not claimed.ignores(_login(issue.author)):
                claim = Claim(id=issue.name, author=_login(issue.author), marker=marker, issue=issue.name)
                search.claims.setdefault(claimed.milestone, claim)
        for target in search.addresses:
            search.claims.pop(target.milestone, None)

    # --- threads -----------------------------------------------------------------------------------------------------

    def _status_issues(
        self, search: _Search, threads: Mapping[tuple[str, int], Thread]
    ) -> dict[Target, StatusIssue | TrackerError]:
        """Return the status issues that were found: those of ``threads``, the others read by REST."""
        found: dict[Target, tuple[_StatusRow, list[api_types.Note] | None]] = {}
        rest: dict[str, dict[int, list[Target]]] = defaultdict(lambda: defaultdict(list))
        rows, own = dict(search.rows), path_of("/projects/{}", search.project)
        try:
            for target, address in search.addresses.items():
                thread = threads.get((address.project, address.number))
                # since the last pull, the path of a project may have become that of another one
                if thread is not None and (address.path != own or str(thread.project) == search.project):
                    found[target] = self._row_of(thread), thread.notes
                elif target not in rows:
                    rest[address.path][address.number].append(target)
            for path, by_number in rest.items():
                rows |= self._fetch_numbers(path, by_number, search.failed)
            found |= {target: (_StatusRow.of(row), None) for target, row in rows.items() if target not in found}
            for target, (row, _) in found.items():
                self._read_visibility(row.project_id, target.project_key)
        except PROJECT_ERRORS as error:
            return dict.fromkeys(search.addresses, error)
        results = self._session.caller.map_all(
            lambda item: self._status_issue(item[0].project_key, *item[1]), found.items()
        )
        return dict(zip(found, results, strict=True))

    def _read_visibility(self, project: int, key: str) -> None:
        """Fetch the visibility of a project, once in an observation."""
        if project not in self._visibility:
            answer = self._session.get(path_of("/projects/{}", project), key)
            self._visibility[project] = project_of(
                decode(answer, api_types.Project, self._session.name, key)
            ).visibility

    def _row_of(self, thread: Thread) -> _StatusRow:
        row = thread.row
        return _StatusRow(
            project_id=thread.project,
            iid=int(row.iid),
            name=row.reference,
            url=row.web_url,
            is_closed=row.state == "closed",
            labels=tuple(label.title for label in row.labels.nodes),
            description=row.description or "",
            author=row.author.user if row.author else None,
            confidential=row.confidential,
            health=self._health(thread),
        )

    def _health(self, thread: Thread) -> str | None:
        """Return the health status, empty without one; None without a licence for it."""
        value = thread.row.health_status
        if value is UNSET:
            return None
        if value:
            return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", str(value))
        return "" if self._has_health.get(_top_group(thread)) else None

    def _read_licences(self, threads: Iterable[Thread]) -> None:
        """Find out where a missing health status means none, and where it means no licence: GraphQL shows the same.

        REST is asked for one issue of each top-level group. Where it cannot answer, no health is set in this run.
        """
        unclear = {_top_group(thread): thread for thread in threads if thread.row.health_status is None}

        def is_licensed(group: str) -> bool | None:
            thread = unclear[group]
            path, parameters = path_of("/projects/{}/issues", thread.project), {"iids[]": [thread.row.iid], **ALL}
            try:
                rows = self._session.rows(api_types.Issue, path, group, **parameters)
            except PROJECT_ERRORS:
                return None
            return any(row.health_status is not UNSET for row in rows)

        groups = [group for group in unclear if group not in self._has_health]
        answers = zip(groups, self._session.caller.map_all(is_licensed, groups), strict=True)
        self._has_health |= {group: answer for group, answer in answers if answer is not None}

    def _status_issue(
        self, key: str, row: _StatusRow, notes: list[api_types.Note] | None
    ) -> StatusIssue | TrackerError:
        """Return a status issue. ``notes`` are its comments; None: they are read by REST."""
        try:
            notes = self._notes(key, row) if notes is None else notes
            commands = [self._command(key, row.project_id, note) for note in notes]
        except PROJECT_ERRORS as error:
            return error
        comments = tuple(comment for note in notes if (comment := self._our_comment(note)) is not None)
        try:
            state_change = self._state_change(key, row) if notes_closing(comments) else None
        except PROJECT_ERRORS as error:
            return error
        return StatusIssue(
            issue=row.name,
            url=row.url,
            closed=row.is_closed,
            labels=row.labels,
            comments=comments,
            marker=find_marker(row.description) if self._is_ours(row.author) else "",
            visibility=visibility_of(row.confidential, self._visibility[row.project_id]),
            asked=tuple(command for command in commands if command is not None),
            is_open_to_commands=row.project_id not in self._hidden_members,
            health=row.health,
            claims=tuple(
                Claim(id=str(note.id), author=_login(note.author), marker=find_marker(note.body), body=note.body)
                for note in notes
                if not note.system and not self._is_ours(note.author) and find_marker(note.body)
            ),
            state_change=state_change,
        )

    def _notes(self, key: str, row: _StatusRow) -> list[api_types.Note]:
        """Fetch the comments by REST, oldest first."""
        path = path_of("/projects/{}/issues/{}/notes", row.project_id, row.iid)
        parameters = {"order_by": "created_at", "sort": "asc", "activity_filter": "only_comments"}
        return self._session.rows(api_types.Note, path, key, **parameters)

    def _state_change(self, key: str, issue: _StatusRow) -> StateChange | None:
        """Return the last closing or reopening. It takes a request, as an issue does not say who reopened it."""
        path = path_of("/projects/{}/issues/{}/resource_state_events", issue.project_id, issue.iid)
        events = sorted(self._session.rows(api_types.StateEvent, path, key), key=lambda event: event.created_at)
        return StateChange(at=events[-1].created_at, by_us=self._is_ours(events[-1].user)) if events else None

    def _command(self, key: str, project: int, note: api_types.Note) -> CommandComment | None:
        """The command in a person's note, if any. GitLab leaves it in the text, as it is no quick action."""
        lines, author = command_lines(note.body), note.author
        by_us = self._is_ours(author)
        if not lines or note.system or note.internal or note.confidential or (by_us and find_marker(note.body)):
            return None
        if author is None or note.created_at is None:
            return None
        return CommandComment(
            id=str(note.id),
            author=str(author.id),
            name=author.name or author.username,
            may_write=by_us or self._may_write(key, project, author.id),
            at=_second(note.updated_at or note.created_at),
            text=lines,
        )

    def _may_write(self, key: str, project: int, user: int) -> bool:
        """Return whether a user may write; asked once per observation, and only for authors of commands."""
        if (project, user) not in self._may_write_cache:
            try:
                answer = self._session.get(path_of("/projects/{}/members/all/{}", project, user), key)
                member = decode(answer, api_types.Member, self._session.name, key)
            except GoneError:
                member = api_types.Member()
            except RefusedError:
                member = api_types.Member()
                self._hidden_members.add(project)
            self._may_write_cache[project, user] = member.access_level >= DEVELOPER and member.state == "active"
        return self._may_write_cache[project, user]

    def _our_comment(self, note: api_types.Note) -> OurComment | None:
        marker = find_marker(note.body)
        if not marker or note.system or not self._is_ours(note.author):
            return None
        if note.id is None or note.created_at is None:
            return None
        return OurComment(
            id=str(note.id),
            marker=marker,
            body=note.body,
            created_at=_second(note.created_at),
            updated_at=_second(note.updated_at or note.created_at),
        )

    def _is_ours(self, author: api_types.User | None) -> bool:
        return author is not None and author.id == self._own_id


def _top_group(thread: Thread) -> str:
    return thread.row.reference.partition("/")[0]


def _second(at: datetime) -> datetime:
    """Cut a time (UTC) to seconds, as in GraphQL, so that both ways of reading give the same."""
    return at.astimezone(UTC).replace(microsecond=0)


def _login(author: api_types.User | None) -> str:
    return author.username if author else ""
