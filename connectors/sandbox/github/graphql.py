"""Sandbox GitHub: GraphQL over the world, executed by graphql-core against the types in ``schema.graphql``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    build_schema,
    execute_sync,
    parse,
    validate,
)

from connectors.sandbox.github.board_items import BOARD_ITEMS
from connectors.sandbox.github.project_boards import BOARDS
from connectors.sandbox.github.resolvers import FIELDS, type_of
from connectors.sandbox.versions import prune, ruby_words
from connectors.sandbox.world import Tracker

__all__ = ["Answer", "answer"]


class Answer(NamedTuple):
    """Body of an answer; ``changes`` names the requested mutations."""

    body: dict[str, Any]
    changes: tuple[str, ...] = ()


def answer(tracker: Tracker, asked: Mapping[str, Any]) -> Answer:
    """Execute a request ``{query, variables, operationName}``. Errors are part of the answer, as in GraphQL."""
    schema = _schema(tracker.version)
    try:
        document, problems = _document(str(asked.get("query") or ""), tracker.version)
    except GraphQLError as problem:
        return Answer({"errors": [_error(problem)]})
    if problems:
        return Answer({"errors": [_error(problem) for problem in problems]})
    result = execute_sync(
        schema,
        document,
        context_value=tracker,
        variable_values=dict(asked.get("variables") or {}),
        operation_name=asked.get("operationName"),
    )
    body: dict[str, Any] = {"data": result.data}
    if result.errors:
        body["errors"] = [_error(problem) for problem in result.errors]
    return Answer(body, _changes(document))


@lru_cache(maxsize=64)
def _document(text: str, version: str) -> tuple[DocumentNode, Sequence[GraphQLError]]:
    document = parse(text)
    return document, validate(_schema(version), document)


def _changes(document: DocumentNode) -> tuple[str, ...]:
    return tuple(
        selection.name.value
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode) and node.operation is OperationType.MUTATION
        for selection in node.selection_set.selections
        if isinstance(selection, FieldNode)
    )


def _error(problem: GraphQLError) -> dict[str, Any]:
    made: dict[str, Any] = {"message": ruby_words(problem.message)}
    kind = (problem.extensions or {}).get("type")
    if kind:
        made["type"] = kind
    if problem.path:
        made["path"] = problem.path
    if problem.locations:
        made["locations"] = [{"line": at.line, "column": at.column} for at in problem.locations]
    return made


@lru_cache(maxsize=8)
def _schema(version: str) -> GraphQLSchema:
    """Return the schema of a version of Enterprise Server; of github.com for an empty one."""
    text = files("connectors.sandbox.github").joinpath("schema.graphql").read_text("utf-8")
    schema = prune(build_schema(text), "github", version)
    for name, type_ in schema.type_map.items():
        if isinstance(type_, GraphQLObjectType) and not name.startswith("__"):
            for field_name, field in type_.fields.items():
                own = (name, field_name)
                found = BOARDS.get(own) or BOARD_ITEMS.get(own) or FIELDS.get(own) or FIELDS.get(("", field_name))
                if found is not None:
                    field.resolve = found
        if hasattr(type_, "resolve_type"):
            type_.resolve_type = type_of
    return schema
