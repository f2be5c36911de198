"""After any edits and interruptions, incremental pulls of GitHub add up to one full pull."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import World
from connectors.sandbox.world_data import Issue
from tests.contract.github_side import Clock, Small, Taken, connected, pulled, small


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(World(Clock()), only=("github",)) as running:
        yield running


def edit(there: Small, clock: Clock, rng: Random) -> None:
    """One thing that somebody does."""
    hub, place = there.tracker, there.place
    people = [hub.user(name) for name in ("ada", "ben", "milesync-bot")]
    who, issue = rng.choice(people), rng.choice(list(place.issues.values()))
    goal = rng.choice(list(place.milestones.values()))
    match rng.randrange(14):
        case 0:
            made = hub.issue(place, f"new {rng.random()}", who, pull=rng.random() < 0.3)
            hub.move(place, made, [goal.id], who)
        case 1 | 2:
            hub.move(place, issue, [goal.id] if rng.random() < 0.7 else [], who)
        case 3 | 4:
            hub.reopen(issue, who) if issue.closed else hub.close(issue, who, resolution="completed")
        case 5:
            hub.comment(issue, who, "words")
        case 6:
            issue.assignees, issue.updated = rng.sample(people, rng.randrange(3)), clock.now
        case 7:
            issue.title, issue.updated = f"renamed {rng.random()}", clock.now
        case 8:
            issues = [number for number, item in place.issues.items() if not item.pull]
            issue.blocked_by, issue.updated = [rng.choice(issues)], clock.now
        case 9:
            goal.title, goal.updated = f"goal {rng.random()}", clock.now
        case 10:
            goal.due, goal.updated = date(2026, 6, 1) + timedelta(days=rng.randrange(90)), clock.now
        case 11:
            hub.milestone(place, f"goal {len(place.milestones)}")
        case _:
            review(there, rng.choice([item for item in place.issues.values() if item.pull]), rng)


def review(there: Small, pull: Issue, rng: Random) -> None:
    """One thing that somebody does with a pull request."""
    hub, who = there.tracker, there.tracker.user(rng.choice(("ada", "ben")))
    match rng.randrange(4):
        case 0:
            hub.ask(pull, rng.choice((who, "acme/core")), hub.bot)
        case 1:
            hub.review(pull, who, rng.choice(("APPROVED", "CHANGES_REQUESTED", "COMMENTED")))
        case 2:
            hub.set_draft(pull, not pull.draft, who)
        case _:
            pull.closing, pull.updated = [rng.choice(list(there.place.issues))], hub.world.clock()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**9), steps=st.integers(1, 40), every=st.integers(1, 9), issues=st.integers(0, 230))
def test_incremental_pulls_end_where_a_full_pull_does(
    sandbox: Sandbox, seed: int, steps: int, every: int, issues: int
) -> None:
    clock, rng = sandbox.world.clock, Random(seed)
    assert isinstance(clock, Clock)
    there = small(sandbox.world, clock)
    for n in range(issues):
        there.tracker.issue(there.place, f"issue {n}", there.tracker.user("ada"), pull=n % 9 == 0)
        clock.pass_(seconds=n % 40 == 39)  # more than `WATCHED` in one second show a late edit only with the next
    connector = connected(there.tracker, clock, concurrency=rng.choice((1, 4)))
    store = Taken()
    for step in range(steps):
        edit(there, clock, rng)
        clock.pass_(seconds=rng.choice((0, 0, 1, 30, 3000)))
        if step % every == 0:
            pages = connector.pull(["acme/app"], store.cursors)
            for page in pages:
                store.take(iter([page]))
                edit(there, clock, rng)
                if rng.random() < 0.3:
                    break
            pages.close()  # type: ignore[attr-defined]
    clock.pass_(seconds=1)
    for _ in range(2):  # the first may only finish what was broken off
        store.take(connector.pull(["acme/app"], store.cursors))
    whole = pulled(connected(there.tracker, clock))
    assert store.issues == whole.issues
    assert store.histories == whole.histories
    assert store.milestones == whole.milestones
    assert store.projects == whole.projects
