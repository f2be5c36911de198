"""What people tell milesync in a comment on a status issue. Pure.

A command is a line that begins with ``/milesync``, outside of code, quotes and HTML comments::

    /milesync on-track | at-risk | off-track  [until YYYY-MM-DD]  [because WHY]
    /milesync mute | unmute | refresh

The last word on each matter counts, by the time of the comment's last edit. Nothing of it is remembered elsewhere:
whoever deletes the comment takes the command back. A status that a person gives ends with its day, or after `LASTS`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum

from msgspec import Struct

from sync.model.health import Override, Status
from sync.tracker.observed import CommandComment

__all__ = [
    "LASTS",
    "Command",
    "CommandName",
    "CommandState",
    "StatusOverride",
    "command_lines",
    "evaluate_commands",
    "parse",
]

LASTS = timedelta(days=14)
"""How long a status holds that a person gave without a last day."""

LONGEST, MOST = 500, 10
"""Characters of a command, and commands in a comment; more is no command of a person."""

_STATUS = {"on-track": Status.ON_TRACK, "at-risk": Status.AT_RISK, "off-track": Status.OFF_TRACK}
_JUDGEMENT = re.compile(
    r"(on-track|at-risk|off-track)(?: +until +([0-9]{4}-[0-9]{2}-[0-9]{2}))?(?: +because +(\S.*))?", re.IGNORECASE
)
_COMMAND = re.compile(r"/milesync(?![^ \t])")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_HIDDEN = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)


class CommandName(StrEnum):
    """A command that says only what to do."""

    MUTE = "mute"
    UNMUTE = "unmute"
    REFRESH = "refresh"


class StatusOverride(Struct, frozen=True):
    """A status that a person gives, until the end of a day."""

    status: Status
    until: date | None = None
    because: str = ""


Command = CommandName | StatusOverride


class CommandState(Struct, frozen=True, kw_only=True):
    """What the commands of a thread come to; ``ignored`` counts what was not understood or not allowed.

    ``refresh`` is when a rewriting was asked for last.
    """

    override: Override | None = None
    muted: bool = False
    refresh: datetime | None = None
    understood: int = 0
    ignored: int = 0


def command_lines(text: str) -> str:
    """The lines of a comment that are commands by their beginning, one below the other; mostly an empty text.

    Code fences, quotes, indented lines and HTML comments hold none.
    """
    if "/milesync" not in text:
        return ""
    return "\n".join(line[:LONGEST] for line in list(_lines(_HIDDEN.sub(" ", text)))[:MOST])


def _lines(text: str) -> Iterator[str]:
    fence = ""
    for line in text.splitlines():
        mark = _FENCE.match(line)
        if fence:
            closes = mark is not None and mark[1].startswith(fence) and not line.strip(" `~")
            fence = "" if closes else fence
        elif mark:
            fence = mark[1]
        elif _COMMAND.match(line):
            yield line


def parse(line: str) -> Command | None:
    """The command in a line, or None when it is not one, to the letter."""
    begin = _COMMAND.match(line)
    if begin is None:
        return None
    rest = " ".join(line[begin.end() :].split())
    if rest.lower() in list(CommandName):
        return CommandName(rest.lower())
    found = _JUDGEMENT.fullmatch(rest)
    if found is None:
        return None
    try:
        until = date.fromisoformat(found[2]) if found[2] else None
    except ValueError:
        return None
    return StatusOverride(_STATUS[found[1].lower()], until, found[3] or "")


def evaluate_commands(asked: Sequence[CommandComment], now: datetime, zone: tzinfo = UTC) -> CommandState:
    """What holds now; days end in ``zone``. Commands of people who may not write count as ignored."""
    judged: tuple[StatusOverride, CommandComment] | None = None
    muted, refresh, understood, ignored = False, None, 0, 0
    for comment in sorted(asked, key=lambda comment: (comment.at, len(comment.id), comment.id)):
        for line in comment.text.splitlines():
            command = parse(line) if comment.may_write else None
            understood, ignored = understood + (command is not None), ignored + (command is None)
            if isinstance(command, StatusOverride):
                judged = command, comment
            elif command is CommandName.REFRESH:
                refresh = comment.at
            elif command is not None:
                muted = command is CommandName.MUTE
    override = _standing(*judged, now, zone) if judged else None
    return CommandState(override=override, muted=muted, refresh=refresh, understood=understood, ignored=ignored)


def _standing(said: StatusOverride, by: CommandComment, now: datetime, zone: tzinfo) -> Override | None:
    """The status as it is shown, while it holds."""
    until = said.until or (by.at + LASTS).astimezone(zone).date()
    if now.astimezone(zone).date() > until:
        return None
    return Override(status=said.status, by=by.name, until=until, because=said.because)
