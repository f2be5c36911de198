"""The steps of a round that many processes share, and the time to retry a failed step. No I/O, no clock.

A round has, for each connection, its batches of projects one after the other, then one write-back. All of them hold
the lock of the connection: two processes never use one token at once, and the write-back follows the last batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sync.tracker.errors import LimitedError, UncertainError, UnreachableError

__all__ = ["LEASE_RETRY", "PATIENCE", "Step", "retry_at", "steps"]

PATIENCE = 5
"""Maximum number of attempts at a step in one round; the next round tries again."""
LEASE_RETRY = timedelta(seconds=30)
"""Delay before the next attempt to get a lease that another process holds."""
_FIRST_DELAY = timedelta(minutes=1)
_LONGEST_DELAY = timedelta(days=1)


@dataclass(frozen=True)
class Step:
    """One step of a round. ``projects`` is the batch, as configured; empty: the write-back."""

    connection: str
    projects: tuple[str, ...] = ()
    number: int = 0

    @property
    def name(self) -> str:
        """The task: ``pull`` or ``write``."""
        return "pull" if self.projects else "write"

    @property
    def lock(self) -> str:
        """Lock that lets one step of a connection run at a time."""
        return self.connection

    @property
    def queueing_lock(self) -> str:
        """Lock that lets a step wait in the queue only once, so that slow rounds do not pile up."""
        return f"{self.connection} {self.name} {self.number}"


def steps(connections: Mapping[str, Sequence[str]], batch: int) -> Iterator[Step]:
    """Yield the steps of a round over each connection's configured projects, at most ``batch`` of them in one step.

    The connections take turns, so that all processes have work from the beginning.
    """
    sequences = {name: list(_steps_of(name, projects, batch)) for name, projects in connections.items()}
    for turn in range(max((len(sequence) for sequence in sequences.values()), default=0)):
        yield from (sequence[turn] for sequence in sequences.values() if turn < len(sequence))


def _steps_of(connection: str, projects: Sequence[str], batch: int) -> Iterator[Step]:
    for number, start in enumerate(range(0, len(projects), batch)):
        yield Step(connection, tuple(projects[start : start + batch]), number)
    yield Step(connection)


def retry_at(causes: Iterable[BaseException | None], tried: int, now: datetime) -> datetime | None:
    """Return the time (UTC) to retry a step that failed for these causes; None: not before the next round.

    | cause | retry |
    |---|---|
    | rate limit | at the time that the tracker names, within a day |
    | tracker unreachable, answer lost | after 1, 2, 4 and 8 minutes |
    | token refused, project gone, malformed answer | none: the same request would fail in the same way |
    """
    if tried >= PATIENCE:
        return None
    times = [at for at in (_retry_at(cause, tried, now) for cause in causes) if at is not None]
    return max(times, default=None)


def _retry_at(cause: BaseException | None, tried: int, now: datetime) -> datetime | None:
    if isinstance(cause, LimitedError):
        return min(max(cause.until or now + _FIRST_DELAY, now), now + _LONGEST_DELAY)
    if isinstance(cause, UnreachableError | UncertainError):
        return now + _FIRST_DELAY * (1 << (tried - 1))
    return None
