"""Random worlds of `test_surfaces`: four trackers with a zone each, and milestones in every situation.

A world is made from its number alone, so a failure is repeated with it. `Truth` says what a person in front of the
tracker sees: the due day, the counts and the zone; none of it comes from the product.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from connectors.sandbox.serving import configuration
from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Fault, Issue, Milestone, Project, User

__all__ = ["NAMES", "SITUATIONS", "Clock", "SurfaceWorld", "Truth", "surface_world"]

NAMES = {"github": "gh", "gitlab": "gl", "jira": "jira", "jira-cloud": "cloud"}
ZONES = (
    "Etc/GMT+12", "America/Los_Angeles", "America/New_York", "America/St_Johns", "UTC", "Europe/Berlin",
    "Asia/Kolkata", "Pacific/Chatham", "Etc/GMT-13", "Pacific/Kiritimati",
)  # fmt: skip
"""From -12 to +14, with half hours and with changes of the clock."""

DAYS = (
    date(2026, 3, 9),
    date(2026, 3, 30),
    date(2026, 6, 17),
    date(2026, 10, 26),
    date(2026, 12, 31),
    date(2028, 2, 29),
)
"""Days on which worlds end: around changes of the clock, the end of a year, a leap day."""

PROJECTS = {
    "github": ("acme/app", "acme/app2", "acme/app-"),
    "gitlab": ("acme/api", "acme/api-7", "acme/sub/api9"),
    "jira": ("PAY", "AB_C", "P2"),
    "jira-cloud": ("WEB", "AB", "W_9"),
}
TITLES = (
    "Payments {n}",
    "v{n}.0",
    "\u05d2\u05e8\u05e1\u05d4 \u202e{n}",
    "Release {n} " + 28 * "of the whole shop ",
    "<b>{n}</b> | *{n}* `x`",
)
ITEMS = (
    "Add the form",
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd",
    "Fix @ada #1 [x](y) | <i>",
    30 * "very long ",
)
FINISHED = {"github": "completed", "gitlab": "", "jira": "Done", "jira-cloud": "Done"}


@dataclass(frozen=True)
class Situation:
    """State of a milestone at the end of its world.

    ``due`` is in days from the connection's today (None: none), ``size`` counts its items and ``done`` those that are
    done, ``length`` is its planned time in days. ``series``: earlier milestones of the same name exist.
    ``closed``: a person closed the milestone. ``moved``: the due date was so many days earlier before the last run.
    """

    due: int | None
    size: int = 8
    done: int = 4
    length: int = 28
    series: bool = True
    closed: bool = False
    moved: int = 0
    on: date | None = None


SITUATIONS = {
    "on track": Situation(10, 8, 7),
    "half done": Situation(12, 10, 5),
    "at risk": Situation(6, 10, 6),
    "off track": Situation(2, 12, 3),
    "due today": Situation(0, 8, 6),
    "due tomorrow": Situation(1, 8, 6),
    "due yesterday": Situation(-1, 8, 6),
    "overdue": Situation(-9, 8, 5),
    "nothing open": Situation(5, 6, 6),
    "all closed after its date": Situation(-2, 6, 6),
    "done": Situation(-3, 6, 6, closed=True),
    "ended": Situation(-2, 7, 4, closed=True),
    "no due date": Situation(None, 8, 4),
    "too few": Situation(8, 2, 1),
    "few and overdue": Situation(-20, 2, 1),
    "empty": Situation(9, 0, 0),
    "empty and overdue": Situation(-20, 0, 0),
    "just begun": Situation(27, 6, 0, length=28, series=False),
    "without history": Situation(14, 5, 2, series=False),
    "without history and overdue": Situation(-4, 5, 2, series=False),
    "created after its date": Situation(-6, 5, 2, length=-2),
    "within the tolerance": Situation(-1, 12, 11),
    "moved later": Situation(9, 10, 3, moved=12),
    "moved earlier": Situation(3, 10, 6, moved=-9),
    "of 1970": Situation(0, 4, 1, on=date(1970, 1, 2)),
    "of 2199": Situation(0, 4, 1, on=date(2199, 12, 30)),
}


@dataclass
class Clock:
    """The clock of a world and of the commands that are run on it (UTC)."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Truth:
    """A milestone as its tracker shows it. ``written`` is its id in the configuration."""

    tracker: Tracker
    project: Project
    milestone: Milestone
    situation: str
    zone: ZoneInfo

    @property
    def written(self) -> str:
        """Its id as people write it."""
        name, key = NAMES[self.tracker.kind], self.project.key
        if self.tracker.kind == "github":
            return f"{name}:{key}#{self.milestone.number}"
        return f"{name}:{key}{'%' if self.tracker.kind == 'gitlab' else '/'}{self.milestone.title}"

    @property
    def members(self) -> list[Issue]:
        """Its items, without the status issue."""
        return [issue for issue in self.project.issues.values() if self.milestone.id in issue.milestones]

    @property
    def open(self) -> int:
        """Number of its open items."""
        return sum(issue.closed is None for issue in self.members)


@dataclass
class SurfaceWorld:
    """A world, its clock and its configuration. ``failing``: the connection that fails in the last runs; or empty."""

    number: int
    world: World
    clock: Clock
    zones: dict[str, ZoneInfo]
    truths: list[Truth] = field(default_factory=list)
    failing: str = ""
    failing_for: timedelta = timedelta(0)
    share: bool = False

    @property
    def trackers(self) -> dict[str, Tracker]:
        """The trackers by the names of their connections."""
        return {NAMES[tracker.kind]: tracker for tracker in self.world.trackers}

    def today(self, connection: str) -> date:
        """The day of a connection."""
        return self.clock.now.astimezone(self.zones[connection]).date()

    def configuration(self) -> str:
        """The configuration: everything that is optional is on."""
        text = configuration(self.world)
        for name, zone in self.zones.items():
            share = 'share = "aggregate"\n' if self.share else ""
            outputs = {"gh": 'project_status = "acme/7", ', "gl": "health_status = true, "}.get(name, "")
            text = text.replace(
                f"[connections.{name}]\n",
                f'[connections.{name}]\ntimezone = "{zone}"\ntolerance = 0.1\n{share}'
                f"optional_outputs = {{ {outputs}description = true }}\n",
            )
        members = [truth for truth in self.truths if truth.situation in ("on track", "at risk", "overdue", "half done")]
        text += "\n[people]\nreminders = true\n"
        if len(members) > 1:
            ids = json.dumps([truth.written for truth in members[:3]], ensure_ascii=False)
            text += f'\n[[joint]]\nname = "Launch 1"\nowner = "the lead"\nmembers = {ids}\n'
            before, after = (json.dumps(truth.written, ensure_ascii=False) for truth in members[-2:])
            text += f"\n[[dependency]]\nbefore = {before}\nafter = {after}\n"
        return text

    def audiences(self) -> str:
        """The tables of four audiences, who read everything and get their first message from the next run."""
        return "".join(
            f'\n[audiences.{language}-{style}]\nreads = ["*"]\n[audiences.{language}-{style}.digest]\n'
            f'at = 00:00:00\nstyle = "{style}"\nlanguage = "{language}"\nfile = "{language}-{style}.md"\n'
            f'timezone = "{self.zones["gh"]}"\ncalendar = {{ weekend = [] }}\n'
            for language in ("en", "de")
            for style in ("numbers", "words")
        )

    def fail(self) -> None:
        """Let the failing connection refuse every request from now on."""
        if self.failing:
            self.trackers[self.failing].faults.append(Fault("status", "", times=100_000, status=502))

    def chatter(self, number: int) -> None:
        """Let people comment on every open issue and label it, as they do all day."""
        for tracker in self.world.trackers:
            ada = tracker.user("ada")
            body = "Is this still right?" if tracker.kind != "jira-cloud" else _paragraph("Is this still right?")
            for project in tracker.projects.values():
                for issue in project.issues.values():
                    if issue.closed is None:
                        tracker.comment(issue, ada, body)
                        tracker.label(issue, [f"seen-{number}"], [f"seen-{number - 1}"], ada)

    def work(self) -> None:
        """Let people work between the two runs: close an item, add one, move due dates."""
        for truth in self.truths:
            tracker, milestone = truth.tracker, truth.milestone
            ada, moved = tracker.user("ada"), SITUATIONS[truth.situation].moved
            if moved and milestone.due is not None:
                milestone.due += timedelta(days=moved)
                milestone.updated = truth.project.updated = self.clock.now
            if truth.situation in ("half done", "off track"):
                ready = [issue for issue in truth.members if issue.closed is None]
                tracker.close(ready[0], ada, self.clock.now, resolution=FINISHED[tracker.kind])
                late = tracker.issue(truth.project, "Joined late", ada)
                tracker.move(truth.project, late, [milestone.id], ada)


def surface_world(number: int, situations: Sequence[str] = ()) -> SurfaceWorld:
    """Return the world of a number, with the state before its last run. ``situations`` None: chosen by the number."""
    rng = Random(number)
    day, at = rng.choice(DAYS), timedelta(seconds=rng.randrange(86_400))
    clock = Clock(datetime(day.year, day.month, day.day, tzinfo=UTC) + at)
    zones = dict(zip(NAMES.values(), rng.sample(ZONES, len(NAMES)), strict=True))
    made = SurfaceWorld(number, World(clock), clock, {name: ZoneInfo(zone) for name, zone in zones.items()})
    made.share = rng.random() < 0.5
    if number % 3 == 2:
        made.failing = rng.choice(tuple(NAMES.values()))
        made.failing_for = rng.choice((timedelta(hours=3), timedelta(hours=80)))
    names = list(situations) or list(SITUATIONS)
    # each world takes three situations for each tracker, and a few worlds together take all of them everywhere
    for place, tracker in enumerate(made.world.trackers):
        project = tracker.project(rng.choice(PROJECTS[tracker.kind]), "Acme", created=clock.now - timedelta(days=900))
        zone = made.zones[NAMES[tracker.kind]]
        _people(tracker)
        title = rng.choice(TITLES)
        _past(made, tracker, project, title, rng)
        for k in range(min(3, len(names))):
            name = names[(3 * (number + 2 * place) + k) % len(names)]
            _present(made, tracker, project, _title(title, 20 + k, SITUATIONS[name]), name, zone, rng)
    return made


def _paragraph(text: str) -> dict[str, object]:
    return {
        "type": "doc",
        "version": 1,
        "content": [{"type": "paragraph", "content": [{"type": "text", "text": text}]}],
    }


def _title(pattern: str, n: int, situation: Situation) -> str:
    return pattern.format(n=n) if situation.series else f"Something else {'i' * (n - 19)}"


def _people(tracker: Tracker) -> list[User]:
    return [
        tracker.user(login, name) for login, name in (("ada", "Ada Fox"), ("ben", "Ben Lake 3rd"), ("ghost", "Gone"))
    ]


def _past(made: SurfaceWorld, tracker: Tracker, project: Project, title: str, rng: Random) -> None:
    """Five finished milestones of 28 days, so that there is a history to learn from."""
    ada = tracker.user("ada")
    for k in range(5):
        start = made.clock.now - timedelta(days=28 * (5 - k) + 30)
        due = (start + timedelta(days=28)).date()
        milestone = tracker.milestone(project, title.format(n=k + 1), at=start, due=due)
        for n in range(7):
            issue = tracker.issue(project, f"Task {n}", ada, at=start)
            tracker.move(project, issue, [milestone.id], ada, start)
            closed = start + timedelta(days=4 * n * (1.15 if rng.random() < 0.3 else 1) + rng.random())
            tracker.close(issue, ada, closed, resolution=FINISHED[tracker.kind])
        tracker.close_milestone(project, milestone, start + timedelta(days=28))


def _present(
    made: SurfaceWorld, tracker: Tracker, project: Project, title: str, name: str, zone: ZoneInfo, rng: Random
) -> None:
    """A milestone in a situation. Its due day is the tracker's own day."""
    situation = SITUATIONS[name]
    now, people = made.clock.now, _people(tracker)
    today = now.astimezone(zone).date()
    due = None if situation.due is None else situation.on or today + timedelta(days=situation.due - situation.moved)
    begun = now - timedelta(days=max(0.5, situation.length - (situation.due or 14)))
    if situation.length < 0:  # it was created after its due date
        begun = now - timedelta(days=-(situation.due or 0) + situation.length)
    milestone = tracker.milestone(project, title, at=begun, due=due)
    first = max(project.issues, default=0)
    for n in range(situation.size):
        is_change = tracker.kind == "github" and n % 3 == 2 and n < situation.size - 2
        issue = tracker.issue(project, f"{ITEMS[n % len(ITEMS)]} {n}", people[0], at=begun, pull=is_change)
        tracker.move(project, issue, [milestone.id], people[0], begun)
        issue.assignees = [[people[0]], [people[1]], [], [people[2]]][n % 4]
        if n < situation.done:
            closed = begun + (now - begun) * (0.1 + 0.8 * (n + rng.random()) / max(1, situation.done))
            tracker.close(issue, people[n % 2], closed, resolution=FINISHED[tracker.kind])
    if situation.size - situation.done > 1:
        last = project.issues[first + situation.size]
        tracker.block(project, last, [last.number - 1], at=begun)
    if situation.closed:
        tracker.close_milestone(project, milestone, now - timedelta(hours=rng.randrange(1, 60)))
    made.truths.append(Truth(tracker, project, milestone, name, zone))
