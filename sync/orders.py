"""What a process that works for ever is given by the command line: engines for single orders, and how to be stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sync.engine import Engine, Part
from sync.outcome import Progress, Result

__all__ = ["Order", "Stopping", "Work"]


class Stopping(BaseException):
    """This process has been asked to stop."""


@dataclass(frozen=True)
class Order:
    """What an engine is asked for. One that writes reads the history of every source."""

    run_id: str
    part: Part
    writes: bool
    progress: Progress
    sleep: Callable[[float], None]

    @property
    def connection(self) -> str:
        """The one whose tracker is asked."""
        (name,) = self.part.connections
        return name


@dataclass(frozen=True)
class Work:
    """The connections with their projects as configured, and engines over them.

    ``told`` hears of each write-back, with its beginning; ``ended`` of each step: its task, connection, outcome
    (``done``, ``again``, ``failed``, ``crashed``) and requests. ``tidy`` looks after the store, once a day.
    """

    instance: str
    connections: Mapping[str, Sequence[str]]
    engine: Callable[[Order], Engine]
    clock: Callable[[], datetime]
    told: Callable[[Engine, Result, datetime], None] = lambda _engine, _result, _started: None
    tidy: Callable[[], None] = lambda: None
    ended: Callable[[str, str, str, int], None] = lambda _task, _connection, _outcome, _requests: None
