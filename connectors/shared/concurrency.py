"""Limit the concurrent requests of a connection to what its tracker handles well.

Additive increase, multiplicative decrease, as in TCP: each success raises the limit a little, up to the configured
maximum. A rate limit, a server fault or a timeout halves the limit, once for all requests that ran at the same time.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

__all__ = ["ConcurrencyLimiter", "NestedRequestError"]

MINUTE = timedelta(minutes=1)


class NestedRequestError(RuntimeError):
    """A thread begins a request while it sends another one: it would wait for the slot that it occupies itself."""


class ConcurrencyLimiter:
    """Limiter that the threads of one connection share. A thread occupies one slot at most.

    ``maximum`` is the highest number of concurrent requests. ``per_minute`` is the highest number of requests that
    begin within a minute by ``clock``; 0 means no such limit. ``sleep`` waits a number of seconds.
    """

    def __init__(
        self, maximum: int, clock: Callable[[], datetime], sleep: Callable[[float], None], per_minute: int = 0
    ) -> None:
        self._maximum, self._clock, self._sleep = float(max(1, maximum)), clock, sleep
        self._allowed, self._running, self._slowdowns = self._maximum, 0, 0
        self._slot_freed = threading.Condition()
        self._of_thread = threading.local()
        self._start_times: deque[datetime] = deque(maxlen=per_minute or 1)
        self._per_minute = per_minute

    @property
    def allowed(self) -> int:
        """The number of requests that may run at the same time now, at least 1."""
        return max(1, int(self._allowed))

    @contextmanager
    def slot(self) -> Iterator[int]:
        """Wait for a free slot and occupy it for one request. Yield the epoch that `on_failure` takes.

        Raises `NestedRequestError`.
        """
        self.refuse_nested()
        with self._slot_freed:
            self._slot_freed.wait_for(lambda: self._running < self.allowed)
            self._running += 1
            epoch = self._slowdowns
            wait = self._reserve_start()
        self._of_thread.has_slot = True
        try:
            if wait > 0:
                self._sleep(wait)
            yield epoch
        finally:
            self._of_thread.has_slot = False
            with self._slot_freed:
                self._running -= 1
                self._slot_freed.notify()

    def refuse_nested(self) -> None:
        """Raise `NestedRequestError` if this thread occupies a slot."""
        if getattr(self._of_thread, "has_slot", False):
            raise NestedRequestError

    def on_success(self) -> None:
        """Raise the limit a little after a successful request."""
        with self._slot_freed:
            self._allowed = min(self._maximum, self._allowed + 1 / self._allowed)
            self._slot_freed.notify()

    def on_failure(self, epoch: int) -> None:
        """Halve the limit after a rate limit or a fault, unless another request of the same ``epoch`` did so."""
        with self._slot_freed:
            if epoch == self._slowdowns:
                self._slowdowns += 1
                self._allowed = max(1.0, self._allowed / 2)

    def limit_to(self, remaining: int) -> None:
        """Lower the limit to the number of requests that the tracker still allows."""
        with self._slot_freed:
            self._allowed = max(1.0, min(self._allowed, float(remaining)))

    def _reserve_start(self) -> float:
        """Reserve the next start within the minute. Return the seconds until then; 0 or less means now."""
        if not self._per_minute:
            return 0.0
        now = self._clock()
        is_full = len(self._start_times) == self._per_minute
        wait = (self._start_times[0] + MINUTE - now).total_seconds() if is_full else 0.0
        self._start_times.append(now + timedelta(seconds=max(0.0, wait)))
        return wait
