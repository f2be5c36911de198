"""Tables of `milesync.toml` about audiences and their digests."""

from datetime import time
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

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
    at: Annotated[time, AfterValidator(validators.local_time)] = Field(
        default=time(8), description="earliest time of day; the first run after it sends the message"
    )
    timezone: Annotated[str, AfterValidator(validators.zone)] = Field(
        default="UTC", description="time zone of that time"
    )
    calendar: KnownDaysOff | None = Field(default=None, description="days without messages; none: those of [calendar]")
    style: Literal["numbers", "words"] = Field(default="numbers", description="probabilities in numbers or in words")
    language: Literal["en", "de"] = Field(default="en", description="English or German")
    channels: Annotated[dict[str, Secret], AfterValidator(validators.channel_names)] = Field(
        default={}, description="channels by your names, each with the place of its address (Apprise URL)"
    )
    file: Annotated[str, AfterValidator(validators.digest_file)] = Field(
        default="",
        description="file that gets the message too: .md, .txt or .html; {day} in its name is replaced by the day",
    )


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
