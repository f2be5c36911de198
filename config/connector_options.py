"""The table ``options`` of a connection, checked against what its type of connector declares."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from config.connector_types import installed_type
from config.errors import lines

__all__ = ["lists_of_options", "option_errors", "options_type"]


def options_type(kind: object) -> type[Any] | None:
    """The dataclass ``Options`` next to the factory of a type of connector. None: it declares no options."""
    point = installed_type(str(kind))
    declared: type[Any] | None = getattr(import_module(point.module), "Options", None) if point else None
    return declared


def option_errors(table: Mapping[str, Any], file: str) -> Iterator[str]:
    """The errors in the options of all connections of the parsed file ``table``, one line each.

    The options of a connector that declares none are not checked.
    """
    connections = table.get("connections")
    if not isinstance(connections, Mapping):
        return
    for name, connection in connections.items():
        options = connection.get("options") if isinstance(connection, Mapping) else None
        if not isinstance(options, Mapping):
            continue
        declared = options_type(connection.get("type"))
        if declared is None:
            continue
        try:
            TypeAdapter(declared).validate_json(json.dumps(options, default=str))
        except ValidationError as error:
            yield from lines(error, declared, options, file, ("connections", name, "options"))


def lists_of_options(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parsed file with a list of one in place of a text, in the options that are lists."""
    connections = table.get("connections")
    if not isinstance(connections, Mapping):
        return dict(table)
    return {**table, "connections": {name: _with_lists(connection) for name, connection in connections.items()}}


def _with_lists(connection: Any) -> Any:
    options = connection.get("options") if isinstance(connection, Mapping) else None
    if not isinstance(options, Mapping) or (declared := options_type(connection.get("type"))) is None:
        return connection
    hints = get_type_hints(declared)
    lists = {
        key: [value] for key, value in options.items() if isinstance(value, str) and get_origin(hints.get(key)) is tuple
    }
    return {**connection, "options": {**options, **lists}}
