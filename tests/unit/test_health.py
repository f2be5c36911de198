"""Assessments as the engine gets them: status, reasons, levers, gate, explanation, and odd input."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.track_record import StreamScore
from sync.health.assess import AssessmentInputs, assess
from sync.health.joint import AssessmentContext, ForecastWindow, joint_health
from sync.health.levers import LEAST_GAIN
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger, days
from sync.model.health import Confidence, Health, LeverKind, ReasonKind, Status, UnknownCause
from sync.model.joint import JointMilestone
from sync.model.membership import Counts, Membership
from sync.model.tracker_data import StatusCategory
from tests.days import day
from tests.health_numbers import explain
from tests.ledgers import Given, MembershipDays, container, ledger, memberships, open_issue, releases

PLAIN = Calendar.plain()
RULES = Rules()
START, DUE, NOW = 336.0, 364.0, 350.0


def now(still_open: int, closed: int = 6, **dates: Any) -> Given:
    """The thirteenth release, half way."""
    given: list[MembershipDays] = [
        *[(START, START + 2.0 * n + 0.5) for n in range(closed)],
        *[(START, None)] * still_open,
    ]
    return container("now", dates.pop("start", START), dates.pop("due", DUE), **dates), given


def world(running: Given, **habits: Any) -> Ledger:
    return ledger([*releases(**habits), running])


def assessed(history: Ledger, at: float = NOW, rules: Rules = RULES, **given: Any) -> Health:
    found: dict[str, Health] = _asked(assess, history, at, rules, given)
    return found["now"]


def explained(history: Ledger, at: float = NOW, rules: Rules = RULES, **given: Any) -> dict[str, Any]:
    found: dict[str, Any] = _asked(explain, history, at, rules, given)
    return found


def _asked(function: Any, history: Ledger, at: float, rules: Rules, given: Mapping[str, Any]) -> Any:
    inputs = {name: value for name, value in given.items() if name != "calendar"}
    target: Any = ["now"] if function is assess else "now"
    history_tables = HistoryTables(history, rules)
    return function(history_tables, target, day(at), given.get("calendar", PLAIN), AssessmentInputs(**inputs))


issue = partial(open_issue, created=START, touched=NOW - 1)


def kinds(found: Sequence[Any]) -> list[Any]:
    return [each.kind for each in found]


def test_a_forecast_has_everything() -> None:
    found = assessed(world(now(4)))
    assert found.status in (Status.ON_TRACK, Status.AT_RISK, Status.OFF_TRACK)
    assert found.probability is not None
    assert 0 < found.probability < 1
    assert found.at == found.since == day(NOW)
    assert (found.start, found.due) == (day(START).date(), day(DUE - 0.01).date())
    assert found.counts == Counts(open=4, closed=6)
    assert found.confidence is Confidence.HIGH
    assert found.unknown is None
    assert found.basis.stream_finished == 12
    assert found.basis.raw is not None


def test_a_joint_milestone_is_overdue_from_the_end_of_its_due_day() -> None:
    member, paths = assessed(world(now(4))), np.linspace(days(day(DUE - 5)), days(day(DUE + 5)), 100)
    joint = JointMilestone(name="GA", members=("now",))
    window = ForecastWindow(days(day(DUE)), days(day(DUE + 50)))

    def status(at: float) -> Status:
        context = AssessmentContext(day(at), None, RULES, PLAIN)
        return joint_health(joint, [member], member.counts, paths, window, context).status

    assert status(DUE - 0.1) is not Status.OVERDUE
    assert [status(DUE), status(DUE + 0.1)] == [Status.OVERDUE] * 2


def test_a_team_that_always_finishes_is_on_track_and_one_that_never_does_is_not() -> None:
    good = assessed(world(now(4), missed=0))
    bad = assessed(ledger([*[(c, [*given, (28.0 * n, None)]) for n, (c, given) in enumerate(releases())], now(4)]))
    assert (good.status, bad.status) == (Status.ON_TRACK, Status.OFF_TRACK)
    assert good.levers == ()


@pytest.mark.parametrize(
    ("running", "at", "status", "why"),
    [
        (now(4, start=None, due=None), NOW, Status.NO_DUE_DATE, UnknownCause.NO_DUE_DATE),
        (now(4, due=START), NOW, Status.OVERDUE, None),  # a fact needs no start
        (now(4, due=START - 5), NOW, Status.OVERDUE, None),
        (now(4, due=-738_885), NOW, Status.OVERDUE, None),  # year 1
        (now(4, due=2_913_000), NOW, Status.UNKNOWN, UnknownCause.BAD_DATES),  # year 9999
        (now(4, start=-738_885), NOW, Status.UNKNOWN, UnknownCause.BAD_DATES),
        (now(4, start=-738_885, due=-738_800), NOW, Status.OVERDUE, None),
        (now(0, 0), NOW, Status.UNKNOWN, UnknownCause.TOO_FEW_ITEMS),
        (now(1, 0), NOW, Status.UNKNOWN, UnknownCause.TOO_FEW_ITEMS),
        (now(4, 0), START - 1, Status.UNKNOWN, UnknownCause.TOO_FEW_ITEMS),  # everything lies in the future
        (now(4, start=NOW + 1), NOW, Status.UNKNOWN, UnknownCause.TOO_YOUNG),
        (now(4), DUE, Status.OVERDUE, None),  # the due day ends with this moment
        (now(4), DUE + 0.1, Status.OVERDUE, None),
        (now(0, 2), NOW, Status.ON_TRACK, None),  # all is closed, and too little for a forecast
        (now(0, 2), DUE + 0.1, Status.DONE, None),
        (now(0, 0), DUE + 0.1, Status.OVERDUE, None),
        (now(4, ended=NOW - 1), NOW, Status.ENDED, None),
        (now(0, ended=NOW - 1), NOW, Status.DONE, None),
    ],
)
def test_no_number_where_none_can_be_had(running: Given, at: float, status: Status, why: UnknownCause | None) -> None:
    found = assessed(world(running), at)
    assert (found.status, found.unknown) == (status, why)
    assert found.probability is None
    assert found.confidence is None
    if status is Status.UNKNOWN:
        assert (found.dates.p50, found.dates.p85, found.dates.p95) == (None, None, None)
        assert (found.reasons, found.levers) == ((), ())
        assert (found.basis.survival, found.basis.reference, found.basis.raw) == (None, None, None)


def test_a_milestone_that_will_be_closed_still_runs() -> None:
    assert assessed(world(now(4, ended=NOW + 1))).probability is not None


def test_without_due_date_there_are_dates_only() -> None:
    found = assessed(world(now(4, due=None)))
    assert found.status is Status.NO_DUE_DATE
    assert found.dates.p50 is not None
    assert found.dates.capacity


def test_tangled_stays_do_not_crash() -> None:
    tangled: list[MembershipDays] = [
        (START + 3, START + 1),  # closed before it joined
        *[(START + n, START + n + 0.5, START + n + 1.0) for n in range(10)],  # reopened ten times
        (START + 10, None),
        (START, None, START + 2),
        (START + 4, None),  # moved out and back
        (NOW + 5, None),  # created in the future
        (START, None, START),  # gone as it came
        (START, None),
    ]
    found = assessed(world((container("now", START, DUE), tangled)))
    assert found.counts == Counts(open=3, closed=1, added=3, added_week=1)
    assert found.probability is not None


def test_an_item_that_comes_back_is_not_added_scope() -> None:
    def stay(item: str, joined: float, left: float | None = None) -> Membership:
        return Membership(container="now", item=item, joined=day(joined), left=None if left is None else day(left))

    rows = [
        *(stay("back", START, START + 2), stay("back", NOW - 2)),
        *(stay("new", NOW - 2, NOW - 1.5), stay("new", NOW - 1)),
        *(stay("early", START), stay("late", START + 2)),
    ]
    others = releases()
    everything = [*(m for c, given in others for m in memberships(c.id, given)), *rows]
    history = Ledger.of([*(c for c, _ in others), container("now", START, DUE)], everything)
    assert assessed(history).counts == Counts(open=4, added=2, added_week=1)


def test_hysteresis_over_runs() -> None:
    history = world(now(4))
    first = assessed(history)
    assert first.probability is not None
    at = first.probability
    before = replace(first, status=Status.ON_TRACK, since=day(340))
    within = Rules(on_track=at + 0.05, off_track=0.01)  # the band says at risk, by less than the margin
    held = assessed(history, rules=within, previous={"now": before})
    assert (held.band, held.status, held.since) == (Status.AT_RISK, Status.ON_TRACK, day(340))
    left = assessed(history, rules=Rules(on_track=at + 0.08, off_track=0.01), previous={"now": before})
    assert (left.band, left.status, left.since) == (Status.AT_RISK, Status.AT_RISK, day(NOW))


def test_a_replan_is_remembered_from_run_to_run() -> None:
    first = assessed(world(now(4)))
    late = replace(first, status=Status.OFF_TRACK, due=date(2024, 1, 1))
    sure = Rules(on_track=0.03, off_track=0.02, margin=0.0)
    second = assessed(world(now(4)), rules=sure, previous={"now": late})
    assert (second.band, second.status) == (Status.ON_TRACK, Status.AT_RISK)
    third = assessed(world(now(4)), rules=sure, previous={"now": second})
    assert (third.status, third.replan) == (Status.AT_RISK, second.replan)


def test_counts_are_shown_as_given() -> None:
    given = Counts(open=4, closed=9, removed=3, added=3, added_week=1)
    assert assessed(world(now(4)), counts={"now": given}).counts == given


def test_reasons_name_their_numbers_and_their_items() -> None:
    late: Given = (
        container("now", START, DUE, first_due=DUE - 7),
        [(START, START + 0.5), *[(START, None)] * 5, *[(NOW - 3, None)] * 6],
    )
    names = [f"now/item/{k}" for k in range(1, 12)]
    issues = {name: issue(name) for name in names}
    issues[names[0]] = issue(names[0], assignees=())
    issues[names[1]] = issue(names[1], blocked_by=("X-1",))
    issues.update({name: issue(name, updated_at=day(NOW - 20)) for name in names[2:]})
    issues["elsewhere"] = issue("elsewhere")
    off = PLAIN.with_days_off([day(NOW + n).date() for n in range(1, 8)])
    members = {"now": names, "other": ["elsewhere"]}
    found = assessed(world(late), issues=issues, members=members, calendar=off)
    told = {reason.kind: reason for reason in found.reasons}
    effects = [abs(reason.effect) for reason in found.reasons]
    assert effects == sorted(effects, reverse=True)
    pace = told[ReasonKind.PACE]
    assert pace.effect < 0
    assert pace.values["share"] == round(1 / 12, 3)
    added = told[ReasonKind.SCOPE_ADDED]
    assert added.effect < 0
    assert added.values == {"added": 6, "added_week": 6, "usual": 0.0}
    assert set(added.items) == set(names[5:])
    assert told[ReasonKind.HIT_RATE].values == {"hits": 8, "of": 12}
    moved = told[ReasonKind.DUE_MOVED]
    assert (moved.values["days"], moved.effect > 0) == (7, True)
    assert moved.values["from"] == day(DUE - 7.01).date()
    assert told[ReasonKind.STRAGGLERS].values["count"] == 9
    assert told[ReasonKind.STRAGGLERS].items == tuple(sorted(names[2:]))
    silence = told[ReasonKind.SILENCE]
    assert silence.effect < 0
    assert silence.values["days"] == 13.5


def test_a_steady_team_has_no_silence_and_no_scope_reason() -> None:
    found = assessed(world(now(4)))
    assert not {ReasonKind.SILENCE, ReasonKind.SCOPE_ADDED, ReasonKind.DUE_MOVED} & set(kinds(found.reasons))


def test_unassigned_and_blocked_items_count_above_the_usual_share() -> None:
    names = [f"now/item/{k}" for k in range(6, 16)]
    others = {f"other/{k}": issue(f"other/{k}") for k in range(90)}
    issues = {**others, **{name: issue(name, assignees=(), blocked_by=("X-1",)) for name in names}}
    members = {"now": names, "other": list(others)}
    found = assessed(world(now(10)), issues=issues, members=members)
    told = {reason.kind: reason for reason in found.reasons}
    for kind in (ReasonKind.UNASSIGNED, ReasonKind.BLOCKED):
        assert told[kind].values == {"count": 10, "of": 10, "usual": 1.0}
        assert told[kind].effect < 0
        assert told[kind].items == tuple(sorted(names))
    assign = next(lever for lever in found.levers if lever.kind is LeverKind.ASSIGN)
    assert (assign.probability, assign.items) == (None, tuple(sorted(names)))


def test_levers_have_computed_effects() -> None:
    names = [f"now/item/{k}" for k in range(2, 16)]
    issues = {name: issue(name) for name in names}
    issues[names[0]] = issue(names[0], category=StatusCategory.IN_PROGRESS)
    issues[names[1]] = issue(names[1], priority="Highest")
    issues[names[2]] = issue(names[2], priority="Low")
    issues[names[3]] = issue(names[3], blocked_by=(names[4].upper(),))
    history = world(now(14, 2), missed=1)
    found = assessed(history, issues=issues, members={"now": names}, rules=Rules(cut_share=1.0))
    assert found.status is not Status.ON_TRACK
    assert found.probability is not None
    told = {lever.kind: lever for lever in found.levers}
    cut = told[LeverKind.CUT]
    assert cut.probability is not None
    assert cut.probability >= RULES.target
    count = cut.values["count"]
    assert isinstance(count, int)
    assert cut.values["of"] == 14
    assert len(cut.items) == min(count, 13)
    assert cut.items[0] == names[2]  # the lowest priority first
    assert names[4] not in cut.items  # another waits for it
    assert names[0] not in cut.items[: len(cut.items) - 1]  # started: the last to go
    move = told[LeverKind.MOVE]
    assert move.probability is not None
    assert move.probability >= found.probability + LEAST_GAIN
    assert move.values["to"] > found.due  # type: ignore[operator]
    pace = told[LeverKind.PACE]
    assert pace.values["needed"] == 7.0  # 14 in two weeks
    assert pace.values["weeks"] == 12


def test_a_cut_of_more_than_the_share_is_not_offered() -> None:
    found = assessed(world(now(14, 2), missed=1), rules=Rules(cut_share=0.0))
    assert not {LeverKind.CUT, LeverKind.BOTH} & set(kinds(found.levers))


def test_the_moved_date_falls_on_the_usual_weekday() -> None:
    found = assessed(world(now(14, 2), missed=1))
    move = next(lever for lever in found.levers if lever.kind is LeverKind.MOVE)
    assert move.values["to"].weekday() == day(27.99).weekday()  # type: ignore[union-attr]


def test_an_overdue_milestone_can_be_moved_and_says_why() -> None:
    found = assessed(world(now(4)), DUE + 2)
    assert found.status is Status.OVERDUE
    assert set(kinds(found.levers)) <= {LeverKind.MOVE, LeverKind.BOTH}
    assert found.dates.p50 is None or found.dates.p50 >= day(DUE + 2).date()
    assert found.reasons


def test_the_gate_shows_the_hit_rate_instead() -> None:
    history = world(now(4))
    poor = StreamScore(stream="app/Release", forecasts=40, milestones=20, hit_rate=0.4, brier=0.3, skill=-0.2)
    found = assessed(history, scores={"app/Release": poor})
    assert found.probability == 0.4
    assert found.basis.calibrating
    assert found.levers == ()
    assert set(kinds(found.reasons)) <= {ReasonKind.HIT_RATE}
    for fine in (replace(poor, skill=0.1), replace(poor, forecasts=29), replace(poor, hit_rate=None)):
        assert assessed(history, scores={"app/Release": fine}) == assessed(history)
    sure = assessed(history, scores={"app/Release": replace(poor, hit_rate=1.0)})
    assert sure.probability == 1 - RULES.clip


def test_an_explanation_holds_every_number_and_is_the_same_in_any_order() -> None:
    pairs = [*releases(), now(4)]
    names = [f"now/item/{k}" for k in range(6, 10)]
    issues = {name: issue(name) for name in names}
    one = explained(ledger(pairs), issues=issues, members={"now": names})
    other = explained(ledger(pairs[::-1]), issues=dict(reversed(issues.items())), members={"now": names[::-1]})
    assert json.dumps(one) == json.dumps(other)
    counted = [row["counts_as"] for row in one["items"]]
    assert (counted.count("open"), counted.count("done")) == (4, 6)
    forecast, health = one["forecast"], one["health"]
    assert forecast["published"] == health["probability"]
    parts = (forecast["survival"], forecast["reference"], forecast["closures"])
    pooled = sum(part["weight"] * np.log(part["p"] / (1 - part["p"])) for part in parts)
    assert forecast["raw_pool"] == pytest.approx(1 / (1 + np.exp(-pooled)))
    assert [milestone["done_by_due"] for milestone in one["history"]["milestones"]].count(True) == 8
    assert one["rules"]["target"] == 0.8


def test_an_explanation_says_why_an_item_does_not_count() -> None:
    given: list[MembershipDays] = [(START, None, START + 2), (START + 3, START + 1), (NOW + 1, None), (START, None)]
    told = explained(world((container("now", START, DUE), given)))
    assert [(row["item"][-1], row["counts_as"]) for row in told["items"]] == [("0", None), ("1", "done"), ("3", "open")]
    assert told["items"][1]["why"] == "closed before it joined"
    assert told["health"]["unknown"] == "too_few_items"


@pytest.mark.parametrize("running", [now(4, due=None), now(4, due=2_913_000), now(0, 0), now(4, start=None)])
def test_odd_milestones_are_explained_too(running: Given) -> None:
    told = explained(world(running))
    assert json.loads(json.dumps(told))["container"]["id"] == "now"


def test_an_unknown_container_is_an_error() -> None:
    with pytest.raises(KeyError):
        assess(HistoryTables(world(now(4)), RULES), ["nobody"], day(NOW), PLAIN)


def test_the_moment_is_kept_to_the_microsecond() -> None:
    at = day(NOW) + timedelta(microseconds=123_457)
    found = assess(HistoryTables(world(now(4)), RULES), ["now"], at, PLAIN)
    assert found["now"].at == at


def test_an_explanation_shows_the_record_and_the_status_before() -> None:
    history, score = world(now(4)), StreamScore(stream="app/Release", forecasts=40, milestones=20, skill=0.2)
    before = replace(assessed(history), status=Status.AT_RISK, since=day(340))
    told = explained(history, previous={"now": before}, scores={"app/Release": score})
    assert (told["record"]["forecasts"], told["record"]["under_calibration"]) == (40, False)
    assert told["status"]["previous"] == {"status": "at_risk", "since": day(340).isoformat()}
    assert explained(history)["record"] is None
