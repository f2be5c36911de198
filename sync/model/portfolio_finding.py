"""Findings about a portfolio: what single milestones cannot show."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from sync.model.health import Value
from sync.model.tracker_data import MilestoneKind

__all__ = ["PortfolioFinding", "PortfolioFindingKind"]


class PortfolioFindingKind(StrEnum):
    """Kind of a finding. The rules are in `sync.health.portfolio_findings`."""

    FORGOTTEN = "forgotten"
    FINISHED = "finished_but_open"
    SAME_TITLE = "same_title"
    BUCKET = "bucket"
    UNPLANNED = "work_without_milestone"


class PortfolioFinding(Struct, frozen=True, kw_only=True):
    """One finding. ``title`` is foreign text: the title of the milestones, empty for a project.

    ``ids`` are the milestones, or the project, as people write them: foreign text too. ``values`` are the numbers and
    dates of its sentence. ``milestone_kind`` says how such a milestone ends.
    """

    kind: PortfolioFindingKind
    ids: tuple[str, ...]
    title: str = ""
    milestone_kind: MilestoneKind = MilestoneKind.MILESTONE
    values: dict[str, Value] = {}
