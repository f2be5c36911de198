"""Find out whether Jira shows the permissions of other people to our account."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.jira import api_types
from connectors.jira.search import chunks
from connectors.jira.session import PROJECT_ERRORS, Session
from sync.tracker.errors import GoneError, TrackerError

__all__ = ["ADMINISTRATOR", "shown_permissions", "shows_permissions"]

ADMINISTRATOR = ("ADMINISTER_PROJECTS", "ADMINISTER")
"""Permissions each of which shows the permissions of other people in a project."""

_PROJECTS = 1000
"""Projects in one request to Cloud."""


def shows_permissions(session: Session, project: str) -> bool | TrackerError:
    """Return whether our account administers a project (key), or the error that concerns this project alone."""
    query = {"projectKey": project, "permissions": ",".join(ADMINISTRATOR)}
    try:
        permissions = session.read(api_types.Permissions, "mypermissions", query, project=project).permissions
    except GoneError:
        return False  # this server does not have the resource, or does not show the project there
    except PROJECT_ERRORS as error:
        return error
    return any(key in permissions and permissions[key].havePermission for key in ADMINISTRATOR)


def shown_permissions(session: Session, projects: Mapping[str, str]) -> dict[str, bool | TrackerError]:
    """Return the same for several projects (key -> id, empty if unknown) by project key.

    Cloud answers for a thousand projects at once. Data Center says whether the account administers any project, or all
    of Jira; each project is requested only for an administrator of some of them.
    """
    found: dict[str, bool | TrackerError] = {}
    if len(projects) > 1:
        try:
            found |= _on_cloud(session, projects) if session.is_cloud else _on_data_center(session, projects)
        except PROJECT_ERRORS:
            found = {}
    rest = [key for key in projects if key not in found]
    answers = session.caller.map_all(lambda key: shows_permissions(session, key), rest)
    return found | dict(zip(rest, answers, strict=True))


def _on_cloud(session: Session, projects: Mapping[str, str]) -> dict[str, bool]:
    known = {key: int(id_) for key, id_ in projects.items() if id_.isdecimal()}
    administered: set[int] = set()
    for ids in chunks(known.values(), _PROJECTS):
        own = {"permissions": ["ADMINISTER_PROJECTS"], "projects": ids, "issues": []}
        body = {"globalPermissions": ["ADMINISTER"], "projectPermissions": [own]}
        grants = session.read(api_types.Grants, "permissions/check", body=body)
        administered |= {project for grant in grants.projectPermissions for project in grant.projects}
        administered |= {*ids} if "ADMINISTER" in grants.globalPermissions else set()
    return {key: id_ in administered for key, id_ in known.items()}


def _on_data_center(session: Session, projects: Mapping[str, str]) -> dict[str, bool]:
    permissions = session.read(api_types.Permissions, "mypermissions").permissions
    held = {key: permissions[key].havePermission for key in ADMINISTRATOR if key in permissions}
    if len(held) < len(ADMINISTRATOR) or (held["ADMINISTER_PROJECTS"] and not held["ADMINISTER"]):
        return {}
    return dict.fromkeys(projects, held["ADMINISTER"])
