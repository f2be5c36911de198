"""GitLab's webhooks: a signature after the Standard Webhooks specification, or the secret itself in ``X-Gitlab-Token``.

A connection whose secret begins with ``whsec_`` takes signed ones only: the plain token is no proof of a body.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from connectors.shared.webhooks import SIGNING, named, same, standard
from sync.tracker.webhook import ForgedError, WebhookEvent

__all__ = ["heard"]

_KINDS = frozenset({"issue", "work_item", "note", "milestone"})


class _Project(msgspec.Struct):
    path_with_namespace: str = ""


class _Group(msgspec.Struct):
    full_path: str = ""
    group_full_path: str = ""


class _Body(msgspec.Struct):
    object_kind: str = ""
    project: _Project | None = None
    group: _Group | None = None


def heard(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> WebhookEvent:
    """See `sync.tracker.protocol.Listener`."""
    if "webhook-signature" in headers or secret.startswith(SIGNING):
        standard(headers, body, secret, now)
    elif not same(headers.get("x-gitlab-token", ""), secret):
        raise ForgedError
    said = named(body, _Body)
    project = said.project.path_with_namespace if said.project else ""
    group = (said.group.full_path or said.group.group_full_path) if said.group else ""
    return WebhookEvent(project=project or group, matters=said.object_kind in _KINDS)
