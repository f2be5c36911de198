"""Verify webhook signatures and read the few fields that name a project: shared by the three trackers."""

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

__all__ = [
    "KEY_PREFIX",
    "MAX_CLOCK_SKEW",
    "decode_body",
    "equal_in_constant_time",
    "verify_hmac",
    "verify_standard_webhook",
]

T = TypeVar("T", bound=msgspec.Struct)

KEY_PREFIX = "whsec_"
"""Prefix of a secret that is a key in base64 (Standard Webhooks)."""

MAX_CLOCK_SKEW = timedelta(minutes=5)
"""Largest difference between the time in a signature and our clock."""


def equal_in_constant_time(received: str, expected: str) -> bool:
    """Compare two texts. The duration does not depend on the position of the first difference."""
    return hmac.compare_digest(received.encode(), expected.encode())


def verify_hmac(header: str, body: bytes, secret: str) -> None:
    """Verify ``sha256=HEX``, the HMAC of the body. Raises `ForgedError`."""
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if not equal_in_constant_time(header, expected):
        raise ForgedError


def verify_standard_webhook(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> None:
    """Verify the signature and timestamp of the Standard Webhooks specification. Raises `ForgedError`."""
    timestamp = headers.get("webhook-timestamp", "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12):
        raise ForgedError
    if abs(now.timestamp() - int(timestamp)) > MAX_CLOCK_SKEW.total_seconds():
        raise ForgedError
    key = secret.encode()
    if secret.startswith(KEY_PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(KEY_PREFIX), validate=True)
        except binascii.Error:
            raise ForgedError from None
    content = f"{headers.get('webhook-id', '')}.{timestamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    signatures = headers.get("webhook-signature", "").split(" ")[:8]
    if not any(equal_in_constant_time(signature, expected) for signature in signatures):
        raise ForgedError


def decode_body(body: bytes, type_: type[T]) -> T:
    """Decode the fields that name a project. A body that cannot be decoded yields ``type_()``: no project."""
    try:
        return msgspec.json.decode(body, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return type_()
