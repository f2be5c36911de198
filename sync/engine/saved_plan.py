"""A plan on disk: what a person reviewed, with the fingerprint by which it is known to be the same later."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Self

import msgspec

from sync.plan.fingerprint import fingerprint
from sync.tracker.actions import Action, AnyAction

__all__ = ["SavedPlan"]


class SavedPlan(msgspec.Struct, frozen=True, kw_only=True):
    """``made`` in UTC; ``fingerprint`` is over the actions."""

    instance: str
    made: datetime
    fingerprint: str
    actions: tuple[AnyAction, ...]

    @classmethod
    def of(cls, instance: str, made: datetime, actions: Sequence[Action]) -> Self:
        """Of these actions, now."""
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
        """Write it as readable JSON."""
        file.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read it again. Raises ValueError naming the file when it is not a plan."""
        try:
            return msgspec.json.decode(file.read_bytes(), type=cls)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as problem:
            raise ValueError(f"{file}: not a saved plan: {problem}") from None
