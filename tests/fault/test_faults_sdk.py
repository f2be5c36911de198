"""Faults through each real library over loopback: answers lost after storing, refusals, limits, broken bodies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from itertools import count
from random import Random

import pytest

from connectors.contract import At, Trouble
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import Fault, World
from sync.assessment import Rulebook, Source
from sync.connector import Connector
from sync.engine import Engine
from sync.outcome import Result
from sync.plan import Limits, Policy
from sync.store import Store
from tests.contract.sandbox_side import CREATES, Clock, SandboxSide
from tests.fault.standing import check
from tests.proof import TIMEOUT, Record, full

PARTS = full(5, 1)
SCRIPTS = full(50, 3)
"""In each part, for each dialect."""

pytestmark = TIMEOUT

KINDS = ("github", "gitlab", "jira", "jira-cloud")
_RUNS = count()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(World(Clock())) as running:
        yield running


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def filled(sandbox: Sandbox, kind: str) -> SandboxSide:
    """Two milestones with some items."""
    side = SandboxSide.of(sandbox.world, kind)
    for n in range(2):
        side.add_milestone(f"v{n}", (side.now() + timedelta(days=20)).date())
        for item in range(3):
            side.add_issue(f"item {n}-{item}", f"v{n}")
    side.pass_time(10 * 24 * 3600)
    return side


def run(side: SandboxSide, store: Store, connector: Connector | None = None) -> Result:
    """One run of the engine with a connector of its own."""
    with closing(connector or side.connect()) as used:
        source = Source(name="side", connector=used, projects=(side.project,), policy_of=lambda _: Policy.CREATE)
        engine = Engine(
            sources=[source],
            store=store,
            instance="acme",
            clock=side.now,
            rules=Rulebook(),
            limits=Limits(),
            run_id=f"run {next(_RUNS)}",
            holder="here:1:1",
        )
        return engine.run()


def edit(side: SandboxSide, rng: Random) -> None:
    """A milestone becomes overdue, or is ahead of its date again, or done, or not."""
    n = rng.randrange(2)
    due: date = (side.now() + timedelta(days=rng.choice((-20, 30)))).date()
    side.edit_milestone(f"v{n}", due=due)
    for item in range(3):
        issue = side._issue(f"item {n}-{item}")[1]
        if rng.random() < 0.4:
            side.reopen(issue.title) if issue.closed else side.close(issue.title)


@pytest.mark.proof
@pytest.mark.parametrize("part", range(PARTS))
def test_one_summary_and_each_transition_once(sandbox: Sandbox, kind: str, part: int, record_property: Record) -> None:
    for number in range(part * SCRIPTS, (part + 1) * SCRIPTS):
        rng, side = Random(number), filled(sandbox, kind)
        try:
            with Store.memory(side.now) as store:
                for _ in range(rng.randint(2, 4)):
                    edit(side, rng)
                    side.pass_time(60)
                    trouble = rng.choice(list(Trouble))
                    at = At.CREATE if rng.random() < 0.6 else At.ANY
                    side.meet(trouble, at, rng.randint(1, 4), rng.choice((None, 5, 7200)))
                    run(side, store)
                    side.meet(trouble, times=0)
                    side.pass_time(rng.choice((600, 3 * 3600, 30 * 3600)))
                for _ in range(2):
                    run(side, store)
                    side.pass_time(600)
                run(side, store)
                assert run(side, store).plan.actions == ()
            check(side.tracker, 2)
        except Exception as problem:
            problem.add_note(f"in script {number}")
            raise
    record_property("scripts", SCRIPTS)


@pytest.mark.proof
@pytest.mark.parametrize("kind", full(KINDS, KINDS[:1]), indirect=True)
def test_a_creation_that_is_not_answered_in_time(sandbox: Sandbox, kind: str) -> None:
    side = filled(sandbox, kind)
    creates = {"github": f"POST /repos/{side.project}/issues", "gitlab": f"POST /api/v4/projects/{side.place.id}/iss"}
    with Store.memory(side.now) as store:
        side.tracker.faults.append(Fault("slow", creates.get(kind, CREATES[kind]), headers={"seconds": "1.5"}))
        result = run(side, store, side.connect(timeout=1))
        assert len(result.failures) == 1
        assert "lost" in result.failures[0].error
        side.pass_time(600)
        run(side, store)
        assert run(side, store).plan.actions == ()
    check(side.tracker, 2)
