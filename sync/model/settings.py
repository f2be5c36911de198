"""Tables of settings: each setting with its default, its limits and its meaning.

The configuration reads a table of `milesync.toml` straight into one of these dataclasses, so a setting is defined
once. Who runs without a configuration gets the same defaults.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, get_args

__all__ = [
    "CalendarRules",
    "ConnectorOptions",
    "DaysOff",
    "ReminderRules",
    "Retention",
    "SettingError",
    "SettingTable",
    "Thresholds",
    "Weekday",
    "iso_weekday",
    "setting",
]

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


def iso_weekday(day: Weekday) -> int:
    """The ISO number of a day of the week: Monday is 1."""
    return get_args(Weekday).index(day) + 1


class SettingError(ValueError):
    """A setting has a wrong value. ``key`` names the setting, the message is the reason without the value."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(reason)
        self.key = key


class SettingTable:
    """Base of every table of settings. A key that is no field is an error."""

    __pydantic_config__: Mapping[str, Any] = {"extra": "forbid"}


class ConnectorOptions(SettingTable):
    """Base of the options of a type of connector. The connector gets them as written; one text for a list is a list."""

    __pydantic_config__: Mapping[str, Any] = {"extra": "forbid", "strict": True}


def setting(default: Any, meaning: str, **limits: Any) -> Any:
    """Field of a table of settings. ``limits`` are those of pydantic: ge, gt, le, lt, pattern."""
    return field(default=default, metadata={"description": meaning, **limits})


@dataclass(frozen=True, kw_only=True)
class Thresholds(SettingTable):
    """From probability to status."""

    tolerance: float = setting(
        0.0, "share of a milestone that may be open when it counts as done, at most 0.2", ge=0, le=0.2
    )
    on_track: float = setting(0.70, "a milestone with at least this probability is on track", gt=0, lt=1)
    off_track: float = setting(
        0.35, "a milestone with less than this probability is off track; in between it is at risk", gt=0, lt=1
    )
    margin: float = setting(
        0.07, "distance by which the probability must cross a threshold before the status changes", ge=0, lt=0.5
    )
    target: float = setting(0.80, "probability that a lever must reach", gt=0, lt=1)

    def __post_init__(self) -> None:
        """Raise `SettingError` if every milestone would be on track or off track."""
        if self.off_track >= self.on_track:
            raise SettingError("off_track", "should be below rules.on_track")


@dataclass(frozen=True, kw_only=True)
class ReminderRules(SettingTable):
    """Reminders to owners, mentions, overcommitted people. All of it is off by default."""

    reminders: bool = setting(False, "remind owners of issues that need them, in a comment on the status issue")
    every: int = setting(7, "days between two reminders of one milestone", ge=1)
    grace: int = setting(3, "days for which an issue must need its owner before a reminder", ge=0)
    escalate: int = setting(14, "days after which the milestone's owner is asked too", ge=1)
    mentions: bool = setting(False, "name people in reminders and thanks as mentions, which notify them")
    over_committed: bool = setting(
        False, "report whose open issues due by a milestone's date exceed the working days until then"
    )
    hours_a_day: float | None = setting(
        None, "hours of work in a day; none: those that Jira is configured with, elsewhere 8", gt=0, le=24
    )
    days_a_week: float | None = setting(
        None,
        "days of work in a week, for people who work on fewer than the calendar has; none: those that Jira is "
        "configured with, elsewhere all of the calendar's",
        gt=0,
        le=7,
    )
    review: tuple[str, ...] = setting(
        ("In Review", "Code Review", "needs review"),
        "states and labels that mean that an issue waits for a reviewer; case is ignored",
    )
    review_days: int = setting(3, "days for which a pull or merge request may wait for its reviewers", ge=0)

    def __post_init__(self) -> None:
        """Raise `SettingError` if the milestone's owner would be asked before the issue's owner."""
        if self.escalate < self.grace:
            raise SettingError("escalate", "should be at least people.grace")


@dataclass(frozen=True, kw_only=True)
class DaysOff(SettingTable):
    """Days without work."""

    country: str = setting("", "public holidays of a country, DE, or of a part of it, DE-BY")
    days_off: tuple[date, ...] = setting((), "further days off")
    weekend: tuple[Weekday, ...] = setting(("saturday", "sunday"), "days of the week without work")


@dataclass(frozen=True, kw_only=True)
class CalendarRules(DaysOff):
    """Days without work, for forecasts."""

    quiet: bool = setting(False, "publish a new status (which notifies people) on working days only")


@dataclass(frozen=True, kw_only=True)
class Retention(SettingTable):
    """Ages up to which the past is kept, in days. Each day's first `run` deletes what is older.

    Assessments in which status or due date changed, and the last one of each milestone, are always kept.
    """

    every: int = setting(14, "days for which every changed assessment is kept; then the last one of a day", ge=1)
    daily: int = setting(365, "days for which one assessment a day is kept; then one a week, for ever", ge=1)
    journal: int = setting(365, "days for which runs and finished writes are kept; of equal writes the last", ge=1)

    def __post_init__(self) -> None:
        """Raise `SettingError` if daily assessments would be deleted before they are thinned to one a day."""
        if self.daily < self.every:
            raise SettingError("daily", "should be at least retention.every")
