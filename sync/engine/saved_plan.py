"""Saved plans: a file with the reviewed actions and their fingerprint, which `apply` compares with a new plan."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Self

import msgspec

from sync.model.characters import escaped_json, one_line
from sync.model.errors import PlainError
from sync.plan.fingerprint import fingerprint
from sync.store.private_file import write_private
from sync.tracker.actions import Action, AnyAction

__all__ = ["PlanFileError", "SavedPlan"]


class PlanFileError(PlainError, ValueError):
    """A file that cannot be read, or that holds no saved plan."""


class SavedPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A saved plan. ``made`` is its time in UTC; ``fingerprint`` covers the actions."""

    instance: str
    made: datetime
    fingerprint: str
    actions: tuple[AnyAction, ...]

    @classmethod
    def of(cls, instance: str, made: datetime, actions: Sequence[Action]) -> Self:
        """Return a plan of these actions, made at ``made`` (UTC)."""
        return msgspec.convert(
            {
                "instance": instance,
                "made": made,
                "fingerprint": fingerprint(actions),
                "actions": [msgspec.to_builtins(action) for action in actions],
            },
            cls,
        )

    def save(self, file: Path) -> None:
        """Write the plan to a file as readable JSON, for its owner alone. Raises OSError."""
        text = msgspec.json.format(msgspec.json.encode(self), indent=2).decode()
        write_private(file, f"{escaped_json(text)}\n".encode())

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read a plan from a file. Raises `PlanFileError` with the file's name when it is missing or not a plan."""
        try:
            return msgspec.json.decode(file.read_bytes(), type=cls)
        except OSError as problem:
            raise PlanFileError(f"{one_line(str(file))}: {problem.strerror or problem}") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            raise PlanFileError(
                f"{one_line(str(file))}: not a saved plan ({problem}); `milesync plan --out FILE` saves one"
            ) from None
