"""A round over many projects behind many tokens, against the trackers' published limits: how long, on how many hosts.

Pure and deterministic: each token's requests begin as early as its limits let them, steps take the places of the hosts
in the order of the queue. ``python -m tests.round_model`` prints the tables of ``docs/explanation/scale.md``.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

PROJECTS, TOKENS, ISSUES = 10_000, 50, 100
"""Projects in all, tokens that share them evenly, issues of each project."""
HOUR, MINUTE = 3600.0, 60.0
LATENCY = 0.5
"""Seconds that a request takes; a real page of a hundred issues takes several hundred ms."""
AT_ONCE = 6
"""Requests under way for one connection: the setting's default."""
STORING = 2.3 / 10_000
"""CPU seconds for each issue that is read and stored: the whole process of the first pull, measured."""
ASSESSING = 30.0
"""CPU seconds of a write-back over all 10,000 milestones: the most that it may take, not what it takes."""


@dataclass(frozen=True)
class Limit:
    """At most ``most`` units begin within any ``per`` seconds."""

    most: int
    per: float


@dataclass(frozen=True)
class Tracker:
    """Requests for each project and their cost in units of the limit; writes have limits of their own."""

    name: str
    first: float
    quiet: float
    cost: float
    reads: tuple[Limit, ...]
    writes: tuple[Limit, ...]


_GITLAB_FIRST = 3 + ISSUES / 100 + ISSUES / 50
TRACKERS = (
    # 2 points a page; one request for fifty repositories when nothing changed.
    Tracker(
        "GitHub",
        first=3 + ISSUES / 100,
        quiet=1 / 50,
        cost=2,
        reads=(Limit(5_000, HOUR), Limit(900, MINUTE)),
        writes=(Limit(500, HOUR), Limit(80, MINUTE)),
    ),
    # As GitLab.com is today, and under what it has announced for its free plan.
    Tracker("GitLab.com", _GITLAB_FIRST, 1 / 50, 1, (Limit(2_000, MINUTE),), (Limit(60, MINUTE),)),
    Tracker(
        "GitLab.com, Free, announced",
        first=_GITLAB_FIRST,
        quiet=1 / 50,
        cost=1,
        reads=(Limit(5_000, HOUR), Limit(100, MINUTE)),
        writes=(Limit(60, MINUTE),),
    ),
    # One JQL for all projects of a connection: a point for a request, and one for an object that is read.
    Tracker(
        "Jira Cloud, points",
        first=ISSUES / 100 + ISSUES / 5_000 + ISSUES / 1_000,
        quiet=3 / 200,
        cost=60,
        reads=(Limit(65_000, HOUR),),
        writes=(Limit(100, 30.0),),
    ),
)


def began(number: int, cost: float, limits: Sequence[Limit], gap: float = 0.0) -> Iterator[float]:
    """Start of each request in seconds: as early as every limit allows, at least ``gap`` apart."""
    times: list[float] = []
    for n in range(number):
        at = times[-1] + gap if times else 0.0
        for limit in limits:
            window = max(1, int(limit.most / cost))
            if n >= window:
                at = max(at, times[n - window] + limit.per)
        times.append(at)
        yield at


def reading(tracker: Tracker, per_project: float) -> float:
    """Seconds in which one token reads its share of the projects."""
    requests = ceil(PROJECTS / TOKENS * per_project)
    return max(began(requests, tracker.cost, tracker.reads, gap=LATENCY / AT_ONCE)) + LATENCY


def writing(tracker: Tracker, writes: int) -> float:
    """Seconds in which one token writes so much: one at a time, a second apart."""
    return max(began(writes, 1, tracker.writes, gap=1.0)) + LATENCY if writes else 0.0


def lasted(steps: Sequence[tuple[float, float]], hosts: int, *, cores: int = 2, places: int = 4) -> float:
    """Seconds until the last of the connections is done: each step waits (first number) in a place and works (second).

    A host has ``places`` for connections; what works shares the cores: a round takes at least all work over all cores.
    """
    free = [0.0] * (hosts * places)
    heapq.heapify(free)
    ends = [0.0]
    for waits, works in steps:
        ends.append(heapq.heappop(free) + waits + works)
        heapq.heappush(free, ends[-1])
    return max(*ends, sum(works for _, works in steps) / (hosts * cores))


def minutes(tracker: Tracker, hosts: int, *, first: bool, writes: int) -> float:
    """Minutes of a round: each token reads its share, assesses all, and writes so much."""
    waits = reading(tracker, tracker.first if first else tracker.quiet) + writing(tracker, writes)
    works = ASSESSING + (STORING * ISSUES * PROJECTS / TOKENS if first else 0.0)
    return lasted([(waits, works)] * TOKENS, hosts) / MINUTE


def in_turns(writes: int) -> float:
    """Minutes that the writes take at least where all tokens belong to one tracker: its lease has one holder."""
    return TOKENS * writes / MINUTE


def main() -> None:
    """Print the tables."""
    share = PROJECTS // TOKENS
    print("| tracker | requests a token, first | quiet | read alone, first (min) | quiet (min) |")
    print("|---|--:|--:|--:|--:|")
    for tracker in TRACKERS:
        numbers = [ceil(share * tracker.first), ceil(share * tracker.quiet)]
        times = [reading(tracker, tracker.first) / MINUTE, reading(tracker, tracker.quiet) / MINUTE]
        print(f"| {tracker.name} | {numbers[0]} | {numbers[1]} | {times[0]:.1f} | {times[1]:.1f} |")
    columns = ["tracker", "hosts", "first round, nothing written (min)", "first round, 4 writes a project (min)"]
    print("\n| " + " | ".join([*columns, "quiet (min)"]) + " |")
    print("|---|--:|--:|--:|--:|")
    for tracker in TRACKERS:
        for hosts in (1, 4, 13):
            figures = [
                minutes(tracker, hosts, first=True, writes=0),
                minutes(tracker, hosts, first=True, writes=4 * share),
                minutes(tracker, hosts, first=False, writes=0),
            ]
            print(f"| {tracker.name} | {hosts} | " + " | ".join(f"{figure:.0f}" for figure in figures) + " |")


if __name__ == "__main__":
    main()
