"""Write to Jira: one change of a label, a comment, a status issue, a description or a file at a time."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from connectors.jira import api_types
from connectors.jira.attachments import put_file
from connectors.jira.normalize import is_done
from connectors.jira.observe import marker_in, status_labels
from connectors.jira.session import Session, Verb
from connectors.jira.status_issues import PROPERTY
from connectors.jira.transitions import choose_transition, transition_setting
from connectors.shared.descriptions import changed_description
from connectors.shared.paths import path_of
from connectors.shared.responses import Response, decode_created, parse
from sync.tracker.actions import (
    Action,
    Attach,
    CloseIssue,
    CreateComment,
    CreateLabel,
    CreateStatusIssue,
    DeleteComment,
    Detach,
    LabelItem,
    MarkStatusIssue,
    MoveLabel,
    Receipt,
    RemoveLabel,
    SetIssueState,
    UpdateComment,
    UpdateDescription,
)
from sync.tracker.errors import GoneError, RefusedError

__all__ = ["Writer"]

_MAX_SUMMARY = 255
"""Largest number of characters in an issue's summary."""


class Writer:
    """Writer of one connection: applies one action at a time.

    It remembers whether this account may make changes without notifying the watchers.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._is_quiet = True

    def apply(self, action: Action) -> Receipt:
        """Make one change. Raises a `TrackerError`. See `Connector.apply`.

        Jira creates labels by itself, so `CreateLabel` sends nothing.
        """
        match action:
            case CreateLabel(label=label):
                return Receipt(id=label)
            case MoveLabel(issue=issue, add=add, remove=remove):
                return self._change_labels(action, issue, (add,), remove)
            case LabelItem(issue=issue, add=added, remove=remove):
                return self._change_labels(action, issue, added, remove)
            case RemoveLabel(issue=issue, labels=labels):
                return self._change_labels(action, issue, (), labels)
            case UpdateDescription():
                return self._update_description(action)
            case CloseIssue() | SetIssueState() | MarkStatusIssue():
                return self._change_status_issue(action)
            case Attach() | Detach():
                return put_file(self._session, action)
            case CreateStatusIssue():
                return self._create_status_issue(action)
            case CreateComment(issue=issue):
                return self._create_comment(action)
            case UpdateComment():
                return self._update_comment(action)
            case DeleteComment(issue=issue, comment=comment):
                with suppress(GoneError):  # then it is deleted already
                    self._session.write(
                        "DELETE", path_of("issue/{}/comment/{}", issue, comment), project=action.project_key
                    )
                return Receipt(id=comment, issue=issue)
            case _:
                detail = f"the Jira connector does not support the action {type(action).__name__}"
                raise RefusedError(self._session.name, action.project_key, detail)

    def _change_labels(self, action: Action, issue: str, add: Sequence[str], remove: Sequence[str]) -> Receipt:
        delta = [*({"add": name} for name in add), *({"remove": name} for name in remove)]
        _, loud = self._write_quietly(
            "PUT", path_of("issue/{}", issue), {"update": {"labels": delta}}, action.project_key
        )
        return Receipt(id=add[0] if add else "", issue=issue, loud=loud)

    def _update_description(self, action: UpdateDescription) -> Receipt:
        """Replace our lines in the version's present description."""
        session, project = self._session, action.project_key
        path = path_of("version/{}", action.native)
        version = session.read(api_types.Version, path, project=project)
        text = changed_description(version.description, action, session.name)
        session.write("PUT", path, {"description": text}, project=project)
        return Receipt()

    def _create_status_issue(self, action: CreateStatusIssue) -> Receipt:
        session = self._session
        fields: dict[str, Any] = dict(session.options.get("status_fields") or {})
        fields |= {
            "project": {"id": action.project},
            "issuetype": {"name": session.options.get("status_type") or "Task"},
            "summary": " ".join(action.title.split())[:_MAX_SUMMARY],
            "description": self._text(action.body),
            "labels": list(dict.fromkeys([*action.labels, *status_labels(session)[:1]])),
        }
        answer = session.write(
            "POST", "issue", {"fields": fields, "properties": _properties(action.marker)}, project=action.project_key
        )
        issue = decode_created(answer, api_types.Created, self._session.name, action.project_key)
        return Receipt(id=issue.id, issue=issue.key)

    def _create_comment(self, action: CreateComment) -> Receipt:
        body = self._comment(action.body, action.marker)
        path, query = path_of("issue/{}/comment", action.issue), {"expand": "properties"}
        answer = self._session.write("POST", path, body, query, project=action.project_key)
        comment = decode_created(answer, api_types.Created, self._session.name, action.project_key)
        self._ensure_marker(answer, comment.id, action.marker, action.project_key)
        return Receipt(id=comment.id, issue=action.issue)

    def _update_comment(self, action: UpdateComment) -> Receipt:
        body = self._comment(action.body, action.marker)
        path, query = path_of("issue/{}/comment/{}", action.issue, action.comment), {"expand": "properties"}
        answer, loud = self._write_quietly("PUT", path, body, action.project_key, query)
        self._ensure_marker(answer, action.comment, action.marker, action.project_key)
        return Receipt(id=action.comment, issue=action.issue, loud=loud)

    def _close(self, issue: str, project: str) -> Receipt:
        """Close the issue by a transition to a status of the category ``done``. Raises `RefusedError` without one."""
        session = self._session
        path = path_of("issue/{}/transitions", issue)
        transitions = session.read(api_types.Transitions, path, project=project).transitions
        closing = [entry for entry in transitions if entry.to and entry.to.statusCategory.key == "done"]
        if not closing:
            detail = f"the workflow of {issue} has no transition that closes it; close it in Jira"
            raise RefusedError(session.name, project, detail)
        session.write("POST", path, {"transition": {"id": closing[0].id}}, project=project)
        return Receipt(issue=issue)

    def _change_status_issue(self, action: CloseIssue | SetIssueState | MarkStatusIssue) -> Receipt:
        if not isinstance(action, MarkStatusIssue):
            return self._set_issue_state(action)
        path = path_of("issue/{}/properties/{}", action.issue, PROPERTY)
        self._session.write("PUT", path, {"marker": action.marker}, project=action.project_key)
        return Receipt(issue=action.issue)

    def _set_issue_state(self, action: CloseIssue | SetIssueState) -> Receipt:
        """Close or reopen an issue by the transition that is configured, or the only one. Raises `RefusedError`
        without one. `CloseIssue` takes any transition that closes.
        """
        if isinstance(action, CloseIssue):
            return self._close(action.issue, action.project_key)
        session, project, closed = self._session, action.project_key, action.closed
        query = {"fields": "status,resolutiondate", "expand": "transitions"}
        row = session.read(api_types.StatusIssue, path_of("issue/{}", action.issue), query, project=project)
        if is_done(row.fields) is not closed:
            name = str(session.options.get(transition_setting(closed=closed)) or "")
            chosen = choose_transition(row.transitions or (), closed=closed, name=name)
            if isinstance(chosen, str):
                raise RefusedError(session.name, project, f"{action.issue}: {chosen}")
            path = path_of("issue/{}/transitions", action.issue)
            session.write("POST", path, {"transition": {"id": chosen.id}}, project=project)
        return Receipt(issue=action.issue)

    def _comment(self, body: str, marker: str) -> dict[str, Any]:
        return {"body": self._text(body), "properties": _properties(marker)}

    def _text(self, body: str) -> Any:
        """The body as Jira takes it: an ADF document on Cloud, else wiki markup."""
        if not self._session.is_cloud:
            return body
        document = parse(body, dict[str, Any])
        if document is None:
            raise RefusedError(self._session.name, "", "the text is no document; make a new plan")
        return document

    def _ensure_marker(self, answer: Response, comment: str, marker: str, project: str) -> None:
        """Set the marker separately if the server stored the comment without its properties.

        Without a marker we would not recognise the comment, and the next run would post another.
        """
        created = decode_created(answer, api_types.Created, self._session.name, project)
        if created.properties is None:
            return
        if marker_in(created.properties) != marker:
            path = path_of("comment/{}/properties/{}", comment, PROPERTY)
            self._session.write("PUT", path, {"marker": marker}, project=project)
        self._session.written_markers[comment] = marker

    def _write_quietly(
        self, verb: Verb, path: str, body: dict[str, Any], project: str, query: dict[str, str] | None = None
    ) -> tuple[Response, bool]:
        """Send a change that sends no notifications. Return the answer, and whether it may have sent some.

        An account without the permission to suppress notifications (403) sends the change with notifications.
        """
        if self._is_quiet:
            try:
                quiet_query = {**(query or {}), "notifyUsers": "false"}
                return self._session.write(verb, path, body, quiet_query, project=project), False
            except RefusedError as error:
                if not error.detail.startswith("HTTP 403"):
                    raise
        answer = self._session.write(verb, path, body, query, project=project)
        self._is_quiet = False
        return answer, True


def _properties(marker: str) -> list[dict[str, Any]]:
    return [{"key": PROPERTY, "value": {"marker": marker}}]
