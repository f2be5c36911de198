"""The tables of `milesync.toml` about those who read: who they are, and how they are told."""

from __future__ import annotations

from datetime import time
from typing import Literal

from pydantic import Field, field_validator

from config import validators
from config.secret import Secret
from config.table import Table
from config.tables import DaysOff, Weekday

__all__ = ["Audience", "Digest"]


class Digest(Table):
    """One message a working day or week with what changed or needs a decision; nothing to say, nothing sent."""

    every: Literal["day", "week"] = Field(
        default="day", description="how often, at most: each working day, or each week"
    )
    weekday: Weekday = Field(
        default="monday", description="with week: its day; when nobody works then, the next working day"
    )
    at: time = Field(default=time(8), description="time of day from which on it is sent, by the first run")
    timezone: str = Field(default="UTC", description="where that time is")
    calendar: DaysOff | None = Field(default=None, description="days without messages; none: those of calendar")
    style: Literal["numbers", "words"] = Field(
        default="numbers", description="whether the odds are told in numbers or in words"
    )
    language: Literal["en", "de"] = Field(default="en", description="English or German")
    channels: dict[str, Secret] = Field(
        default={}, description="where it goes, by your names: where the address (Apprise URL) of each is kept"
    )
    file: str = Field(
        default="",
        description="file to write it to as well: .md, .txt or .html; {day} in its name is the day",
    )

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        return validators.zone(value)

    @field_validator("at")
    @classmethod
    def _local(cls, value: time) -> time:
        if value.tzinfo is not None:
            raise ValueError("should have no zone of its own; it is in timezone")
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
    """A role that reports and digests are made for. What it may not read leaves no trace in them."""

    reads: tuple[str, ...] = Field(
        default=(),
        description="projects that it may read beside the public ones: gh:acme/app; * stands for any text: gh:acme/*",
    )
    milestones: tuple[str, ...] = Field(
        default=("*",),
        description="what it is shown of them: ids as in milestone.id, joint:NAME; * stands for any text",
    )
    digest: Digest | None = Field(default=None, description="what it is told regularly; none: nothing")
