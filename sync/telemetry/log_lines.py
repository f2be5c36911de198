"""Lines of the log: what structlog does with each event, of milesync and of libraries."""

from __future__ import annotations

import logging

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from sync.model.characters import one_line, visible
from sync.telemetry.redaction import secrets

__all__ = ["configure_lines"]

_TRACES = ("exception", "stack")
"""Keys of an event whose texts have several lines, by libraries."""


def configure_lines(run: str, *, as_json: bool, colors: bool) -> logging.Formatter:
    """Configure structlog, and return the formatter of its events and of libraries' records."""

    def add_run(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {**event, "run": run} if run else event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso" if as_json else "%H:%M:%S", utc=as_json),
        add_run,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    renderers: list[Processor] = (
        [structlog.processors.JSONRenderer(sort_keys=True)]
        if as_json
        else [_make_visible, structlog.dev.ConsoleRenderer(colors=colors)]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _redact, *renderers],
    )


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
