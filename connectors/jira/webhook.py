"""Jira's webhooks, of Cloud and of Data Center: ``X-Hub-Signature`` over the body.

An issue's key names its project. Events of versions and sprints name none by key: they concern the whole connection.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from connectors.shared.webhooks import named, signed
from sync.tracker.webhook import WebhookEvent

__all__ = ["heard"]

_EVENTS = ("jira:issue_", "jira:version_", "comment_", "issuelink_", "sprint_")


class _Issue(msgspec.Struct):
    key: str = ""


class _Body(msgspec.Struct):
    webhookEvent: str = ""  # noqa: N815 - Jira's own name
    issue: _Issue = msgspec.field(default_factory=_Issue)


def heard(headers: Mapping[str, str], body: bytes, secret: str) -> WebhookEvent:
    """See `sync.tracker.protocol.Listener`."""
    signed(headers.get("x-hub-signature", ""), body, secret)
    said = named(body, _Body)
    return WebhookEvent(project=said.issue.key.rpartition("-")[0], matters=said.webhookEvent.startswith(_EVENTS))
