"""Observe status issues: their labels, our comments and the commands of people, from every page of the thread.

A person may give commands with the permission to edit the issue. Jira lists permissions to administrators of the
project only; with any other token the commands of other accounts are ignored. So are commands in a comment that only
some readers may see.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from connectors.jira import api_types, jql
from connectors.jira.attachments import files_of, obstacles_to_attaching
from connectors.jira.comment_text import lines_of
from connectors.jira.looks import look_at, unchanged
from connectors.jira.normalize import is_done, last_state_change, to_utc
from connectors.jira.permissions import shown_permissions
from connectors.jira.search import ORDER, token_pages
from connectors.jira.session import PROJECT_ERRORS, Session
from connectors.jira.status_issues import PROPERTY, StatusIssueReader, Thread, has_whole_changelog, project_key
from connectors.jira.transitions import choose_transition, transition_setting
from connectors.shared.responses import decode_row, reading
from sync.model.tracker_data import Visibility
from sync.tracker.errors import GoneError, RefusedError, TrackerError
from sync.tracker.marker import claimed_target, notes_closing, status_issue_of
from sync.tracker.observed import Claim, CommandComment, Observed, OurComment, StateChange, StatusIssue, Target

__all__ = ["Observer", "marker_in", "status_labels"]

_KEYS = 1000
"""Issue keys in one request."""


def status_labels(session: Session) -> tuple[str, ...]:
    """The labels that status issues are found by."""
    return session.list_option("status_labels") or ("milestone-status",)


def marker_in(properties: Mapping[str, Any] | Sequence[api_types.Property] | None) -> str:
    """Find the marker among entity properties; empty without one."""
    if properties is None:
        return ""
    by_key = properties if isinstance(properties, Mapping) else {entry.key: entry.value for entry in properties}
    value = by_key.get(PROPERTY)
    marker = value.get("marker") if isinstance(value, Mapping) else None
    return marker if isinstance(marker, str) else ""


class Observer:
    """Observer of one connection."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._reader = StatusIssueReader(session)
        self._shows_permissions: dict[str, bool] = {}

    def observe(self, targets: Sequence[Target]) -> Observed:
        """Read the present status issues. See `Connector.observe`.

        Jira creates labels by itself, so none are listed.
        """
        failed: dict[str, TrackerError] = {}
        same = unchanged(self._session, targets, self._session.clock())
        chosen, claims = self._choose([target for target in targets if target.milestone not in same], failed)
        places = {uid: last.issue for uid, last in same.items()} | {uid: row.key for uid, row in chosen.items()}
        # whether a project is still open to commands matters to issues with commands, which are read again
        is_open = {uid for uid, last in same.items() if last.is_open_to_commands}
        asking = [target for target in targets if target.milestone not in is_open]
        projects = self._projects(asking, places, failed)
        rows = {row.id: row for milestone, row in chosen.items() if milestone not in failed}
        threads = self._reader.threads(list(rows.values()))
        obstacles = obstacles_to_attaching(self._session, targets)
        issues: dict[str, StatusIssue] = {}
        for target in targets:
            uid = target.milestone
            if uid in failed or uid not in places:
                continue
            obstacle = obstacles.get(target.project_key, "") if target.attaching else ""
            try:
                if uid in same:
                    issues[uid] = self._again(same[uid], obstacle)
                else:
                    issues[uid] = self._read(target, chosen[uid], threads[chosen[uid].id], obstacle)
            except PROJECT_ERRORS as error:
                failed[uid] = error
        absent = {target.milestone for target in targets} - issues.keys() - failed.keys()
        return Observed(
            issues=issues,
            failed=failed,
            claims={uid: claims[uid] for uid in absent & claims.keys()},
            closed_to_commands=frozenset(
                uid for uid, key in projects.items() if uid not in issues and not self._shows_permissions[key]
            ),
        )

    def _choose(
        self, targets: Sequence[Target], failed: dict[str, TrackerError]
    ) -> tuple[dict[str, api_types.StatusIssue], dict[str, Claim]]:
        """Return the status issue of each milestone (uid), and claims of other accounts. Errors go into ``failed``."""
        unknown = [target for target in targets if not target.issue]
        candidates = self._candidate_keys(unknown, failed)
        keys = dict.fromkeys([*(target.issue for target in targets if target.issue), *candidates])
        fetched = self._reader.issues(list(keys))
        found = [row for key in candidates if isinstance(row := fetched[key], api_types.StatusIssue)]
        by_milestone, claims = self._match(found, {target.milestone: target for target in unknown})
        # a candidate that cannot be read may be the status issue of any milestone of its project without another
        unread = {
            project_key(key): row
            for key in candidates
            if isinstance(row := fetched[key], TrackerError) and not isinstance(row, GoneError)
        }
        failed |= {
            target.milestone: unread[target.project_key]
            for target in unknown
            if target.milestone not in by_milestone and target.project_key in unread
        }
        chosen: dict[str, api_types.StatusIssue] = {}
        for target in targets:
            result = fetched.get(target.issue) if target.issue else by_milestone.get(target.milestone)
            if isinstance(result, TrackerError):
                failed[target.milestone] = result
            elif result is not None:
                chosen[target.milestone] = result
        return chosen, claims

    def _again(self, last: StatusIssue, obstacle: str) -> StatusIssue:
        """Return an observation that still holds, with what the account may do now."""
        return msgspec.structs.replace(
            last,
            is_open_to_commands=self._shows_permissions.get(project_key(last.issue), last.is_open_to_commands),
            files=last.files and msgspec.structs.replace(last.files, why=obstacle),
        )

    def _projects(
        self, targets: Sequence[Target], places: Mapping[str, str], failed: dict[str, TrackerError]
    ) -> dict[str, str]:
        """Return the project (key) of each milestone's status issue, present or future, with its permissions read.

        ``places`` are the keys of the present ones. A milestone of a project that cannot be read goes into ``failed``.
        """
        own = {target.project_key: target.project for target in targets}
        projects = {
            target.milestone: project_key(places[target.milestone])
            if target.milestone in places
            else target.project_key
            for target in targets
            if target.milestone not in failed
        }
        answers = shown_permissions(self._session, {key: own.get(key, "") for key in projects.values()})
        self._shows_permissions = {key: answer for key, answer in answers.items() if isinstance(answer, bool)}
        errors = {key: answer for key, answer in answers.items() if isinstance(answer, TrackerError)}
        failed |= {milestone: errors[key] for milestone, key in projects.items() if key in errors}
        return {milestone: key for milestone, key in projects.items() if key not in errors}

    # --- search ----------------------------------------------------------------------------------------------------

    def _candidate_keys(self, targets: Sequence[Target], failed: dict[str, TrackerError]) -> list[str]:
        """The keys of issues with a status label in the targets' projects.

        One query for all projects. If Jira refuses it, one for each half of them, and errors go into ``failed``.
        """
        projects = list(dict.fromkeys(target.project_key for target in targets))
        if not projects:
            return []
        try:
            return self._labelled_keys(projects)
        except PROJECT_ERRORS as error:
            if len(projects) == 1:
                failed.update((target.milestone, error) for target in targets)
                return []
        keys: dict[str, None] = {}
        for half in jql.halves(projects):
            own = [target for target in targets if target.project_key in half]
            keys |= dict.fromkeys(self._candidate_keys(own, failed))
        return list(keys)

    def _labelled_keys(self, projects: Sequence[str]) -> list[str]:
        labels = jql.any_of("labels", status_labels(self._session))
        query = f"{jql.any_of('project', projects)} AND {labels}{ORDER}"
        is_cloud = self._session.is_cloud
        pages = token_pages(self._session, query, ["key"], _KEYS) if is_cloud else self._offset_pages(query)
        rows = (decode_row(raw, api_types.IssueKey, self._session.name) for page in pages for raw in page.issues)
        keys = [row.key for row in rows]
        return list(dict.fromkeys(keys))

    def _offset_pages(self, query: str) -> Iterator[api_types.SearchPage]:
        start, guard = 0, self._session.caller.guard("")
        while True:
            body = {"jql": query, "startAt": start, "maxResults": _KEYS, "fields": ["key"]}
            page = self._session.read(api_types.SearchPage, "search", body=body)
            yield page
            start += len(page.issues)
            if start >= page.total:
                return
            guard.check(len(page.issues), tuple(map(bytes, page.issues)), start)

    def _match(
        self, rows: Sequence[api_types.StatusIssue], wanted: Mapping[str, Target]
    ) -> tuple[dict[str, api_types.StatusIssue], dict[str, Claim]]:
        """Find the status issue of each milestone (uid) by marker: our oldest issue, and claims of other accounts."""
        found: dict[str, api_types.StatusIssue] = {}
        claims: dict[str, Claim] = {}
        for row in sorted(rows, key=lambda row: int(row.id) if row.id.isdecimal() else 0):
            marker, author = marker_in(row.properties), row.fields.creator
            target = status_issue_of(marker, wanted)
            claimed = target or claimed_target(marker, wanted)
            if target is not None and self._is_us(author):
                found.setdefault(target.milestone, row)
            elif claimed is not None and not claimed.ignores(_login(author)):
                claim = Claim(id=row.key, author=_login(author), marker=marker, issue=row.key)
                claims.setdefault(claimed.milestone, claim)
        return found, claims

    def _is_us(self, author: api_types.User | None) -> bool:
        return author is not None and author.id == self._session.own_account.id

    # --- status issues ----------------------------------------------------------------------------------------------

    def _read(
        self, target: Target, row: api_types.StatusIssue, thread: Thread | TrackerError, obstacle: str
    ) -> StatusIssue:
        """Convert a status issue. ``obstacle``: why no picture can be attached. Raises an error of this issue."""
        if isinstance(thread, TrackerError):
            raise thread
        session = self._session
        with reading(session.name, project_key(row.key), row.key):
            return msgspec.structs.replace(
                self._status_issue(row, thread),
                files=files_of(session, row.fields.attachment, obstacle),
                look=look_at(session, row.fields.updated, thread, target, session.clock()),
            )

    def _status_issue(self, row: api_types.StatusIssue, thread: Thread) -> StatusIssue:
        fields = row.fields
        marked = [(comment, self._is_us(comment.author), marker_in(comment.properties)) for comment in thread]
        others = [(comment, by_us) for comment, by_us, marker in marked if not (by_us and marker)]
        comments = tuple(
            OurComment(
                id=comment.id,
                marker=marker,
                body=_text(comment.body),
                created_at=to_utc(comment.created),
                updated_at=to_utc(comment.updated),
            )
            for comment, by_us, marker in marked
            if by_us and marker
        )
        is_closed = is_done(fields)
        return StatusIssue(
            issue=row.key,
            url=f"{self._session.site}/browse/{row.key}",
            closed=is_closed,
            labels=tuple(fields.labels or ()),
            comments=comments,
            marker=marker_in(row.properties) if self._is_us(fields.creator) else "",
            visibility=Visibility.CONFIDENTIAL if fields.security else Visibility.PROJECT,
            asked=tuple(self._commands(row, others)),
            is_open_to_commands=self._shows_permissions[project_key(row.key)],
            claims=tuple(
                Claim(id=comment.id, author=_login(comment.author), marker=marker, body=_text(comment.body))
                for comment, by_us, marker in marked
                if marker and not by_us
            ),
            state_change=self._state_change(row) if notes_closing(comments) else None,
            state_obstacle=self._state_obstacle(row, closed=not is_closed),
        )

    def _state_change(self, row: api_types.StatusIssue) -> StateChange | None:
        """Return the last closing or reopening, by the changelog."""
        histories = row.changelog.histories if row.changelog else ()
        change = last_state_change(row.fields, histories, self._session.categories) if histories else None
        if change is None and not has_whole_changelog(row):
            whole = self._reader.issue(row.key)
            if isinstance(whole, TrackerError):
                raise whole
            histories = whole.changelog.histories if whole.changelog else ()
            change = last_state_change(row.fields, histories, self._session.categories)
        if change is None:
            return None
        at, actor = change
        return StateChange(at=at, by_us=actor is not None and actor.id == self._session.own_account.id)

    def _state_obstacle(self, row: api_types.StatusIssue, *, closed: bool) -> str:
        """Return the reason why the issue cannot be closed (``closed``) or reopened; empty if it can."""
        name = str(self._session.options.get(transition_setting(closed=closed)) or "")
        chosen = choose_transition(row.transitions or (), closed=closed, name=name)
        return chosen if isinstance(chosen, str) else ""

    # --- commands --------------------------------------------------------------------------------------------------

    def _commands(
        self, row: api_types.StatusIssue, comments: Sequence[tuple[api_types.Comment, bool]]
    ) -> Iterator[CommandComment]:
        """Yield the commands in comments, each with whether our account wrote it.

        The permission of each author is asked for once.
        """
        may_write: dict[str, bool] = {}
        for comment, by_us in comments:
            lines, author = self._lines(row.key, comment), comment.author
            if not lines or author is None or comment.visibility or not comment.jsdPublic:
                continue
            if author.id not in may_write:
                may_write[author.id] = by_us or self._may_write(row.key, author)
            yield CommandComment(
                id=comment.id,
                author=author.id,
                name=author.displayName or _login(author),
                may_write=may_write[author.id],
                at=to_utc(comment.updated),
                text=lines,
            )

    def _lines(self, key: str, comment: api_types.Comment) -> str:
        with reading(self._session.name, project_key(key), f"comment {comment.id} of {key}"):
            return lines_of(comment.body)

    def _may_write(self, key: str, user: api_types.User) -> bool:
        project = project_key(key)
        if not self._shows_permissions[project]:
            return False
        account = {"accountId": user.accountId} if user.accountId else {"username": user.name or ""}
        query = {"permissions": "EDIT_ISSUES", "issueKey": key, **account}
        try:
            users = self._session.read(list[api_types.User], "user/permission/search", query, project=project)
        except (GoneError, RefusedError):
            return False
        return any(entry.id == user.id for entry in users)


def _login(author: api_types.User | None) -> str:
    """The written name of an account: its user name on Data Center, its id on Cloud."""
    return (author.name or author.id) if author else ""


def _text(body: Any) -> str:
    """Wiki markup unchanged, or an ADF document as JSON text in the form that we send."""
    return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
