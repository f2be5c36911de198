"""A run as it is seen from outside: its trace at a collector, and its id in each line of the log."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.e2e.small_world import served
from tests.e2e.subprocesses import milesync


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """A receiver of OTLP on loopback: its address, and what it was sent."""
    got: list[bytes] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/traces", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_run_can_be_followed_in_its_trace_and_in_its_log(tmp_path: Path) -> None:
    with served(tmp_path) as (_, config), collector() as (endpoint, got):
        config.write_text(config.read_text() + f'\n[traces]\nendpoint = "{endpoint}"\n')
        done = milesync("run", "--first-run", "--json", "-v", config=config)
    assert done.returncode == 0, done.stderr
    spans = [
        span
        for body in got
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert len({span.trace_id for span in spans}) == 1
    requests = sum(json.loads(done.stdout)["requests"].values())
    assert sum(span.name == "request" for span in spans) == requests > 0
    assert not any(foreign in body for body in got for foreign in (b"acme/", b"Task ", b"v2", b"127.0.0.1"))
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert len({line["run"] for line in lines}) == 1
    assert sum(line["event"] == "request" for line in lines) == requests
    assert sum(line["event"] == "written" for line in lines) == sum(span.name == "write" for span in spans) > 0
