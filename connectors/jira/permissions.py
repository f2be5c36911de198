"""Find out whether Jira shows the permissions of other people to our account."""

from __future__ import annotations

from connectors.jira import api_types
from connectors.jira.session import PROJECT_ERRORS, Session
from sync.tracker.errors import GoneError, TrackerError

__all__ = ["ADMINISTRATOR", "shows_permissions"]

ADMINISTRATOR = ("ADMINISTER_PROJECTS", "ADMINISTER")
"""Permissions each of which shows the permissions of other people in a project."""


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
