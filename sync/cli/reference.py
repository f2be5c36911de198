"""The page of all commands, generated from the program so that it can't differ from it.

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

Every command ends with one of the [exit codes](exit-codes.md). `milesync COMMAND --help` prints the same text.
`milesync --version` prints the version.
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
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [param for param in command.params if param.param_type_name == "option"]
    yield f"## {' '.join([words, *map(_argument, arguments)])}"
    yield ""
    yield inspect.cleandoc(command.help or "")
    yield ""
    yield "| argument or option | meaning | default |"
    yield "|---|---|---|"
    for parameter in (*arguments, *options):
        name = _argument(parameter) if parameter in arguments else _option(parameter)
        yield f"| `{name}` | {_meaning(parameter)} | {_default(parameter)} |"
    yield ""


def _argument(parameter: Any) -> str:
    name = str(parameter.metavar or parameter.name.upper())
    return name if parameter.required else f"[{name.strip('[]')}]"


def _option(parameter: Any) -> str:
    value = "" if parameter.is_flag else f" {parameter.metavar or parameter.name.upper()}"
    return ", ".join((*parameter.opts, *parameter.secondary_opts)) + value


def _meaning(parameter: Any) -> str:
    return str(getattr(parameter, "help", "") or "").replace("|", "\\|")


def _default(parameter: Any) -> str:
    value = parameter.default
    return "" if value in (None, "", False, ()) or callable(value) else f"`{value}`"


if __name__ == "__main__":
    sys.stdout.write(reference())
