"""Sandbox GitHub: REST API over the world, next to GraphQL; under ``/`` as on github.com and under
``/api/v3`` and ``/api/graphql`` as on an Enterprise Server.

Lists have pages as on GitHub: by number, issues by the cursor in the Link header. ETags answer 304 and cost nothing.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from connectors.sandbox.github.graphql import answer
from connectors.sandbox.github.permissions import ROUTES
from connectors.sandbox.github.requests import Call, Desk, Handler, RefusedError, invalid, json_answer
from connectors.sandbox.github.rest_views import stamp, timeline
from connectors.sandbox.middleware import wired
from connectors.sandbox.versions import full_version
from connectors.sandbox.world import Tracker
from connectors.sandbox.world_data import Comment, Issue, Label, Milestone, Project

__all__ = ["application"]


def application(tracker: Tracker) -> ASGIApp:
    """Return the web application of a GitHub."""
    repository = "/repos/{owner}/{repo}"
    issue = f"{repository}/issues/{{number:int}}"
    comment = f"{repository}/issues/comments/{{comment:int}}"
    handlers: list[tuple[str, str, Handler]] = [
        ("GET", "/user", lambda call: json_answer(call.view.viewer(tracker.bot))),
        ("GET", "/rate_limit", _rate_limit),
        ("GET", "/meta", _meta),
        ("POST", "/app/installations/{installation:int}/access_tokens", _installation_token),
        ("GET", repository, lambda call: json_answer(call.view.repository(call.project))),
        ("GET", f"{repository}/milestones", _milestones),
        ("POST", f"{repository}/milestones", _create_milestone),
        ("GET", f"{repository}/milestones/{{number:int}}", lambda call: _milestone(call, call.milestone)),
        ("PATCH", f"{repository}/milestones/{{number:int}}", _edit_milestone),
        ("GET", f"{repository}/issues", _issues),
        ("POST", f"{repository}/issues", _create_issue),
        ("GET", issue, lambda call: _issue(call, call.issue)),
        ("PATCH", issue, _edit_issue),
        ("GET", f"{issue}/comments", _comments),
        ("POST", f"{issue}/comments", _create_comment),
        ("GET", comment, lambda call: _comment(call, *_found(call))),
        ("PATCH", comment, _edit_comment),
        ("DELETE", comment, _delete_comment),
        ("GET", f"{issue}/timeline", _timeline),
        ("GET", f"{issue}/events", _timeline),
        ("GET", f"{repository}/labels", _labels),
        ("POST", f"{repository}/labels", _create_label),
        ("GET", f"{issue}/labels", lambda call: _issue_labels(call, call.issue)),
        ("POST", f"{issue}/labels", _add_labels),
        ("DELETE", f"{issue}/labels/{{label:path}}", _remove_label),
        *ROUTES,
    ]
    desk = Desk(tracker)
    rest = [Route(path, desk.answering(handler), methods=[method]) for method, path, handler in handlers]
    graphql = desk.answering(_graphql)
    routes: list[BaseRoute] = [
        Route("/graphql", graphql, methods=["POST"]),
        Route("/api/graphql", graphql, methods=["POST"]),
        Mount("/api/v3", routes=list(rest)),
        *rest,
    ]
    return wired(Starlette(routes=routes), tracker, desk.authorised, desk.unauthorised)


# --- GraphQL, limit ----------------------------------------------------------------------------------------------


def _graphql(call: Call) -> Response:
    made = answer(call.tracker, call.body)
    if made.changes:  # the log distinguishes changes from reads by it
        call.request.scope["milesync.path"] = f"/mutation/{'+'.join(made.changes)}"
    return json_answer(made.body)


def _installation_token(call: Call) -> Response:
    """Return a token of one hour for a GitHub App. The signature is not checked: the sandbox has no public key of an
    App.
    """
    until = stamp(call.tracker.world.clock() + timedelta(hours=1))
    made = {"token": call.tracker.token, "expires_at": until, "permissions": {"issues": "write"}}
    return json_answer({**made, "repository_selection": "all"}, 201)


def _meta(call: Call) -> Response:
    installed = {"installed_version": full_version(call.tracker)} if call.tracker.version else {}
    return json_answer({"verifiable_password_authentication": False, **installed})


def _rate_limit(call: Call) -> Response:
    tracker = call.tracker
    if tracker.version:
        raise RefusedError(404, "Rate limiting is not enabled.")
    left = max(0, tracker.limit - tracker.used)
    row = {"limit": tracker.limit, "remaining": left, "used": tracker.used, "reset": 0}
    return json_answer({"resources": {"core": row, "search": row, "graphql": row}, "rate": row})


# --- milestones --------------------------------------------------------------------------------------------------


def _milestones(call: Call) -> Response:
    state, project = call.query.get("state", "open"), call.project
    rows = [m for m in project.milestones.values() if state == "all" or (m.closed is not None) == (state == "closed")]
    rows.sort(key=lambda m: (m.due or date.max, m.number), reverse=call.query.get("direction", "asc") == "desc")
    return call.page(rows, lambda some: call.view.milestones(project, some))


def _milestone(call: Call, milestone: Milestone, status: int = 200) -> Response:
    return json_answer(call.view.milestones(call.project, [milestone])[0], status)


def _create_milestone(call: Call) -> Response:
    title = call.text("title", most=255)
    if any(m.title == title for m in call.project.milestones.values()):
        raise invalid("title", "already_exists", "Milestone")
    made = call.tracker.milestone(
        call.project, title, due=_day(call), description=str(call.body.get("description") or "")
    )
    return _milestone(call, made, 201)


def _edit_milestone(call: Call) -> Response:
    milestone = call.milestone
    milestone.updated = call.tracker.world.clock()
    if "title" in call.body:
        milestone.title = call.text("title", most=255)
    if "description" in call.body:
        milestone.description = str(call.body["description"] or "")
    if "due_on" in call.body:
        milestone.due = _day(call)
    if call.body.get("state") == "closed":
        call.tracker.close_milestone(call.project, milestone)
    elif call.body.get("state") == "open":
        milestone.closed, milestone.released = None, False
    return _milestone(call, milestone)


def _day(call: Call) -> date | None:
    given = call.body.get("due_on")
    try:
        return datetime.fromisoformat(given).astimezone(UTC).date() if given else None
    except (TypeError, ValueError):
        raise invalid("due_on", "invalid", "Milestone") from None


# --- issues ------------------------------------------------------------------------------------------------------


def _issues(call: Call) -> Response:
    """List issues by a cursor that names a place in the order, so that updated issues are not skipped."""
    project, state = call.project, call.query.get("state", "open")
    since = datetime.fromisoformat(call.query["since"]) if "since" in call.query else None
    labels = {name for name in call.query.get("labels", "").split(",") if name}
    down = call.query.get("direction", "desc") == "desc"
    order: Callable[[Issue], str] = {
        "created": lambda issue: f"{issue.created:%Y-%m-%dT%H:%M:%S.%f} {issue.number:09}",
        "updated": lambda issue: f"{issue.updated:%Y-%m-%dT%H:%M:%S.%f} {issue.number:09}",
        "comments": lambda issue: f"{len(issue.comments):09} {issue.number:09}",
    }[call.query.get("sort", "created")]
    rows = [
        issue
        for issue in project.issues.values()
        if (state == "all" or (issue.closed is not None) == (state == "closed"))
        and (since is None or issue.updated.replace(microsecond=0) >= since)
        and labels.issubset(issue.labels)
        and _in_milestone(call, project, issue)
    ]
    rows.sort(key=order, reverse=down)
    if "page" in call.query:
        return call.page(rows, lambda some: call.view.issues(project, some))
    place = b64decode(call.query.get("after", "")).decode()
    if place:
        rows = [issue for issue in rows if (order(issue) < place if down else order(issue) > place)]
    shown = rows[: call.size]
    links = {"next": b64encode(order(shown[-1]).encode()).decode()} if len(rows) > len(shown) else {}
    return call.listed(call.view.issues(project, shown), "after", links)


def _in_milestone(call: Call, project: Project, issue: Issue) -> bool:
    wanted = call.query.get("milestone")
    if wanted is None:
        return True
    if wanted in ("*", "none"):
        return bool(issue.milestones) == (wanted == "*")
    if not wanted.isdigit() or all(m.number != int(wanted) for m in project.milestones.values()):
        raise invalid("milestone", "invalid")
    return any(project.milestones[m].number == int(wanted) for m in issue.milestones)


def _issue(call: Call, issue: Issue, status: int = 200) -> Response:
    return json_answer(call.view.issues(call.project, [issue])[0], status)


def _create_issue(call: Call) -> Response:
    project, tracker = call.project, call.tracker
    title, body = call.text("title", most=256), call.text("body", most=65536, needed=False)
    names = () if project.drops_labels else call.body.get("labels") or ()
    labels = [_known_label(call, str(name)) for name in names]
    made = tracker.issue(project, title, tracker.bot, body=body, labels=[label.name for label in labels])
    _set_milestone(call, made)
    return _issue(call, made, 201)


def _edit_issue(call: Call) -> Response:
    issue, tracker = call.issue, call.tracker
    if "title" in call.body:
        issue.title = call.text("title", most=256)
    if "body" in call.body:
        issue.body = call.text("body", most=65536, needed=False)
    if "labels" in call.body:
        wanted = [_known_label(call, str(name)).name for name in call.body["labels"]]
        tracker.label(issue, wanted, [name for name in issue.labels if name not in wanted], tracker.bot)
    state = call.body.get("state")
    if state == "closed" and issue.closed is None:
        tracker.close(issue, tracker.bot, resolution=str(call.body.get("state_reason") or "completed"))
    elif state == "open" and issue.closed is not None:
        tracker.reopen(issue, tracker.bot)
    _set_milestone(call, issue)
    issue.updated = max(issue.updated, tracker.world.clock())
    return _issue(call, issue)


def _set_milestone(call: Call, issue: Issue) -> None:
    if "milestone" not in call.body:
        return
    number = call.body["milestone"]
    milestone = call.numbered(number) if isinstance(number, int) else None
    if number is not None and milestone is None:
        raise invalid("milestone", "invalid")
    call.tracker.move(call.project, issue, [milestone.id] if milestone else [], call.tracker.bot)


def _timeline(call: Call) -> Response:
    project, issue = call.project, call.issue
    rows = [(kind, change) for kind, change in timeline(issue, project.milestones) if change.field != "review"]
    return call.page(rows, lambda some: [call.view.event(project, issue, kind, change) for kind, change in some])


# --- comments ----------------------------------------------------------------------------------------------------


def _found(call: Call) -> tuple[Issue, Comment]:
    project, found = call.project, call.tracker.find_comment(int(call.path["comment"]))
    if found is None or found[0] is not project:
        raise RefusedError(404, "Not Found")
    return found[1], found[2]


def _comment(call: Call, issue: Issue, comment: Comment, status: int = 200) -> Response:
    return json_answer(call.view.comment(call.project, issue, comment), status)


def _comments(call: Call) -> Response:
    project, issue = call.project, call.issue
    return call.page(issue.comments, lambda some: [call.view.comment(project, issue, comment) for comment in some])


def _create_comment(call: Call) -> Response:
    issue = call.issue
    made = call.tracker.comment(issue, call.tracker.bot, call.text("body", most=65536))
    return _comment(call, issue, made, 201)


def _edit_comment(call: Call) -> Response:
    issue, comment = _found(call)
    call.tracker.edit_comment(issue, comment, call.text("body", most=65536))
    return _comment(call, issue, comment)


def _delete_comment(call: Call) -> Response:
    issue, comment = _found(call)
    issue.comments.remove(comment)
    issue.updated = max(issue.updated, call.tracker.world.clock())
    return Response(status_code=204)


# --- labels ------------------------------------------------------------------------------------------------------


def _label_named(project: Project, name: str) -> Label | None:
    return next((label for label in project.labels.values() if label.name.lower() == name.lower()), None)


def _known_label(call: Call, name: str) -> Label:
    """Return the label of that name; create it with the default colour, as GitHub does for users who may write."""
    found = _label_named(call.project, name)
    if found is None:
        found = call.project.labels[name] = Label(call.tracker.world.next_id(), name)
    return found


def _labels(call: Call) -> Response:
    project = call.project
    rows = sorted(project.labels.values(), key=lambda label: label.name)
    return call.page(rows, lambda some: [call.view.label(project, label) for label in some])


def _create_label(call: Call) -> Response:
    name = call.text("name", most=50)
    colour, description = str(call.body.get("color") or "ededed"), call.text("description", most=100, needed=False)
    if len(colour) != 6 or not all(digit in "0123456789abcdefABCDEF" for digit in colour):
        raise invalid("color", "invalid", "Label")
    if _label_named(call.project, name):
        raise invalid("name", "already_exists", "Label")
    made = call.project.labels[name] = Label(call.tracker.world.next_id(), name, colour.lower(), description)
    return json_answer(call.view.label(call.project, made), 201)


def _issue_labels(call: Call, issue: Issue) -> Response:
    project = call.project
    return json_answer(
        [call.view.label(project, project.labels[name]) for name in issue.labels if name in project.labels]
    )


def _add_labels(call: Call) -> Response:
    names = [_known_label(call, str(name)).name for name in call.body.get("labels") or ()]
    call.tracker.label(call.issue, names, [], call.tracker.bot)
    return _issue_labels(call, call.issue)


def _remove_label(call: Call) -> Response:
    name = next((name for name in call.issue.labels if name.lower() == call.path["label"].lower()), None)
    if name is None:
        raise RefusedError(404, "Label does not exist")
    call.tracker.label(call.issue, [], [name], call.tracker.bot)
    return _issue_labels(call, call.issue)
