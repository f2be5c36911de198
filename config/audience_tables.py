"""Tables of `milesync.toml` about audiences and their digests."""

from datetime import time
from typing import Literal

from pydantic import Field, field_validator

from config import validators
from config.secret import Secret
from config.table import Table
from config.tables import KnownDaysOff
from sync.model.settings import Weekday

__all__ = ["Audience", "Digest"]


class Digest(Table):
    """One message each working day or week about changes and decisions needed. None is sent if there is no news."""

    every: Literal["day", "week"] = Field(
        default="day", description="how often, at most: each working day, or each week"
    )
    weekday: Weekday = Field(default="monday", description="with week: its day; on a day off, the next working day")
    at: time = Field(default=time(8), description="earliest time of day; the first run after it sends the message")
    timezone: str = Field(default="UTC", description="time zone of that time")
    calendar: KnownDaysOff | None = Field(default=None, description="days without messages; none: those of [calendar]")
    style: Literal["numbers", "words"] = Field(default="numbers", description="probabilities in numbers or in words")
    language: Literal["en", "de"] = Field(default="en", description="English or German")
    channels: dict[str, Secret] = Field(
        default={}, description="channels by your names, each with the place of its address (Apprise URL)"
    )
    file: str = Field(
        default="",
        description="file that gets the message too: .md, .txt or .html; {day} in its name is replaced by the day",
    )

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        return validators.zone(value)

    @field_validator("at")
    @classmethod
    def _local(cls, value: time) -> time:
        if value.tzinfo is not None:
            raise ValueError("should have no offset; its time zone is the key timezone")
        return value

    @field_validator("channels")
    @classmethod
    def _names(cls, value: dict[str, Secret]) -> dict[str, Secret]:
        validators.channel_names(value)
        return value

    @field_validator("file")
    @classmethod
    def _form(cls, value: str) -> str:
        return validators.digest_file(value)


class Audience(Table):
    """A role with reports and digests of its own. They depend only on projects that it may read."""

    reads: tuple[str, ...] = Field(
        default=(),
        description="projects that it may read in addition to public ones: gh:acme/app; * matches any text: gh:acme/*",
    )
    milestones: tuple[str, ...] = Field(
        default=("*",),
        description="milestones shown to it: ids as in milestone.id, joint:NAME; * matches any text",
    )
    digest: Digest | None = Field(default=None, description="its regular message; none: no message")
