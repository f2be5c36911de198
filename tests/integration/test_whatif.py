"""Questions of what-if: the answer moves in the right direction, and the store is unchanged."""

from __future__ import annotations

from datetime import date

import pytest

from sync.assess.milestone import AssessmentRules
from sync.assess.relations import build_portfolio
from sync.assess.snapshot import Snapshot
from sync.assess.whatif import Answer, Scenario, whatif
from sync.history.calendar import Calendar
from sync.model.health import Health, Status
from sync.model.joint import JointMilestone
from tests.portfolio_world import NOW, RULES, World, page, running

APP = running("app")
JOINT = JointMilestone(name="GA", members=(APP, running("api")), due=date(2026, 4, 1))


def _ask(world: World, book: AssessmentRules | None = None, written: str = APP, **asked: object) -> Answer:
    book = book or AssessmentRules(RULES, Calendar.plain())
    return whatif(world.store, world.connections, NOW, book, Scenario(written, **asked), replay=True)  # type: ignore[arg-type]


def _odds(health: Health) -> float:
    assert health.probability is not None
    return health.probability


def test_nothing_asked_changes_nothing() -> None:
    answer = _ask(World(page("app")))
    assert answer.before == answer.after
    assert answer.dropped == ()
    assert answer.others == {}


def test_fewer_issues_are_likelier_done() -> None:
    answer = _ask(World(page("app", still_open=6)), drop=("acme/app#87", "88", "#89"))
    assert [issue.key for issue in answer.dropped] == ["acme/app#87", "acme/app#88", "acme/app#89"]
    assert (answer.before.counts.open, answer.after.counts.open) == (6, 3)
    assert answer.after.counts.closed == answer.before.counts.closed
    assert _odds(answer.after) > _odds(answer.before)


def test_a_later_date_is_likelier_and_a_day_off_is_not() -> None:
    world = World(page("app", still_open=6))
    later = _ask(world, due=date(2026, 4, 20))
    assert later.after.due == date(2026, 4, 20)
    assert later.after.baseline == later.before.baseline
    assert _odds(later.after) > _odds(later.before)
    off = _ask(world, days_off=tuple(date(2026, 3, day) for day in range(16, 28)))
    assert _odds(off.after) < _odds(off.before)


def test_the_store_is_not_touched() -> None:
    world = World(page("app"))
    before = world.whole()
    _ask(world, drop=("89",), due=date(2026, 6, 1))
    assert world.whole().milestones == before.milestones


def test_other_milestones_that_change_are_named() -> None:
    world = World(page("app", still_open=6), page("api"))
    book = AssessmentRules(RULES, Calendar.plain(), joints=(JOINT,))
    answer = _ask(world, book, drop=("87", "88", "89"))
    assert set(answer.others) == {"joint:GA"}
    joint_before, joint_after = answer.others["joint:GA"]
    assert _odds(joint_after) > _odds(joint_before)


def test_a_joint_milestone_can_be_asked_about() -> None:
    world = World(page("app", still_open=6), page("api"))
    book = AssessmentRules(RULES, Calendar.plain(), joints=(JOINT,))
    later = _ask(world, book, "joint:GA", due=date(2026, 5, 1))
    assert later.after.due == date(2026, 5, 1)
    assert _odds(later.after) > _odds(later.before)
    assert later.others == {}  # the members' own dates stay
    fewer = _ask(world, book, "joint:GA", drop=("acme/app#89",))
    assert fewer.after.counts.open == fewer.before.counts.open - 1
    with pytest.raises(ValueError, match="means several issues"):
        _ask(world, book, "joint:GA", drop=("89",))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"written": "app:acme/app#99"}, "no milestone"),
        ({"drop": ("acme/app#80",)}, "has no open issue"),  # closed
        ({"drop": ("nonsense",)}, "has no open issue"),
    ],
)
def test_what_is_not_known_is_an_error(asked: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        _ask(World(page("app")), **asked)  # type: ignore[arg-type]


def test_a_replan_alone_does_not_promise_green() -> None:
    world = World(page("app", still_open=6))
    book = AssessmentRules(RULES, Calendar.plain())
    first = build_portfolio(Snapshot(world.store, world.connections, NOW, book))
    late = [milestone for milestone in first.milestones if milestone.written == APP]
    stored = [_with(milestone.health, Status.OFF_TRACK) for milestone in late]
    world.store.save_health("run", stored, {})
    answer = whatif(world.store, world.connections, NOW, book, Scenario(APP, due=date(2026, 12, 1)))
    assert answer.after.band is Status.ON_TRACK
    assert answer.after.status is Status.AT_RISK


def _with(health: Health, status: Status) -> Health:
    from msgspec.structs import replace

    return replace(health, status=status, band=status)
