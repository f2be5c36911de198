"""Words of the team in the description of a milestone, and the owners of a milestone from all sources."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from enum import StrEnum

from msgspec import Struct

from sync.model.definition import Criteria
from sync.model.robots import is_robot
from sync.model.tracker_data import Person

__all__ = [
    "NO_OWNERS",
    "NO_WORDS",
    "Decision",
    "FaultKind",
    "OwnerOrigin",
    "Owners",
    "TeamWords",
    "WordFault",
    "due_decisions",
    "find_owners",
    "overdue_decisions",
]

SOON = timedelta(days=14)
"""Time before its day from which a decision is listed as due soon."""


class FaultKind(StrEnum):
    """Fault of a line in a description. The line has no effect."""

    EMPTY = "empty"
    NO_DATE = "no_date"
    NO_SHARE = "no_share"
    REPEATED = "repeated"
    TOO_MANY = "too_many"


class WordFault(Struct, frozen=True, kw_only=True):
    """A line that could not be read: its key in our own words (``Start``), the fault, its number from 1."""

    key: str
    kind: FaultKind
    line: int


class Decision(Struct, frozen=True, kw_only=True):
    """A needed decision: what is to be decided, the day by which (None: not given), and who decides (may be empty).

    ``text`` and ``owner`` are foreign text in one line.
    """

    text: str
    by: date | None = None
    owner: str = ""

    def is_overdue(self, today: date) -> bool:
        """Return whether its day has passed; ``today`` is a day of the tracker."""
        return self.by is not None and self.by < today

    def is_due_soon(self, today: date) -> bool:
        """Return whether its day is today or within `SOON`."""
        return self.by is not None and today <= self.by <= today + SOON


class TeamWords(Struct, frozen=True, kw_only=True):
    """The team's words in one description. All texts are foreign, in one line without control characters.

    ``criteria`` are its exit criteria: the task list, without tasks that are a risk or a decision.
    ``tolerance`` is the share of the items that may be open when the milestone counts as done. ``decisions`` are in the
    order of their days, those without a day last.
    """

    owners: tuple[str, ...] = ()
    start: date | None = None
    tolerance: float | None = None
    risks: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()
    criteria: Criteria = Criteria()
    faults: tuple[WordFault, ...] = ()


NO_WORDS = TeamWords()


def overdue_decisions(decisions: Sequence[Decision], today: date) -> tuple[Decision, ...]:
    """Return the decisions whose day has passed, the oldest first."""
    return tuple(decision for decision in decisions if decision.is_overdue(today))


def due_decisions(decisions: Sequence[Decision], today: date) -> tuple[Decision, ...]:
    """Return the decisions that are overdue or due soon, in the order of their days."""
    return tuple(decision for decision in decisions if decision.is_overdue(today) or decision.is_due_soon(today))


class OwnerOrigin(StrEnum):
    """Source that names the owner of a milestone, from the one that outranks the others."""

    CONFIGURATION = "configuration"
    DESCRIPTION = "description"
    TRACKER = "tracker"


class Owners(Struct, frozen=True):
    """The people who are responsible for a milestone (foreign text), and the source; without owners it is None."""

    names: tuple[str, ...] = ()
    origin: OwnerOrigin | None = None


NO_OWNERS = Owners()


def find_owners(configured: str, words: TeamWords, people: Sequence[Person]) -> Owners:
    """Return the owners of a milestone: of the configuration, else of its description, else of the tracker's fields.

    ``configured`` is empty without an owner in the configuration. ``people``: `Milestone.owners`; a program that is
    assigned to a parent issue owns nothing.
    """
    if configured:
        return Owners((configured,), OwnerOrigin.CONFIGURATION)
    if words.owners:
        return Owners(words.owners, OwnerOrigin.DESCRIPTION)
    names = tuple(dict.fromkeys(person.name or person.login for person in people if not is_robot(person)))
    return Owners(names, OwnerOrigin.TRACKER) if names else NO_OWNERS
