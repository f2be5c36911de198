"""Story of the demo: one commitment of three teams, each in its own tracker, and what they do about it.

A payments team (GitLab) is behind schedule and over budget, a shop team (GitHub) waits for it, and a mobile team
(Jira) works in sprints and on an epic. `DemoStory.replan` and `DemoStory.finish` are what the payments team does next:
it takes the late additions out, answers the open decision and moves the date; then it ends ahead of the new date and
under budget. All names are made up, the seed is fixed, and every date is counted from today.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, ClassVar

from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Issue, Iteration, Milestone, Project, User

__all__ = ["ADDED", "DAYS_LATER", "JOINT", "PLANNED", "DemoStory"]

JOINT = "Checkout GA"
"""Name of the joint milestone."""

DAYS_LATER = 35
"""Days by which `DemoStory.replan` moves the due date."""

_HOUR = 3600
_REPLANNED = timedelta(days=6)
_PEOPLE = (("ada", "Ada Fox"), ("lin", "Lin Wu"), ("noor", "Noor Aziz"))
_PAST = ((10, 0.8), (12, 1.2), (12, 1.3), (11, 1.1), (13, 1.15), (12, 0.8), (12, 0.95))
"""Issues of each earlier release, and how long it took against the plan."""

PLANNED = (
    "Pay with a saved card",
    "Show the fee before the order",
    "Refund a part of an order",
    "Retry a declined card once",
    "Keep the basket when the session ends",
    "Round tax for each line",
    "Say which field of the address is wrong",
    "Rotate the signing keys",
    "Send receipts in two languages",
    "Speed up the payment page",
    "Move exports to the new queue",
    "Measure how long a settlement takes",
    "Explain a chargeback to the shop owner",
    "Accept vouchers",
)
ADDED = (
    "Colour the buttons by brand",
    "Pay in three parts",
    "Print a packing slip",
    "Show stock at the checkout",
    "Gift wrapping",
    "Donate the change",
    "Remember the last address",
    "Show reviews at the checkout",
)
_SHOP = (
    "Show the new checkout to a tenth of the shops",
    "Move the old checkout behind a switch",
    "Translate the error pages",
    "Measure the time to the first payment",
    "Describe the checkout for shop owners",
    "Remove the second address form",
    "Keep the voucher field closed by default",
    "Warn before a basket ends",
    "Load the fonts later",
    "Check the contrast of all buttons",
    "Let screen readers find the total",
    "Follow a payment to its receipt",
)
_CHANGES = ("Switch the new checkout on", "Load the fonts after the page", "Name the total for screen readers")
"""Pull requests of the shop team."""

_MOBILE = (
    "Pay with the phone's wallet",
    "Scan a voucher",
    "Show vouchers in the basket",
    "Reject a voucher of another shop",
    "Keep the basket offline",
    "Ask for a review after the order",
    "Open the receipt in the app",
    "Shrink the download",
)


@dataclass
class _Team:
    """A team in its tracker, with its issues by title."""

    tracker: Tracker
    project: Project
    people: list[User]
    issues: dict[str, Issue]

    def add(self, title: str, at: datetime, milestone: Milestone, **fields: Any) -> Issue:
        """Add an issue, and put it into a milestone."""
        issue = self.tracker.issue(self.project, title, self.people[0], at=at, **fields)
        self.tracker.move(self.project, issue, [milestone.id], self.people[0], at)
        self.issues[title] = issue
        return issue

    def close(self, title: str, at: datetime, *, over: float = 1.0) -> None:
        """Finish an issue after ``over`` times its estimate."""
        issue = self.issues[title]
        if issue.estimate is not None:
            issue.spent = round(issue.estimate * over)
        resolution = {"github": "completed", "gitlab": ""}.get(self.tracker.kind, "Done")
        self.tracker.close(issue, issue.assignees[0] if issue.assignees else self.people[0], at, resolution=resolution)


class DemoStory:
    """The three teams in one world, and what the payments team does next."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.now = world.clock().replace(minute=0, second=0, microsecond=0)
        self.payments = self._payments()
        self.shop = self._shop()
        self.mobile = self._mobile()

    settings: ClassVar[Mapping[str, str]] = {
        "github": 'share = "aggregate"\noptions = { containers = ["milestones", "iterations"], boards = ["acme/7"] }\n',
        "gitlab": 'share = "aggregate"\n',
        "jira": 'share = "aggregate"\nignored_types = ["Epic"]\n'
        'options = { containers = ["versions", "sprints", "epics"] }\n',
    }
    """Settings of each connection, by kind of tracker: what joint milestones may show, and what is a milestone."""

    def configuration(self) -> str:
        """The tables of the configuration for the commitment: its members, and what waits for what."""
        payments, shop = f"gl:{self.payments.project.key}%Payments 2.0", self._written_shop()
        members = ", ".join(
            f'"{written}"' for written in (payments, shop, f"jira:{self.mobile.project.key}/Mobile 2.0")
        )
        return (
            f'[[joint]]\nname = "{JOINT}"\nowner = "@ada"\nmembers = [{members}]\n\n'
            f'[[dependency]]\nbefore = "{payments}"\nafter = "{shop}"\n'
        )

    def _written_shop(self) -> str:
        milestone = next(own for own in self.shop.project.milestones.values() if own.title == "Shop 2.0")
        return f"gh:{self.shop.project.key}#{milestone.number}"

    @property
    def release(self) -> Milestone:
        """The milestone of the payments team."""
        return next(own for own in self.payments.project.milestones.values() if own.title == "Payments 2.0")

    # --- what the payments team does ---------------------------------------------------------------------------------

    def replan(self) -> None:
        """Take the late additions out, answer the decision, name an owner for each issue, and move the date.

        The history dates this `_REPLANNED` days back, so that `finish` is no end at the last minute.
        """
        team, now = self.payments, self.world.clock()
        for title in ADDED[1:]:
            team.tracker.move(team.project, team.issues[title], [], team.people[0], now - _REPLANNED)
            team.issues[title].updated = now
        waiting = [issue for issue in team.issues.values() if issue.closed is None and not issue.assignees]
        for n, issue in enumerate(waiting):
            issue.assignees = [team.people[n % 3]]
            team.tracker.change(issue, "assignee", None, issue.assignees[0].id, team.people[0], now, "")
        team.issues["Accept vouchers"].blocked_by = []
        assert self.release.due is not None
        self.release.due += timedelta(days=DAYS_LATER)
        self.release.description = self.release.description.partition("Decision needed")[0]
        self.release.updated = team.project.updated = now

    def finish(self) -> None:
        """Close everything that is left, for less than was estimated, and the milestone."""
        team, now = self.payments, self.world.clock()
        for title, issue in team.issues.items():
            if issue.closed is None and issue.milestones:
                team.close(title, now, over=0.7)
        self.release.description = self.release.description.replace("[ ]", "[x]")
        team.tracker.close_milestone(team.project, self.release, now)

    # --- how it began -------------------------------------------------------------------------------------------------

    def _team(self, tracker: Tracker, key: str, name: str) -> _Team:
        people = [tracker.user(*who) for who in _PEOPLE]
        return _Team(tracker, tracker.project(key, name, created=self.now - timedelta(days=420)), people, {})

    def _past(self, team: _Team, title: str, length: int) -> None:
        """Add the earlier releases: each began ``length`` + 5 days after the one before."""
        start = self.now - timedelta(days=(length + 5) * len(_PAST) + 30)
        for n, (size, took) in enumerate(_PAST):
            begun = start + timedelta(days=(length + 5) * n)
            due = (begun + timedelta(days=length)).date()
            milestone = team.tracker.milestone(team.project, f"{title} 1.{n}", at=begun, due=due)
            if team.tracker.kind != "github":
                milestone.start = begun.date()
            for k in range(size):
                joined = begun + timedelta(days=-4 if k < size - 2 else 6)
                name = f"Part {k + 1} of {title} 1.{n}"
                team.add(name, joined, milestone)
                team.close(name, begun + timedelta(days=length * took * (k + 1) / size))
            team.tracker.close_milestone(team.project, milestone, begun + timedelta(days=length * max(1.0, took)))

    def _payments(self) -> _Team:
        """Behind schedule and over budget: three of fourteen done for 1.7 times the estimate, and eight added."""
        team = self._team(self.world.gitlab, "acme/payments", "Payments")
        self._past(team, "Payments", 35)
        start, due = self.now - timedelta(days=36), (self.now + timedelta(days=2)).date()
        decision = (self.now - timedelta(days=2)).date()
        milestone = team.tracker.milestone(
            team.project,
            "Payments 2.0",
            at=start - timedelta(days=4),
            start=start.date(),
            due=due,
            description="Owner: @ada\n\n- [x] prices are the old ones\n- [ ] a security review\n\n"
            f"Risk: the bank's test system is slow\n\n"
            f"Decision needed: leave the late additions out of this release, by {decision} from @ada",
        )
        for n, title in enumerate(PLANNED):
            assignees = [team.people[n % 3]] if n < 11 else []
            hours = 8 + 4 * (n % 3)
            team.add(title, start - timedelta(days=4), milestone, estimate=hours * _HOUR, assignees=assignees)
        for n, title in enumerate(PLANNED[:3]):
            team.close(title, start + timedelta(days=4 + 6 * n), over=1.7)
        for n, title in enumerate(ADDED):
            team.add(title, start + timedelta(days=9 + 2 * n), milestone, estimate=8 * _HOUR)
        team.issues["Accept vouchers"].blocked_by = [team.issues["Rotate the signing keys"].number]
        return team

    def _shop(self) -> _Team:
        """On its way, with pull requests in its milestone; it waits for the payments team."""
        team = self._team(self.world.github, "acme/shop", "Shop")
        self._past(team, "Shop", 35)
        start, due = self.now - timedelta(days=22), (self.now + timedelta(days=12)).date()
        milestone = team.tracker.milestone(team.project, "Shop 2.0", at=start, due=due, description="Owner: @lin")
        for n, title in enumerate(_SHOP):
            team.add(title, start, milestone, assignees=[team.people[n % 3]])
        for n, title in enumerate(_SHOP[:8]):
            team.close(title, start + timedelta(days=2 + 2.4 * n))
        for n, title in enumerate(_CHANGES):
            at, author = start + timedelta(days=9 + 3 * n), team.people[n % 3]
            change = team.add(title, at, milestone, pull=True, assignees=[author])
            team.tracker.ask(change, team.people[(n + 1) % 3], author, at)
        self._plan_iteration(team)
        return team

    def _plan_iteration(self, team: _Team) -> None:
        """Put the last issues of the shop team into an iteration of its board."""
        team.tracker.scopes = ("repo", "read:project")
        board = team.tracker.board("acme/7", public=True)
        begun = self.now - timedelta(days=5)
        iteration = Iteration("i8", "Iteration 8", begun.date(), 14)
        column = team.tracker.column(board, "Iteration", "ITERATION", [iteration])
        for title in _SHOP[6:]:
            item = team.tracker.put_on_board(board, team.project, team.issues[title])
            board.set_value(item, column, iteration.id, begun)

    def _mobile(self) -> _Team:
        """Sprints and an epic next to the version."""
        team = self._team(self.world.jira, "SHOP", "Mobile shop")
        self._past(team, "Mobile", 35)
        start, due = self.now - timedelta(days=20), (self.now + timedelta(days=14)).date()
        version = team.tracker.milestone(team.project, "Mobile 2.0", at=start, start=start.date(), due=due)
        epic = team.add("Vouchers in the app", start, version, type="Epic", assignees=[team.people[2]], due=due)
        rng = Random("mobile")
        sprints = [
            team.tracker.sprint(team.project, f"Sprint {n}", on, on + timedelta(days=13))
            for n in (11, 12)
            for on in [(self.now - timedelta(days=18 if n == 11 else 4)).date()]
        ]
        sprints[0].closed = self.now - timedelta(days=4)
        for n, title in enumerate(_MOBILE):
            issue = team.add(title, start, version, assignees=[team.people[n % 3]], points=float(rng.choice((1, 2, 3))))
            team.tracker.plan(issue, sprints[n >= 3], team.people[0], start + timedelta(days=2))
            if "oucher" in title:
                team.tracker.adopt(issue, epic, team.people[0], start + timedelta(days=1))
            if n < 4:
                team.close(title, start + timedelta(days=5 + 4 * n))
        return team
