"""A third party's connector: one file, and one line among the entry points of its package::

    [project.entry-points."milesync.connectors"]
    linear = "their_package:connect"

It speaks the shape of Linear's GraphQL API, cut down to what a connector needs; it was never tried on Linear itself.
History is left to milesync: for a connector without history, the store records the differences between two pulls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import Any

import msgspec
import requests
from msgspec import Struct

from connectors.shared.http import Caller
from connectors.shared.responses import Response, decode
from sync.model.tracker_data import (
    Issue,
    Markup,
    Milestone,
    MilestoneKind,
    Person,
    Project,
    State,
    StatusCategory,
    Visibility,
)
from sync.tracker import (
    Action,
    Capabilities,
    Claim,
    CommandComment,
    Connector,
    CreateComment,
    CreateLabel,
    CreateStatusIssue,
    DeleteComment,
    LabelItem,
    MoveLabel,
    Observed,
    OurComment,
    Page,
    Receipt,
    RemoveLabel,
    Setup,
    StatusIssue,
    Target,
    UpdateComment,
    command_lines,
    find_marker,
    status_issue_of,
    with_marker,
)
from sync.tracker.errors import GoneError, MalformedError, RefusedError, TrackerError, UncertainError

OWN = (GoneError, MalformedError, RefusedError)
CATEGORY = {"started": StatusCategory.IN_PROGRESS, "completed": StatusCategory.DONE, "canceled": StatusCategory.DONE}

Json = dict[str, Any]


class Problem(Struct):
    """One of GraphQL's errors."""

    message: str
    extensions: dict[str, str] = {}


class Reply(Struct):
    """GraphQL's answer."""

    data: Json | None = None
    errors: list[Problem] = []


class Cursor(Struct):
    """Everything that was updated before ``at`` has been read, and of that very moment what is in ``seen``."""

    at: datetime | None = None
    seen: dict[str, datetime] = {}


class Linear:
    """One workspace. Implements `sync.tracker.protocol.Connector`; a project is a Linear project's slug."""

    capabilities = Capabilities(markup=Markup.GITHUB, body_limit=50_000, history=False)

    def __init__(self, setup: Setup) -> None:
        self.name, self.base_url = setup.name, setup.url.rstrip("/")
        self._timeout, self._caller, self._session = setup.timeout, Caller(setup), requests.Session()
        self._session.headers["Authorization"] = setup.secrets["token"]
        self._session.mount(self.base_url, setup.options.get("transport") or requests.adapters.HTTPAdapter())
        self._me = ""

    @property
    def requests(self) -> int:
        return self._caller.count

    def close(self) -> None:
        self._session.close()

    # --- transport ---------------------------------------------------------------------------------------------------

    def _send(self, operation: str, variables: Json) -> Response:
        body = {"operationName": operation, "query": QUERIES[operation], "variables": variables}
        answer = self._session.post(f"{self.base_url}/graphql", json=body, timeout=self._timeout, allow_redirects=False)
        return Response(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, answer.content)

    def _ask(self, operation: str, where: str = "", /, **variables: Any) -> Any:
        answer = self._caller.read(lambda: self._send(operation, variables), where)
        return self._found(decode(answer, Reply, self.name, where), where)

    def _change(self, operation: str, where: str, /, *, again: bool, **variables: Any) -> Any:
        answer = self._caller.write(lambda: self._send(operation, variables), where, repeatable=again)
        try:
            return self._found(decode(answer, Reply, self.name, where), where)
        except MalformedError as lost:
            raise (lost if again else UncertainError(self.name, where, lost.detail)) from lost

    def _found(self, reply: Reply, project: str) -> Any:
        for error in reply.errors:
            missing = error.extensions.get("code") == "ENTITY_NOT_FOUND"
            raise (GoneError if missing else RefusedError)(self.name, project, error.message)
        if not reply.data:
            raise MalformedError(self.name, project, "neither data nor errors")
        return next(iter(reply.data.values()))

    def _pages(self, operation: str, where: str, /, **variables: Any) -> Iterator[list[Json]]:
        after = None
        while True:
            found = self._ask(operation, where, after=after, **variables)
            yield found["nodes"]
            if not found["pageInfo"]["hasNextPage"]:
                return
            after = found["pageInfo"]["endCursor"]

    # --- reading -----------------------------------------------------------------------------------------------------

    def pull(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        for slug in projects:
            try:
                yield from self._pull(slug, cursors)
            except OWN as error:
                yield Page(failed={slug: error})

    def _pull(self, slug: str, cursors: Mapping[str, str]) -> Iterator[Page]:
        row = self._ask("Project", slug, slug=slug)
        key = row["id"]
        goals = [goal for page in self._pages("Milestones", slug, project=key) for goal in page]
        yield Page(
            projects=(_project(row),),
            milestones=tuple(_milestone(goal, row) for goal in goals),
            all_milestones=frozenset({key}),
        )
        cursor = _cursor(cursors.get(key, ""))
        since = cursor.at.isoformat() if cursor.at else None
        for page in self._pages("Issues", slug, project=key, since=since):
            news = [
                issue for issue in (_issue(row, key) for row in page) if cursor.seen.get(issue.id) != issue.updated_at
            ]
            for issue in news:
                seen = cursor.seen if cursor.at == issue.updated_at else {}
                cursor = Cursor(issue.updated_at, seen | {issue.id: issue.updated_at})
            yield Page(issues=tuple(news), cursors={key: msgspec.json.encode(cursor).decode()})
        yield Page(complete=frozenset({key}))

    def observe(self, targets: Sequence[Target]) -> Observed:
        self._me = self._me or self._ask("Viewer")["id"]
        issues: dict[str, StatusIssue] = {}
        failed: dict[str, TrackerError] = {}
        labels: dict[str, frozenset[str]] = {}
        claims: dict[str, Claim] = {}
        marked: dict[str, dict[str, Json]] = {}
        sought = {target.milestone: target for target in targets}
        for target in targets:
            key = target.project_key
            try:
                if target.project not in labels:
                    labels[target.project] = frozenset(self._labels(key))
                    marked[target.project] = self._marked(target, sought)
                there = marked[target.project].get(target.milestone)
                if target.issue:
                    issues[target.milestone] = self._status_issue(target.issue, key)
                elif there and there["creator"]["id"] == self._me:
                    issues[target.milestone] = self._status_issue(there["identifier"], key)
                elif there:
                    claims[target.milestone] = _claim(there, "creator", "description", there["identifier"])
            except OWN as error:
                failed[target.milestone] = error
        return Observed(issues=issues, failed=failed, labels=labels, claims=claims)

    def _labels(self, key: str) -> dict[str, str]:
        return {row["name"]: row["id"] for page in self._pages("Labels", key) for row in page}

    def _marked(self, target: Target, sought: Mapping[str, Target]) -> dict[str, Json]:
        """By milestone, the oldest issue whose marker names it: of ours, or else of another account."""
        pages = self._pages("Marked", target.project_key, project=target.project, label="milestone-status")
        rows = sorted((row for page in pages for row in page), key=lambda row: row["creator"]["id"] != self._me)
        found: dict[str, Json] = {}
        for row in rows:
            known = status_issue_of(find_marker(row["description"]), sought)
            if known is not None:
                found.setdefault(known.milestone, row)
        return found

    def _status_issue(self, identifier: str, key: str) -> StatusIssue:
        row = self._ask("Issue", key, id=identifier)
        comments = [comment for page in self._pages("Comments", key, issue=row["id"]) for comment in page]
        return StatusIssue(
            issue=row["identifier"],
            url=row["url"],
            closed=row["completedAt"] is not None,
            labels=tuple(label["name"] for label in row["labels"]["nodes"]),
            comments=tuple(self._ours(comments)),
            marker=find_marker(row["description"]) if row["creator"]["id"] == self._me else "",
            asked=tuple(self._asked(comments)),
            claims=tuple(
                _claim(comment)
                for comment in comments
                if comment["user"]["id"] != self._me and find_marker(comment["body"])
            ),
        )

    def _ours(self, comments: Sequence[Json]) -> Iterator[OurComment]:
        for comment in comments:
            marker = find_marker(comment["body"]) if comment["user"]["id"] == self._me else ""
            if marker:
                made, changed = (
                    datetime.fromisoformat(comment["createdAt"]),
                    datetime.fromisoformat(comment["updatedAt"]),
                )
                yield OurComment(
                    id=comment["id"], marker=marker, body=comment["body"], created_at=made, updated_at=changed
                )

    def _asked(self, comments: Sequence[Json]) -> Iterator[CommandComment]:
        """Commands. The tracker does not say who may write, so only our own account may."""
        for comment in comments:
            lines, user = command_lines(comment["body"]), comment["user"]
            ours = user["id"] == self._me
            if lines and not (ours and find_marker(comment["body"])):
                at = datetime.fromisoformat(comment["updatedAt"])
                yield CommandComment(
                    id=comment["id"], author=user["id"], name=user["name"], may_write=ours, at=at, text=lines
                )

    # --- writing -----------------------------------------------------------------------------------------------------

    def apply(self, action: Action) -> Receipt:
        key = action.project_key
        match action:
            case CreateLabel(label=label, colour=colour):
                if label in self._labels(key):
                    return Receipt()
                made = self._change("LabelCreate", key, again=False, name=label, color=f"#{colour}")["issueLabel"]
                return Receipt(id=made["id"])
            case CreateStatusIssue():
                ids, text = self._labels(key), with_marker(action.body, action.marker)
                labels = [ids[name] for name in action.labels if name in ids]
                where: Json = {"project": action.project, "labels": labels}
                made = self._change("IssueCreate", key, again=False, title=action.title, description=text, **where)[
                    "issue"
                ]
                return Receipt(id=made["id"], issue=made["identifier"])
            case MoveLabel(issue=issue, add=add, remove=remove):
                ids = self._labels(key)
                if add not in ids:
                    raise RefusedError(self.name, key, f"there is no label {add}")
                gone = [ids[name] for name in remove if name in ids]
                self._change("IssueUpdate", key, again=True, id=issue, added=[ids[add]], removed=gone)
                return Receipt(issue=issue)
            case RemoveLabel(issue=issue, labels=names):
                ids = self._labels(key)
                gone = [ids[name] for name in names if name in ids]
                self._change("IssueUpdate", key, again=True, id=issue, added=[], removed=gone)
                return Receipt(issue=issue)
            case LabelItem(issue=issue, add=add, remove=remove):
                ids = self._labels(key)
                gone = [ids[name] for name in remove if name in ids]
                self._change("IssueUpdate", key, again=True, id=issue, added=[ids[n] for n in add], removed=gone)
                return Receipt(issue=issue)
            case CreateComment(issue=issue):
                text = with_marker(action.body, action.marker)
                made = self._change("CommentCreate", key, again=False, issue=issue, body=text)["comment"]
                return Receipt(id=made["id"], issue=issue)
            case UpdateComment(issue=issue, comment=comment):
                text = with_marker(action.body, action.marker)
                self._change("CommentUpdate", key, again=True, id=comment, body=text)
                return Receipt(id=comment, issue=issue)
            case DeleteComment(issue=issue, comment=comment):
                with suppress(GoneError):
                    self._change("CommentDelete", key, again=True, id=comment)
                return Receipt(id=comment, issue=issue)
            case _:
                raise RefusedError(self.name, key, f"cannot do {type(action).__name__}")


def connect(setup: Setup) -> Connector:
    """The entry point."""
    return Linear(setup)


def _claim(row: Json, by: str = "user", text: str = "body", issue: str = "") -> Claim:
    return Claim(id=row["id"], author=row[by]["id"], marker=find_marker(row[text]), issue=issue)


# --- rows ------------------------------------------------------------------------------------------------------------


def _cursor(text: str) -> Cursor:
    try:
        return msgspec.json.decode(text or "{}", type=Cursor)
    except msgspec.DecodeError:
        return Cursor()


def _project(row: Json) -> Project:
    return Project(id=row["id"], key=row["slugId"], name=row["name"], url=row["url"], visibility=Visibility.PROJECT)


def _milestone(row: Json, project: Json) -> Milestone:
    due = row["targetDate"]
    return Milestone(
        id=row["id"],
        project=project["id"],
        kind=MilestoneKind.MILESTONE,
        key=row["name"],
        written=f"/{row['name']}",
        title=row["name"],
        url=f"{project['url']}#milestone-{row['id']}",
        state=State.CLOSED if row["status"] == "done" else State.OPEN,
        due=date.fromisoformat(due) if due else None,
        created_at=datetime.fromisoformat(row["createdAt"]),
        updated_at=datetime.fromisoformat(row["updatedAt"]),
    )


def _issue(row: Json, project: str) -> Issue:
    closed = row["completedAt"] or row["canceledAt"]
    kind = row["state"]["type"]
    return Issue(
        id=row["id"],
        project=project,
        key=row["identifier"],
        title=row["title"],
        url=row["url"],
        state=State.CLOSED if closed else State.OPEN,
        raw_state=row["state"]["name"],
        category=CATEGORY.get(kind, StatusCategory.TODO),
        created_at=datetime.fromisoformat(row["createdAt"]),
        updated_at=datetime.fromisoformat(row["updatedAt"]),
        closed_at=datetime.fromisoformat(closed) if closed else None,
        resolution="canceled" if kind == "canceled" else "",
        assignees=(Person(row["assignee"]["id"], row["assignee"]["name"]),) if row["assignee"] else (),
        labels=tuple(label["name"] for label in row["labels"]["nodes"]),
        milestones=(row["projectMilestone"]["id"],) if row["projectMilestone"] else (),
        points=row["estimate"],
    )


# --- queries ---------------------------------------------------------------------------------------------------------

_PAGE = "first: 50, after: $after"
_INFO = "pageInfo { hasNextPage endCursor }"
_ISSUE = """id identifier title url state { name type } createdAt updatedAt completedAt canceledAt description estimate
  assignee { id name } creator { id } labels { nodes { name } } projectMilestone { id }"""
QUERIES = {
    "Viewer": "query Viewer { viewer { id } }",
    "Project": "query Project($slug: String!) { project(id: $slug) { id slugId name url } }",
    "Milestones": f"""query Milestones($project: ID!, $after: String) {{
  projectMilestones({_PAGE}, filter: {{project: {{id: {{eq: $project}}}}}}) {{
    nodes {{ id name targetDate status createdAt updatedAt }} {_INFO} }} }}""",
    "Issues": f"""query Issues($project: ID!, $since: DateTimeOrDuration, $after: String) {{
  issues({_PAGE}, sort: [{{updatedAt: {{order: Ascending}}}}],
    filter: {{project: {{id: {{eq: $project}}}}, updatedAt: {{gte: $since}}}}) {{ nodes {{ {_ISSUE} }} {_INFO} }} }}""",
    "Marked": f"""query Marked($project: ID!, $label: String!, $after: String) {{
  issues({_PAGE}, sort: [{{createdAt: {{order: Ascending}}}}],
    filter: {{project: {{id: {{eq: $project}}}}, labels: {{name: {{eq: $label}}}}}}) {{
    nodes {{ id identifier description creator {{ id }} }} {_INFO} }} }}""",
    "Issue": f"query Issue($id: String!) {{ issue(id: $id) {{ {_ISSUE} }} }}",
    "Comments": f"""query Comments($issue: ID!, $after: String) {{
  comments({_PAGE}, filter: {{issue: {{id: {{eq: $issue}}}}}}) {{
    nodes {{ id body createdAt updatedAt user {{ id name }} }} {_INFO} }} }}""",
    "Labels": f"query Labels($after: String) {{ issueLabels({_PAGE}) {{ nodes {{ id name }} {_INFO} }} }}",
    "LabelCreate": """mutation LabelCreate($name: String!, $color: String) {
  issueLabelCreate(input: {name: $name, color: $color}) { issueLabel { id } } }""",
    "IssueCreate": """mutation IssueCreate(
  $project: String!, $title: String!, $description: String!, $labels: [String!]
) {
  issueCreate(input: {projectId: $project, title: $title, description: $description, labelIds: $labels}) {
    issue { id identifier } } }""",
    "IssueUpdate": """mutation IssueUpdate($id: String!, $added: [String!], $removed: [String!]) {
  issueUpdate(id: $id, input: {addedLabelIds: $added, removedLabelIds: $removed}) { issue { id } } }""",
    "CommentCreate": """mutation CommentCreate($issue: String!, $body: String!) {
  commentCreate(input: {issueId: $issue, body: $body}) { comment { id } } }""",
    "CommentUpdate": """mutation CommentUpdate($id: String!, $body: String!) {
  commentUpdate(id: $id, input: {body: $body}) { comment { id } } }""",
    "CommentDelete": "mutation CommentDelete($id: String!) { commentDelete(id: $id) { success } }",
}
