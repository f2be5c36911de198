"""Advice: the reasons and levers of assessed containers, and a lower confidence where their pace has changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from sync.forecast.batch import ForecastBatch
from sync.forecast.history_tables import HistoryTables
from sync.health.attention import Attention, attention, candidates, straggler_age, usual_shares
from sync.health.levers import ProbabilityAfter, levers
from sync.health.pace_change import PaceChange, lowered, pace_change
from sync.health.reasons import reasons
from sync.model.health import Health, Lever, Reason, ReasonKind, Status
from sync.model.tracker_data import Issue

__all__ = ["Advisor"]


class Advisor:
    """Reasons and levers of batches.

    ``issues``: uid -> issue, ``members``: container id -> uids of its open items, ``changes``: container id -> uids of
    all open changes in it. All may be empty; then reasons and levers name no items. ``levers_for``: ids of the
    containers whose levers are computed; None: all.
    """

    def __init__(
        self,
        history: HistoryTables,
        issues: Mapping[str, Issue],
        members: Mapping[str, Sequence[str]],
        changes: Mapping[str, Sequence[str]],
        levers_for: Collection[str] | None = None,
    ) -> None:
        self._history, self._issues, self._members, self._changes = history, issues, members, changes
        self._levers_for = levers_for
        self._age_by_stream: dict[int, float] = {}

    def advise(
        self,
        batch: ForecastBatch,
        healths: Sequence[Health],
        has_data: NDArray[np.bool_],
        after: ProbabilityAfter | None = None,
    ) -> list[Health]:
        """Return the healths of the containers of ``batch`` with reasons and levers.

        ``has_data`` and ``after``: see `sync.health.levers.levers`.
        """
        published = np.array([np.nan if health.probability is None else health.probability for health in healths])
        overdue = np.array([health.status is Status.OVERDUE for health in healths])
        needs_advice = (overdue | ~np.isnan(published)) & (batch.open > 0)
        if not needs_advice.any():
            return self.lower_confidence(batch, healths)
        attentions, changes = self._attentions(batch), self._pace_changes(batch)
        has_levers = needs_advice & np.array([self._has_levers(health) for health in healths])
        batch_reasons = reasons(batch, attentions, self._usual_shares, changes)
        batch_levers = levers(
            batch,
            published,
            has_levers,
            has_data,
            attentions,
            lambda k: self.candidates(healths[k].container),
            after,
        )
        return [
            _with_advice(health, batch_reasons[k], batch_levers[k]) if needs_advice[k] else health
            for k, health in enumerate(_with_confidence(healths, changes))
        ]

    def lower_confidence(self, batch: ForecastBatch, healths: Sequence[Health]) -> list[Health]:
        """Return the healths of the containers of ``batch``, with a lower confidence where their pace has changed."""
        if all(health.confidence is None for health in healths):
            return list(healths)
        return _with_confidence(healths, self._pace_changes(batch))

    def _has_levers(self, health: Health) -> bool:
        is_wanted = self._levers_for is None or health.container in self._levers_for
        return is_wanted and not health.basis.calibrating

    def candidates(self, container: str) -> Sequence[str]:
        """Return the uids of the open items of a container to cut, best first."""
        return candidates(self._issues, self._members.get(container, ()))

    @cached_property
    def _usual_shares(self) -> tuple[float, float]:
        return usual_shares(self._issues, self._members)

    def _attentions(self, batch: ForecastBatch) -> list[Attention]:
        ledger, attentions = self._history.ledger, []
        for k, i in enumerate(batch.index.tolist()):
            stream = int(ledger.stream[i])
            if stream not in self._age_by_stream:
                self._age_by_stream[stream] = straggler_age(self._history, stream, float(batch.at[k]))
            container = ledger.containers[i].id
            open_items, changes = self._members.get(container, ()), self._changes.get(container, ())
            attentions.append(attention(batch, k, self._issues, open_items, self._age_by_stream[stream], changes))
        return attentions

    def _pace_changes(self, batch: ForecastBatch) -> list[PaceChange | None]:
        """Return the change of pace of each container's stream; None without one."""
        streams = batch.tables.ledger.stream[batch.index].tolist()
        at = dict(zip(streams, batch.at.tolist(), strict=True))
        by_stream = {stream: pace_change(batch.tables, stream, at[stream]) for stream in at}
        return [by_stream[stream] for stream in streams]


def _with_confidence(healths: Sequence[Health], changes: Sequence[PaceChange | None]) -> list[Health]:
    return [
        health if change is None else replace(health, confidence=lowered(health.confidence))
        for health, change in zip(healths, changes, strict=True)
    ]


def _with_advice(health: Health, reasons: tuple[Reason, ...], levers: tuple[Lever, ...]) -> Health:
    """Add reasons and levers. If the hit rate is published instead of the forecast, it is the only reason."""
    if health.basis.calibrating:
        reasons = tuple(reason for reason in reasons if reason.kind is ReasonKind.HIT_RATE)
    return replace(health, reasons=reasons, levers=() if health.status is Status.ON_TRACK else levers)
