"""Sandbox GitHub: resolvers of the fields of GitHub's GraphQL types."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias

from graphql import GraphQLError, GraphQLResolveInfo

from connectors.sandbox.github.rest_views import due_on, node_id, stamp, timeline
from connectors.sandbox.world import Tracker
from connectors.sandbox.world_data import Issue, Label, Project, User

__all__ = ["FIELDS", "Connection", "Info", "Row", "connection", "missing", "type_of"]

Info: TypeAlias = "GraphQLResolveInfo[Any]"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EVENTS = {
    "milestoned": "MilestonedEvent",
    "demilestoned": "DemilestonedEvent",
    "closed": "ClosedEvent",
    "reopened": "ReopenedEvent",
    "labeled": "LabeledEvent",
    "unlabeled": "UnlabeledEvent",
}
_REVIEWS = {
    "review_requested": "ReviewRequestedEvent",
    "ready_for_review": "ReadyForReviewEvent",
    "pull_request_review": "PullRequestReview",
}
_KINDS = {"I": "Issue", "PR": "PullRequest", "IC": "IssueComment", "LA": "Label", "MI": "Milestone", "R": "Repository"}


class Row(NamedTuple):
    """Object of the world with its project and issue."""

    type: str
    it: Any
    project: Project
    issue: Issue | None = None


class Connection(NamedTuple):
    """Page of rows."""

    nodes: list[Any]
    total: int
    end: str | None
    more: bool


def type_of(value: Any, _info: Info, _type: Any) -> str:
    """Return the name of a row's type, for interfaces and unions. A text is the name of a team."""
    if isinstance(value, str):
        return "Team"
    if isinstance(value, User):
        return "Bot" if value.bot else "User"
    return str(value.type)


def missing(what: str) -> GraphQLError:
    """Return the error for a missing or invisible object."""
    return GraphQLError(f"Could not resolve to {what}.", extensions={"type": "NOT_FOUND"})


# --- reading -----------------------------------------------------------------------------------------------------


def _tracker(info: Info) -> Tracker:
    tracker: Tracker = info.context
    return tracker


def _repository(_: Any, info: Info, owner: str, name: str, followRenames: bool = True) -> Row:  # noqa: N803
    tracker = _tracker(info)
    key = f"{owner}/{name}".lower()
    moved = {old.lower(): new.lower() for old, new in tracker.moved.items()} if followRenames else {}
    for project in tracker.projects.values():
        if project.key.lower() == moved.get(key, key) and not project.hidden:
            return Row("Repository", project, project)
    raise missing(f"a Repository with the name '{owner}/{name}'")


def _viewer_permission(project: Project) -> str:
    """Return the bot's permission in a repository."""
    if project.read_only or project.hides_roles:
        return "READ" if project.read_only else "TRIAGE"
    return "ADMIN" if project.admin else "WRITE"


def _owner(_: Any, info: Info, login: str) -> User:
    tracker = _tracker(info)
    if not any(key.startswith(f"{login}/") for key in tracker.projects):
        raise missing(f"a User or Organization with the login of '{login}'")
    return tracker.user(login)


def _owned(user: User, info: Info, **page: Any) -> Connection:
    mine = [p for key, p in sorted(_tracker(info).projects.items()) if key.startswith(f"{user.login}/")]
    return connection([Row("Repository", p, p) for p in mine if not p.hidden], page, lambda row: row.project.key)


def _node(_: Any, info: Info, id: str) -> Any:  # noqa: A002
    found = _find(_tracker(info), id)
    if found is None:
        raise missing(f"a node with the global id of '{id}'")
    return found


def _find(tracker: Tracker, wanted: str) -> Row | None:
    kind = _KINDS.get(wanted.partition("_")[0])
    for project in tracker.projects.values():
        if project.hidden:
            continue
        rows: Iterable[Row] = ()
        if kind in ("Issue", "PullRequest"):
            rows = (Row(kind, issue, project) for issue in project.issues.values())
        elif kind == "IssueComment":
            rows = (Row(kind, c, project, issue) for issue in project.issues.values() for c in issue.comments)
        elif kind == "Label":
            rows = (Row(kind, label, project) for label in project.labels.values())
        elif kind == "Milestone":
            rows = (Row(kind, milestone, project) for milestone in project.milestones.values())
        elif kind == "Repository":
            rows = (Row(kind, project, project),)
        for row in rows:
            if node_id(row.it) == wanted:
                return row
    return None


def _numbered(row: Row, _info: Info, number: int, *, pulls: bool) -> Row:
    issue = row.project.issues.get(number)
    if issue is None or (issue.pull and not pulls):
        raise missing(f"an {'issue or pull request' if pulls else 'Issue'} with the number of {number}")
    return Row("PullRequest" if issue.pull else "Issue", issue, row.project)


def _in_order(row: Row, kind: str, items: Iterable[Issue], page: Mapping[str, Any]) -> Connection:
    """Return a page of issues or pull requests in the order of a time; a cursor names a place in it."""
    order = page.get("orderBy") or {"field": "CREATED_AT", "direction": "ASC"}
    by: Callable[[Issue], datetime] = {
        "CREATED_AT": lambda issue: issue.created,
        "UPDATED_AT": lambda issue: issue.updated,
        "COMMENTS": lambda issue: EPOCH.replace(year=2000 + min(len(issue.comments), 7000)),
    }[order["field"]]
    down = order["direction"] == "DESC"
    found = sorted(items, key=lambda issue: (by(issue), issue.number), reverse=down)
    key = lambda row: f"{by(row.it):%Y-%m-%dT%H:%M:%S.%f} {row.it.number:09}"  # noqa: E731
    return connection([Row(kind, issue, row.project) for issue in found], page, key, down=down)


def _pull_requests(row: Row, _info: Info, **page: Any) -> Connection:
    mine = (issue for issue in row.project.issues.values() if issue.pull)
    return _in_order(row, "PullRequest", mine, page)


def _milestone_pull_requests(row: Row, _info: Info, **page: Any) -> Connection:
    mine = (issue for issue in row.project.issues.values() if issue.pull and row.it.id in issue.milestones)
    return _in_order(row, "PullRequest", mine, page)


def _issues(row: Row, _info: Info, **page: Any) -> Connection:
    chosen = page.get("filterBy") or {}
    since = datetime.fromisoformat(chosen["since"]) if chosen.get("since") else EPOCH
    states = chosen.get("states") or page.get("states") or ["OPEN", "CLOSED"]
    labels = set(chosen.get("labels") or page.get("labels") or ())
    numbers = chosen.get("milestoneNumber")
    found = (
        issue
        for issue in row.project.issues.values()
        if not issue.pull
        and issue.updated.replace(microsecond=0) >= since
        and ("CLOSED" if issue.closed else "OPEN") in states
        and labels.issubset(issue.labels)
        and (numbers is None or any(str(row.project.milestones[m].number) == numbers for m in issue.milestones))
    )
    return _in_order(row, "Issue", found, page)


def _timeline(row: Row, info: Info, **page: Any) -> Connection:
    wanted = {name.lower().removesuffix("_event") for name in page.get("itemTypes") or ()}
    if wanted == {"sub_issue_added"}:
        return connection(_added_sub_issues(row, info), page)
    events = [
        Row((_EVENTS | _REVIEWS)[kind], change, row.project, row.it)
        for kind, change in timeline(row.it, row.project.milestones)
        if kind in _EVENTS | _REVIEWS and (not wanted or kind in wanted)
    ]
    return connection(events, page)


def _requests(row: Row, _info: Info, **page: Any) -> Connection:
    return connection([Row("ReviewRequest", who, row.project, row.it) for who in row.it.requested], page)


def _reviews(row: Row, _info: Info, **page: Any) -> Connection:
    return connection([Row("PullRequestReview", state, row.project, row.it) for state in row.it.reviews.values()], page)


def _closing(row: Row, _info: Info, **page: Any) -> Connection:
    closed = [row.project.issues[number] for number in row.it.closing if number in row.project.issues]
    return connection([Row("Issue", issue, row.project) for issue in closed], page)


def _pull_state(row: Row, _info: Info) -> str:
    """A pull request is merged unless it was closed with the resolution ``not merged``."""
    if row.it.closed is None:
        return "OPEN"
    return "CLOSED" if row.it.resolution == "not merged" else "MERGED"


def _comments(row: Row, _info: Info, **page: Any) -> Connection:
    return connection([Row("IssueComment", c, row.project, row.it) for c in row.it.comments], page)


def _issue_labels(row: Row, _info: Info, **page: Any) -> Connection:
    named = [row.project.labels[name] for name in row.it.labels if name in row.project.labels]
    return connection([Row("Label", label, row.project) for label in named], page)


def _label_of_event(row: Row, _info: Info) -> Row:
    name = row.it.new or row.it.old
    return Row("Label", row.project.labels.get(name) or Label(0, name, "ededed"), row.project)


def _labels(row: Row, _info: Info, query: str | None = None, **page: Any) -> Connection:
    named = [label for label in row.project.labels.values() if not query or query.lower() in label.name.lower()]
    return connection([Row("Label", label, row.project) for label in named], page)


def _label(row: Row, _info: Info, name: str) -> Row | None:
    for label in row.project.labels.values():
        if label.name.lower() == name.lower():
            return Row("Label", label, row.project)
    return None


def _milestones(row: Row, _info: Info, **page: Any) -> Connection:
    states = page.get("states") or ["OPEN", "CLOSED"]
    order = page.get("orderBy") or {"field": "NUMBER", "direction": "ASC"}
    found = [m for m in row.project.milestones.values() if ("CLOSED" if m.closed else "OPEN") in states]
    found.sort(
        key=lambda m: m.updated.timestamp() if order["field"] == "UPDATED_AT" else m.number,
        reverse=order["direction"] == "DESC",
    )
    return connection([Row("Milestone", m, row.project) for m in found], page)


def _milestone(row: Row, _info: Info) -> Row | None:
    own = row.it.milestones
    return Row("Milestone", row.project.milestones[own[0]], row.project) if own else None


def _parent(row: Row, info: Info) -> Row | None:
    name, _, number = row.it.parent.rpartition("-")
    project = _tracker(info).projects.get(name)
    issue = project.issues.get(int(number)) if project and number.isdecimal() else None
    return Row("Issue", issue, project) if issue and project and not project.hidden else None


def _sub_issues(row: Row, info: Info) -> list[Row]:
    """The sub-issues of an issue, in any repository; None for one that the token may not see."""
    everywhere = ((project, issue) for project in _tracker(info).projects.values() for issue in project.issues.values())
    return [Row("Issue", issue, project) for project, issue in everywhere if issue.parent == row.it.key]


def _visible(rows: Iterable[Row]) -> list[Row | None]:
    return [None if row.project.hidden else row for row in rows]


def _added_sub_issues(row: Row, info: Info) -> list[Row]:
    """The events of an issue by which it got its sub-issues, also those that left it since."""
    return [
        Row("SubIssueAddedEvent", change, project, issue)
        for project in _tracker(info).projects.values()
        for issue in project.issues.values()
        for change in issue.changes
        if change.field == "parent" and change.new == row.it.key
    ]


def _blockers(row: Row, _info: Info, **page: Any) -> Connection:
    there = [issue for n in row.it.blocked_by if (issue := row.project.issues.get(n)) and not issue.pull]
    return connection([Row("Issue", issue, row.project) for issue in there], page)


def _blocked(row: Row, _info: Info, **page: Any) -> Connection:
    waiting = [issue for issue in row.project.issues.values() if issue.blocked_by and row.it.number in issue.blocked_by]
    return connection([Row("Issue", issue, row.project) for issue in waiting], page)


def connection(
    rows: list[Any], page: Mapping[str, Any], key: Callable[[Any], str] | None = None, *, down: bool = False
) -> Connection:
    """Return a page: ``first`` (1 to 100) after a cursor, or the ``last`` ones. A cursor is a place in the order, or an
    index of stable rows.
    """
    if page.get("last") is not None and page.get("first") is None:
        rows, page = rows[-page["last"] :], {"first": page["last"]}
    first = page.get("first")
    if first is None or not 1 <= first <= 100:
        raise GraphQLError(
            "You must provide a `first` value of 1 to 100 to properly paginate the connection.",
            extensions={"type": "EXCESSIVE_PAGINATION" if first else "MISSING_PAGINATION_BOUNDARIES"},
        )
    start = 0
    if page.get("after"):
        place = b64decode(page["after"]).decode().removeprefix("cursor:v2:")
        if key is None:
            start = int(place)
        else:
            start = next(
                (i for i, row in enumerate(rows) if (key(row) < place if down else key(row) > place)), len(rows)
            )
    shown = rows[start : start + first]
    end = (key(shown[-1]) if key else str(start + len(shown))) if shown else None
    cursor = b64encode(f"cursor:v2:{end}".encode()).decode() if end is not None else None
    return Connection(shown, len(rows), cursor, start + len(shown) < len(rows))


# --- writing -----------------------------------------------------------------------------------------------------


def _writable(info: Info, wanted: str) -> Row:
    found = _find(_tracker(info), wanted)
    if found is None:
        raise missing(f"a node with the global id of '{wanted}'")
    if found.project.archived:
        raise GraphQLError("Repository was archived so is read-only.", extensions={"type": "FORBIDDEN"})
    if found.project.read_only:
        raise GraphQLError("Resource not accessible by personal access token", extensions={"type": "FORBIDDEN"})
    return found


def _move(info: Info, given: Mapping[str, Any], *, add: bool) -> dict[str, Any]:
    tracker, row = _tracker(info), _writable(info, given["labelableId"])
    if row.project.drops_labels:
        raise GraphQLError("Resource not accessible by personal access token", extensions={"type": "FORBIDDEN"})
    names = [_writable(info, wanted).it.name for wanted in given["labelIds"]]
    tracker.label(row.it, names if add else [], [] if add else names, tracker.bot)
    return {"labelable": row, "clientMutationId": given.get("clientMutationId")}


def _update_comment(_: Any, info: Info, input: Mapping[str, Any]) -> dict[str, Any]:  # noqa: A002
    row = _writable(info, input["id"])
    if row.issue is None or not 0 < len(input["body"]) <= 65536:
        raise GraphQLError("Body is too long (maximum is 65536 characters)", extensions={"type": "UNPROCESSABLE"})
    _tracker(info).edit_comment(row.issue, row.it, input["body"])
    return {"issueComment": row}


def _delete_comment(_: Any, info: Info, input: Mapping[str, Any]) -> dict[str, Any]:  # noqa: A002
    row = _writable(info, input["id"])
    if row.issue is not None:
        row.issue.comments.remove(row.it)
        row.issue.updated = max(row.issue.updated, _tracker(info).world.clock())
    return {"clientMutationId": input.get("clientMutationId")}


def _close_issue(_: Any, info: Info, input: Mapping[str, Any]) -> dict[str, Any]:  # noqa: A002
    row = _writable(info, input["issueId"])
    if row.it.closed is None:
        reason = input.get("stateReason") or "COMPLETED"
        _tracker(info).close(row.it, _tracker(info).bot, resolution=reason.lower())
    return {"issue": row, "clientMutationId": input.get("clientMutationId")}


def _association(row: Row, _info: Info) -> str:
    login = row.it.author.login
    if login == row.project.key.partition("/")[0]:
        return "OWNER"
    return "MEMBER" if login in row.project.members or row.it.author.bot else "NONE"


# --- fields ------------------------------------------------------------------------------------------------------


def _it(name: str) -> Callable[..., Any]:
    return lambda row, _info: getattr(row.it, name)


def _at(name: str) -> Callable[..., Any]:
    return lambda row, _info: stamp(getattr(row.it, name))


def _page(kind: str) -> Callable[..., Any]:
    return lambda row, info: f"{_tracker(info).url}/{row.project.key}/{kind}/{row.it.number}"


def _rate(_: Any, info: Info) -> dict[str, Any]:
    tracker = _tracker(info)
    left = max(0, tracker.limit - tracker.used)
    reset = stamp(tracker.world.clock())
    return {
        "cost": 1,
        "limit": tracker.limit,
        "remaining": left,
        "used": tracker.used,
        "resetAt": reset,
        "nodeCount": 0,
    }


def _reason(row: Row, _info: Info, enableDuplicate: bool = False) -> str | None:  # noqa: N803
    if row.it.closed is None:
        return None
    said = (row.it.resolution or "completed").upper()
    return "COMPLETED" if said == "DUPLICATE" and not enableDuplicate else said


_COMMON: dict[str, Callable[..., Any]] = {
    "milestone": _milestone,
    "assignees": lambda row, _info, **page: connection(row.it.assignees, page),
    "labels": _issue_labels,
    "timelineItems": _timeline,
}
"""Resolvers of fields that issues and pull requests have in common."""

FIELDS: dict[tuple[str, str], Callable[..., Any]] = {
    ("Query", "repository"): _repository,
    ("Query", "repositoryOwner"): _owner,
    ("Query", "node"): _node,
    ("Query", "nodes"): lambda _, info, ids: [_find(_tracker(info), node) for node in ids],
    ("Query", "viewer"): lambda _, info: _tracker(info).bot,
    ("Query", "rateLimit"): _rate,
    ("Mutation", "addLabelsToLabelable"): lambda _, info, input: _move(info, input, add=True),  # noqa: A006
    ("Mutation", "removeLabelsFromLabelable"): lambda _, info, input: _move(info, input, add=False),  # noqa: A006
    ("Mutation", "updateIssueComment"): _update_comment,
    ("Mutation", "deleteIssueComment"): _delete_comment,
    ("Mutation", "closeIssue"): _close_issue,
    ("Repository", "name"): lambda row, _info: row.project.key.partition("/")[2],
    ("Repository", "nameWithOwner"): lambda row, _info: row.project.key,
    ("Repository", "url"): lambda row, info: f"{_tracker(info).url}/{row.project.key}",
    ("Repository", "visibility"): lambda row, _info: "PRIVATE" if row.project.private else "PUBLIC",
    ("Repository", "viewerPermission"): lambda row, _info: _viewer_permission(row.project),
    ("Repository", "isPrivate"): lambda row, _info: row.project.private,
    ("Repository", "isArchived"): lambda *_: False,
    ("Repository", "hasIssuesEnabled"): lambda *_: True,
    ("Repository", "updatedAt"): lambda row, _info: stamp(row.project.updated or row.project.created),
    ("Repository", "owner"): lambda row, info: _tracker(info).user(row.project.key.partition("/")[0]),
    ("Repository", "issue"): lambda row, info, number: _numbered(row, info, number, pulls=False),
    ("Repository", "issueOrPullRequest"): lambda row, info, number: _numbered(row, info, number, pulls=True),
    ("Repository", "issues"): _issues,
    ("Repository", "label"): _label,
    ("Repository", "labels"): _labels,
    ("Repository", "milestones"): _milestones,
    ("Repository", "pullRequests"): _pull_requests,
    ("Issue", "url"): _page("issues"),
    ("Issue", "state"): lambda row, _info: "CLOSED" if row.it.closed else "OPEN",
    ("Issue", "stateReason"): _reason,
    ("Issue", "comments"): _comments,
    **{(type_, name): value for type_ in ("Issue", "PullRequest") for name, value in _COMMON.items()},
    ("Issue", "blockedBy"): _blockers,
    ("Issue", "blocking"): _blocked,
    ("Issue", "issueType"): lambda *_: None,
    ("Issue", "parent"): _parent,
    ("Issue", "subIssues"): lambda row, info, **page: connection(_visible(_sub_issues(row, info)), page),
    ("Issue", "subIssuesSummary"): _sub_issues,
    ("SubIssuesSummary", "total"): lambda rows, _info: len(rows),
    ("SubIssueAddedEvent", "createdAt"): _at("at"),
    ("SubIssueAddedEvent", "subIssue"): lambda row, _info: Row("Issue", row.issue, row.project),
    ("Issue", "body"): lambda row, _info: row.it.body or "",
    ("PullRequest", "url"): _page("pull"),
    ("PullRequest", "state"): _pull_state,
    ("PullRequest", "isDraft"): _it("draft"),
    ("PullRequest", "reviewDecision"): lambda *_: None,
    ("PullRequest", "closingIssuesReferences"): _closing,
    ("PullRequest", "latestOpinionatedReviews"): _reviews,
    ("PullRequest", "reviewRequests"): _requests,
    ("PullRequestReview", "state"): lambda row, _info: row.it if isinstance(row.it, str) else row.it.title,
    ("PullRequestReview", "submittedAt"): _at("at"),
    ("ReviewRequest", "requestedReviewer"): lambda row, _info: row.it,
    ("ReviewRequestedEvent", "requestedReviewer"): _it("old"),
    ("Team", "id"): lambda team, _info: f"T_{team}",
    ("Team", "combinedSlug"): lambda team, _info: team,
    ("Team", "slug"): lambda team, _info: team.rpartition("/")[2],
    ("Milestone", "pullRequests"): _milestone_pull_requests,
    ("Milestone", "url"): _page("milestone"),
    ("Milestone", "state"): lambda row, _info: "CLOSED" if row.it.closed else "OPEN",
    ("Milestone", "dueOn"): lambda row, _info: due_on(row.it.due),
    ("Label", "color"): _it("colour"),
    ("IssueComment", "authorAssociation"): _association,
    ("IssueComment", "isMinimized"): _it("minimised"),
    ("IssueComment", "url"): lambda row, info: (
        f"{_tracker(info).url}/{row.project.key}/issues/{row.issue.number}#issuecomment-{row.it.id}"
    ),
    ("IssueComment", "issue"): lambda row, _info: Row("Issue", row.issue, row.project),
    **{
        (type_, name): value
        for type_ in ("User", "Bot", "Organization")
        for name, value in {
            "id": lambda user, _info: node_id(user),
            "databaseId": lambda user, _info: user.id,
            "login": lambda user, _info: user.login,
            "name": lambda user, _info: user.name,
            "url": lambda user, info: f"{_tracker(info).url}/{user.login}",
            "repositories": _owned,
        }.items()
    },
    **{(type_, "createdAt"): _at("at") for type_ in (_EVENTS | _REVIEWS).values()},
    **{(type_, "actor"): _it("actor") for type_ in _EVENTS.values()},
    **{(type_, "label"): _label_of_event for type_ in ("LabeledEvent", "UnlabeledEvent")},
    **{(type_, "milestoneTitle"): _it("title") for type_ in _EVENTS.values()},
    ("ClosedEvent", "stateReason"): lambda row, _info: (row.issue.resolution or "completed").upper(),
}
"""Resolvers by type and field; those under ``("", field)`` serve every type that has no own one."""

FIELDS |= {
    ("", "id"): lambda row, _info: node_id(row.it),
    ("", "databaseId"): lambda row, _info: row.it.id,
    ("", "number"): _it("number"),
    ("", "title"): _it("title"),
    ("", "name"): _it("name"),
    ("", "body"): _it("body"),
    ("", "description"): _it("description"),
    ("", "author"): _it("author"),
    ("", "repository"): lambda row, _info: Row("Repository", row.project, row.project),
    ("", "createdAt"): _at("created"),
    ("", "updatedAt"): _at("updated"),
    ("", "closedAt"): _at("closed"),
    ("", "closed"): lambda row, _info: row.it.closed is not None,
    ("", "viewerDidAuthor"): lambda row, info: row.it.author is _tracker(info).bot,
    ("", "viewerCanLabel"): lambda row, _info: not row.project.read_only,
    ("", "nodes"): lambda page, _info: page.nodes,
    ("", "totalCount"): lambda page, _info: page.total,
    ("", "pageInfo"): lambda page, _info: {
        "endCursor": page.end,
        "hasNextPage": page.more,
        "hasPreviousPage": False,
        "startCursor": None,
    },
}
