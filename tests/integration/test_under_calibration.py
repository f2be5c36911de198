"""A stream whose forecasts were worse than its own hit rate: every surface shows the hit rate, and no other figure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

import msgspec
import pytest

from sync.assess.explain import explain_milestone
from sync.assess.milestone import AssessmentRules
from sync.assess.portfolio import Portfolio
from sync.assess.relations import build_portfolio
from sync.assess.snapshot import Snapshot
from sync.assess.whatif import Scenario, whatif
from sync.cli.output import milestone_rows
from sync.digest.send import milestone_states
from sync.engine.engine import Engine
from sync.forecast.parameters import Rules
from sync.history.calendar import Calendar
from sync.model.audience import OPERATOR
from sync.model.health import Dates, Health, ReasonKind
from sync.model.joint import JointMilestone
from sync.model.policy import Limits, Policy
from sync.site.contents import gather
from sync.store.store import Store
from sync.tracker.connection import Connection
from sync.tracker.marker import Marker
from tests.memory_tracker import MemoryConnector, MemoryTracker
from tests.portfolio_world import NOW, PAST, page, running

RULES = Rules(gate_least=20)
ALONE = JointMilestone(name="All", due=date(2026, 3, 29), members=(running("p"),))
BOOK = AssessmentRules(RULES, Calendar.plain(), joints=(ALONE,))


class World:
    """Eight milestones of one stream, those of the numbers ``late`` too late; each was forecast three times."""

    def __init__(self, late: range = range(6), said: float = 0.98) -> None:
        self.store = Store.memory(lambda: NOW)
        self.tracker = MemoryTracker(lambda: NOW, pages=[page("p", late=late)])
        self.connection = Connection(
            name="p",
            connector=MemoryConnector(self.tracker, name="p"),
            projects=("acme/p",),
            policy_of=lambda _: Policy.CREATE,
        )
        self.engine = Engine(
            connections=[self.connection],
            store=self.store,
            instance="acme",
            clock=lambda: NOW,
            rules=BOOK,
            limits=Limits(),
            run_id="run",
            holder="host:1:1",
        )
        self.engine.pull()
        self._publish(said)

    def _publish(self, said: float) -> None:
        for milestone in self.engine.assess(keep=False):
            health = milestone.health
            if milestone.is_running or health.start is None or health.due is None:
                continue
            planned = health.due - health.start
            for n, share in enumerate((0.2, 0.4, 0.6)):
                at = NOW + (health.start + planned * share - NOW.date())
                dates = Dates(p50=health.due, p85=health.due)
                old = msgspec.structs.replace(health, at=at, probability=said, dates=dates)
                self.store.save_health(f"old-{n}", [old], {milestone.uid: milestone.stream})

    def portfolio(self, *, replay: bool = False) -> Portfolio:
        return build_portfolio(Snapshot(self.store, [self.connection], NOW, BOOK, replay=replay))

    def health(self) -> Health:
        (milestone,) = [m for m in self.portfolio().milestones if m.is_running]
        return milestone.health


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def probabilities(world: World) -> Iterator[tuple[str, float | None]]:
    """Every place that shows the probability of the running milestone, with the figure."""
    written = running("p")
    portfolio = world.portfolio()
    yield "status", next(row["probability"] for row in milestone_rows(portfolio.milestones) if row["id"] == written)
    explained = explain_milestone(world.engine.snapshot(), world.store, written)
    assert explained is not None
    yield "explain", explained.numbers["health"]["probability"]
    states = [state for state in milestone_states(portfolio, OPERATOR, NOW) if state.project and state.ended is None]
    yield "digest", states[0].health.probability
    report = gather(world.store, [world.connection], NOW, BOOK, OPERATOR)
    yield "page", next(row.health.probability for row in report.rows if row.written == written)
    (joint,) = portfolio.joints
    yield "member of a joint milestone", joint.explain()["members"][0]["probability"]
    yield "as of now", next(m.health.probability for m in world.portfolio(replay=True).milestones if m.is_running)
    moved = Scenario(written, due=date(2026, 4, 20))
    answer = whatif(world.store, [world.connection], NOW, BOOK, moved)
    yield "what-if, before", answer.before.probability
    yield "what-if, after: the next forecast shows the hit rate, too", answer.after.probability
    actions = world.engine.plan(list(portfolio.milestones)).actions
    (marker,) = [m for a in actions if (m := Marker.decode(getattr(a, "marker", ""))) and m.probability is not None]
    yield "marker", marker.probability
    (body,) = [body for a in actions if "likely by" in (body := getattr(a, "body", ""))]
    found = re.search(r"(\d+)% likely by", body)
    assert found is not None
    yield "comment", int(found[1]) / 100
    assert "Recent forecasts of this series were worse than its own hit rate, which is shown instead." in body
    assert not re.search("Compared with|Track record of", body), "the parts are those of the forecast"


def test_every_surface_shows_the_hit_rate(world: World) -> None:
    health = world.health()
    assert health.basis.calibrating
    assert health.probability == 2 / PAST
    assert {place: p for place, p in probabilities(world) if p is None or round(p, 2) != 0.25} == {}


def test_a_joint_milestone_of_one_member_shows_it_as_well(world: World) -> None:
    (joint,) = world.portfolio().joints
    assert joint.health.probability == pytest.approx(2 / PAST, abs=0.005)


def test_no_lever_and_no_table_has_a_figure_of_the_forecast(world: World) -> None:
    health = world.health()
    assert health.levers == ()
    assert {reason.kind for reason in health.reasons} <= {ReasonKind.HIT_RATE}
    report = gather(world.store, [world.connection], NOW, BOOK, OPERATOR)
    (uid,) = (page.row.uid for page in report.pages if page.row.written == running("p"))
    assert report.numbers({uid})[uid].what_if is None


@pytest.mark.parametrize(("late", "said", "hit_rate"), [(range(6), 0.98, 0.25), (range(2), 0.02, 0.75)])
def test_the_dates_agree_with_the_hit_rate(late: range, said: float, hit_rate: float) -> None:
    """Most likely by the due date where the hit rate is above 50%, later where it is below."""
    health, due = World(late, said).health(), date(2026, 3, 29)
    assert health.basis.calibrating
    assert health.probability == hit_rate
    assert (health.dates.p50 is not None and health.dates.p50 <= due) == (hit_rate > 0.5)
    assert health.dates.p85 is None or health.dates.p85 > due


def test_below_the_fewest_forecasts_the_forecast_is_shown_everywhere() -> None:
    book = msgspec.structs.replace(BOOK, parameters=msgspec.structs.replace(RULES, gate_least=25))
    world = World()
    portfolio = build_portfolio(Snapshot(world.store, [world.connection], NOW, book))
    (health,) = [milestone.health for milestone in portfolio.milestones if milestone.is_running]
    assert not health.basis.calibrating
    assert health.probability != 2 / PAST


def test_a_score_is_of_its_own_time() -> None:
    """As of a day on which no forecast was settled, the forecast is shown, as it was then."""
    world = World()
    early = NOW - timedelta(days=28 * PAST)
    portfolio = build_portfolio(Snapshot(world.store, [world.connection], early, BOOK, replay=True))
    assert not any(milestone.health.basis.calibrating for milestone in portfolio.milestones)
