"""Logs: readable on a terminal, one JSON object per line elsewhere, with a run id and without secrets.

Own events (structlog) and those of libraries (logging) take the same way: one handler, one chain, one redaction.
Libraries may speak from WARNING up only, because some of them print headers and bodies below it.
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

_SHORTEST = 4  # hiding shorter texts would hide half of every line
_SPLITTABLE = 8  # from this length on, a line break or a backslash inside does not hide a secret


class Secrets:
    """Texts that must never be seen, in any of the forms in which programs print them."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._any: re.Pattern[str] | None = None

    def register(self, *values: str) -> None:
        """Hide these from now on, and each line of those that have several. Under 4 characters nothing is hidden."""
        parts = {part for value in values for part in (value, value.strip(), *value.split("\n")) if _worth(part)}
        self._forms.update(form for part in parts for form in _forms(part) if _worth(form))
        # The longest first: a secret that begins like another must not leave its end behind.
        longest = sorted(self._forms, key=len, reverse=True)
        self._any = re.compile("|".join(map(_pattern, longest))) if longest else None

    def redact(self, text: str) -> str:
        """`text` with every secret masked."""
        return self._any.sub(MASK, text) if self._any else text

    def clear(self) -> None:
        """Forget all of them."""
        self._forms, self._any = set(), None

    def __repr__(self) -> str:
        return "Secrets()"


secrets = Secrets()
"""Those of this process."""


def configure(stream: TextIO, *, verbose: bool = False, json: bool | None = None, run: str = "") -> None:
    """Send all logs of this process to ``stream``: INFO and up, or DEBUG with ``verbose``. A person at a terminal who
    did not ask for more gets ERROR and up: the commands tell the rest themselves.

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
    handler.addFilter(_worth_hearing)
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
    root.setLevel(logging.DEBUG if verbose else logging.INFO if as_json else logging.ERROR)
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    sys.excepthook = _crashed
    threading.excepthook = lambda told: _crashed(told.exc_type, told.exc_value, told.exc_traceback)


def _crashed(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """What nobody caught goes the way of all events: a bare traceback would show whatever its message holds."""
    if not issubclass(kind, KeyboardInterrupt | SystemExit):
        structlog.get_logger("milesync").critical("crashed", exc_info=(kind, error, trace))


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Say that a line was lost; the inherited way prints its arguments, secrets and all."""
        self.stream.write(f"a log line of {record.name} could not be written\n")


def _worth_hearing(record: logging.LogRecord) -> bool:
    """Keeps libraries at WARNING even where one of their own loggers has been turned up."""
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] not in LIBRARIES


def _redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {secrets.redact(str(key)): _clean(value) for key, value in event.items()}


def _clean(value: Any) -> Any:
    """Plain data without secrets; whatever is not plain becomes text first, so that its repr can hide nothing."""
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


def _worth(text: str) -> bool:
    return len(text.strip()) >= _SHORTEST


def _forms(secret: str) -> Iterator[str]:
    """The secret as it is, and as JSON, Python, HTML, URLs and base64 (so Basic auth too) write it."""
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
        # What stands before a secret shifts its base64, and what stands around it changes the letters at both ends.
        core = slice(math.ceil(before * 8 / 6), (before + len(raw)) * 8 // 6)
        yield base64.b64encode(bytes(before) + raw).decode()[core]
        yield base64.urlsafe_b64encode(bytes(before) + raw).decode()[core]
    yield raw.hex()
    yield raw.hex().upper()


def _pattern(form: str) -> str:
    """Finds a form also with a line broken inside it, quoted any number of times, and with small letters in %2f."""
    signs = re.findall(r"%[0-9A-F]{2}|.", form, re.DOTALL)
    between = r"(?:\s|\\[nr]?)*" if len(form) >= _SPLITTABLE else ""
    return between.join(f"(?i:{sign})" if len(sign) == 3 else re.escape(sign) for sign in signs)
