"""After any edits, what incremental pulls have gathered is what a full pull brings."""

from __future__ import annotations

from random import Random

import pytest

from connectors.sandbox.world_data import Issue, Milestone, Project
from tests.contract.jira_side import DIALECTS, Pulled, Stand, pulled, stand

ZONES = ("UTC", "America/Los_Angeles", "Asia/Kathmandu", "Australia/Lord_Howe")


class Editor:
    """Somebody busy: each call changes one thing, chosen by chance."""

    def __init__(self, served: Stand, rng: Random) -> None:
        self.served, self.rng = served, rng
        self.people = [served.tracker.user("ada", "Ada"), served.tracker.user("ben", "Ben")]

    def __call__(self) -> None:
        project = self.rng.choice(list(self.served.tracker.projects.values()))
        edits = (
            self.create,
            self.toggle,
            self.replan,
            self.label,
            self.rename,
            self.transfer,
            self.version,
            self.sweep,
        )
        self.rng.choice(edits)(project)
        self.served.clock.on(seconds=self.rng.choice((0, 1, 30, 300, 4000)))

    def issue(self, project: Project) -> Issue:
        return self.rng.choice(list(project.issues.values()))

    def create(self, project: Project) -> None:
        versions = self.rng.sample(list(project.milestones), self.rng.randint(0, 2))
        self.served.tracker.issue(project, "new", self.people[0], milestones=versions)

    def toggle(self, project: Project) -> None:
        issue = self.issue(project)
        change = self.served.tracker.close if issue.closed is None else self.served.tracker.reopen
        change(issue, self.rng.choice(self.people))

    def replan(self, project: Project) -> None:
        versions = self.rng.sample(list(project.milestones), self.rng.randint(0, 3))
        self.served.tracker.move(project, self.issue(project), versions, self.rng.choice(self.people))

    def label(self, project: Project) -> None:
        self.served.tracker.label(self.issue(project), [self.rng.choice("abc")], [], self.people[0])

    def rename(self, project: Project) -> None:
        issue = self.issue(project)
        issue.title, issue.updated = f"renamed {self.rng.random()}", self.served.clock.now

    def transfer(self, project: Project) -> None:
        other = self.rng.choice([p for p in self.served.tracker.projects.values() if p is not project])
        if len(project.issues) < 3:
            return
        issue = self.issue(project)
        del project.issues[issue.number]
        issue.number = max(other.issues, default=0) + 1
        issue.key, issue.milestones, issue.updated = f"{other.key}-{issue.number}", [], self.served.clock.now
        other.issues[issue.number] = issue

    def sweep(self, project: Project) -> None:
        for issue in project.issues.values():
            self.served.tracker.label(issue, [f"s{self.rng.randint(0, 9)}"], [], self.people[1])

    def version(self, project: Project) -> None:
        made: Milestone = self.served.tracker.milestone(project, f"v{self.rng.random()}")
        if self.rng.random() < 0.5:
            made.released, made.title = True, f"w{made.id}"


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", DIALECTS)
def test_incremental_pulls_add_up_to_a_full_one(kind: str, seed: int) -> None:
    rng = Random(seed)
    with stand(kind, time_zone=ZONES[seed % len(ZONES)]) as served:
        for key, count in (("AA", rng.choice((4, 130))), ("BB", 4)):
            project = served.fill(key, count)
            for n in range(3):
                served.tracker.milestone(project, f"{key} {n}")
        edit, connector, state = Editor(served, rng), served.connector(), Pulled()
        for _ in range(12):
            for page in connector.pull(["AA", "BB"], dict(state.cursors)):
                state.take(page)
                if rng.random() < 0.2:
                    edit()  # in mid-pull
                if rng.random() < 0.2:
                    break  # cut off
            for _ in range(rng.randint(0, 25)):
                edit()
        pulled(connector, ["AA", "BB"], state)
        whole = pulled(served.connector(), ["AA", "BB"])
        assert state.issues == whole.issues
        assert state.events == whole.events
        assert state.milestones == whole.milestones
        assert served.tracker.writes == []
