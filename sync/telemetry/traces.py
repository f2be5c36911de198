"""Traces: what a run spends its time on, told to an OpenTelemetry collector. Nothing happens unless it is configured.

Spans bear names of ours and numbers only: never a secret, an address, a title, or the words of an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Tracer

__all__ = ["otlp", "span", "tracing"]

_tracers: list[Tracer] = []
"""The one of this process, when there is one."""


@contextmanager
def span(name: str, **attributes: str | int) -> Iterator[Callable[[str, str | int], None]]:
    """A part of the work, inside the one around it; gives what notes another attribute. An error leaves its type."""
    if not _tracers:
        yield lambda _name, _value: None
        return
    from opentelemetry.trace import Status, StatusCode

    with _tracers[-1].start_as_current_span(
        name,
        attributes={f"milesync.{key}": value for key, value in attributes.items()},
        record_exception=False,
        set_status_on_exception=False,
    ) as made:
        try:
            yield lambda key, value: made.set_attribute(f"milesync.{key}", value)
        except BaseException as problem:
            made.set_attribute("error.type", type(problem).__name__)
            made.set_status(Status(StatusCode.ERROR))
            raise


def otlp(endpoint: str) -> SpanExporter:
    """What sends spans by OTLP over HTTP; ``OTEL_EXPORTER_OTLP_HEADERS`` may prove who we are. Raises ImportError."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=endpoint)


@contextmanager
def tracing(exporter: SpanExporter | None, *, installation: str, version: str) -> Iterator[None]:
    """Tell all spans to this exporter; at the end what is left is sent. None: tell nobody."""
    if exporter is None:
        yield
        return
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    about = {"service.name": "milesync", "service.namespace": installation, "service.version": version}
    provider = TracerProvider(resource=Resource(about), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracers.append(provider.get_tracer("milesync", version))
    try:
        yield
    finally:
        _tracers.pop()
        provider.shutdown()
