"""Map an assessed milestone and its texts to the desired state of its tracker."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sync.assess.milestone import AssessedMilestone
from sync.model.health import Health, Status, UnknownCause
from sync.model.tracker_data import State
from sync.plan.board_status import board_for
from sync.plan.description import current_description
from sync.plan.desired import Desired, PreviousWrites, label_name, label_names
from sync.plan.native_health import health_for
from sync.report.texts import Texts
from sync.tracker.marker import Marker
from sync.tracker.slash_commands import CommandState

__all__ = ["build_desired"]


def build_desired(
    milestone: AssessedMilestone,
    texts: Texts,
    last: Marker | None,
    *,
    commands: CommandState,
    previous: PreviousWrites,
    remind_every: int,
    is_quiet: bool,
) -> Desired:
    """Return the desired state of one milestone; on quiet days it announces no new status. Pure.

    ``last``: marker of our summary, None without one. ``commands``: of the status issue. ``remind_every``: in days.
    """
    capabilities, health = milestone.connection.connector.capabilities, milestone.health
    status, since = _announced_status(health, last)
    return Desired(
        milestone=milestone.uid,
        project=milestone.project.id,
        project_key=milestone.project.key,
        status=status,
        since=since,
        **_labels(milestone, status, (*previous.prefixes, last.prefix if last else "")),
        summary=texts.summary,
        meaning=texts.meaning,
        transition=texts.transition,
        closing=texts.closing,
        reminder=texts.reminder,
        remind_every=remind_every,
        issue_title=texts.issue_title,
        issue_body=texts.issue_body,
        issue_labels=milestone.connection.labels,
        baseline=health.baseline,
        zone=milestone.connection.zone,
        **_reference(texts),
        probability=health.probability,
        p50=health.dates.p50,
        p70=None if health.promise is None else health.promise.p70,
        p85=health.dates.p85,
        p95=health.dates.p95,
        dated=health.dates.since,
        due=health.due,
        clock=health.clock,
        policy=milestone.connection.policy_of(milestone.project.key),
        may_create=milestone.milestone.state is State.OPEN and health.due is not None,
        needs_label=capabilities.needs_label_creation,
        any_case=capabilities.labels_any_case,
        **_memory(health),
        **_optional_outputs(milestone, texts, status),
        previous=previous,
        visibility=milestone.project.visibility,
        closes=milestone.connection.closes(),
        quiet=is_quiet,
        muted=commands.muted,
        refresh=commands.refresh,
        understood=commands.understood,
        ignored=commands.ignored,
    )


def _labels(milestone: AssessedMilestone, status: Status, former_prefixes: Iterable[str]) -> dict[str, Any]:
    """Return the fields for the status label. An empty former prefix is ignored."""
    prefix, separator = milestone.connection.prefix, milestone.connection.connector.capabilities.label_separator
    label = label_name(prefix, separator, status)
    prefixes = dict.fromkeys((prefix, *filter(None, former_prefixes)))
    siblings = tuple(name for name in label_names(prefixes, separator) if name != label)
    return {"label": label, "siblings": siblings, "prefix": prefix}


def _reference(texts: Texts) -> dict[str, Any]:
    """Return the fields for what the summary says about earlier ones."""
    reference = texts.reference
    return {
        "changes_since": None if reference is None else reference.since,
        "previous_forecast": None if reference is None else reference.forecast,
        "method_changed_at": texts.method_changed_at,
    }


def _memory(health: Health) -> dict[str, Any]:
    """Return the fields that depend on earlier runs and on missing data."""
    is_stale = health.stale_since is not None
    return {
        "replan": health.replan,
        "method": health.method,
        "is_transition": health.previous_status is not None,
        "stale": is_stale,
        "keeps_verdict": is_stale and health.unknown is not UnknownCause.STALE,
    }


def _optional_outputs(milestone: AssessedMilestone, texts: Texts, status: Status) -> dict[str, Any]:
    """Return the fields of the outputs that are off by default."""
    return {
        "description": texts.description,
        "current_description": current_description(milestone),
        "health": health_for(milestone, status),
        "board": board_for(milestone),
        "board_update": texts.board_update,
        "picture": texts.burn_up.content_hash,
        "picture_problem": texts.burn_up.problem,
    }


def _announced_status(health: Health, last: Marker | None) -> tuple[Status, datetime]:
    """Return the status for label and marker, and since when (UTC). Stale data keeps the status of the last comment."""
    if health.stale_since is not None and last is not None and last.status is not None:
        return last.status, last.since or health.since
    return health.status, health.since
