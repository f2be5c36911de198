"""The verdict: bands with hysteresis, facts that need no forecast, and when there is not enough data.

=============  ==================================================================================
done           the milestone was closed, or nothing is open and something was finished
no due date    there is none: dates only
unknown        see `unknown`
overdue        the due moment has passed and more is open than the tolerance allows
on track       P >= .70; once left, regained at .77; left below .63
at risk        P in between
off track      P < .35; entered below .28; left at .42
=============  ==================================================================================

A due date that is moved later while a milestone is not on track does not make it on track: it is at risk until a tenth
of what was open then, at least one item, is finished (`replanned`). A date that is moved back lifts that, too.
"""

from __future__ import annotations

from datetime import datetime
from math import ceil
from typing import Any

from msgspec import Struct

from sync.forecast.parameters import Rules
from sync.model.health import Confidence, Health, Replan, Status, UnknownWhy
from sync.model.membership import Counts

__all__ = ["ContainerState", "band", "confidence", "held", "replanned", "settled", "since", "unknown", "verdict"]

REPLAN_SHARE = 0.1
"""Share of the items open at a re-plan that has to be finished before it can be on track."""

_BANDS = (Status.ON_TRACK, Status.AT_RISK, Status.OFF_TRACK)
_LATE = (Status.AT_RISK, Status.OFF_TRACK, Status.OVERDUE)


class ContainerState(Struct, frozen=True, kw_only=True):
    """What is known of a container at a time, before any forecast. Durations are days.

    ``age`` since the start and ``length`` of the planned time are None without a usable start and due date; ``dated``
    says that the dates make sense, ``has_due`` that there is a due date at all. ``allowed`` items may be open when it
    counts as done. ``stream_finished`` and ``kind_finished`` count earlier milestones, ``closures`` those of the
    stream in the last 84 days.
    """

    ended: bool
    has_due: bool
    dated: bool
    past_due: bool
    open: int
    done: int
    allowed: int
    age: float | None
    length: float | None
    stream_finished: int
    kind_finished: int
    closures: int


def verdict(standing: ContainerState, p: float | None, rules: Rules) -> tuple[Status, UnknownWhy | None]:
    """The status before hysteresis, with the cause if there is no forecast. ``p`` is the probability to publish."""
    if standing.ended or (standing.open == 0 and standing.done > 0):
        return Status.DONE, None
    if not standing.has_due:
        return Status.NO_DUE_DATE, UnknownWhy.NO_DUE_DATE
    if not standing.dated:
        return Status.UNKNOWN, UnknownWhy.BAD_DATES
    if standing.past_due and standing.open > standing.allowed:
        return Status.OVERDUE, None
    why = unknown(standing, rules)
    if why is not None or p is None:
        return Status.UNKNOWN, why or UnknownWhy.NO_HISTORY
    return band(p, rules), None


def unknown(standing: ContainerState, rules: Rules) -> UnknownWhy | None:
    """Why there is not enough data for a forecast; None when there is.

    Too few items: scope below 3. Too young: it has not begun; or less than two days and 5 % of the planned time have
    passed and no milestone of the stream has finished. No history: none has finished, the stream closed fewer than 5
    items in 84 days, and the installation has fewer than 10 finished ones of the kind.
    """
    if not standing.has_due:
        return UnknownWhy.NO_DUE_DATE
    if not standing.dated or standing.age is None or standing.length is None:
        return UnknownWhy.BAD_DATES
    if standing.open + standing.done < rules.least_items:
        return UnknownWhy.TOO_FEW_ITEMS
    alone = standing.stream_finished == 0
    least_age = max(rules.least_days, rules.least_share * standing.length)
    if standing.age < 0 or (alone and standing.age < least_age):
        return UnknownWhy.TOO_YOUNG
    if alone and standing.closures < rules.least_closures and standing.kind_finished < rules.least_kind:
        return UnknownWhy.NO_HISTORY
    return None


def band(p: float, rules: Rules) -> Status:
    """The band of a probability, without memory."""
    if p >= rules.on_track:
        return Status.ON_TRACK
    return Status.AT_RISK if p >= rules.off_track else Status.OFF_TRACK


def held(before: Status, p: float, rules: Rules) -> Status:
    """The band after hysteresis: ``before`` is left only when ``p`` crosses its edge by the margin."""
    if before not in _BANDS:
        return band(p, rules)
    margin = rules.confirm_margin if rules.confirm else rules.margin
    upper = rules.on_track - margin if before is Status.ON_TRACK else rules.on_track + margin
    lower = rules.off_track + margin if before is Status.OFF_TRACK else rules.off_track - margin
    if p >= upper:
        return Status.ON_TRACK
    return Status.AT_RISK if p >= lower else Status.OFF_TRACK


def settled(now: Status, p: float | None, previous: Health | None, health: Health, rules: Rules) -> Status:
    """The status to show: ``now`` with the memory of ``previous``.

    Facts (done, overdue), a changed due date and a scope change of a tenth or more act at once. With ``confirm``, a
    new band must also have been seen by the previous assessment. ``health.replan`` allows at most at risk.
    """
    status = _remembered(now, p, previous, health, rules)
    return Status.AT_RISK if status is Status.ON_TRACK and health.replan is not None else status


def since(status: Status, previous: Health | None, at: datetime) -> dict[str, Any]:
    """Since when a status holds, and which one it took the place of, as those two fields of a `Health`."""
    if previous is None:
        return {"since": at, "was": None}
    if previous.status is status:
        return {"since": previous.since, "was": previous.was}
    return {"since": at, "was": previous.status}


def _remembered(now: Status, p: float | None, previous: Health | None, health: Health, rules: Rules) -> Status:
    if previous is None or p is None or now not in _BANDS or previous.status not in _BANDS:
        return now
    if previous.due != health.due or _jumped(previous.counts, health.counts, rules):
        return now
    status = held(previous.status, p, rules)
    if rules.confirm and status is not previous.status and previous.band is not now:
        return previous.status
    return status


def replanned(previous: Health | None, health: Health) -> Replan | None:
    """The re-plan from which a milestone has not recovered by work, as of ``health``; None when there is none.

    Taking the due date away counts as moving it, or a later one could be set afterwards.
    """
    if previous is None or health.status is Status.DONE:
        return None
    counts = health.counts
    if previous.status in _LATE and previous.due is not None and (health.due is None or health.due > previous.due):
        first = previous.replan.due if previous.replan else previous.due
        return Replan(at=health.at, due=first, done=counts.done, open=counts.open)
    last = previous.replan
    if last is None or (health.due is not None and health.due <= last.due):
        return None
    worked = counts.done - last.done >= max(1, ceil(REPLAN_SHARE * last.open))
    return None if worked else last


def _jumped(before: Counts, after: Counts, rules: Rules) -> bool:
    return abs(after.total - before.total) >= rules.scope_jump * max(before.total, 1)


def confidence(stream_finished: int, items: int, rules: Rules) -> Confidence:
    """How much history stands behind a forecast: earlier milestones of the stream, and items of this one."""
    if stream_finished >= rules.high_history and items >= rules.high_items:
        return Confidence.HIGH
    return Confidence.MEDIUM if stream_finished >= rules.medium_history else Confidence.LOW
