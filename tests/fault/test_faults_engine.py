"""Whatever happens to requests, each milestone ends with one summary, and no change of status is told twice or never.

A script is made from its number, which a failure names: ``play(Random(number), ...)`` does the same again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from pathlib import Path
from random import Random

import pytest

from sync.marker import MarkerKind
from sync.store import Store
from tests.fault.scripts import FaultyConnector, Scene, check, run

SCRIPTS = 5_000 if os.environ.get("MILESYNC_PROOF") else 25

pytestmark = pytest.mark.timeout(3_600 if SCRIPTS > 25 else 300)

DAYS = (None, -20, -1, 0, 20, 200)
PULLS = ("fine", "fine", "fine", "cut", "busy", "limited", "timeout")
OBSERVATIONS = ("fine", "fine", "stale", "stale", "busy", "limited", "timeout")
WRITES = ("fine", "fine", "fine", "lost", "lost", "dropped", "busy", "limited", "timeout")
GAPS = (timedelta(minutes=2), timedelta(hours=5), timedelta(days=1), timedelta(days=3))


@pytest.fixture
def new_store(tmp_path: Path) -> Callable[[Scene], Store]:
    """Stores without anything in them."""
    empty, number = tmp_path / "empty.db", count()
    Store.open(f"sqlite:///{empty}", create=True, clock=Scene().clock).close()

    def made(scene: Scene) -> Store:
        copy = tmp_path / f"{next(number)}.db"
        shutil.copy(empty, copy)
        return Store.open(f"sqlite:///{copy}", create=False, clock=scene.clock)

    return made


def edit(scene: Scene, rng: Random) -> None:
    """Something that somebody does; most of it changes the status."""
    n = rng.randrange(scene.milestones)
    if rng.random() < 0.25:
        scene.finish(n)
        return
    scene.replan(n, rng.choice(DAYS))
    if not any(scene.open[n]) or rng.random() < 0.3:
        scene.toggle(n, rng.randrange(4))


def play(rng: Random, new_store: Callable[[Scene], Store]) -> Scene:
    """One script: some runs with troubles, then two without."""
    scene = Scene()
    connector, store = FaultyConnector(scene), new_store(scene)
    for _ in range(rng.randint(3, 8)):
        for _ in range(rng.randint(1, 2)):
            edit(scene, rng)
        if rng.random() < 0.6:
            connector.script["pull"].append(rng.choice(PULLS))
            connector.script["observe"].extend(rng.choices(OBSERVATIONS, k=rng.randrange(6)))
            connector.script["apply"].extend(rng.choices(WRITES, k=rng.randrange(9)))
        if rng.random() < 0.15:
            store.close()
            store = new_store(scene)
        run(connector, store)
        connector.script.clear()
        scene.now += rng.choice(GAPS)
    for _ in range(2):
        run(connector, store)
        scene.now += timedelta(minutes=2)
    run(connector, store)
    assert run(connector, store).plan.actions == ()
    store.close()
    return scene


def test_one_summary_and_each_transition_once(new_store: Callable[[Scene], Store]) -> None:
    transitions = 0
    for number in range(SCRIPTS):
        try:
            scene = play(Random(number), new_store)
            check(scene)
        except Exception as problem:
            problem.add_note(f"in script {number}")
            raise
        transitions += sum(str(MarkerKind.TRANSITION) in action.marker for _, action in scene.told)
    assert transitions > SCRIPTS, "the scripts do not test what they are for"


def test_what_was_told_stays_told_when_a_source_fails_after_it(new_store: Callable[[Scene], Store]) -> None:
    scene = Scene(milestones=1)
    scene.replan(0, -1)
    connector, store = FaultyConnector(scene), new_store(scene)
    run(connector, store)
    scene.now += timedelta(hours=1)
    scene.finish(0)
    connector.script["observe"].extend(["fine", "stale"])
    connector.script["apply"].extend(["fine", "fine", "lost"])  # a new label, its move, the transition
    planned = [type(action).__name__ for action in run(connector, store).plan.actions]
    assert planned == ["CreateLabel", "MoveLabel", "CreateComment", "UpdateComment"]
    scene.now += timedelta(hours=1)
    connector.script["pull"].append("timeout")
    run(connector, store)  # the summary is rewritten to say that a source failed
    scene.now += timedelta(hours=1)
    run(connector, store)
    store.close()
    check(scene)
    assert len([action for _, action in scene.told if "transition" in action.marker]) == 1
