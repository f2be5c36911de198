"""Sandbox GitHub: webhooks, workflows and permissions of users."""

from __future__ import annotations

from base64 import b64encode

from starlette.responses import Response

from connectors.sandbox.github.requests import Call, Handler, RefusedError, json_answer

__all__ = ["ROUTES"]


def _pulls(call: Call) -> Response:
    rows = [issue for issue in call.project.issues.values() if issue.pull]
    return call.page(rows, lambda some: call.view.issues(call.project, some))


def _hooks(call: Call) -> Response:
    project = call.project
    if not project.admin:
        raise RefusedError(404, "Not Found")
    rows = [
        {"type": "Repository", "id": n, "name": "web", "active": hook.active, "events": list(hook.events)}
        | {"config": {"url": hook.url, "content_type": "json", "insecure_ssl": "0"}}
        for n, hook in enumerate(project.hooks, start=1)
    ]
    return call.page(rows, lambda some: some)


def _workflows(call: Call) -> Response:
    """Return the folder of workflows as contents, or one file of it."""
    project, name = call.project, call.path.get("file", "")
    folder = ".github/workflows"
    if not name and project.workflows:
        return json_answer(
            [{"type": "file", "name": workflow, "path": f"{folder}/{workflow}"} for workflow in project.workflows]
        )
    if name not in project.workflows:
        raise RefusedError(404, "Not Found")
    content = b64encode(project.workflows[name].encode()).decode()
    return json_answer(
        {"type": "file", "name": name, "path": f"{folder}/{name}", "encoding": "base64", "content": content}
    )


def _permission(call: Call) -> Response:
    """Return a user's permission, to users who may write: the short form: maintain is write, triage is read."""
    login = call.path["login"]
    if call.project.hides_roles or call.project.read_only:
        raise RefusedError(403, "Must have push access to view collaborator permission.")
    role = call.project.members.get(login, "none" if call.project.private else "read")
    known = {user.login for user in call.tracker.users.values()}
    if login not in known:
        raise RefusedError(404, f"{login} is not a user")
    short = {"maintain": "write", "triage": "read"}.get(role, role)
    return json_answer({"permission": short, "role_name": role, "user": call.view.user(call.tracker.user(login))})


ROUTES: list[tuple[str, str, Handler]] = [
    ("GET", "/repos/{owner}/{repo}/pulls", _pulls),
    ("GET", "/repos/{owner}/{repo}/hooks", _hooks),
    ("GET", "/repos/{owner}/{repo}/collaborators/{login}/permission", _permission),
    ("GET", "/repos/{owner}/{repo}/contents/.github/workflows", _workflows),
    ("GET", "/repos/{owner}/{repo}/contents/.github/workflows/{file}", _workflows),
]
