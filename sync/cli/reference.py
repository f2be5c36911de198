"""The page of all commands, generated from the program so that it can't differ from it.

``python -m sync.cli.reference > docs/reference/commands.md``
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from typing import Any

from sync import cli

__all__ = ["WRITES", "reference"]

_HEAD = """\
# Commands

<!-- Generated: python -m sync.cli.reference > docs/reference/commands.md -->

Every command ends with one of the [exit codes](exit-codes.md). `milesync COMMAND -h` prints the same text.
`milesync --version` prints the version, and `milesync --install-completion` lets your shell complete commands and
options. What reads takes `--as-of 2026-03-15`, which shows the state of that day.

| command | what it does | writes to trackers |
|---|---|---|
"""

WRITES = {
    "run": "as the policy says",
    "apply": "as the policy says",
    "serve": "as the policy says",
    "worker": "as the policy says",
    "adopt": "with `--yes`",
    "retire": "with `--yes`",
    "demo": "only to its own",
    "sandbox": "only to its own",
}
"""What a command may write to trackers; the others write nothing."""


def reference() -> str:
    """The page, as Markdown."""
    commands = cli.application(cli.commands()).commands
    lines = [_HEAD + "\n".join(_row(name, command) for name, command in commands.items()), ""]
    for name in sorted(commands):
        lines += _section(f"milesync {name}", commands[name])
    return "\n".join(lines)


def _row(name: str, command: Any) -> str:
    what = command.help.partition("\n\n")[0]
    return f"| `milesync {name}` | {what} | {WRITES.get(name, 'no')} |"


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
    yield "\n\n".join(textwrap.fill(paragraph, 120) for paragraph in command.help.split("\n\n"))
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
