"""Redaction: the secrets of this process, and how they are removed from texts.

A text of another program (an answer of a tracker, an error of a library) is redacted when it becomes an error of ours,
so that no secret is stored. What is printed, logged or written is redacted once more.
"""

from __future__ import annotations

import base64
import html
import json as jsonlib
import math
import re
import traceback
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from sync.model.characters import one_line

__all__ = ["MASK", "Secrets", "error_words", "exception_words", "secrets"]

MASK = "[secret]"

LONGEST_ERROR = 300
"""Characters of another program's error text that are kept."""

_MOST_READ = 50_000
"""Characters of an error text that are searched for secrets; the rest is never shown."""

_SHORTEST = 4  # redacting shorter texts would redact half of every line
_SPLITTABLE = 8  # from this length on, a secret is also found with a line break or a backslash inside

_WORD = re.compile(r"[A-Za-z]{1,11}|\d{1,7}")
"""A secret that reads like a word or a year of our own texts."""

_TOKENS = r"""(?x)
      \b(?: gh[a-z]_ | github_pat_ ) [A-Za-z0-9_.-]{16,}            # GitHub: users, Apps, installations
    | \b gl(?:pat|oas|dt|rtr?|cbt|ptt|ft|imt|agent|wt|soat|ffct)- [A-Za-z0-9_.-]{16,}  # GitLab, not "global-..."
    | \b AT[A-Z]{2}T? 3x [A-Za-z0-9_=.-]{16,}                       # Atlassian
    | \b eyJ [A-Za-z0-9_-]{8,} \. [A-Za-z0-9_-]{8,} \. [A-Za-z0-9_-]*  # a signed token (JWT)
"""
"""Tokens by their shape. A process obtains some of them itself, such as those of a GitHub App."""


class Secrets:
    """Secrets to redact, in all forms in which programs print them.

    A secret that is a plain word or a short number (a password ``milesync``) is redacted in texts of other programs
    only: in our own texts, file names and JSON documents it is no secret but a word.
    """

    def __init__(self) -> None:
        self._all: frozenset[str] = frozenset()
        self._distinct: frozenset[str] = frozenset()

    def register(self, *values: str) -> None:
        """Redact these texts from now on, and each line of longer texts. Texts under 4 characters are ignored."""
        parts = {
            part
            for value in values
            for part in (value, value.strip(), unquote(value), *value.splitlines())
            if _is_long_enough(part)
        }
        self._all |= parts
        self._distinct = frozenset(part for part in self._all if not _WORD.fullmatch(part))

    def redact(self, text: str) -> str:
        """Return a text of ours, or with data of ours, with each secret replaced by `MASK`, plain words excepted."""
        return re.sub(_TOKENS, MASK, _replaced(_any(self._distinct), text))

    def redact_foreign(self, text: str) -> str:
        """Return a text of another program with each secret replaced by `MASK`."""
        return re.sub(_TOKENS, MASK, _replaced(_any(self._all), text))

    def redact_data(self, value: Any) -> Any:
        """Return plain data without secrets. Other objects become text first, so that their repr is redacted too."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, int | float):
            text = str(value)
            return value if self.redact(text) == text else MASK
        if isinstance(value, Mapping):
            return {self.redact(str(key)): self.redact_data(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.redact_data(inner) for inner in value]
        if isinstance(value, bytes):
            return self.redact(value.decode("utf-8", "backslashreplace"))
        return self.redact(str(value))

    def clear(self) -> None:
        """Remove all secrets."""
        self._all = self._distinct = frozenset()

    def __repr__(self) -> str:
        return "Secrets()"


secrets = Secrets()
"""The secrets of this process."""


def error_words(text: str) -> str:
    """Return another program's error text for an error of ours: one line, visible, without secrets, not too long."""
    words = one_line(secrets.redact_foreign(text[:_MOST_READ]))
    return words if len(words) <= LONGEST_ERROR else f"{words[: LONGEST_ERROR - 1].rstrip()}…"


def exception_words(error: BaseException) -> str:
    """Describe an unexpected exception by its type and its place in the code.

    Its text may quote a row's data or a character of a secret. Only the system's words for a failed call are kept.
    """
    name = type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        return f"{name}: {error_words(error.strerror)}"
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return name
    last = next((frame for frame in reversed(frames) if "site-packages" not in frame.filename), frames[-1])
    return f"{name} in {'/'.join(last.filename.split('/')[-3:])}:{last.lineno}"


@lru_cache(maxsize=2)
def _any(parts: frozenset[str]) -> re.Pattern[str] | None:
    """Return a pattern that finds any of these secrets in any form, built when a text needs it. None: no secret."""
    forms = {form for part in parts for form in _forms(part) if _is_long_enough(form)}
    # Longest first: of two secrets with the same beginning, the end of the longer one must not remain.
    longest = sorted(forms, key=len, reverse=True)
    return re.compile("|".join(map(_pattern, longest))) if longest else None


def _replaced(pattern: re.Pattern[str] | None, text: str) -> str:
    return pattern.sub(MASK, text) if pattern else text


def _is_long_enough(text: str) -> bool:
    return len(text.strip()) >= _SHORTEST


def _forms(secret: str) -> Iterator[str]:
    """Yield the secret as it is, and as JSON, Python, HTML, URLs and base64 (also in Basic auth) write it."""
    raw = secret.encode("utf-8", "surrogatepass")
    yield secret
    for ascii_only in (True, False):
        yield jsonlib.dumps(secret, ensure_ascii=ascii_only)[1:-1]
    yield repr(secret)[1:-1]
    yield repr(raw)[2:-1]
    yield html.escape(secret)
    for quoted in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        yield quoted
        yield quote(quoted, safe="")
    for before in range(3):
        # Text before a secret shifts its base64, and text around it changes the letters at both ends.
        core = slice(math.ceil(before * 8 / 6), (before + len(raw)) * 8 // 6)
        yield base64.b64encode(bytes(before) + raw).decode()[core]
        yield base64.urlsafe_b64encode(bytes(before) + raw).decode()[core]
    yield raw.hex()
    yield raw.hex().upper()


def _pattern(form: str) -> str:
    """Return a pattern that finds a form also with line breaks inside, quoted repeatedly, or with lower case in %2f."""
    signs = re.findall(r"%[0-9A-F]{2}|.", form, re.DOTALL)
    between = r"(?:\s|\\[nr]?)*" if len(form) >= _SPLITTABLE else ""
    return between.join(f"(?i:{sign})" if len(sign) == 3 else re.escape(sign) for sign in signs)
