"""Several at once: two runs on one tracker, a lease that is lost in the middle, a connection that hangs or fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from unittest import mock

import pytest

from sync.assess.milestone import AssessmentRules
from sync.engine.engine import Engine
from sync.engine.result import Result
from sync.model.policy import Limits, Policy
from sync.store import lease
from sync.store.store import Store
from sync.tracker.actions import Action, Receipt
from sync.tracker.connection import Connection
from sync.tracker.observed import Observed, Target
from sync.tracker.protocol import Page
from tests.fault.fault_scripts import SOURCE, FaultyConnector, Scene, check
from tests.journal_rows import unfinished_writes


def engine(store: Store, *connectors: FaultyConnector, holder: str = "here:1:1") -> Engine:
    """An engine over these connections; their names are the base URLs of their trackers."""
    return Engine(
        connections=[
            Connection(
                name=connector.base_url, connector=connector, projects=("acme/app",), policy_of=lambda _: Policy.CREATE
            )
            for connector in connectors
        ],
        store=store,
        instance="acme",
        clock=connectors[0].scene.clock,
        rules=AssessmentRules(),
        limits=Limits(),
        run_id=f"run of {holder}",
        holder=holder,
    )


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def store(scene: Scene) -> Iterator[Store]:
    with Store.memory(scene.clock) as opened:
        yield opened


# --- two runs -------------------------------------------------------------------------------------------------------


def test_a_plan_from_before_another_runs_writes_is_not_applied(scene: Scene, store: Store) -> None:
    runs = [engine(store, FaultyConnector(scene), holder=f"here:{n}:1") for n in range(2)]
    for run in runs:
        run.pull()
    assessed = [run.assess() for run in runs]
    results = [Result(assessed=seen, plan=run.plan(seen)) for run, seen in zip(runs, assessed, strict=True)]
    assert all(result.plan.actions for result in results)
    for run, result in zip(runs, results, strict=True):
        run.apply_into(result)
    first, second = results
    assert len(first.written) == len(first.plan.actions)
    assert second.written == []
    assert second.refused == [f"{SOURCE}: another run has written there since this plan was made"]
    check(scene)
    assert engine(store, FaultyConnector(scene)).run().plan.actions == ()


def test_a_plan_made_while_another_run_was_writing_is_not_applied(scene: Scene, store: Store) -> None:
    late = engine(store, FaultyConnector(scene), holder="here:2:1")
    made: list[Result] = []

    class Overtaken(FaultyConnector):
        def apply(self, action: Action) -> Receipt:
            if not made:
                late.pull()
                seen = late.assess()
                made.append(Result(assessed=seen, plan=late.plan(seen)))
            return super().apply(action)

    engine(store, Overtaken(scene), holder="here:1:1").run()
    (result,) = made
    assert result.plan.actions, "it saw none of the writes that were under way"
    late.apply_into(result)
    assert result.written == []
    assert result.refused == [f"{SOURCE}: another run has written there since this plan was made"]
    check(scene)


def test_a_run_may_apply_again_what_it_plans_again(scene: Scene, store: Store) -> None:
    run = engine(store, FaultyConnector(scene))
    run.run()
    scene.replan(0, -20)
    result = run.run()
    assert result.refused == []
    assert result.written


@pytest.mark.parametrize("kept", range(1, 5))
def test_no_write_begins_after_the_lease_is_lost(scene: Scene, store: Store, kept: int) -> None:
    class Robbed(FaultyConnector):
        def apply(self, action: Action) -> Receipt:
            receipt = super().apply(action)
            if len(self.scene.tracker.writes) == kept:
                assert store.acquire(SOURCE, "another", dead=lambda _: True) is not None
            return receipt

    result = engine(store, Robbed(scene)).run()
    assert len(scene.tracker.writes) == kept
    assert len(unfinished_writes(store, SOURCE)) == 0
    assert result.refused == [f"{SOURCE}: this run lost the write lease to another run"]


def test_a_lease_that_is_lost_while_the_journal_is_written_stops_that_write(scene: Scene, store: Store) -> None:
    begin = store.begin

    def robbed(run_id: str, action: Action) -> int:
        entry = begin(run_id, action)
        assert store.acquire(SOURCE, "another", dead=lambda _: True) is not None
        return entry

    with mock.patch.object(store, "begin", robbed):
        result = engine(store, FaultyConnector(scene)).run()
    assert scene.tracker.writes == []
    assert unfinished_writes(store, SOURCE) == [], "the journal knows that it was not sent"
    assert result.refused == [f"{SOURCE}: this run lost the write lease to another run"]


def test_a_lease_that_another_holds_lets_nothing_through(scene: Scene, store: Store) -> None:
    held = store.acquire(SOURCE, "another", dead=lease.is_dead)
    assert held is not None
    assert engine(store, FaultyConnector(scene)).run().refused == [f"{SOURCE}: another run is writing there"]
    assert scene.tracker.writes == []
    held.release()
    assert engine(store, FaultyConnector(scene)).run().refused == []
    check(scene)


# --- one connection that is slow ------------------------------------------------------------------------------------


class Waits(FaultyConnector):
    """A tracker that answers a verb only when another has got its own answer to the same."""

    def __init__(self, scene: Scene, source: str, verb: str, other: threading.Event) -> None:
        super().__init__(scene, source)
        self.verb, self.other = verb, other

    def _wait(self, verb: str) -> None:
        if verb == self.verb:
            assert self.other.wait(120), f"{verb} of one connection waits for that of another"

    def pull(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        self._wait("pull")
        yield from super().pull(projects, cursors)

    def observe(self, targets: Sequence[Target]) -> Observed:
        self._wait("observe")
        return super().observe(targets)

    def apply(self, action: Action) -> Receipt:
        self._wait("apply")
        return super().apply(action)


class Tells(FaultyConnector):
    """A tracker that sets an event after it has answered a verb."""

    def __init__(self, scene: Scene, source: str, verb: str, done: threading.Event) -> None:
        super().__init__(scene, source)
        self.verb, self.done = verb, done

    def pull(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        yield from super().pull(projects, cursors)
        self._tell("pull")

    def observe(self, targets: Sequence[Target]) -> Observed:
        seen = super().observe(targets)
        self._tell("observe")
        return seen

    def apply(self, action: Action) -> Receipt:
        receipt = super().apply(action)
        self._tell("apply")
        return receipt

    def _tell(self, verb: str) -> None:
        if verb == self.verb:
            self.done.set()


@pytest.mark.parametrize("verb", ["pull", "observe", "apply"])
def test_a_connection_that_hangs_delays_no_other(scene: Scene, store: Store, verb: str) -> None:
    done, second = threading.Event(), Scene()
    slow, quick = Waits(scene, f"{SOURCE}/1", verb, done), Tells(second, f"{SOURCE}/2", verb, done)
    result = engine(store, slow, quick).run()
    assert result.failures == []
    check(scene)
    check(second)


@pytest.mark.parametrize("meets", ["busy", "limited", "timeout"])
def test_a_connection_that_fails_takes_nothing_from_another(scene: Scene, store: Store, meets: str) -> None:
    bad, good = FaultyConnector(scene, f"{SOURCE}/1"), FaultyConnector(Scene(), f"{SOURCE}/2")
    for verb in ("pull", "observe", "apply"):
        bad.script[verb].extend([meets] * 50)
    result = engine(store, bad, good).run()
    assert {failure.connection for failure in result.failures} == {bad.base_url}
    check(good.scene)
    assert len(good.scene.tracker.issues) == good.scene.milestones
