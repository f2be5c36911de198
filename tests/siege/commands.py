"""A process that runs commands of milesync, so that a hang can be ended and memory can be measured.

Where the product waits before it tries again, this process goes on at once and counts the seconds.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import TYPE_CHECKING, Self
from unittest import mock

if TYPE_CHECKING:  # the process must replace `time.sleep` before it imports milesync
    from tests.e2e.in_process import Done

__all__ = ["CommandResult", "Commands", "Environment"]

Environment = dict[str, str | None]
"""Variables to add; None removes a variable."""


@dataclass(frozen=True)
class CommandResult:
    """A command that ended.

    ``seconds``: what it needs on a machine of its own, which is time of the processor, and the waiting of the thread
    that waited most. ``memory``: its highest use in MB; 0 where the system does not show it (outside Linux).
    """

    done: Done
    seconds: float
    memory: float


class Commands:
    """A process that runs one command after the other. ``slowest`` (seconds) and ``largest`` (MB) are its records.

    ``plant`` is called in the process before the first command: a test plants a fault with it. ``patience`` is the
    number of seconds after which a command counts as hung.
    """

    def __init__(self, plant: Callable[[], None] | None = None, patience: float = 240.0) -> None:
        self.patience, self._plant = patience, plant
        self.slowest = self.largest = 0.0
        self._context = multiprocessing.get_context("spawn")
        self._start()

    def run(self, *words: str, config: Path | None, env: Environment) -> CommandResult | None:
        """Run a command. None: it hung, and the next command gets a new process."""
        self._pipe.send((words, config, env))
        if self._pipe.poll(self.patience):
            result: CommandResult = self._pipe.recv()
            self.slowest, self.largest = max(self.slowest, result.seconds), max(self.largest, result.memory)
            return result
        self.close()
        self._start()
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _start(self) -> None:
        self._pipe, other = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(other, self._plant), daemon=True)
        self._process.start()


def _serve(pipe: Pipe, plant: Callable[[], None] | None) -> None:
    """Run the commands that come through the pipe."""
    waited = defaultdict[int, float](float)

    def wait(seconds: float) -> None:
        waited[threading.get_ident()] += seconds

    mock.patch("time.sleep", wait).start()
    from tests.e2e.in_process import milesync

    if plant is not None:
        plant()
    while True:
        words, config, env = pipe.recv()
        waited.clear()
        _forget_memory()
        begin = time.process_time()
        done = milesync(*words, config=config, env=env)
        seconds = time.process_time() - begin + max(waited.values(), default=0.0)
        pipe.send(CommandResult(done, seconds, _memory()))


def _forget_memory() -> None:
    """Let the system measure the highest use of memory from now on."""
    path = Path("/proc/self/clear_refs")
    if path.exists():
        path.write_text("5")


def _memory() -> float:
    """Return this process's highest use of memory in MB; 0 where the system does not show it."""
    path = Path("/proc/self/status")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)
