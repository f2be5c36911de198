"""Fingerprint of a plan: decide whether a saved plan still matches the trackers. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from sync.tracker.actions import Action
from sync.tracker.marker import Marker

__all__ = ["fingerprint"]


def fingerprint(actions: Iterable[Action]) -> str:
    """Return a hash that is equal for actions with the same effect and meaning.

    The wording of a summary and its times do not count, so that a saved plan becomes stale by events, not by the clock.
    """
    digest = hashlib.sha256()
    for action in actions:
        plain = msgspec.to_builtins(action)
        marker = Marker.decode(plain.get("marker", ""))
        if marker is not None:
            meaning = msgspec.structs.replace(
                marker,
                written=None,
                since=None,
                probability=None,
                dated=None,
                body="",
                changes_since=None,
                previous_forecast=None,
                reminded=None,
                replan=None,
                clock=None,
                method_changed_at=None,
            )
            plain["marker"] = msgspec.to_builtins(meaning)
            if marker.meaning:
                del plain["body"]
        digest.update(msgspec.json.encode(plain, order="sorted") + b"\n")
    return digest.hexdigest()
