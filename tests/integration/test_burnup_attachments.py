"""A picture of the burn-up on a status issue: one, seldom replaced, never against a person."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from sync.assess.milestone import AssessedMilestone
from sync.engine.handover import retire
from sync.engine.result import Result
from sync.model.health import Health
from sync.model.policy import Limits, OptionalOutputs, Policy
from sync.model.tracker_data import Markup
from sync.plan.attachment import MIN_REPLACEMENT_AGE, plan_attachment, remove_attachments
from sync.plan.desired import Plan, PreviousWrites
from sync.plan.fingerprint import fingerprint
from sync.plan.inputs import PlannerInput
from sync.plan.limits import over_limits
from sync.report import burnup as drawing
from sync.report.burnup import burn_up_data, content_hash
from sync.tracker.actions import Attach, Detach, Receipt, kind_of
from sync.tracker.attachment import AttachmentName
from sync.tracker.connection import Connection
from sync.tracker.errors import RefusedError, UncertainError, UnreachableError
from sync.tracker.observed import Attached, Files, StatusIssue
from sync.tracker.protocol import Capabilities
from tests.integration.test_engine import NOW, World
from tests.journal_rows import unfinished_writes
from tests.unit.test_reconcile import TARGET, UID, want

FIRST, SECOND = "0" * 12, "1" * 12
ISSUE = StatusIssue(issue="1", url="memory:1", closed=False, labels=(), comments=(), files=Files())
TO: dict[str, Any] = {"milestone": UID, "project": TARGET.project, "project_key": TARGET.project_key}


class There:
    """A status issue that carries out every action, and a clock."""

    def __init__(self) -> None:
        self.files, self.pictured, self.n, self.now = Files(), set[str](), 0, NOW

    def settle(self, picture: str | None = FIRST, **fields: Any) -> tuple[list[Attach | Detach], str]:
        """Plan and apply; return the actions and the reason for skipping."""
        have = msgspec.structs.replace(ISSUE, files=self.files)
        asked = want(picture=picture, previous=PreviousWrites(pictures=frozenset(self.pictured)), **fields)
        made, why = plan_attachment(PlannerInput(asked, have, "acme", self.now))
        for action in made:
            if isinstance(action, Attach):
                self.put(action.name)
                self.pictured.add(str(getattr(AttachmentName.read(action.name), "stem", "")))
            else:
                self.files = Files(ours=tuple(file for file in self.files.ours if file.id != action.file))
                if not action.superseded:
                    self.pictured.clear()
        return made, why

    def put(self, name: str) -> None:
        self.n += 1
        self.files = Files(ours=(*self.files.ours, Attached(id=str(self.n), name=name, created_at=self.now)))

    @property
    def names(self) -> list[str]:
        return [attached.name for attached in self.files.ours]


def kinds(made: list[Attach | Detach]) -> list[str]:
    return [type(action).__name__ for action in made]


def named(picture: str, instance: str = "acme") -> str:
    return str(AttachmentName.of(UID, picture, instance))


# --- planning -------------------------------------------------------------------------------------------------------


def test_it_is_attached_once_and_kept_while_its_content_is_the_same() -> None:
    there = There()
    (made,), why = there.settle()
    assert isinstance(made, Attach)
    assert (made.name, made.again, made.content, why) == (named(FIRST), False, b"", "")
    there.now += 30 * MIN_REPLACEMENT_AGE
    assert there.settle() == ([], "")


def test_another_one_takes_its_place_after_a_day_the_new_one_first() -> None:
    there = There()
    there.settle()
    there.now += MIN_REPLACEMENT_AGE - timedelta(seconds=1)
    assert there.settle(SECOND) == ([], "")
    there.now += timedelta(seconds=1)
    (made, gone), _ = there.settle(SECOND)
    assert isinstance(made, Attach)
    assert isinstance(gone, Detach)
    assert (made.again, gone.name, gone.superseded) == (True, named(FIRST), True)
    assert there.names == [named(SECOND)]
    assert there.settle(SECOND) == ([], "")


def test_on_a_quiet_day_nothing_comes_or_goes() -> None:
    there = There()
    assert there.settle(quiet=True) == ([], "")
    there.settle()
    there.now += 2 * MIN_REPLACEMENT_AGE
    assert there.settle(SECOND, quiet=True) == ([], "")
    assert there.settle("", quiet=True) == ([], "")
    assert kinds(there.settle(SECOND)[0]) == ["Attach", "Detach"]


def test_a_deleted_picture_stays_deleted() -> None:
    there = There()
    there.settle()
    there.files = Files()
    there.now += 2 * MIN_REPLACEMENT_AGE
    assert there.settle(SECOND) == ([], "")
    there.settle("")
    assert there.settle(SECOND) == ([], "")


def test_it_goes_when_it_is_not_asked_for_any_more_and_comes_again_when_it_is() -> None:
    there = There()
    there.settle()
    (gone,), _ = there.settle("")
    assert isinstance(gone, Detach)
    assert not gone.superseded
    assert there.names == []
    assert kinds(there.settle()[0]) == ["Attach"]


def test_of_two_that_a_lost_answer_left_the_newest_right_one_stays() -> None:
    there = There()
    there.put(named(SECOND))
    there.now += timedelta(hours=1)
    there.put(named(FIRST).replace(".png", " (8f3c0d1e-0000-4000-8000-0123456789ab).png"))
    there.now += timedelta(hours=1)
    there.put(named(FIRST))
    there.now += timedelta(hours=1)
    there.put(named(SECOND))
    assert kinds(there.settle()[0]) == ["Detach"] * 3
    assert there.names == [named(FIRST)]


def test_of_several_wrong_ones_the_newest_stays_until_its_day_is_over() -> None:
    there = There()
    there.put(named(FIRST))
    there.now += 2 * MIN_REPLACEMENT_AGE
    there.put(named(FIRST))
    assert kinds(there.settle(SECOND)[0]) == ["Detach"]
    there.now += MIN_REPLACEMENT_AGE
    assert kinds(there.settle(SECOND)[0]) == ["Attach", "Detach"]
    assert there.names == [named(SECOND)]


@pytest.mark.parametrize("foreign", ["burn-up.png", named(FIRST, "other"), named(FIRST, "acme-2"), "acme.png"])
def test_a_file_of_another_name_or_instance_is_never_touched(foreign: str) -> None:
    there = There()
    there.put(foreign)
    there.settle()
    there.now += 2 * MIN_REPLACEMENT_AGE
    there.settle(SECOND)
    there.settle("")
    assert there.names == [foreign]
    have = msgspec.structs.replace(ISSUE, files=there.files)
    assert remove_attachments(have, TO, "acme").actions == ()


def test_two_milestones_on_one_issue_have_a_picture_each() -> None:
    there = There()
    there.settle()
    there.put(str(AttachmentName.of("another", SECOND, "acme")))
    there.now += 2 * MIN_REPLACEMENT_AGE
    assert there.settle() == ([], "")
    have = msgspec.structs.replace(ISSUE, files=there.files)
    assert len(remove_attachments(have, TO, "acme").actions) == 2


def test_what_hinders_is_said_and_nothing_is_tried() -> None:
    there = There()
    there.settle()
    there.now += 2 * MIN_REPLACEMENT_AGE
    there.files = msgspec.structs.replace(there.files, why="attachments are switched off in Jira")
    assert there.settle(SECOND) == ([], "attachments are switched off in Jira")
    assert there.settle(None, picture_problem="an extra is missing") == ([], "an extra is missing")
    assert there.settle(None) == ([], "")


def test_there_is_none_before_the_status_issue_and_none_where_there_are_no_files() -> None:
    assert plan_attachment(PlannerInput(want(picture=FIRST), None, "acme", NOW)) == ([], "")
    without_files = msgspec.structs.replace(ISSUE, files=None)
    assert plan_attachment(PlannerInput(want(picture=FIRST), without_files, "acme", NOW)) == ([], "")


@pytest.mark.parametrize("instance", ["acme", "a-b-01234567", "team 7 (x)"])
def test_a_name_is_read_as_it_was_written(instance: str) -> None:
    name = AttachmentName.of(UID, FIRST, instance)
    assert AttachmentName.read(str(name)) == name


def test_limits_count_it_a_saved_plan_knows_it_and_it_is_no_quiet_write() -> None:
    new = Attach(**TO, issue="1", name=named(FIRST))
    again = msgspec.structs.replace(new, again=True)
    gone = Detach(**TO, issue="1", file="7", name=named(FIRST))
    superseded = msgspec.structs.replace(gone, superseded=True)
    plan = Plan(actions=(new, again, gone, superseded))
    told_of = [
        (refusal.what, refusal.planned) for refusal in over_limits(plan, Limits(creates=0, updates=0, deletes=0), 1)
    ]
    assert told_of == [("creates", 1), ("updates", 2), ("deletes", 1)]
    assert fingerprint([new]) != fingerprint([msgspec.structs.replace(new, name=named(SECOND))])
    assert all(kind_of(action).notifies(action) for action in plan.actions)


# --- the engine -----------------------------------------------------------------------------------------------------


class Drawing(World):
    """A world whose tracker takes files, and in which pictures are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.connector.capabilities = Capabilities(markup=Markup.GITHUB, body_limit=65_000, files=True)
        self.also = OptionalOutputs(picture=True)

    def go(self, limits: Limits | None = None) -> Result:
        self.connection = Connection(
            name="memory",
            connector=self.connector,
            projects=("acme/app",),
            policy_of=lambda _: Policy.CREATE,
            optional_outputs_of=lambda _: self.also,
        )
        return self.engine(self.connection, limits=limits).run()

    @property
    def attached(self) -> list[str]:
        return [file.name for issue in self.tracker.issues.values() for file in (issue.files or Files()).ours]

    def done(self) -> list[Attach]:
        return [action for action in self.tracker.writes if isinstance(action, Attach)]


@pytest.fixture
def world() -> Drawing:
    there = Drawing()
    there.go()
    there.now += timedelta(days=1)
    return there


def test_it_comes_with_the_run_after_the_one_that_made_the_issue_and_then_rests(world: Drawing) -> None:
    assert world.done() == []
    result = world.go()
    (made,) = world.done()
    assert made.content.startswith(b"\x89PNG")
    assert result.notifications == 1
    assert [action.action.content for action in result.written if isinstance(action.action, Attach)] == [b""]
    world.now += timedelta(hours=1)
    assert world.go().written == []


def test_the_journal_and_the_plan_hold_no_picture(world: Drawing) -> None:
    world.connector.fail["apply"] = [UncertainError("memory")] * 9
    result = world.go()
    assert any(isinstance(action, Attach) and action.content == b"" for action in result.plan.actions)
    assert all(
        not getattr(entry.action, "content", b"") for entry in unfinished_writes(world.store, "memory://tracker")
    )


def test_a_lost_answer_leaves_one(world: Drawing) -> None:
    world.connector.lose = 99
    assert world.go().failures == []
    assert len(world.attached) == 1
    world.connector.lose = 0
    world.now += timedelta(hours=1)
    assert world.go().written == []


def test_a_lost_answer_that_cannot_be_looked_up_leaves_one(world: Drawing) -> None:
    attach = world.tracker.do

    def lost(action: Any) -> Receipt:
        receipt = attach(action)
        if isinstance(action, Attach):
            world.connector.fail["observe"] = [UnreachableError("memory")]
            raise UncertainError("memory")
        return receipt

    world.tracker.do = lost  # type: ignore[method-assign]
    assert len(world.go().failures) == 1
    world.tracker.do = attach  # type: ignore[method-assign]
    world.now += timedelta(hours=1)
    assert world.go().written == []
    assert len(world.attached) == 1


def test_after_a_lost_database_it_is_known_again_and_deleted_it_stays_away(world: Drawing) -> None:
    world.go()
    other = Drawing()
    other.tracker, other.connector, other.now = world.tracker, world.connector, world.now + timedelta(hours=1)
    other.clock = lambda: other.now
    other.go()
    assert len(world.done()) == 1
    for key, issue in world.tracker.issues.items():
        world.tracker.issues[key] = msgspec.structs.replace(issue, files=Files())
    other.now += timedelta(days=2)
    other.go()
    assert len(world.done()) == 1


def test_what_the_tracker_refuses_ends_nothing_else(world: Drawing) -> None:
    attach = world.tracker.do

    def refusing(action: Any) -> Receipt:
        if isinstance(action, Attach):
            raise RefusedError("memory", "acme/app", "HTTP 413")
        return attach(action)

    world.tracker.do = refusing  # type: ignore[method-assign]
    assert world.go().failures == []
    assert world.attached == []


def test_retire_takes_it_away(world: Drawing) -> None:
    world.go()
    engine = world.engine(world.connection)
    plan, _ = retire(engine, engine.assess())
    assert sum(isinstance(action, Detach) for action in plan.actions) == 1


def test_switched_off_it_goes_with_the_next_run(world: Drawing) -> None:
    world.go()
    world.also = OptionalOutputs()
    world.now += timedelta(days=1)
    world.go()
    assert world.attached == []
    world.also = OptionalOutputs(picture=True)
    world.now += timedelta(days=2)
    world.go()
    assert len(world.attached) == 1


def test_without_the_extra_that_is_said_and_everything_else_is_written(
    world: Drawing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.report.charts.can_render_png", lambda: False)
    result = world.go()
    (skipped,) = result.plan.skipped
    assert skipped.why.startswith("its burn-up needs the extra `site`: ")
    assert (result.failures, world.attached) == ([], [])


def test_a_picture_that_cannot_be_made_stops_no_run(world: Drawing, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> bytes:
        raise RuntimeError("no fonts")

    monkeypatch.setattr("sync.report.burnup.render_png", broken)
    assert world.go().failures == []
    assert world.attached == []


# --- contents -------------------------------------------------------------------------------------------------------


def assessed(world: Drawing, at: Any = None) -> AssessedMilestone:
    (milestone,) = world.engine(world.connection).assess(at, keep=False)
    return milestone


def changed(milestone: AssessedMilestone, **fields: Any) -> AssessedMilestone:
    health: Health = msgspec.structs.replace(milestone.health, **fields)
    return msgspec.structs.replace(milestone, health=health)


def test_passing_days_are_no_change_and_every_drawn_value_is_one(world: Drawing) -> None:
    milestone = assessed(world)
    later = changed(milestone, at=milestone.health.at + timedelta(days=1))
    assert burn_up_data(milestone) != burn_up_data(later)
    assert content_hash(milestone) == content_hash(later)
    assert len(content_hash(milestone)) == 12
    due = changed(milestone, due=date(2026, 5, 1))
    first = changed(milestone, baseline=date(2026, 3, 1))
    counts = changed(milestone, counts=msgspec.structs.replace(milestone.health.counts, closed=3))
    weeks = changed(milestone, dates=msgspec.structs.replace(milestone.health.dates, p85=date(2027, 1, 1)))
    assert len({content_hash(other) for other in (milestone, due, first, counts, weeks)}) == 5


def test_a_date_of_the_forecast_counts_by_its_week(world: Drawing) -> None:
    monday = date(2026, 6, 1)
    milestone = changed(assessed(world), dates=type(assessed(world).health.dates)(p50=monday))
    days = [changed(milestone, dates=type(milestone.health.dates)(p50=monday + timedelta(days=n))) for n in range(14)]
    assert [content_hash(day) for day in days] == [content_hash(days[0])] * 7 + [content_hash(days[7])] * 7
    assert content_hash(days[0]) != content_hash(days[7])


def test_without_data_there_is_no_picture(world: Drawing) -> None:
    milestone = changed(assessed(world), start=None)
    assert content_hash(milestone) == ""
    assert drawing.burn_up_picture(milestone) == drawing.BurnUpPicture(content_hash="")
