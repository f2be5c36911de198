"""Rules for the status of a milestone. All of them are in this file.

Facts come first, then the probability P of being done by the due date. The first row that applies is the band:

=============  ======================================================================================================
done           the milestone was closed, and everything in scope is done
ended          the milestone was closed, and items were left open or carried over (`sync.history.carry_over`)
no due date    the milestone has no due date; it gets completion dates only
overdue        the due moment has passed and other work on the tracker's own page is open, such as pull requests that
               do not count, even if all items are done
done           the due moment has passed, and everything in scope is done, at least one item
ended          the due moment has passed, nothing is open in it, and items were carried over
overdue        the due moment has passed and more items are open than the tolerance allows, or it has no items: a fact
               that needs no forecast, no start and no history
on track       the due moment has passed, and no more is open than the tolerance allows: a fact, until it is closed
unknown        start and due date make no sense
on track       everything in scope is done, at least one item: good news, but more items may join until the due moment
unknown        there is not enough data for a forecast (`missing_data`)
on track       P is .70 or more
at risk        P is .35 or more, and less than .70
off track      P is less than .35
=============  ======================================================================================================

The status is the band, with these exceptions, in this order:

1. A status with a forecast changes only when P crosses the edge by a margin (`band_with_hysteresis`): on track is left
   below .63 and regained at .77; off track is entered below .28 and left at .42. A changed due date, or a scope that
   changed by a tenth or more, takes effect at once.
2. A due date that is moved later while the milestone is not on track does not make it on track. The status is at risk
   until a tenth of the items open at that time, at least one, is finished (`replan_of`), or the date is moved back.
3. Stale tracker data keeps the status for some time, and then makes it unknown; work that was open when it was last
   read is overdue after its due date (`sync.health.missing_input`).
4. After a change of the forecast's method (`Rules.method`) the status is the band: earlier figures are not comparable.

P is the forecast's, or the hit rate of the stream while its forecasts are worse than that (`published_probability`).
The status of joint milestones, and of milestones that wait for others, follows in `sync.health.joint`.
"""

from __future__ import annotations

from math import ceil

from msgspec import Struct
from msgspec.structs import replace

from sync.forecast.parameters import Rules
from sync.forecast.pooled import Forecast
from sync.forecast.track_record import StreamScore, under_calibration
from sync.model.counting import counts_alike
from sync.model.health import Basis, Confidence, Health, Replan, Status, UnknownCause
from sync.model.membership import Counts

__all__ = [
    "BANDS",
    "ContainerState",
    "band",
    "band_with_hysteresis",
    "confidence",
    "forecast_status",
    "is_scope_jump",
    "missing_data",
    "published_probability",
    "replan_of",
    "status_with_memory",
    "verdict",
    "with_status",
]

REPLAN_SHARE = 0.1
"""Share of the items open at a re-plan that has to be finished before the milestone can be on track."""

BANDS = (Status.ON_TRACK, Status.AT_RISK, Status.OFF_TRACK)
"""Statuses that rest on a forecast, from best to worst."""

_LATE = (Status.AT_RISK, Status.OFF_TRACK, Status.OVERDUE)


class ContainerState(Struct, frozen=True, kw_only=True):
    """Facts about a container at a time, before any forecast. Durations are days.

    ``age`` since the start and ``length`` of the planned time are None without a usable start and due date. ``dated``:
    the dates make sense; ``has_due``: there is a due date; ``past_due``: it has passed. ``open`` items are not done,
    ``carried`` of them were carried over. ``allowed``: items that may be open when the container counts as done.
    ``stream_finished`` and ``kind_finished`` count earlier milestones. ``closures``: items that the stream closed in
    the last 84 days. ``uncounted_open``: open work on the tracker's own page
    that is no item, such as a pull request that does not count.
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
    carried: int = 0
    uncounted_open: int = 0

    @property
    def is_all_done(self) -> bool:
        """True if there are items, and all of them are done."""
        return self.open == 0 and self.done > 0


# --- the band ---------------------------------------------------------------------------------------------------------


def verdict(state: ContainerState, p: float | None, rules: Rules) -> tuple[Status, UnknownCause | None]:
    """Return the band, and the cause if there is no forecast. ``p`` is the probability to publish."""
    if state.ended:
        return Status.ENDED if state.open else Status.DONE, None
    if not state.has_due:
        return Status.NO_DUE_DATE, UnknownCause.NO_DUE_DATE
    if state.past_due:
        return _status_after_due(state), None
    if not state.dated:
        return Status.UNKNOWN, UnknownCause.BAD_DATES
    if state.is_all_done:
        return Status.ON_TRACK, None
    cause = missing_data(state, rules)
    if cause is not None or p is None:
        return Status.UNKNOWN, cause or UnknownCause.NO_HISTORY
    return band(p, rules), None


def _status_after_due(state: ContainerState) -> Status:
    """Return the status of a running container after its due moment."""
    if state.uncounted_open:
        return Status.OVERDUE
    if state.is_all_done:
        return Status.DONE
    if state.open and state.open == state.carried:
        return Status.ENDED
    return Status.OVERDUE if state.open > state.allowed or state.done == 0 else Status.ON_TRACK


def forecast_status(p: float, counts: Counts, rules: Rules) -> Status:
    """Return the band of a probability before the due moment; on track if everything in scope is done."""
    return Status.ON_TRACK if _is_all_done(counts) else band(p, rules)


def _is_all_done(counts: Counts) -> bool:
    return counts.unfinished == 0 and counts.done > 0


def band(p: float, rules: Rules) -> Status:
    """Return the band of a probability, without hysteresis."""
    if p >= rules.on_track:
        return Status.ON_TRACK
    return Status.AT_RISK if p >= rules.off_track else Status.OFF_TRACK


def missing_data(state: ContainerState, rules: Rules) -> UnknownCause | None:
    """Return the cause if there is not enough data for a forecast; None if there is enough.

    =============  ===================================================================================================
    too few items  scope below 3
    too young      not begun; or less than two days and 5% of the planned time have passed and no milestone of the
                   stream has finished
    no history     no milestone of the stream has finished, the stream closed fewer than 5 items in 84 days, and the
                   installation has fewer than 10 finished milestones of the kind
    =============  ===================================================================================================
    """
    if not state.has_due:
        return UnknownCause.NO_DUE_DATE
    if not state.dated or state.age is None or state.length is None:
        return UnknownCause.BAD_DATES
    if state.open + state.done < rules.least_items:
        return UnknownCause.TOO_FEW_ITEMS
    first_of_stream = state.stream_finished == 0
    least_age = max(rules.least_days, rules.least_share * state.length)
    if state.age < 0 or (first_of_stream and state.age < least_age):
        return UnknownCause.TOO_YOUNG
    if first_of_stream and state.closures < rules.least_closures and state.kind_finished < rules.least_kind:
        return UnknownCause.NO_HISTORY
    return None


def published_probability(forecast: Forecast, score: StreamScore | None, rules: Rules) -> tuple[Basis, float | None]:
    """Return the probability to publish, with its basis: the stream's hit rate if its forecasts were worse than that.

    None: no forecast was possible, or none was made because the container has ended.
    """
    if forecast.phase is None or score is None or score.hit_rate is None or not under_calibration(score, rules):
        return forecast.basis, forecast.p
    hit_rate = min(max(score.hit_rate, rules.clip), 1 - rules.clip)
    return replace(forecast.basis, calibrating=True), hit_rate


# --- from the band to the status --------------------------------------------------------------------------------------


def with_status(health: Health, previous: Health | None, rules: Rules) -> Health:
    """Return ``health`` with the status to publish: its band, with the memory of the ``previous`` health.

    Sets ``replan``, ``status``, ``since`` and ``previous_status``. ``previous`` None: the container was never assessed.
    A ``previous`` health of another method gives no hysteresis, and a difference between the two is no transition.
    """
    health = replace(health, replan=replan_of(previous, health))
    if previous is not None and previous.method != health.method:
        return _with_status_of_new_method(health, previous, rules)
    status = status_with_memory(previous, health, rules)
    if previous is None:
        return replace(health, status=status, since=health.at, previous_status=None)
    if previous.status is status:
        return replace(health, status=status, since=previous.since, previous_status=previous.previous_status)
    return replace(health, status=status, since=health.at, previous_status=previous.status)


def _with_status_of_new_method(health: Health, previous: Health, rules: Rules) -> Health:
    """Return ``health`` with its own band as status. The same status as before keeps its time."""
    status = status_with_memory(None, health, rules)
    if previous.status is status:
        return replace(health, status=status, since=previous.since, previous_status=previous.previous_status)
    return replace(health, status=status, since=health.at, previous_status=None)


def status_with_memory(previous: Health | None, health: Health, rules: Rules) -> Status:
    """Return the status of ``health`` after hysteresis and re-plan.

    Facts (done, ended, overdue, nothing open), a changed due date and a scope change of a tenth or more take effect at
    once. With ``rules.confirm``
    the previous assessment must have had the new band, too. ``health.replan`` allows at most at risk.
    """
    status = _after_hysteresis(previous, health, rules)
    is_held = health.replan is not None and not _is_all_done(health.counts)
    return Status.AT_RISK if status is Status.ON_TRACK and is_held else status


def _after_hysteresis(previous: Health | None, health: Health, rules: Rules) -> Status:
    p = health.probability
    if previous is None or p is None or health.band not in BANDS or previous.status not in BANDS:
        return health.band
    if _is_all_done(health.counts):
        return health.band
    if previous.due != health.due or is_scope_jump(previous.counts, health.counts, rules):
        return health.band
    status = band_with_hysteresis(previous.status, p, rules)
    if rules.confirm and status is not previous.status and previous.band is not health.band:
        return previous.status
    return status


def band_with_hysteresis(before: Status, p: float, rules: Rules) -> Status:
    """Return the band of ``p``, but leave the status ``before`` only if ``p`` crosses its edge by the margin."""
    if before not in BANDS:
        return band(p, rules)
    margin = rules.confirm_margin if rules.confirm else rules.margin
    upper = rules.on_track - margin if before is Status.ON_TRACK else rules.on_track + margin
    lower = rules.off_track + margin if before is Status.OFF_TRACK else rules.off_track - margin
    if p >= upper:
        return Status.ON_TRACK
    return Status.AT_RISK if p >= lower else Status.OFF_TRACK


def is_scope_jump(before: Counts, after: Counts, rules: Rules) -> bool:
    """Return True if the scope changed by so large a share that the status changes at once."""
    return abs(after.total - before.total) >= rules.scope_jump * max(before.total, 1)


def replan_of(previous: Health | None, health: Health) -> Replan | None:
    """Return the re-plan from which the milestone has not recovered by work, as of ``health``; None without one.

    Removing the due date counts as moving it: otherwise a later date could be set afterwards.
    """
    if previous is None or health.status.is_over:
        return None
    counts = health.counts
    if previous.status in _LATE and previous.due is not None and (health.due is None or health.due > previous.due):
        first = previous.replan.due if previous.replan else previous.due
        return Replan(at=health.at, due=first, done=counts.done, open=counts.open)
    last = previous.replan
    if last is not None and not counts_alike(previous.method, health.method):
        last = replace(last, done=counts.done, open=counts.open)  # work that was not counted before is no recovery
    if last is None or (health.due is not None and health.due <= last.due):
        return None
    is_recovered = counts.done - last.done >= max(1, ceil(REPLAN_SHARE * last.open))
    return None if is_recovered else last


def confidence(stream_finished: int, items: int, rules: Rules) -> Confidence:
    """Return the confidence in a forecast, from the number of earlier milestones and of this milestone's items."""
    if stream_finished >= rules.high_history and items >= rules.high_items:
        return Confidence.HIGH
    return Confidence.MEDIUM if stream_finished >= rules.medium_history else Confidence.LOW
