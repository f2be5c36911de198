"""Configuration keys that have a new name. The former name is still read, with a warning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from config.errors import key

__all__ = ["RENAMED_KEYS", "rename_keys"]

RENAMED_KEYS: Mapping[str, str] = {
    "connections.*.also": "optional_outputs",
    "connections.*.project.*.also": "optional_outputs",
    "connections.*.removed_resolutions": "removed.resolutions",
}
"""Former place of a key (``*`` matches any name) -> its new name in the same table, or in a table of the same table. A
former name is never reused."""


def rename_keys(
    table: Mapping[str, Any], file: str, renamed: Mapping[str, str] = RENAMED_KEYS
) -> tuple[dict[str, Any], list[str], list[str]]:
    """Return a copy of the parsed file with the new names, the warnings and the errors, one line each.

    A table that has both names is an error, as milesync can't know which value is meant.
    """
    result = _copy(table)
    warnings: list[str] = []
    errors: list[str] = []
    for former, new_name in renamed.items():
        *parents, former_name = former.split(".")
        for place, inner in _tables(result, parents):
            if former_name not in inner:
                continue
            line = f"{file}:{key((*place, former_name))}: this key is now called {new_name!r}"
            value = inner.pop(former_name)
            *tables, last = new_name.split(".")
            home: Any = inner
            for table_name in tables:
                home = home.setdefault(table_name, {})
            if not isinstance(home, dict):
                continue  # no table, which is an error of its own
            if last in home:
                errors.append(f"{line}, which this table has too; delete {former_name!r}")
            else:
                warnings.append(f"{line}; rename it")
                home[last] = value
    return result, warnings, errors


def _copy(value: Any) -> Any:
    """A copy of the tables. All other values are shared."""
    return {name: _copy(inner) for name, inner in value.items()} if isinstance(value, Mapping) else value


def _tables(
    table: dict[str, Any], steps: Sequence[str], place: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """The tables at the place ``steps``, each with its own place. ``*`` is every table of that level."""
    if not steps:
        yield place, table
        return
    for name in list(table) if steps[0] == "*" else steps[:1]:
        inner = table.get(name)
        if isinstance(inner, dict):
            yield from _tables(inner, steps[1:], (*place, name))
