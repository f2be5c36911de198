"""Write to GitLab: one request for each action, and a check of its answer.

A line that begins with ``/close`` or the like is a quick action: GitLab runs it with our rights and removes it from the
text. Our texts never hold one. They are checked before sending, and compared with the answer's text afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress

from connectors.gitlab import api_types
from connectors.gitlab.normalize import group_of
from connectors.gitlab.observe import parse_key
from connectors.gitlab.session import Session
from connectors.shared.descriptions import changed_description
from connectors.shared.paths import path_of
from connectors.shared.responses import decode, decode_created
from sync.tracker.actions import (
    Action,
    CloseIssue,
    CreateComment,
    CreateLabel,
    CreateStatusIssue,
    DeleteComment,
    LabelItem,
    MarkStatusIssue,
    MoveLabel,
    Receipt,
    RemoveLabel,
    SetIssueState,
    SetNativeHealth,
    UpdateComment,
    UpdateDescription,
)
from sync.tracker.errors import GoneError, RefusedError
from sync.tracker.marker import with_marker, without_marker

__all__ = ["SET_HEALTH", "Writer"]

SET_HEALTH = """mutation SetHealth($project: ID!, $iid: String!, $health: HealthStatus) {
  updateIssue(input: {projectPath: $project, iid: $iid, healthStatus: $health}) { errors }
}"""
_COMMAND = re.compile(r"^\s*/[a-z_]", re.MULTILINE)


class Writer:
    """Writer of one connection: applies one action at a time."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def apply(self, action: Action) -> Receipt:
        """Make one change. Raises a `TrackerError`. See `Connector.apply`."""
        match action:
            case CreateLabel():
                return self._create_label(action)
            case CreateStatusIssue():
                return self._create_status_issue(action)
            case MoveLabel():
                return self._change_labels(action, action.issue, (action.add,), action.remove)
            case LabelItem():
                return self._change_labels(action, action.issue, action.add, action.remove)
            case RemoveLabel():
                return self._edit_issue(action, action.issue, {"remove_labels": self._labels(action.labels)})
            case UpdateDescription():
                return self._update_description(action)
            case SetNativeHealth():
                return self._set_health(action)
            case CloseIssue() | SetIssueState() | MarkStatusIssue():
                return self._change_status_issue(action)
            case CreateComment():
                return self._create_comment(action)
            case UpdateComment():
                return self._update_comment(action)
            case DeleteComment():
                return self._delete_comment(action)
            case _:
                detail = f"the GitLab connector does not support the action {type(action).__name__}"
                raise RefusedError(self._session.name, action.project_key, detail)

    def _create_label(self, action: CreateLabel) -> Receipt:
        body = {"name": action.label, "color": f"#{action.colour}", "description": action.description}
        try:
            answer = self._session.change(
                "post", path_of("/projects/{}/labels", action.project), action.project_key, body, repeatable=True
            )
        except RefusedError as refused:
            if refused.detail.startswith("HTTP 409"):
                return Receipt()
            raise
        return Receipt(id=str(decode(answer, api_types.Label, self._session.name, action.project_key).id))

    def _create_status_issue(self, action: CreateStatusIssue) -> Receipt:
        text = self._checked(action, with_marker(action.body, action.marker))
        body = {"title": " ".join(action.title.split()), "description": text, "labels": self._labels(action.labels)}
        answer = self._session.change(
            "post", path_of("/projects/{}/issues", action.project), action.project_key, body, repeatable=False
        )
        issue = decode_created(answer, api_types.Issue, self._session.name, action.project_key)
        self._check_unchanged(action, text, issue.description or "")
        dropped = tuple(label for label in action.labels if label not in issue.labels)
        return Receipt(id=str(issue.id), issue=issue.references.full, dropped=dropped)

    def _change_labels(self, action: Action, issue: str, add: Sequence[str], remove: Sequence[str]) -> Receipt:
        body = {"add_labels": self._labels(add), "remove_labels": self._labels(remove)}
        path = self._issue_path(action, issue)
        answer = self._session.change("put", path, action.project_key, body, repeatable=True)
        row = decode(answer, api_types.Issue, self._session.name, action.project_key)
        for label in add:
            if label not in row.labels:
                raise RefusedError(self._session.name, action.project_key, f"GitLab did not add the label {label}")
        return Receipt(issue=row.references.full)

    def _change_status_issue(self, action: CloseIssue | SetIssueState | MarkStatusIssue) -> Receipt:
        return self._mark(action) if isinstance(action, MarkStatusIssue) else self._set_issue_state(action)

    def _mark(self, action: MarkStatusIssue) -> Receipt:
        path = self._issue_path(action, action.issue)
        answer = self._session.get(path, action.project_key)
        issue = decode(answer, api_types.Issue, self._session.name, action.project_key)
        text = with_marker(without_marker(issue.description or ""), action.marker)
        return self._edit_issue(action, action.issue, {"description": self._checked(action, text)})

    def _set_issue_state(self, action: CloseIssue | SetIssueState) -> Receipt:
        """Close or reopen an issue. GitLab leaves an issue that has the state already as it is."""
        is_closing = isinstance(action, CloseIssue) or action.closed
        return self._edit_issue(action, action.issue, {"state_event": "close" if is_closing else "reopen"})

    def _set_health(self, action: SetNativeHealth) -> Receipt:
        """Set the health status by GraphQL, because REST refuses it."""
        session, project = self._session, action.project_key
        if not session.graphql:
            raise RefusedError(session.name, project, "a job token may not set a health status")
        path, _, number = action.issue.rpartition("#")
        first, *rest = action.value.split("_")
        value = "".join((first, *map(str.capitalize, rest))) or None
        body = {"query": SET_HEALTH, "variables": {"project": path or project, "iid": number, "health": value}}
        answer = session.change("post", f"{session.base_url}/api/graphql", project, body, repeatable=True)
        reply = decode(answer, api_types.HealthReply, session.name, project)
        update = reply.data.updateIssue if reply.data else None
        errors = [error.message for error in reply.errors or ()] + (update.errors if update else [])
        if errors or update is None:
            detail = "; ".join(errors) or "GitLab did not set the health status"
            raise RefusedError(session.name, project, detail)
        return Receipt(issue=action.issue)

    def _update_description(self, action: UpdateDescription) -> Receipt:
        """Replace our lines in the milestone's present description. A group's milestone is changed in its group."""
        group = group_of(action.url)
        owner = path_of("/groups/{}", group) if group else path_of("/projects/{}", action.project)
        path, project = owner + path_of("/milestones/{}", action.native), action.project_key
        milestone = decode(
            self._session.get(path, project), api_types.MilestoneDescription, self._session.name, project
        )
        text = changed_description(milestone.description, action, self._session.name)
        self._session.change("put", path, project, {"description": text}, repeatable=True)
        return Receipt()

    def _edit_issue(self, action: Action, issue: str, body: dict[str, object]) -> Receipt:
        answer = self._session.change("put", self._issue_path(action, issue), action.project_key, body, repeatable=True)
        row = decode(answer, api_types.Issue, self._session.name, action.project_key)
        return Receipt(issue=row.references.full)

    def _create_comment(self, action: CreateComment) -> Receipt:
        text = self._checked(action, with_marker(action.body, action.marker))
        path = f"{self._issue_path(action, action.issue)}/notes"
        answer = self._session.note(path, action.project_key, {"body": text})
        note = decode_created(answer, api_types.Note, self._session.name, action.project_key)
        return self._note_receipt(action, action.issue, text, note)

    def _update_comment(self, action: UpdateComment) -> Receipt:
        text = self._checked(action, with_marker(action.body, action.marker))
        path = f"{self._issue_path(action, action.issue)}/notes/{int(action.comment)}"
        answer = self._session.change("put", path, action.project_key, {"body": text}, repeatable=True)
        note = decode(answer, api_types.Note, self._session.name, action.project_key)
        return self._note_receipt(action, action.issue, text, note)

    def _delete_comment(self, action: DeleteComment) -> Receipt:
        path = f"{self._issue_path(action, action.issue)}/notes/{int(action.comment)}"
        with suppress(GoneError):
            self._session.change("delete", path, action.project_key, repeatable=True)
        return Receipt(id=action.comment, issue=action.issue)

    # --- checks ------------------------------------------------------------------------------------------------------

    def _issue_path(self, action: Action, issue: str) -> str:
        try:
            path, number = parse_key(issue, action.project, action.project_key)
        except ValueError:
            detail = f"no status issue {issue}; write an issue as group/project#12"
            raise RefusedError(self._session.name, action.project_key, detail) from None
        return f"{path}/issues/{number}"

    def _labels(self, names: Iterable[str]) -> list[str]:
        """Check label names: GitLab reads a comma as the end of a name."""
        labels = list(names)
        if any("," in name for name in labels):
            raise RefusedError(self._session.name, "", "GitLab allows no comma in a label's name; rename the label")
        return labels

    def _checked(self, action: Action, text: str) -> str:
        if _COMMAND.search(text):
            raise RefusedError(
                self._session.name, action.project_key, "not sent: a line of the text is a quick action of GitLab"
            )
        return text

    def _note_receipt(self, action: Action, issue: str, text: str, note: api_types.Note) -> Receipt:
        if note.id is None or note.commands_changes:
            raise RefusedError(self._session.name, action.project_key, "GitLab took the text for quick actions")
        self._check_unchanged(action, text, note.body)
        return Receipt(id=str(note.id), issue=issue)

    def _check_unchanged(self, action: Action, sent: str, stored: str) -> None:
        if sent.strip() != stored.replace("\r\n", "\n").strip():
            raise RefusedError(self._session.name, action.project_key, "GitLab changed the text that was sent")
