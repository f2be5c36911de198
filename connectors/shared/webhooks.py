"""What the trackers' webhooks have in common: a body that is signed with a secret, and a project somewhere in it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from sync.tracker.webhook import ForgedError

__all__ = ["AHEAD", "SIGNING", "named", "same", "signed", "standard"]

T = TypeVar("T", bound=msgspec.Struct)

SIGNING = "whsec_"
"""How a secret begins that is a key in base64."""

AHEAD = timedelta(minutes=5)
"""How far the time in a signature may be from ours."""


def same(given: str, wanted: str) -> bool:
    """Whether two texts are the same; how long it takes tells nothing about where they differ."""
    return hmac.compare_digest(given.encode(), wanted.encode())


def signed(header: str, body: bytes, secret: str) -> None:
    """Check ``sha256=HEX``, the HMAC of the body. Raises `ForgedError`."""
    wanted = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if not same(header, wanted):
        raise ForgedError


def standard(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> None:
    """Check a signature as the Standard Webhooks specification has it, with its time. Raises `ForgedError`."""
    stamp = headers.get("webhook-timestamp", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 12):
        raise ForgedError
    if abs(now.timestamp() - int(stamp)) > AHEAD.total_seconds():
        raise ForgedError
    key = secret.encode()
    if secret.startswith(SIGNING):
        try:
            key = base64.b64decode(secret.removeprefix(SIGNING), validate=True)
        except binascii.Error:
            raise ForgedError from None
    content = f"{headers.get('webhook-id', '')}.{stamp}.".encode() + body
    wanted = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    offered = headers.get("webhook-signature", "").split(" ")[:8]
    if not any(same(name, wanted) for name in offered):
        raise ForgedError


def named(body: bytes, kind: type[T]) -> T:
    """The few fields that name a project. A body that is signed and yet makes no sense names none."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return kind()
