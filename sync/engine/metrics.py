"""Metrics of a run or a round: figures for the log and Prometheus, state of each connection, dead man's switch."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from sync.model.health import Status
from sync.store.journal import Run
from sync.store.tracker_data import UnreadState
from sync.tracker.preflight import Limited
from sync.tracker.protocol import Connector

if TYPE_CHECKING:
    from sync.engine.engine import Engine
    from sync.engine.result import Result, RoundResult

__all__ = ["Figures", "ReadState", "figures_of_run", "ping", "read_states", "round_figures", "write_textfile"]

PING_TIMEOUT = 10
"""Seconds."""
_BACK = 100
"""Number of earlier runs that are searched for a good one."""


class ReadState(Struct, frozen=True, kw_only=True):
    """The time (UTC) at which a connection's tracker was last read to the end, by its newest project; None: never.

    ``stale`` has the projects whose last pull failed, with the time of their last good pull, ``causes`` the error of
    each. ``unlisted`` has the keys of the issues in milestones that the tracker does not list, by project. ``unread``
    has a line for each row that cannot be read, ``limitations`` one for each loss with the server's version.
    """

    connection: str
    source: str
    seen: datetime | None
    stale: dict[str, datetime | None]
    causes: dict[str, str] = {}
    unlisted: dict[str, tuple[str, ...]] = {}
    unread: list[str] = []
    limitations: list[str] = []


class Figures(Struct, frozen=True, kw_only=True):
    """The numbers of a run, or of a round of many processes. Times are UTC; ``seconds`` is the duration.

    ``failures`` and ``requests`` are by connection. For a round, ``requests`` is empty and ``issues`` None.
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


def read_states(engine: Engine) -> list[ReadState]:
    """Return the read state of each connection, from the store."""
    pulls, failed = defaultdict[str, dict[str, datetime]](dict), engine.store.failed_pulls()
    for (url, key), at in engine.store.last_pulls().items():
        pulls[url][key] = at
    unlisted: dict[tuple[str, str], list[str]] = {}
    for milestone in engine.store.unlisted_milestones():
        unlisted.setdefault((milestone.source, milestone.project_key), []).extend(milestone.issues)
    unread = defaultdict[str, list[UnreadState]](list)
    for row in engine.store.unread_rows():
        unread[row.source].append(row)
    states = []
    for connection in engine.connections:
        origin = connection.source
        watched = engine.store.watched_projects(connection.name, origin)
        keys = {project.key for project in engine.store.projects(origin) if project.id in watched}
        named = keys.union(connection.projects)
        states.append(
            ReadState(
                connection=connection.name,
                source=origin,
                seen=max((pulls[origin][key] for key in keys & pulls[origin].keys()), default=None),
                stale={key: failed[origin, key].good_at for key in sorted(named) if (origin, key) in failed},
                causes={key: failed[origin, key].error for key in sorted(named) if (origin, key) in failed},
                unlisted={key: tuple(unlisted[origin, key]) for key in sorted(named) if (origin, key) in unlisted},
                unread=[row.words for row in unread[origin] if row.row.project in watched],
                limitations=_limitations(connection.connector, engine.store.cursors(origin)),
            )
        )
    return states


def _limitations(connector: Connector, cursors: Mapping[str, str]) -> list[str]:
    if not isinstance(connector, Limited):
        return []
    return [limitation.words for limitation in connector.known_limitations(cursors)]


def figures_of_run(engine: Engine, result: Result, started: datetime, exit_code: int) -> Figures:
    """Return the figures of a run that has just ended with an exit code."""
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
        failures={name: failed[name] for name in [*(connection.name for connection in engine.connections), *failed]},
        requests=engine.requests,
        seen={state.connection: state.seen for state in read_states(engine)},
        succeeded=finished if exit_code == 0 else next((run.finished_at for run in runs if _is_good(run)), None),
    )


def round_figures(engine: Engine, result: RoundResult, exit_code: int) -> Figures:
    """Return the figures of an ended round, from the store. Failures are those of steps and of what followed them."""
    finished, current = (
        engine.clock(),
        [milestone for milestone in engine.assess(keep=False, has_levers=False) if milestone.is_current],
    )
    counted = Counter(milestone.health.status for milestone in current)
    failed = Counter(result.failures) + Counter(failure.connection for failure in engine.failures)
    runs = engine.store.last_runs(_BACK + 2 * len(engine.connections))
    summaries = [msgspec.json.decode(run.summary) for run in runs if run.started_at >= result.since and run.summary]
    writes = {name: sum(summary[name] for summary in summaries) for name in ("planned", "applied", "refused")}
    return Figures(
        run=engine.run_id,
        exit_code=exit_code,
        started=result.since,
        finished=finished,
        seconds=round((finished - result.since).total_seconds(), 3),
        milestones=len(current),
        status={status.value: counted[status] for status in Status},
        issues=None,
        skipped=writes["planned"] - writes["applied"],
        **writes,
        failures={name: failed[name] for name in [*(connection.name for connection in engine.connections), *failed]},
        requests={},
        seen={state.connection: state.seen for state in read_states(engine)},
        succeeded=finished if exit_code == 0 else result.last_good,
    )


def _is_good(run: Run) -> bool:
    if run.finished_at is None or not run.summary:
        return False
    summary: Mapping[str, Any] = msgspec.json.decode(run.summary)
    return not summary.get("failures") and not summary.get("refused")


# --- Prometheus ----------------------------------------------------------------------------------------------------


def write_textfile(path: Path, figures: Figures, *, installation: str, version: str) -> None:
    """Write the figures for the node exporter's textfile collector, atomically. Raises ImportError, OSError."""
    from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

    registry = CollectorRegistry()

    def add_gauge(name: str, description: str, value: float | Mapping[str, float], label: str = "") -> None:
        gauge = Gauge(f"milesync_{name}", description, [label] if label else [], registry=registry)
        if isinstance(value, Mapping):
            for key, number in value.items():
                gauge.labels(key).set(number)
        else:
            gauge.set(value)

    about = Gauge("milesync_info", "Always 1.", ["installation", "version"], registry=registry)
    about.labels(installation, version).set(1)
    add_gauge("run_finished_timestamp_seconds", "End of the last run.", figures.finished.timestamp())
    if figures.succeeded is not None:
        add_gauge(
            "run_success_timestamp_seconds", "End of the last run without failures.", figures.succeeded.timestamp()
        )
    add_gauge("run_duration_seconds", "Length of the last run.", figures.seconds)
    add_gauge("run_exit_code", "Exit code of the last run.", figures.exit_code)
    if figures.issues is not None:
        add_gauge("run_issues_read", "Issues that were new or changed.", figures.issues)
    add_gauge("milestones", "Milestones that run, by status.", figures.status, "status")
    outcomes = {"planned": figures.planned, "applied": figures.applied, "skipped": figures.skipped}
    add_gauge("run_writes", "Writes of the last run.", outcomes, "outcome")
    add_gauge("run_refused", "Refusals of the last run.", figures.refused)
    if figures.requests:
        add_gauge("run_requests", "Requests of the last run.", figures.requests, "connection")
    add_gauge("run_failures", "Failures of the last run.", figures.failures, "connection")
    times = {name: at.timestamp() for name, at in figures.seen.items() if at is not None}
    add_gauge("source_seen_timestamp_seconds", "Last time that a tracker was read to the end.", times, "connection")
    write_to_textfile(os.fspath(path), registry)


# --- dead man's switch ---------------------------------------------------------------------------------------------


def ping(url: str) -> str:
    """Request an address, twice if necessary; return the reason of the failure, or an empty text.

    The reason never names the address, which is a secret.
    """
    import requests  # late: few runs use it, and its import takes a tenth of a second

    reason = ""
    for _ in range(2):
        try:
            status = requests.get(url, timeout=PING_TIMEOUT, allow_redirects=False).status_code
        except requests.RequestException as problem:
            reason = type(problem).__name__
        else:
            if 200 <= status < 300:
                return ""
            reason = f"HTTP {status}"
    return reason
