"""Redaction at the source: errors of ours hold no secret and no data of another program."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec
import pytest

from connectors.shared.responses import Response, error_of
from sync.store.database import StoreError
from sync.telemetry.redaction import LONGEST_ERROR, MASK, error_words, exception_words, secrets
from sync.tracker.errors import BusyError, GoneError, RefusedError, TrackerError, UncertainError, failure_words

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
TOKEN = "t0ken/With+Signs==and more"
KEY = "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEAx7Kq\nk9Zq\n-----END KEY-----"
HOSTILE = "\x1b]52;c;ZXZpbA==\x07 \x9b31m \u202egnp.exe\u2066 \x1b[2J\nsecond line\r\x00"


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    secrets.clear()
    secrets.register(TOKEN, KEY, "milesync")
    yield
    secrets.clear()


@pytest.mark.parametrize("kind", [TrackerError, BusyError, GoneError, RefusedError, UncertainError])
@pytest.mark.parametrize(
    "echo",
    [
        TOKEN,
        quote(TOKEN, safe=""),
        base64.b64encode(f"me@example.org:{TOKEN}".encode()).decode(),
        "MIIEpAIBAAKCAQEAx7Kq",
    ],
)
def test_an_error_that_quotes_a_secret_holds_none(kind: type[TrackerError], echo: str) -> None:
    error = kind("gh", "acme/app", f"HTTP 403: not {echo}")
    for text in (str(error), error.detail, error.message, repr(error), failure_words("gh", error)):
        assert echo not in text
    assert MASK in error.detail


@pytest.mark.parametrize("before", [0, 150, 190, 195, 290, 299])
def test_a_secret_across_the_end_of_a_long_message_leaves_no_beginning(before: int) -> None:
    body = msgspec.json.encode({"message": "x" * before + " " + TOKEN + " " + "y" * 500})
    error = error_of(Response(422, {}, body), "gh", "acme/app", AT)
    assert error is not None
    assert TOKEN[:6] not in str(error)
    assert len(error.detail) <= LONGEST_ERROR


@pytest.mark.parametrize(
    "token",
    [
        "ghs_" + "a1B2" * 9,
        "github_pat_" + "a1B2" * 9,
        "glpat-" + "a1B2" * 5,
        "glcbt-64_" + "a1B2" * 5,
        "ATATT3xFf" + "a1B2_-" * 9,
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxMjM0In0.c2lnbmF0dXJl",
    ],
)
def test_a_token_that_the_process_obtained_itself_is_known_by_its_shape(token: str) -> None:
    assert token not in error_words(f"bad credentials {token}.")
    assert token not in secrets.redact(f"bad credentials {token}.")


@pytest.mark.parametrize(
    "name",
    ["acme/global-authentication-service#12", "gl:acme/glossary-of-all-products%2.0", "glance-at-the-new-dashboard"],
)
def test_a_name_that_begins_like_a_token_stays(name: str) -> None:
    assert secrets.redact(name) == secrets.redact_foreign(name) == name


def test_an_error_is_one_visible_line() -> None:
    for text in (str(RefusedError("gh", f"acme/{HOSTILE}", HOSTILE)), str(StoreError("database", HOSTILE))):
        assert text.isprintable() or "\ufffd" in text
        assert not any(ord(character) < 32 or 0x7F <= ord(character) < 0xA0 for character in text), repr(text)
        assert "\u202e" not in text
        assert "\u2066" not in text


def test_a_password_that_is_a_plain_word_is_redacted_in_foreign_texts_only() -> None:
    assert secrets.redact("milesync.toml is in order") == "milesync.toml is in order"
    assert secrets.redact_data({"milesync": "milesync", "n": 4}) == {"milesync": "milesync", "n": 4}
    assert error_words("password milesync refused") == f"password {MASK} refused"


@pytest.mark.parametrize("password", ["2026", "status", "open", "true"])
def test_a_short_secret_breaks_no_document(password: str) -> None:
    secrets.register(password)
    document = {"status": "open", "count": 2026, "day": "2026-03-02", "ok": True}
    assert secrets.redact_data(document) == document


def test_an_unexpected_exception_is_shown_without_its_text() -> None:
    def fail(error: Exception) -> str:
        try:
            raise error
        except Exception as raised:  # noqa: BLE001 - the subject of the test
            return failure_words("gh", raised)

    words = fail(KeyError("title of a private issue"))
    assert words.startswith("gh: KeyError in ")
    assert "test_redaction.py:" in words
    assert "title" not in words
    encoding = UnicodeEncodeError("latin-1", "tok\u2026en", 3, 4, "ordinal not in range")
    assert "\\u2026" not in fail(encoding)
    assert "\u2026" not in fail(encoding)
    assert fail(OSError(28, "No space left on device")).endswith("OSError: No space left on device")
    assert exception_words(ValueError("never raised")) == "ValueError"


def test_a_secret_that_is_registered_later_is_redacted_from_then_on() -> None:
    assert secrets.redact("a later+secret") == "a later+secret"
    secrets.register("later+secret")
    assert secrets.redact("a later+secret") == f"a {MASK}"
    assert secrets.redact_foreign("a later+secret") == f"a {MASK}"
