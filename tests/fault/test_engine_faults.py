"""Under any faults of requests, each milestone ends with one summary, and each change of status is announced once.

Hypothesis makes a script from the rules of `Script`, the same for the same part; a failing script is printed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from sync.tracker.actions import Action, Receipt
from tests.fault.fault_scripts import SOURCE, TELLING, Blank, FaultyConnector, Scene, check, played, run
from tests.proof import TIMEOUT, Record, full

PARTS = full(20, 1)
"""The scripts of a full proof are made in parts, which run side by side."""
SCRIPTS = full(250, 25)
"""In each part."""

GAP = timedelta(minutes=2)
"""Between two runs, at least."""

pytestmark = TIMEOUT

PULLS = ("fine", "fine", "fine", "cut", "busy", "limited", "timeout")
OBSERVATIONS = ("fine", "fine", "stale", "stale", "busy", "limited", "timeout")
WRITES = ("fine", "fine", "fine", "lost", "lost", "dropped", "busy", "limited", "timeout")

replans = st.tuples(st.sampled_from((None, -20, -1, 0, 20, 200)), st.booleans(), st.integers(0, 3))
edits = st.lists(st.tuples(st.integers(0, 1), replans | replans | replans | st.none()), min_size=1, max_size=2)
"""Which milestone gets another due date, with perhaps an item closed or reopened; None: it is finished."""
pulls = st.sampled_from(PULLS)
observations = st.lists(st.sampled_from(OBSERVATIONS), max_size=5)
writes = st.lists(st.sampled_from(WRITES), max_size=8)
gaps = st.sampled_from((timedelta(0), timedelta(hours=5), timedelta(days=1), timedelta(days=3)))


class Robbed(FaultyConnector):
    """Its run loses the right to write after a number of writes."""

    def __init__(self, scene: Scene, rob: Callable[[], None], after: int) -> None:
        super().__init__(scene)
        self.rob, self.after = rob, after

    def apply(self, action: Action) -> Receipt:
        try:
            return super().apply(action)
        finally:
            self.after -= 1
            if self.after == 0:
                self.rob()


class Script(RuleBasedStateMachine):
    """Edits of people and faults of runs; then runs without faults, after which the tracker must be in order."""

    blank: Blank
    counted: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self.scene = Scene()
        self.connector, self.store = FaultyConnector(self.scene), self.blank.store(self.scene.clock)
        self.broken = False

    def _people(self, edits: Sequence[tuple[int, tuple[int | None, bool, int] | None]]) -> None:
        for n, replan in edits:
            if replan is None:
                self.scene.finish(n)
                continue
            days, toggled, item = replan
            self.scene.replan(n, days)
            if toggled or not any(self.scene.open[n]):
                self.scene.toggle(n, item)

    @rule(edits=edits, pull=pulls, observe=observations, apply=writes, gap=gaps)
    def a_run_meets(self, edits: Any, pull: str, observe: list[str], apply: list[str], gap: timedelta) -> None:
        self._people(edits)
        script = self.connector.script
        script["pull"].append(pull)
        script["observe"].extend(observe)
        script["apply"].extend(apply)
        self._run(self.connector)
        left = sum(map(len, script.values()))
        script.clear()
        self.scene.now += gap
        self.counted["troubles met"] += 1 + len(observe) + len(apply) - left

    @rule(edits=edits, kept=st.integers(1, 4), observe=observations)
    def a_run_loses_its_lease(self, edits: Any, kept: int, observe: list[str]) -> None:
        self._people(edits)
        tracker, thieves = self.scene.tracker, []

        def rob() -> None:
            thief = self.store.acquire(SOURCE, "another", dead=lambda _: True)
            assert thief is not None
            thieves.append((thief, len(tracker.writes)))

        robbed = Robbed(self.scene, rob, kept)
        robbed.script["observe"].extend(observe)
        self._run(robbed)
        for thief, wrote in thieves:
            assert len(tracker.writes) == wrote, "a write began after the lease was lost"
            thief.release()
        self.counted["leases lost"] += len(thieves)

    @rule()
    def the_database_is_lost(self) -> None:
        self.store = self.blank.store(self.scene.clock)

    @rule(edits=edits, gap=gaps)
    def a_run_meets_nothing(self, edits: Any, gap: timedelta) -> None:
        self._people(edits)
        self._run(self.connector)
        self.scene.now += gap

    def _run(self, connector: FaultyConnector) -> int:
        self.broken = True  # until it came to its end
        actions = run(connector, self.store).plan.actions
        self.broken = False
        self.scene.now += GAP
        self.counted["runs"] += 1
        return len(actions)

    def teardown(self) -> None:
        if self.broken:
            return
        now = self.scene.now
        self._run(self.connector)
        self.scene.now = now  # for later a number of days may round to another
        assert self._run(self.connector) == 0
        check(self.scene)
        self.counted["scripts"] += 1
        told = sum(any(kind in action.marker for kind in TELLING) for _, action in self.scene.told)
        self.counted["transitions told"] += told


@pytest.mark.proof
@pytest.mark.parametrize("part", range(PARTS))
def test_one_summary_and_each_transition_once(blank: Blank, part: int, record_property: Record) -> None:
    counts: Counter[str] = Counter()

    class Part(Script):
        def __init__(self) -> None:
            self.blank, self.counted = blank, counts
            super().__init__()

    played(Part, scripts=SCRIPTS, steps=7, part=part)
    assert counts["scripts"] >= SCRIPTS
    assert counts["transitions told"] > SCRIPTS / 2, "the scripts do not test what they are for"
    for words, number in counts.items():
        record_property(words, number)


def test_an_announced_status_stays_announced_when_a_source_fails_later(blank: Blank) -> None:
    scene = Scene(milestones=1)
    scene.replan(0, -1)
    connector, store = FaultyConnector(scene), blank.store(scene.clock)
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
    check(scene)
    assert len([action for _, action in scene.told if any(kind in action.marker for kind in TELLING)]) == 1
