"""The burn-up on a status issue: what it is to tell, and the drawing itself at the last moment before the upload."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import structlog

from sync.assessment import Assessed

__all__ = ["drawn", "to_draw"]

LACKING = "its burn-up needs the extra `site`: pip install 'milesync[site]'"

log = structlog.get_logger("milesync")


def to_draw(one: Assessed) -> dict[str, Any]:
    """``picture`` and ``undrawn`` of what should stand for a milestone: see `sync.desired.Desired`."""
    if not one.source.attaches(one.project.key):
        return {"picture": "" if one.source.connector.capabilities.files else None}
    if find_spec("vl_convert") is None:
        return {"undrawn": LACKING}
    from sync.site.milestone import told  # late: most runs attach nothing

    return {"picture": told(one)}


def drawn(one: Assessed) -> bytes:
    """The picture as a PNG; empty when it cannot be made: no run ends for want of it."""
    from sync.site.milestone import picture

    try:
        return picture(one) or b""
    except Exception:
        log.exception("a burn-up could not be drawn; the status issue goes without", milestone=one.uid)
        return b""
