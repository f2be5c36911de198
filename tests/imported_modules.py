"""The modules that a Python process imports."""

from __future__ import annotations

__all__ = ["PRINT_IMPORTS", "imported_modules"]

PRINT_IMPORTS = {"PYTHONPROFILEIMPORTTIME": "1"}
"""Variables that let a process print its imports on standard error."""


def imported_modules(err: str) -> list[str]:
    """Return the names of the modules from what a process with `PRINT_IMPORTS` printed, as their imports ended."""
    lines = [line for line in err.splitlines() if line.startswith("import time:")]
    return [line.rpartition("|")[2].strip() for line in lines[1:]]
