"""References to secrets: the file names the place of a secret, never the secret. It is read when it is needed."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, Discriminator, Field, SecretStr, Tag, model_validator

from config.encoding import read_text
from config.table import Table
from sync.telemetry.redaction import secrets

__all__ = ["Secret", "Text", "UnreadableError", "header_problem", "redact_from_now_on"]

_ELSEWHERE = 'the file must not hold a secret: write { env = "NAME" } or { file = "/path" }'
_ASSIGNMENT = r"(export\s+)?[A-Z][A-Z0-9_]*(TOKEN|KEY|SECRET|PAT|PASSWORD|EMAIL)\s*="
_QUOTES = tuple("\"'`\u2018\u2019\u201c\u201d\u201e")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")


class UnreadableError(Exception):
    """No secret is in its configured place. The message names the variable, never a value."""


def _variable(value: str | None) -> str | None:
    # Otherwise a token pasted here by mistake would be printed later, as the name of a missing variable.
    if value is not None and not _VARIABLE.fullmatch(value):
        raise ValueError("should be the name of an environment variable, in capital letters")
    return value


class Secret(Table):
    """The place of a secret: the environment variable ``env``, or the file ``file``."""

    env: Annotated[str | None, AfterValidator(_variable)] = Field(
        default=None, description="environment variable, in capital letters"
    )
    file: Path | None = Field(default=None, description="file that holds only the secret, relative to this file")

    @model_validator(mode="before")
    @classmethod
    def _by_reference(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError(_ELSEWHERE)  # noqa: TRY004 - pydantic collects ValueError only
        if ("env" in value) == ("file" in value) and value.keys() <= {"env", "file"}:
            raise ValueError('name exactly one place: { env = "NAME" } or { file = "/path" }')
        return value

    def read(self, environ: Mapping[str, str], directory: Path) -> SecretStr:
        """Read the secret, without surrounding blanks. Raises `UnreadableError`."""
        if self.env is not None:
            text, problem = environ.get(self.env, ""), "is not set"
        else:
            text, problem = "", "is missing, empty or not readable"
            try:
                text = read_text(directory / (self.file or ""))
            except OSError:
                pass
            except ValueError as error:
                problem = f"is not readable: {error}"
        if not text.strip():
            raise UnreadableError(f"{self._place} {problem}")
        return SecretStr(text.strip())

    @property
    def _place(self) -> str:
        return "the file with the secret" if self.env is None else f"the environment variable {self.env}"


def header_problem(value: str) -> str:
    """Return why a secret cannot be sent in the header of a request; empty if it can. The words hold no part of it."""
    if len(value.splitlines()) > 1:
        return "holds several lines; it should hold the secret alone, on one line"
    if re.match(_ASSIGNMENT, value):
        return "starts with a name and an equals sign; it should hold the secret alone"
    if value[:1] in _QUOTES or value[-1:] in _QUOTES:
        return "has quotation marks around the secret; remove them"
    if not all("!" <= character <= "~" for character in value):
        return "holds a blank or a character outside ASCII, which no token has; copy it again"
    return ""


def redact_from_now_on(where: Sequence[str], value: str) -> None:
    """Redact the value of a key in all texts from now on: of a database's URL its password, of an account nothing."""
    if where[-1] == "email":
        return
    if where[-1] == "database":
        try:
            url = urlsplit(value)
        except ValueError:
            return
        secrets.register(url.password or "", *parse_qs(url.query).get("password", ()))
    else:
        secrets.register(value)


def _kind(value: Any) -> str:
    return "in:text" if isinstance(value, str) else "in:secret"


Text = Annotated[Annotated[str, Tag("in:text")] | Annotated[Secret, Tag("in:secret")], Discriminator(_kind)]
"""A text in the file, or the place of a secret that holds the text."""
