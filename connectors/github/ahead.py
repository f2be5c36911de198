"""Work on many things at once while the results are taken in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

__all__ = ["ahead"]

T = TypeVar("T")
R = TypeVar("R")


def ahead(work: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """``work`` on every item, ``threads`` at once and at most twice as many ahead of the taker; results in order.

    The first error is raised where its result would have come, and what has not begun by then is left.
    """
    todo = iter(items)
    if threads < 2:
        yield from map(work, todo)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[R]] = deque(pool.submit(work, item) for item in islice(todo, 2 * threads))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(work, item) for item in islice(todo, 1))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
