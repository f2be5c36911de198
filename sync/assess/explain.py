"""Explain the health of one milestone: every number that the assessment used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from sync.assess.milestone import AssessedMilestone
from sync.assess.portfolio import AssessedJointMilestone, Portfolio
from sync.assess.relations import build_portfolio
from sync.assess.snapshot import Snapshot
from sync.forecast.batch import ForecastBatch
from sync.model.health import Health
from sync.store.store import Store

__all__ = ["Explanation", "batch_numbers", "explain_in", "explain_milestone", "milestone_numbers"]


@dataclass(frozen=True)
class Explanation:
    """The numbers behind the ``health`` of a milestone, as JSON-able data. ``title``: the tracker's; foreign text.

    ``milestone`` is None for a joint milestone, ``joint`` for every other one.
    """

    title: str
    health: Health
    numbers: Mapping[str, Any]
    milestone: AssessedMilestone | None = None
    joint: AssessedJointMilestone | None = None


def explain_milestone(snapshot: Snapshot, store: Store, written: str) -> Explanation | None:
    """Return the numbers behind a milestone or a joint milestone, by its written id; None when there is none.

    A finished one also has its closing record, under ``closing``. Each earlier milestone has its written id,
    under ``name``. Raises `AmbiguousIdError`.
    """
    return explain_in(build_portfolio(snapshot), snapshot, store, written)


def explain_in(portfolio: Portfolio, snapshot: Snapshot, store: Store, written: str) -> Explanation | None:
    """Return the same from the portfolio that was built from the snapshot."""
    written = snapshot.ids.canonical(written)
    for joint in portfolio.joints:
        if joint.written == written:
            numbers = joint.explain() | _closing(store, joint.written)
            return Explanation(joint.joint.name, joint.health, numbers, joint=joint)
    for milestone in portfolio.milestones:
        if milestone.written == written:
            numbers = milestone_numbers(snapshot, [milestone])[milestone.uid]
            _name_history(snapshot, numbers)
            numbers |= _closing(store, milestone.uid)
            numbers |= {"owners": msgspec.to_builtins(milestone.owners), "words": msgspec.to_builtins(milestone.words)}
            return Explanation(milestone.milestone.title, milestone.health, numbers, milestone)
    return None


def _closing(store: Store, container: str) -> dict[str, Any]:
    """Return the closing record of a container under its key; empty without one."""
    record = store.records([container]).get(container)
    return {} if record is None else {"closing": msgspec.to_builtins(record)}


def milestone_numbers(snapshot: Snapshot, milestones: Sequence[AssessedMilestone]) -> dict[str, dict[str, Any]]:
    """Return every number behind each milestone, by uid; where others moved its health, ``health_alone`` as well."""
    return _published(snapshot.explain([milestone.uid for milestone in milestones]), milestones)


def batch_numbers(
    snapshot: Snapshot, batch: ForecastBatch, milestones: Sequence[AssessedMilestone]
) -> dict[str, dict[str, Any]]:
    """Return the same for a batch of `Snapshot.batches`, which forecasts these milestones."""
    return _published(snapshot.explain_batch(batch, [milestone.uid for milestone in milestones]), milestones)


def _published(found: dict[str, dict[str, Any]], milestones: Sequence[AssessedMilestone]) -> dict[str, dict[str, Any]]:
    for milestone in milestones:
        numbers, health = found[milestone.uid], msgspec.to_builtins(milestone.health)
        if numbers["health"] != health:
            found[milestone.uid] = {**numbers, "health": health, "health_alone": numbers["health"]}
    return found


def _name_history(snapshot: Snapshot, numbers: dict[str, Any]) -> None:
    names = {uid: own.written(milestone) for own in snapshot.rows for uid, milestone in own.milestones.items()}
    for row in numbers["history"]["milestones"]:
        row["name"] = names.get(row["container"], "")
