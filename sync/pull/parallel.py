"""Connections side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from sync.telemetry.traces import span

__all__ = ["side_by_side"]

T = TypeVar("T")
R = TypeVar("R")


def side_by_side(work: Callable[[T], R], items: Sequence[T], names: Sequence[str]) -> list[R]:
    """``work`` on what belongs to each connection (by name), all at once: they wait on their own trackers, never on
    each other's. Results are in the order of the items.
    """

    def within(name: str, item: T) -> R:
        with span("connection", connection=name):
            return work(item)

    if not items:
        return []
    with ThreadPoolExecutor(len(items)) as pool:
        contexts = [copy_context() for _ in items]  # lines of the log and spans stay within the run's
        return list(pool.map(lambda context, *one: context.run(within, *one), contexts, names, items))
