"""Scenarios: only what they change is assessed again, and every health is that of a full assessment."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sync.assess.milestone import AssessedMilestone, AssessmentRules
from sync.assess.portfolio import Portfolio
from sync.assess.relations import assess_healths, build_portfolio
from sync.assess.snapshot import Snapshot
from sync.assess.whatif import Scenario, change
from sync.health.assess import assess
from sync.history import counting
from sync.history.calendar import Calendar
from sync.model.audience import OPERATOR, PUBLIC, Audience
from sync.model.joint import JointMilestone
from sync.model.tracker_data import Event, EventKind, Visibility
from sync.tracker.protocol import Page
from tests.portfolio_world import NOW, PAST, RULES, World, combined_page, page, running

NAMES = ("a", "b", "c", "d")
TODAY = NOW.date()
DUES = (None, *(TODAY + timedelta(days=days) for days in (-60, -3, -1, 0, 1, 2, 14, 40, 200)))
AUDIENCES = (OPERATOR, Audience(PUBLIC), Audience("team", reads=("a:*",)))


class RandomPortfolio:
    """Two trackers with two projects each, drawn from a seed: private ones, dependencies, joint milestones, moves."""

    def __init__(self, seed: int) -> None:
        self.draw = draw = random.Random(seed)
        blocked = {name: self._blockers(name) for name in NAMES}
        pages = [self._page(name, blocked[name]) for name in NAMES]
        first, second = combined_page(*pages[:2]), combined_page(*pages[2:])
        self.world = World(self._with_moves(first, pages[:2]), self._with_moves(second, pages[2:]), share="aggregate")
        zones = [ZoneInfo(draw.choice(("UTC", "Asia/Tokyo"))) for _ in range(2)]
        self.connections = [
            replace(own, zone=zone, tolerance=draw.choice((0.0, 0.0, 0.2)))
            for own, zone in zip(self.world.connections, zones, strict=True)
        ]
        self.written = [running(name, "a" if name in NAMES[:2] else "c") for name in NAMES]
        joints = [
            JointMilestone(
                name=f"J{n}", members=tuple(draw.sample(self.written, 2)), due=draw.choice((None, date(2026, 4, 1)))
            )
            for n in range(draw.randint(0, 2))
        ]
        before, *after = draw.sample(self.written, draw.randint(1, 3))
        self.rules = AssessmentRules(
            RULES, Calendar(), joints=tuple(joints), dependencies=tuple((before, own) for own in after)
        )
        self._run(days=draw.choice((3, 9)))

    def _blockers(self, name: str) -> list[str]:
        others = NAMES[:2] if name in NAMES[:2] else NAMES[2:]
        return [f"acme/{other}#{10 * PAST + 9}" for other in others if other != name and self.draw.random() < 0.3]

    def _page(self, name: str, blockers: Sequence[str]) -> Page:
        return page(
            name,
            visibility=self.draw.choice((Visibility.PUBLIC, Visibility.PUBLIC, Visibility.PROJECT)),
            still_open=self.draw.randint(1, 9),
            late=[n for n in range(PAST) if self.draw.random() < 0.4],
            due=self.draw.choice(DUES),
            blocked_by=blockers,
        )

    def _with_moves(self, whole: Page, parts: Sequence[Page]) -> Page:
        """Return the page in which some items left the milestone before the running one for that, near its end."""
        histories = {}
        for part in parts:
            old, new = part.milestones[-2:]
            for issue in part.issues:
                if issue.milestones == (new.id,) and issue.closed_at is None and self.draw.random() < 0.3:
                    left = NOW - timedelta(days=self.draw.choice((0.5, 2, 16, 20)))
                    joined = Event(issue=issue.id, at=issue.created_at, kind=EventKind.JOINED, milestone=old.id)
                    moved = [
                        replace(joined, at=left, kind=EventKind.LEFT),
                        replace(joined, at=left, milestone=new.id),
                    ]
                    histories[issue.id] = (joined, *moved)
        return replace(whole, histories=histories)

    def _run(self, days: int) -> None:
        """Store the healths of a run of some days ago."""
        snapshot = Snapshot(self.world.store, self.connections, NOW - timedelta(days=days), self.rules)
        portfolio = build_portfolio(snapshot)
        healths = [own.health for own in portfolio.milestones] + [own.health for own in portfolio.joints]
        self.world.store.save_health("run", healths, {own.uid: own.stream for own in portfolio.milestones})

    def snapshot(self, audience: Audience = OPERATOR) -> Snapshot:
        """A new snapshot, not yet assessed."""
        return Snapshot(self.world.store, self.connections, NOW, self.rules, audience=audience)

    def scenario(self, portfolio: Portfolio) -> Scenario:
        """A question about a milestone or a joint milestone of a portfolio."""
        draw = self.draw
        everything = [own for own in portfolio.milestones if own.is_running or draw.random() < 0.1]
        members_by_id: dict[str, tuple[AssessedMilestone, ...]] = {own.written: (own,) for own in everything}
        members_by_id |= {joint.written: joint.members for joint in portfolio.joints}
        written = draw.choice(list(members_by_id))
        open_keys = sorted(
            {
                own.issues[row.item].key
                for own in members_by_id[written]
                for row in own.memberships
                if row.item in own.issues and counting.is_open(row, NOW)
            }
        )
        return Scenario(
            written,
            drop=tuple(draw.sample(open_keys, draw.randint(0, len(open_keys)))),
            due=draw.choice((None, *DUES[1:])),
            days_off=(TODAY + timedelta(days=2),) if draw.random() < 0.1 else (),
        )


@settings(max_examples=12)
@given(seed=st.integers(0, 10**9), audience=st.sampled_from(AUDIENCES), is_advised=st.booleans())
def test_the_health_of_each_milestone_is_that_of_a_full_assessment(
    seed: int, audience: Audience, is_advised: bool
) -> None:
    world = RandomPortfolio(seed)
    assessed, unassessed = world.snapshot(audience), world.snapshot(audience)
    portfolio = build_portfolio(assessed if is_advised else assessed.without_advice())
    for _ in range(4):
        scenario = world.scenario(portfolio)
        narrow, dropped = change(portfolio, assessed, scenario)
        full, dropped_again = change(portfolio, unassessed, scenario)  # which has no health to keep
        assert dropped == dropped_again
        assert assess_healths(narrow) == assess_healths(full)


def _assessed_again(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many of the milestones of four projects are assessed for the answer to a scenario."""
    world = World(*(page(name) for name in NAMES))
    snapshot = Snapshot(world.store, world.connections, NOW, AssessmentRules(RULES, Calendar.plain()))
    portfolio = build_portfolio(snapshot)
    counted: list[str] = []

    def counting_assess(history: object, targets: Sequence[str], *rest: object) -> object:
        counted.extend(targets)
        return assess(history, targets, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("sync.assess.snapshot.assess", counting_assess)
    assess_healths(change(portfolio, snapshot, scenario)[0])
    return len(counted)


@pytest.mark.parametrize(
    ("asked", "assessed"),
    [
        ({"due": TODAY + timedelta(days=30)}, 1),
        ({"drop": ("acme/a#89", "acme/a#88")}, 1),
        ({}, 0),
        ({"due": TODAY - timedelta(days=30)}, 4 * (PAST + 1)),  # others learn from what was due
        ({"days_off": (TODAY + timedelta(days=2),)}, 4 * (PAST + 1)),
    ],
)
def test_only_what_changes_is_assessed_again(
    asked: dict[str, object], assessed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _assessed_again(Scenario(running("a"), **asked), monkeypatch) == assessed  # type: ignore[arg-type]
