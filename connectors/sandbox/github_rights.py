"""What the sandbox's GitHub tells about what a change would set off: webhooks and workflows."""

from __future__ import annotations

from base64 import b64encode

from starlette.responses import Response

from connectors.sandbox.github_desk import Call, Handler, RefusedError, json_answer

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
    """The folder of workflows as contents, or one file of it."""
    project, name = call.project, call.path.get("file", "")
    folder = ".github/workflows"
    if not name and project.workflows:
        return json_answer([{"type": "file", "name": one, "path": f"{folder}/{one}"} for one in project.workflows])
    if name not in project.workflows:
        raise RefusedError(404, "Not Found")
    content = b64encode(project.workflows[name].encode()).decode()
    return json_answer(
        {"type": "file", "name": name, "path": f"{folder}/{name}", "encoding": "base64", "content": content}
    )


ROUTES: list[tuple[str, str, Handler]] = [
    ("GET", "/repos/{owner}/{repo}/pulls", _pulls),
    ("GET", "/repos/{owner}/{repo}/hooks", _hooks),
    ("GET", "/repos/{owner}/{repo}/contents/.github/workflows", _workflows),
    ("GET", "/repos/{owner}/{repo}/contents/.github/workflows/{file}", _workflows),
]
