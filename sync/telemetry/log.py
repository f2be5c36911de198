"""Logs: readable on a terminal, one JSON object per line elsewhere, with the run id and without secrets.

Events of milesync (structlog) and of libraries (logging) go through one handler, one chain and one redaction.
Libraries log from WARNING up only, because some of them print headers and bodies below it.

Modules log with `events`, and only this one imports structlog, with the first line: it loads 97 modules, and most
commands log nothing.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from functools import cached_property, partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from sync.model.characters import one_line, visible
from sync.telemetry.redaction import secrets

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

__all__ = ["configure", "configure_structlog", "events", "is_configured", "secrets"]

LIBRARIES = (
    "github",
    "gitlab",
    "jira",
    "urllib3",
    "requests",
    "requests_oauthlib",
    "sqlalchemy",
    "alembic",
    "tornado",
    "uvicorn",
    "procrastinate",
    "psycopg",
    "asyncio",
    "mcp",
)
_TRACES = ("exception", "stack")
"""Keys of an event whose texts have several lines, by libraries."""


_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "exception": logging.ERROR,
    "critical": logging.CRITICAL,
}

_waiting: list[Callable[[], None]] = []
"""The configuration of structlog, until structlog is imported."""


class Events:
    """Log of milesync's own events: ``events.info("pulled", issues=3)``. The first line imports structlog."""

    def __getattr__(self, name: str) -> Any:
        """Return a method of structlog's logger."""
        if _waiting and not logging.getLogger("milesync").isEnabledFor(_LEVELS[name]):
            return _ignore
        import structlog

        configure_structlog()
        return getattr(structlog.get_logger("milesync"), name)


events = Events()


def _ignore(_event: str, **_values: Any) -> None:
    pass


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
    handler = _Handler(stream)
    handler.addFilter(_is_wanted)
    handler.setFormatter(_LateFormatter(partial(_formatter, run, as_json=as_json, terminal=terminal)))
    _waiting[:] = [partial(_configure_structlog, run, as_json=as_json)]
    if "structlog" in sys.modules:
        configure_structlog()
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


def is_configured() -> bool:
    """Return whether `configure` was called."""
    return any(isinstance(handler, _Handler) for handler in logging.getLogger().handlers)


def configure_structlog() -> None:
    """Configure structlog now, for what logs with it and not with `events`."""
    for call in _waiting:
        call()
    _waiting.clear()


def _configure_structlog(run: str, *, as_json: bool) -> None:
    import structlog

    structlog.configure(
        processors=[*_processors(run, as_json=as_json), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _processors(run: str, *, as_json: bool) -> list[Processor]:
    """Return what is done with every event, of milesync and of libraries."""
    import structlog

    def add_run(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {**event, "run": run} if run else event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso" if as_json else "%H:%M:%S", utc=as_json),
        add_run,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]


def _formatter(run: str, *, as_json: bool, terminal: bool) -> logging.Formatter:
    import structlog

    renderers: list[Processor] = (
        [structlog.processors.JSONRenderer(sort_keys=True)]
        if as_json
        else [_make_visible, structlog.dev.ConsoleRenderer(colors=terminal)]
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_processors(run, as_json=as_json),
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _redact, *renderers],
    )


def _log_crash(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """Log an uncaught exception as an event: a bare traceback would print secrets in its message."""
    if not issubclass(kind, KeyboardInterrupt | SystemExit):
        events.critical("crashed", exc_info=(kind, error, trace))


class _LateFormatter(logging.Formatter):
    """A formatter that is built with the first line."""

    def __init__(self, build: Callable[[], logging.Formatter]) -> None:
        super().__init__()
        self._build = build

    @cached_property
    def _formatter(self) -> logging.Formatter:
        return self._build()

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return self._formatter.format(record)


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Report a lost line; the inherited method would print its arguments, secrets included."""
        self.stream.write(f"a log line of {record.name} could not be written\n")


def _is_wanted(record: logging.LogRecord) -> bool:
    """Keep libraries at WARNING even when one of their loggers has a lower level."""
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] not in LIBRARIES


def _redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Remove secrets from an event."""
    traces = {key: secrets.redact_foreign(str(event[key])) for key in _TRACES if event.get(key)}
    return {**secrets.redact_data(event), **traces}


def _make_visible(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Remove control characters from the texts of an event for a terminal: foreign text cannot forge a line."""
    return {
        one_line(key): (visible if key in _TRACES else one_line)(value) if isinstance(value, str) else value
        for key, value in event.items()
    }
