"""Sandbox GitLab: the complexity of a GraphQL query, by the rules in GitLab's source (`Types::BaseField`).

A field costs 1 and its selection. A list adds 1 for a sort, and 1% of all that for each row of its page (100 without
a size), unless the rows are selected by their numbers. Some lists of GitLab cost less: here they all cost this much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Undefined,
    get_named_type,
    value_from_ast_untyped,
)

__all__ = ["LIMIT", "complexity_of"]

LIMIT = 250
"""Complexity that GitLab allows an account."""

MOST = 100
"""Rows in a page."""


def complexity_of(schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> int:
    """Return the complexity of a valid document with these variables."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    scorer = _Scorer(schema, fragments, dict(variables))
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    roots = [(schema.get_root_type(node.operation), node.selection_set) for node in operations]
    return sum(scorer.selection(root, selected) for root, selected in roots if root is not None)


class _Scorer:
    def __init__(
        self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode], variables: dict[str, Any]
    ) -> None:
        self._schema, self._fragments, self._variables = schema, fragments, variables

    def selection(self, parent: GraphQLNamedType, selected: SelectionSetNode | None) -> int:
        """Score a selection. Of fragments for different types that of the largest counts."""
        own = 0
        by_type: dict[str, int] = {}
        for node in selected.selections if selected else ():
            if any(False in self._values(directive.arguments) for directive in node.directives or ()):
                continue  # the only directive in use is @include
            if isinstance(node, FieldNode):
                own += self._field(parent, node)
                continue
            fragment = self._fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
            assert isinstance(fragment, FragmentDefinitionNode | InlineFragmentNode)
            name = fragment.type_condition.name.value if fragment.type_condition else parent.name
            type_ = self._schema.type_map[name]
            by_type[name] = by_type.get(name, 0) + self.selection(type_, fragment.selection_set)
        return own + max(by_type.values(), default=0)

    def _field(self, parent: GraphQLNamedType, node: FieldNode) -> int:
        if node.name.value == "__typename":
            return 1
        assert isinstance(parent, GraphQLObjectType | GraphQLInterfaceType)
        field: GraphQLField = parent.fields[node.name.value]
        type_ = get_named_type(field.type)
        score = self.selection(type_, node.selection_set) + 1
        if not type_.name.endswith("Connection"):
            return score
        names = [argument.name.value for argument in node.arguments or ()]
        given = dict(zip(names, self._values(node.arguments), strict=True))
        score += "sort" in field.args and (field.args["sort"].default_value is not Undefined or "sort" in given)
        sizes = [size for name in ("first", "last") if (size := given.get(name)) is not None]
        rows = 0 if given.get("iids") else min([*sizes, MOST])
        return int(score * (1 + rows / 100))

    def _values(self, arguments: Iterable[ArgumentNode] | None) -> list[Any]:
        return [value_from_ast_untyped(argument.value, self._variables) for argument in arguments or ()]
