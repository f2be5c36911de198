"""Transitions of Jira's workflows that close or reopen an issue: which one milesync uses. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.jira import api_types

__all__ = ["choose_transition", "transition_setting"]

_OPEN = ("new", "indeterminate")
"""Status categories of open issues."""


def transition_setting(*, closed: bool) -> str:
    """Return the name of the setting for the transition to a state."""
    return "close_transition" if closed else "reopen_transition"


def choose_transition(
    transitions: Sequence[api_types.Transition], *, closed: bool, name: str = ""
) -> api_types.Transition | str:
    """Return the transition that closes (``closed``) or reopens an issue, or the reason in words if none can be chosen.

    ``transitions`` are those that the account may use now. ``name`` (or id) is the configured transition. Without it
    the only transition to the category "done" closes; the only one to another category reopens, or of several the only
    one to the category "to do".
    """
    fits = [entry for entry in transitions if entry.to and (_category(entry) == "done" if closed else _is_open(entry))]
    verb, setting = "closes" if closed else "reopens", transition_setting(closed=closed)
    if name:
        named = [entry for entry in fits if name.casefold() == entry.name.casefold() or name == entry.id]
        return named[0] if named else f"no transition {name!r} that {verb} it is offered; see status_issue.{setting}"
    if not fits:
        return f"no transition that {verb} it is offered to this account"
    to_do = [entry for entry in fits if _category(entry) == "new"]
    for candidates in (fits, to_do):
        if len(candidates) == 1:
            return candidates[0]
    verb = verb.removesuffix("s")
    return f"{len(fits)} transitions {verb} it; name one of them in status_issue.{setting}"


def _category(transition: api_types.Transition) -> str:
    return transition.to.statusCategory.key if transition.to else ""


def _is_open(transition: api_types.Transition) -> bool:
    return _category(transition) in _OPEN
