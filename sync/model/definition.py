"""Findings about the definition of a milestone, and its exit criteria."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from sync.model.health import Value

__all__ = ["Criteria", "Finding", "FindingKind"]


class FindingKind(StrEnum):
    """Kind of a finding. The rules are in `sync.health.definition`."""

    NO_OWNER = "no_owner"
    NO_DUE_DATE = "no_due_date"
    NO_EXIT_CRITERIA = "no_exit_criteria"
    DESCRIPTION_LINE = "description_line"
    NO_ITEMS = "no_items"
    ONLY_PULL_REQUESTS = "only_pull_requests"
    UNESTIMATED = "unestimated"
    DUE_DAY_OFF = "due_day_off"
    SAME_PEOPLE = "same_people"
    CIRCULAR = "circular"
    CONTRADICTION = "contradiction"


class Finding(Struct, frozen=True, kw_only=True):
    """One finding. ``values`` are the numbers, dates and own words of its sentence, never names.

    ``items``: the items (uids) that it is about, if it names them.
    """

    kind: FindingKind
    values: dict[str, Value] = {}
    items: tuple[str, ...] = ()


class Criteria(Struct, frozen=True):
    """Numbers of exit criteria in a description: ``met`` and ``of`` all."""

    met: int = 0
    of: int = 0
