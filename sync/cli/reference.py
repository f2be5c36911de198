"""The page of all commands, written from the program so that it can't differ from it.

``python -m sync.cli.reference > docs/reference/commands.md``
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import Any

import typer.main

from sync import cli

__all__ = ["reference"]

_HEAD = """\
# Commands

<!-- Generated: python -m sync.cli.reference > docs/reference/commands.md -->

Every command ends with one of the [exit codes](exit-codes.md). `milesync COMMAND --help` tells the same as this page.
"""


def reference() -> str:
    """The page, as Markdown."""
    commands = getattr(typer.main.get_command(cli.application(cli.commands())), "commands", {})
    lines = [_HEAD]
    for name in sorted(commands):
        lines += _section(f"milesync {name}", commands[name])
    return "\n".join(lines)


def _section(words: str, command: Any) -> Iterator[str]:
    inner = getattr(command, "commands", {})
    if inner:
        for name in sorted(inner):
            yield from _section(f"{words} {name}", inner[name])
        return
    given = [param for param in command.params if param.param_type_name == "argument"]
    flags = [param for param in command.params if param.param_type_name == "option"]
    yield f"## {' '.join([words, *map(_argument, given)])}"
    yield ""
    yield inspect.cleandoc(command.help or "")
    yield ""
    yield "| argument or option | meaning | default |"
    yield "|---|---|---|"
    for one in (*given, *flags):
        written = _argument(one) if one in given else _flag(one)
        yield f"| `{written}` | {_meaning(one)} | {_default(one)} |"
    yield ""


def _argument(one: Any) -> str:
    name = str(one.metavar or one.name.upper())
    return name if one.required else f"[{name.strip('[]')}]"


def _flag(one: Any) -> str:
    value = "" if one.is_flag else f" {one.metavar or one.name.upper()}"
    return ", ".join((*one.opts, *one.secondary_opts)) + value


def _meaning(one: Any) -> str:
    return str(getattr(one, "help", "") or "").replace("|", "\\|")


def _default(one: Any) -> str:
    value = one.default
    return "" if value in (None, "", False, ()) or callable(value) else f"`{value}`"


if __name__ == "__main__":
    sys.stdout.write(reference())
