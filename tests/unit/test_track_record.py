"""Stored forecasts against what happened: which count, when they are settled, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from msgspec.structs import replace

from sync.forecast.outcomes import NEVER_READ, SETTLED, ContainerRules, LedgerOutcomes
from sync.forecast.parameters import Rules
from sync.forecast.track_record import (
    StreamScore,
    has_track_record,
    outcomes_of,
    stream_scores,
    under_calibration,
)
from sync.history.ledger import Ledger
from sync.model.membership import Container, Membership
from sync.model.published import Outcome, StreamForecast
from sync.report.track_record import NO_TRACK_RECORD, dates_clause, record_clauses, track_record_sentence

RULES = Rules()
DAY = timedelta(days=1)
START = datetime(2024, 1, 1, tzinfo=UTC)
DUE = START + 20 * DAY
LATER = START + 900 * DAY


def ending(moment: datetime) -> date:
    """The day that ends at a moment."""
    return (moment - DAY).date()


def said(
    day: float,
    p: float | None = 0.5,
    *,
    container: str = "m",
    begin: datetime = START,
    planned: float = 20,
    **fields: Any,
) -> StreamForecast:
    return StreamForecast(
        container=container,
        stream="s",
        at=begin + day * DAY,
        start=ending(begin),
        due=ending(begin + planned * DAY),
        probability=p,
        **fields,
    )


class Ends:
    """Outcomes by container; ``lefts`` are the items left over."""

    def __init__(self, ends: Mapping[str, Outcome], now: datetime, lefts: Mapping[str, int] | None = None) -> None:
        self.ends, self.now, self.lefts = ends, now, lefts or {}

    def zone(self, container: str) -> ZoneInfo:
        return ZoneInfo("UTC")

    def is_done(self, container: str, at: datetime, planned_by: datetime) -> bool | None:
        end = self.ends.get(container, Outcome())
        if end.dropped or at >= self.now - SETTLED:
            return None
        return end.done is not None and end.done <= at

    def left(self, container: str, at: datetime) -> int | None:
        return None if at >= self.now - SETTLED else self.lefts.get(container)


def scores(forecasts: Sequence[StreamForecast], ends: Mapping[str, Outcome], now: datetime) -> dict[str, StreamScore]:
    return stream_scores(forecasts, Ends(ends, now), now, method=1)


def score(*forecasts: StreamForecast, now: datetime = LATER, **ends: Outcome) -> StreamScore:
    return scores(forecasts, ends, now)["s"]


def test_daily_forecasts_count_three_times_a_milestone_the_last_of_each_quarter() -> None:
    """At 25, 50 and 75% of 20 days: days 5, 10 and 15. The last quarter is not scored, as in the back-test."""
    daily = [said(day, 0.1 + day / 100) for day in range(1, 20)]
    result = score(*daily, m=Outcome(done=DUE))
    assert (result.forecasts, result.milestones, result.hit_rate) == (3, 1, 1.0)
    assert result.brier == pytest.approx(sum((1 - p) ** 2 for p in (0.15, 0.2, 0.25)) / 3)
    assert score(*reversed(daily), m=Outcome(done=DUE)) == result


def test_done_by_the_due_moment_is_a_hit_and_a_second_later_a_miss() -> None:
    assert score(said(5), m=Outcome(done=DUE)).hit_rate == 1
    assert score(said(5), m=Outcome(done=DUE + timedelta(seconds=1))).hit_rate == 0


def test_unfinished_is_a_miss_only_when_a_day_has_passed_after_the_due_moment() -> None:
    assert score(said(5), now=DUE + DAY).forecasts == 0
    result = score(said(5), now=DUE + DAY + timedelta(seconds=1))
    assert (result.forecasts, result.hit_rate) == (1, 0)


def test_what_comes_true_early_counts_no_sooner_than_what_does_not() -> None:
    """Otherwise the dates that came true are counted, and those that will not are still ahead."""
    ahead = [said(5, p50=date(2024, 1, 18), p85=date(2024, 1, 19), container=name) for name in "mn"]
    early = score(*ahead, now=START + 11 * DAY, m=Outcome(done=START + 10 * DAY))
    assert (early.forecasts, early.hit_rate, early.dates, early.held) == (0, None, 0, 0)
    later = score(*ahead, now=LATER, m=Outcome(done=START + 10 * DAY))
    assert (later.forecasts, later.hit_rate, later.dates, later.held) == (2, 0.5, 2, 1)
    assert (later.p50.dates, later.p50.held, later.p50.share) == (2, 1, None), "two dates are too few for a share"


def test_a_moved_due_date_hides_no_date_that_was_missed() -> None:
    """Due on day 20, said on day 8: done by day 19. It is moved to day 40, and done on day 30."""
    before = said(8, 0.8, p85=ending(START + 19 * DAY))
    after = said(18, 0.8, planned=40, p85=ending(START + 39 * DAY))
    result = score(before, after, m=Outcome(done=START + 30 * DAY))
    assert (result.dates, result.held) == (2, 1)
    assert (result.forecasts, result.milestones, result.hit_rate) == (2, 1, 0.5)


def test_dates_are_scored_by_the_days_that_lay_ahead() -> None:
    days = [ending(START + (5 + ahead) * DAY) for ahead in (10, 20, 60, 200)]
    result = score(*(said(5, p85=day, container=f"m{n}") for n, day in enumerate(days)))
    assert [horizon.dates for horizon in result.p85.horizons] == [1, 1, 1, 1]
    assert result.p50.dates == 0


def test_a_share_of_dates_is_given_from_ten_on() -> None:
    def run(count: int) -> float | None:
        return score(*(said(5, p85=date(2024, 1, 19), container=f"m{n}") for n in range(count))).p85.share

    assert (run(9), run(10)) == (None, 0.0)


def test_a_milestone_without_a_due_date_answers_for_its_promised_dates_once_in_four_weeks() -> None:
    def promised(day: float) -> StreamForecast:
        given: dict[str, Any] = {"p50": date(2024, 2, 1), "p70": date(2024, 2, 8), "p85": date(2024, 2, 20)}
        return StreamForecast(container="m", stream="s", at=START + day * DAY, **given)

    result = score(promised(2), promised(3), promised(25), m=Outcome(done=datetime(2024, 2, 5, tzinfo=UTC)))
    assert [(given.level, given.dates, given.held) for given in result.promises] == [
        (0.5, 2, 0),
        (0.7, 2, 2),
        (0.85, 2, 2),
    ]
    assert (result.forecasts, result.dates) == (0, 0), "dates of milestones with a due date are kept apart"


def test_a_range_of_work_left_over_holds_when_the_real_leftover_is_in_it() -> None:
    ranges = [said(5, container=name, leftover_low=1, leftover_high=3) for name in "abc"]
    found = stream_scores(
        [*ranges, said(5, container="d")], Ends({}, LATER, {"a": 1, "b": 3, "c": 4, "d": 1}), LATER, 1
    )
    assert (found["s"].ranges, found["s"].ranges_held) == (3, 2)


def test_forecasts_of_other_methods_are_counted_and_not_scored() -> None:
    result = score(said(5), said(6, method=2, p85=date(2024, 1, 9)), said(11, method=2))
    assert (result.forecasts, result.dates, result.other_methods) == (1, 0, 2)
    only_others = score(said(5, method=2))
    assert (only_others.forecasts, only_others.other_methods) == (0, 1)


def test_what_happened_after_now_is_not_known() -> None:
    early = score(said(5), now=START + 8 * DAY, m=Outcome(done=START + 9 * DAY))
    assert (early.forecasts, early.hit_rate) == (0, None)
    assert scores([said(5)], {}, START + 4 * DAY) == {}


def test_a_forecast_is_held_to_the_due_date_that_it_named() -> None:
    """The date moved from day 20 to day 60; done on day 30. Each forecast answers for its own date."""
    moved = StreamForecast(
        container="m",
        stream="s",
        at=START + 16 * DAY,
        start=ending(START),
        due=ending(START + 60 * DAY),
        probability=0.9,
    )
    result = score(said(4, 0.9), moved, m=Outcome(done=START + 30 * DAY))
    assert result.forecasts == 2
    assert result.brier == pytest.approx((0.81 + 0.01) / 2)


def test_a_dropped_milestone_says_nothing() -> None:
    result = score(said(5, p85=date(2024, 1, 9)), m=Outcome(dropped=True))
    assert (result.forecasts, result.dates, result.hit_rate) == (0, 0, None)


def test_a_withheld_probability_is_not_scored_but_its_date_is() -> None:
    result = score(said(5, None, p85=date(2024, 1, 20)), m=Outcome(done=START + 10 * DAY))
    assert (result.forecasts, result.brier, result.dates, result.held) == (0, None, 1, 1)


def test_a_date_holds_until_its_day_is_over() -> None:
    end = datetime(2024, 1, 16, tzinfo=UTC)
    assert score(said(5, p85=date(2024, 1, 15)), m=Outcome(done=end)).held == 1
    late = score(said(5, p85=date(2024, 1, 15)), m=Outcome(done=end + timedelta(seconds=1)))
    assert (late.dates, late.held) == (1, 0)


def test_a_date_still_ahead_is_not_counted() -> None:
    assert score(said(5, p85=date(2024, 1, 15)), now=datetime(2024, 1, 16, tzinfo=UTC)).dates == 0
    assert score(said(5, p85=date.max), now=LATER).dates == 0


def test_no_planned_time_no_score() -> None:
    strange = StreamForecast(container="m", stream="s", at=START, start=ending(DUE), due=ending(START), probability=0.5)
    assert scores([strange, replace(strange, start=None), replace(strange, due=None)], {}, LATER) == {}


def test_skill_is_measured_against_the_hit_rate_known_when_it_was_said() -> None:
    """First hit: the rate before was 1/2. Second, a miss: the rate then was (1 + 1) / (1 + 2)."""
    second = START + 40 * DAY
    result = score(
        said(5, 0.8, container="a"),
        said(5, 0.3, container="b", begin=second),
        a=Outcome(done=DUE),
        b=Outcome(done=second + 90 * DAY),
    )
    assert result.skill == pytest.approx(1 - (0.04 + 0.09) / (0.25 + (2 / 3) ** 2))


def test_streams_are_kept_apart() -> None:
    other = StreamForecast(
        container="x", stream="t", at=START + DAY, start=ending(START), due=ending(DUE), probability=0.5
    )
    found = scores([said(5), other], {"m": Outcome(done=DUE)}, LATER)
    assert {name: score.hit_rate for name, score in found.items()} == {"s": 1, "t": 0}


def run(hits: int, misses: int, p: float) -> StreamScore:
    forecasts, ends = [], {}
    for k in range(hits + misses):
        begin = START + 25 * k * DAY
        forecasts += [said(day, p, container=f"m{k}", begin=begin) for day in (5, 10, 15)]
        ends[f"m{k}"] = Outcome(done=begin + (15 if k % 2 == 0 and k // 2 < hits else 300) * DAY)
    return scores(forecasts, ends, LATER)["s"]


def test_the_gate_closes_on_thirty_forecasts_that_were_worth_less_than_the_hit_rate() -> None:
    """Ten milestones, five hits. Saying .5 is about the hit rate itself; saying .98 each time is worse."""
    wrong = run(5, 5, 0.98)
    assert (wrong.forecasts, wrong.hit_rate) == (30, 0.5)
    assert wrong.skill is not None
    assert wrong.skill < 0
    assert under_calibration(wrong, RULES)
    assert not under_calibration(run(5, 5, 0.5), RULES)


def test_the_gate_stays_open_on_less() -> None:
    nearly = run(5, 4, 0.98)
    assert nearly.forecasts == 27
    assert nearly.skill is not None
    assert nearly.skill < 0
    assert not under_calibration(nearly, RULES)
    assert under_calibration(nearly, msgspec.structs.replace(RULES, gate_least=nearly.forecasts))


def test_the_gate_looks_at_the_last_sixty_only() -> None:
    """Forty bad milestones, then twenty good ones: forgiven."""
    forecasts, ends = [], {}
    for k in range(60):
        begin = START + 10 * k * DAY
        p = 0.98 if k < 40 else 0.02
        forecasts += [said(day, p, container=f"m{k:02}", begin=begin) for day in (5, 10, 15)]
        ends[f"m{k:02}"] = Outcome(done=begin + 300 * DAY)
    result = scores(forecasts, ends, LATER + 300 * DAY)["s"]
    assert result.brier == pytest.approx(0.0004)
    assert not under_calibration(result, RULES)


@pytest.mark.parametrize(
    ("dates", "held", "words"),
    [
        (20, 17, "17 of 20 dates given with 85% certainty held"),
        (2, 0, "none of 2 dates given with 85% certainty held"),
        (1, 1, "the one date given with 85% certainty held"),
        (1, 0, "the one date given with 85% certainty did not hold"),
        (0, 0, "no date given with 85% certainty has come due yet"),
    ],
)
def test_the_record_in_words(dates: int, held: int, words: str) -> None:
    assert dates_clause(StreamScore(stream="s", dates=dates, held=held)) == words


def settled(
    *memberships: tuple[float, float | None, float | None],
    now: float = 100,
    tolerance: float = 0,
    ended: float | None = None,
) -> Outcome | None:
    """The outcome of a container due on day 20 with these stays (joined, left, closed, in days)."""

    def at(day: float | None) -> datetime | None:
        return None if day is None else START + day * DAY

    container = Container(id="c", kind="k", stream="s", start=START, due=DUE, ended=at(ended))
    rules = {"c": ContainerRules(tolerance=tolerance)}
    rows = [
        Membership(container="c", item=str(k), joined=START + joined * DAY, left=at(left), closed=at(closed))
        for k, (joined, left, closed) in enumerate(memberships)
    ]
    return outcomes_of(Ledger.of([container], rows), rules, START + now * DAY).get("c")


def test_done_is_dated_by_the_last_closure_before_the_due_moment() -> None:
    assert settled((0, None, 5), (0, None, 12)) == Outcome(done=START + 12 * DAY)
    assert settled((0, None, 5), (0, None, 20)) == Outcome(done=DUE)


def test_what_was_done_and_then_grew_is_dated_from_when_it_held_for_good() -> None:
    assert settled((0, None, 5), (8, None, 9)) == Outcome(done=START + 9 * DAY)
    assert settled((0, None, 5), (25, None, 30)) == Outcome(done=START + 5 * DAY)


def test_late_is_dated_by_the_closure_that_completed_it() -> None:
    assert settled((0, None, 5), (0, None, 30)) == Outcome(done=START + 30 * DAY)
    assert settled((0, None, 5), (0, None, 30), now=25) == Outcome()
    assert settled((0, None, 5), (0, None, None)) == Outcome()


def test_moving_the_rest_out_completes_it_and_moving_all_out_drops_it() -> None:
    assert settled((0, None, 5), (0, 10, None)) == Outcome(done=START + 10 * DAY)
    assert settled((0, 5, None), (0, 10, None)) == Outcome(dropped=True)
    assert settled() == Outcome(dropped=True)


def test_the_tolerance_is_of_the_scope_at_the_time() -> None:
    memberships = [(0.0, None, float(k)) for k in range(1, 10)] + [(0.0, None, None)]
    assert settled(*memberships) == Outcome()
    assert settled(*memberships, tolerance=0.1) == Outcome(done=START + 9 * DAY)


def test_nothing_is_settled_while_it_runs() -> None:
    assert settled((0, None, 5), now=10) is None
    assert settled((0, None, 5), now=10, ended=8) == Outcome(done=START + 5 * DAY)
    assert settled((0, None, 15), now=10, ended=8) == Outcome()


def test_what_was_due_after_the_last_reading_has_no_outcome() -> None:
    container = Container(id="c", kind="k", stream="s", start=START, due=DUE)
    ledger = Ledger.of([container], [Membership(container="c", item="1", joined=START)])
    for known_until, found in ((NEVER_READ, {}), (DUE - DAY, {}), (DUE + DAY, {"c": Outcome()})):
        assert outcomes_of(ledger, {"c": ContainerRules(known_until=known_until)}, LATER) == found
        rules = {"c": ContainerRules(known_until=known_until)}
        known = LedgerOutcomes(ledger, LATER, rules).is_done("c", DUE - DAY, DUE)
        assert known is (None if known_until < DUE else False)


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (None, NO_TRACK_RECORD),
        (StreamScore(stream="s"), NO_TRACK_RECORD),
        (StreamScore(stream="s", dates=9, held=9, forecasts=9), NO_TRACK_RECORD),
        (StreamScore(stream="s", dates=10, held=8), "8 of 10 dates given with 85% certainty held."),
        (StreamScore(stream="s", dates=10), "None of 10 dates given with 85% certainty held."),
        (
            StreamScore(stream="s", dates=3, held=3, forecasts=12, milestones=4),
            "12 forecasts of 4 milestones have come due, but too few 85% dates.",
        ),
    ],
)
def test_a_track_record_begins_with_ten(score: StreamScore | None, words: str) -> None:
    assert track_record_sentence(score) == words
    assert has_track_record(score) is (words != NO_TRACK_RECORD)


def test_every_sentence_about_a_stream() -> None:
    """Two forecasts of .8, one of them wrong: Brier (.04 + .64) / 2, and .8 was said where .5 came true."""
    second = START + 40 * DAY
    result = score(
        said(5, 0.8, container="a"),
        said(5, 0.8, container="b", begin=second),
        a=Outcome(done=DUE),
        b=Outcome(done=second + 90 * DAY),
    )
    assert (result.forecasts, result.milestones, result.hit_rate) == (2, 2, 0.5)
    assert result.brier == pytest.approx(0.34)
    assert result.calibration_error == pytest.approx(0.3)


def test_a_score_at_the_very_moment() -> None:
    assert scores([said(5)], {}, DUE + DAY)["s"].hit_rate is None, "a day is given to settle"
    assert scores([said(5)], {}, DUE + DAY + timedelta(seconds=1))["s"].hit_rate == 0


def test_the_rate_that_was_known_leaves_out_what_had_not_settled() -> None:
    """The second forecast is made one day after the first was due, and a moment later: only then is it known."""
    found = []
    for late in (timedelta(0), timedelta(seconds=1)):
        begin = DUE + DAY + late - 5 * DAY
        second = said(5, 0.3, container="b", begin=begin)
        ends = {"a": Outcome(done=DUE), "b": Outcome(done=begin + 90 * DAY)}
        found.append(scores([said(5, 0.8, container="a"), second], ends, LATER)["s"].skill)
    assert found[0] == pytest.approx(1 - 0.13 / (0.25 + 0.25))
    assert found[1] == pytest.approx(1 - 0.13 / (0.25 + (2 / 3) ** 2))


def test_what_was_empty_for_a_while_was_not_done_then() -> None:
    assert settled((0, 3, None), (5, None, 9)) == Outcome(done=START + 9 * DAY)


def test_what_was_done_from_the_start_is_dated_from_there() -> None:
    """Each is closed as it joins."""
    assert settled((1, None, 1), (4, None, 4)) == Outcome(done=START + DAY)


# --- outcomes from a ledger -------------------------------------------------------------------------------------------

WEST = ZoneInfo("America/Los_Angeles")


def outcomes(closed: Mapping[str, Sequence[datetime | None]], rules: Mapping[str, ContainerRules]) -> LedgerOutcomes:
    """Outcomes of containers due on day 20, each with items that are closed at these times."""
    containers = [Container(id=name, kind="k", stream="s", start=START, due=DUE) for name in closed]
    rows = [
        Membership(container=name, item=f"{name}{k}", joined=START, closed=at)
        for name, times in closed.items()
        for k, at in enumerate(times)
    ]
    joints = {"joint:all": list(closed)}
    return LedgerOutcomes(Ledger.of(containers, rows), LATER, rules, joints)


def test_a_date_ends_where_the_day_ends_in_the_zone_of_its_milestone() -> None:
    """15 January at 20:00 in Los Angeles is the 16th in UTC."""
    evening = datetime(2024, 1, 16, 4, tzinfo=UTC)
    found = [
        stream_scores([said(5, p85=date(2024, 1, 15))], outcomes({"m": [evening]}, {"m": rules}), LATER, 1)["s"].held
        for rules in (ContainerRules(), ContainerRules(zone=WEST))
    ]
    assert found == [0, 1]


def test_each_milestone_has_the_tolerance_of_its_connection() -> None:
    times = [*[START + DAY] * 9, None]
    rules = {"a": ContainerRules(tolerance=0.1)}
    found = outcomes({"a": times, "b": times}, rules)
    assert [found.is_done(name, DUE, DUE) for name in ("a", "b", "joint:all")] == [True, False, False]
    assert [found.left(name, DUE) for name in ("a", "b", "joint:all")] == [1, 1, None]


def test_what_joins_after_the_plan_does_not_count() -> None:
    containers = [Container(id="m", kind="k", stream="s", start=START, due=DUE)]
    rows = [
        Membership(container="m", item="1", joined=START, closed=START + 30 * DAY),
        Membership(container="m", item="2", joined=START + 25 * DAY),
    ]
    found = LedgerOutcomes(Ledger.of(containers, rows), LATER, {})
    assert found.is_done("m", START + 40 * DAY, DUE) is True
    assert found.is_done("m", START + 40 * DAY, START + 40 * DAY) is False


def test_a_container_that_is_not_in_the_history_has_no_outcome() -> None:
    assert outcomes({"a": [None]}, {}).is_done("gone", DUE, DUE) is None
    assert outcomes({"a": []}, {}).is_done("a", DUE, DUE) is None


def test_everything_about_a_stream_in_words() -> None:
    assert record_clauses(StreamScore(stream="s")) == []
    promised = StreamForecast(container="m", stream="s", at=START, p85=date(2024, 2, 20))
    both = score(said(5, p50=date(2024, 1, 9), p85=date(2024, 1, 19)), promised, m=Outcome(done=START + 10 * DAY))
    assert record_clauses(both) == [
        "the one date given with 50% certainty did not hold",
        "the one date given with 85% certainty held",
        "the one date given with 85% certainty and no due date held",
    ]
    assert record_clauses(StreamScore(stream="s", ranges=8, ranges_held=6)) == ["6 of 8 ranges of work left over held"]
