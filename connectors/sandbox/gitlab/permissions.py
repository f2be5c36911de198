"""Sandbox GitLab: metadata, the token, the webhooks of a project."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.versions import full_version
from connectors.sandbox.world import Tracker
from connectors.sandbox.world_data import Hook, Project, User

__all__ = ["LEVELS", "hook", "member", "token", "version"]

Json = dict[str, Any]
_EVENTS = ("push", "issues", "confidential_issues", "note", "confidential_note", "merge_requests", "pipeline")


def version(tracker: Tracker) -> Json:
    """``/version``."""
    return {"version": f"{full_version(tracker)}-ee", "revision": "sandbox"}


def token(tracker: Tracker) -> Json:
    """``/personal_access_tokens/self``."""
    ends = tracker.expires
    return {
        "id": 1,
        "name": "milesync",
        "revoked": False,
        "created_at": "2026-01-02T00:00:00.000Z",
        "scopes": list(tracker.scopes or ()),
        "user_id": tracker.bot.id,
        "last_used_at": None,
        "active": True,
        "expires_at": ends.date().isoformat() if ends else None,
    }


def hook(number: int, told: Hook, project: int) -> Json:
    """Return a webhook; it can't be disabled."""
    events = {f"{name}_events": name in told.events for name in _EVENTS}
    return {"id": number, "url": told.url, "project_id": project, "enable_ssl_verification": True, **events}


LEVELS = {"read": 10, "triage": 20, "write": 30, "maintain": 40, "admin": 50}
"""GitLab's roles: Guest, Reporter, Developer, Maintainer, Owner."""


def member(project: Project, user: User) -> Json | None:
    """Return a member of a project with its role, inherited ones included; None for other users."""
    role = project.members.get(user.login)
    if role is None:
        return None
    shown = {"id": user.id, "username": user.login, "name": user.name, "state": "active", "locked": False}
    return {**shown, "access_level": LEVELS[role], "expires_at": None, "membership_state": "active"}
