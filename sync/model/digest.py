"""digest."""

from __future__ import annotations

from datetime import date

from msgspec import Struct

from sync.model.health import Status


class LastSent(Struct, frozen=True, kw_only=True):
    """What an audience was last told of one milestone; ``asked`` is when a decision was last asked for."""

    status: Status
    due: date | None = None
    probability: float | None = None
    p85: date | None = None
    ended: bool = False
    asked: date | None = None
    silent: bool = False
