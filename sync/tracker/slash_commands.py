"""Slash commands: what people write to milesync in a comment on a status issue. Pure.

A command is a line that begins with ``/milesync``, outside of code, quotes and HTML comments::

    /milesync on-track | at-risk | off-track  [until YYYY-MM-DD]  [because WHY]
    /milesync note  [TEXT]
    /milesync mute | unmute | refresh

The last command of each kind counts, by the time of the comment's last edit. Commands are not stored: deleting the
comment withdraws the command. A status that a person sets ends with its day, or after `OVERRIDE_DURATION`. A note ends
after `NOTE_DURATION`, or with a later note without text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING

from msgspec import Struct

from sync.model.dates import day_of
from sync.model.health import Note, Override, Status
from sync.tracker.observed import CommandComment

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

__all__ = [
    "MAX_NOTE_LENGTH",
    "NOTE_DURATION",
    "OVERRIDE_DURATION",
    "Command",
    "CommandName",
    "CommandState",
    "NoteCommand",
    "StatusOverride",
    "command_lines",
    "evaluate_commands",
    "example_override",
    "parse",
]

OVERRIDE_DURATION = timedelta(days=14)
"""Duration of a status that a person sets without a last day."""

NOTE_DURATION = timedelta(days=30)
"""Time after which a note is no longer shown: older words mislead more often than they help."""

MAX_NOTE_LENGTH = 280
"""Maximum number of characters of a note that are shown."""

MAX_COMMAND_LENGTH, MAX_COMMANDS, MAX_COMMENT_LENGTH = 500, 10, 65_536
"""Maximum number of characters in a command, of commands in a comment, of characters; the rest is ignored."""

_STATUS = {"on-track": Status.ON_TRACK, "at-risk": Status.AT_RISK, "off-track": Status.OFF_TRACK}
_OVERRIDE = r"(?i)(on-track|at-risk|off-track)(?: +until +([0-9]{4}-[0-9]{2}-[0-9]{2}))?(?: +because +(\S.*))?"
_NOTE = r"(?i)note(?: +(\S.*))?"
_COMMAND = re.compile(r"/milesync(?![^ \t])")
_HIDDEN = (
    r"(?ims)<!--.*?(?:-->|\Z)|<(pre|code|blockquote|kbd|samp|tt|q|del|s|script|style|textarea)\b.*?(?:</\1\s*>|\Z)"
    r"|^>>>[ \t]*$.*?(?:^>>>[ \t]*$|\Z)"
)
"""HTML whose content is hidden, code, withdrawn, or the words of others; and GitLab's quotes of many lines."""

_CODE_SPAN = r"(?<!`)(`+)(?!`)(?:[^\n]|\n(?![ \t]*\n)){0,2000}?(?<!`)\1(?!`)"
"""Code within a paragraph, which may go over lines; the limit bounds the time for unmatched signs."""


class CommandName(StrEnum):
    """A command without arguments."""

    MUTE = "mute"
    UNMUTE = "unmute"
    REFRESH = "refresh"


class StatusOverride(Struct, frozen=True):
    """A status that a person sets, until the end of a day (None: for `OVERRIDE_DURATION`)."""

    status: Status
    until: date | None = None
    because: str = ""


class NoteCommand(Struct, frozen=True):
    """A note in one line; an empty text removes the note."""

    text: str = ""


Command = CommandName | NoteCommand | StatusOverride


class CommandState(Struct, frozen=True, kw_only=True):
    """The effect of all commands of a thread.

    ``refresh`` is the time (UTC) of the last request for a rewriting. ``understood`` counts valid commands, ``ignored``
    unknown commands and those of people who may not write.
    """

    override: Override | None = None
    note: Note | None = None
    muted: bool = False
    refresh: datetime | None = None
    understood: int = 0
    ignored: int = 0


def command_lines(text: str) -> str:
    """Return the lines of a comment that begin like a command, joined by newlines; empty for most comments.

    Only a line of a paragraph or of a heading is a command, as Markdown reads it: no line of code, of a quote (also
    where the ``>`` is left out), of a table or of HTML.
    """
    if "/milesync" not in text:
        return ""
    plain = text[:MAX_COMMENT_LENGTH].replace("\r\n", "\n").replace("\r", "\n")
    return "\n".join(line[:MAX_COMMAND_LENGTH] for line in list(_lines(plain))[:MAX_COMMANDS])


def _lines(text: str) -> Iterator[str]:
    lines = text.split("\n")
    if not any(map(_COMMAND.match, lines)):
        return
    paragraphs, code = _blocks(text)
    outside_code = "\n".join("x" * len(line) if number in code else line for number, line in enumerate(lines))
    searched = re.sub(_CODE_SPAN, lambda span: "x" * len(span.group()), outside_code)
    hidden = [
        *(found.span() for found in re.finditer(_CODE_SPAN, outside_code)),
        *(found.span() for found in re.finditer(_HIDDEN, searched)),
    ]
    starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
    for number in sorted(paragraphs):
        if _COMMAND.match(lines[number]) and not any(begin <= starts[number] < end for begin, end in hidden):
            yield lines[number]


def _blocks(text: str) -> tuple[set[int], set[int]]:
    """Return the numbers of the lines in paragraphs and headings outside of quotes, and of those in blocks of code."""
    paragraphs, code, quotes = set[int](), set[int](), 0
    for token in _markdown().parse(text):
        quotes += {"blockquote_open": 1, "blockquote_close": -1}.get(token.type, 0)
        lines = range(*token.map) if token.map else ()
        if token.type in ("fence", "code_block"):
            code.update(lines)
        elif token.type in ("paragraph_open", "heading_open") and not quotes:
            paragraphs.update(lines)
    return paragraphs, code


@cache
def _markdown() -> MarkdownIt:
    """A parser of blocks alone."""
    from markdown_it import MarkdownIt  # late: most comments hold no command, and the import takes a tenth of a second

    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


def parse(line: str) -> Command | None:
    """Parse a line. Return None for an unknown or malformed command."""
    begin = _COMMAND.match(line)
    if begin is None:
        return None
    rest = " ".join(line[begin.end() :].split())
    if rest.lower() in list(CommandName):
        return CommandName(rest.lower())
    if (note := re.fullmatch(_NOTE, rest)) is not None:
        return NoteCommand(note[1] or "")
    match = re.fullmatch(_OVERRIDE, rest)
    if match is None:
        return None
    try:
        until = date.fromisoformat(match[2]) if match[2] else None
    except ValueError:
        return None
    return StatusOverride(_STATUS[match[1].lower()], until, match[3] or "")


def evaluate_commands(comments: Sequence[CommandComment], now: datetime, zone: tzinfo = UTC) -> CommandState:
    """Return the effect of commands at ``now`` (UTC); days end in ``zone``. Those of people who may not write are
    ignored.
    """
    override: tuple[StatusOverride, CommandComment] | None = None
    note: tuple[NoteCommand, CommandComment] | None = None
    muted, refresh, understood, ignored = False, None, 0, 0
    for comment in sorted(comments, key=lambda comment: (comment.at, len(comment.id), comment.id)):
        for line in comment.text.splitlines():
            command = parse(line) if comment.may_write else None
            understood, ignored = understood + (command is not None), ignored + (command is None)
            if isinstance(command, StatusOverride):
                override = command, comment
            elif isinstance(command, NoteCommand):
                note = command, comment
            elif command is CommandName.REFRESH:
                refresh = comment.at
            elif command is not None:
                muted = command is CommandName.MUTE
    return CommandState(
        override=_current_override(*override, now, zone) if override else None,
        note=_current_note(*note, now) if note else None,
        muted=muted,
        refresh=refresh,
        understood=understood,
        ignored=ignored,
    )


def _current_override(status: StatusOverride, comment: CommandComment, now: datetime, zone: tzinfo) -> Override | None:
    """Return the override as it is shown; None after its last day."""
    until = status.until or day_of(comment.at + OVERRIDE_DURATION, zone)
    if day_of(now, zone) > until:
        return None
    return Override(status=status.status, by=comment.name, until=until, because=status.because, at=comment.at)


def _current_note(command: NoteCommand, comment: CommandComment, now: datetime) -> Note | None:
    """Return the note as it is shown; None without text, and after `NOTE_DURATION`."""
    if not command.text or now - comment.at > NOTE_DURATION:
        return None
    return Note(by=comment.name, at=comment.at, text=command.text)


def example_override(status: Status, due: date | None, today: date) -> str:
    """Return a valid command that sets another status than ``status``, ending on the due date at the latest.

    A due date that has passed is ignored. ``today`` is the day in the connection's zone.
    """
    word = "at-risk" if status is Status.ON_TRACK else "on-track"
    until = today + OVERRIDE_DURATION
    if due is not None and due >= today:
        until = min(until, due)
    return f"/milesync {word} until {until} because ..."
