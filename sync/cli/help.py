"""The text of ``--help`` in our own words: an option's value has a name, and a type of Python is never shown."""

from __future__ import annotations

import inspect
from typing import Any

__all__ = ["HELP_OPTIONS", "clear_help"]

HELP_OPTIONS = ("-h", "--help")


def clear_help(command: Any, name: str = "milesync") -> Any:
    """Change the help of a command, and of the commands in it, and return the command.

    Typer writes the Python type after a flag (``<bool>``) and after an argument, and keeps the line breaks that a
    docstring has in its source. Works on its objects, as it has no setting for any of these.
    """
    command.context_settings.setdefault("help_option_names", list(HELP_OPTIONS))
    if command.help:
        paragraphs = inspect.cleandoc(command.help).split("\n\n")
        command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    context = command.context_class(command, info_name=name, **command.context_settings)
    for parameter in command.get_params(context):
        vars(parameter)["_get_number_range_help_str"] = lambda: None
        if parameter.param_type_name == "argument":
            parameter.metavar = parameter.metavar or parameter.name.upper()
            vars(parameter)["display_type_rich"] = lambda **_: None
            vars(parameter)["_usage_display_name"] = _usage(parameter)
        elif parameter.is_flag:
            parameter.metavar = ""
    for inner_name, inner in getattr(command, "commands", {}).items():
        clear_help(inner, inner_name)
    return command


def _usage(argument: Any) -> Any:
    words = argument.metavar if argument.required else f"[{argument.metavar}]"
    return lambda: words
