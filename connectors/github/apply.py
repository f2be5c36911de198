"""Writing: creations by REST, sent once; deltas and rewritings by GraphQL, which may be sent again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache

from connectors.github import api_types, normalize
from connectors.github.project_boards import Boards
from connectors.github.session import Session
from connectors.shared.responses import decode
from sync.tracker.actions import (
    Action,
    CloseIssue,
    CreateComment,
    CreateLabel,
    CreateStatusIssue,
    DeleteComment,
    LabelItem,
    MoveLabel,
    PostBoardUpdate,
    Receipt,
    RemoveLabel,
    UpdateComment,
    UpdateDescription,
)
from sync.tracker.errors import GoneError, RefusedError
from sync.tracker.protocol import NotThereError, replace_block, with_marker

__all__ = ["Writer"]

DESCRIPTION = 100
"""Characters of a label's description that GitHub takes."""

_MOVE = """mutation Move($issue: ID!, $add: [ID!]!, $remove: [ID!]!) {
  added: addLabelsToLabelable(input: {labelableId: $issue, labelIds: $add}) { clientMutationId }
  removed: removeLabelsFromLabelable(input: {labelableId: $issue, labelIds: $remove}) { clientMutationId }
}"""
_ADD = """mutation Add($issue: ID!, $add: [ID!]!) {
  added: addLabelsToLabelable(input: {labelableId: $issue, labelIds: $add}) { clientMutationId }
}"""
_REMOVE = """mutation Remove($issue: ID!, $remove: [ID!]!) {
  removed: removeLabelsFromLabelable(input: {labelableId: $issue, labelIds: $remove}) { clientMutationId }
}"""
_CLOSE = """mutation Close($issue: ID!) {
  closeIssue(input: {issueId: $issue, stateReason: NOT_PLANNED}) { clientMutationId }
}"""
_UPDATE = """mutation Update($comment: ID!, $body: String!) {
  updateIssueComment(input: {id: $comment, body: $body}) { clientMutationId }
}"""
_DELETE = """mutation Delete($comment: ID!) {
  deleteIssueComment(input: {id: $comment}) { clientMutationId }
}"""


@cache
def _ids(labels: int, *, issue: bool) -> str:
    declared = "".join(f", $l{i}: String!" for i in range(labels)) + (", $number: Int!" if issue else "")
    asked = " ".join(f"l{i}: label(name: $l{i}) {{ id }}" for i in range(labels))
    wanted = "issue(number: $number) { id } " if issue else ""
    return f"""query Ids($owner: String!, $name: String!{declared}) {{
  repository(owner: $owner, name: $name) {{ {wanted}{asked} }}
}}"""


class Writer:
    """Does one change at a time."""

    def __init__(self, session: Session) -> None:
        self._session, self._boards = session, Boards(session)

    def apply(self, action: Action) -> Receipt:
        """Do it. Raises `sync.tracker.protocol.TrackerError`."""
        match action:
            case CreateLabel():
                return self._label(action)
            case CreateStatusIssue():
                body = {"title": action.title, "body": with_marker(action.body, action.marker)}
                path = f"/repos/{action.project_key}/issues"
                made = self._session.post(
                    path, action.project_key, {**body, "labels": list(action.labels)}, api_types.Created
                )
                return Receipt(id=made.node_id, issue=normalize.key_of(made.number))
            case CreateComment():
                repository, number = self._place(action.issue, action.project_key)
                path = f"/repos/{repository}/issues/{number}/comments"
                comment = {"body": with_marker(action.body, action.marker)}
                made = self._session.post(path, action.project_key, comment, api_types.Created)
                return Receipt(id=made.node_id, issue=action.issue)
            case MoveLabel():
                return self._delta(action, action.issue, (action.add,), action.remove)
            case LabelItem():
                return self._delta(action, action.issue, action.add, action.remove)
            case RemoveLabel():
                return self._delta(action, action.issue, (), action.labels)
            case UpdateDescription():
                return self._describe(action)
            case PostBoardUpdate():
                return self._boards.apply(action)
            case CloseIssue():
                self._mutate(_CLOSE, {"issue": self._issue_id(action, action.issue)}, action.project_key)
                return Receipt(issue=action.issue)
            case UpdateComment():
                text = with_marker(action.body, action.marker)
                self._mutate(_UPDATE, {"comment": action.comment, "body": text}, action.project_key)
                return Receipt(id=action.comment, issue=action.issue)
            case DeleteComment():
                with suppress(GoneError):
                    self._mutate(_DELETE, {"comment": action.comment}, action.project_key)
                return Receipt(id=action.comment, issue=action.issue)
            case _:
                raise RefusedError(self._session.name, action.project_key, f"cannot do {type(action).__name__}")

    def _label(self, action: CreateLabel) -> Receipt:
        """A label of that name that is there already is as good."""
        project = action.project_key
        body = {"name": action.label, "color": action.colour, "description": action.description[:DESCRIPTION]}
        try:
            made = self._session.post(f"/repos/{project}/labels", project, body, api_types.Created, repeatable=True)
        except RefusedError:
            there = self._ids(project, project, [action.label])
            if "l0" not in there:
                raise
            return Receipt(id=there["l0"])
        return Receipt(id=made.node_id)

    def _delta(self, action: Action, issue: str, add: Sequence[str], remove: Sequence[str]) -> Receipt:
        """Add and remove in one document, by node ids: the labels of people stay. What is not there is away, which is
        what was asked.
        """
        project = action.project_key
        repository, number = self._place(issue, project)
        ids = self._ids(repository, project, [*add, *remove], number)
        if "issue" not in ids:
            raise GoneError(self._session.name, project, f"issue {issue}")
        missing = [label for i, label in enumerate(add) if f"l{i}" not in ids]
        if missing:
            raise RefusedError(self._session.name, project, f"{repository} has no label {missing[0]}")
        new = [ids[f"l{i}"] for i in range(len(add))]
        old = [ids[f"l{i}"] for i in range(len(add), len(add) + len(remove)) if f"l{i}" in ids]
        document = _MOVE if new and old else _ADD if new else _REMOVE
        if new or old:
            moved = {"issue": ids["issue"]} | ({"add": new} if new else {}) | ({"remove": old} if old else {})
            self._mutate(document, moved, project)
        return Receipt(id=new[0] if new else "", issue=issue)

    def _describe(self, action: UpdateDescription) -> Receipt:
        """Our lines in the description as it stands now, and nothing else of the milestone."""
        project = action.project_key
        path = f"/repos/{project}/milestones/{int(action.key)}"
        now = decode(self._session.get(path, project), api_types.Described, self._session.name, project)
        try:
            text = replace_block(now.description or "", action.lines, action.instance, action.was)
        except NotThereError:
            raise RefusedError(self._session.name, project, "the description has been changed since") from None
        self._session.patch(path, project, {"description": text})
        return Receipt()

    def _issue_id(self, action: Action, issue: str) -> str:
        repository, number = self._place(issue, action.project_key)
        ids = self._ids(repository, action.project_key, (), number)
        if "issue" not in ids:
            raise GoneError(self._session.name, action.project_key, f"issue {issue}")
        return ids["issue"]

    def _ids(self, repository: str, project: str, labels: Sequence[str], number: int | None = None) -> dict[str, str]:
        """Node ids of labels (``l0`` ...) and of an issue (``issue``); what is not there is left out."""
        owner, name = self._session.parts(repository, project)
        asked: dict[str, object] = {"owner": owner, "name": name, "number": number}
        asked |= {f"l{i}": label for i, label in enumerate(labels)}
        reply = self._session.query(
            _ids(len(labels), issue=number is not None),
            asked,
            dict[str, dict[str, api_types.Node | None] | None],
            project,
        )
        self._session.refuse([e for e in reply.errors if e.type != "NOT_FOUND" or len(e.path) < 2], project)
        found = (reply.data or {}).get("repository")
        if found is None:
            raise GoneError(self._session.name, project)
        return {alias: node.id for alias, node in found.items() if node is not None}

    def _mutate(self, document: str, variables: Mapping[str, object], project: str) -> None:
        self._session.refuse(self._session.mutate(document, variables, project), project)

    def _place(self, issue: str, project: str) -> tuple[str, int]:
        try:
            return normalize.place_of(issue, project)
        except ValueError:
            raise RefusedError(self._session.name, project, "an issue is written owner/name#12") from None
