"""Attach pictures to status issues, and find our pictures and the obstacles to attaching one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from connectors.jira import api_types
from connectors.jira.normalize import to_utc
from connectors.jira.session import PROJECT_ERRORS, Session
from connectors.shared.paths import path_of
from connectors.shared.responses import decode_created
from sync.tracker.actions import Attach, Detach, Receipt
from sync.tracker.errors import GoneError, RefusedError
from sync.tracker.observed import Attached, Files, Target

__all__ = ["OFF", "PERMISSIONS", "files_of", "has_attachments", "obstacles_to_attaching", "put_file"]

PERMISSIONS = ("CREATE_ATTACHMENTS", "DELETE_OWN_ATTACHMENTS")
"""Permissions that an account needs to replace its own picture."""

OFF = "attachments are switched off in Jira"
"""Obstacle that concerns the whole Jira."""


def files_of(session: Session, attachments: Sequence[api_types.Attachment] | None, why: str) -> Files:
    """The attachments that our own account uploaded, of any name. ``why`` is the obstacle to attaching more."""
    ours = [
        attachment
        for attachment in attachments or ()
        if attachment.author is not None and attachment.author.id == session.own_account.id
    ]
    return Files(
        ours=tuple(
            Attached(id=attachment.id, name=attachment.filename, created_at=to_utc(attachment.created))
            for attachment in ours
        ),
        why=why,
    )


def has_attachments(session: Session) -> bool:
    """Return whether attachments are switched on in Jira; true if it does not say so."""
    with suppress(*PROJECT_ERRORS):
        return session.read(api_types.AttachmentSettings, "attachment/meta").enabled
    return True


def obstacles_to_attaching(session: Session, targets: Sequence[Target]) -> dict[str, str]:
    """The obstacle to attaching pictures by project key, for targets that ask for it; empty without an obstacle."""
    keys = list(dict.fromkeys(target.project_key for target in targets if target.attaching))
    if not keys:
        return {}
    if not has_attachments(session):
        return dict.fromkeys(keys, OFF)
    return dict(zip(keys, session.caller.map_all(lambda key: _obstacle(session, key), keys), strict=True))


def _obstacle(session: Session, project: str) -> str:
    query = {"projectKey": project, "permissions": ",".join(PERMISSIONS)}
    try:
        permissions = session.read(api_types.Permissions, "mypermissions", query, project=project).permissions
    except PROJECT_ERRORS:
        return ""
    entries = [(key, permissions[key]) for key in PERMISSIONS if key in permissions]
    missing = [permission.name or key for key, permission in entries if not permission.havePermission]
    return f"this account lacks the permission {' and '.join(missing)} in {project}" if missing else ""


def put_file(session: Session, action: Attach | Detach) -> Receipt:
    """Upload or delete a picture. Deleting a missing picture is a success."""
    if isinstance(action, Attach):
        return _attach(session, action)
    with suppress(GoneError):
        session.write("DELETE", path_of("attachment/{}", action.file), project=action.project_key)
    return Receipt(id=action.file, issue=action.issue)


def _attach(session: Session, action: Attach) -> Receipt:
    """Upload a picture. Jira answers 404 when attachments are switched off: that is a refusal, not a missing issue."""
    try:
        answer = session.upload(
            path_of("issue/{}/attachments", action.issue), action.name, action.content, project=action.project_key
        )
    except GoneError as error:
        raise RefusedError(session.name, action.project_key, error.detail) from error
    attachments = decode_created(answer, list[api_types.Attachment], session.name, action.project_key)
    return Receipt(id=attachments[0].id if attachments else "", issue=action.issue)
