"""The field that holds the sprints of an issue."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["current_sprint"]

_SPRINT = re.compile(r"\[.*?\bid=(?P<id>\d+)")
_STATE = re.compile(r"\bstate=(?P<state>[A-Za-z]+)")


def current_sprint(sprints: Any) -> str:
    """The number of the sprint that is not closed, else of the last sprint; empty without one.

    Cloud sends objects, Data Center sends texts.
    """
    last = ""
    for sprint in sprints if isinstance(sprints, list) else ():
        if isinstance(sprint, dict):
            number, state = str(sprint.get("id", "")), str(sprint.get("state", ""))
        else:
            number_match, state_match = _SPRINT.search(str(sprint)), _STATE.search(str(sprint))
            number, state = number_match["id"] if number_match else "", state_match["state"] if state_match else ""
        if number and state.lower() != "closed":
            return number
        last = number or last
    return last
