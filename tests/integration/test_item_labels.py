"""Labels on the items that a reason names: put there once, taken off when the matter is over, never fought about."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from sync.assess.milestone import AssessedMilestone
from sync.engine.engine import Engine
from sync.engine.handover import retire
from sync.engine.result import Result
from sync.model.health import Reason, ReasonKind
from sync.model.item_label import undo_own_touches
from sync.model.policy import OptionalOutputs, Policy
from sync.model.tracker_data import Person, State
from sync.tracker.actions import CreateLabel, LabelItem
from sync.tracker.connection import Connection
from tests.integration.test_engine import NOW, World

ON = OptionalOutputs(item_labels=True)


class Labelled(World):
    """An engine whose assessments name items as the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.reasons: tuple[Reason, ...] = ()
        self.prefix = "health"
        self.also = ON
        first = self.tracker.pages[0]
        owned = tuple(replace(issue, assignees=(Person("1", "Ada"),), updated_at=NOW) for issue in first.issues)
        self.tracker.pages = [replace(first, issues=owned)]

    def go(self, policy: Policy = Policy.CREATE) -> Result:
        """A run; the engine as it was is kept."""
        connection = Connection(
            name="memory",
            connector=self.connector,
            projects=("acme/app",),
            policy_of=lambda _: policy,
            optional_outputs_of=lambda _: self.also,
            prefix=self.prefix,
        )
        self.last = engine = self.engine(connection)
        engine.store.start_run(engine.run_id, self.clock())
        engine.pull()
        assessed = [self.with_reasons(milestone) for milestone in engine.assess()]
        result = Result(assessed=assessed, plan=engine.plan(assessed), failures=engine.failures)
        engine.apply_into(result)
        return result

    def with_reasons(self, milestone: AssessedMilestone) -> AssessedMilestone:
        return replace(milestone, health=replace(milestone.health, reasons=self.reasons))

    def says(self, kind: ReasonKind, *numbers: int) -> None:
        items = tuple(f"memory://tracker/issue/p1-{n}" for n in numbers)
        self.reasons = (Reason(kind=kind, effect=-1.0, items=items),)

    def people(self, number: int, **changes: object) -> None:
        """Somebody changes an item."""
        self.now += timedelta(hours=1)
        page = self.tracker.pages[0]
        changes.setdefault("updated_at", self.now)
        issues = tuple(replace(issue, **changes) if issue.id == f"p1-{number}" else issue for issue in page.issues)
        self.tracker.pages = [replace(page, issues=issues)]

    def labels(self, number: int) -> tuple[str, ...]:
        return next(issue.labels for issue in self.tracker.pages[0].issues if issue.id == f"p1-{number}")


@pytest.fixture
def world() -> Labelled:
    return Labelled()


def marks(result: Result) -> list[LabelItem]:
    return [action.action for action in result.written if isinstance(action.action, LabelItem)]


def test_it_is_off_by_default(world: Labelled) -> None:
    world.also = OptionalOutputs()
    world.says(ReasonKind.UNASSIGNED, 3)
    world.people(3, assignees=())
    assert marks(world.go()) == []


def test_an_item_that_a_reason_names_is_marked_once_and_unmarked_when_it_is_over(world: Labelled) -> None:
    world.people(3, assignees=(), labels=("theirs",))
    world.says(ReasonKind.UNASSIGNED, 3)
    result = world.go()
    assert [action.action.label for action in result.written if isinstance(action.action, CreateLabel)][
        -1
    ] == "health/unowned"
    assert world.labels(3) == ("theirs", "health/unowned")
    assert world.labels(4) == ()
    assert result.notifications == 2, "the status issue and the summary"
    world.now += timedelta(hours=1)
    assert world.go().written == []
    world.people(3, assignees=(Person("1", "Ada"),))
    world.reasons = ()
    assert [action.remove for action in marks(world.go())] == [("health/unowned",)]
    assert world.labels(3) == ("theirs",)
    assert world.store.item_labels("memory://tracker") == []


def test_a_changed_prefix_takes_the_labels_along(world: Labelled) -> None:
    world.people(3, assignees=(), labels=("theirs", "health/of theirs"))
    world.says(ReasonKind.UNASSIGNED, 3)
    world.go()
    world.prefix = "state"
    world.now += timedelta(hours=1)
    world.go()
    assert set(world.labels(3)) == {"theirs", "health/of theirs", "state/unowned"}
    assert [label.label for label in world.store.item_labels("memory://tracker")] == ["state/unowned"]
    world.now += timedelta(hours=1)
    assert world.go().written == []


def test_it_stays_while_it_is_true_although_the_reason_is_gone(world: Labelled) -> None:
    world.people(3, blocked_by=("#4",))
    world.says(ReasonKind.BLOCKED, 3)
    world.go()
    world.reasons = ()
    assert marks(world.go()) == []
    assert world.labels(3) == ("health/blocked",)


def test_a_label_removed_by_a_person_stays_removed_until_the_reason_is_gone(world: Labelled) -> None:
    world.people(3, assignees=())
    world.says(ReasonKind.UNASSIGNED, 3)
    world.go()
    world.people(3, labels=())
    for _ in range(2):
        assert marks(world.go()) == []
    world.people(3, assignees=(Person("1", "Ada"),))
    world.reasons = ()
    world.go()
    world.people(3, assignees=())
    world.says(ReasonKind.UNASSIGNED, 3)
    assert [action.add for action in marks(world.go())] == [("health/unowned",)], "another matter"


@pytest.mark.parametrize(
    "ends",
    [
        lambda world: world.people(3, milestones=()),
        lambda world: setattr(world, "also", OptionalOutputs()),
        lambda world: world.people(3, state=State.CLOSED, closed_at=world.now),
    ],
)
def test_an_item_that_left_or_is_closed_or_a_setting_that_is_off_takes_it_away(
    world: Labelled, ends: Callable[[Labelled], None]
) -> None:
    world.people(3, assignees=())
    world.says(ReasonKind.UNASSIGNED, 3)
    world.go()
    ends(world)
    world.reasons = ()
    world.go()
    assert world.labels(3) == ()
    assert world.store.item_labels("memory://tracker") == []


def test_our_own_label_does_not_wake_a_stale_item(world: Labelled) -> None:
    world.people(3, updated_at=NOW - timedelta(days=19))
    world.says(ReasonKind.STRAGGLERS, 3)
    world.go()
    assert world.labels(3) == ("health/stale",)
    touched = world.tracker.pages[0].issues[2].updated_at
    assert touched == world.now
    world.now += timedelta(days=1)
    world.reasons = ()
    assert marks(world.go()) == []
    (milestone,) = world.last.assess(keep=False)
    assert milestone.issues["memory://tracker/issue/p1-3"].updated_at == NOW - timedelta(days=19)
    world.people(3)
    assert [action.remove for action in marks(world.go())] == [("health/stale",)]


def test_nothing_is_marked_where_it_is_muted_or_may_not_be_written(world: Labelled) -> None:
    world.people(3, assignees=())
    world.says(ReasonKind.UNASSIGNED, 3)
    assert marks(world.go(Policy.PLAN)) == []
    world.go()
    (key,) = world.tracker.issues
    world.tracker.issues[key] = replace(world.tracker.issues[key], closed=True)
    world.people(4, assignees=())
    world.says(ReasonKind.UNASSIGNED, 3, 4)
    world.now += timedelta(days=2)
    assert marks(world.go()) == []
    assert world.labels(3) == ("health/unowned",)


def test_retire_takes_the_marks_away_and_no_other_label(world: Labelled) -> None:
    world.people(3, assignees=(), labels=("theirs", "health/mine"))
    world.says(ReasonKind.UNASSIGNED, 3)
    world.go()
    engine: Engine = world.last
    engine.pull()
    plan, _ = retire(engine, engine.assess(keep=False))
    assert [action.remove for action in plan.actions if isinstance(action, LabelItem)] == [("health/unowned",)]


def test_marks_whose_items_are_unknown_touch_nothing() -> None:
    assert undo_own_touches({}, (), "memory://tracker") == {}
