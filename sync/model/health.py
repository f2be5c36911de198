"""Health of a milestone: status, probability, dates, reasons and levers."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from msgspec import Struct, field

from sync.model.membership import Counts
from sync.model.plan_clock import PlanClock

__all__ = [
    "WORST_FIRST",
    "Basis",
    "Confidence",
    "Dates",
    "Health",
    "Leftover",
    "Lever",
    "LeverKind",
    "Note",
    "Override",
    "Promise",
    "Reason",
    "ReasonKind",
    "Replan",
    "Status",
    "UnknownCause",
    "Usual",
    "Value",
]


class Status(StrEnum):
    """Status of a milestone. The rules are in `sync.health.status`.

    DONE: it is over, and everything in scope is done. ENDED: it is over, and work was left open or carried over.
    """

    ON_TRACK = "on_track"
    AT_RISK = "at_risk"
    OFF_TRACK = "off_track"
    OVERDUE = "overdue"
    DONE = "done"
    ENDED = "ended"
    NO_DUE_DATE = "no_due_date"
    UNKNOWN = "unknown"

    @property
    def is_over(self) -> bool:
        """True for DONE and ENDED: the milestone is over."""
        return self in (Status.DONE, Status.ENDED)

    @classmethod
    def at_end(cls, counts: Counts) -> Status:
        """Return the status of a milestone that is over with these counts."""
        return cls.ENDED if counts.unfinished else cls.DONE


WORST_FIRST = (
    Status.OVERDUE,
    Status.OFF_TRACK,
    Status.AT_RISK,
    Status.UNKNOWN,
    Status.ON_TRACK,
    Status.NO_DUE_DATE,
    Status.ENDED,
    Status.DONE,
)
"""The order of milestones in tables and messages."""


class UnknownCause(StrEnum):
    """Cause of a missing forecast. The rules are in `sync.health.status`; MEMBER is of joint milestones."""

    NO_DUE_DATE = "no_due_date"
    TOO_FEW_ITEMS = "too_few_items"
    TOO_YOUNG = "too_young"
    NO_HISTORY = "no_history"
    BAD_DATES = "bad_dates"
    STALE = "stale"
    MEMBER = "member"


class Confidence(StrEnum):
    """Amount of history behind a forecast: high = 10 or more earlier milestones and items, medium = 4 milestones.

    A change of the stream's pace (`sync.health.pace_change`) makes it one grade lower.
    """

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class ReasonKind(StrEnum):
    """Kind of a reason for a status. The rules are in `sync.health.reasons`; PREDECESSOR: `sync.health.joint`."""

    PACE = "pace"
    SCOPE_ADDED = "scope_added"
    HIT_RATE = "hit_rate"
    STRAGGLERS = "stragglers"
    HOLIDAYS = "holidays"
    DUE_MOVED = "due_moved"
    UNASSIGNED = "unassigned"
    SILENCE = "silence"
    BLOCKED = "blocked"
    PREDECESSOR = "predecessor"
    PACE_CHANGE = "pace_change"
    REVIEW = "review"


class LeverKind(StrEnum):
    """Kind of a computed way back on track. The rules are in `sync.health.levers`."""

    CUT = "cut"
    MOVE = "move"
    BOTH = "both"
    FREEZE = "freeze"
    PACE = "pace"
    ASSIGN = "assign"


Value = int | float | str | date | None
"""A number, date or word that a sentence shows."""


class Reason(Struct, frozen=True, kw_only=True):
    """One reason. ``effect`` is the change in logit P against the stream's normal; a negative one hurts.

    ``values`` are the numbers of its sentence, ``items`` the uids of its issues.
    """

    kind: ReasonKind
    effect: float
    values: dict[str, Value] = {}
    items: tuple[str, ...] = ()


class Lever(Struct, frozen=True, kw_only=True):
    """One lever. ``probability`` is P after it; None: not computed. ``items`` are candidates (uids), best first."""

    kind: LeverKind
    probability: float | None
    values: dict[str, Value] = {}
    items: tuple[str, ...] = ()


class Dates(Struct, frozen=True, kw_only=True):
    """Completion dates at 50, 85 and 95%. None: not within ``horizon``.

    ``capacity``: the dates come from the stream's throughput, not from the history of its milestones. ``since`` is when
    these dates were first given (UTC); see `sync.health.date_band`. ``earliest``: they are the earliest possible ones,
    because the data of a milestone that this one waits for is missing.
    """

    p50: date | None = None
    p85: date | None = None
    p95: date | None = None
    horizon: date | None = None
    capacity: bool = False
    since: datetime | None = None
    earliest: bool = False


class Promise(Struct, frozen=True, kw_only=True):
    """Dates that a milestone without a due date can promise, at 50, 70 and 85%. None: not within the forecast.

    They come from the stream's throughput. ``held`` of the last ``of`` dates with 85% held; both 0: not yet known.
    """

    p50: date | None = None
    p70: date | None = None
    p85: date | None = None
    held: int = 0
    of: int = 0


class Leftover(Struct, frozen=True, kw_only=True):
    """The number of items that will be open at the due date: ``usually`` so many, in four of five cases ``low`` to
    ``high``.

    These are the 50, 15 and 85% quantiles. Numbers are whole, so that the range covers more than 70%.
    """

    usually: int
    low: int
    high: int


class Usual(Struct, frozen=True, kw_only=True):
    """Leftover that is usual in a series, for one that rarely finishes in full.

    ``share``: the median share of their items that its last ``milestones`` milestones left over at their due date.
    ``probability``: that of leaving over no more than this share. ``in_full``: how many of the ``of`` milestones
    compared left nothing over, and ``in_tolerance``: no more than the tolerance allows. ``own``: they are of the series
    itself, not only of its kind.
    """

    share: float
    probability: float
    milestones: int
    in_full: int
    of: int
    own: bool
    in_tolerance: int = 0


class Basis(Struct, frozen=True, kw_only=True):
    """Basis of a forecast: the probability of each vote before pooling, and the amount of history.

    ``stream_finished`` and ``kind_finished`` are numbers of earlier milestones. ``closures_84d``: items that the stream
    closed in 84 days. ``raw`` is the pool before the monotone envelope. ``calibrating``: this stream's forecasts were
    lately worse than its own hit rate, which is published instead.
    """

    stream: str = ""
    survival: float | None = None
    reference: float | None = None
    closures: float | None = None
    raw: float | None = None
    stream_finished: int = 0
    kind_finished: int = 0
    closures_84d: int = 0
    calibrating: bool = False


class Replan(Struct, frozen=True, kw_only=True):
    """A due date that was moved later, or removed, while the milestone was not on track.

    ``at`` is the first assessment after the move, ``due`` the date before it; ``done`` and ``open`` are numbers of its
    items at that time.
    """

    at: datetime
    due: date
    done: int
    open: int


class Health(Struct, frozen=True, kw_only=True):
    """The assessment of one container at one time (UTC) for one audience.

    ``band`` is the status before hysteresis. ``since`` is when the status was first given, ``previous_status`` the one
    before; None for the first. ``probability`` is that of being done by the due date, strictly between 0 and 1. None:
    no forecast, ``unknown`` is the cause. ``baseline`` is the first due date ever seen. ``stale_since`` is set while
    the tracker cannot be read: then the health is the last one, as of ``at``, or unknown. ``leftover`` and ``usual``:
    the number of items that will be open at the due date, and what is usual. ``replan``: a move of the due date that
    alone does not make the milestone on track. ``clock``: the due date was moved later than planned. ``method`` is the
    number of the forecast's method and way of counting (`sync.forecast.parameters.Rules`); figures of different methods
    are not comparable. After a change of the method, ``previous_status`` is None, as for the first. ``promise``: there
    is no due date. ``expected_joins``: before the due date nothing is open, and so many items usually join from now on;
    None: something is open, or no earlier milestone of the stream has finished.
    """

    container: str
    at: datetime
    status: Status
    band: Status
    since: datetime
    audience: str = ""
    due: date | None = None
    baseline: date | None = None
    start: date | None = None
    probability: float | None = None
    dates: Dates = Dates()
    promise: Promise | None = None
    leftover: Leftover | None = None
    usual: Usual | None = None
    counts: Counts = Counts()
    reasons: tuple[Reason, ...] = ()
    levers: tuple[Lever, ...] = ()
    confidence: Confidence | None = None
    unknown: UnknownCause | None = None
    basis: Basis = Basis()
    stale_since: datetime | None = None
    replan: Replan | None = None
    clock: PlanClock | None = None
    expected_joins: int | None = None
    previous_status: Status | None = field(default=None, name="was")
    method: int = 1


class Override(Struct, frozen=True, kw_only=True):
    """A status set by a person ``at`` a time (UTC), until a day and with a cause; shown next to the computed status."""

    status: Status
    by: str
    until: date | None = None
    because: str = ""
    at: datetime | None = None


class Note(Struct, frozen=True, kw_only=True):
    """The latest words of a person about a milestone, written ``at`` a time (UTC). All texts are foreign."""

    by: str
    at: datetime
    text: str
