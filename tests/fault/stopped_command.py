"""A command that gets a signal at the n-th event, for `python -m tests.fault.stopped_command`.

    ... EVENTS N SIGNAL FILE WORDS...

``EVENTS`` is the start of a name of Python's audit events: "" counts all of them (imports, files, threads, sockets), in
every thread; ``http.client.send`` counts requests. ``journal`` counts the boundaries of journal entries. ``FILE`` is
created when the signal is sent.
"""

from __future__ import annotations

import os
import signal
import sys

__all__: list[str] = []


class Trigger:
    """Count events, and send the signal at one of them."""

    def __init__(self, at: int, number: int, file: str) -> None:
        self.count, self.at, self.number, self.file = 0, at, number, file

    def event(self) -> None:
        self.count += 1
        if self.count == self.at:
            os.close(os.open(self.file, os.O_CREAT))
            os.kill(os.getpid(), self.number)


def count_boundaries(trigger: Trigger) -> None:
    """Count before and after each beginning and each end of a journal entry."""
    from sync.store.store import Store

    for name in ("begin", "finish"):
        inner = getattr(Store, name)

        def counted(*arguments: object, inner: object = inner) -> object:
            trigger.event()
            result = inner(*arguments)  # type: ignore[operator]
            trigger.event()
            return result

        setattr(Store, name, counted)


def run(events: str, at: str, number: str, file: str, *words: str) -> None:
    """Run the command line in this process."""
    trigger = Trigger(int(at), int(number), file)
    sys.argv = ["milesync", *words]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job inherits that it is ignored
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the same under nohup
    if events == "journal":
        count_boundaries(trigger)
    from milesync import main

    if events != "journal":
        sys.addaudithook(lambda name, _: trigger.event() if name.startswith(events) else None)
    main()


if __name__ == "__main__":
    run(*sys.argv[1:])
