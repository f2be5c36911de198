"""Our lines in a milestone's own description: nothing outside of them changes, and what people did with them stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from sync.engine.engine import Engine
from sync.engine.handover import retire
from sync.engine.result import Result
from sync.model.policy import OptionalOutputs, Policy
from sync.tracker.actions import UpdateDescription
from sync.tracker.connection import Connection
from tests.integration.test_engine import World


class Describing(World):
    """With the lines asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.also = OptionalOutputs(description=True)

    def connection(self) -> Connection:
        return Connection(
            name="memory",
            connector=self.connector,
            projects=("acme/app",),
            policy_of=lambda _: Policy.CREATE,
            optional_outputs_of=lambda _: self.also,
        )

    def go(self) -> list[UpdateDescription]:
        self.now += timedelta(hours=1)
        self.last = self.engine(self.connection())
        self.result: Result = self.last.run()
        return [action.action for action in self.result.written if isinstance(action.action, UpdateDescription)]

    @property
    def text(self) -> str:
        return self.tracker.pages[0].milestones[0].description

    @text.setter
    def text(self, value: str) -> None:
        page = self.tracker.pages[0]
        later = self.now + timedelta(minutes=1)
        self.tracker.pages[0] = replace(
            page, milestones=(replace(page.milestones[0], description=value, updated_at=later),)
        )


@pytest.fixture
def world() -> Describing:
    return Describing()


def test_the_block_is_added_once_next_to_the_text_of_people(world: Describing) -> None:
    world.text = "What it is for.\n"
    assert len(world.go()) == 1
    assert world.text.startswith("What it is for.\n\n<!-- milesync acme ")
    assert "**Not enough data**" in world.text
    assert world.result.notifications == 2, "the status issue and the summary, not these lines"
    assert world.go() == []


@pytest.mark.parametrize("changed", ["What it is for.", None])
def test_a_removed_or_edited_block_stays_so(world: Describing, changed: str | None) -> None:
    world.go()
    world.text = changed if changed is not None else world.text.replace("Not enough data", "All fine")
    kept = world.text
    for _ in range(2):
        assert world.go() == []
    assert world.text == kept


def test_switched_off_again_the_block_is_removed(world: Describing) -> None:
    world.text = "What it is for."
    world.go()
    world.also = OptionalOutputs()
    assert [action.lines for action in world.go()] == [""]
    assert world.text == "What it is for."


def test_no_room_no_lines(world: Describing) -> None:
    world.text = "x" * 950
    assert world.go() == []


def test_retire_takes_them_out_unless_edited(world: Describing) -> None:
    world.go()
    engine: Engine = world.last
    engine.pull()
    plan, _ = retire(engine, engine.assess(keep=False))
    assert [action.lines for action in plan.actions if isinstance(action, UpdateDescription)] == [""]
    world.text = world.text.replace("Not enough", "Enough")
    engine.pull()
    plan, _ = retire(engine, engine.assess(keep=False))
    assert not any(isinstance(action, UpdateDescription) for action in plan.actions)
    assert [skipped.why for skipped in plan.skipped] == ["a person edited our lines in its description, which stay"]
