"""Read GitLab's webhooks: a signature by the Standard Webhooks specification, or the secret in ``X-Gitlab-Token``.

A connection whose secret begins with ``whsec_`` accepts signed requests only: the plain token proves no body.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from connectors.shared.webhooks import KEY_PREFIX, decode_body, equal_in_constant_time, verify_standard_webhook
from sync.tracker.webhook import ForgedError, WebhookEvent

__all__ = ["parse_event"]

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


def parse_event(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> WebhookEvent:
    """Verify the signature and read the project. See `sync.tracker.webhook.WebhookListener`."""
    if "webhook-signature" in headers or secret.startswith(KEY_PREFIX):
        verify_standard_webhook(headers, body, secret, now)
    elif not equal_in_constant_time(headers.get("x-gitlab-token", ""), secret):
        raise ForgedError
    event = decode_body(body, _Body)
    project = event.project.path_with_namespace if event.project else ""
    group = (event.group.full_path or event.group.group_full_path) if event.group else ""
    return WebhookEvent(project=project or group, matters=event.object_kind in _KINDS)
