"""Output of `milesync explain` for people: the figures of the JSON document, in a readable form."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime

import msgspec
import pytest
from rich.console import Console
from sqlalchemy import event

from sync.assess.explain import Explanation, explain_milestone
from sync.assess.milestone import AssessmentRules
from sync.assess.relations import build_portfolio
from sync.assess.snapshot import Snapshot
from sync.cli.explanation import SHOWN, explanation_tree, explanation_view
from sync.cli.output import milestone_table
from sync.forecast.batch import ForecastBatch
from sync.forecast.pooled import Forecast, forecasts_of
from sync.health import assess as assessment
from sync.history.calendar import Calendar
from sync.model.health import Reason, ReasonKind, Status
from sync.model.joint import JointMilestone
from sync.model.plan_clock import PlanClock
from sync.model.tracker_data import DueDate, Visibility
from sync.report.phrases import day, percent
from tests.portfolio_world import NOW, RULES, World, combined_page, page, running

APP = running("app")


def explained(
    world: World, dependencies: Sequence[tuple[str, str]] = (), at: datetime = NOW, written: str = APP
) -> Explanation:
    book = AssessmentRules(RULES, Calendar.plain(), dependencies=tuple(dependencies))
    explanation = explain_milestone(Snapshot(world.store, world.connections, at, book), world.store, written)
    assert explanation is not None
    return explanation


def printed(explanation: Explanation, width: int = 100, *, every: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width, no_color=True)
    console.print((explanation_tree if every else explanation_view)(APP, explanation))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def words(explanation: Explanation) -> str:
    return " ".join(printed(explanation).split())


def test_votes_and_their_sum_are_those_of_the_document() -> None:
    explanation = explained(World(page("app", still_open=6)))
    forecast, text = explanation.numbers["forecast"], printed(explanation)
    for key, name in (("survival", "survival"), ("reference", "reference class"), ("closures", "closures")):
        assert re.search(rf"{percent(forecast[key]['p'])} +{forecast[key]['weight']:.2f}  {name}", text)
    assert re.search(rf"{percent(forecast['raw_pool'])} +together", text)
    assert explanation.health.probability is not None
    assert f"{percent(explanation.health.probability)} likely to be done by 29 Mar 2026" in text


def test_earlier_milestones_come_by_weight_and_the_sentence_counts_them() -> None:
    explanation = explained(World(page("app", still_open=6), page("api", late=True)))
    history, text = explanation.numbers["history"], printed(explanation)
    weights = [float(weight) for weight in re.findall(r"^ +(\d\.\d\d)  \d+ \w+ \d{4} .*:acme/", text, re.MULTILINE)]
    assert len(weights) == SHOWN < len(history["milestones"])
    assert weights == sorted(weights, reverse=True)
    assert f"{len(history['milestones']) - SHOWN} more have" in text
    own = [row for row in history["milestones"] if row["of_stream"]]
    assert history["votes"] == {"needed": 6, "of": 8, "closed_as_much": sum(row["gone_by_due"] >= 6 for row in own)}
    assert {row["name"] for row in own} == {f"app:acme/app#{n}" for n in range(1, 9)}
    assert "Of the 8 before, " in text
    assert "still closed 6 or more from this point." in text


@pytest.mark.parametrize(("still_open", "count"), [(5, "all"), (10, "none")])
def test_all_and_none_are_words(still_open: int, count: str) -> None:
    assert f"Of the 8 before, {count} still closed {still_open} or more" in words(
        explained(World(page("app", still_open=still_open)))
    )


def test_bound_by_experience_is_said_with_its_effect() -> None:
    explanation = explained(World(page("app", still_open=10)), at=datetime(2026, 3, 27, 12, tzinfo=UTC))
    experience = explanation.numbers["forecast"]["experience"]
    assert experience["factor"] < 1
    most = f"the series never closed more than {experience['most_closed']} in as many days"
    assert f"10 closures in 3 days are needed; {most}" in words(explanation)
    assert f"this multiplies the probability by {experience['factor']:.2f}." in words(explanation)
    within = explained(World(page("app", still_open=2)))
    assert within.numbers["forecast"]["experience"]["factor"] == 1
    assert "so experience bounds nothing" in words(within)


def test_moved_due_date_names_the_plan_before() -> None:
    world = World(page("app", still_open=6, due=date(2026, 4, 20)))
    (connection,) = world.connections
    assert explained(world).numbers["forecast"]["clock"] is None
    first = DueDate(datetime(2026, 3, 2, tzinfo=UTC), date(2026, 3, 29))
    moved = DueDate(datetime(2026, 3, 10, tzinfo=UTC), date(2026, 4, 20))
    world.store.note_due_dates(connection.connector.base_url, "app-m8", [first, moved])
    explanation = explained(world)
    assert explanation.health.clock == PlanClock(due=date(2026, 3, 29), moved_at=moved.seen)
    clock = explanation.numbers["forecast"]["clock"]
    assert (clock["plan_due"], clock["moved_at"][:10]) == ("2026-03-29", "2026-03-10")
    assert 0 < clock["weight_of_new_date"] < 1
    still = round(100 * (1 - clock["weight_of_new_date"]))
    sentence = "The due date was moved past 29 Mar 2026 on 10 Mar 2026: the curve of the plan before still counts"
    assert f"{sentence} {still}%" in words(explanation)


def test_waiting_milestone_is_explained_with_the_figures_of_status() -> None:
    world = World(page("app"), page("api", late=True, still_open=9, visibility=Visibility.PUBLIC))
    waits = [(running("api"), APP)]
    (status,) = [m for m in world.whole(dependencies=waits).milestones if m.written == APP]
    explanation = explained(world, waits)
    assert explanation.health.probability == status.health.probability
    assert explanation.numbers["health"]["probability"] == status.health.probability
    assert explanation.health.leftover is None
    assert explanation.numbers["health_alone"]["leftover"] is not None
    own = percent(explanation.numbers["health_alone"]["probability"])
    assert status.health.probability is not None
    assert f"It waits for other milestones, which makes {percent(status.health.probability)} of {own}." in words(
        explanation
    )
    assert "Usually" not in words(explanation)


def test_dates_are_those_of_the_health_and_none_is_a_day_off() -> None:
    explanation = explained(World(page("app", still_open=6)))
    dates, text = explanation.health.dates, words(explanation)
    assert dates.horizon is not None
    for level, on in (("50%", dates.p50), ("85%", dates.p85), ("95%", dates.p95)):
        assert on is None or f"with {level} by {day(on)}" in text
    missing = [level for level, on in (("85%", dates.p85), ("95%", dates.p95)) if on is None]
    assert not missing or f"no date with {' or '.join(missing)} until {day(dates.horizon)}" in text
    shown = [date.fromisoformat(point["day"]) for point in explanation.numbers["forecast"]["curve"][1:]]
    assert [on for on in shown if on.isoweekday() > 5] == []


@pytest.mark.parametrize("width", [80, 120])
def test_lines_fit_the_terminal_and_have_no_codes_without_colour(width: int) -> None:
    text = printed(explained(World(page("app", still_open=6), page("api", late=True))), width)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text


def test_milestones_without_a_forecast_show_their_cause_and_no_votes() -> None:
    undated = words(explained(World(page("app", due=None))))
    assert "No due date, so no verdict" in undated
    assert "Dates that you can promise" in undated
    overdue = words(explained(World(page("app")), at=datetime(2026, 4, 2, tzinfo=UTC)))
    assert "overdue" in overdue
    for text in (undated, overdue):
        assert "Votes" not in text
        assert "likely to be done" not in text


def test_tree_has_every_number_of_the_document() -> None:
    text = printed(explained(World(page("app"))), every=True)
    for name in ("experience", "factor", "leftover", "usual", "closed_as_much", "items", "calendar", "rules"):
        assert name in text


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status.OVERDUE, "60% is done; earlier milestones had 95% done at this point."),
        (Status.ON_TRACK, "1 issue added since the start; 3 would be usual by now."),
    ],
)
def test_table_shows_the_first_reason_that_speaks_for_the_status(status: Status, words: str) -> None:
    reasons = (
        Reason(kind=ReasonKind.SCOPE_ADDED, effect=0.9, values={"added": 1, "added_week": 0, "usual": 3.0}),
        Reason(kind=ReasonKind.PACE, effect=-0.5, values={"share": 0.6, "usual": 0.95, "closed": 6}),
        Reason(kind=ReasonKind.HIT_RATE, effect=-0.1, values={"hits": 6, "of": 10}),
    )
    (assessed,) = (milestone for milestone in World(page("app")).whole().milestones if milestone.written == APP)
    health = msgspec.structs.replace(assessed.health, status=status, reasons=reasons)
    console = Console(file=io.StringIO(), width=120)
    console.print(milestone_table([msgspec.structs.replace(assessed, health=health)]))
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().splitlines()[2].strip() == words


def test_levers_of_others_are_not_needed_and_change_nothing() -> None:
    """The milestone waits for one that is late, and is a member of a joint milestone."""
    public = Visibility.PUBLIC
    world = World(page("app", still_open=6, visibility=public), page("api", still_open=9, late=True, visibility=public))
    api, joint = running("api"), JointMilestone(name="Both", members=(APP, running("api")))
    book = AssessmentRules(RULES, Calendar.plain(), joints=(joint,), dependencies=((api, APP),))

    def reading(levers_for: Collection[str] | None) -> Snapshot:
        snapshot = Snapshot(world.store, world.connections, NOW, book)
        return snapshot if levers_for is None else snapshot.limit_levers(levers_for)

    for written in (APP, api, "joint:Both"):
        whole = Snapshot(world.store, world.connections, NOW, book)
        one = Snapshot(world.store, world.connections, NOW, book).limit_forecasts((written,))
        full, alone = (explain_milestone(own, world.store, written) for own in (whole, one))
        assert full is not None
        assert alone is not None
        assert alone.health == full.health
        assert full.health.levers
        assert msgspec.json.encode(alone.numbers) == msgspec.json.encode(full.numbers)
        assert alone.milestone == full.milestone
    every, bare = (build_portfolio(reading(asked)) for asked in (None, ()))
    healths = {own.uid: own.health for own in every.milestones} | {own.written: own.health for own in every.joints}
    others = {own.uid: own.health for own in bare.milestones} | {own.written: own.health for own in bare.joints}
    assert others == {uid: msgspec.structs.replace(health, levers=()) for uid, health in healths.items()}


def test_only_the_milestone_and_those_with_relations_are_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(*(page(name, still_open=6) for name in ("app", "api", "web", "ios")))
    book = AssessmentRules(RULES, Calendar.plain(), dependencies=((running("api"), running("web")),))
    forecast: list[str] = []

    def noted(batch: ForecastBatch) -> list[Forecast]:
        forecast.extend(batch.tables.ledger.containers[i].id for i in batch.index.tolist())
        return forecasts_of(batch)

    monkeypatch.setattr(assessment, "forecasts_of", noted)

    def forecast_for(written: str) -> set[str]:
        forecast.clear()
        snapshot = Snapshot(world.store, world.connections, NOW, book).limit_forecasts((written,))
        written_by_uid = {own.uid: own.written for own in build_portfolio(snapshot).milestones}
        return {written_by_uid[uid] for uid in forecast}

    assert forecast_for(APP) == {APP, running("api"), running("web")}
    assert forecast_for(running("api")) == {running("api"), running("web")}


def statements(milestones: int) -> int:
    """Return the number of SQL statements that explain one of so many running milestones, once these are counted."""
    world = World(combined_page(page("app", still_open=6), *(page(f"p{n}") for n in range(milestones))))
    explained(world)
    count = [0]

    def counting(*_: object) -> None:
        count[0] += 1

    event.listen(world.store._engine, "before_cursor_execute", counting)
    explained(world)
    return count[0]


def test_more_milestones_need_no_more_statements() -> None:
    assert 0 < statements(2) == statements(6)
