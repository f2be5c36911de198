"""Documents for Jira Cloud, against Atlassian's own schema."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from sync.markup import render
from sync.model.health import Status
from sync.model.tracker_data import Markup
from sync.report.summary import status_issue_body, summary, transition
from tests.golden.situations import SITUATIONS, at_risk
from tests.property.hostile_text import assert_adf_is_quiet, attacked

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

SCHEMA = json.loads(gzip.decompress((Path(__file__).parent / "adf_schema" / "full.json.gz").read_bytes()))


def _kinds(schema: dict[str, Any]) -> set[str]:
    """The node types that a subschema can accept."""
    if "$ref" in schema:
        return _kinds(SCHEMA["definitions"][schema["$ref"].rsplit("/", 1)[1]])
    if "anyOf" in schema or "allOf" in schema:
        return set[str]().union(*(_kinds(part) for part in schema.get("anyOf", []) + schema.get("allOf", [])))
    return set(schema.get("properties", {}).get("type", {}).get("enum", []))


def _any_of(validator: Any, schemas: list[dict[str, Any]], instance: Any, _: Any) -> Iterator[ValidationError]:
    """As the standard does it, but asking only the alternatives for this type of node: 40 times as fast."""
    from jsonschema import ValidationError  # late: slow to load, and every worker collects this file

    kind = instance.get("type") if isinstance(instance, dict) else None
    fitting = [schema for schema in schemas if kind is None or not (kinds := _kinds(schema)) or kind in kinds]
    if not any(validator.evolve(schema=row).is_valid(instance) for row in fitting):
        yield ValidationError(f"{kind} fits none of the alternatives: {json.dumps(instance)[:300]}")


@cache
def validator() -> Validator:
    from jsonschema import Draft4Validator, validators

    found: Validator = validators.extend(Draft4Validator, {"anyOf": _any_of})(SCHEMA)  # type: ignore[no-untyped-call]
    return found


@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_situation_is_a_valid_document(situation: str) -> None:
    body = render(summary(SITUATIONS[situation]()), Markup.ADF, 30_000)
    validator().validate(json.loads(body))
    assert_adf_is_quiet(body)


def test_the_short_texts_are_valid_documents() -> None:
    facts = at_risk()
    for document in (transition(facts, Status.ON_TRACK), status_issue_body(facts.milestone, facts.project)):
        validator().validate(json.loads(render(document, Markup.ADF, 30_000)))


def test_attacked_and_shortened_documents_are_valid() -> None:
    random = Random(7)
    for _ in range(20):
        validator().validate(json.loads(render(summary(attacked(random)), Markup.ADF, random.randrange(500, 9_000))))


@pytest.mark.parametrize(
    "node",
    [
        {"type": "paragraph", "content": [{"type": "text", "text": ""}]},
        {"type": "heading", "attrs": {"level": 9}, "content": []},
        {"type": "expand", "content": [{"type": "expand", "content": []}]},
        {"type": "bulletList", "content": []},
        {"type": "surprise"},
    ],
)
def test_the_schema_refuses_what_is_wrong(node: dict[str, Any]) -> None:
    from jsonschema import ValidationError

    with pytest.raises(ValidationError):
        validator().validate({"type": "doc", "version": 1, "content": [node]})
