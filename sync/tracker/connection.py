"""A configured connection: its connector, and what the configuration says about its projects and milestones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo

from sync.model.policy import OptionalOutputs, Policy
from sync.model.tracker_data import REMOVED_RESOLUTIONS
from sync.tracker.protocol import Connector

__all__ = ["Connection", "MilestoneOverrides"]


@dataclass(frozen=True)
class MilestoneOverrides:
    """What people said about one milestone in the configuration."""

    report_on: str = ""
    start: date | None = None
    owner: str = ""


def _plan_only(_project: str) -> Policy:
    return Policy.PLAN


def _nothing_more(_project: str) -> OptionalOutputs:
    return OptionalOutputs()


def _every_title(_project: str, _title: str) -> bool:
    return True


@dataclass(frozen=True)
class Connection:
    """A configured connection, ready to use.

    ``named`` is keyed by what follows the connection's name when a milestone is written: ``acme/app#12``.
    ``ignored`` are types (in lower case) whose issues are no items: umbrellas such as epics, or sub-tasks.
    ``share`` is what others may show of its milestones where they may not be read: ``none``, or ``aggregate`` (status,
    probability and dates). ``policy_of`` gives a project's policy, ``admits`` says whether milestones of a title are
    looked after there, ``optional_outputs_of`` what is written beside label and comment.
    """

    name: str
    connector: Connector
    projects: tuple[str, ...]
    policy_of: Callable[[str], Policy] = _plan_only
    admits: Callable[[str, str], bool] = _every_title
    labels: tuple[str, ...] = ("milestone-status",)
    prefix: str = "health"
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    removed: frozenset[str] = REMOVED_RESOLUTIONS
    ignored: frozenset[str] = frozenset()
    tolerance: float = 0.0
    share: str = "none"
    named: Mapping[str, MilestoneOverrides] = field(default_factory=dict)
    optional_outputs_of: Callable[[str], OptionalOutputs] = _nothing_more

    def attaches(self, project: str) -> bool:
        """Whether pictures are asked for in a project, and its tracker takes files."""
        return self.connector.capabilities.files and self.optional_outputs_of(project).picture
