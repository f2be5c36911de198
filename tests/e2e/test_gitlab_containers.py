"""Iterations and epics of GitLab in what people read, and a licence that ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.gitlab import planning
from connectors.sandbox.server import Sandbox
from connectors.sandbox.serving import configuration
from connectors.sandbox.world import World
from connectors.sandbox.world_data import Epic, Milestone
from tests.e2e.in_process import milesync

NOW = datetime.now(UTC).replace(microsecond=0)
LENGTH = timedelta(days=14)
SETTINGS = 'options = { containers = ["milestones", "iterations", "epics"] }\n'


class Team:
    """A team with seven iterations of a cadence, the last one running, and an epic above another one.

    Each iteration had eight issues, of which six were closed; the others roll over.
    """

    def __init__(self, world: World) -> None:
        self.tracker = world.gitlab
        self.ada = self.tracker.user("ada", "Ada Fox")
        self.project = self.tracker.project("acme/shop", "Shop", created=NOW - timedelta(days=200))
        self.iterations: list[Milestone] = []
        add = planning.add_epic
        self.above = add(self.tracker, "acme", "Payments", due=self._day(40), has_fixed_dates=False)
        self.below = add(self.tracker, "acme", "Cards", due=self._day(30), start=self._day(-80), assignees=[self.ada])
        planning.nest(self.tracker, self.below, self.above, self.ada, NOW - timedelta(days=90))
        begin = NOW - 6 * LENGTH - timedelta(days=8)
        for n in range(7):
            first = (begin + n * LENGTH).date()
            iteration = planning.add_iteration(self.tracker, "acme", first, first + timedelta(days=13))
            iteration.created = iteration.updated = begin - timedelta(days=20)
            self.iterations.append(iteration)
        for n, iteration in enumerate(self.iterations):
            self._work(begin + n * LENGTH, iteration, self.below if n > 2 else None)

    @staticmethod
    def _day(days: int) -> date:
        return (NOW + timedelta(days=days)).date()

    def _work(self, begin: datetime, iteration: Milestone, epic: Epic | None) -> None:
        planning.roll_over(self.tracker, self.ada, begin)
        for n in range(8):
            issue = self.tracker.issue(self.project, f"Task {n} of {iteration.start}", self.ada, at=begin)
            planning.plan_iteration(self.tracker, issue, iteration, self.ada, begin + timedelta(minutes=1))
            if epic is not None:
                planning.plan_epic(self.tracker, issue, epic, self.ada, begin + timedelta(minutes=1))
            done = begin + timedelta(days=2 * n + 1)
            if n < 6 and done < NOW:
                self.tracker.close(issue, self.ada, done)

    def comments(self, title: str) -> str:
        """The texts on the status issue of a milestone."""
        (issue,) = [item for item in self.project.issues.values() if item.title == f"Health of {title}"]
        return "\n".join(comment.body for comment in issue.comments)


@pytest.fixture
def team(tmp_path: Path) -> Iterator[tuple[Team, Path]]:
    world = World()
    team = Team(world)
    config = tmp_path / "milesync.toml"
    with Sandbox(world, only=("gitlab",)):
        config.write_text(configuration(world, settings={"gitlab": SETTINGS}))
        yield team, config


def rows(config: Path) -> dict[str, Any]:
    """The milestones of `status`, by id without the connection."""
    document = milesync("status", "--all", "--json", config=config).document
    return {row["id"].partition(":")[2]: row for row in document["milestones"]}


def test_iterations_and_epics_are_milestones_on_every_surface(team: tuple[Team, Path]) -> None:
    gitlab, config = team
    assert milesync("run", "--first-run", config=config).code == 0
    found = rows(config)
    names = [f"acme/iteration:Cadence {iteration.start}" for iteration in gitlab.iterations]
    assert set(found) == {*names, "acme/epic:1", "acme/epic:2"}
    assert [found[name]["status"] for name in names] == ["ended"] * 6 + ["off_track"]
    assert found[names[0]]["reasons"] == ["6 of 8 issues done, 2 carried over."]
    assert found[names[1]]["reasons"] == ["6 of 10 issues done, 4 carried over."]
    last = gitlab.comments(f"iteration: Cadence {gitlab.iterations[-1].start}")
    assert "usual here: 54% carried over." in last
    assert "**4 of 20 done.**" in last
    assert (found["acme/epic:1"]["open"], found["acme/epic:1"]["closed"]) == (10, 22)
    assert (found["acme/epic:2"]["open"], found["acme/epic:2"]["closed"]) == (10, 22)
    assert "The tracker computes this due date" in gitlab.comments("epic: Payments")
    assert "The tracker computes this due date" not in gitlab.comments("epic: Cards")
    assert "Owner: `Ada Fox`" in gitlab.comments("epic: Cards")


def test_a_date_that_the_tracker_computes_slips_nothing(team: tuple[Team, Path]) -> None:
    gitlab, config = team
    assert milesync("run", "--first-run", config=config).code == 0
    before, after = gitlab.below.due, (NOW + timedelta(days=90)).date()
    for epic in (gitlab.above, gitlab.below):
        epic.due, epic.updated = after, datetime.now(UTC)
    assert milesync("run", config=config).code == 0
    found = {n: milesync("explain", f"gl:acme/epic:{n}", "--json", config=config).document for n in (1, 2)}
    assert {n: len(document["due_dates"]) for n, document in found.items()} == {1: 1, 2: 2}
    dates = {n: (document["health"]["baseline"], document["health"]["due"]) for n, document in found.items()}
    assert dates == {1: (str(after), str(after)), 2: (str(before), str(after))}


def test_a_licence_that_ends_deletes_nothing(team: tuple[Team, Path]) -> None:
    gitlab, config = team
    assert milesync("run", "--first-run", config=config).code == 0
    before = rows(config)
    gitlab.tracker.licence_ended = True
    writes = len(gitlab.tracker.writes)
    done = milesync("run", "--json", config=config)
    assert done.code == 3
    assert "GitLab does not list iterations any more" in done.out
    assert len(gitlab.tracker.writes) == writes
    assert {name: row["status"] for name, row in rows(config).items()} == {n: r["status"] for n, r in before.items()}
    doctor = milesync("doctor", "-v", config=config).out
    assert doctor.count("not visible to the token: iterations") == 1
    gitlab.tracker.licence_ended = False
    assert milesync("run", config=config).code == 0
    assert {name: (row["open"], row["closed"]) for name, row in rows(config).items()} == {
        name: (row["open"], row["closed"]) for name, row in before.items()
    }


def test_check_says_what_a_kind_needs_that_the_server_does_not_list(team: tuple[Team, Path]) -> None:
    gitlab, _ = team
    env = {"GITLAB_URL": gitlab.tracker.url, "GITLAB_TOKEN": "sandbox"}
    assert "GitLab lists no iterations" not in milesync("check", "gitlab:acme:iterations", env=env).err
    assert "Milestones may be of another kind: gitlab:acme:iterations" in milesync("check", "gitlab:acme", env=env).out
    gitlab.tracker.premium = False
    done = milesync("check", "gitlab:acme:iterations", env=env)
    assert done.code == 0
    assert "GitLab lists no iterations: they need GitLab Premium and a token that may read the group" in done.err
