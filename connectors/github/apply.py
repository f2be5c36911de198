"""Write to GitHub: creations and changes of state by REST; changes of labels and comments by GraphQL.

Only creations are sent once; everything else may be repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache

from msgspec import Struct

from connectors.github import api_types, normalize
from connectors.github.node_ids import NodeIds
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


class _LabelIds(Struct, frozen=True):
    """Node ids of an issue, and of the labels to add to it and to remove from it."""

    issue: str
    add: list[str]
    remove: list[str]


class Writer:
    """Writer of one connection: applies one action at a time. ``node_ids`` are those of the last observation."""

    def __init__(self, session: Session, node_ids: NodeIds) -> None:
        self._session, self._boards, self._node_ids = session, Boards(session), node_ids

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
        """Create a status issue with its labels. Without the right to set labels, GitHub drops them in silence."""
        path, text = repository_path(action.project_key, "/issues"), with_marker(action.body, action.marker)
        body = {"title": action.title, "body": text, "labels": list(action.labels)}
        issue = self._session.post(path, action.project_key, body, api_types.Created)
        present = {(label if isinstance(label, str) else label.name).lower() for label in issue.labels}
        dropped = tuple(label for label in action.labels if label.lower() not in present)
        self._node_ids.add_issue(action.project_key, issue.number, issue.node_id)
        return Receipt(id=issue.node_id, issue=normalize.key_of(issue.number), dropped=dropped)

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
        self._node_ids.add_label(project, action.label, label.node_id)
        return Receipt(id=label.node_id)

    def _change_labels(self, action: Action, issue: str, add: Sequence[str], remove: Sequence[str]) -> Receipt:
        """Add and remove labels in one document, by node id. All other labels stay.

        A label to remove that does not exist is already removed. Node ids of the last observation may be obsolete.
        """
        repository, number = self._parse_key(issue, action.project_key)
        ids = self._observed_ids(action, repository, number, add, remove)
        if ids is not None:
            try:
                self._send_labels(action.project_key, ids)
            except GoneError:
                self._node_ids.forget(repository)
                ids = None
        if ids is None:
            ids = self._fetched_ids(action.project_key, repository, number, add, remove)
            self._send_labels(action.project_key, ids)
        return Receipt(id=ids.add[0] if ids.add else "", issue=issue)

    def _send_labels(self, project: str, ids: _LabelIds) -> None:
        """Send the change of an issue's labels, if there is one."""
        variables: dict[str, object] = {"issue": ids.issue}
        variables |= ({"add": ids.add} if ids.add else {}) | ({"remove": ids.remove} if ids.remove else {})
        document = _MOVE if ids.add and ids.remove else _ADD if ids.add else _REMOVE
        if ids.add or ids.remove:
            self._session.mutate(document, variables, project)

    def _observed_ids(
        self, action: Action, repository: str, number: int, add: Sequence[str], remove: Sequence[str]
    ) -> _LabelIds | None:
        """Return the node ids that the last observation has shown; None unless it has shown all that are needed."""
        issue = action.item if isinstance(action, LabelItem) else self._node_ids.issue(repository, number)
        labels = self._node_ids.labels(repository)
        if not issue or labels is None or any(name.lower() not in labels for name in add):
            return None
        added, removed = ([labels[n.lower()] for n in names if n.lower() in labels] for names in (add, remove))
        return _LabelIds(issue, added, removed)

    def _fetched_ids(
        self, project: str, repository: str, number: int, add: Sequence[str], remove: Sequence[str]
    ) -> _LabelIds:
        """Fetch the node ids of an issue and labels. Raises `GoneError` without the issue, `RefusedError` without a
        label to add.
        """
        ids = self._ids(repository, project, [*add, *remove], number)
        if "issue" not in ids:
            raise GoneError(self._session.name, project, f"issue {repository}#{number}")
        missing = [label for i, label in enumerate(add) if f"l{i}" not in ids]
        if missing:
            raise RefusedError(self._session.name, project, f"{repository} has no label {missing[0]}")
        added = [ids[f"l{i}"] for i in range(len(add))]
        removed = [ids[f"l{i}"] for i in range(len(add), len(add) + len(remove)) if f"l{i}" in ids]
        return _LabelIds(ids["issue"], added, removed)

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
