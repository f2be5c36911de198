"""Markers: the hidden JSON in each text of ours, by which milesync recognises it and detects edits. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from sync.model.health import Replan, Status
from sync.model.plan_clock import PlanClock
from sync.model.published import SummaryForecast
from sync.tracker.clocks import MAX_CLOCK_DIFFERENCE
from sync.tracker.observed import Claim, OurComment, StatusIssue, Target

__all__ = [
    "Marker",
    "MarkerKind",
    "body_hash",
    "canonical",
    "claimed_target",
    "find_marker",
    "is_claim",
    "is_edited",
    "is_of_other_address",
    "last_marker",
    "notes_closing",
    "own_comments",
    "status_issue_of",
    "with_marker",
    "without_marker",
]

_MARKER = r"<!-- milesync (\{[^\n]*?\}) -->"


class MarkerKind(StrEnum):
    """The text that carries a marker. The values are stored."""

    STATUS_ISSUE = "status_issue"
    SUMMARY = "summary"
    TRANSITION = "transition"
    CLOSING = "closing"
    REMINDER = "reminder"
    BOARD = "board"


_STORED_NAMES = {
    "previous_forecast": "was",
    "method_changed_at": "recomputed",
}
"""Field name -> name in stored markers, which must not change."""


class Marker(Struct, frozen=True, kw_only=True, omit_defaults=True, rename=_STORED_NAMES):
    """The hidden JSON in a text of ours. It holds all that must survive the loss of the database.

    ``milestone`` is a uid, ``instance`` the configured name of the installation. ``status`` and ``since`` are the last
    announced status and its time, ``baseline`` the first due date. ``probability``, ``p50`` and ``due`` are the
    forecast in the summary. ``meaning`` is the hash of the summary's meaning, ``body`` the `body_hash` of the text.
    ``written`` is the time of the last rewriting. ``changes_since`` is the time since which the summary names changes,
    and ``previous_forecast`` the forecast in it at that time (`sync.report.changes`).
    ``p70`` (of a milestone without a due date), ``p85`` and ``p95`` are its other dates, ``dated`` is the time since
    which they are given.
    ``reminded`` is the time of the last reminder to owners. ``replan`` is a move of the due date that finished work
    does not confirm yet, ``clock`` the plan before the first move to a later day. ``method`` is the number of the
    forecast's method; ``method_changed_at`` is the time at which the summary changed to it, as long as that is news.
    ``closes``: with this announcement of an end, milesync closes the status issue. ``prefix`` is the prefix of the
    status label next to the summary, empty in markers of earlier versions. Times are in UTC. ``v`` is the
    version of the format. Fields of earlier versions are ignored.
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
    p70: date | None = None
    p85: date | None = None
    p95: date | None = None
    dated: datetime | None = None
    due: date | None = None
    previous_forecast: SummaryForecast | None = None
    meaning: str = ""
    body: str = ""
    written: datetime | None = None
    changes_since: datetime | None = None
    reminded: datetime | None = None
    replan: Replan | None = None
    clock: PlanClock | None = None
    method: int = 1
    method_changed_at: datetime | None = None
    closes: bool = False
    prefix: str = ""

    @property
    def forecast(self) -> SummaryForecast:
        """The forecast in the summary."""
        return SummaryForecast(probability=self.probability, p50=self.p50, due=self.due)

    def encode(self) -> str:
        """Return the marker as one line of JSON."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def decode(cls, text: str) -> Marker | None:
        """Parse a marker. Return None for a text that this version cannot read."""
        try:
            return _DECODER.decode(text)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None


_DECODER = msgspec.json.Decoder(Marker)
"""Created once at import: msgspec crashes when several threads create the decoder of a type at the same time."""


def with_marker(body: str, marker: str) -> str:
    """Return a Markdown body with its marker (one line of JSON) in an HTML comment at the end."""
    safe = marker.replace("--", "-\\u002d").replace(">", "\\u003e")
    json.loads(safe)
    return f"{body}\n\n<!-- milesync {safe} -->"


def without_marker(body: str) -> str:
    """Return a Markdown body without our markers at its end."""
    return re.sub(_MARKER, "", body).rstrip()


def find_marker(body: str) -> str:
    """Return the last marker in a Markdown body, or an empty text. The caller checks the author."""
    markers = re.findall(_MARKER, body)
    return str(markers[-1]).replace("\\u002d", "-").replace("\\u003e", ">") if markers else ""


def status_issue_of(text: str, targets: Mapping[str, Target]) -> Target | None:
    """Return the target whose status issue carries this marker; None without one. The caller checks the author.

    The keys of ``targets`` are milestones (uid).
    """
    marker = _status_issue_marker(text)
    if marker is None:
        return None
    target = targets.get(marker.milestone) or next(
        (target for target in targets.values() if marker.milestone in target.former), None
    )
    return target if target is not None and target.instance in ("", marker.instance) else None


def claimed_target(text: str, targets: Mapping[str, Target]) -> Target | None:
    """Return the target that a status issue of ours may belong to although its marker names an unknown address.

    The native id of the milestone and the instance are the same. See `is_of_other_address`.
    """
    marker = _status_issue_marker(text)
    if marker is None:
        return None
    matches = (target for uid, target in targets.items() if is_of_other_address(marker, uid, target.instance))
    return next(matches, None)


def is_of_other_address(marker: Marker, milestone: str, instance: str) -> bool:
    """Return whether a marker names a milestone (uid) of the same native id at another address of a tracker.

    Then the tracker has moved, or the text was copied from another tracker.
    """
    separator = "/milestone/"
    native = milestone.rpartition(separator)[2]
    return (
        instance in ("", marker.instance)
        and marker.milestone != milestone
        and marker.milestone.endswith(f"{separator}{native}")
    )


def _status_issue_marker(text: str) -> Marker | None:
    marker = Marker.decode(text)
    return marker if marker is not None and marker.kind is MarkerKind.STATUS_ISSUE else None


def body_hash(body: str) -> str:
    """Return a short hash of a text's `canonical` form. If the hash has changed, a person has edited the text."""
    return hashlib.blake2b(canonical(body).encode(), digest_size=8).hexdigest()


def canonical(body: str) -> str:
    """Return the part of a text that every tracker returns unchanged.

    Without the marker, without blanks at line ends, with one kind of line end. Of an ADF document only the words, since
    Jira Cloud adds attributes and ids.
    """
    document = _document(body)
    if document is not None:
        return " ".join("".join(_words(document)).split())
    lines = re.sub(_MARKER, "", body).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines).strip()


def last_marker(uid: str, have: StatusIssue | None, instance: str) -> Marker | None:
    """Return the marker of a milestone's summary comment, None without a summary."""
    for _, marker in own_comments(have.comments if have else (), instance, uid):
        if marker.kind is MarkerKind.SUMMARY:
            return marker
    return None


def own_comments(comments: Sequence[OurComment], instance: str, milestone: str) -> list[tuple[OurComment, Marker]]:
    """Return the comments of this instance about a milestone (uid), with their markers.

    The connector has checked the authors. A time in a marker that is later than the tracker's own time of the comment
    comes from a clock of ours that ran ahead; it becomes the tracker's.
    """
    pairs = ((comment, Marker.decode(comment.marker)) for comment in comments)
    return [
        (comment, _without_later_times(marker, comment.updated_at))
        for comment, marker in pairs
        if marker is not None and marker.instance == instance and marker.milestone == milestone
    ]


def _without_later_times(marker: Marker, updated_at: datetime) -> Marker:
    limit = updated_at + MAX_CLOCK_DIFFERENCE
    times = {"written": marker.written, "reminded": marker.reminded}
    later = {name: updated_at for name, at in times.items() if at is not None and at > limit}
    return msgspec.structs.replace(marker, **later) if later else marker


def notes_closing(comments: Iterable[OurComment]) -> bool:
    """Return whether one of these comments of ours says that we close the status issue."""
    markers = (Marker.decode(comment.marker) for comment in comments)
    return any(marker is not None and marker.closes for marker in markers)


def is_edited(body: str, marker: Marker) -> bool:
    """Return whether a person has edited the text since we wrote it."""
    return bool(marker.body) and marker.body != body_hash(body)


def is_claim(claim: Claim, instance: str, milestone: str, kind: MarkerKind) -> bool:
    """Return whether another account's text carries the marker of this text of ours."""
    marker = Marker.decode(claim.marker)
    return marker is not None and (marker.instance, marker.milestone, marker.kind) == (instance, milestone, kind)


def _document(body: str) -> dict[str, Any] | None:
    """Parse an ADF document. Return None for another text."""
    if not body.startswith("{"):
        return None
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) and document.get("type") == "doc" else None


def _words(node: Any) -> Iterator[str]:
    """Yield the words of an ADF node and its children, with a blank after each block. Other values have no words."""
    if not isinstance(node, dict):
        return
    attributes, content = node.get("attrs"), node.get("content")
    if isinstance(attributes, dict):
        yield from (str(attributes[name]) for name in ("title", "text") if attributes.get(name))
    yield str(node.get("text", ""))
    children = content if isinstance(content, list) else []
    for child in children:
        yield from _words(child)
    if children or node.get("type") == "hardBreak":
        yield " "
