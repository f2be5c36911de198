"""Aims: the figures of a back-test that a release should reach, next to what it reaches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sync.backtest.milestone_dates import TOO_FEW

__all__ = ["SHORT_NAMES", "Aim", "aims_of"]

Result = Mapping[str, Any]
SHORT_NAMES: Mapping[str, str] = {"tau0": "all done", "tau10": "90% done"}
LEAST_SKILL = {"tau0": (0.125, 0.07, -0.02), "tau10": (0.158, 0.11, 0.0)}
"""Least skill, lower end of its interval, and lower end of that of the difference to the first pool."""


class Aim(NamedTuple):
    """A figure, and the range from ``low`` to ``high`` that it should be in; None: no such end, or no figure."""

    measure: str
    figure: float | None
    low: float | None = None
    high: float | None = None

    @property
    def is_reached(self) -> bool | None:
        """True if the figure is in its range; None without a figure."""
        if self.figure is None:
            return None
        return (self.low is None or self.figure >= self.low) and (self.high is None or self.figure <= self.high)


def aims_of(result: Result) -> list[Aim]:
    """Return the aims for the result of `sync.backtest.run.backtest`. Shares of too few dates have no figure."""
    labels, leftover, usual = result["labels"], result["leftover"], result["usual"]
    return [
        *_skills(result),
        Aim("left over: CRPS skill", leftover["crps_skill"], 0.20),
        Aim("no more than usual: skill", usual["bss"], 0.16),
        *_dates(result["milestone_dates"]),
        *_levers(result["levers"]),
        Aim("label changes over nine checks", labels["changes"], None, 0.30),
        Aim("label reversals", labels["reversals"], None, 0.07),
        Aim("done when due, of off track", labels["done_given_off_track"], None, 0.25),
    ]


def _skills(result: Result) -> Iterator[Aim]:
    for tau, name in SHORT_NAMES.items():
        pool, (skill, lower, paired) = result[tau]["pool"], LEAST_SKILL[tau]
        yield Aim(f"skill, {name}", pool["bss"], skill)
        yield Aim(f"… lower end of 95%, {name}", pool["bss_ci"][0], lower)
        yield Aim(f"… less first pool, lower end, {name}", result["detail"]["parts"][tau]["paired"]["ci"][0], paired)
        yield Aim(f"calibration error, {name}", pool["ece"], None, 0.04)


def _dates(figures: Result) -> Iterator[Aim]:
    levels = {"p50": 0.50, "p85": 0.85}
    widths = {(tau, level): 0.05 for tau in SHORT_NAMES for level in levels} | {("throughput", "p85"): 0.04}
    for (kind, level), width in widths.items():
        row, aim = figures[kind][level], levels[level]
        share = row["share"] if row["dates"] >= TOO_FEW else None
        yield Aim(f"{level.upper()} dates held, {SHORT_NAMES.get(kind, kind)}", share, aim - width, aim + width)


def _levers(figures: Result) -> Iterator[Aim]:
    for when, words in {"": "at once", "_quiet_day": "quiet day"}.items():
        for tau, name in SHORT_NAMES.items():
            rows = [figures[tau][kind] for kind in ("move", "cut", "both")]
            rows = [row for row in rows if row[f"within_5{when}"] is not None]
            count = sum(row["n"] for row in rows)
            share = sum(row["n"] * row[f"within_5{when}"] for row in rows) / count if count else None
            yield Aim(f"levers within 5 points {words}, {name}", share, 0.95)
