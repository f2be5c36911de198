"""Find the number of items that a tracker can answer in one request."""

from __future__ import annotations

import threading

__all__ = ["BatchSize"]

PATIENCE = 4
"""Full answers after which a reduced size is doubled; twice as many each time that the doubled size failed."""


class BatchSize:
    """Size of one kind of request, for the threads of one pull.

    It is halved, down to 1, when the tracker gives up on a request, and doubled again, up to ``maximum``, after a
    number of full answers. So a repository with heavy issues costs few failed requests, and a short outage no speed.
    """

    def __init__(self, maximum: int) -> None:
        self._maximum, self._size = maximum, maximum
        self._answers, self._patience, self._is_trial = 0, PATIENCE, False
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """The size of the next request, at least 1."""
        return self._size

    def shrink(self, number: int) -> None:
        """Halve the size after a request for ``number`` items failed. Requests that ran together count once."""
        with self._lock:
            smaller = max(1, number // 2)
            if smaller >= self._size:
                return
            if self._is_trial:
                self._patience *= 2
            self._size, self._answers, self._is_trial = smaller, 0, False

    def limit(self, number: int) -> None:
        """Halve the size after the tracker refused a request for ``number`` items, and never grow beyond it."""
        with self._lock:
            self._maximum = min(self._maximum, max(1, number // 2))
            self._size = min(self._size, self._maximum)

    def grow(self, number: int) -> None:
        """Note that a request for ``number`` items was answered. Double the size after enough full answers."""
        with self._lock:
            if number < self._size or self._size == self._maximum:
                return
            self._answers, self._is_trial = self._answers + 1, False
            if self._answers >= self._patience:
                self._size, self._answers, self._is_trial = min(self._maximum, 2 * self._size), 0, True
