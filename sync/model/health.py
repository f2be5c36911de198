"""health."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from msgspec import Struct

from sync.model.membership import Counts


class Status(StrEnum):
    """The verdict. The rules are in `sync.health.assess`."""

    ON_TRACK = "on_track"
    AT_RISK = "at_risk"
    OFF_TRACK = "off_track"
    OVERDUE = "overdue"
    DONE = "done"
    NO_DUE_DATE = "no_due_date"
    UNKNOWN = "unknown"


class UnknownCause(StrEnum):
    """Why there is no forecast."""

    NO_DUE_DATE = "no_due_date"
    TOO_FEW_ITEMS = "too_few_items"
    TOO_YOUNG = "too_young"
    NO_HISTORY = "no_history"
    BAD_DATES = "bad_dates"
    STALE = "stale"
    MEMBER = "member"


class Confidence(StrEnum):
    """How much history stands behind a forecast: high = 10 or more earlier milestones and items, medium = 4."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class ReasonKind(StrEnum):
    """Why a milestone stands as it does, each compared with the stream's normal."""

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


class LeverKind(StrEnum):
    """A computed way back on track."""

    CUT = "cut"
    MOVE = "move"
    BOTH = "both"
    FREEZE = "freeze"
    PACE = "pace"
    ASSIGN = "assign"


Value = int | float | str | date | None


class Reason(Struct, frozen=True, kw_only=True):
    """One reason: ``effect`` is the change in logit P against the stream's normal (negative hurts).

    ``values`` are the numbers that its sentence shows; ``items`` the uids of the issues behind it.
    """

    kind: ReasonKind
    effect: float
    values: dict[str, Value] = {}
    items: tuple[str, ...] = ()


class Lever(Struct, frozen=True, kw_only=True):
    """One lever: ``probability`` is what P becomes when it is pulled, ``items`` candidates (uids), best first."""

    kind: LeverKind
    probability: float | None
    values: dict[str, Value] = {}
    items: tuple[str, ...] = ()


class Dates(Struct, frozen=True, kw_only=True):
    """Forecast completion dates at 50, 85 and 95 %. None: not within ``horizon``.

    ``capacity`` says that they come from the stream's throughput, not from the milestones' own history.
    """

    p50: date | None = None
    p85: date | None = None
    p95: date | None = None
    horizon: date | None = None
    capacity: bool = False


class Basis(Struct, frozen=True, kw_only=True):
    """What a forecast rests on: each component's probability before pooling, and how much history it saw.

    ``stream_finished`` and ``kind_finished`` count earlier milestones; ``closures_84d`` the stream's throughput.
    ``raw`` is the pool before the monotone envelope. ``calibrating`` says that this stream's forecasts have lately been
    worth less than its own hit rate, which is published instead.
    """

    stream: str = ""
    survival: float | None = None
    reference: float | None = None
    simulation: float | None = None
    raw: float | None = None
    stream_finished: int = 0
    kind_finished: int = 0
    closures_84d: int = 0
    calibrating: bool = False


class Replan(Struct, frozen=True, kw_only=True):
    """A due date that was moved later, or taken away, while the milestone was not on track.

    ``at`` is when that was first assessed, ``due`` the date before; ``done`` and ``open`` count its items then.
    """

    at: datetime
    due: date
    done: int
    open: int


class Health(Struct, frozen=True, kw_only=True):
    """The assessment of one container at one time for one audience.

    ``status`` is after hysteresis, ``band`` before. ``since`` is when the status was first given.
    ``probability`` is that of being done by the due date, strictly between 0 and 1, or None.
    ``baseline`` is the first due date ever seen. ``stale_since`` is set when a source failed. ``replan`` is the move of
    the due date that alone does not make it on track (`sync.health.status`). ``was`` is the status before this one,
    None for
    the first.
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
    counts: Counts = Counts()
    reasons: tuple[Reason, ...] = ()
    levers: tuple[Lever, ...] = ()
    confidence: Confidence | None = None
    unknown: UnknownCause | None = None
    basis: Basis = Basis()
    stale_since: datetime | None = None
    replan: Replan | None = None
    was: Status | None = None


class Override(Struct, frozen=True, kw_only=True):
    """What a person says the status is, until when and why; shown beside the computed one."""

    status: Status
    by: str
    until: date | None = None
    because: str = ""
