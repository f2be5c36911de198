"""definition."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from sync.model.health import Value


class FindingKind(StrEnum):
    """What is missing or wrong."""

    NO_OWNER = "no_owner"
    NO_DUE_DATE = "no_due_date"
    NO_EXIT_CRITERIA = "no_exit_criteria"
    NO_ITEMS = "no_items"
    UNESTIMATED = "unestimated"
    DUE_DAY_OFF = "due_day_off"
    SAME_PEOPLE = "same_people"
    CIRCULAR = "circular"


class Finding(Struct, frozen=True, kw_only=True):
    """One finding: ``values`` are the numbers and dates of its sentence, never names."""

    kind: FindingKind
    values: dict[str, Value] = {}


class Criteria(Struct, frozen=True):
    """How many exit criteria a description lists, and how many are met."""

    met: int = 0
    of: int = 0
