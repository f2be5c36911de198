"""Stop a worker process in good order, and detect that it was paused: shared by its event loop and its step threads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sync.worker.job import Stopping

__all__ = ["ProcessControl", "Pulse"]

T = TypeVar("T")


@dataclass
class Pulse:
    """Detect a pause that was longer than ``limit`` (seconds), after which other workers take the process for dead."""

    limit: float
    now: Callable[[], float] = time.monotonic
    _last: float = field(init=False)

    def __post_init__(self) -> None:
        self._last = self.now()

    @property
    def is_lost(self) -> bool:
        """Return whether other workers have taken this process for dead."""
        return self.now() - self._last > self.limit

    def beat(self) -> None:
        """Record that the process runs. A lost pulse stays lost."""
        if not self.is_lost:
            self._last = self.now()


class ProcessControl:
    """Let step threads stop with the process and call its event loop.

    ``limit`` is the longest pause in seconds; after a longer one ``abandon`` ends the process. ``now`` is a monotonic
    clock in seconds.
    """

    def __init__(self, limit: float, abandon: Callable[[], None], now: Callable[[], float] = time.monotonic) -> None:
        self._pulse, self._abandon = Pulse(limit, now), abandon
        self._stop = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use this event loop for `call`."""
        self._loop = loop

    @property
    def is_stopping(self) -> bool:
        """Return whether the process has been asked to stop."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Ask the steps to end between two pages or two writes."""
        self._stop.set()

    def check_pulse(self) -> None:
        """End the process if it was paused for too long: other workers have its steps."""
        if self._pulse.is_lost:
            self._abandon()

    def check(self, step: str, detail: str = "") -> None:  # noqa: ARG002 - the signature of the engine's progress
        """Raise `Stopping` if asked to stop; the engine calls this between two pages and before each write."""
        self.check_pulse()
        if self._stop.is_set():
            raise Stopping

    def sleep(self, seconds: float) -> None:
        """Sleep in a step's thread. Raises `Stopping`."""
        if self._stop.wait(seconds):
            raise Stopping

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the event loop, from a step's thread, and return its result."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def beat(self) -> None:
        """Record for ever that the process runs."""
        while True:
            self.check_pulse()
            self._pulse.beat()
            await asyncio.sleep(min(1.0, self._pulse.limit / 4))
