"""Count the requests of runs over many projects of one connection, next to what is wanted.

Run it: ``python -m tests.benchmarks.bench_fleet [kind ...] [--projects N ...] [--milestones N]``. The sandbox serves
the tracker, and waiting moves a simulated clock, so the figures are the same on every machine. Nothing is asserted
here: the tests assert them.

* first: the first run with the policy ``plan``, which reads everything and writes nothing
* quiet: the run after it, when nothing changed
* later: the next one
* comments: the first comments with the policy ``create``: a status issue with a comment for each milestone
* written: the run after it, which reads our own writes
* still: a run after that, when nothing changed
* sweep: the reads of a run a day later, which observes every status issue again
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator

import structlog

from sync.model.policy import Policy
from tests.contract.team_rounds import DIALECTS
from tests.fleet_world import WANTED, Cost, fleet


def rows(kind: str, projects: int, milestones: int) -> Iterator[tuple[str, Cost, int | None]]:
    """Yield each row's name, cost and wanted requests of a fleet with this many running milestones a project."""
    wanted = WANTED.get(kind)
    quiet = wanted.quiet(projects) if wanted else None
    sweep = wanted.sweep(projects, projects * milestones) if wanted else None
    with fleet(kind, projects, milestones=milestones) as world:
        yield "first", world.run(), None
        for name in ("quiet", "later"):
            world.clock.on(hours=1)
            yield name, world.run(), quiet
        world.clock.on(hours=1)
        yield "comments", world.run(Policy.CREATE), None
        for name in ("written", "still"):
            world.clock.on(hours=1)
            yield name, world.run(Policy.CREATE), quiet if name == "still" else None
        world.clock.on(hours=24)
        yield "sweep", world.look(Policy.CREATE), sweep


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("kinds", nargs="*", default=[], help=f"of {', '.join(DIALECTS)}; all without one")
    parser.add_argument("--projects", type=int, nargs="+", default=[1, 20, 200])
    parser.add_argument("--milestones", type=int, default=1, help="running milestones of each project")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    print(f"{'':11}{'projects':>9} {'run':9}{'requests':>9}{'wanted':>8}{'writes':>8}{'seconds':>9}")
    for kind in given.kinds or DIALECTS:
        for projects in given.projects:
            for name, cost, wanted in rows(kind, projects, given.milestones):
                print(
                    f"{kind:11}{projects:9} {name:9}{cost.requests:9}{'' if wanted is None else wanted:>8}"
                    f"{cost.writes:8}{cost.seconds:9.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
