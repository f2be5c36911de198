"""preflight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable

from msgspec import Struct, field

from sync.tracker.errors import TrackerError


class Need(StrEnum):
    """The least policy under which something is needed; ``read`` is under every one."""

    READ = "read"
    UPDATE = "update"
    CREATE = "create"


class Right(Struct, frozen=True, kw_only=True):
    """A right in one project, in the tracker's own words (``Issues: write``). ``held`` None: it does not tell."""

    project: str
    name: str
    need: Need
    held: bool | None


class Obstacle(Struct, frozen=True, kw_only=True):
    """Something other than a missing right that would make our work fail in a project, and what helps."""

    project: str
    words: str
    need: Need
    remedy: str = ""


class Trigger(Struct, frozen=True, kw_only=True):
    """Something in a project that our writes would set off: ``the webhook to example.org (issues)``; never a secret."""

    project: str
    words: str


class Unread(Struct, frozen=True, kw_only=True):
    """What this token may not see of a project (empty: of itself), so that nothing can be said about it."""

    project: str
    what: str


class RequestBudget(Struct, frozen=True, kw_only=True):
    """What is left of a rate limit, in requests or points; ``resets`` in UTC, None when it is not told."""

    name: str
    limit: int
    left: int
    resets: datetime | None = None


class Examination(Struct, frozen=True, kw_only=True):
    """What a tracker tells about this token and these projects without being changed.

    ``expires`` is in UTC; None with ``"expiry"`` in `unread`, or for a token that never does. ``scopes`` None: the kind
    of token has none. ``ahead`` is how far the tracker's clock is before ours, to the second. ``server`` and ``sdk``
    are names with versions. ``failed`` maps a project, as configured, to the error that ended its examination.
    """

    account: str = ""
    expires: datetime | None = None
    scopes: tuple[str, ...] | None = None
    ahead: timedelta | None = None
    server: str = ""
    sdk: str = ""
    budgets: tuple[RequestBudget, ...] = ()
    rights: tuple[Right, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    unread: tuple[Unread, ...] = ()
    failed: Mapping[str, TrackerError] = field(default_factory=dict)


@runtime_checkable
class Examiner(Protocol):
    """What a connector may also be able to do: tell what would fail, by reading only."""

    def examine(self, projects: Sequence[str]) -> Examination:
        """Examine the token and these projects, as configured. A failure of the whole connection is raised."""
        ...
