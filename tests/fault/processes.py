"""Processes of their own that tests may kill."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import TypeVar

__all__ = ["started"]

T = TypeVar("T")


def started(work: Callable[[T], object], on: T) -> BaseProcess:
    """The work in a process that was forked from one without threads, which has read its module already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([work.__module__])
    process = context.Process(target=work, args=(on,))
    process.start()
    return process
