"""Run work for several connections at once."""

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
    """Run ``work`` on each item in a thread of its own; return the results in the order of the items.

    ``names`` are the connections of the items, for traces. A slow tracker delays no other connection.
    """

    def traced_work(name: str, item: T) -> R:
        with span("connection", connection=name):
            return work(item)

    if not items:
        return []
    with ThreadPoolExecutor(len(items)) as pool:
        contexts = [copy_context() for _ in items]  # keeps log lines and spans inside those of the run
        return list(pool.map(lambda context, name, item: context.run(traced_work, name, item), contexts, names, items))
