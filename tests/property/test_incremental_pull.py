"""After any interruptions, the store after incremental pulls equals the store after one full pull.

Over HTTP, with each connector and the real store. What was deleted in the tracker shows with the sweep, which each
connector makes from time to time; until then it stays. There is something that only incremental pulls know: who was
in a milestone that has since been deleted, the former titles by which GitHub's events name a renamed one, and who left
a listed milestone. So stays are compared in milestones that still exist and are not listed, and on GitHub in those that
were never renamed. Of GitLab's merge requests a full pull reads those that are in a milestone now, and few of their
events: their rows are compared.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import closing
from datetime import date, timedelta
from random import Random

import pytest

from connectors.sandbox.gitlab import planning
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world_data import Issue, User
from sync.assess.membership_cache import ItemRules, load_memberships
from sync.history import memberships as history
from sync.model.membership import Membership
from sync.model.tracker_data import LISTED_ID_PREFIX, Visibility, uid
from sync.store.store import Store
from tests.contract.sandbox_side import SandboxSide
from tests.proof import TIMEOUT, Record, full

PARTS = full(4, 1)
EDITS = full(100, 3)
"""How many sequences of edits in each part, for each dialect."""

pytestmark = TIMEOUT

KINDS = ("github", "gitlab", "jira", "jira-cloud")


class Team:
    """People at work in a tracker: each call changes one thing, chosen by chance.

    ``deletes``: they also delete things, or move them to another project, which shows in the next sweep only.
    """

    def __init__(self, side: SandboxSide, rng: Random, *, deletes: bool = True) -> None:
        self.side, self.rng, self.hub, self.place = side, rng, side.tracker, side.place
        self.deletes = deletes
        self.people = [self.hub.user(name) for name in ("ada", "ben", "eve")]
        self.renamed = False
        if self.hub.kind == "github":
            side.options["containers"] = ["milestones", "parents"]
            for n in range(rng.choice((0, 2))):  # with four repositories, one request asks for the changes of all
                self.hub.project(f"acme/quiet{n}")
        if side.several:
            side.options["containers"] = ["versions", "sprints", "epics"]
            for n in range(3):
                self.hub.sprint(self.place, f"Sprint {n}", date(2026, 3, 1), date(2026, 3, 14))
        if self.hub.kind == "gitlab":
            side.options["containers"] = ["milestones", "iterations", "epics"]
            for n in range(3):
                begin = date(2026, 3, 2) + timedelta(days=14 * n)
                planning.add_iteration(self.hub, "acme", begin, begin + timedelta(days=13))
                planning.add_epic(self.hub, "acme", f"epic {n}")
        for n in range(3):
            self.hub.milestone(self.place, f"v{n}", due=date(2026, 6, 1) + timedelta(days=30 * n))
        for n in range(rng.choice((5, 5, 5, 230))):
            self.hub.issue(self.place, f"item {n}", self.people[0], milestones=self.some()[:1] if n % 20 == 0 else [])
            side.pass_time(rng.choice((0, 1)))

    def some(self) -> list[int]:
        """Some milestones: one at most where an issue has no more."""
        return self.rng.sample(list(self.place.milestones), self.rng.randint(0, 2 if self.side.several else 1))

    def __call__(self, longest: float = 90_000) -> None:
        """Change something; then up to ``longest`` seconds pass."""
        who, issue = self.rng.choice(self.people), self.rng.choice(list(self.place.issues.values()))
        match self.rng.randrange(19):
            case 0:
                is_pull = self.side.tracker.kind == "github" and self.rng.random() < 0.5
                self.hub.issue(self.place, f"new {self.rng.random()}", who, milestones=self.some()[:1], pull=is_pull)
            case 1 | 2 | 3:
                self.hub.move(self.place, issue, self.some(), who)
            case 4 | 5:
                self.hub.reopen(issue, who) if issue.closed else self.hub.close(issue, who, resolution="completed")
            case 6:
                self.hub.comment(issue, who, self.side.text("words") if self.side.tracker.kind != "jira-cloud" else {})
            case 7:
                issue.title, issue.updated = f"renamed {self.rng.random()}", self.side.now()
            case 8:
                issue.assignees, issue.confidential = [who], not issue.confidential
                issue.updated = self.side.now()
            case 9:
                self.delete(issue)
            case 10 | 11:
                self.block(issue)
            case 12:
                issue.estimate, issue.spent = self.rng.choice((None, 7200)), self.rng.choice((None, 600))
                issue.points, issue.due = self.rng.choice((None, 5.0)), self.rng.choice((None, date(2026, 5, 5)))
                issue.updated = self.side.now()
            case 13:
                self.transfer(issue, who)
            case 14 | 15 | 16:
                self.plan(issue, who)
            case _:
                self.milestone()
        self.side.pass_time(min(longest, self.rng.choice((0.01, 1, 30, 4000, 90_000))))

    def merge_request(self, who: User) -> None:
        """Open, plan, review, merge or delete one."""
        change = self.rng.choice([None, *self.place.merge_requests.values()])
        match self.rng.randrange(7):
            case _ if change is None:
                closing = self.rng.sample(list(self.place.issues), 2)
                self.hub.merge_request(self.place, "change", who, milestones=self.some()[:1], closing=closing)
            case 0 | 1:
                self.hub.move(self.place, change, self.some()[:1], who)
            case 2:
                self.hub.merge(change, who)
            case 3:
                self.hub.ask_for_review(change, self.rng.choice(self.people), who)
            case 4:
                self.hub.answer_review(change, self.rng.choice(self.people), "approved")
            case 5 if self.deletes and change.number != max(self.place.merge_requests):
                del self.place.merge_requests[change.number]
            case _:
                self.hub.set_draft(change, not change.draft, who)
        self.side.pass_time(self.rng.choice((0.01, 1, 30)))

    def delete(self, issue: Issue) -> None:
        """Unless it is the newest, whose number a tracker never gives again, or a pull request, which GitHub keeps."""
        if self.deletes and issue.number != max(self.place.issues) and not issue.pull:
            self.leave_children(issue)
            del self.place.issues[issue.number]

    def leave_children(self, issue: Issue) -> None:
        """Take the sub-issues of an issue of GitHub out of it, before it is deleted or moved."""
        for child in self.place.issues.values():
            if self.hub.kind == "github" and child.parent == issue.key:
                self.hub.adopt(child, None, self.people[0])

    def block(self, issue: Issue) -> None:
        """Let up to two others block it, or none."""
        others = [n for n, item in self.place.issues.items() if item is not issue and not item.pull]
        self.hub.block(self.place, issue, self.rng.sample(others, min(len(others), self.rng.randint(0, 2))))

    def transfer(self, issue: Issue, who: User) -> None:
        """To the other project, or everything to another name."""
        if self.rng.random() < 0.3:
            name = f"N{self.hub.world.next_id()}"
            self.hub.rename(self.place, name if self.side.several else f"acme/{name}")
        elif self.deletes and issue.number != max(self.place.issues) and not issue.pull:
            self.leave_children(issue)
            self.hub.transfer(self.place, issue, self.side.elsewhere, who)

    def plan(self, issue: Issue, who: User) -> None:
        """Into a sprint, an epic, or neither; a sprint may end. On GitHub below another issue, also in a circle.

        On GitLab merge requests change at the same time.
        """
        if self.hub.kind == "github" and not issue.pull:
            others = [item for item in self.place.issues.values() if item is not issue and not item.pull]
            self.hub.adopt(issue, self.rng.choice([None, *others]), who)
        if self.hub.kind == "gitlab":
            self.plan_in_group(issue, who)
            self.merge_request(who)
        if not self.side.several:
            return
        sprints = list(self.place.sprints.values())
        running = [milestone for milestone in sprints if milestone.closed is None]
        epics = [item for item in self.place.issues.values() if item.type == "Epic" and item is not issue]
        match self.rng.randrange(4):
            case 0 if running and len(running) > 1:
                running[0].closed = self.side.now()
            case 1:
                self.hub.adopt(issue, self.rng.choice([None, *epics]), who)
            case 2:
                self.hub.issue(self.place, f"epic {self.rng.random()}", who, type="Epic")
            case _:
                self.hub.plan(issue, self.rng.choice([None, *running]), who)

    def plan_in_group(self, issue: Issue, who: User) -> None:
        """Into an iteration, an epic, or neither; an epic may move below another one, also in a circle."""
        epics, iterations = list(self.hub.epics.values()), list(self.hub.iterations.values())
        match self.rng.randrange(6):
            case 0:
                planning.add_epic(self.hub, "acme", f"epic {self.rng.random()}")
            case 1 | 2:
                planning.nest(self.hub, self.rng.choice(epics), self.rng.choice([None, *epics]), who)
            case 3:
                planning.plan_iteration(self.hub, issue, self.rng.choice([None, *iterations]), who)
                planning.roll_over(self.hub, who)
            case _:
                planning.plan_epic(self.hub, issue, self.rng.choice([None, *epics]), who)

    def milestone(self) -> None:
        goals = sorted(self.place.milestones.values(), key=lambda goal: goal.number)
        goal = self.rng.choice(goals)
        goal.updated = self.side.now()
        match self.rng.randrange(4):
            case 0:
                goal.due = date(2026, 6, 1) + timedelta(days=self.rng.randrange(99))
            case 1:
                goal.title, self.renamed = f"renamed {self.rng.random()}", True
            case 2:
                self.hub.milestone(self.place, f"v {self.rng.random()}")
            case _ if (
                self.deletes and len(goals) > 2 and goal is not goals[-1]
            ):  # whose number a tracker never gives again
                for issue in (*self.place.issues.values(), *self.place.merge_requests.values()):
                    if goal.id in issue.milestones:
                        self.hub.move(self.place, issue, [m for m in issue.milestones if m != goal.id], self.people[0])
                del self.place.milestones[goal.id]
            case _:
                pass


def pulled(side: SandboxSide, store: Store, rng: Random | None = None, team: Team | None = None) -> None:
    """A pull by a new connector. With ``rng`` people go on meanwhile, and it may be killed after any page."""
    quiet = [key for key in side.tracker.projects if "quiet" in key]
    with closing(side.connect(concurrency=rng.choice((1, 4)) if rng else 3)) as connector:
        for page in connector.pull([side.project, side.other, *quiet], store.cursors(connector.base_url)):
            assert not page.failed
            store.save(connector.base_url, page, side.now())
            if not rng or rng.random() < 0.5:
                remembered(side, store, connector.base_url)
            if rng and team and rng.random() < 0.3:
                team(600)  # a list that takes more than hours to read ends the pull
            if rng and rng.random() < 0.2:
                return


class Forgetful(Store):
    """The same store, where nothing that was made is known."""

    def __init__(self, store: Store) -> None:
        vars(self).update(vars(store))

    def editions(self, source: str, projects: Collection[str]) -> Mapping[str, int]:
        return {}


def remembered(side: SandboxSide, store: Store, source: str) -> None:
    """The stays that are kept between runs are those that the rows give."""
    at, projects = side.now() + timedelta(days=1), {project.id for project in store.projects(source)}
    kept, rebuilt = (
        load_memberships(reading, source, projects, at, ItemRules()) for reading in (store, Forgetful(store))
    )
    assert kept.memberships.encode() == rebuilt.memberships.encode()
    assert kept.estimated == rebuilt.estimated


def memberships(store: Store, source: str, side: SandboxSide, issues: set[str]) -> list[Membership]:
    """Memberships of these issues, sorted."""
    made = history.memberships(
        [issue for issue in store.issues(source) if issue.id in issues],
        [event for event in store.events(source) if event.issue in issues],
        store.titles(source),
        source=source,
        at=side.now() + timedelta(days=1),
    )
    return sorted(made, key=lambda membership: (membership.container, membership.item, membership.joined))


def compare(side: SandboxSide, store: Store, *, renamed: bool) -> None:
    """This store, and that of one full pull."""
    with Store.memory(side.now) as whole:
        pulled(side, whole)
        source = side.made[-1].base_url
        apart = {issue.id for issue in store.issues(source) if issue.id.startswith("mr-")}
        rows = [issue for issue in store.issues(source) if issue.visibility is not Visibility.UNKNOWN]
        there = {issue.id: issue for issue in rows if issue.milestones or issue.id not in apart}
        assert there == {issue.id: issue for issue in whole.issues(source)}
        assert store.projects(source) == whole.projects(source)
        assert store.milestones(source) == whole.milestones(source)
        if renamed and side.tracker.kind == "github":
            return
        native = (milestone.id for _, milestone in whole.milestones(source))
        still = {uid(source, "milestone", key) for key in native if not key.startswith(LISTED_ID_PREFIX)}
        kept, full = (
            [s for s in memberships(pulled_store, source, side, there.keys() - apart) if s.container in still]
            for pulled_store in (store, whole)
        )
        assert kept == full


@pytest.mark.proof
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("kind", KINDS)
def test_incremental_pulls_fill_the_store_as_a_full_one_does(
    sandbox: Sandbox, kind: str, part: int, record_property: Record
) -> None:
    for number in range(part * EDITS, (part + 1) * EDITS):
        try:
            rng, side = Random(number), SandboxSide.of(sandbox.world, kind)
            team = Team(side, rng)
            with Store.memory(side.now) as store:
                for _ in range(rng.randint(2, 6)):
                    pulled(side, store, rng, team)
                    for _ in range(rng.randint(0, 8)):
                        team()
                side.options["sweep_days"] = 0
                side.pass_time(rng.choice((1, 300)))
                for _ in range(2):  # the first may only finish what was broken off
                    pulled(side, store)
                compare(side, store, renamed=team.renamed)
        except Exception as problem:
            problem.add_note(f"in sequence {number}")
            raise
    record_property("sequences of edits", EDITS)


@pytest.mark.proof
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("kind", KINDS)
def test_without_a_sweep_incremental_pulls_show_all_but_deletions(
    sandbox: Sandbox, kind: str, part: int, record_property: Record
) -> None:
    """A sweep reads everything again, so it would hide a change that the requests for changes miss."""
    for number in range(part * EDITS, (part + 1) * EDITS):
        try:
            rng, side = Random(number), SandboxSide.of(sandbox.world, kind)
            side.options["sweep_days"] = 10_000
            team = Team(side, rng, deletes=False)
            with Store.memory(side.now) as store:
                for _ in range(rng.randint(2, 6)):
                    pulled(side, store, rng, team)
                    for _ in range(rng.randint(0, 8)):
                        team()
                side.pass_time(rng.choice((1, 300)))
                for _ in range(2):  # the first may only finish what was broken off
                    pulled(side, store)
                compare(side, store, renamed=team.renamed)
        except Exception as problem:
            problem.add_note(f"in sequence {number}")
            raise
    record_property("sequences of edits", EDITS)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_deleted_stays_until_the_sweep(sandbox: Sandbox, kind: str) -> None:
    side = SandboxSide.of(sandbox.world, kind)
    side.add_milestone("1.0")
    for title in ("kept", "deleted", "newest"):
        side.add_issue(title, "1.0")
    with Store.memory(side.now) as store:
        side.pass_time(600)
        pulled(side, store)
        source = side.made[-1].base_url
        del side.place.issues[2]
        pulled(side, store)
        gone = [issue.title for issue in store.issues(source) if not issue.milestones]
        assert gone == []
        side.pass_time(8 * 24 * 3600)
        pulled(side, store)
        [buried] = [issue for issue in store.issues(source) if not issue.milestones]
        assert (buried.title, buried.visibility) == ("deleted", Visibility.UNKNOWN)
        left = [stay for stay in memberships(store, source, side, {buried.id}) if stay.left is None]
        assert left == [], "it left the milestone when it was found gone"


@pytest.mark.parametrize("kind", KINDS)
def test_a_pull_killed_after_each_page_in_turn_reads_everything(sandbox: Sandbox, kind: str) -> None:
    side = SandboxSide.of(sandbox.world, kind)
    side.add_milestone("1.0")
    for n in range(330):
        side.add_issue(f"item {n}", *["1.0"][: n % 50 == 0])
        side.pass_time(1)
    with Store.memory(side.now) as store:
        for _ in range(40):
            with closing(side.connect()) as connector:
                before = store.cursors(connector.base_url)
                for page in connector.pull([side.project, side.other], before):
                    store.save(connector.base_url, page, side.now())
                    if page.cursors and dict(page.cursors) != before:
                        break  # killed
                else:
                    break
        compare(side, store, renamed=False)
