"""Faults through each real library over loopback: answers lost after storing, refusals, limits, broken bodies."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from connectors.sandbox.server import Sandbox
from connectors.sandbox.world_data import Fault
from connectors.testing import AppliesTo, InjectedFault
from sync.engine.result import Result
from sync.model.policy import Policy
from sync.store.store import Store
from sync.tracker.connection import Connection
from sync.tracker.observed import Target
from sync.tracker.protocol import Connector
from tests.contract.sandbox_side import CREATES, SandboxSide
from tests.engine_factory import engine
from tests.fault.fault_scripts import Blank, played
from tests.fault.tracker_contents import check
from tests.proof import TIMEOUT, Record, full

PARTS = full(5, 1)
SCRIPTS = full(50, 3)
"""In each part, for each dialect."""

pytestmark = TIMEOUT

KINDS = ("github", "gitlab", "jira", "jira-cloud")


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
        connection = Connection(
            name="side", connector=used, projects=(side.project,), policy_of=lambda _: Policy.CREATE
        )
        return engine(connection, store, side.now).run()


troubles: st.SearchStrategy[InjectedFault | None] = st.sampled_from([*InjectedFault, None])
"""None: lists lag."""
edits = st.lists(st.tuples(st.integers(0, 1), st.booleans(), st.sets(st.integers(0, 2))), min_size=1, max_size=2)
"""Which milestone becomes overdue or is ahead of its date again, and which of its items are closed or reopened."""
gaps = st.sampled_from((timedelta(minutes=10), timedelta(hours=3), timedelta(hours=30)))


class Script(RuleBasedStateMachine):
    """Edits of people and faults of requests; then a run without faults, after which the tracker is in order."""

    sandbox: Sandbox
    kind: str
    blank: Blank
    counted: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self.side = filled(self.sandbox, self.kind)
        self.store = self.blank.store(self.side.now)
        self.broken = False

    @rule(
        edits=edits,
        trouble=troubles,
        at=st.sampled_from(AppliesTo),
        times=st.integers(1, 4),
        wait=st.sampled_from((None, 5, 7200)),
        gap=gaps,
    )
    def a_run_meets(
        self, edits: Any, trouble: InjectedFault | None, at: AppliesTo, times: int, wait: int | None, gap: timedelta
    ) -> None:
        self._people(edits)
        if trouble is None:
            self.side.tracker.faults.append(Fault("stale", times=3 * times))
        else:
            self.side.inject(trouble, at, times, wait)
        met = sum(fault.times for fault in self.side.tracker.faults)
        self._run()
        self.counted["troubles met"] += met - sum(fault.times for fault in self.side.tracker.faults)
        self.side.tracker.faults.clear()
        self.side.pass_time(gap.total_seconds())

    @rule(edits=edits, gap=gaps)
    def a_run_meets_nothing(self, edits: Any, gap: timedelta) -> None:
        self._people(edits)
        self._run()
        self.side.pass_time(gap.total_seconds())

    @rule()
    def the_database_is_lost(self) -> None:
        self.store = self.blank.store(self.side.now)

    def _people(self, edits: Any) -> None:
        for n, late, touched in edits:
            due: date = (self.side.now() + timedelta(days=-20 if late else 30)).date()
            self.side.edit_milestone(f"v{n}", due=due)
            for item in sorted(touched):
                issue = self.side._issue(f"item {n}-{item}")[1]
                self.side.reopen(issue.title) if issue.closed else self.side.close(issue.title)
        self.side.pass_time(60)

    def _run(self) -> Result:
        self.broken = True  # until it came to its end
        result = run(self.side, self.store)
        self.broken = False
        self.counted["runs"] += 1
        return result

    def teardown(self) -> None:
        if self.broken:
            return
        self._run()
        assert self._run().plan.actions == ()
        self.counted["transitions told"] += len(check(self.side.tracker, 2))
        self.counted["scripts"] += 1


@pytest.mark.proof
@pytest.mark.parametrize("part", range(PARTS))
def test_one_summary_and_each_transition_once(
    sandbox: Sandbox, blank: Blank, kind: str, part: int, record_property: Record
) -> None:
    counts: Counter[str] = Counter()

    class Part(Script):
        def __init__(self) -> None:
            self.sandbox, self.kind, self.blank, self.counted = sandbox, kind, blank, counts
            super().__init__()

    played(Part, scripts=SCRIPTS, steps=4, part=part)
    assert counts["scripts"] >= SCRIPTS
    for words, number in counts.items():
        record_property(words, number)


@pytest.mark.proof
@pytest.mark.parametrize("kind", full(KINDS, KINDS[:1]), indirect=True)
def test_a_creation_that_is_not_answered_in_time(sandbox: Sandbox, kind: str) -> None:
    side = filled(sandbox, kind)
    creates = {"github": f"POST /repos/{side.project}/issues", "gitlab": f"POST /api/v4/projects/{side.place.id}/iss"}
    with Store.memory(side.now) as store:
        side.tracker.faults.append(Fault("slow", creates.get(kind, CREATES[kind]), headers={"seconds": "5"}))
        result = run(side, store, side.connect(timeout=4))
        assert len(result.failures) == 1
        assert "lost" in result.failures[0].error
        side.pass_time(600)
        run(side, store)
        assert run(side, store).plan.actions == ()
    check(side.tracker, 2)


def test_a_lagging_list_lacks_the_writes_of_the_last_seconds(sandbox: Sandbox, kind: str) -> None:
    side = filled(sandbox, kind)
    lags = Fault("stale", times=100, after=100_000)
    side.tracker.faults.append(lags)
    with Store.memory(side.now) as store, closing(side.connect()) as connector:
        assessed = run(side, store).assessed
        targets = [
            Target(milestone=milestone.uid, project=milestone.project.id, project_key=milestone.project.key)
            for milestone in assessed
        ]
        fresh = connector.observe(targets).issues
        assert [len(issue.comments) for issue in fresh.values()] == [1, 1]
        lags.after = 0
        assert connector.observe(targets).issues == {}
        by_key = [msgspec.structs.replace(target, issue=fresh[target.milestone].issue) for target in targets]
        assert [len(issue.comments) for issue in connector.observe(by_key).issues.values()] == [0, 0]
        side.pass_time(60)
        again = connector.observe(targets).issues
        assert {uid: msgspec.structs.replace(issue, look=fresh[uid].look) for uid, issue in again.items()} == fresh
