"""Besiege milesync: damaging proxies in front of the sandbox, commands, and a judge of what they did.

An episode starts with an intact world and an empty database. Some commands run while the proxies damage answers, then
two runs without damage. The seed of an episode decides all of it, except the moments.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from pathlib import Path
from random import Random

from connectors.sandbox.server import Sandbox
from connectors.sandbox.serving import configuration
from connectors.sandbox.world import Tracker, World
from sync.tracker.marker import MarkerKind
from tests.e2e.in_process import Done
from tests.fault.fault_scripts import TELLING
from tests.fault.tracker_contents import markers
from tests.siege.commands import Commands, Environment
from tests.siege.mutations import MUTATIONS, Kind
from tests.siege.proxy import Plan, Proxy

__all__ = ["LARGEST", "LONGEST", "TITLE", "TOKEN", "Siege", "World", "world"]

LONGEST = 60.0
"""Seconds that a command may take."""
LARGEST = 300.0
"""MB of memory that a command may take."""
TOKEN = "canary-of-the-token"
TITLE = "canary-of-a-title"
_ATTACKS = 5
"""Commands of an episode while answers are damaged."""
_TRUTH = {"1.0": "done", "1.1": "off_track", "1.2": "overdue"}
"""Statuses of the world's milestones, by title."""
_RANK = {
    "off_track": 0,
    "overdue": 0,
    "ended": 0,
    "unknown": 0,
    "no_due_date": 1,
    "at_risk": 1,
    "on_track": 2,
    "done": 3,
}
"""How good a status sounds; the same number: neither is better."""
_ADDRESS = {"github": "GITHUB_API_URL", "gitlab": "GITLAB_URL", "jira": "JIRA_URL"}
"""Variables from which `check` takes the addresses; it knows no Jira Cloud on another host."""
_UNTYPED = re.compile(r"Traceback|the connector failed|crashed|(?<![a-z])[A-Z]\w*(Error|Exception)\b(?=: )")
"""What an error looks like that no code expected."""


def world() -> World:
    """Each tracker with a project of a finished, a late and an overdue milestone."""
    made, now = World(), datetime.now(UTC).replace(microsecond=0)
    for tracker in made.trackers:
        tracker.token = TOKEN
        ada = tracker.user("ada", "Ada Fox")
        place = tracker.project("PAY" if tracker.kind.startswith("jira") else "acme/app", "Acme")
        for title, begin, due, done in (("1.0", 90, 40, 8), ("1.1", 40, -6, 4), ("1.2", 40, 5, 2)):
            start = now - timedelta(days=begin)
            goal = tracker.milestone(place, title, at=start, due=(now - timedelta(days=due)).date())
            for n in range(8):
                issue = tracker.issue(place, f"{TITLE} {title} {n}", ada, at=start, milestones=[goal.id])
                if n < done:
                    tracker.close(issue, ada, start + timedelta(days=3 * n + 1), resolution="completed")
            if title == "1.0":
                tracker.close_milestone(place, goal, now - timedelta(days=due))
    return made


@dataclass
class Siege:
    """A besieged installation: trackers, their proxies, a folder with configuration and database, and the findings.

    ``new_database`` returns the URL of an empty database.
    """

    folder: Path
    trackers: Sequence[Tracker]
    proxies: Sequence[Proxy]
    commands: Commands
    configuration: str
    new_database: Callable[[], str]
    findings: list[str] = field(default_factory=list)
    """What should not have happened, in words, with the seed."""
    counts: Counter[str] = field(default_factory=Counter)
    """How often each kind of damage was done, and the commands by exit code."""

    @classmethod
    @contextmanager
    def start(
        cls, folder: Path, commands: Commands, new_database: Callable[[], str] | None = None, more: str = ""
    ) -> Iterator[Siege]:
        """Serve a world behind proxies. Databases are files by default. ``more`` is added to the configuration."""
        made, numbers = world(), count()
        folder.mkdir(exist_ok=True)
        with ExitStack() as stack:
            stack.enter_context(Sandbox(made))
            proxies = []
            for tracker in made.trackers:
                proxies.append(stack.enter_context(Proxy(tracker.url)))
                tracker.url = proxies[-1].url
            text = f'{configuration(made, database="{database}")}\n[metrics]\ntextfile = "milesync.prom"\n{more}'
            in_files = new_database or (lambda: f"sqlite:///{folder / f'{next(numbers)}.db'}")
            siege = cls(folder, made.trackers, proxies, commands, text, in_files)
            siege.change_database()
            yield siege

    @property
    def config(self) -> Path:
        """The file with the configuration."""
        return self.folder / "milesync.toml"

    def change_database(self) -> None:
        """Configure an empty database, as after a loss."""
        self.config.write_text(self.configuration.replace("{database}", self.new_database()))

    def command(self, *words: str, seed: str) -> Done | None:
        """Run a command, and judge what holds for every command. None: it hung."""
        check = words[0] == "check"
        where = f"{seed}: {words[0]}"
        result = self.commands.run(*words, config=None if check else self.config, env=self._environment(check=check))
        for proxy in self.proxies:
            proxy.send_late()
        if result is None:
            self.findings.append(f"{where}: hung for {self.commands.patience:.0f} s")
            return None
        done, text = result.done, result.done.out + result.done.err
        self.counts[f"exit {done.code}"] += 1
        untyped = _UNTYPED.search(text)
        at = untyped.start() if untyped else 0
        for is_wrong, finding in (
            (result.seconds > LONGEST, f"took {result.seconds:.0f} s"),
            (result.memory > LARGEST, f"took {result.memory:.0f} MB"),
            (untyped, f"untyped: {text[max(at - 200, 0) : at + 2000]}"),
            (TOKEN in text, f"the token is printed: {text[max(text.find(TOKEN) - 200, 0) :][:400]}"),
            (done.code not in (0, 1, 3), f"exit {done.code}: {text[-500:]}"),
        ):
            if is_wrong:
                self.findings.append(f"{where}: {finding}")
        return done

    def episode(self, seed: str) -> None:
        """Attack some commands, then run twice without damage; `findings` and `counts` say what came of it.

        The seed decides which kinds of damage there are. Statuses are judged where no value is missing and no answer
        lies, second comments where no answer lies: an issue that a tracker does not name is created again.
        """
        random = Random(seed)
        if random.random() < 0.5:
            self.command("run", "--first-run", seed=seed)
        worst = random.choice(list(Kind))
        possible = [mutation for mutation in MUTATIONS if mutation.kind <= worst]
        for n in range(_ATTACKS):
            if random.random() < 0.1:
                self.change_database()
            chosen = random.sample(possible, random.choice([1, 3, len(possible)]))
            lasting = random.random() < 0.3
            rate = random.choice([0.05, 0.2, 0.5, 1.0])
            doubled, late = random.choice([0.0, 0.2]), random.choice([0.0, 0.0, 0.1])
            for tracker, proxy in zip(self.trackers, self.proxies, strict=True):
                own = f"{seed} {n} {tracker.kind}"
                proxy.plan = Plan(own, chosen, rate, lasting, doubled, late, self.counts)
            targets = [f"{kind}:{key}" for kind, key in self._projects() if kind in _ADDRESS]
            words = random.choice(
                [("run", "--first-run"), ("run", "--first-run", "--json"), ("pull",), ("check", *targets)]
            )
            names = [mutation.name for mutation in chosen][:3]
            where = f"{seed} attack {n} of {worst.name}: {names}, rate {rate}, lasting {lasting}"
            self.command(*words, seed=where)
            if worst is Kind.BROKEN:
                self._judge_statuses(where)
        for proxy in self.proxies:
            proxy.plan = Plan()
        self._judge_after(f"{seed} afterwards", worst)

    def _projects(self) -> Iterator[tuple[str, str]]:
        for tracker in self.trackers:
            for key in tracker.projects:
                yield tracker.kind, key

    def _environment(self, *, check: bool) -> Environment:
        variables: Environment = {f"{kind}_TOKEN": TOKEN for kind in ("GITHUB", "GITLAB", "JIRA")}
        if check:
            variables["JIRA_EMAIL"] = None
            variables |= {_ADDRESS[tracker.kind]: tracker.url for tracker in self.trackers if tracker.kind in _ADDRESS}
        return variables

    # --- judging ---------------------------------------------------------------------------------------------------

    def _judge_after(self, seed: str, worst: Kind) -> None:
        """Run without damage, and check that nothing of the damage is left."""
        for _ in range(2):
            done = self.command("run", "--first-run", seed=seed)
        if worst is Kind.BROKEN and done is not None:
            if done.code != 0:
                self.findings.append(f"{seed}: exit {done.code}: {(done.out + done.err)[-1500:]}")
            statuses = self._statuses(seed)
            for name, title, status in statuses:
                if status != _TRUTH[title]:
                    self.findings.append(f"{seed}: {name} stays {status}, and is {_TRUTH[title]}")
            if len(statuses) != len(self.trackers) * len(_TRUTH):
                self.findings.append(f"{seed}: these milestones are left: {statuses}")
        if worst is not Kind.LIE:
            self._judge_trackers(seed)
        self._judge_files(seed)

    def _statuses(self, seed: str) -> list[tuple[str, str, str]]:
        """Id, title and status of the milestones in the database."""
        done = self.command("status", "--json", seed=seed)
        if done is None or done.code == 1:
            return []
        rows = [(row["id"], row["status"]) for row in done.document["milestones"]]
        return [(name, title, status) for name, status in rows for title in _TRUTH if self._is(name, title)]

    def _is(self, name: str, title: str) -> bool:
        """Return whether a milestone has this title; GitHub's ids end with its number."""
        number = list(_TRUTH).index(title) + 1
        return name.endswith((f"%{title}", f"/{title}", f"#{number}"))

    def _judge_statuses(self, seed: str) -> None:
        """Check that no milestone sounds better than it is."""
        for name, title, status in self._statuses(seed):
            if _RANK[status] > _RANK[_TRUTH[title]]:
                self.findings.append(f"{seed}: {name} is {status}, and is {_TRUTH[title]}")

    def _judge_trackers(self, seed: str) -> None:
        """Check that each milestone has at most one status issue with one summary, and no status announced twice."""
        for tracker in self.trackers:
            found = markers(tracker)
            kinds = Counter((marker.kind, marker.milestone) for marker in found)
            for (kind, milestone), number in kinds.items():
                if kind in (MarkerKind.STATUS_ISSUE, MarkerKind.SUMMARY, MarkerKind.CLOSING) and number > 1:
                    self.findings.append(f"{seed}: {tracker.kind}: {number} of {kind} for {milestone}")
            for milestone in {marker.milestone for marker in found}:
                statuses = [
                    marker.status for marker in found if marker.kind in TELLING and marker.milestone == milestone
                ]
                if any(status is following for status, following in pairwise(statuses)):
                    self.findings.append(f"{seed}: {tracker.kind}: announced twice for {milestone}: {statuses}")

    def _judge_files(self, seed: str) -> None:
        """Check that no file has a token in it, and no file but the database an issue's title."""
        for path in self.folder.iterdir():
            content = path.read_bytes()
            if TOKEN.encode() in content:
                self.findings.append(f"{seed}: the token is in {path.name}")
            if TITLE.encode() in content and ".db" not in path.name:
                self.findings.append(f"{seed}: the title of an issue is in {path.name}")
