"""The command: ``milesync``, and ``python -m sync``.

It begins where nothing is imported yet and ends where nothing is needed any more, so that the garbage collector does
not look through all that start-up makes: that took a third of a second of a run that finds nothing changed.
"""

from __future__ import annotations

import gc
from typing import NoReturn

__all__ = ["main"]

_OFTEN = 100_000
"""After how many new objects the collector looks through them: a pull makes many, and hardly any of them in cycles."""


def main() -> NoReturn:
    """Import the command line, and run it."""
    gc.disable()
    from sync.cli import main as run  # after the line above

    gc.freeze()
    gc.set_threshold(_OFTEN)
    gc.enable()
    try:
        run()
    finally:
        gc.freeze()  # the interpreter looks for garbage again as it ends, and everything is


if __name__ == "__main__":
    main()
