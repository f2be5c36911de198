"""A run seen from outside: its figures for the log and Prometheus, when each tracker was last seen, the ping."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from sync.model.health import Status
from sync.store.store import Run

if TYPE_CHECKING:
    from sync.engine.engine import Engine
    from sync.engine.result import Result, RoundResult

__all__ = ["Figures", "ReadState", "figures", "ping", "round_figures", "seen", "write_textfile"]

PING_TIMEOUT = 10
"""Seconds."""
_BACK = 100
"""Runs in which a good one is looked for."""


class ReadState(Struct, frozen=True, kw_only=True):
    """When a connection's tracker was last read to the end (UTC), by its newest project; None: never.

    ``stale`` are the projects whose last pull failed, with the time of their last good one.
    """

    connection: str
    source: str
    seen: datetime | None
    stale: dict[str, datetime | None]


class Figures(Struct, frozen=True, kw_only=True):
    """One run, or a round of many processes, in numbers. Times are UTC, ``seconds`` its length.

    Failures and requests go by connection. Requests, and issues (None), are not known of a round.
    """

    run: str
    exit_code: int
    started: datetime
    finished: datetime
    seconds: float
    milestones: int
    status: dict[str, int]
    issues: int | None
    planned: int
    applied: int
    skipped: int
    refused: int
    failures: dict[str, int]
    requests: dict[str, int]
    seen: dict[str, datetime | None]
    succeeded: datetime | None


def seen(engine: Engine) -> list[ReadState]:
    """When each connection's tracker was last seen, by what the store knows."""
    good, stale = engine.store.last_pulls(), engine.store.stale_projects()
    found = []
    for source in engine.sources:
        origin = source.connector.base_url
        watched = engine.store.watched_projects(source.name, origin)
        keys = {project.key for project in engine.store.projects(origin) if project.id in watched}
        named = keys.union(source.projects)
        found.append(
            ReadState(
                connection=source.name,
                source=origin,
                seen=max((at for (url, key), at in good.items() if url == origin and key in keys), default=None),
                stale={key: at for (url, key), at in sorted(stale.items()) if url == origin and key in named},
            )
        )
    return found


def figures(engine: Engine, result: Result, started: datetime, exit_code: int) -> Figures:
    """The figures of a run that has just ended with a code."""
    finished, current = engine.clock(), [milestone for milestone in result.assessed if milestone.is_current]
    counted = Counter(milestone.health.status for milestone in current)
    failed = Counter(failure.connection for failure in result.failures)
    runs = [run for run in engine.store.last_runs(_BACK) if run.id != engine.run_id]
    return Figures(
        run=engine.run_id,
        exit_code=exit_code,
        started=started,
        finished=finished,
        seconds=round((finished - started).total_seconds(), 3),
        milestones=len(current),
        status={status.value: counted[status] for status in Status},
        issues=engine.issue_count,
        planned=len(result.plan.actions),
        applied=len(result.written),
        skipped=len(result.plan.actions) - len(result.written),
        refused=len(result.refused),
        failures={name: failed[name] for name in [*(source.name for source in engine.sources), *failed]},
        requests=engine.requests,
        seen={state.connection: state.seen for state in seen(engine)},
        succeeded=finished if exit_code == 0 else next((run.finished_at for run in runs if _good(run)), None),
    )


def round_figures(engine: Engine, ended: RoundResult, exit_code: int) -> Figures:
    """The figures of a round that has ended with a code, from the store; failures are steps, and what came after."""
    finished, current = engine.clock(), [milestone for milestone in engine.assess(keep=False) if milestone.is_current]
    counted = Counter(milestone.health.status for milestone in current)
    failed = Counter(ended.failures) + Counter(failure.connection for failure in engine.failures)
    runs = engine.store.last_runs(_BACK + 2 * len(engine.sources))
    told = [msgspec.json.decode(run.summary) for run in runs if run.started_at >= ended.since and run.summary]
    written = {name: sum(one[name] for one in told) for name in ("planned", "applied", "refused")}
    return Figures(
        run=engine.run_id,
        exit_code=exit_code,
        started=ended.since,
        finished=finished,
        seconds=round((finished - ended.since).total_seconds(), 3),
        milestones=len(current),
        status={status.value: counted[status] for status in Status},
        issues=None,
        skipped=written["planned"] - written["applied"],
        **written,
        failures={name: failed[name] for name in [*(source.name for source in engine.sources), *failed]},
        requests={},
        seen={state.connection: state.seen for state in seen(engine)},
        succeeded=finished if exit_code == 0 else ended.last_good,
    )


def _good(run: Run) -> bool:
    if run.finished_at is None or not run.summary:
        return False
    told: Mapping[str, Any] = msgspec.json.decode(run.summary)
    return not told.get("failures") and not told.get("refused")


# --- Prometheus ----------------------------------------------------------------------------------------------------


def write_textfile(path: Path, told: Figures, *, installation: str, version: str) -> None:
    """Write the figures for the node exporter's textfile collector, all or nothing. Raises ImportError, OSError."""
    from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

    registry = CollectorRegistry()

    def gauge(name: str, words: str, value: float | Mapping[str, float], label: str = "") -> None:
        one = Gauge(f"milesync_{name}", words, [label] if label else [], registry=registry)
        if isinstance(value, Mapping):
            for key, number in value.items():
                one.labels(key).set(number)
        else:
            one.set(value)

    about = Gauge("milesync_info", "Always 1.", ["installation", "version"], registry=registry)
    about.labels(installation, version).set(1)
    gauge("run_finished_timestamp_seconds", "End of the last run.", told.finished.timestamp())
    if told.succeeded is not None:
        gauge("run_success_timestamp_seconds", "End of the last run without failures.", told.succeeded.timestamp())
    gauge("run_duration_seconds", "Length of the last run.", told.seconds)
    gauge("run_exit_code", "Exit code of the last run.", told.exit_code)
    if told.issues is not None:
        gauge("run_issues_read", "Issues that were new or changed.", told.issues)
    gauge("milestones", "Milestones that run, by status.", told.status, "status")
    outcomes = {"planned": told.planned, "applied": told.applied, "skipped": told.skipped}
    gauge("run_writes", "Writes of the last run.", outcomes, "outcome")
    gauge("run_refused", "Refusals of the last run.", told.refused)
    if told.requests:
        gauge("run_requests", "Requests of the last run.", told.requests, "connection")
    gauge("run_failures", "Failures of the last run.", told.failures, "connection")
    times = {name: at.timestamp() for name, at in told.seen.items() if at is not None}
    gauge("source_seen_timestamp_seconds", "Last time that a tracker was read to the end.", times, "connection")
    write_to_textfile(os.fspath(path), registry)


# --- the dead man's switch -----------------------------------------------------------------------------------------


def ping(url: str) -> str:
    """Fetch an address, a second time if need be; why it failed, or an empty text. Never names the address."""
    import requests  # late: few runs are watched, and its import takes a tenth of a second

    words = ""
    for _ in range(2):
        try:
            status = requests.get(url, timeout=PING_TIMEOUT, allow_redirects=False).status_code
        except requests.RequestException as problem:
            words = type(problem).__name__
        else:
            if 200 <= status < 300:
                return ""
            words = f"HTTP {status}"
    return words
