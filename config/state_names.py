"""Names of done, removed and started items: from the tables of the configuration to the rules for an item's state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from config.errors import key
from config.tables import ConnectionSettings, ProjectRules
from sync.model.item_state import StateNames, StateRules, fold_name, fold_names

__all__ = ["ambiguous_names", "state_rules", "written_names"]

_TABLES = ("done", "removed", "started")
_LISTS = ("states", "labels", "resolutions")


def state_rules(connection: ConnectionSettings, project: ProjectRules | None) -> StateRules:
    """Return the rules of a project: each of its own tables replaces the connection's."""
    done, removed, started = (getattr(project, name, None) or getattr(connection, name) for name in _TABLES)
    return StateRules.named(
        done=StateNames(fold_names(done.states), fold_names(done.labels), fold_names(done.resolutions)),
        started=StateNames(fold_names(started.states), fold_names(started.labels)),
        removed_states=None if removed.states is None else fold_names(removed.states),
        removed_labels=fold_names(removed.labels),
        removed_resolutions=None if removed.resolutions is None else fold_names(removed.resolutions),
    )


def written_names(connection: ConnectionSettings) -> Iterator[tuple[str, str, str]]:
    """Yield each name of a connection and its projects: its key in the table of the connection, its kind, the name."""
    tables = [((), connection), *((("project", name), rules) for name, rules in connection.project.items())]
    for place, own in tables:
        for table in _TABLES:
            for kind in _LISTS:
                names = getattr(getattr(own, table), kind, None) or ()
                yield from ((key((*place, table, kind, i)), kind, name) for i, name in enumerate(names))


def ambiguous_names(table: Mapping[str, Any], file: str) -> Iterator[str]:
    """Yield one line for each name of the parsed file ``table`` that has two meanings in one connection or project."""
    for place, own in _entries(table, "connections"):
        yield from _ambiguous(own, {}, place, file)
        for inner, project in _entries(own, "project"):
            yield from _ambiguous(project, own, (*place, *inner), file)


def _ambiguous(
    own: Mapping[str, Any], connection: Mapping[str, Any], place: tuple[str, ...], file: str
) -> Iterator[str]:
    """Yield the lines of a connection, or of a project with the tables of its ``connection``."""
    for first, second in combinations([name for name in _TABLES if name in own or name in connection], 2):
        if first not in own and second not in own:
            continue  # the connection has its own line
        for kind in _LISTS:
            known = fold_names(_names(own.get(first, connection.get(first)), kind))
            for i, name in enumerate(_names(own.get(second, connection.get(second)), kind)):
                if fold_name(name) in known:
                    where = key((*place, second, kind, i))
                    yield f"{file}:{where}: this name is in {first}.{kind} too; a name has one meaning"


def _names(table: object, kind: str) -> list[str]:
    """Return the names of a list, empty where they are no texts: another error says so."""
    names = table.get(kind) if isinstance(table, Mapping) else None
    return [name if isinstance(name, str) else "" for name in names] if isinstance(names, list) else []


def _entries(table: Mapping[str, Any], name: str) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    entries = table.get(name)
    for inner, value in entries.items() if isinstance(entries, Mapping) else ():
        if isinstance(value, Mapping):
            yield (name, inner), value
