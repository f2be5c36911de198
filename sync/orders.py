"""What a process that works for ever is given by the command line: engines for single orders, and how to be stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sync.engine import Engine
from sync.outcome import Progress, Result
from sync.pulling import Part

__all__ = ["Ended", "Order", "Stopping", "Work"]


class Stopping(BaseException):
    """This process has been asked to stop."""


@dataclass(frozen=True)
class Order:
    """What an engine is asked for. One that writes reads the history of every source; without a part it asks nobody."""

    run_id: str
    part: Part | None
    writes: bool
    progress: Progress
    sleep: Callable[[float], None]

    @property
    def connection(self) -> str:
        """The one whose tracker is asked; empty: none."""
        (name,) = self.part.connections if self.part else ("",)
        return name


@dataclass(frozen=True)
class Ended:
    """A round that began at ``since`` (UTC) and of which nothing is left to write.

    ``well``: every connection was in it and no step failed; ``failed`` counts those that did, by connection.
    ``good`` is when the last round before it began that went well (UTC); None: nobody remembers one.
    """

    since: datetime
    well: bool
    failed: Mapping[str, int]
    good: datetime | None


@dataclass(frozen=True)
class Work:
    """The connections with their projects as configured, and engines over them.

    ``told`` hears of each write-back, with its beginning; ``ended`` of each step: its task, connection, outcome
    (``done``, ``again``, ``failed``, ``refused``, ``crashed``) and requests. ``after`` does what follows the writes of
    a round, once, and says whether all went well; None: nothing follows. ``tidy`` looks after the store, once a day.
    """

    instance: str
    connections: Mapping[str, Sequence[str]]
    engine: Callable[[Order], Engine]
    clock: Callable[[], datetime]
    told: Callable[[Engine, Result, datetime], None] = lambda _engine, _result, _started: None
    after: Callable[[Engine, Ended], bool] | None = None
    tidy: Callable[[], None] = lambda: None
    ended: Callable[[str, str, str, int], None] = lambda _task, _connection, _outcome, _requests: None
