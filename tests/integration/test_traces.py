"""Spans: one trace for a run, parts inside parts, and nothing in them that is not ours."""

from __future__ import annotations

import json

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from sync.pull.pull import Puller
from sync.telemetry.traces import span, tracing
from sync.tracker.errors import RefusedError
from tests.integration.test_engine import World


@pytest.fixture
def told() -> InMemorySpanExporter:
    return InMemorySpanExporter()


def run(told: InMemorySpanExporter, world: World) -> tuple[ReadableSpan, ...]:
    with tracing(told, installation="acme", version="1"):
        world.run()
    return told.get_finished_spans()


def test_a_run_is_one_trace_of_steps_connections_and_writes(told: InMemorySpanExporter) -> None:
    spans = run(told, World())
    assert len({span.context.trace_id for span in spans if span.context}) == 1
    names = {span.context.span_id: span.name for span in spans if span.context}
    tree = {(names.get(span.parent.span_id) if span.parent else None, span.name) for span in spans}
    assert tree == {
        (None, "run"),
        ("run", "pull"),
        ("run", "assess"),
        ("run", "plan"),
        ("run", "apply"),
        ("assess", "observe"),
        ("plan", "observe"),
        ("pull", "connection"),
        ("observe", "connection"),
        ("apply", "connection"),
        ("connection", "write"),
    }


def test_a_pull_alone_is_a_trace_too(told: InMemorySpanExporter) -> None:
    engine = World().engine()
    with tracing(told, installation="acme", version="1"):
        Puller(engine.connections, engine.store, engine.clock).run()
    connection, pull = told.get_finished_spans()
    assert (connection.name, pull.name, pull.parent) == ("connection", "pull", None)
    assert connection.parent == pull.context


def test_no_word_of_a_tracker_and_no_error_is_in_a_trace(told: InMemorySpanExporter) -> None:
    world = World()
    world.connector.fail["apply"] = [RefusedError("memory", "acme/app", "the tracker's own words")]
    spans = run(told, world)
    attributes = {(key, value) for span in spans for key, value in (span.attributes or {}).items()}
    assert {key for key, _ in attributes} <= {"milesync.run", "milesync.connection", "milesync.action", "error.type"}
    text = json.dumps([span.to_json() for span in spans])
    for foreign in ("acme/app", "Task 1", "v1", "memory:p", "own words"):
        assert foreign not in text


def test_an_error_leaves_its_type_and_nothing_else(told: InMemorySpanExporter) -> None:
    with tracing(told, installation="acme", version="1"), pytest.raises(ValueError, match="words"), span("part"):
        raise ValueError("words")
    (one,) = told.get_finished_spans()
    assert dict(one.attributes or {}) == {"error.type": "ValueError"}
    assert one.events == ()
    assert one.status.description is None
    assert not one.status.is_ok


def test_without_an_exporter_spans_do_nothing() -> None:
    with span("part", n=1) as note:
        note("more", 2)
