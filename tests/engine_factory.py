"""An engine as a test wants it: everything that does not matter there is filled in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import count
from typing import Any

from sync.assess.milestone import AssessmentRules
from sync.engine.engine import Engine
from sync.model.policy import Limits
from sync.store.store import Store
from sync.tracker.connection import Connection

__all__ = ["engine"]

_RUNS = count()


def engine(connection: Connection, store: Store, clock: Callable[[], datetime], **given: Any) -> Engine:
    """One of a run of its own. ``given`` takes the place of what would be filled in."""
    filled: dict[str, Any] = {
        "instance": "acme",
        "rules": AssessmentRules(),
        "limits": Limits(),
        "run_id": f"run {next(_RUNS)}",
        "holder": "here:1:1",
        **given,
    }
    return Engine(connections=[connection], store=store, clock=clock, **filled)
