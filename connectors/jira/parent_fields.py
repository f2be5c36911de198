"""Find an issue's parent: in the field ``parent`` (Cloud), in Data Center's epic link and parent link. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.jira import api_types
from connectors.jira.session import CustomFields

__all__ = ["child_parent", "is_parent_field", "parent_key"]

_NAMES = ("parent", "IssueParentAssociation", "Epic Link", "Parent Link")


def is_parent_field(change: api_types.Change, custom: CustomFields) -> bool:
    """Return whether a change in a changelog is one of the parent."""
    ids = {custom.epic_link, custom.parent_link} - {""}
    return change.field in _NAMES or (change.fieldId or change.field) in (*_NAMES, *ids)


def parent_key(row: api_types.Issue) -> str:
    """The key of an issue's parent or epic, empty for none. Data Center's parent link is not read with issues."""
    return row.fields.parent.key if row.fields.parent else row.fields.epic or ""


def child_parent(child: api_types.Child) -> str:
    """The key of the parent of a child: ``parent``, or Data Center's parent link; empty for none.

    The link is a text, or an object with the issue in ``data``.
    """
    if child.fields.parent:
        return str(child.fields.parent.key)
    value = child.fields.link
    if isinstance(value, Mapping):
        data = value.get("data")
        value = (data if isinstance(data, Mapping) else value).get("key")
    return value if isinstance(value, str) else ""
