"""Options of a connection of type ``jira``: its table ``options`` in the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from connectors.shared.deletion_sweep import DAYS
from sync.model.settings import ConnectorOptions, setting

__all__ = ["Options"]


@dataclass(frozen=True, kw_only=True)
class Options(ConnectorOptions):
    """Options of Jira."""

    dialect: Literal["cloud", "dc"] | None = setting(
        None, "Jira Cloud or Jira Data Center; none: found by the host, or by one request"
    )
    containers: tuple[Literal["versions", "sprints", "epics", "parents"], ...] = setting(
        ("versions",), "what is a milestone"
    )
    epic_types: tuple[str, ...] = setting(
        (), "issue types that are epics; none: on Cloud those of the level of epics, on Data Center `Epic`"
    )
    parent_types: tuple[str, ...] = setting(
        (),
        "issue types whose descendants are a milestone, by name or level (`2`); none: on Cloud all above epics, on "
        "Data Center `Initiative`",
    )
    points_fields: tuple[str, ...] = setting(
        (), "ids of the fields with story points; none: found by their kind and name"
    )
    blocked_link: str = setting("is blocked by", "what the link type says on the side of the blocked issue")
    history: bool = setting(
        True, "read the history of each issue; without it Data Center reads 1,000 issues in a request instead of 100"
    )
    sweep_days: float = setting(DAYS, "days between two searches for deleted issues; 0: at each pull", ge=0)
    requests_a_minute: int = setting(0, "most requests that begin within a minute; 0: any number", ge=0)
