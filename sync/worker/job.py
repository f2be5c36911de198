"""Environment of a long-running process: connections, engines for single jobs, and callbacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sync.engine.engine import Engine
from sync.engine.result import Result, RoundResult
from sync.pull.progress import Progress
from sync.pull.pull import RoundShare

__all__ = ["JobEnvironment", "JobSpec", "Stopping"]


class Stopping(BaseException):
    """The process has been asked to stop."""


@dataclass(frozen=True)
class JobSpec:
    """One job for an engine.

    ``share`` None: no tracker is asked. ``may_write``: the engine writes, and therefore reads the history of all
    connections. ``sleep`` takes seconds and raises `Stopping`.
    """

    run_id: str
    share: RoundShare | None
    may_write: bool
    progress: Progress
    sleep: Callable[[float], None]

    @property
    def connection(self) -> str:
        """Name of the connection whose tracker is asked; empty: no tracker is asked."""
        (name,) = self.share.connections if self.share else ("",)
        return name


@dataclass(frozen=True)
class JobEnvironment:
    """The connections with their configured projects, a factory of engines, and callbacks.

    ``clock`` gives the time in UTC.
    """

    instance: str
    connections: Mapping[str, Sequence[str]]
    make_engine: Callable[[JobSpec], Engine]
    clock: Callable[[], datetime]
    on_result: Callable[[Engine, Result, datetime], None] = lambda _engine, _result, _started: None
    """Called after each write-back, with its start."""
    after_round: Callable[[Engine, RoundResult], bool] | None = None
    """Called once after the writes of a round; returns whether all went well. None: nothing follows a round."""
    prune: Callable[[], None] = lambda: None
    """Delete outdated rows from the store; called once a day."""
    on_step_end: Callable[[str, str, str, int], None] = lambda _task, _connection, _outcome, _requests: None
    """Called after each step with its task, connection, outcome and number of requests.

    Outcomes: ``done``, ``again``, ``failed``, ``refused``, ``crashed``.
    """
