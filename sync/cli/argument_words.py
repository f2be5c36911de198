"""Words for wrong arguments of a question to `milesync mcp`: which one, what was given, and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from sync.markup.document import clean

__all__ = ["argument_problems"]

MOST_NAMED = 5
"""Maximum number of wrong arguments that are named."""


def argument_problems(
    given: Mapping[str, Any], wrong: Sequence[Mapping[str, Any]], properties: Mapping[str, Mapping[str, Any]]
) -> str:
    """Return the problems in one line; empty without any.

    ``wrong`` are pydantic's errors, ``properties`` the JSON schemas of the arguments that the tool has.
    """
    names = dict.fromkeys(str(error["loc"][0]) for error in wrong if error["loc"])
    problems = [_problem(name, given, properties[name]) for name in names if name in properties]
    known = ", ".join(f"`{name}`" for name in properties)
    problems += [
        f"there is no argument `{clean(name)}`; this tool takes {known}" for name in given if name not in properties
    ]
    more = [f"{len(problems) - MOST_NAMED} more are wrong"] if len(problems) > MOST_NAMED else []
    return "; ".join([*problems[:MOST_NAMED], *more])


def _problem(name: str, given: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    allowed = f"it takes {_allowed(schema)} ({schema['description']})"
    if name not in given:
        return f"`{name}` is missing; {allowed}"
    return f"`{name}` was given as {_shown(given[name])}; {allowed}"


def _shown(value: object) -> str:
    """Return a wrong value as short JSON, with the number of its characters or entries if it is long."""
    text = clean(msgspec.json.encode(value).decode(errors="replace"))
    match value:
        case str() if len(value) > len(text):
            return f"{len(value)} characters, {text}"
        case list() if text.endswith("…"):
            return f"{len(value)} entries, {text}"
    return text


def _allowed(schema: Mapping[str, Any]) -> str:
    """Return in words what a JSON schema allows. null is not named: an argument that allows it may be left out."""
    own = next((own for own in schema.get("anyOf", ()) if own.get("type") != "null"), schema)
    kinds = {own["type"]} if isinstance(own["type"], str) else set(own["type"])
    if "boolean" in kinds:
        return "true or false"
    if "integer" in kinds:
        return f"a whole number from {own['minimum']} to {own['maximum']}"
    if "array" not in kinds:
        return f"a text of at most {own['maxLength']} characters"
    items = own["items"]
    if "enum" in items:
        return f"a list of {', '.join(items['enum'])}"
    return f"a list of at most {own['maxItems']} texts of at most {items['maxLength']} characters"
