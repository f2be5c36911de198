"""Milestones that wait for other milestones: what a late predecessor does to those behind it, path by path.

On each path a milestone is late by a number of days: those between the moment when its successors were meant to go on
(its due date, the successor's start, or now, whichever is last) and its completion. A successor is done by so much
later, and never before what it waits for. So whole distributions are added, with their chances of being early, not
85 % dates to 85 % dates, which would be too late; and being in time costs nothing.

A dependency that comes from blocked issues weighs less than one that people wrote down: it waits for the last of ``k``
blocking issues, not for the whole predecessor, and only the blocked share of the successor is moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sync.model.errors import DependencyCycleError

__all__ = [
    "Dependency",
    "PlannedTime",
    "Propagated",
    "acyclic",
    "blocking",
    "critical",
    "mean_delay",
    "order",
    "propagate",
]

Floats = NDArray[np.float64]


class Dependency(Struct, frozen=True, kw_only=True):
    """``after`` waits for ``before`` (ids). ``issues``: how many blocked issues say so; 0: the configuration does.

    ``reach``: the share of the predecessor's remaining time after which what is waited for is done, on average;
    ``share``: the share of the successor that waits.
    """

    before: str
    after: str
    reach: float = 1.0
    share: float = 1.0
    issues: int = 0


class PlannedTime(Struct, frozen=True):
    """When a milestone was meant to begin and to be done, in days since 1970; NaN where nobody said."""

    start: float
    due: float


class Propagated(Struct, frozen=True):
    """What became of the paths. ``paths``: id -> completion moments, with what each waits for taken into account.

    ``held``: successor -> predecessor -> the share of paths on which that one sets the successor's date. ``cost``:
    successor -> the days that it loses, on average over the paths on which it is done at all.
    """

    paths: Mapping[str, Floats]
    held: Mapping[str, Mapping[str, float]]
    cost: Mapping[str, float]


def blocking(before: str, after: str, *, blockers: int, of: int, blocked: int, waiting_of: int) -> Dependency:
    """A dependency from links: ``blockers`` of ``of`` open issues block ``blocked`` of ``waiting_of`` open issues.

    The last of k of n issues, done one after the other, comes on average after k (n + 1) / ((k + 1) n) of their time.
    """
    reach = blockers * (of + 1) / ((blockers + 1) * of)
    return Dependency(before=before, after=after, reach=reach, share=blocked / waiting_of, issues=blocked)


def order(dependencies: Iterable[Dependency]) -> list[str]:
    """The ids that depend on each other, each behind all it waits for. Raises `DependencyCycleError`."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for dependency in sorted(dependencies, key=lambda d: (d.after, d.before)):
        sorter.add(dependency.after, dependency.before)
    try:
        return list(sorter.static_order())
    except CycleError as error:
        raise DependencyCycleError(error.args[1]) from None


def acyclic(
    firm: Sequence[Dependency], links: Sequence[Dependency]
) -> tuple[list[Dependency], list[DependencyCycleError]]:
    """All of ``firm``, with the links that close no circle, and the circles that were found.

    Issues of two milestones may well block each other; then neither milestone as a whole waits for the other. Raises
    `DependencyCycleError` where the firm ones alone make one.
    """
    loose, circles = list(links), []
    while True:
        try:
            order([*firm, *loose])
        except DependencyCycleError as circle:
            steps = set(zip(circle.ids, circle.ids[1:], strict=False))
            opened = [dependency for dependency in loose if (dependency.before, dependency.after) not in steps]
            if len(opened) == len(loose):
                raise
            loose = opened
            circles.append(circle)
        else:
            return [*firm, *loose], circles


def propagate(
    own: Mapping[str, Floats], spans: Mapping[str, PlannedTime], dependencies: Sequence[Dependency], now: float
) -> Propagated:
    """Move each successor by what it waits for. ``own``: id -> completion moments on their own, float64[paths].

    A dependency on or of a milestone without paths is left out. Raises `DependencyCycleError`.
    """
    paths, held, cost = dict(own), {}, {}
    for name in order(dependencies):
        into = [d for d in dependencies if d.after == name and d.before in own]
        if name not in own or not into:
            continue
        ways = np.stack([_way(own[name], paths[d.before], spans[d.before], spans[name], d, now) for d in into])
        paths[name] = np.maximum(ways.max(axis=0), own[name])
        setting = np.where((ways.max(axis=0) > own[name]), ways.argmax(axis=0), -1)
        shares = {d.before: float(np.mean(setting == k)) for k, d in enumerate(into)}
        held[name] = {before: share for before, share in shares.items() if share > 0}
        cost[name] = mean_delay(own[name], paths[name])
    return Propagated(paths, held, cost)


def mean_delay(own: Floats, moved: Floats) -> float:
    """The mean days between completion moments, where both come."""
    both = np.isfinite(own) & np.isfinite(moved)
    return float(np.mean(moved[both] - own[both])) if both.any() else 0.0


def _way(
    own: Floats, before: Floats, first: PlannedTime, second: PlannedTime, dependency: Dependency, now: float
) -> Floats:
    """When the successor is done, as far as one predecessor has a say."""
    waited = now + dependency.reach * (np.maximum(before, now) - now)
    meant = float(np.nanmax([first.due, second.start, now]))
    return np.maximum(waited, own + dependency.share * np.maximum(waited - meant, 0.0))


def critical(moved: Propagated, last: str) -> list[str]:
    """The chain that sets the date of ``last``: from there back, each time what most often sets the date."""
    chain = [last]
    while moved.held.get(chain[0]):
        waits = moved.held[chain[0]]
        chain.insert(0, min(waits, key=lambda before: (-waits[before], before)))
    return chain
