"""What a round is made of when many processes share it, and what comes next for a part of it that failed. Pure.

A round is, for each connection, its batches of projects one after the other, then one write-back. All of them hold the
connection's lock: two processes never use one token at once, and the write-back comes after the last batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sync.tracker.errors import LimitedError, UncertainError, UnreachableError

__all__ = ["HELD", "PATIENCE", "Step", "retry_at", "steps"]

PATIENCE = 5
"""How often a step is tried in one round; the next round tries anyway."""
HELD = timedelta(seconds=30)
"""When to ask again for a right to write that another process has."""
_FIRST = timedelta(minutes=1)
_LONGEST = timedelta(days=1)


@dataclass(frozen=True)
class Step:
    """One step of a round. ``projects`` are those of a batch, as configured; empty: the write-back."""

    connection: str
    projects: tuple[str, ...] = ()
    number: int = 0

    @property
    def name(self) -> str:
        """What it does: ``pull`` or ``write``."""
        return "pull" if self.projects else "write"

    @property
    def lock(self) -> str:
        """One at a time runs for a connection."""
        return self.connection

    @property
    def queueing_lock(self) -> str:
        """One at a time waits for a step of a connection, so that slow rounds do not pile up."""
        return f"{self.connection} {self.name} {self.number}"


def steps(connections: Mapping[str, Sequence[str]], batch: int) -> Iterator[Step]:
    """The steps of a round, over each connection's projects as configured, at most ``batch`` of them at once.

    The connections take turns, so that as many as there are processes are under way from the beginning.
    """
    lines = {name: list(_line(name, projects, batch)) for name, projects in connections.items()}
    for turn in range(max((len(line) for line in lines.values()), default=0)):
        yield from (line[turn] for line in lines.values() if turn < len(line))


def _line(name: str, projects: Sequence[str], batch: int) -> Iterator[Step]:
    for number, start in enumerate(range(0, len(projects), batch)):
        yield Step(name, tuple(projects[start : start + batch]), number)
    yield Step(name)


def retry_at(causes: Iterable[BaseException | None], tried: int, now: datetime) -> datetime | None:
    """When to try a step again that failed for these reasons (UTC); None: not before the next round.

    A limit says itself when. What passes by itself is tried after 1, 2, 4 and 8 minutes. A token that was refused, a
    project that is gone, an answer that makes no sense: the same request would fail in the same way.
    """
    if tried >= PATIENCE:
        return None
    times = [at for at in (_again(cause, tried, now) for cause in causes) if at is not None]
    return max(times, default=None)


def _again(cause: BaseException | None, tried: int, now: datetime) -> datetime | None:
    if isinstance(cause, LimitedError):
        return min(max(cause.until or now + _FIRST, now), now + _LONGEST)
    if isinstance(cause, UnreachableError | UncertainError):
        return now + _FIRST * (1 << (tried - 1))
    return None
