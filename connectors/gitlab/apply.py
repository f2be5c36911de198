"""Changing a GitLab: one request for each action, and a look at what it made of it.

A line that begins with ``/close`` and the like is a command to GitLab, run with our rights and taken out of the text.
Our texts never hold one; it is checked before sending, and the answer's text is compared after.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TypeVar
from urllib.parse import quote

from connectors.gitlab import api_types
from connectors.gitlab.observe import place
from connectors.gitlab.session import Session
from connectors.shared.responses import Response, decode
from sync.tracker.errors import GoneError, MalformedError, RefusedError, UncertainError
from sync.tracker.protocol import (
    Action,
    CloseIssue,
    CreateComment,
    CreateLabel,
    CreateStatusIssue,
    DeleteComment,
    LabelItem,
    MoveLabel,
    NotThereError,
    Receipt,
    RemoveLabel,
    SetNativeHealth,
    UpdateComment,
    UpdateDescription,
    replace_block,
    with_marker,
)

__all__ = ["SET_HEALTH", "Writer"]

T = TypeVar("T")

SET_HEALTH = """mutation SetHealth($project: ID!, $iid: String!, $health: HealthStatus) {
  updateIssue(input: {projectPath: $project, iid: $iid, healthStatus: $health}) { errors }
}"""
_GROUP = re.compile(r"/groups/(.+?)/-/milestones/")
_COMMAND = re.compile(r"^\s*/[a-z_]", re.MULTILINE)


class Writer:
    """Writes for one connection."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def apply(self, action: Action) -> Receipt:
        """See `Connector.apply`."""
        match action:
            case CreateLabel():
                return self._create_label(action)
            case CreateStatusIssue():
                return self._create_status_issue(action)
            case MoveLabel():
                return self._delta(action, action.issue, (action.add,), action.remove)
            case LabelItem():
                return self._delta(action, action.issue, action.add, action.remove)
            case RemoveLabel():
                return self._edit_issue(action, action.issue, {"remove_labels": self._labels(action.labels)})
            case UpdateDescription():
                return self._describe(action)
            case SetNativeHealth():
                return self._set_health(action)
            case CloseIssue():
                return self._edit_issue(action, action.issue, {"state_event": "close"})
            case CreateComment():
                return self._create_comment(action)
            case UpdateComment():
                return self._update_comment(action)
            case DeleteComment():
                return self._delete_comment(action)
            case _:
                raise TypeError(f"no such action: {type(action).__name__}")

    def _create_label(self, action: CreateLabel) -> Receipt:
        body = {"name": action.label, "color": f"#{action.colour}", "description": action.description}
        try:
            answer = self.session.change(
                "post", f"/projects/{action.project}/labels", action.project_key, body, again=True
            )
        except RefusedError as refused:
            if refused.detail.startswith("HTTP 409"):
                return Receipt()
            raise
        return Receipt(id=str(decode(answer, api_types.Label, self.session.name, action.project_key).id))

    def _create_status_issue(self, action: CreateStatusIssue) -> Receipt:
        text = self._checked(action, with_marker(action.body, action.marker))
        body = {"title": " ".join(action.title.split()), "description": text, "labels": self._labels(action.labels)}
        answer = self.session.change(
            "post", f"/projects/{action.project}/issues", action.project_key, body, again=False
        )
        made = self._created(answer, api_types.Issue, action)
        self._same(action, text, made.description or "")
        return Receipt(id=str(made.id), issue=made.references.full)

    def _delta(self, action: Action, issue: str, add: Sequence[str], remove: Sequence[str]) -> Receipt:
        body = {"add_labels": self._labels(add), "remove_labels": self._labels(remove)}
        path = self._issue(action, issue)
        answer = self.session.change("put", path, action.project_key, body, again=True)
        now = decode(answer, api_types.Issue, self.session.name, action.project_key)
        for label in add:
            if label not in now.labels:
                raise RefusedError(self.session.name, action.project_key, f"did not add the label {label}")
        return Receipt(issue=now.references.full)

    def _set_health(self, action: SetNativeHealth) -> Receipt:
        """By GraphQL, since REST refuses it."""
        session, project = self.session, action.project_key
        if not session.graphql:
            raise RefusedError(session.name, project, "a job token may not set a health status")
        path, _, number = action.issue.rpartition("#")
        first, *rest = action.value.split("_")
        value = "".join((first, *map(str.capitalize, rest))) or None
        asked = {"query": SET_HEALTH, "variables": {"project": path or project, "iid": number, "health": value}}
        answer = session.change("post", f"{session.base_url}/api/graphql", project, asked, again=True)
        reply = decode(answer, api_types.HealthReply, session.name, project)
        done = reply.data.updateIssue if reply.data else None
        told = [error.message for error in reply.errors or ()] + (done.errors if done else [])
        if told or done is None:
            raise RefusedError(session.name, project, "; ".join(told)[:200] or "did not set the health status")
        return Receipt(issue=action.issue)

    def _describe(self, action: UpdateDescription) -> Receipt:
        """Our lines in the description as it stands now; a group's milestone is changed in its group."""
        group = _GROUP.search(action.url)
        place = f"/groups/{quote(group[1], safe='')}" if group else f"/projects/{action.project}"
        path, project = f"{place}/milestones/{action.native}", action.project_key
        now = decode(self.session.get(path, project), api_types.Described, self.session.name, project)
        try:
            text = replace_block(now.description or "", action.lines, action.instance, action.was)
        except NotThereError:
            raise RefusedError(self.session.name, project, "the description has been changed since") from None
        self.session.change("put", path, project, {"description": text}, again=True)
        return Receipt()

    def _edit_issue(self, action: Action, issue: str, body: dict[str, object]) -> Receipt:
        answer = self.session.change("put", self._issue(action, issue), action.project_key, body, again=True)
        now = decode(answer, api_types.Issue, self.session.name, action.project_key)
        return Receipt(issue=now.references.full)

    def _create_comment(self, action: CreateComment) -> Receipt:
        text = self._checked(action, with_marker(action.body, action.marker))
        path = f"{self._issue(action, action.issue)}/notes"
        answer = self.session.note(path, action.project_key, {"body": text})
        return self._written(action, action.issue, text, self._created(answer, api_types.Note, action))

    def _update_comment(self, action: UpdateComment) -> Receipt:
        text = self._checked(action, with_marker(action.body, action.marker))
        path = f"{self._issue(action, action.issue)}/notes/{int(action.comment)}"
        answer = self.session.change("put", path, action.project_key, {"body": text}, again=True)
        note = decode(answer, api_types.Note, self.session.name, action.project_key)
        return self._written(action, action.issue, text, note)

    def _delete_comment(self, action: DeleteComment) -> Receipt:
        path = f"{self._issue(action, action.issue)}/notes/{int(action.comment)}"
        with suppress(GoneError):
            self.session.change("delete", path, action.project_key, again=True)
        return Receipt(id=action.comment, issue=action.issue)

    # --- checks ------------------------------------------------------------------------------------------------------

    def _issue(self, action: Action, issue: str) -> str:
        try:
            path, number = place(issue, action.project, action.project_key)
        except ValueError:
            raise RefusedError(self.session.name, action.project_key, "no such status issue") from None
        return f"{path}/issues/{number}"

    def _labels(self, names: Iterable[str]) -> list[str]:
        """GitLab reads a comma as the end of a label's name, so one with a comma cannot be asked for."""
        labels = list(names)
        if any("," in name for name in labels):
            raise RefusedError(self.session.name, "", "a label's name has a comma")
        return labels

    def _checked(self, action: Action, text: str) -> str:
        if _COMMAND.search(text):
            raise RefusedError(self.session.name, action.project_key, "not sent: a line of the text is a quick action")
        return text

    def _created(self, answer: Response, type_: type[T], action: Action) -> T:
        """What a create made; an answer that cannot be read leaves open whether it did."""
        try:
            return decode(answer, type_, self.session.name, action.project_key)
        except MalformedError as lost:
            raise UncertainError(self.session.name, action.project_key, lost.detail) from lost

    def _written(self, action: Action, issue: str, text: str, note: api_types.Note) -> Receipt:
        if note.id is None or note.commands_changes:
            raise RefusedError(self.session.name, action.project_key, "took the text for quick actions")
        self._same(action, text, note.body)
        return Receipt(id=str(note.id), issue=issue)

    def _same(self, action: Action, sent: str, stands: str) -> None:
        if sent.strip() != stands.replace("\r\n", "\n").strip():
            raise RefusedError(self.session.name, action.project_key, "changed the text that was sent")
