"""Figures of the back-test as the page about the forecast shows them: blocks of what the command prints.

``MILESYNC_GOLDEN=1`` with `tests/e2e/test_backtest.py` writes the blocks of the page again; its sentences have no
figures of their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from io import StringIO
from typing import Any

from rich.console import Console

from sync.cli import backtest_tables

__all__ = ["page_blocks", "printed_blocks", "with_blocks"]

TITLES = (
    "All items done when due",
    "At least 90%",
    "Throughput dates:",
    "Dates as shown:",
    "Left over",
    "Levers taken",
    "Skill of the pool",
    "Excess of P",
    "Skill with hindsight",
    "Labels at",
    "Aims of",
)
"""First words of each part that the command prints."""

BLOCKS = (
    ("All items done when due", "At least 90%"),
    ("Labels at",),
    ("Dates as shown:",),
    ("Left over",),
    ("Levers taken",),
    ("Skill of the pool",),
    ("Excess of P",),
    ("Aims of",),
    ("Skill with hindsight",),
)
"""Parts of the page's blocks, in its order."""

_ROWS = "Jira-like|90-day|Gamma|Monte Carlo, days|… (Platt|mixed)|our simulation|item survival|reference class|pool, "
LEFT_OUT = re.compile(f"^ ({_ROWS})")
"""Rows that the page leaves out."""

_FENCE = re.compile(r"```text\n(.*?)```", re.DOTALL)


def printed_blocks(result: Mapping[str, Any]) -> list[str]:
    """Return the blocks of the page for a result of the back-test."""
    written = StringIO()
    backtest_tables.render(result, Console(file=written, width=100))
    parts: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in written.getvalue().splitlines():
        title = next((title for title in TITLES if line.startswith(title)), None)
        if title is not None:
            lines = parts[title] = []
        if not LEFT_OUT.match(line):
            lines.append(line.rstrip())
    return ["\n\n".join("\n".join(parts[title]).strip() for title in titles) + "\n" for titles in BLOCKS]


def page_blocks(page: str) -> list[str]:
    """Return the blocks that the page has."""
    return _FENCE.findall(page)


def with_blocks(page: str, blocks: list[str]) -> str:
    """Return the page with other blocks."""
    given = iter(blocks)
    return _FENCE.sub(lambda _: f"```text\n{next(given)}```", page)
