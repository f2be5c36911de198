"""Options of a connection of type ``gitlab``: its table ``options`` in the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from connectors.shared.deletion_sweep import DAYS
from sync.model.settings import ConnectorOptions, setting

__all__ = ["HISTORY", "NOTES_PER_MINUTE", "REQUESTS_PER_MINUTE", "Options"]

HISTORY = ("full", "members", "none")
"""Values of the option ``history``.

``full``: read every issue that may have been in a milestone. ``members``: on the first pull, read only issues that are
in one now (issues that left before stay unknown). ``none``: read no history and no blockers.
"""

NOTES_PER_MINUTE = 55
"""GitLab.com allows 60 new notes a minute from one user."""

REQUESTS_PER_MINUTE = 1800
"""GitLab.com allows 2,000 requests a minute from one user."""


@dataclass(frozen=True, kw_only=True)
class Options(ConnectorOptions):
    """Options of GitLab."""

    containers: tuple[Literal["milestones", "iterations", "epics"], ...] = setting(
        ("milestones",), "what is a milestone; iterations and epics need GitLab Premium"
    )
    history: Literal["full", "members", "none"] = setting(
        "full", "which issues' histories are read: of all, of those with a milestone, of none"
    )
    sweep_days: float = setting(DAYS, "days between two searches for deleted issues; 0: at each pull", ge=0)
    requests_a_minute: int = setting(
        REQUESTS_PER_MINUTE,
        "most requests that begin within a minute; 0: any number, the default elsewhere than on GitLab.com",
        ge=0,
    )
    notes_a_minute: int = setting(NOTES_PER_MINUTE, "most comments that are written within a minute", ge=1)
