"""The document `status.json`: its schema describes what is written, for each audience, and changes with its version."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sync.assess.relations import build_portfolio
from sync.assess.shown import shown_to
from sync.cli.output import STATUS_VERSION, status_document
from sync.model.audience import OPERATOR, PUBLIC, Audience
from sync.model.counting import Counting
from sync.model.definition import FindingKind
from sync.model.health import Status
from sync.model.team_words import OwnerOrigin
from tests.e2e.in_process import milesync
from tests.e2e.small_world import served
from tests.sample_site import JOINT, NOW, installation, small

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "reference" / "status.schema.json").read_text("utf-8"))
DIGESTS = {1: "2684dc7ad558f7a5"}
"""Digest of the schema of each version, without its texts. A published version never changes: add the next one."""

AUDIENCES = [OPERATOR, Audience(PUBLIC), Audience("board", ("gh:acme/vault",)), Audience("gh:acme/vault")]


def problems(document: Any) -> list[str]:
    import jsonschema  # late: slow to load, and every worker collects this file

    checker = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
    return [f"{error.json_path}: {error.message}" for error in checker.iter_errors(document)]


def rules_alone(schema: Any) -> Any:
    """Return the schema without titles and descriptions."""
    if isinstance(schema, dict):
        return {name: rules_alone(value) for name, value in schema.items() if name not in ("description", "title")} | (
            {"properties": {name: rules_alone(value) for name, value in schema["properties"].items()}}
            if "properties" in schema
            else {}
        )
    return [rules_alone(value) for value in schema] if isinstance(schema, list) else schema


@pytest.fixture(scope="module")
def texts() -> dict[str, bytes]:
    """The document for each audience, as text, by the name of the audience."""
    found = {}
    with installation(small(), joints=(JOINT,)) as engine:
        for audience in AUDIENCES:
            portfolio = build_portfolio(engine.snapshot(NOW, audience).limit_levers(()))
            found[audience.name] = msgspec.json.encode(status_document(*shown_to(audience, portfolio)))
    return found


def document(texts: dict[str, bytes], audience: Audience = OPERATOR) -> dict[str, Any]:
    """Return a copy of the document for an audience."""
    found: dict[str, Any] = json.loads(texts[audience.name])
    return found


@pytest.mark.parametrize("audience", AUDIENCES, ids=lambda audience: audience.name or "operator")
def test_the_document_of_each_audience_follows_the_schema(texts: dict[str, bytes], audience: Audience) -> None:
    found = document(texts, audience)
    assert found["milestones"]
    assert problems(found) == []


def test_a_private_project_is_in_no_public_document(texts: dict[str, bytes]) -> None:
    assert "vault" in json.dumps(document(texts))
    assert "vault" not in json.dumps(document(texts, Audience(PUBLIC)))


def test_the_documents_that_commands_write_follow_the_schema(tmp_path: Path) -> None:
    with served(tmp_path) as (_, config):
        assert milesync("run", "--first-run", config=config).code == 0
        for audience in ("", "public", "gh:acme/app"):
            folder = tmp_path / f"site-{audience.partition(':')[0]}"
            done = milesync("report", "--out", str(folder), "--audience", audience, config=config)
            assert done.code == 0, done.err
            written = json.loads((folder / "status.json").read_text(encoding="utf-8"))
            assert written["milestones"]
            assert problems(written) == []
            shown = milesync(
                "status", "--json", *(["--audience", audience] if audience else []), config=config
            ).document
            assert {name: shown[name] for name in ("version", "milestones")} == written


@pytest.mark.parametrize(
    ("row", "key", "value"),
    [(-1, "surplus", 1), (0, "surplus", 1), (0, "status", "late"), (0, "due", "soon"), (0, "open", "3"), (0, "p50", 7)],
)
def test_another_format_is_noticed(texts: dict[str, bytes], row: int, key: str, value: object) -> None:
    changed = document(texts)
    changed["milestones"][row][key] = value
    assert problems(changed)


@pytest.mark.parametrize("row", [0, -1], ids=["milestone", "joint"])
def test_a_missing_key_is_noticed(texts: dict[str, bytes], row: int) -> None:
    whole = document(texts)
    for key in whole["milestones"][row]:
        changed = document(texts)
        del changed["milestones"][row][key]
        assert problems(changed), key


def test_the_values_of_the_schema_are_those_of_the_program() -> None:
    row, definitions = SCHEMA["$defs"]["milestone"]["properties"], SCHEMA["$defs"]
    assert row["status"]["enum"] == [status.value for status in Status]
    assert row["owner_origin"]["enum"] == [*(origin.value for origin in OwnerOrigin), None]
    assert definitions["finding"]["properties"]["kind"]["enum"] == [kind.value for kind in FindingKind]
    assert definitions["items"]["properties"]["count"]["enum"] == [way.value for way in Counting]


def test_a_change_of_the_format_has_a_new_version() -> None:
    digest = hashlib.sha256(json.dumps(rules_alone(SCHEMA), sort_keys=True).encode()).hexdigest()[:16]
    assert SCHEMA["properties"]["version"]["const"] == STATUS_VERSION == max(DIGESTS)
    assert digest == DIGESTS[STATUS_VERSION], "raise STATUS_VERSION, and add the digest of the new version"


def test_a_changed_rule_changes_the_digest_and_a_text_does_not() -> None:
    changed = json.loads(json.dumps(SCHEMA))
    changed["description"] = changed["$defs"]["joint"]["title"] = "other words"
    assert rules_alone(changed) == rules_alone(SCHEMA)
    changed["$defs"]["joint"]["properties"]["title"] = {"type": "number"}
    assert rules_alone(changed) != rules_alone(SCHEMA)
