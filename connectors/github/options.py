"""Options of a connection of type ``github``: its table ``options`` in the configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from connectors.shared.deletion_sweep import DAYS
from sync.model.settings import ConnectorOptions, SettingError, setting

__all__ = ["READS_PER_MINUTE", "Options"]

READS_PER_MINUTE = 800
"""GitHub allows 900 REST points a minute, one for each read."""

_BOARD = re.compile(r"[^/\s]+/[1-9][0-9]*")
_ISSUE = re.compile(r"[^/\s]+/[^/\s#]+#[1-9][0-9]*")


@dataclass(frozen=True, kw_only=True)
class Options(ConnectorOptions):
    """Options of GitHub."""

    sweep_days: float = setting(DAYS, "days between two searches for deleted issues; 0: at each pull", ge=0)
    requests_a_minute: int = setting(READS_PER_MINUTE, "most requests that begin within a minute; 0: any number", ge=0)
    containers: tuple[Literal["milestones", "iterations", "target dates", "parents"], ...] = setting(
        ("milestones",), "what is a milestone"
    )
    boards: tuple[str, ...] = setting(
        (), "boards (Projects) with iterations or target dates, as in their addresses: `acme/7`"
    )
    board_homes: Mapping[str, str] | None = setting(
        None,
        'repository of a board\'s milestones, by board: `{ "acme/7" = "acme/app" }`; '
        "none: the first configured one with items on the board, of a private board the first private one; "
        "`*`: the first one, public or not",
    )
    iteration_field: str = setting("", "name of the boards' iteration field; none: the only one of the board")
    date_field: str = setting("Target date", "name of the boards' column and the issues' field with target dates")
    parents: tuple[str, ...] = setting(
        (), "issues with sub-issues that are milestones also without a due date: `acme/app#45`"
    )
    issue_fields: bool = setting(
        False, "read an organisation's issue fields: an issue's due date from `date_field`, points from `effort_field`"
    )
    effort_field: str = setting("Effort", "name of the issue field with the effort")

    def __post_init__(self) -> None:
        """Check that the options fit together. Raises `SettingError`, which says what to write."""
        if not all(map(_BOARD.fullmatch, self.boards)):
            raise SettingError("boards", "should be OWNER/NUMBER, as in a board's address: acme/7")
        if not all(map(_ISSUE.fullmatch, self.parents)):
            raise SettingError("parents", "should be OWNER/REPOSITORY#NUMBER: acme/app#45")
        has_board_kinds = not {"iterations", "target dates"}.isdisjoint(self.containers)
        if has_board_kinds and not self.boards:
            raise SettingError("boards", "should name the boards of iterations and target dates: acme/7")
        if self.boards and not has_board_kinds:
            raise SettingError("containers", "should have iterations or target dates, as boards are named")
        if self.parents and "parents" not in self.containers:
            raise SettingError("containers", "should have parents, as parents are named")
        if not set(self.board_homes or ()) <= set(self.boards):
            raise SettingError("board_homes", "should name only boards that are in boards")
