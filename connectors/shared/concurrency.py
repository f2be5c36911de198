"""How many requests a connection has under way: as many as its tracker takes well.

Additive increase, multiplicative decrease, as TCP does it: each good answer lets a little more be under way, up to the
configured number; a limit, a fault of the server or a timeout halves it, once for all that were under way together.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

__all__ = ["ConcurrencyLimiter"]

MINUTE = timedelta(minutes=1)


class ConcurrencyLimiter:
    """Shared by a connection's threads. ``a_minute`` is the most that may begin within a minute, 0: any number."""

    def __init__(
        self, most: int, clock: Callable[[], datetime], sleep: Callable[[float], None], a_minute: int = 0
    ) -> None:
        self._most, self._clock, self._sleep = float(max(1, most)), clock, sleep
        self._allowed, self._running, self._slowed = self._most, 0, 0
        self._free = threading.Condition()
        self._began: deque[datetime] = deque(maxlen=a_minute or 1)
        self._a_minute = a_minute

    @property
    def allowed(self) -> int:
        """How many requests may be under way now."""
        return max(1, int(self._allowed))

    @contextmanager
    def one(self) -> Iterator[int]:
        """Wait for a place, and hold it for one request; gives what `slow` wants to be told."""
        with self._free:
            self._free.wait_for(lambda: self._running < self.allowed)
            self._running += 1
            time = self._slowed
            rest = self._rest()
        try:
            if rest > 0:
                self._sleep(rest)
            yield time
        finally:
            with self._free:
                self._running -= 1
                self._free.notify()

    def well(self) -> None:
        """A request was answered well."""
        with self._free:
            self._allowed = min(self._most, self._allowed + 1 / self._allowed)
            self._free.notify()

    def slow(self, time: int) -> None:
        """A request that began at ``time`` (see `one`) met a limit or a fault."""
        with self._free:
            if time == self._slowed:
                self._slowed += 1
                self._allowed = max(1.0, self._allowed / 2)

    def narrow(self, left: int) -> None:
        """The tracker said that only so many requests are left for now."""
        with self._free:
            self._allowed = max(1.0, min(self._allowed, float(left)))

    def _rest(self) -> float:
        """Seconds until another request may begin within the minute."""
        if not self._a_minute:
            return 0.0
        now = self._clock()
        full = len(self._began) == self._a_minute
        rest = (self._began[0] + MINUTE - now).total_seconds() if full else 0.0
        self._began.append(now + timedelta(seconds=max(0.0, rest)))
        return rest
