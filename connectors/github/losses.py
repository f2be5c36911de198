"""Losses on servers that lack optional fields of GraphQL."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from sync.tracker.preflight import Limitation

__all__ = ["losses"]

_DEPENDENCIES = "this server has no dependencies between issues: milesync does not see what is blocked"
_LIMITATIONS: Mapping[str, tuple[str, str]] = {
    "issueType": ("this server has no issue types", "3.18"),
    "parent": ("this server has no sub-issues: milesync does not see the parent of an issue", "3.18"),
    "blockedBy": (_DEPENDENCIES, "3.19"),
    "blocking": (_DEPENDENCIES, "3.19"),
    "enableDuplicate": ("this server knows no duplicates: an issue that is closed as one counts as done", "3.18"),
    "issueFieldValues": ("this server has no issue fields: issues have no target date and no effort", "3.23"),
    "stateReason": ("this server gives no reason for a closing: an issue closed as not planned counts as done", "3.6"),
}
"""The loss without each optional field, and the version of Enterprise Server that has the field."""


def losses(lacking: Collection[str]) -> Iterator[Limitation]:
    """Yield the losses on a server that lacks these optional fields."""
    for words, since in dict.fromkeys(_LIMITATIONS[name] for name in _LIMITATIONS if name in lacking):
        remedy = f"GitHub Enterprise Server {since} and later have this, if it is switched on"
        yield Limitation(words=words, remedy=remedy)
