"""What a process that works for ever is given by the command line: engines for single orders, and how to be stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sync.engine.engine import Engine
from sync.engine.result import Result, RoundResult
from sync.pull.progress import Progress
from sync.pull.pull import Share

__all__ = ["JobEnvironment", "JobSpec", "Stopping"]


class Stopping(BaseException):
    """This process has been asked to stop."""


@dataclass(frozen=True)
class JobSpec:
    """What an engine is asked for. It may write."""

    run_id: str
    share: Share | None
    writes: bool
    progress: Progress
    sleep: Callable[[float], None]

    @property
    def connection(self) -> str:
        """The one whose tracker is asked; empty: none."""
        (name,) = self.share.connections if self.share else ("",)
        return name


@dataclass(frozen=True)
class JobEnvironment:
    """The connections with their projects as configured, and engines over them.

    ``told`` hears of each write-back, with its beginning; ``ended`` of each step: its task, connection, outcome
    (``done``, ``again``, ``failed``, ``refused``, ``crashed``) and requests. ``after`` does what follows the writes of
    a round, once, and says whether all went well; None: nothing follows. ``tidy`` looks after the store, once a day.
    """

    instance: str
    connections: Mapping[str, Sequence[str]]
    engine: Callable[[JobSpec], Engine]
    clock: Callable[[], datetime]
    told: Callable[[Engine, Result, datetime], None] = lambda _engine, _result, _started: None
    after: Callable[[Engine, RoundResult], bool] | None = None
    tidy: Callable[[], None] = lambda: None
    ended: Callable[[str, str, str, int], None] = lambda _task, _connection, _outcome, _requests: None
