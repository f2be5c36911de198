"""Observe status issues: their labels, our comments, and the commands of people.

A person may give commands as an active member of the issue's project, inherited or not, from the role Developer on.
Commands in internal notes are ignored, because every reader of the issue would see their effect.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import UNSET

from connectors.gitlab import api_types
from connectors.gitlab.normalize import number_of, project_of, unread_issue, visibility_of
from connectors.gitlab.session import PROJECT_ERRORS, Session
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


class Observer:
    """Observer of one connection. The first observation fetches our own account's id.

    ``status_labels`` are the labels of status issues that milesync created.
    """

    def __init__(self, session: Session, status_labels: Sequence[str]) -> None:
        self._session, self._status_labels = session, status_labels
        self._own_id: int | None = None
        self._may_write_cache: dict[tuple[int, int], bool] = {}
        self._hidden_members: set[int] = set()

    def observe(self, targets: Sequence[Target]) -> Observed:
        """Read the present status issues. See `Connector.observe`.

        A known status issue that was deleted is a failure, so that no second one is created.
        """
        if self._own_id is None:
            self._own_id = decode(self._session.get("/user"), api_types.User, self._session.name).id
        self._may_write_cache, self._hidden_members = {}, set()
        by_project: dict[str, list[Target]] = defaultdict(list)
        for target in targets:
            by_project[target.project].append(target)
        issues: dict[str, StatusIssue] = {}
        failed: dict[str, Exception] = {}
        labels: dict[str, frozenset[str]] = {}
        claims: dict[str, Claim] = {}
        for project, group in by_project.items():
            try:
                labels[project] = self._labels(project, group[0].project_key)
                rows = self._fetch_known(group, failed) | self._find_by_marker(group, claims, failed)
                for target, result in zip(rows, self._status_issues(rows), strict=True):
                    if isinstance(result, TrackerError):
                        failed[target.milestone] = result
                    else:
                        issues[target.milestone] = result
            except PROJECT_ERRORS as error:
                failed |= {target.milestone: error for target in group}
        return Observed(issues=issues, failed=failed, labels=labels, claims=claims)

    def _labels(self, project: str, key: str) -> frozenset[str]:
        path = path_of("/projects/{}/labels", project)
        rows = self._session.rows(api_types.Label, path, key, include_ancestor_groups="true")
        return frozenset(label.name for label in rows)

    def _fetch_known(self, targets: Iterable[Target], failed: dict[str, Exception]) -> dict[Target, api_types.Issue]:
        """Fetch the status issues with known keys, by number, many in one request."""
        by_path: dict[str, dict[int, list[Target]]] = defaultdict(lambda: defaultdict(list))
        for target in targets:
            if target.issue:
                try:
                    path, number = parse_key(target.issue, target.project, target.project_key)
                except ValueError:
                    detail = f"no status issue {target.issue}; write an issue as group/project#12"
                    failed[target.milestone] = GoneError(self._session.name, target.project_key, detail)
                    continue
                by_path[path][number].append(target)
        rows: dict[Target, api_types.Issue] = {}
        for path, by_number in by_path.items():
            rows |= self._fetch_numbers(path, by_number, failed)
        return rows

    def _fetch_numbers(
        self, path: str, by_number: Mapping[int, list[Target]], failed: dict[str, Exception]
    ) -> dict[Target, api_types.Issue]:
        numbers = sorted(by_number)
        found: dict[Target, api_types.Issue] = {}
        for start in range(0, len(numbers), MAX_NUMBERS):
            batch = numbers[start : start + MAX_NUMBERS]
            key = by_number[batch[0]][0].project_key
            parameters: dict[str, Any] = {"iids[]": batch, "state": "all", "scope": "all"}
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
        self, targets: Sequence[Target], claims: dict[str, Claim], failed: dict[str, Exception]
    ) -> dict[Target, api_types.Issue]:
        """Find the status issues without a known key by label and marker. The oldest of our own issues wins.

        Where no issue is ours, an issue of another account goes into ``claims``. An issue that cannot be read may be
        the status issue of any of them: then all go into ``failed``.
        """
        wanted = {target.milestone: target for target in targets if not target.issue}
        found: dict[Target, api_types.Issue] = {}
        if not wanted:
            return found
        path, key = path_of("/projects/{}/issues", targets[0].project), targets[0].project_key
        for label in self._status_labels:
            parameters: dict[str, Any] = {"labels": label, "state": "all", "scope": "all", "sort": "asc"}
            try:
                issues = self._session.rows(api_types.Issue, path, key, order_by="created_at", **parameters)
            except RowError as error:
                failed |= dict.fromkeys(wanted, error)
                return {}
            for issue in issues:
                marker = find_marker(issue.description or "")
                target = status_issue_of(marker, wanted)
                claimed = target or claimed_target(marker, wanted)
                if target is not None and self._is_ours(issue.author):
                    found.setdefault(target, issue)
                elif claimed is not None and not claimed.ignores(_login(issue.author)):
                    name = issue.references.full
                    claim = Claim(id=name, author=_login(issue.author), marker=marker, issue=name)
                    claims.setdefault(claimed.milestone, claim)
        for target in found:
            claims.pop(target.milestone, None)
        return found

    def _status_issues(self, rows: Mapping[Target, api_types.Issue]) -> list[StatusIssue | TrackerError]:
        """Fetch the threads of these status issues, several at the same time."""
        visibility: dict[int, Visibility] = {}
        for target, issue in rows.items():
            if issue.project_id not in visibility:
                answer = self._session.get(path_of("/projects/{}", issue.project_id), target.project_key)
                project = decode(answer, api_types.Project, self._session.name, target.project_key)
                visibility[issue.project_id] = project_of(project).visibility
        return self._session.caller.map_all(
            lambda pair: self._status_issue(pair[0].project_key, pair[1], visibility[pair[1].project_id]), rows.items()
        )

    def _status_issue(self, key: str, issue: api_types.Issue, project: Visibility) -> StatusIssue | TrackerError:
        try:
            notes = self._session.rows(
                api_types.Note,
                path_of("/projects/{}/issues/{}/notes", issue.project_id, issue.iid),
                key,
                order_by="created_at",
                sort="asc",
                activity_filter="only_comments",
            )
            commands = [self._command(key, issue.project_id, note) for note in notes]
        except PROJECT_ERRORS as error:
            return error
        comments = tuple(comment for note in notes if (comment := self._our_comment(note)) is not None)
        try:
            state_change = self._state_change(key, issue) if notes_closing(comments) else None
        except PROJECT_ERRORS as error:
            return error
        return StatusIssue(
            issue=issue.references.full,
            url=issue.web_url,
            closed=issue.state == "closed",
            labels=tuple(issue.labels),
            comments=comments,
            marker=find_marker(issue.description or "") if self._is_ours(issue.author) else "",
            visibility=visibility_of(issue, project),
            asked=tuple(command for command in commands if command is not None),
            is_open_to_commands=issue.project_id not in self._hidden_members,
            health=None if issue.health_status is UNSET else issue.health_status or "",
            claims=tuple(
                Claim(id=str(note.id), author=_login(note.author), marker=find_marker(note.body), body=note.body)
                for note in notes
                if not note.system and not self._is_ours(note.author) and find_marker(note.body)
            ),
            state_change=state_change,
        )

    def _state_change(self, key: str, issue: api_types.Issue) -> StateChange | None:
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
            at=note.updated_at or note.created_at,
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
            created_at=note.created_at,
            updated_at=note.updated_at or note.created_at,
        )

    def _is_ours(self, author: api_types.User | None) -> bool:
        return author is not None and author.id == self._own_id


def _login(author: api_types.User | None) -> str:
    return author.username if author else ""
