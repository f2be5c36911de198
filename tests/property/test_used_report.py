"""A report into a folder that an earlier report filled equals one into an empty folder after any change.

A page whose inputs are known is not rendered again. So each kind of input is changed, in any order, and all files are
compared with those of a whole report; each kind must change a page.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import TZPATH, ZoneInfo

import msgspec
import pytest
from msgspec.structs import replace

from sync.engine.engine import Engine
from sync.model.audience import OPERATOR, Audience
from sync.model.health import Status
from sync.model.joint import JointMilestone
from sync.model.tracker_data import DueDate, Event, EventKind, Issue, Person, State, StatusCategory, Visibility
from sync.site.contents import Contents, gather
from sync.site.milestone_page import PageNumbers
from sync.tracker.observed import StatusIssue
from sync.tracker.protocol import Page
from tests.sample_site import NOW, installation, project, series

build_module: Any = pytest.importorskip("sync.site.build", reason="no Jinja2 here: the extra `site`")

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
SOURCE = "memory://gh"
JOINT = JointMilestone(name="Both", members=("gh:acme/app#9", "gh:acme/app#10"))
PARTS = 2


def pages() -> dict[str, Sequence[Page]]:
    """A project with eight finished milestones and three running ones."""
    return {"gh": [series(project("acme/app"), running=3)]}


class World:
    """An installation at a time, whose data, rules and audience can be changed."""

    def __init__(self, engine: Engine, rng: Random) -> None:
        self.engine, self.rng, self.at = engine, rng, NOW
        self.audience = OPERATOR
        self.page = pages()["gh"][0]
        (home,) = self.page.projects
        self.home = home
        self.running = [milestone for milestone in self.page.milestones if milestone.closed_at is None]
        self.over = [milestone for milestone in self.page.milestones if milestone.closed_at is not None]
        self.asked: set[str] = set()

    def save(self, **rows: Any) -> None:
        """Save rows of a project as a pull does."""
        self.engine.store.save(SOURCE, Page(projects=(self.home,), **rows), self.at)

    def issue(self, state: State, milestones: Collection[Any]) -> Issue:
        """An issue of these milestones in a state."""
        names = {milestone.id for milestone in milestones}
        found = [own for own in self.page.issues if own.state is state and names.intersection(own.milestones)]
        return self.rng.choice(found)

    def save_issue(self, issue: Issue, *events: Event, **values: Any) -> None:
        """Save an issue with other values, and with further events."""
        changed = replace(issue, updated_at=self.at, **values)
        self.page = replace(self.page, issues=tuple(changed if own.id == issue.id else own for own in self.page.issues))
        history = (*self.page.histories.get(issue.id, ()), *events)
        self.page = replace(self.page, histories={**self.page.histories, issue.id: history})
        self.save(issues=(changed,), histories={issue.id: history})

    def save_milestone(self, **values: Any) -> None:
        """Save a running milestone with other values."""
        milestone = self.rng.choice(self.running)
        changed = replace(milestone, updated_at=self.at, **values)
        self.running = [changed if own.id == milestone.id else own for own in self.running]
        self.save(milestones=(changed,))

    def gather(self) -> Contents:
        """Gather the report of now, and note which numbers it computes."""
        made = gather(self.engine.store, self.engine.connections, self.at, self.engine.rules, self.audience)

        def numbers(uids: Collection[str]) -> Mapping[str, PageNumbers]:
            self.asked = set(uids)
            return made.numbers(uids)

        return dataclasses.replace(made, numbers=numbers)


def close(world: World) -> None:
    issue = world.issue(State.OPEN, world.running)
    event = Event(issue=issue.id, at=world.at, kind=EventKind.CLOSED)
    world.save_issue(issue, event, state=State.CLOSED, category=StatusCategory.DONE, closed_at=world.at)


def close_yesterday(world: World) -> None:
    issue, then = world.issue(State.OPEN, world.running), world.at - DAY
    event = Event(issue=issue.id, at=then, kind=EventKind.CLOSED)
    world.save_issue(issue, event, state=State.CLOSED, category=StatusCategory.DONE, closed_at=then)


def reopen(world: World) -> None:
    issue = world.issue(State.CLOSED, world.running)
    event = Event(issue=issue.id, at=world.at, kind=EventKind.REOPENED)
    world.save_issue(issue, event, state=State.OPEN, category=StatusCategory.TODO, closed_at=None)


def add(world: World) -> None:
    milestone, name = world.rng.choice(world.running), f"new-{world.at:%H%M}"
    known = world.page.issues[0]
    issue = replace(
        known, id=name, key=f"{known.key}{world.at:%H%M}", state=State.OPEN, category=StatusCategory.TODO,
        created_at=world.at, closed_at=None, milestones=(milestone.id,),
    )  # fmt: skip
    world.page = replace(world.page, issues=(*world.page.issues, issue))
    world.save_issue(issue, Event(issue=name, at=world.at, kind=EventKind.JOINED, milestone=milestone.id))


def leave(world: World) -> None:
    issue = world.issue(State.OPEN, world.running)
    event = Event(issue=issue.id, at=world.at, kind=EventKind.LEFT, milestone=issue.milestones[0])
    world.save_issue(issue, event, milestones=())


def close_in_the_past(world: World) -> None:
    """A finished milestone, from which others learn, has one more item that was done in time."""
    milestone, name = world.rng.choice(world.over[-4:]), f"old-{world.at:%H%M}"
    assert milestone.created_at is not None
    joined, closed = milestone.created_at + DAY, milestone.created_at + 9 * DAY
    issue = replace(
        world.issue(State.CLOSED, [milestone]), id=name, key=f"acme/app#9{world.at:%H%M}", created_at=joined,
        closed_at=closed,
    )  # fmt: skip
    world.page = replace(world.page, issues=(*world.page.issues, issue))
    events = (
        Event(issue=name, at=joined, kind=EventKind.JOINED, milestone=milestone.id),
        Event(issue=name, at=closed, kind=EventKind.CLOSED),
    )
    world.save_issue(issue, *events)


def observe(world: World) -> None:
    uid = f"{SOURCE}/milestone/{world.rng.choice(world.running).id}"
    issue = StatusIssue(
        issue="77", url=f"https://tracker.example/{world.at:%H%M}", closed=False, labels=(), comments=()
    )
    world.engine.store.save_observed({uid: issue}, world.at)


def save_other_status(world: World) -> None:
    """An earlier run published other figures, so that the history and the memory of the verdict differ."""
    last = world.engine.store.last_health("")
    uid = f"{SOURCE}/milestone/{world.rng.choice(world.running).id}"
    p = round(world.rng.uniform(0.1, 0.9), 3)
    status = world.rng.choice([status for status in Status if status is not last[uid].status])
    other = replace(
        last[uid],
        at=world.at - MINUTE / 2,
        probability=p,
        since=world.at - MINUTE / 2,
        status=status,
        audience=world.audience.name,
    )
    world.engine.store.save_health(f"run-{world.at:%H%M}", [other], {uid: "x"})


def change_rules(world: World, **values: Any) -> None:
    world.engine.rules = replace(world.engine.rules, **values)


def parameters(world: World) -> None:
    known = world.engine.rules.parameters
    change_rules(world, parameters=msgspec.structs.replace(known, survival_items=known.survival_items + 1.0))


def day_off(world: World) -> None:
    ahead = (NOW + timedelta(days=world.rng.randrange(2, 6))).date()
    change_rules(world, calendar=world.engine.rules.calendar.with_days_off([ahead]))


def joint_milestone(world: World) -> None:
    members = tuple(f"gh:acme/app#{own.key}" for own in world.rng.sample(world.running, 2))
    joints = (*world.engine.rules.joints, JointMilestone(name=f"Joint {world.at:%H%M}", members=members))
    change_rules(world, joints=joints)


def other_joint_date(world: World) -> None:
    first, *others = world.engine.rules.joints
    moved = replace(first, due=(world.at + timedelta(days=world.rng.randrange(20, 60))).date())
    change_rules(world, joints=(moved, *others))


def dependency(world: World) -> None:
    before, after = world.rng.sample([f"gh:acme/app#{own.key}" for own in world.running], 2)
    change_rules(world, dependencies=((before, after),))


def other_audience(world: World) -> None:
    world.audience = Audience("public") if world.audience is OPERATOR else OPERATOR


def due_date(world: World) -> None:
    moved = (world.at + timedelta(days=world.rng.randrange(10, 60))).date()
    milestone = world.rng.choice(world.running)
    world.running = [milestone, *(own for own in world.running if own.id != milestone.id)]
    known = world.page.due_dates[milestone.id]
    world.page = replace(
        world.page, due_dates={**world.page.due_dates, milestone.id: (*known, DueDate(world.at, moved))}
    )
    world.running[0] = replace(milestone, updated_at=world.at, due=moved)
    world.save(milestones=(world.running[0],), due_dates={milestone.id: world.page.due_dates[milestone.id]})


def close_milestone(world: World) -> None:
    milestone = world.running.pop(world.rng.randrange(len(world.running)))
    closed = replace(milestone, updated_at=world.at, state=State.CLOSED, closed_at=world.at)
    world.save(milestones=(closed,))


CHANGES: dict[str, Callable[[World], None]] = {
    "an issue is closed": close,
    "an issue was closed yesterday": close_yesterday,
    "an issue is reopened": reopen,
    "an issue is added": add,
    "an issue leaves": leave,
    "an issue is renamed": lambda world: world.save_issue(
        world.issue(State.OPEN, world.running), title=f"Another title {world.at:%H%M}"
    ),
    "an issue is assigned": lambda world: world.save_issue(
        world.issue(State.OPEN, world.running), assignees=(Person("9", f"Person {world.at:%H%M}"),)
    ),
    "an issue is confidential": lambda world: world.save_issue(
        world.issue(State.OPEN, world.running), visibility=Visibility.CONFIDENTIAL, title="Secret"
    ),
    "the history has another item": close_in_the_past,
    "a milestone is renamed": lambda world: world.save_milestone(title=f"Another name {world.at:%H%M}"),
    "a milestone has decisions": lambda world: world.save_milestone(
        description=f"## Decisions needed\n\n- Which fee is shown first at {world.at:%H%M}?\n"
    ),
    "a due date moves": due_date,
    "a milestone is closed": close_milestone,
    "a status issue appears": observe,
    "a run published other figures": save_other_status,
    "a parameter changes": parameters,
    "a day off is configured": day_off,
    "a joint milestone is configured": joint_milestone,
    "a joint milestone has another date": other_joint_date,
    "a dependency is configured": dependency,
    "the audience changes": other_audience,
}


def files(folder: Path, times: re.Pattern[bytes]) -> dict[str, bytes]:
    """All files by name, without the times of the runs."""
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: times.sub(b"", path.read_bytes()) for name, path in found.items() if name != build_module.CONTENT}


@pytest.mark.parametrize("part", range(PARTS))
def test_a_report_into_a_used_folder_equals_one_into_an_empty_folder(tmp_path: Path, part: int) -> None:
    rng, kinds = Random(2), list(CHANGES)
    rng.shuffle(kinds)
    kinds = kinds[part::PARTS]
    used, moments = tmp_path / "used", list[bytes]()
    with installation(pages(), joints=(JOINT,)) as engine:
        world = World(engine, rng)
        before: dict[str, bytes] = {}
        for n, kind in enumerate(["nothing", *kinds, "nothing again"]):
            world.at += MINUTE
            if kind in CHANGES:
                CHANGES[kind](world)
            world.at += MINUTE  # the time of the report is left out, not that of the change
            made, world.asked = world.gather(), set()
            moments += build_module._run_times(made)
            times = re.compile(b"|".join(map(re.escape, sorted(moments, key=len, reverse=True))))
            build_module.build(made, used, msgspec.json.encode(n))
            computed = world.asked
            build_module.build(made, tmp_path / str(n), msgspec.json.encode(n))
            now, fresh = files(used, times), files(tmp_path / str(n), times)
            assert now == fresh, kind
            assert (kind == "nothing again") == (not computed and n > 0), kind
            changed = {name for name in fresh if name.startswith("m/") and before.get(name) != fresh[name]}
            assert bool(changed) == (kind != "nothing again"), kind
            before = fresh


def test_other_rules_of_a_time_zone_render_all_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files differ in years long past only: no value of a page differs."""
    zones = [next(Path(folder) / name for folder in TZPATH if (Path(folder) / name).is_file()) for name in ZONES]
    monkeypatch.setattr(build_module, "TZPATH", (str(tmp_path / "zones"),))
    place = tmp_path / "zones" / ZONES[0]
    place.parent.mkdir(parents=True)
    written: list[int] = []
    with installation(pages()) as engine:
        engine.connections = [replace(own, zone=ZoneInfo(ZONES[0])) for own in engine.connections]
        world = World(engine, Random(5))
        for file in (zones[0], zones[0], zones[1]):
            place.write_bytes(file.read_bytes())
            build_module._zone_rules.cache_clear()
            world.asked = set()
            build_module.build(world.gather(), tmp_path / "used", b"{}")
            written.append(len(world.asked))
    build_module._zone_rules.cache_clear()
    assert written[0] == written[2] >= 3
    assert written[1] == 0


ZONES = ("Europe/Berlin", "Europe/Paris")


def test_an_issue_that_is_closed_today_leaves_the_pages_of_other_milestones(tmp_path: Path) -> None:
    with installation(pages()) as engine:
        world = World(engine, Random(3))
        build_module.build(world.gather(), tmp_path, b"{}")
        everything = world.asked
        world.at += MINUTE
        close(world)
        world.at += MINUTE
        build_module.build(world.gather(), tmp_path, b"{}")
    assert len(everything) >= 3
    assert len(world.asked) == 1
