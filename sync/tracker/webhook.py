"""webhook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from msgspec import Struct


class ForgedError(Exception):
    """A webhook's signature is not that of its secret, or too old."""


class WebhookEvent(Struct, frozen=True, kw_only=True):
    """What a webhook is believed: a project, as its tracker names it, may have changed; empty: any of the connection's.

    ``matters`` is whether such a change can change the health of a milestone, or ask something of us.
    """

    project: str
    matters: bool = True


@runtime_checkable
class WebhookListener(Protocol):
    """What a connector may also be able to do: tell a webhook of its tracker from a forged one."""

    def heard(self, headers: Mapping[str, str], body: bytes, secret: str) -> WebhookEvent:
        """What a request says; names of headers are in lower case. Compares in constant time; asks nobody.

        Raises `ForgedError`.
        """
        ...
