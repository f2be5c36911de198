"""Policy: what a run may write, its limits, and the outputs that are off by default."""

from dataclasses import dataclass
from enum import StrEnum

from sync.model.settings import SettingTable, setting

__all__ = ["Limits", "OptionalOutputs", "Policy"]


class Policy(StrEnum):
    """The writes that `run` and `apply` may make, from least to most. The narrower of two policies wins.

    ========  ====================================================
    plan      nothing
    update    labels and comments on status issues that exist
    create    new status issues too
    ========  ====================================================
    """

    PLAN = "plan"
    UPDATE = "update"
    CREATE = "create"


@dataclass(frozen=True, kw_only=True)
class Limits(SettingTable):
    """The most that one run may write. A plan above any limit is refused as a whole, with exit code 4.

    Reading and `plan` are never refused.
    """

    creates: int = setting(200, "comments, labels and status issues created", ge=0)
    updates: int = setting(500, "comments edited, labels moved, status issues closed", ge=0)
    deletes: int = setting(20, "comments of milesync deleted", ge=0)
    share: float = setting(
        1.0, "share of the milestones that may be touched, for creates, updates and deletes each", ge=0, le=1
    )
    floor: int = setting(10, "with at most this many milestones the share does not apply", ge=0)


@dataclass(frozen=True, kw_only=True)
class OptionalOutputs(SettingTable):
    """Outputs in addition to the status label and the comment. All of them are off by default."""

    item_labels: bool = setting(
        False, "labels on the issues that a reason names: health/blocked, health/stale, health/unowned"
    )
    description: bool = setting(False, "two lines in the milestone's own description: status, probability, dates")
    health_status: bool = setting(False, "GitLab Ultimate: the status issue's own health status, next to the label")
    project_status: str = setting(
        "",
        "GitHub: project board for a status update of each milestone, OWNER/NUMBER: acme/7; none: no board",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9_-]*/[1-9][0-9]*)?$",
    )
    picture: bool = setting(False, "Jira: the burn-up as a picture on the status issue; needs the extra site")
