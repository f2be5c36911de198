"""Each reason is the change in log-odds against one normal case: worked again here, through the batch's questions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from sync.forecast.batch import Assumptions, ForecastBatch, forecast_batches
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.stats import logit
from sync.health.attention import Attention
from sync.health.pace_change import PaceChange
from sync.health.reasons import CLIP, LEAST, reasons
from sync.history.calendar import Calendar
from sync.model.health import Reason, ReasonKind
from tests.days import day
from tests.ledgers import Given, MembershipDays, container, ledger, releases

PLAIN = Calendar.plain()
RULES = Rules()
START, DUE, NOW = 336.0, 364.0, 350.0
NOBODY = (0.0, 0.0)


def growing() -> list[Given]:
    """Twelve releases of ten items, to which four more come at a quarter of the time, done before they are due."""
    return [(c, [*given, *[(28.0 * n + 7, 28.0 * n + 27.0)] * 4]) for n, (c, given) in enumerate(releases(missed=2))]


def seen(
    *memberships: MembershipDays,
    at: float = NOW,
    rules: Rules = RULES,
    calendar: Calendar = PLAIN,
    habits: Sequence[Given] = (),
    **dates: Any,
) -> ForecastBatch:
    running = container("now", dates.pop("start", START), dates.pop("due", DUE), **dates)
    history = ledger([*(habits or releases()), (running, memberships)])
    (batch,) = forecast_batches(HistoryTables(history, rules), [history.index["now"]], [day(at)], calendar)
    return batch


def told(
    batch: ForecastBatch,
    found: Attention | None = None,
    shares: tuple[float, float] = NOBODY,
    change: PaceChange | None = None,
) -> dict[str, Reason]:
    (given,) = reasons(batch, [found or Attention()], shares, [change])
    return {reason.kind: reason for reason in given}


def p(batch: ForecastBatch, *scope: float, **case: Any) -> float:
    """Return the milestone's probability with another ``scope`` (open, all) or another input."""
    inputs: dict[str, Any] = {
        name: np.array([value]) if name.endswith("due") else value for name, value in case.items()
    }
    assumed = Assumptions(**inputs)
    remaining = (np.array([float(n)]) for n in scope)
    (probability,) = batch.with_clip(CLIP).probability(*remaining, assumed=assumed, decided=False)
    return float(probability)


def against(batch: ForecastBatch, *scope: float, **case: Any) -> float:
    return float(logit(p(batch)) - logit(p(batch, *scope, **case)))


def test_changes_that_wait_for_review_are_a_reason() -> None:
    batch = seen(*closed(4), *[(START, None)] * 6)
    reason = told(batch, Attention(unreviewed=("x", "y")))[ReasonKind.REVIEW]
    assert (reason.values, reason.items) == ({"count": 2, "days": 3}, ("x", "y"))
    assert reason.effect == pytest.approx(against(batch, 4, 10))
    assert ReasonKind.REVIEW not in told(batch)


def closed(count: int) -> list[MembershipDays]:
    return [(START, START + 2.0 * n + 0.5) for n in range(count)]


def test_pace_is_against_the_share_that_was_open_at_this_phase() -> None:
    batch = seen(*closed(3), *[(START, None)] * 8, at=NOW + 3, rules=Rules(tolerance=0.1), habits=growing())
    found = told(batch)[ReasonKind.PACE]
    tables = batch.tables
    (usual,) = batch.at_phase(batch.representative_sums(tables.open_at)) / batch.at_phase(
        batch.representative_sums(tables.scope_at)
    )
    assert found.values == {"share": 0.273, "usual": round(1 - usual, 3), "closed": 3, "of": 11}
    assert found.values["usual"] == pytest.approx(0.41, abs=0.05)  # ten of fourteen, closed evenly, at 60%
    assert found.effect == pytest.approx(against(batch, round(11 * usual), 11))


def test_without_any_history_no_pace_is_shown() -> None:
    other = releases(5, stream="other/Release")
    lonely = [(container("x", 0, 28, stream="z", kind="z"), [(0.0, 1.0)])]
    assert ReasonKind.PACE in told(seen(*closed(3), *[(START, None)] * 8, habits=other, stream="s"))
    assert ReasonKind.PACE not in told(seen(*closed(3), *[(START, None)] * 8, habits=lonely, stream="s", kind="k"))


def test_scope_is_against_what_had_usually_joined_by_now() -> None:
    late: list[MembershipDays] = [(NOW - 3, None)] * 6
    batch = seen(*closed(5), *[(START, None)] * 5, *late, habits=growing())
    names = ("a", "b")
    found = told(batch, Attention(added=names))[ReasonKind.SCOPE_ADDED]
    usual = 16 * 4 / 14  # of 14 items four had joined after the start
    assert found.values == {"added": 6, "added_week": 6, "usual": round(usual, 1)}
    assert found.items == names
    assert found.effect == pytest.approx(against(batch, 11 - 1, 16 - 1))
    assert found.effect < 0


def test_less_scope_than_usual_speaks_for_it() -> None:
    batch = seen(*closed(5), *[(START, None)] * 8, (NOW - 10, None), habits=growing())
    found = told(batch)[ReasonKind.SCOPE_ADDED]
    assert found.effect == pytest.approx(against(batch, 9 + 3, 14 + 3))  # usual 4, came 1
    assert found.effect > 0
    quiet = seen(*closed(5), *[(START, None)] * 9, habits=growing())
    assert ReasonKind.SCOPE_ADDED not in told(quiet)  # nothing came: there is nothing to name


def test_what_joins_on_the_start_day_is_the_agreed_scope_here_and_in_earlier_milestones() -> None:
    habits = [
        (replace(c, agreed_at=day(28.0 * n + 1)), [((joined or 0.0) + 0.5, *more) for joined, *more in rows])
        for n, (c, rows) in enumerate(releases(missed=2))
    ]
    items: list[MembershipDays] = [*[(START + 0.5, START + 2.0 * n + 1) for n in range(5)], *[(START + 0.5, None)] * 5]
    planned = seen(*items, habits=habits, agreed_at=START + 1)
    assert int(planned.added[0]) == 0
    assert ReasonKind.SCOPE_ADDED not in told(planned)
    grown = seen(*items, (NOW - 3, None), habits=habits, agreed_at=START + 1)
    assert told(grown)[ReasonKind.SCOPE_ADDED].values == {"added": 1, "added_week": 1, "usual": 0.0}


def test_the_hit_rate_is_against_even_odds() -> None:
    batch = seen(*closed(6), *[(START, None)] * 4)
    found = told(batch)[ReasonKind.HIT_RATE]
    assert found.values == {"hits": 8, "of": 12}
    assert found.effect == pytest.approx(against(batch, hit_rate=0.5))


def test_another_streams_hit_rate_is_no_reason() -> None:
    assert ReasonKind.HIT_RATE not in told(seen(*closed(6), *[(START, None)] * 4, stream="other"))


def test_holidays_are_against_as_many_days_without_any() -> None:
    off = PLAIN.with_days_off([day(NOW + n).date() for n in range(1, 8)])
    batch = seen(*closed(6), *[(START, None)] * 4, calendar=off)
    found = told(batch)[ReasonKind.HOLIDAYS]
    assert found.values == {"days": 7, "left": 7.0}
    assert found.effect == pytest.approx(against(batch, days_to_due=14.0))
    assert found.effect < 0
    assert ReasonKind.HOLIDAYS not in told(seen(*closed(6), *[(START, None)] * 4))


def test_half_a_day_off_counts_as_one() -> None:
    quiet = Calendar(weekend=(), quiet_weeks=(51,), quiet_factor=0.75)
    batch = seen(*closed(9), *[(START, None)] * 2, calendar=quiet, due=NOW + 2)
    assert told(batch)[ReasonKind.HOLIDAYS].values == {"days": 1, "left": 1.5}


def test_a_moved_date_is_against_the_first_one() -> None:
    batch = seen(*closed(6), *[(START, None)] * 4, first_due=DUE - 7)
    found = told(batch)[ReasonKind.DUE_MOVED]
    assert found.values == {"days": 7, "from": day(DUE - 7.01).date(), "to": day(DUE - 0.01).date()}
    assert found.effect == pytest.approx(against(batch, due=DUE - 7 + batch.due[0] - DUE))
    assert found.effect > 0


def test_a_first_date_that_has_passed_is_the_worst_case() -> None:
    batch = seen(*closed(6), *[(START, None)] * 4, first_due=NOW - 1)
    assert told(batch)[ReasonKind.DUE_MOVED].effect == pytest.approx(logit(p(batch)) - logit(CLIP))


def test_silence_is_against_one_closure_for_each_usual_gap() -> None:
    batch = seen((START, START + 0.5), *[(START, None)] * 9)
    found = told(batch)[ReasonKind.SILENCE]
    (silent,), (usual,) = batch.silence()
    assert (silent, found.values) == (13.5, {"days": 13.5, "usual": round(usual, 1)})
    assert silent > 2 * usual
    assert found.effect == pytest.approx(against(batch, round(max(9 - silent / usual, 0.0)), 10))
    assert found.effect < 0


def test_silence_cannot_ask_for_more_than_is_open() -> None:
    batch = seen(*closed(2), (START, None), (START, None), at=DUE - 1)
    (silent,), (usual,) = batch.silence()
    assert silent / usual > 2.5
    assert told(batch)[ReasonKind.SILENCE].effect == pytest.approx(against(batch, 0, 4))


def test_stragglers_unassigned_and_blocked_items_are_against_their_usual_number() -> None:
    batch = seen(*closed(2), *[(START, None)] * 10)
    found = told(
        batch,
        Attention(stragglers=("s",), old_count=6, unassigned=tuple("abcdefg"), blocked=tuple("hijkl"), known=10),
        (0.2, 0.1),
    )
    old, unowned, blocked = (found[k] for k in (ReasonKind.STRAGGLERS, ReasonKind.UNASSIGNED, ReasonKind.BLOCKED))
    assert old.values == {"count": 6, "of": 10, "usual": 1.5}
    assert old.effect == pytest.approx(against(batch, 10 - 4, 12))  # 4.5 above the usual number, to the even item
    assert old.items == ("s",)
    assert unowned.values == {"count": 7, "of": 10, "usual": 2.0}
    assert unowned.effect == pytest.approx(against(batch, 10 - 5, 12))
    assert unowned.items == tuple("abcdefg")
    assert blocked.values == {"count": 5, "of": 10, "usual": 1.0}
    assert blocked.effect == pytest.approx(against(batch, 10 - 4, 12))


def test_as_many_as_usual_is_no_reason() -> None:
    batch = seen(*closed(2), *[(START, None)] * 10)
    named = Attention(unassigned=("a", "b"), blocked=("c",), known=10)
    kinds = {ReasonKind.STRAGGLERS, ReasonKind.UNASSIGNED, ReasonKind.BLOCKED}
    assert not kinds & set(told(batch, named, (0.2, 0.1)))


def test_the_strongest_come_first_and_the_weak_not_at_all() -> None:
    batch = seen((START, START + 0.5), *[(START, None)] * 5, *[(NOW - 3, None)] * 6, first_due=DUE - 7)
    (given,) = reasons(batch, [Attention(old_count=8)], NOBODY, [None])
    sizes = [abs(reason.effect) for reason in given]
    assert len(sizes) > 4
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes) >= LEAST


def test_without_dates_there_are_no_reasons() -> None:
    assert told(seen(*closed(2), *[(START, None)] * 10, due=None), Attention(old_count=9)) == {}


def test_a_change_of_pace_is_against_the_items_that_the_former_pace_needs_the_time_for() -> None:
    """Eight are open; at half the pace they take as long as four did."""
    batch = seen(*[(336.0, None)] * 8, (336.0, 340.0), (336.0, 341.0))
    slower = told(batch, change=PaceChange(days=20.0, usual=10.0, before=6))["pace_change"]
    usual = batch.with_clip(CLIP)
    expected = logit(p(usual, 8, 10)) - logit(p(usual, 4, 6))
    assert slower.effect == pytest.approx(expected)
    assert slower.effect < 0
    assert slower.values == {"last": 3, "before": 6, "days": 20.0, "usual": 10.0}
    faster = told(batch, change=PaceChange(days=5.0, usual=10.0, before=6))["pace_change"]
    assert faster.effect > 0
    never = told(batch, change=PaceChange(days=math.inf, usual=10.0, before=6))["pace_change"]
    assert never.values == {"last": 3, "before": 6, "days": None, "usual": 10.0}
