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
from sync.store.private_file import replace_private

__all__ = ["SealError", "database_files", "parse_key", "seal", "unseal"]

_HEAD = b"milesync sealed database 1\n"
_NONCE = 12
_KEY = 32

_LARGEST = 2**31 - 1 - 16
"""Bytes of a database that AES-GCM encrypts at once, with its tag of 16 bytes."""

_OWN_FILES = ("", "-wal", "-journal", "-shm")
"""Suffixes of the files that SQLite keeps of a database."""


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

    ``context`` names the place that the state belongs to, such as one workflow. Raises `SealError` for a database of
    more than 2 GiB, `StoreError` and OSError; then a file that exists stays as it is.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        with engine.connect() as connection:
            raw = cast("sqlite3.Connection", connection.connection.driver_connection)
            data = raw.serialize()
    except (DBAPIError, sqlite3.Error) as error:
        raise UnusableDatabase(engine.url.render_as_string(), type(error).__name__) from error
    if len(data) > _LARGEST:
        raise SealError("the database has more than 2 GiB, too much for one sealed file; use PostgreSQL instead")
    nonce = os.urandom(_NONCE)
    body = _HEAD + nonce + AESGCM(key).encrypt(nonce, data, _HEAD + context.encode())
    replace_private(file, body)
    return len(body)


def unseal(file: Path, key: bytes, context: str) -> bytes:
    """Return the database in a sealed ``file``, to be written to its place.

    Raises `SealError` if the file is not what `seal` wrote with this key and context, and OSError.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    body = file.read_bytes()
    nonce, text = body[len(_HEAD) : len(_HEAD) + _NONCE], body[len(_HEAD) + _NONCE :]
    try:
        if not body.startswith(_HEAD) or len(nonce) < _NONCE:
            raise InvalidTag
        return AESGCM(key).decrypt(nonce, text, _HEAD + context.encode())
    except InvalidTag:
        raise SealError(f"{file} was not sealed with this key and context, or was changed since") from None


def database_files(database: Path) -> list[Path]:
    """Return the files of a SQLite database that exist.

    SQLite adds the changes in ``-wal`` and ``-journal`` to the database of that name, even if they are of another one.
    """
    files = (database.with_name(f"{database.name}{suffix}") for suffix in _OWN_FILES)
    return [file for file in files if file.exists()]
