"""Errors of a configuration: all of them at once, one line each, with the key and never the value."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from sync.model.errors import PlainError
from sync.model.settings import SettingError

__all__ = ["ConfigurationError", "did_you_mean", "lines", "lookup"]

_REASONS = {
    "missing": "is missing",
    "extra_forbidden": "there is no such key",
    "unexpected_keyword_argument": "there is no such key",
    "bool_parsing": "should be true or false",
    "tuple_type": "should be a list",
    "list_type": "should be a list",
    "dict_type": "should be a table",
    "dataclass_type": "should be a table",
    "model_type": "should be a table",
    "model_attributes_type": "should be a table",
    "too_short": "is empty",
    "string_pattern_mismatch": "should be letters, digits, dots, - and _, and start with a letter or a digit",
    "string_type": "should be a text in quotes",
}


class ConfigurationError(PlainError):
    """The configuration can't be used. ``errors`` holds one line per mistake: ``file:key: reason``."""

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = tuple(dict.fromkeys(errors))
        super().__init__("\n".join(self.errors))


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """``, did you mean 'x'?`` for the nearest known word, or an empty text. The word itself is not repeated."""
    plain = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(str(word).casefold(), plain, n=1, cutoff=0.6)
    return f", did you mean {plain[near[0]]!r}?" if near else ""


def lookup(table: Any, where: Sequence[str | int]) -> Any:
    """The value at the place ``where`` of a parsed file, or None."""
    for step in where:
        if isinstance(table, Mapping):
            table = table.get(step)
        elif isinstance(table, list) and isinstance(step, int) and step < len(table):
            table = table[step]
        else:
            return None
    return table


def lines(
    error: ValidationError, model: type[Any], table: Mapping[str, Any], name: str, place: Sequence[str] = ()
) -> list[str]:
    """The errors of ``table``, at ``place`` in the file ``name``, one line each with its key. No line repeats a value.

    ``model`` is the table's class: a model or a dataclass.
    """
    errors = []
    for problem in error.errors(include_input=False, include_url=False):
        where = tuple(step for step in problem["loc"] if not (isinstance(step, str) and step.startswith("in:")))
        kind, context = problem["type"], problem.get("ctx", {})
        if kind == "value_error":
            reason = str(context["error"])
            if isinstance(context["error"], SettingError):
                where = (*where, context["error"].key)
        elif kind in ("enum", "literal_error"):
            words = _words(context["expected"])
            reason = f"should be one of {', '.join(words)}{did_you_mean(lookup(table, where), words)}"
        elif kind in ("extra_forbidden", "unexpected_keyword_argument"):
            reason = _REASONS[kind] + did_you_mean(where[-1], _keys(model, where[:-1]))
        else:
            reason = _REASONS.get(kind) or problem["msg"].replace("Input should", "should", 1)
        if kind == "missing":
            reason += _purpose(model, where)
        errors.append(f"{name}:{key((*place, *where))}: {reason}")
    return errors


def key(where: Sequence[str | int]) -> str:
    """A place in the file as people write it: ``connections.gh.projects[0]``."""
    text = ""
    for step in where:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            plain = step if step.replace("-", "").replace("_", "").isalnum() else f'"{step}"'
            text += f".{plain}" if text else plain
    return text


def _words(expected: str) -> list[str]:
    return [word.strip("' ") for word in expected.replace(" or ", ", ").split(",")]


def _purpose(model: type[Any], where: Sequence[str | int]) -> str:
    owner = _table_type(model, where[:-1])
    field = owner.model_fields.get(str(where[-1])) if owner and issubclass(owner, BaseModel) else None
    return f" ({field.description})" if field and field.description else ""


def _keys(model: type[Any], where: Sequence[str | int]) -> list[str]:
    owner = _table_type(model, where)
    if owner is None:
        return []
    return list(owner.model_fields) if issubclass(owner, BaseModel) else [f.name for f in dataclasses.fields(owner)]


def _table_type(model: type[Any], where: Sequence[str | int]) -> type[Any] | None:
    """The class of the table at ``where``: a model or a dataclass. Steps through lists and tables with free names."""
    current: type[Any] | None = model
    for step in where:
        if current is None or not issubclass(current, BaseModel):
            return None
        field = current.model_fields.get(step) if isinstance(step, str) else None
        if field is not None:
            current = _inner_table(field.annotation)
    return current


def _inner_table(annotation: Any) -> type[Any] | None:
    if isinstance(annotation, type) and (issubclass(annotation, BaseModel) or dataclasses.is_dataclass(annotation)):
        return annotation
    return next((table for arg in get_args(annotation) if (table := _inner_table(arg))), None)
