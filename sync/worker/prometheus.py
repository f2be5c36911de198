"""Metrics of a long-running process, for Prometheus to scrape. Needs the extra ``metrics``."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, generate_latest
from tornado.routing import URLSpec

from sync.engine.metrics import Figures
from sync.worker.listener import MetricsHandler, QuietApplication, bounded_server, listen

__all__ = ["PrometheusExporter"]


class PrometheusExporter:
    """Counters since the start of this process, and gauges with the values of the last write-back."""

    def __init__(self, *, installation: str, version: str) -> None:
        self._registry = registry = CollectorRegistry()
        about = Gauge("milesync_info", "Always 1.", ["installation", "version"], registry=registry)
        about.labels(installation, version).set(1)
        labels = ["task", "connection", "outcome"]
        self._steps = Counter("milesync_steps", "Steps that have ended.", labels, registry=registry)
        self._requests = Counter("milesync_requests", "Requests to trackers.", ["connection"], registry=registry)
        self._writes = Counter("milesync_writes", "Writes.", ["outcome"], registry=registry)
        self._failures = Counter("milesync_failures", "Failures.", ["connection"], registry=registry)
        self._milestones = Gauge("milesync_milestones", "Milestones that run.", ["status"], registry=registry)
        words = "Last time that a tracker was read to the end."
        self._seen = Gauge("milesync_source_seen_timestamp_seconds", words, ["connection"], registry=registry)
        self._hooks = Gauge("milesync_webhooks", "Webhooks since the start.", ["outcome"], registry=registry)

    def step(self, task: str, connection: str, outcome: str, requests: int) -> None:
        """Count a step; ``outcome`` as in `sync.worker.job.JobEnvironment.on_step_end`."""
        self._steps.labels(task, connection, outcome).inc()
        self._requests.labels(connection).inc(requests)

    def write_back(self, figures: Figures) -> None:
        """Count the figures of a write-back."""
        self._writes.labels("applied").inc(figures.applied)
        self._writes.labels("skipped").inc(figures.skipped)
        for connection, number in figures.failures.items():
            self._failures.labels(connection).inc(number)
        for status, number in figures.status.items():
            self._milestones.labels(status).set(number)
        for connection, at in figures.seen.items():
            if at is not None:
                self._seen.labels(connection).set(at.timestamp())

    def hooks(self, counts: Mapping[str, int]) -> None:
        """Set the number of webhooks by outcome, since the start of the process."""
        for outcome, number in counts.items():
            self._hooks.labels(outcome).set(number)

    def text(self) -> tuple[bytes, str]:
        """Return the metrics as Prometheus reads them, and their content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def listen(self, address: str) -> None:
        """Serve the metrics at ``HOST:PORT`` in the running event loop. Raises OSError."""
        application = QuietApplication([URLSpec(r"/metrics", MetricsHandler, {"metrics": self.text})])
        listen(address, bounded_server(application))
