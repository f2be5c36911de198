"""Propagate delays along dependencies between milestones, path by path.

On each path a predecessor is late by the days between the moment when its successors were planned to continue and its
completion. That moment is the latest of its due date, the successor's start, and now. The successor is done later by as
many days, and never before its predecessor. A predecessor in time costs nothing. Whole distributions are added: 85%
dates added to 85% dates would be too late.

A dependency from blocked issues weighs less than a configured one. It waits for the last of ``k`` blocking issues, not
for the whole predecessor, and moves only the blocked share of the successor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from math import isnan

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sync.model.errors import DependencyCycleError

__all__ = [
    "Dependency",
    "PlannedTime",
    "Predecessor",
    "Propagated",
    "critical_chain",
    "delayed",
    "dependencies_by_successor",
    "dependency_from_links",
    "mean_delay",
    "propagate",
    "topological_order",
    "without_cycles",
]

Floats = NDArray[np.float64]


class Dependency(Struct, frozen=True, kw_only=True):
    """Dependency of the milestone ``after`` on the milestone ``before`` (ids).

    ``issues``: the number of blocked issues that it comes from; 0: it comes from the configuration. ``reach``: the
    share of the predecessor's remaining time after which the blocking issues are done, on average. ``share``: the share
    of the successor that waits.
    """

    before: str
    after: str
    reach: float = 1.0
    share: float = 1.0
    issues: int = 0


class PlannedTime(Struct, frozen=True):
    """Planned start and due moment of a milestone, in days since 1970 UTC; NaN where unknown."""

    start: float
    due: float


class Predecessor(Struct, frozen=True):
    """Predecessor of a milestone: their dependency, its completion moments (float64[paths]) and its planned time."""

    dependency: Dependency
    paths: Floats
    planned: PlannedTime


class Propagated(Struct, frozen=True):
    """Completion moments after propagation.

    ``paths``: id -> completion moments (days since 1970 UTC) with its predecessors. ``deciding``: successor ->
    predecessor -> the share of paths on which this predecessor sets the successor's date. ``delays``: successor -> its
    mean delay in days, over the paths on which it is done at all.
    """

    paths: Mapping[str, Floats]
    deciding: Mapping[str, Mapping[str, float]]
    delays: Mapping[str, float]


def dependency_from_links(
    before: str, after: str, *, blockers: int, of: int, blocked: int, waiting_of: int
) -> Dependency:
    """Return the dependency from links: ``blockers`` of ``of`` open issues block ``blocked`` of ``waiting_of``.

    When n issues are done one after the other, the last of k of them is done on average after k (n + 1) / ((k + 1) n)
    of the time.
    """
    reach = blockers * (of + 1) / ((blockers + 1) * of)
    return Dependency(before=before, after=after, reach=reach, share=blocked / waiting_of, issues=blocked)


def topological_order(dependencies: Iterable[Dependency]) -> list[str]:
    """Return the ids in ``dependencies``, each after all its predecessors. Raises `DependencyCycleError`."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for dependency in sorted(dependencies, key=lambda d: (d.after, d.before)):
        sorter.add(dependency.after, dependency.before)
    try:
        return list(sorter.static_order())
    except CycleError as error:
        raise DependencyCycleError(error.args[1]) from None


def without_cycles(
    configured: Sequence[Dependency], links: Sequence[Dependency]
) -> tuple[list[Dependency], list[DependencyCycleError]]:
    """Return all ``configured`` dependencies with the links that close no cycle, and the cycles found.

    Issues of two milestones may block each other; then neither milestone as a whole waits for the other. No link has
    the ids of a configured dependency. Raises `DependencyCycleError` where those alone have a cycle.
    """
    fixed = {(own.before, own.after) for own in configured}
    kept = {(own.before, own.after) for own in links}
    cycles = [DependencyCycleError(ids) for ids in _remove_cycles(fixed, kept)]
    return [*configured, *(own for own in links if (own.before, own.after) in kept)], cycles


def _remove_cycles(fixed: Set[tuple[str, str]], kept: set[tuple[str, str]]) -> Iterator[list[str]]:
    """Yield each cycle (ids, the first one again at the end), and remove from ``kept`` the pairs that it consists of.

    A single depth-first search over pairs (before, after): it goes back to the first pair that a cycle removes, so the
    time is proportional to the pairs and the lengths of the cycles. Raises `DependencyCycleError` for a cycle of
    ``fixed`` pairs.
    """
    pairs = sorted(fixed | kept, key=lambda pair: (pair[1], pair[0]))
    successors: dict[str, list[str]] = {name: [] for pair in pairs for name in pair}
    for before, after in reversed(pairs):
        successors[before].append(after)  # the next to visit is the last
    finished: set[str] = set()
    for pair in pairs:
        for root in reversed(pair):
            path = dict.fromkeys([] if root in finished else [root])
            while path and (pair in fixed or pair in kept):
                last = next(reversed(path))
                if not successors[last]:
                    finished.add(last)
                    path.popitem()
                elif (after := successors[last][-1]) in finished:
                    successors[last].pop()
                elif after not in path:
                    path[after] = None
                else:
                    cycle = _end_of_path(path, after)
                    removed = [step for step in pairwise(cycle) if step in kept]
                    if not removed:
                        raise DependencyCycleError(cycle)
                    yield cycle
                    kept.difference_update(removed)
                    for before, _ in removed:
                        successors[before].pop()
                    while next(reversed(path)) != removed[0][0]:
                        path.popitem()


def _end_of_path(path: dict[str, None], first: str) -> list[str]:
    """Return the cycle from ``first`` to the end of the path and back."""
    cycle = [first]
    for name in reversed(path):
        cycle.append(name)
        if name == first:
            break
    return cycle[::-1]


def dependencies_by_successor(dependencies: Iterable[Dependency]) -> dict[str, list[Dependency]]:
    """Return the dependencies of each successor (id), in their order."""
    by_successor: dict[str, list[Dependency]] = {}
    for dependency in dependencies:
        by_successor.setdefault(dependency.after, []).append(dependency)
    return by_successor


def propagate(
    own: Mapping[str, Floats], planned: Mapping[str, PlannedTime], dependencies: Sequence[Dependency], now: float
) -> Propagated:
    """Delay each successor by its predecessors, as of ``now`` (days since 1970 UTC).

    ``own``: id -> completion moments without predecessors, float64[paths]. A dependency with a milestone that has no
    paths is ignored. Raises `DependencyCycleError`.
    """
    paths, deciding, delays = dict(own), {}, {}
    by_successor = dependencies_by_successor(dependencies)
    for name in topological_order(dependencies):
        incoming = [
            Predecessor(d, paths[d.before], planned[d.before]) for d in by_successor.get(name, ()) if d.before in own
        ]
        if name not in own or not incoming:
            continue
        paths[name], decider = delayed(own[name], planned[name], incoming, now)
        shares = {item.dependency.before: float(np.mean(decider == k)) for k, item in enumerate(incoming)}
        deciding[name] = {before: share for before, share in shares.items() if share > 0}
        delays[name] = mean_delay(own[name], paths[name])
    return Propagated(paths, deciding, delays)


def delayed(
    own: Floats, planned: PlannedTime, predecessors: Sequence[Predecessor], now: float
) -> tuple[Floats, NDArray[np.int64]]:
    """Return the completion moments after the predecessors, and the predecessor that sets each; -1: none."""
    latest, decider = own, np.full(len(own), -1)
    for k, predecessor in enumerate(predecessors):
        after = _delayed(own, predecessor, planned, now)
        decider[after > latest] = k
        latest = np.maximum(latest, after)
    return latest, decider


def mean_delay(own: Floats, delayed: Floats) -> float:
    """Return the mean days between completion moments, over the paths on which both are finite; 0 without any."""
    both = np.isfinite(own) & np.isfinite(delayed)
    return float(np.mean(delayed[both] - own[both])) if both.any() else 0.0


def _delayed(own: Floats, predecessor: Predecessor, planned: PlannedTime, now: float) -> Floats:
    """Return the completion moments of a successor with one predecessor."""
    dependency = predecessor.dependency
    ready = now + dependency.reach * (np.maximum(predecessor.paths, now) - now)
    expected = max(moment for moment in (predecessor.planned.due, planned.start, now) if not isnan(moment))
    return np.maximum(ready, own + dependency.share * np.maximum(ready - expected, 0.0))


def critical_chain(propagated: Propagated, last: str) -> list[str]:
    """Return the chain of ids that sets the date of ``last``: before each, the one that most often sets its date."""
    chain = [last]
    while propagated.deciding.get(chain[0]):
        shares = propagated.deciding[chain[0]]
        chain.insert(0, min(shares, key=lambda before: (-shares[before], before)))
    return chain
