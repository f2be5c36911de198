"""A lever, what-if and the next forecast say the same: each lever is taken in a store and assessed again.

The worlds are random; nothing happens in them but the changes of the plan. The figure of a lever is compared with the
answer of what-if, with the next forecast at the same moment, and with that of the next day. In the last two weeks
before a due date a day without any closure is news, and the forecast falls by more.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import pytest

from sync.assess.snapshot import Snapshot
from sync.forecast.batch import Assumptions, ForecastBatch
from sync.history.ledger import days
from sync.model.health import Health, Lever, LeverKind, ReasonKind, Status
from tests.proof import TIMEOUT, Record, full
from tests.replan_world import ReplanWorld

PARTS = full(10, 1)
REPLANS = full(5_000, 15)
IN_A_ROW = 3
SAME, NEAR = 1e-9, 0.05
LAST_DAYS = 14
TAKEN = (LeverKind.MOVE, LeverKind.CUT, LeverKind.BOTH)


class Figures(NamedTuple):
    """Figure of a lever, answer of what-if, forecast after the lever was taken, and that of the next day.

    ``left``: days from then to the due date.
    """

    kind: LeverKind
    said: float
    asked: float | None
    at_once: float | None
    next_day: float | None
    left: int


def offered(health: Health) -> list[Lever]:
    """The levers that leave a trace in the tracker."""
    return [lever for lever in health.levers if lever.kind in TAKEN]


def change(lever: Lever) -> tuple[date | None, tuple[str, ...]]:
    """The new due date, and the items to cut."""
    to, count = lever.values.get("to"), lever.values.get("count", 0)
    assert isinstance(count, int)
    assert len(lever.items) >= count
    return to if isinstance(to, date) else None, lever.items[:count]


def take(world: ReplanWorld, lever: Lever) -> None:
    """Change the plan in the tracker."""
    due, items = change(lever)
    if items:
        world.cut("app", items)
    if due is not None:
        world.move("app", due)


def replans(world: ReplanWorld) -> Iterator[Figures]:
    """Take up to three levers, one after the other, and yield the figures of each."""
    only_moves = world.draw.random() < 0.4
    for _ in range(IN_A_ROW):
        levers = offered(world.health())
        kinds = [lever for lever in levers if not only_moves or lever.kind is LeverKind.MOVE]
        if not kinds:
            return
        lever = world.draw.choice(kinds)
        assert lever.probability is not None
        asked = world.ask(world.written("app"), *change(lever)).probability
        take(world, lever)
        at_once = world.health().probability
        world.pass_days(1)
        next_day = world.health()
        left = 0 if next_day.due is None else (next_day.due - next_day.at.date()).days
        yield Figures(lever.kind, lever.probability, asked, at_once, next_day.probability, left)
        world.pass_days(world.draw.uniform(0, 10))


@pytest.mark.proof
@TIMEOUT
@pytest.mark.parametrize("part", range(PARTS))
def test_a_lever_says_what_the_next_forecast_says(part: int, record_property: Record) -> None:
    seed = part * 1_000_000
    found: list[Figures] = []
    while len(found) < REPLANS // PARTS:
        for figures in replans(ReplanWorld(seed)):
            assert figures.asked == pytest.approx(figures.said, abs=SAME), (seed, figures)
            assert figures.at_once == pytest.approx(figures.said, abs=SAME), (seed, figures)
            found.append(figures)
        seed += 1
    early = [figures for figures in found if figures.left >= LAST_DAYS]
    near = [figures for figures in early if abs((figures.next_day or 0.0) - figures.said) <= NEAR]
    record_property("re-plans", len(found))
    record_property("of them with two weeks left", len(early))
    record_property("of these within 5 points the next day", len(near))
    assert len(near) >= 0.95 * len(early)


def test_levers_of_a_waiting_milestone_include_the_milestones_that_it_waits_for() -> None:
    """An overdue milestone is left out: while its date has passed, it is history for the others, too."""
    checked, seed = 0, 0
    while checked < full(300, 3):
        seed += 1
        world = ReplanWorld(seed, ("api", "app"), [("api", "app")])
        health = world.health()
        levers = [] if health.status is Status.OVERDUE else offered(health)
        if not levers or all(reason.kind is not ReasonKind.PREDECESSOR for reason in health.reasons):
            continue
        lever = world.draw.choice(levers)
        asked = world.ask(world.written("app"), *change(lever)).probability
        take(world, lever)
        assert asked == pytest.approx(lever.probability, abs=SAME), (seed, lever)
        assert world.health().probability == pytest.approx(lever.probability, abs=SAME), (seed, lever)
        checked += 1


def joint_world(seed: int) -> tuple[ReplanWorld, bool]:
    """Two milestones of a joint one; some wait for each other. Every second joint milestone has its own due date."""
    world = ReplanWorld(seed, ("api", "app"), [("api", "app")] if seed % 3 == 0 else [])
    has_due = seed % 2 == 0
    world.join(("api", "app"), (world.now + timedelta(days=20 + seed % 50)).date() if has_due else None)
    return world, has_due


def take_joint(world: ReplanWorld, lever: Lever, *, has_due: bool) -> None:
    """Cut the member that the lever names, and move its date or the joint milestone's own."""
    due, items = change(lever)
    member = str(lever.values.get("member", "")).removeprefix("t:acme/").removesuffix("#now")
    if items:
        world.cut(member, items)
    if due is not None and has_due:
        world.join(("api", "app"), due)
    elif due is not None:
        world.move(member, due)


def test_levers_of_a_joint_milestone_name_a_member_and_say_its_next_forecast() -> None:
    checked, seed = 0, 0
    while checked < full(300, 3):
        seed += 1
        world, has_due = joint_world(seed)
        health = world.joint_health()
        levers = offered(health)
        if not levers:
            continue
        assert any(reason.values.get("member") for reason in health.reasons) or health.status is Status.OVERDUE
        lever = world.draw.choice(levers)
        if has_due and lever.kind is LeverKind.MOVE:
            assert world.ask("joint:GA", change(lever)[0]).probability == pytest.approx(lever.probability, abs=SAME)
        take_joint(world, lever, has_due=has_due)
        assert world.joint_health().probability == pytest.approx(lever.probability, abs=SAME), (seed, lever)
        checked += 1


def forecast_of(world: ReplanWorld) -> ForecastBatch:
    """The forecast of the running milestone, as the next assessment makes it."""
    snapshot = Snapshot(world.store, [world.connection], world.now, world.rules)
    history, _ = snapshot.history(world.connection)
    index = np.array([next(i for name, i in history.ledger.index.items() if name.endswith("app/now"))])
    return ForecastBatch(history, index, np.array([days(world.now)]), world.rules.calendar_of(world.connection))


def test_a_later_date_is_never_less_likely_and_time_alone_helps_nothing() -> None:
    moved = 0
    for seed in range(full(500, 25)):
        batch = forecast_of(ReplanWorld(seed))
        need = batch.open[0] - batch.allowed_open(int(batch.open[0] + batch.done[0]))
        if need <= 0:
            continue
        moved += not np.isnan(batch.clocks.moved_at[0])
        now, length = float(batch.at[0]), float(batch.length[0])
        dues = np.arange(now + 1, batch.start[0] + 4 * length, max(1.0, length / 40))
        by_date = [float(batch.probability(assumed=Assumptions(due=np.array([due])))[0]) for due in dues]
        assert np.all(np.diff(by_date) >= -SAME), seed
        waits = np.linspace(0.0, max(0.0, float(batch.due[0]) - now - 0.01), 25)
        by_time = [float(batch.probability(assumed=Assumptions(elapsed=float(wait)))[0]) for wait in waits]
        assert np.all(np.diff(by_time) <= SAME), seed
    assert moved > 0


def test_ten_moves_of_a_day_gain_nothing_over_one_of_ten_days() -> None:
    compared = 0
    for seed in range(full(200, 6)):
        slow, at_first, at_last = (ReplanWorld(seed) for _ in range(3))
        health = slow.health()
        if health.probability is None or health.due is None or (health.due - slow.now.date()).days < 2:
            continue
        at_first.assess()
        at_first.move("app", health.due + timedelta(days=10))
        for n in range(10):
            slow.move("app", health.due + timedelta(days=n + 1))
            slow.pass_days(0.1)
        at_last.now = at_first.now = slow.now
        at_last.move("app", health.due + timedelta(days=10))
        small, first, last = (world.health() for world in (slow, at_first, at_last))
        if small.clock == first.clock:  # the first small move was past the plan
            assert small.probability == pytest.approx(first.probability, abs=SAME), seed
        assert small.probability is not None
        assert last.probability is not None
        assert small.probability <= last.probability + SAME, seed
        compared += 1
    assert compared > 0
