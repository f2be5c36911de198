"""The usual gap between closures: small steps are not published, and many small steps in one direction are."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sync.health.reason_band import with_steady_reasons
from sync.model.health import Health, Reason, ReasonKind, Status, Value
from tests.days import day


def health(usual: float, kind: ReasonKind = ReasonKind.SILENCE) -> Health:
    reason = Reason(kind=kind, effect=-0.3, values={"days": 12.0, "usual": usual})
    return Health(container="x", at=day(1), status=Status.AT_RISK, band=Status.AT_RISK, since=day(0), reasons=(reason,))


def shown(*gaps: float) -> list[Value]:
    """Return the published gaps of assessments one after another."""
    found, last = [], None
    for gap in gaps:
        last = with_steady_reasons(health(gap), last)
        found.append(last.reasons[0].values["usual"])
    return found


@pytest.mark.parametrize(
    ("gaps", "published"),
    [
        ((3.5, 3.3, 3.5), [3.5, 3.5, 3.5]),
        ((3.5, 3.8, 4.1, 4.4), [3.5, 3.5, 3.5, 4.4]),
        ((1.0, 0.6, 0.4), [1.0, 1.0, 0.4]),
        ((20.0, 23.9, 24.1), [20.0, 20.0, 24.1]),
    ],
)
def test_a_gap_stays_until_it_leaves_the_band(gaps: tuple[float, ...], published: list[float]) -> None:
    assert shown(*gaps) == published


def test_other_reasons_and_other_methods_show_their_own_figures() -> None:
    pace = health(3.3, ReasonKind.PACE)
    assert with_steady_reasons(pace, health(3.5, ReasonKind.PACE)) == pace
    assert with_steady_reasons(health(3.3), replace(health(3.5), method=7)) == health(3.3)
    assert with_steady_reasons(health(3.3), None) == health(3.3)
