"""Closing record of a milestone that is over: plan and result, forecasts, people to thank, questions for the review.

A record is made once, when a milestone that milesync has observed is first seen to be over. Later tracker data or a
reopening never changes it. People are named for their work, never counted, compared or timed.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from msgspec import Struct, field
from msgspec.structs import replace

from sync.model.dates import day_of
from sync.model.definition import Criteria
from sync.model.membership import Counts
from sync.model.published import PublishedForecast
from sync.model.tracker_data import DueDate, MilestoneKind, Person

__all__ = ["ClosingRecord", "NextMilestone", "ReviewQuestion", "ReviewQuestionKind", "without_person"]


class ReviewQuestionKind(StrEnum):
    """Subject of a review question, in the order in which the questions are asked."""

    LEFT_OPEN = "left_open"
    CARRIED = "carried"
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
    """One question: the figures and the day of its sentence, and its issue (key, title, URL)."""

    kind: ReviewQuestionKind
    count: int = 0
    of: int = 0
    days: int = 0
    probability: float | None = None
    day: date | None = None
    item: tuple[str, str, str] | None = None


class NextMilestone(Struct, frozen=True):
    """A milestone that ``count`` carried-over items are in now. ``title``: empty where the readers may not know it."""

    title: str
    count: int


class ClosingRecord(Struct, frozen=True, kw_only=True):
    """The closing record of one milestone, or joint milestone, made ``at`` a time (UTC).

    Days are those of ``zone``, the project's; empty: UTC. ``project`` is its key, empty in older records and of a joint
    milestone; ``url`` is the page of the milestone in its tracker.

    ``baseline`` is the first due date ever seen, ``due`` the last one, ``done`` the day of the last closure, or that of
    the end of the milestone if items in scope were not done. ``items_at_start``: items at the end of the first day;
    ``items_joined`` later; ``items_left`` for good, without those that were carried over. ``estimate`` and ``spent``
    are seconds, over the items in the end. ``slips``: the due dates as they were seen, oldest first, without who moved
    them. ``forecasts``: the published ones that are kept. ``next_milestones``: those of carried-over items, the most
    frequent first; an item whose next milestone is not known is in none of them.
    """

    container: str
    at: datetime
    title: str
    done: date
    kind: MilestoneKind = MilestoneKind.MILESTONE
    project: str = ""
    url: str = ""
    zone: str = ""
    start: date | None = None
    baseline: date | None = None
    due: date | None = None
    counts: Counts = Counts()
    items_at_start: int = field(default=0, name="began")
    items_joined: int = field(default=0, name="joined")
    items_left: int = field(default=0, name="left")
    estimate: int = 0
    spent: int = 0
    criteria: Criteria = Criteria()
    slips: tuple[DueDate, ...] = ()
    forecasts: tuple[PublishedForecast, ...] = field(default=(), name="told")
    thanks: tuple[Person, ...] = ()
    questions: tuple[ReviewQuestion, ...] = ()
    next_milestones: tuple[NextMilestone, ...] = ()

    @property
    def grown(self) -> float:
        """Items that joined after the first day, as a share of the items of the first day."""
        return self.items_joined / max(1, self.items_at_start)

    @property
    def moves(self) -> int:
        """Number of times that the due date moved."""
        dues = [due_date.due for due_date in self.slips if due_date.due is not None]
        return sum(before != after for before, after in pairwise(dues))

    def day_of(self, moment: datetime) -> date:
        """Return the day of a moment (UTC) in the record's zone."""
        return day_of(moment, ZoneInfo(self.zone or "UTC"))


def without_person(record: ClosingRecord, person: str, replacement: Person) -> ClosingRecord:
    """Return the record with ``replacement`` in place of a person (by id)."""
    thanks = {replacement if thanked.id == person else thanked for thanked in record.thanks}
    return replace(record, thanks=tuple(sorted(thanks, key=lambda thanked: (thanked.name.casefold(), thanked.id))))
