"""Memory of published figures: a usual gap between closures stays until it has moved by more than a band.

It is counted over the last 90 days, so each day that leaves them moves it a little. The band is a fifth of the
published gap, and half a day at least.
"""

from __future__ import annotations

from msgspec.structs import replace

from sync.model.health import Health, Reason, ReasonKind

__all__ = ["with_steady_reasons"]

SHARE = 0.2
"""Share by which a gap may differ from the published one."""
LEAST = 0.5
"""Days by which any gap may differ from the published one."""


def with_steady_reasons(health: Health, previous: Health | None) -> Health:
    """Return ``health`` with the figures to publish: those of ``previous`` as far as they lie in the band."""
    if previous is None or previous.method != health.method:
        return health
    before = next((reason for reason in previous.reasons if reason.kind is ReasonKind.SILENCE), None)
    if before is None:
        return health
    return replace(health, reasons=tuple(_steady(reason, before) for reason in health.reasons))


def _steady(reason: Reason, before: Reason) -> Reason:
    now, published = reason.values.get("usual"), before.values.get("usual")
    if reason.kind is not ReasonKind.SILENCE or not isinstance(now, float) or not isinstance(published, float):
        return reason
    if abs(now - published) > max(LEAST, SHARE * published):
        return reason
    return replace(reason, values=reason.values | {"usual": published})
