"""Read GitHub's webhooks: ``X-Hub-Signature-256`` signs the body, and each body names its repository."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from connectors.shared.webhooks import decode_body, verify_hmac
from sync.tracker.webhook import WebhookEvent

__all__ = ["parse_event"]

_EVENTS = frozenset(
    {
        "issues",
        "milestone",
        "issue_comment",
        "label",
        "repository",
        "sub_issues",
        "issue_dependencies",
        "pull_request",
        "pull_request_review",
    }
)


class _Repository(msgspec.Struct):
    full_name: str = ""


class _Body(msgspec.Struct):
    repository: _Repository = msgspec.field(default_factory=_Repository)


def parse_event(headers: Mapping[str, str], body: bytes, secret: str) -> WebhookEvent:
    """Verify the signature and read the project. See `sync.tracker.webhook.WebhookListener`."""
    verify_hmac(headers.get("x-hub-signature-256", ""), body, secret)
    event = decode_body(body, _Body)
    return WebhookEvent(project=event.repository.full_name, matters=headers.get("x-github-event", "") in _EVENTS)
