"""Logs: readable on a terminal, one JSON object per line elsewhere, with the run id and without secrets.

Events of milesync (structlog) and of libraries (logging) go through one handler, one chain and one redaction.
Libraries log from WARNING up only, because some of them print headers and bodies below it.

Modules log with `events`. Only the first line imports structlog, with `sync.telemetry.log_lines`: it loads 97 modules,
and most commands log nothing.
"""

from __future__ import annotations

import logging
import sys
import threading
from types import TracebackType
from typing import Any, TextIO

from sync.telemetry.redaction import secrets

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

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "exception": logging.ERROR,
    "critical": logging.CRITICAL,
}


class Events:
    """Log of milesync's own events: ``events.info("pulled", issues=3)``."""

    def __getattr__(self, name: str) -> Any:
        """Return the method of structlog's logger for a level; one that does nothing if the level is not logged."""
        if name not in _LEVELS:
            raise AttributeError(name)
        if is_configured() and not logging.getLogger("milesync").isEnabledFor(_LEVELS[name]):
            return _ignore
        configure_structlog()
        import structlog

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
    handler = _Handler(stream, run, as_json=as_json, colors=terminal)
    handler.addFilter(_is_wanted)
    root = logging.getLogger()
    for old in _handlers():
        root.removeHandler(old)
    root.addHandler(handler)
    if "structlog" in sys.modules:
        configure_structlog()
    is_brief = errors_only or not as_json
    root.setLevel(logging.DEBUG if verbose else logging.ERROR if is_brief else logging.INFO)
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_crash
    threading.excepthook = lambda args: _log_crash(args.exc_type, args.exc_value, args.exc_traceback)


def is_configured() -> bool:
    """Return whether `configure` was called."""
    return bool(_handlers())


def configure_structlog() -> None:
    """Configure structlog as `configure` said, for what logs with it and not with `events`."""
    for handler in _handlers():
        handler.configure_structlog()


def _log_crash(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """Log an uncaught exception as an event: a bare traceback would print secrets in its message."""
    if not issubclass(kind, KeyboardInterrupt | SystemExit):
        events.critical("crashed", exc_info=(kind, error, trace))


class _Handler(logging.StreamHandler[TextIO]):
    """Handler of all lines. The first line configures structlog."""

    def __init__(self, stream: TextIO, run: str, *, as_json: bool, colors: bool) -> None:
        super().__init__(stream)
        self._run, self._as_json, self._colors = run, as_json, colors

    def configure_structlog(self) -> None:
        """Import and configure structlog, once."""
        if self.formatter is None:
            from sync.telemetry.log_lines import configure_lines

            self.setFormatter(configure_lines(self._run, as_json=self._as_json, colors=self._colors))

    def handle(self, record: logging.LogRecord) -> bool:
        """Write a line. The import comes before the lock of the handler is taken: it may warn, which is a line, too."""
        self.configure_structlog()
        return super().handle(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Report a lost line; the inherited method would print its arguments, secrets included."""
        self.stream.write(f"a log line of {record.name} could not be written\n")


def _handlers() -> list[_Handler]:
    return [handler for handler in logging.getLogger().handlers if isinstance(handler, _Handler)]


def _is_wanted(record: logging.LogRecord) -> bool:
    """Keep libraries at WARNING even when one of their loggers has a lower level."""
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] not in LIBRARIES
