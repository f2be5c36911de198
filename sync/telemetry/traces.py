"""OpenTelemetry traces of a run; without an exporter nothing happens.

Spans have constant names and numbers only: never a secret, an address, a title, or the text of an error.
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
"""The tracer of this process, if tracing is on."""


@contextmanager
def span(name: str, **attributes: str | int) -> Iterator[Callable[[str, str | int], None]]:
    """Open a span inside the current one; yield a function that sets an attribute. An error sets ``error.type``."""
    if not _tracers:
        yield lambda _name, _value: None
        return
    from opentelemetry.trace import Status, StatusCode

    with _tracers[-1].start_as_current_span(
        name,
        attributes={f"milesync.{key}": value for key, value in attributes.items()},
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield lambda key, value: current.set_attribute(f"milesync.{key}", value)
        except BaseException as problem:
            current.set_attribute("error.type", type(problem).__name__)
            current.set_status(Status(StatusCode.ERROR))
            raise


def otlp(endpoint: str) -> SpanExporter:
    """Return an exporter by OTLP over HTTP; ``OTEL_EXPORTER_OTLP_HEADERS`` may authenticate it. Raises ImportError."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=endpoint)


@contextmanager
def tracing(exporter: SpanExporter, *, installation: str, version: str) -> Iterator[None]:
    """Export spans to `exporter`, and flush on exit."""
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
