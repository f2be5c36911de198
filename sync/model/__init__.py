"""Model: values that every package may use. It imports nothing of `sync`, does no I/O and reads no clock.

The data that a connector returns is named here; other values are in their modules, such as `sync.model.health`.
"""

from sync.model.tracker_data import (
    DueDate,
    Event,
    EventKind,
    Issue,
    Markup,
    Milestone,
    MilestoneKind,
    Person,
    Project,
    State,
    StatusCategory,
    Visibility,
    uid,
)

__all__ = [
    "DueDate",
    "Event",
    "EventKind",
    "Issue",
    "Markup",
    "Milestone",
    "MilestoneKind",
    "Person",
    "Project",
    "State",
    "StatusCategory",
    "Visibility",
    "uid",
]
