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
from connectors.jira.normalize import is_done, last_state_change, to_utc
from connectors.jira.permissions import shows_permissions
from connectors.jira.search import ORDER, token_pages
from connectors.jira.session import PROJECT_ERRORS, Session
from connectors.jira.transitions import choose_transition, transition_setting
from connectors.shared.paths import path_of
from connectors.shared.responses import decode_row, reading
from sync.model.tracker_data import Visibility
from sync.tracker.errors import GoneError, RefusedError, TrackerError
from sync.tracker.marker import claimed_target, notes_closing, status_issue_of
from sync.tracker.observed import Claim, CommandComment, Observed, OurComment, StateChange, StatusIssue, Target

__all__ = ["PROPERTY", "Observer", "marker_in", "status_labels"]

PROPERTY = "milesync"
"""Entity property that carries a marker, on comments and on status issues."""

_COMMENTS, _KEYS = 100, 1000
"""Comments, and issue keys, in one request."""

Thread = Sequence[tuple[api_types.Comment, bool]]
"""Comments with a marker or a command, each with whether our account wrote it."""


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
        self._shows_permissions: dict[str, bool] = {}

    def observe(self, targets: Sequence[Target]) -> Observed:
        """Read the present status issues. See `Connector.observe`.

        Jira creates labels by itself, so none are listed.
        """
        map_all = self._session.caller.map_all
        failed: dict[str, TrackerError] = {}
        unknown = [target for target in targets if not target.issue]
        candidates = self._candidate_keys(unknown, failed)
        keys = list(dict.fromkeys([*(target.issue for target in targets if target.issue), *candidates]))
        fetched = dict(zip(keys, map_all(self._fetch, keys), strict=True))
        found = [row for key in candidates if isinstance(row := fetched[key], api_types.StatusIssue)]
        by_milestone, claims = self._match(found, {target.milestone: target for target in unknown})
        # a candidate that cannot be read may be the status issue of any milestone of its project without another
        unread = {
            _project_of(key): row
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
        projects = self._projects(targets, chosen, failed)
        rows = {row.id: row for milestone, row in chosen.items() if milestone not in failed}
        threads = dict(zip(rows, map_all(self._fetch_thread, rows.values()), strict=True))
        why = obstacles_to_attaching(self._session, targets)
        project_keys = {target.milestone: target.project_key for target in targets if target.attaching}
        issues: dict[str, StatusIssue] = {}
        for milestone, row in chosen.items():
            thread = threads.get(row.id)
            if isinstance(thread, TrackerError):
                failed[milestone] = thread
            elif thread is not None:
                obstacle = why.get(project_keys.get(milestone, ""), "")
                files = files_of(self._session, row.fields.attachment, obstacle)
                try:
                    with reading(self._session.name, _project_of(row.key), row.key):
                        issues[milestone] = msgspec.structs.replace(self._status_issue(row, thread), files=files)
                except PROJECT_ERRORS as error:
                    failed[milestone] = error
        absent = {target.milestone for target in targets} - issues.keys() - failed.keys()
        return Observed(
            issues=issues,
            failed=failed,
            claims={uid: claims[uid] for uid in absent & claims.keys()},
            closed_to_commands=frozenset(
                uid for uid, key in projects.items() if uid not in issues and not self._shows_permissions[key]
            ),
        )

    def _projects(
        self, targets: Sequence[Target], chosen: Mapping[str, api_types.StatusIssue], failed: dict[str, TrackerError]
    ) -> dict[str, str]:
        """Return the project (key) of each milestone's status issue, present or future, with its permissions read.

        A milestone of a project that cannot be read goes into ``failed``.
        """
        projects = {
            target.milestone: _project_of(chosen[target.milestone].key)
            if target.milestone in chosen
            else target.project_key
            for target in targets
            if target.milestone not in failed
        }
        keys = list(dict.fromkeys(projects.values()))
        answers = self._session.caller.map_all(lambda key: shows_permissions(self._session, key), keys)
        by_key = dict(zip(keys, answers, strict=True))
        self._shows_permissions = {key: answer for key, answer in by_key.items() if isinstance(answer, bool)}
        errors = {key: answer for key, answer in by_key.items() if isinstance(answer, TrackerError)}
        failed |= {milestone: errors[key] for milestone, key in projects.items() if key in errors}
        return {milestone: key for milestone, key in projects.items() if key not in errors}

    # --- search ----------------------------------------------------------------------------------------------------

    def _candidate_keys(self, targets: Sequence[Target], failed: dict[str, TrackerError]) -> list[str]:
        """The keys of issues with a status label in the targets' projects.

        One query for all projects. If Jira refuses it, one query for each project, and errors go into ``failed``.
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
        for project in projects:
            own = [target for target in targets if target.project_key == project]
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

    def _fetch(self, key: str) -> api_types.StatusIssue | TrackerError:
        query = {
            "fields": "status,labels,resolution,resolutiondate,creator,security,attachment",
            "properties": PROPERTY,
            "expand": "transitions,changelog",
        }
        try:
            return self._session.read(api_types.StatusIssue, path_of("issue/{}", key), query, project=_project_of(key))
        except PROJECT_ERRORS as error:
            return error

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

    # --- threads ---------------------------------------------------------------------------------------------------

    def _fetch_thread(self, row: api_types.StatusIssue) -> Thread | TrackerError:
        thread: list[tuple[api_types.Comment, bool]] = []
        start, guard = 0, self._session.caller.guard(_project_of(row.key))
        try:
            while True:
                query = {"startAt": start, "maxResults": _COMMENTS, "orderBy": "created", "expand": "properties"}
                path = path_of("issue/{}/comment", row.key)
                page = self._session.read(api_types.CommentPage, path, query, project=_project_of(row.key))
                start += len(page.comments)
                thread += [
                    (comment, self._is_us(comment.author))
                    for comment in page.comments
                    if marker_in(comment.properties) or self._lines(row.key, comment)
                ]
                if start >= page.total:
                    return thread
                guard.check(len(page.comments), tuple(comment.id for comment in page.comments), start)
        except PROJECT_ERRORS as error:
            return error

    def _lines(self, key: str, comment: api_types.Comment) -> str:
        with reading(self._session.name, _project_of(key), f"comment {comment.id} of {key}"):
            return lines_of(comment.body)

    def _status_issue(self, row: api_types.StatusIssue, thread: Thread) -> StatusIssue:
        fields = row.fields
        marked = [(comment, by_us, marker_in(comment.properties)) for comment, by_us in thread]
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
            is_open_to_commands=self._shows_permissions[_project_of(row.key)],
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

    def _commands(self, row: api_types.StatusIssue, thread: Thread) -> Iterator[CommandComment]:
        """Yield the commands in a thread. The permission of each author is asked for once."""
        may_write: dict[str, bool] = {}
        for comment, by_us in thread:
            lines, author = lines_of(comment.body), comment.author
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

    def _may_write(self, key: str, user: api_types.User) -> bool:
        project = _project_of(key)
        if not self._shows_permissions[project]:
            return False
        account = {"accountId": user.accountId} if user.accountId else {"username": user.name or ""}
        query = {"permissions": "EDIT_ISSUES", "issueKey": key, **account}
        try:
            users = self._session.read(list[api_types.User], "user/permission/search", query, project=project)
        except (GoneError, RefusedError):
            return False
        return any(entry.id == user.id for entry in users)


def _project_of(key: str) -> str:
    """Return the key of an issue's project: ``PAY`` for ``PAY-12``."""
    return key.rpartition("-")[0]


def _login(author: api_types.User | None) -> str:
    """The written name of an account: its user name on Data Center, its id on Cloud."""
    return (author.name or author.id) if author else ""


def _text(body: Any) -> str:
    """Wiki markup unchanged, or an ADF document as JSON text in the form that we send."""
    return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
