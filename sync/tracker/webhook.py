"""Webhooks: what a connector reads from the request of its tracker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from msgspec import Struct


class ForgedError(Exception):
    """A webhook's signature is not that of its secret, or too old."""


class WebhookEvent(Struct, frozen=True, kw_only=True):
    """A change that a webhook reports.

    ``project`` may have changed, in the tracker's own name; empty: any project of the connection. ``matters``: the
    change can affect the health of a milestone, or is a command.
    """

    project: str
    matters: bool = True


@runtime_checkable
class WebhookListener(Protocol):
    """Optional part of a connector: verify and read webhooks of its tracker."""

    def read_webhook(self, headers: Mapping[str, str], body: bytes, secret: str) -> WebhookEvent:
        """Verify a request and return its event. Header names are in lower case.

        Compares signatures in constant time and sends no request. Raises `ForgedError`.
        """
        ...
