"""The numbers behind a health as nested lists and tables in HTML. Each value is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from markupsafe import Markup, escape

__all__ = ["number_tree"]

MAX_ROWS = 60
"""Maximum number of rows of a table; the others are counted."""


def number_tree(value: object) -> Markup:
    """Return the HTML of JSON-able data: maps as definition lists, lists of maps as tables, values in ``<bdi>``."""
    return Markup(_html(value))  # noqa: S704 - names and values are escaped


def _html(value: object) -> str:
    """Return the HTML of a value. The type is compared first: a report has half a million values."""
    kind = type(value)
    if kind is str:
        return _isolated(value)
    if kind is int or kind is float:
        return f"<bdi>{value}</bdi>"
    if value is None:
        return "–"
    if kind is bool:
        return "yes" if value else "no"
    match value:
        case Mapping():
            entries = [f"<dt>{_name(key)}</dt><dd>{_html(inner)}</dd>" for key, inner in value.items()]
            return f"<dl>{''.join(entries)}</dl>"
        case str():
            return _isolated(value)
        case list() | tuple() if value and isinstance(value[0], Mapping):
            return _table(value)
        case Iterable():
            return ", ".join(map(_isolated, value)) or "none"
    return _isolated(value)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    heads = "".join(f'<th scope="col">{_name(key)}</th>' for key in rows[0])
    lines = ["</td><td>".join(map(_html, row.values())) for row in rows[:MAX_ROWS]]
    body = "\n".join([f"<tr><td>{line}</td></tr>" for line in lines])
    more = f"<p>{len(rows) - MAX_ROWS} more are in the data.</p>" if len(rows) > MAX_ROWS else ""
    return (
        '<div class="scroll" role="group" aria-label="table" tabindex="0"><table class="plain">'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>{more}"
    )


def _name(key: object) -> str:
    return _escaped(str(key).replace("_", " "))


def _isolated(value: object) -> str:
    return f"<bdi>{_escaped(str(value))}</bdi>"


@lru_cache(maxsize=10_000)
def _escaped(text: str) -> str:
    """Return a text as HTML. Names, days and ids are many times on each page."""
    return str(escape(text))
