"""Moves of an item between containers and changes of its state, and the events that follow from them. Pure.

A move from one container to another is a single ``add`` in GitLab, so the leaving is added here. Times are cut to
seconds, as in GitLab's GraphQL, so that REST and GraphQL give the same history. No event is before the item.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec import Struct

from connectors.gitlab import api_types
from connectors.gitlab.normalize import person_of, to_utc
from sync.model.tracker_data import Event, EventKind, Issue

__all__ = ["ActivityNote", "Move", "event_time", "moves_between", "state_events"]


class ActivityNote(Struct, frozen=True):
    """System note of a thread. ``action`` is empty where it is not known (REST). ``group``: that of the thread."""

    body: str
    action: str
    at: datetime
    group: str
    user: api_types.User | None = None


class Move(Struct, frozen=True):
    """A join of a container, or a leave; ``container`` is its native id, empty if it is not known.

    ``word`` is the kind of container in the option ``containers``.
    """

    word: str
    at: datetime
    is_join: bool
    container: str
    title: str = ""
    user: api_types.User | None = None


def event_time(at: datetime, created: datetime) -> datetime:
    """Return the time (UTC, whole seconds) of an event of an item that was ``created`` then."""
    at = to_utc(at)
    return max(at.replace(microsecond=0) if at.microsecond else at, to_utc(created))


def moves_between(issue: str, created: datetime, moves: Iterable[Move]) -> Iterator[Event]:
    """Yield the joins and leaves of an issue (native id), from its moves in one kind of container, oldest first."""
    current: Move | None = None
    for move in sorted(moves, key=lambda move: move.at):
        at = event_time(move.at, created)

        def event(kind: EventKind, move: Move, at: datetime = at, by: Move = move) -> Event:
            return Event(
                issue=issue,
                at=at,
                kind=kind,
                milestone=move.container,
                milestone_title=move.title,
                actor=person_of(by.user),
            )

        if not move.is_join:
            previous = move if move.container else current
            if previous is not None:
                yield event(EventKind.LEFT, previous)
            if not move.container or current is None or move.container == current.container:
                current = None
            continue
        if current is not None and move.container != current.container:
            yield event(EventKind.LEFT, current)
        if move.container:
            yield event(EventKind.JOINED, move)
        current = move if move.container else None


def state_events(issue: Issue, states: Iterable[api_types.StateEvent]) -> Iterator[Event]:
    """Yield the closings and reopenings of an issue or merge request."""
    for state in states:
        if state.state in ("closed", "merged", "reopened"):
            yield Event(
                issue=issue.id,
                at=event_time(state.created_at, issue.created_at),
                kind=EventKind.REOPENED if state.state == "reopened" else EventKind.CLOSED,
                actor=person_of(state.user),
            )
