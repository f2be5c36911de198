"""The hidden sign in each of our texts, and by what a text is known to be still as we left it. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from sync.model.health import Replan, Status
from sync.model.published import SummaryForecast
from sync.tracker.observed import StatusIssue, Target

__all__ = ["Marker", "MarkerKind", "body_hash", "canonical", "find_marker", "status_issue_of", "with_marker"]

_MARKER = re.compile(r"<!-- milesync (\{[^\n]*?\}) -->")


class MarkerKind(StrEnum):
    """Which text of ours a marker stands in."""

    STATUS_ISSUE = "status_issue"
    SUMMARY = "summary"
    TRANSITION = "transition"
    CLOSING = "closing"
    REMINDER = "reminder"
    BOARD = "board"


_STORED_NAMES = {"changed_at": "changed", "previous_change_at": "before", "previous_forecast": "was"}
"""Field name in Python -> name in stored markers, which must not change."""


class Marker(Struct, frozen=True, kw_only=True, omit_defaults=True, rename=_STORED_NAMES):
    """The hidden sign in each of our texts, and the memory that outlives a lost database.

    ``milestone`` is a uid, ``instance`` the configured name of the installation. ``status`` is the one that people
    were last told of. ``meaning`` is the hash of what the comment says, ``body`` the `body_hash` of its text,
    ``written``
    when it was last rewritten, ``changed`` when it last came to mean something else, ``before`` when the time before
    that. ``probability``, ``p50`` and ``due`` are what it tells, ``was`` what was told in their place before the last
    change. ``reminded`` is when owners were last reminded, ``replan`` the move of the due date that work has not borne
    out yet. Versioned by ``v``.
    """

    v: int = 1
    instance: str
    kind: MarkerKind
    milestone: str
    status: Status | None = None
    since: datetime | None = None
    baseline: date | None = None
    probability: float | None = None
    p50: date | None = None
    due: date | None = None
    previous_forecast: SummaryForecast | None = None
    meaning: str = ""
    body: str = ""
    written: datetime | None = None
    changed_at: datetime | None = None
    previous_change_at: datetime | None = None
    reminded: datetime | None = None
    replan: Replan | None = None

    @property
    def forecast(self) -> SummaryForecast:
        """The forecast that this summary tells."""
        return SummaryForecast(probability=self.probability, p50=self.p50, due=self.due)

    def encode(self) -> str:
        """One line of JSON."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def decode(cls, text: str) -> Marker | None:
        """The marker, or None when the text is not one that this version reads."""
        try:
            return _DECODER.decode(text)
        except (msgspec.DecodeError, msgspec.ValidationError):
            return None


_DECODER = msgspec.json.Decoder(Marker)
"""Made here, since threads that make one at once would end the process."""


def with_marker(body: str, marker: str) -> str:
    """`body` with its marker (one line of JSON) in an HTML comment at the end, for Markdown trackers."""
    safe = marker.replace("--", "-\\u002d").replace(">", "\\u003e")
    json.loads(safe)
    return f"{body}\n\n<!-- milesync {safe} -->"


def find_marker(body: str) -> str:
    """The last marker in a Markdown body, or an empty text. Whether its author is us is the caller's question."""
    found = _MARKER.findall(body)
    return str(found[-1]).replace("\\u002d", "-").replace("\\u003e", ">") if found else ""


def status_issue_of(text: str, targets: Mapping[str, Target]) -> Target | None:
    """The target (by milestone uid) whose status issue bears this marker; None when it is none's. Whether its author is
    us is the caller's question.
    """
    marker = Marker.decode(text)
    target = targets.get(marker.milestone) if marker is not None and marker.kind is MarkerKind.STATUS_ISSUE else None
    return target if target is not None and marker is not None and target.instance in ("", marker.instance) else None


def body_hash(body: str) -> str:
    """A short hash of a text's `canonical` form: another one means that somebody else has edited it."""
    return hashlib.blake2b(canonical(body).encode(), digest_size=8).hexdigest()


def canonical(body: str) -> str:
    """What of a text every tracker gives back as it was sent: no marker, no blanks at the ends of lines, one kind of
    line end. Of an ADF document, which Jira Cloud stores with attributes and ids of its own, the words only.
    """
    document = _document(body)
    if document is not None:
        return " ".join("".join(_words(document)).split())
    lines = _MARKER.sub("", body).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines).strip()


def _document(body: str) -> dict[str, Any] | None:
    if not body.startswith("{"):
        return None
    try:
        read = json.loads(body)
    except ValueError:
        return None
    return read if isinstance(read, dict) and read.get("type") == "doc" else None


def _words(node: dict[str, Any]) -> Iterator[str]:
    """The words of a node and what is in it, a blank after each block."""
    shown = node.get("attrs") or {}
    yield from (str(shown[name]) for name in ("title", "text") if shown.get(name))
    yield str(node.get("text", ""))
    inner = node.get("content") or []
    for one in inner:
        yield from _words(one)
    if inner or node.get("type") == "hardBreak":
        yield " "


def last_marker(uid: str, have: StatusIssue | None, instance: str) -> Marker | None:
    """The marker of the summary that stands, if one does."""
    for comment in have.comments if have else ():
        marker = Marker.decode(comment.marker)
        if marker and marker.kind is MarkerKind.SUMMARY and marker.milestone == uid and marker.instance == instance:
            return marker
    return None
