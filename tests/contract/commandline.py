"""Whether a command line that stands in a file or a page exists: its command, and each of its flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import entry_points

import typer.main

__all__ = ["commands", "unknown_words"]


@cache
def commands() -> Mapping[str, frozenset[str]]:
    """The flags of each command; those from entry points, which take theirs from elsewhere, have none here."""
    from sync.cli import app  # here, so that files are still read when the program is broken

    group = typer.main.get_command(app)
    found = {
        name: frozenset(flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts))
        for name, command in getattr(group, "commands", {}).items()
    }
    late = {point.name: frozenset[str]() for point in entry_points(group="milesync.commands")}
    return {**late, **found}


def unknown_words(words: Sequence[str]) -> list[str]:
    """Of ``run --config FILE --json``, what `milesync` does not know."""
    command, *rest = words
    if command not in commands():
        return [command]
    return [
        word for word in rest if word.startswith("--") and word.split("=")[0] not in {*commands()[command], "--help"}
    ]
