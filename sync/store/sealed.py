"""Seal a SQLite database: one encrypted, authenticated file that a job may leave where others read and write.

The file is `_HEAD`, a random nonce of 12 bytes, and the database under AES-256-GCM. Head and context are authenticated
too, so a file of another context, version or key is refused. It is not compressed: its size depends on the number of
pages, not on their content.
"""

from __future__ import annotations

import base64
import binascii
import os
import sqlite3
from pathlib import Path
from typing import cast

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from sync.model.errors import PlainError
from sync.store.database import UnusableDatabase
from sync.store.private_file import write_private

__all__ = ["SealError", "parse_key", "seal", "unseal"]

_HEAD = b"milesync sealed database 1\n"
_NONCE = 12
_KEY = 32


class SealError(PlainError):
    """A key or a sealed file cannot be used."""


def parse_key(text: str) -> bytes:
    """Return the key of 32 bytes that ``text`` holds in Base64. Raises `SealError`."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY:
        raise SealError(f"the key is not {_KEY} bytes in Base64; make a key with `openssl rand -base64 {_KEY}`")
    return key


def seal(engine: Engine, file: Path, key: bytes, context: str) -> int:
    """Write the database as it is now into ``file``, for its owner alone. Return the bytes written.

    ``context`` names the place that the state belongs to, such as one workflow. Raises `StoreError` and OSError.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        with engine.connect() as connection:
            raw = cast("sqlite3.Connection", connection.connection.driver_connection)
            data = raw.serialize()
    except (DBAPIError, sqlite3.Error) as error:
        raise UnusableDatabase(engine.url.render_as_string(), type(error).__name__) from error
    nonce = os.urandom(_NONCE)
    body = _HEAD + nonce + AESGCM(key).encrypt(nonce, data, _HEAD + context.encode())
    write_private(file, body)
    return len(body)


def unseal(file: Path, database: Path, key: bytes, context: str) -> int:
    """Write the database in a sealed ``file`` to the file ``database``. Return the bytes written.

    Nothing is written when the file is not what `seal` wrote with this key and context. Raises `SealError` then, and
    OSError.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    body = file.read_bytes()
    nonce, text = body[len(_HEAD) : len(_HEAD) + _NONCE], body[len(_HEAD) + _NONCE :]
    try:
        if not body.startswith(_HEAD) or len(nonce) < _NONCE:
            raise InvalidTag
        data = AESGCM(key).decrypt(nonce, text, _HEAD + context.encode())
    except InvalidTag:
        raise SealError(f"{file} was not sealed with this key and context, or was changed since") from None
    partial = database.with_name(f"{database.name}.partial")
    write_private(partial, data)
    partial.replace(database)
    return len(data)
