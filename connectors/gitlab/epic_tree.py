"""Memberships in nested epics: an issue is in its epic, and in all epics above it, each once. Pure.

The times follow from two histories: those of the issue in its epics, and those of each epic under its parents. An issue
that stays in an epic joins the epics above it when its epic does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sync.model.tracker_data import Event, EventKind

__all__ = ["EpicTree", "Stay", "stays_of"]

_ALWAYS = datetime.min.replace(tzinfo=UTC)


class Stay(NamedTuple):
    """Stay of an issue or epic in an epic (id), from ``joined`` until ``left`` (UTC); None: it has not ended."""

    epic: str
    joined: datetime
    left: datetime | None

    def during(self, other: Stay) -> Stay | None:
        """The part of this stay within the other one; None if they do not meet."""
        ends = [end for end in (self.left, other.left) if end is not None]
        joined, left = max(self.joined, other.joined), min(ends, default=None)
        return None if left is not None and left <= joined else Stay(self.epic, joined, left)


class EpicTree:
    """Epics under their parents: ``parents`` has the present ones, ``stays`` the whole history of some epics."""

    def __init__(self, parents: Mapping[str, str], stays: Mapping[str, Sequence[Stay]]) -> None:
        self._parents, self._stays = parents, stays

    def with_ancestors(self, epic: str) -> tuple[str, ...]:
        """The epic and all epics above it, each once, also where they form a circle."""
        found = [epic]
        while (above := self._parents.get(found[-1], "")) and above not in found:
            found.append(above)
        return tuple(found)

    def events(self, issue: str, stays: Iterable[Stay]) -> Iterator[Event]:
        """Yield the joins and leaves of an issue, in its epics and all epics above, by its stays in its own epics."""
        by_epic: dict[str, list[Stay]] = {}
        for stay in stays:
            for whole in self._above(stay, frozenset()):
                by_epic.setdefault(whole.epic, []).append(whole)
        for epic, found in by_epic.items():
            for stay in _merged(found):
                yield Event(issue=issue, at=stay.joined, kind=EventKind.JOINED, milestone=epic)
                if stay.left is not None:
                    yield Event(issue=issue, at=stay.left, kind=EventKind.LEFT, milestone=epic)

    def _above(self, stay: Stay, below: frozenset[str]) -> Iterator[Stay]:
        if stay.epic in below:
            return
        yield stay
        for parent in self._stays_of_epic(stay.epic):
            part = parent.during(stay)
            if part is not None:
                yield from self._above(part, below | {stay.epic})

    def _stays_of_epic(self, epic: str) -> Sequence[Stay]:
        """The stays of an epic under its parents; the present parent always, if the history does not end there."""
        stays, parent = self._stays.get(epic, ()), self._parents.get(epic, "")
        last = stays[-1].epic if stays and stays[-1].left is None else ""
        if stays and last == parent:
            return stays
        return [Stay(parent, _ALWAYS, None)] if parent else []


def stays_of(events: Iterable[Event]) -> list[Stay]:
    """Return the stays that joins and leaves, oldest first, make."""
    stays: list[Stay] = []
    for event in events:
        if event.kind is EventKind.JOINED:
            stays.append(Stay(event.milestone, event.at, None))
        else:
            stays = [
                stay._replace(left=event.at) if stay.left is None and stay.epic == event.milestone else stay
                for stay in stays
            ]
    return [stay for stay in stays if stay.left is None or stay.left > stay.joined]


def _merged(stays: Iterable[Stay]) -> list[Stay]:
    """Return stays in one epic as the fewest that cover the same time."""
    merged: list[Stay] = []
    for stay in sorted(stays, key=lambda stay: stay.joined):
        last = merged[-1] if merged else None
        if last is None or (last.left is not None and stay.joined > last.left):
            merged.append(stay)
        elif last.left is not None and (stay.left is None or stay.left > last.left):
            merged[-1] = last._replace(left=stay.left)
    return merged
