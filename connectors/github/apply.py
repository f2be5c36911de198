"""Write to GitHub: creations and changes of state by REST; changes of labels and comments by GraphQL.

Only creations are sent once; everything else may be repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache

from connectors.github import api_types, normalize
from connectors.github.project_boards import Boards
from connectors.github.session import Session, repository_path
from connectors.shared.descriptions import changed_description
from connectors.shared.responses import decode
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
    PostBoardUpdate,
    Receipt,
    RemoveLabel,
    SetIssueState,
    UpdateComment,
    UpdateDescription,
)
from sync.tracker.errors import GoneError, RefusedError
from sync.tracker.marker import with_marker, without_marker

__all__ = ["Writer"]

DESCRIPTION_LIMIT = 100
"""Largest number of characters in a label's description."""

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
_UPDATE = """mutation Update($comment: ID!, $body: String!) {
  updateIssueComment(input: {id: $comment, body: $body}) { clientMutationId }
}"""
_DELETE = """mutation Delete($comment: ID!) {
  deleteIssueComment(input: {id: $comment}) { clientMutationId }
}"""


@cache
def _ids_document(labels: int, *, issue: bool) -> str:
    variables = "".join(f", $l{i}: String!" for i in range(labels)) + (", $number: Int!" if issue else "")
    label_fields = " ".join(f"l{i}: label(name: $l{i}) {{ id }}" for i in range(labels))
    issue_field = "issue(number: $number) { id } " if issue else ""
    return f"""query Ids($owner: String!, $name: String!{variables}) {{
  repository(owner: $owner, name: $name) {{ {issue_field}{label_fields} }}
}}"""


class Writer:
    """Writer of one connection: applies one action at a time."""

    def __init__(self, session: Session) -> None:
        self._session, self._boards = session, Boards(session)

    def apply(self, action: Action) -> Receipt:
        """Make one change. Raises a `TrackerError`. See `Connector.apply`."""
        match action:
            case CreateLabel():
                return self._create_label(action)
            case CreateStatusIssue():
                return self._create_status_issue(action)
            case CreateComment():
                return self._create_comment(action)
            case MoveLabel():
                return self._change_labels(action, action.issue, (action.add,), action.remove)
            case LabelItem():
                return self._change_labels(action, action.issue, action.add, action.remove)
            case RemoveLabel():
                return self._change_labels(action, action.issue, (), action.labels)
            case UpdateDescription():
                return self._update_description(action)
            case PostBoardUpdate():
                return self._boards.apply(action)
            case MarkStatusIssue():
                return self._mark_status_issue(action)
            case CloseIssue() | SetIssueState():
                return self._set_issue_state(action)
            case UpdateComment() | DeleteComment():
                return self._change_comment(action)
            case _:
                detail = f"the GitHub connector does not support the action {type(action).__name__}"
                raise RefusedError(self._session.name, action.project_key, detail)

    def _create_status_issue(self, action: CreateStatusIssue) -> Receipt:
        path, text = repository_path(action.project_key, "/issues"), with_marker(action.body, action.marker)
        body = {"title": action.title, "body": text, "labels": list(action.labels)}
        issue = self._session.post(path, action.project_key, body, api_types.Created)
        return Receipt(id=issue.node_id, issue=normalize.key_of(issue.number))

    def _create_comment(self, action: CreateComment) -> Receipt:
        repository, number = self._parse_key(action.issue, action.project_key)
        path = repository_path(repository, "/issues/{}/comments", number)
        body = {"body": with_marker(action.body, action.marker)}
        comment = self._session.post(path, action.project_key, body, api_types.Created)
        return Receipt(id=comment.node_id, issue=action.issue)

    def _mark_status_issue(self, action: MarkStatusIssue) -> Receipt:
        repository, number = self._parse_key(action.issue, action.project_key)
        path, project = repository_path(repository, "/issues/{}", number), action.project_key
        issue = decode(self._session.get(path, project), api_types.IssueBody, self._session.name, project)
        body = with_marker(without_marker(issue.body or ""), action.marker)
        self._session.patch(path, project, {"body": body})
        return Receipt(issue=action.issue)

    def _set_issue_state(self, action: CloseIssue | SetIssueState) -> Receipt:
        """Close or reopen an issue. GitHub leaves an issue that has the state already as it is."""
        repository, number = self._parse_key(action.issue, action.project_key)
        body = {"state": "open"}
        if isinstance(action, CloseIssue):
            body = {"state": "closed", "state_reason": "not_planned"}
        elif action.closed:
            body = {"state": "closed", "state_reason": "completed"}
        self._session.patch(repository_path(repository, "/issues/{}", number), action.project_key, body)
        return Receipt(issue=action.issue)

    def _change_comment(self, action: UpdateComment | DeleteComment) -> Receipt:
        """Rewrite or delete a comment. A comment that is deleted already is a success."""
        if isinstance(action, UpdateComment):
            text = with_marker(action.body, action.marker)
            self._session.mutate(_UPDATE, {"comment": action.comment, "body": text}, action.project_key)
        else:
            with suppress(GoneError):
                self._session.mutate(_DELETE, {"comment": action.comment}, action.project_key)
        return Receipt(id=action.comment, issue=action.issue)

    def _create_label(self, action: CreateLabel) -> Receipt:
        """Create a label. An existing label of that name is a success, too."""
        project, description = action.project_key, action.description[:DESCRIPTION_LIMIT]
        body = {"name": action.label, "color": action.colour, "description": description}
        try:
            label = self._session.post(
                repository_path(project, "/labels"), project, body, api_types.Created, repeatable=True
            )
        except RefusedError:
            ids = self._ids(project, project, [action.label])
            if "l0" not in ids:
                raise
            return Receipt(id=ids["l0"])
        return Receipt(id=label.node_id)

    def _change_labels(self, action: Action, issue: str, add: Sequence[str], remove: Sequence[str]) -> Receipt:
        """Add and remove labels in one document, by node id. All other labels stay.

        A label to remove that does not exist is already removed.
        """
        project = action.project_key
        repository, number = self._parse_key(issue, project)
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
            variables = {"issue": ids["issue"]} | ({"add": new} if new else {}) | ({"remove": old} if old else {})
            self._session.mutate(document, variables, project)
        return Receipt(id=new[0] if new else "", issue=issue)

    def _update_description(self, action: UpdateDescription) -> Receipt:
        """Replace our lines in the milestone's present description, and change nothing else of the milestone."""
        project = action.project_key
        path = repository_path(project, "/milestones/{}", int(action.key))
        milestone = decode(
            self._session.get(path, project), api_types.MilestoneDescription, self._session.name, project
        )
        text = changed_description(milestone.description, action, self._session.name)
        self._session.patch(path, project, {"description": text})
        return Receipt()

    def _ids(self, repository: str, project: str, labels: Sequence[str], number: int | None = None) -> dict[str, str]:
        """Fetch node ids of labels (``l0`` ...) and of an issue (``issue``). A missing object is left out."""
        owner, name = self._session.split_name(repository, project)
        variables: dict[str, object] = {"owner": owner, "name": name, "number": number}
        variables |= {f"l{i}": label for i, label in enumerate(labels)}
        document = _ids_document(len(labels), issue=number is not None)
        reply = self._session.query(document, variables, dict[str, dict[str, api_types.Node | None] | None], project)
        errors = [error for error in reply.errors if error.type != "NOT_FOUND" or len(error.path or ()) < 2]
        self._session.raise_errors(errors, project)
        nodes: Mapping[str, api_types.Node | None] | None = (reply.data or {}).get("repository")
        if nodes is None:
            raise GoneError(self._session.name, project)
        return {alias: node.id for alias, node in nodes.items() if node is not None}

    def _parse_key(self, issue: str, project: str) -> tuple[str, int]:
        try:
            return normalize.parse_key(issue, project)
        except ValueError:
            raise RefusedError(self._session.name, project, "write an issue as owner/name#12") from None
