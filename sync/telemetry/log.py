"""Logs: readable on a terminal, one JSON object per line elsewhere, with the run id and without secrets.

Events of milesync (structlog) and of libraries (logging) go through one handler, one chain and one redaction.
Libraries log from WARNING up only, because some of them print headers and bodies below it.
"""

from __future__ import annotations

import base64
import html
import json as jsonlib
import logging
import math
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, TextIO
from urllib.parse import quote, quote_plus

import structlog
from structlog.typing import EventDict, WrappedLogger

__all__ = ["MASK", "Secrets", "configure", "secrets"]

MASK = "[secret]"
LIBRARIES = (
    "github",
    "gitlab",
    "jira",
    "urllib3",
    "requests",
    "requests_oauthlib",
    "sqlalchemy",
    "alembic",
    "uvicorn",
    "procrastinate",
    "psycopg",
    "asyncio",
)

_SHORTEST = 4  # redacting shorter texts would redact half of every line
_SPLITTABLE = 8  # from this length on, a secret is also found with a line break or a backslash inside


class Secrets:
    """Secrets to redact, in all forms in which programs print them."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._any: re.Pattern[str] | None = None

    def register(self, *values: str) -> None:
        """Redact these texts from now on, and each line of longer texts. Texts under 4 characters are ignored."""
        parts = {
            part for value in values for part in (value, value.strip(), *value.split("\n")) if _is_long_enough(part)
        }
        self._forms.update(form for part in parts for form in _forms(part) if _is_long_enough(form))
        # Longest first: of two secrets with the same beginning, the end of the longer one must not remain.
        longest = sorted(self._forms, key=len, reverse=True)
        self._any = re.compile("|".join(map(_pattern, longest))) if longest else None

    def redact(self, text: str) -> str:
        """Return `text` with each secret replaced by `MASK`."""
        return self._any.sub(MASK, text) if self._any else text

    def clear(self) -> None:
        """Remove all secrets."""
        self._forms, self._any = set(), None

    def __repr__(self) -> str:
        return "Secrets()"


secrets = Secrets()
"""The secrets of this process."""


def configure(
    stream: TextIO, *, verbose: bool = False, errors_only: bool = False, json: bool | None = None, run: str = ""
) -> None:
    """Send all logs of this process to ``stream``.

    The level is DEBUG with ``verbose``, else INFO; ERROR with ``errors_only`` and on a terminal, because the commands
    print the rest themselves.

    ``json`` None means JSON unless the stream is a terminal. ``run`` is bound to every line, in every thread.
    """
    terminal = stream.isatty()
    as_json = not terminal if json is None else json

    def add_run(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {**event, "run": run} if run else event

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso" if as_json else "%H:%M:%S", utc=as_json),
        add_run,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(sort_keys=True) if as_json else structlog.dev.ConsoleRenderer(colors=terminal)
    )
    handler = _Handler(stream)
    handler.addFilter(_is_wanted)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _redact, renderer],
        )
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for old in [h for h in root.handlers if isinstance(h, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    is_brief = errors_only or not as_json
    root.setLevel(logging.DEBUG if verbose else logging.ERROR if is_brief else logging.INFO)
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_crash
    threading.excepthook = lambda args: _log_crash(args.exc_type, args.exc_value, args.exc_traceback)


def _log_crash(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """Log an uncaught exception as an event: a bare traceback would print secrets in its message."""
    if not issubclass(kind, KeyboardInterrupt | SystemExit):
        structlog.get_logger("milesync").critical("crashed", exc_info=(kind, error, trace))


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Report a lost line; the inherited method would print its arguments, secrets included."""
        self.stream.write(f"a log line of {record.name} could not be written\n")


def _is_wanted(record: logging.LogRecord) -> bool:
    """Keep libraries at WARNING even when one of their loggers has a lower level."""
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] not in LIBRARIES


def _redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {secrets.redact(str(key)): _clean(value) for key, value in event.items()}


def _clean(value: Any) -> Any:
    """Return plain data without secrets. Other objects become text first, so that their repr is redacted too."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return secrets.redact(value)
    if isinstance(value, int | float):
        text = str(value)
        return value if secrets.redact(text) == text else MASK
    if isinstance(value, Mapping):
        return {secrets.redact(str(key)): _clean(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(inner) for inner in value]
    if isinstance(value, bytes):
        return secrets.redact(value.decode("utf-8", "backslashreplace"))
    return secrets.redact(str(value))


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
