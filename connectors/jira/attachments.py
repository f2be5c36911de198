"""Pictures on status issues: ours among the attachments, and what keeps us from adding one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from connectors.jira.api_types import Attachment, AttachmentSettings, Permissions
from connectors.jira.normalize import moment_of
from connectors.jira.session import OWN, Session
from connectors.shared.responses import decode
from sync.tracker.errors import GoneError, MalformedError, RefusedError, UncertainError
from sync.tracker.protocol import Attach, Attached, Detach, Files, Receipt, Target

__all__ = ["OFF", "RIGHTS", "enabled", "files_of", "hindrances", "put_file"]

RIGHTS = ("CREATE_ATTACHMENTS", "DELETE_OWN_ATTACHMENTS")
"""What an account needs for one picture that stays one."""

OFF = "attachments are switched off in Jira"


def files_of(session: Session, attachments: Sequence[Attachment] | None, why: str) -> Files:
    """Those that our own account uploaded, whatever their names."""
    ours = [
        attachment
        for attachment in attachments or ()
        if attachment.author is not None and attachment.author.id == session.me.id
    ]
    return Files(
        ours=tuple(
            Attached(id=attachment.id, name=attachment.filename, created_at=moment_of(attachment.created))
            for attachment in ours
        ),
        why=why,
    )


def enabled(session: Session) -> bool:
    """Whether this Jira takes attachments at all, as far as it tells."""
    with suppress(*OWN):
        return session.read(AttachmentSettings, "attachment/meta").enabled
    return True


def hindrances(session: Session, targets: Sequence[Target]) -> dict[str, str]:
    """By the key of each project in which pictures are asked for: what keeps us from attaching any, or nothing."""
    keys = list(dict.fromkeys(target.project_key for target in targets if target.attaching))
    if not keys:
        return {}
    if not enabled(session):
        return dict.fromkeys(keys, OFF)
    return dict(zip(keys, session.caller.map_all(lambda key: _hindrance(session, key), keys), strict=True))


def _hindrance(session: Session, project: str) -> str:
    asked = {"projectKey": project, "permissions": ",".join(RIGHTS)}
    try:
        held = session.read(Permissions, "mypermissions", asked, project=project).permissions
    except OWN:
        return ""
    lacks = [held[key].name or key for key in RIGHTS if key in held and not held[key].havePermission]
    return f"this account lacks the permission {' and '.join(lacks)} in {project}" if lacks else ""


def put_file(session: Session, action: Attach | Detach) -> Receipt:
    """Upload a picture, or take one away: it is no failure that it has gone already."""
    if isinstance(action, Attach):
        return _attach(session, action)
    with suppress(GoneError):
        session.write("DELETE", f"attachment/{action.file}", project=action.project_key)
    return Receipt(id=action.file, issue=action.issue)


def _attach(session: Session, action: Attach) -> Receipt:
    """That attachments are switched off Jira answers as if the issue were gone."""
    try:
        answer = session.upload(
            f"issue/{action.issue}/attachments", action.name, action.content, project=action.project_key
        )
    except GoneError as problem:
        raise RefusedError(session.name, action.project_key, problem.detail) from problem
    try:
        made = decode(answer, list[Attachment], session.name, action.project_key)
    except MalformedError as problem:
        raise UncertainError(session.name, action.project_key, problem.detail) from problem
    return Receipt(id=made[0].id if made else "", issue=action.issue)
