"""Changing one thing at a time: a label, a comment, a status issue."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from connectors.jira.api_types import Created, Transitions, Version
from connectors.jira.attachments import put_file
from connectors.jira.observe import PROPERTY, marker_in, status_labels
from connectors.jira.session import Session, Verb
from connectors.shared.responses import Response, decode
from sync.tracker.errors import GoneError, MalformedError, RefusedError, UncertainError
from sync.tracker.protocol import (
    Action,
    Attach,
    CloseIssue,
    CreateComment,
    CreateLabel,
    CreateStatusIssue,
    DeleteComment,
    Detach,
    LabelItem,
    MoveLabel,
    NotThereError,
    Receipt,
    RemoveLabel,
    UpdateComment,
    UpdateDescription,
    replace_block,
)

__all__ = ["Writer"]

_LONGEST_SUMMARY = 255


class Writer:
    """Applies actions. It remembers whether this account may change things without notifying the watchers."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._quiet = True

    def apply(self, action: Action) -> Receipt:
        """Do one change. See `sync.tracker.protocol.Connector.apply`. Labels need no making, so `CreateLabel` sends
        none.
        """
        match action:
            case CreateLabel(label=label):
                return Receipt(id=label)
            case MoveLabel(issue=issue, add=add, remove=remove):
                return self._delta(action, issue, (add,), remove)
            case LabelItem(issue=issue, add=added, remove=remove):
                return self._delta(action, issue, added, remove)
            case RemoveLabel(issue=issue, labels=labels):
                return self._delta(action, issue, (), labels)
            case UpdateDescription():
                return self._describe(action)
            case CloseIssue(issue=issue):
                return self._close(issue, action.project_key)
            case Attach() | Detach():
                return put_file(self._session, action)
            case CreateStatusIssue():
                return self._create_issue(action)
            case CreateComment(issue=issue):
                return self._create_comment(action)
            case UpdateComment(issue=issue, comment=comment):
                body = self._comment(action.body, action.marker)
                path = f"issue/{issue}/comment/{comment}"
                answer, loud = self._quietly("PUT", path, body, action.project_key, {"expand": "properties"})
                self._keep_marker(answer, comment, action.marker, action.project_key)
                return Receipt(id=comment, issue=issue, loud=loud)
            case DeleteComment(issue=issue, comment=comment):
                with suppress(GoneError):  # then it is away, which is what was asked
                    self._session.write("DELETE", f"issue/{issue}/comment/{comment}", project=action.project_key)
                return Receipt(id=comment, issue=issue)
            case _:
                raise TypeError(f"no such action here: {type(action).__name__}")

    def _delta(self, action: Action, issue: str, add: Sequence[str], remove: Sequence[str]) -> Receipt:
        delta = [*({"add": name} for name in add), *({"remove": name} for name in remove)]
        _, loud = self._quietly("PUT", f"issue/{issue}", {"update": {"labels": delta}}, action.project_key)
        return Receipt(id=add[0] if add else "", issue=issue, loud=loud)

    def _describe(self, action: UpdateDescription) -> Receipt:
        """Our lines in a version's description as it stands now."""
        session, project = self._session, action.project_key
        path = f"version/{action.native}"
        now = session.read(Version, path, project=project)
        try:
            text = replace_block(now.description or "", action.lines, action.instance, action.was)
        except NotThereError:
            raise RefusedError(session.name, project, "the description has been changed since") from None
        session.write("PUT", path, {"description": text}, project=project)
        return Receipt()

    def _create_issue(self, action: CreateStatusIssue) -> Receipt:
        session = self._session
        fields: dict[str, Any] = dict(session.options.get("status_fields") or {})
        fields |= {
            "project": {"id": action.project},
            "issuetype": {"name": session.options.get("status_type") or "Task"},
            "summary": " ".join(action.title.split())[:_LONGEST_SUMMARY],
            "description": self._text(action.body),
            "labels": list(dict.fromkeys([*action.labels, *status_labels(session)[:1]])),
        }
        answer = session.write(
            "POST", "issue", {"fields": fields, "properties": _properties(action.marker)}, project=action.project_key
        )
        made = self._created(answer, action.project_key)
        return Receipt(id=made.id, issue=made.key)

    def _create_comment(self, action: CreateComment) -> Receipt:
        body = self._comment(action.body, action.marker)
        asked = {"expand": "properties"}
        answer = self._session.write("POST", f"issue/{action.issue}/comment", body, asked, project=action.project_key)
        made = self._created(answer, action.project_key)
        self._keep_marker(answer, made.id, action.marker, action.project_key)
        return Receipt(id=made.id, issue=action.issue)

    def _close(self, issue: str, project: str) -> Receipt:
        """Take a way that leads to a status which counts as done, if the workflow has one from here."""
        session = self._session
        found = session.read(Transitions, f"issue/{issue}/transitions", project=project).transitions
        ways = [way for way in found if way.to is not None and way.to.statusCategory.key == "done"]
        if not ways:
            raise RefusedError(session.name, project, f"the workflow of {issue} has no way to close it")
        session.write("POST", f"issue/{issue}/transitions", {"transition": {"id": ways[0].id}}, project=project)
        return Receipt(issue=issue)

    def _created(self, answer: Response, project: str) -> Created:
        """What was made. An answer that cannot be read leaves that open."""
        try:
            return decode(answer, Created, self._session.name, project)
        except MalformedError as problem:
            raise UncertainError(self._session.name, project, problem.detail) from problem

    def _comment(self, body: str, marker: str) -> dict[str, Any]:
        return {"body": self._text(body), "properties": _properties(marker)}

    def _text(self, body: str) -> Any:
        return json.loads(body) if self._session.cloud else body

    def _keep_marker(self, answer: Response, comment: str, marker: str, project: str) -> None:
        """Set the marker by itself where the server took the comment and left its properties out.

        Without it the comment would never be known for ours again, and the next run would post another.
        """
        made = self._created(answer, project)
        if made.properties is not None and marker_in(made.properties) != marker:
            self._session.write("PUT", f"comment/{comment}/properties/{PROPERTY}", {"marker": marker}, project=project)

    def _quietly(
        self, verb: Verb, path: str, body: dict[str, Any], project: str, query: dict[str, str] | None = None
    ) -> tuple[Response, bool]:
        """Send a change that notifies nobody; without that wish where the account lacks the right to it (403), and
        then it may notify people.
        """
        if self._quiet:
            try:
                quiet = {**(query or {}), "notifyUsers": "false"}
                return self._session.write(verb, path, body, quiet, project=project), False
            except RefusedError as problem:
                if not problem.detail.startswith("HTTP 403"):
                    raise
        answer = self._session.write(verb, path, body, query, project=project)
        self._quiet = False
        return answer, True


def _properties(marker: str) -> list[dict[str, Any]]:
    return [{"key": PROPERTY, "value": {"marker": marker}}]
