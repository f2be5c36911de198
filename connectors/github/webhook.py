"""GitHub's webhooks: ``X-Hub-Signature-256`` over the body; the repository is named in each."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from connectors.shared.webhooks import named, signed
from sync.tracker.webhook import WebhookEvent

__all__ = ["heard"]

_EVENTS = frozenset({"issues", "milestone", "issue_comment", "label", "repository", "sub_issues", "issue_dependencies"})


class _Repository(msgspec.Struct):
    full_name: str = ""


class _Body(msgspec.Struct):
    repository: _Repository = msgspec.field(default_factory=_Repository)


def heard(headers: Mapping[str, str], body: bytes, secret: str) -> WebhookEvent:
    """See `sync.tracker.protocol.Listener`."""
    signed(headers.get("x-hub-signature-256", ""), body, secret)
    said = named(body, _Body)
    return WebhookEvent(project=said.repository.full_name, matters=headers.get("x-github-event", "") in _EVENTS)
