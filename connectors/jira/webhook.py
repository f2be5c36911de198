"""Read the webhooks of Jira Cloud and Data Center: ``X-Hub-Signature`` signs the body.

An issue's key names its project. Events of versions and sprints name no project key: they concern the whole connection.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from connectors.shared.webhooks import decode_body, verify_hmac
from sync.tracker.webhook import WebhookEvent

__all__ = ["parse_event"]

_EVENTS = ("jira:issue_", "jira:version_", "comment_", "issuelink_", "sprint_")


class _Issue(msgspec.Struct):
    key: str = ""


class _Body(msgspec.Struct):
    webhookEvent: str = ""  # noqa: N815 - Jira's own name
    issue: _Issue = msgspec.field(default_factory=_Issue)


def parse_event(headers: Mapping[str, str], body: bytes, secret: str) -> WebhookEvent:
    """Verify the signature and read the project. See `sync.tracker.webhook.WebhookListener`."""
    verify_hmac(headers.get("x-hub-signature", ""), body, secret)
    event = decode_body(body, _Body)
    return WebhookEvent(project=event.issue.key.rpartition("-")[0], matters=event.webhookEvent.startswith(_EVENTS))
