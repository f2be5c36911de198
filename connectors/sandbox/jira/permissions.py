"""Sandbox Jira: permissions, the form for new issues, tokens and webhooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors.sandbox.jira.requests import Ask, RefusedByJiraError, names
from connectors.sandbox.world import Tracker
from connectors.sandbox.world_data import Project, User

__all__ = [
    "PERMISSIONS",
    "allowed",
    "create_fields",
    "create_types",
    "granted",
    "held",
    "permissions",
    "tokens",
    "webhooks",
]

Json = dict[str, Any]
PERMISSIONS = {
    "BROWSE_PROJECTS": "Browse Projects",
    "CREATE_ISSUES": "Create Issues",
    "EDIT_ISSUES": "Edit Issues",
    "ADD_COMMENTS": "Add Comments",
    "EDIT_OWN_COMMENTS": "Edit Own Comments",
    "DELETE_OWN_COMMENTS": "Delete Own Comments",
    "CREATE_ATTACHMENTS": "Create Attachments",
    "DELETE_OWN_ATTACHMENTS": "Delete Own Attachments",
    "ADMINISTER_PROJECTS": "Administer Projects",
    "ADMINISTER": "Administer Jira",
}
_READS = ("BROWSE_PROJECTS",)
_TYPES = {"10001": "Task", "10002": "Bug", "10003": "Story"}
_FIELDS = {
    "summary": ("Summary", True, False),
    "issuetype": ("Issue Type", True, False),
    "project": ("Project", True, False),
    "reporter": ("Reporter", True, True),
    "description": ("Description", False, False),
    "labels": ("Labels", False, False),
}


def permissions(ask: Ask, projects: Sequence[Project], *, cloud: bool) -> Json:
    """``/mypermissions``: in any of these projects. Cloud returns the requested ones, Data Center all."""
    asked = names(ask.query.get("permissions"))
    if cloud and not asked:
        raise RefusedByJiraError(400, "The permissions query parameter is required.")
    unknown = [key for key in asked if key not in PERMISSIONS]
    if cloud and unknown:
        raise RefusedByJiraError(400, f"Unrecognized permission: {unknown[0]}")
    return {
        "permissions": {
            key: {"id": str(n), "key": key, "name": PERMISSIONS[key], "type": "PROJECT"}
            | {"havePermission": any(held(project, key) for project in projects)}
            for n, key in enumerate(PERMISSIONS)
            if not cloud or key in asked
        }
    }


def granted(ask: Ask, projects: Sequence[Project]) -> Json:
    """``/permissions/check``: the projects in which the account has permissions. Unknown projects are ignored."""
    grants = []
    for asked in ask.body.get("projectPermissions") or ():
        numbers, keys = asked.get("projects") or [], asked.get("permissions") or []
        if len(numbers) > 1000 or any(key not in PERMISSIONS for key in keys):
            raise RefusedByJiraError(400, "Unrecognized permission, or more than 1000 projects.")
        for key in keys:
            own = [project.id for project in projects if project.id in numbers and held(project, key)]
            grants.append({"permission": key, "issues": [], "projects": own})
    return {"projectPermissions": grants, "globalPermissions": []}


def held(project: Project, key: str) -> bool:
    """Return True if the account has a permission in a project."""
    if key == "ADMINISTER":
        return False
    if key == "ADMINISTER_PROJECTS":
        return project.admin and not project.hides_roles
    return key not in project.denied and (key in _READS or not project.read_only)


def allowed(ask: Ask, tracker: Tracker, project: Project) -> list[User]:
    """``/user/permission/search``, for the project's administrators: the matching users with the permissions."""
    wanted = names(ask.query.get("permissions"))
    if not wanted:
        raise RefusedByJiraError(400, "The permissions query parameter is required.")
    if not held(project, "ADMINISTER_PROJECTS"):
        raise RefusedByJiraError(403, "You do not have the permission to search for users with permissions.")
    write = any(name not in _READS for name in wanted)
    found = [user for user in tracker.users.values() if user.login in project.members]
    found = [user for user in found if not write or project.members[user.login] not in ("read", "triage")]
    if tracker.kind == "jira-cloud":
        return [user for user in found if f"sandbox:{user.id}" == ask.query.get("accountId")]
    return [user for user in found if user.login.startswith(ask.query.get("username", ""))]


def create_types(tracker: Tracker, project: Project) -> Json:
    """Return the issue types that the account may create in a project."""
    shown = [{"id": number, "name": name, "subtask": False} for number, name in _TYPES.items()]
    return _listed(tracker, "issueTypes", shown if held(project, "CREATE_ISSUES") else [])


def create_fields(tracker: Tracker, project: Project, type_: str) -> Json:
    """The fields of the form for a new issue."""
    if type_ not in _TYPES:
        raise RefusedByJiraError(404, "Issue type not found.")
    on_screen = {key: value for key, value in _FIELDS.items() if key not in project.off_screen}
    every = on_screen | {key: (name, True, False) for key, name in project.required.items()}
    shown = [
        {"fieldId": key, "key": key, "name": name, "required": required, "hasDefaultValue": default}
        | {"operations": ["set"], "schema": {"type": "string", "system": key}}
        for key, (name, required, default) in every.items()
    ]
    return _listed(tracker, "fields", shown)


def _listed(tracker: Tracker, name: str, rows: list[Json]) -> Json:
    word = name if tracker.kind == "jira-cloud" else "values"
    return {"startAt": 0, "maxResults": 50, "total": len(rows), word: rows, "isLast": True}


def tokens(tracker: Tracker) -> list[Json]:
    """Data Center's personal access tokens of the account."""
    ends = tracker.expires
    return [{"id": 1, "name": "milesync", "expiringAt": f"{ends:%Y-%m-%dT%H:%M:%S.000+0000}" if ends else None}]


def webhooks(tracker: Tracker) -> list[Json]:
    """The webhooks of the whole site, for its administrators."""
    seen = [project for project in tracker.projects.values() if not project.hidden]
    if not any(project.admin for project in seen):
        raise RefusedByJiraError(403, "Only administrators may see webhooks.")
    return [
        {"name": project.key, "url": hook.url, "enabled": hook.active, "events": list(hook.events)}
        | {"filters": {"issue-related-events-section": f"project = {project.key}"}}
        for project in seen
        for hook in project.hooks
    ]
