"""Check command lines in files and pages: the command and each of its flags must exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

__all__ = ["commands", "unknown_words"]


GROUPS = ("db",)
"""Commands with commands of their own."""


@cache
def commands() -> Mapping[str, frozenset[str]]:
    """The flags of each command, those from entry points too."""
    from sync import cli  # here, so that files are still read when the program is broken

    found = cli.application(cli.commands()).commands
    return {name: _flags(command) for name, command in found.items()}


def _flags(command: Any) -> frozenset[str]:
    """The flags of a command; those of a group are its commands' names and all of their flags."""
    inner = getattr(command, "commands", {})
    own = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    return frozenset(own.union(inner, *(_flags(command) for command in inner.values())))


def unknown_words(words: Sequence[str]) -> list[str]:
    """Return the words of a command line, such as ``run --config FILE --json``, that `milesync` does not know."""
    command, *rest = words
    if command not in commands():
        return [command]
    known = {*commands()[command], "-h", "--help"}
    wrong = [word for word in rest if word.startswith("--") and word.split("=")[0] not in known]
    strange = rest[:1] if command in GROUPS and rest and rest[0] not in known else []
    return [*strange, *wrong]
