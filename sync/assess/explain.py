"""Explain the health of one milestone: every number that the assessment used."""

from __future__ import annotations

from typing import Any

import msgspec

from sync.assess.relations import build_portfolio
from sync.assess.snapshot import Snapshot
from sync.store.store import Store

__all__ = ["explain_milestone"]


def explain_milestone(snapshot: Snapshot, store: Store, written: str) -> dict[str, Any] | None:
    """Return the numbers behind a milestone or a joint milestone, by its written id; None when there is none.

    A finished milestone also has its closing record, under ``closing``.
    """
    if written.startswith("joint:"):
        joints = build_portfolio(snapshot).joints
        return next((joint.explain() for joint in joints if joint.written == written), None)
    numbers = snapshot.explain(written)
    if numbers is None:
        return None
    for record in store.records([numbers["container"]["id"]]).values():
        numbers["closing"] = msgspec.to_builtins(record)
    return numbers
