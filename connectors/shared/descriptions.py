"""Change our lines in a milestone's description, for every tracker alike."""

from __future__ import annotations

from sync.tracker.actions import UpdateDescription
from sync.tracker.errors import RefusedError
from sync.tracker.managed_block import BlockChangedError, replace_block

__all__ = ["changed_description"]


def changed_description(present: str | None, action: UpdateDescription, connection: str) -> str:
    """Return the present description with our lines replaced. None is an empty description.

    Raises `RefusedError` if the mark of our present lines is not `UpdateDescription.was`: somebody changed them.
    """
    try:
        return replace_block(present or "", action.lines, action.instance, action.was)
    except BlockChangedError:
        detail = "somebody changed the description since it was read; run again"
        raise RefusedError(connection, action.project_key, detail) from None
