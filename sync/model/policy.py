"""policy."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Policy(StrEnum):
    """What may be written: nothing, what exists, or new status issues too. The narrower of two wins."""

    PLAN = "plan"
    UPDATE = "update"
    CREATE = "create"


class OptionalOutputs(Struct, frozen=True, kw_only=True):
    """What is to be written beside the label and the comment; ``project_status`` names a board (``acme/7``) or none."""

    item_labels: bool = False
    description: bool = False
    health_status: bool = False
    project_status: str = ""
    picture: bool = False
