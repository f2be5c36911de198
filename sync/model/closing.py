"""The record of a milestone that is done: what was planned, what came, what was forecast, whom to thank, what to ask.

It is made once, when a milestone that milesync has watched is first seen done, and kept as it was then: whatever a
tracker says later, or a reopening, changes nothing in it. People are named for having closed something, never counted,
compared or timed.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from itertools import pairwise

from msgspec import Struct, field
from msgspec.structs import replace

from sync.model.definition import Criteria
from sync.model.membership import Counts
from sync.model.published import PublishedForecast
from sync.model.tracker_data import DueDate, Person

__all__ = ["ClosingRecord", "ReviewQuestion", "ReviewQuestionKind", "without_person"]


class ReviewQuestionKind(StrEnum):
    """What a review should talk about, in the order in which it is asked."""

    LEFT_OPEN = "left_open"
    CRITERIA = "criteria"
    UNFORESEEN = "unforeseen"
    TURNED = "turned"
    GREW = "grew"
    SLIPPED = "slipped"
    HELD_UP = "held_up"
    RUSH = "rush"
    CUT = "cut"
    KEEP = "keep"
    CHANGE = "change"
    NEXT = "next"


class ReviewQuestion(Struct, frozen=True, kw_only=True):
    """One question: the figures and the day of its sentence, and the issue (key, title, address) that it is about."""

    kind: ReviewQuestionKind
    count: int = 0
    of: int = 0
    days: int = 0
    probability: float | None = None
    day: date | None = None
    item: tuple[str, str, str] | None = None


class ClosingRecord(Struct, frozen=True, kw_only=True):
    """The closing record of one milestone. ``at`` is when it was made (UTC); days are those of the project's zone.

    ``baseline`` is the first due date ever seen, ``due`` the last, ``done`` the day of the last closure (that of the
    milestone where work was left open). ``began`` items were in it at the end of its first day, ``joined`` came later,
    ``left`` went and did not come back. ``estimate`` and ``spent`` are seconds, over the items that it held in the end.
    ``slips`` are the due dates as they were seen, oldest first, without who moved them; ``forecasts`` those kept
    (stored as ``told``).
    """

    container: str
    at: datetime
    title: str
    done: date
    start: date | None = None
    baseline: date | None = None
    due: date | None = None
    counts: Counts = Counts()
    began: int = 0
    joined: int = 0
    left: int = 0
    estimate: int = 0
    spent: int = 0
    criteria: Criteria = Criteria()
    slips: tuple[DueDate, ...] = ()
    forecasts: tuple[PublishedForecast, ...] = field(default=(), name="told")
    thanks: tuple[Person, ...] = ()
    questions: tuple[ReviewQuestion, ...] = ()

    @property
    def grown(self) -> float:
        """Scope that joined after the start, as a share of what was there before."""
        return self.joined / max(1, self.began)

    @property
    def moves(self) -> int:
        """How often the due date moved."""
        known = [due_date.due for due_date in self.slips if due_date.due is not None]
        return sum(a != b for a, b in pairwise(known))


def without_person(record: ClosingRecord, person: str, nobody: Person) -> ClosingRecord:
    """The record without one person (by id)."""
    kept = {nobody if one.id == person else one for one in record.thanks}
    return replace(record, thanks=tuple(sorted(kept, key=lambda one: (one.name.casefold(), one.id))))
