"""The command: ``milesync``, and ``python -m milesync``.

It stands outside the packages so that it can report a foreign package that hides one of them. It starts before any
import and ends after the last use, so that the garbage collector does not search what start-up creates: that took a
third of a second of a run that finds nothing changed.
"""

from __future__ import annotations

import gc
import os
import signal
import sys

__all__ = ["main"]

_PACKAGES = ("sync", "config", "connectors")

_COLLECT_AFTER = 300_000
"""Number of new objects after which the collector searches: more than what a run without changes imports and creates.

A pull creates many objects, and few of them in cycles."""


def main() -> None:
    """Import the command line and run it. Exit with code 1 if a foreign package hides one of milesync's packages."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)  # until `sync.signals` watches
    gc.disable()
    foreign = _foreign_package()
    if foreign:
        sys.exit(foreign)
    from sync import signals  # late: see above
    from sync.cli import main as run

    signals.watch()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
    gc.enable()
    try:
        run()
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise  # of a plugin: Python prints this message and ends with 1
        signals.leave(end.code or 0)


def _end(number: int, _frame: object) -> None:
    os._exit(128 + number)


def _foreign_package() -> str:
    """Return the error message about the first foreign package with a name of ours; "" if there is none."""
    from importlib.util import find_spec  # late: signals are handled first
    from pathlib import Path

    home = Path(__file__).resolve().parent
    for name in _PACKAGES:
        spec = find_spec(name)
        places = [] if spec is None else [spec.origin or "", *(spec.submodule_search_locations or ())]
        if home / name not in {Path(place).resolve() for place in places}:
            where = next(filter(None, places), "no place")
            return (
                f"milesync: Python finds another package named {name!r} first: {where}. "
                "Remove its folder from PYTHONPATH, or install milesync in an environment of its own (pipx, a venv, "
                "the container)."
            )
    return ""


if __name__ == "__main__":
    main()
