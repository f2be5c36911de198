"""Preflight: what a connector can find out about token and projects before the first write, by reading only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable

from msgspec import Struct, field

from sync.tracker.errors import TrackerError


class Need(StrEnum):
    """The lowest policy that needs a right; ``read`` is needed under every policy."""

    READ = "read"
    UPDATE = "update"
    CREATE = "create"


class Right(Struct, frozen=True, kw_only=True):
    """A right in one project, in the tracker's own words (``Issues: write``). ``held`` None: not known."""

    project: str
    name: str
    need: Need
    held: bool | None


class Obstacle(Struct, frozen=True, kw_only=True):
    """A problem in a project that would make writes fail, other than a missing right; ``remedy`` is what to do.

    ``is_optional``: without these writes everything else works.
    """

    project: str
    words: str
    need: Need
    remedy: str = ""
    is_optional: bool = False


class Trigger(Struct, frozen=True, kw_only=True):
    """Something in a project that our writes would start: ``the webhook to example.org (issues)``; never a secret."""

    project: str
    words: str


class Unread(Struct, frozen=True, kw_only=True):
    """A part of a project (empty: of the token itself) that this token may not see, so that it is not examined.

    ``remedy``: what to do if it should be seen; empty if nothing is lost without it.
    """

    project: str
    what: str
    remedy: str = ""


def unread_roles(project: str, remedy: str) -> Unread:
    """Return the finding that the token may not see who has write access, so that commands have no effect."""
    return Unread(project=project, what="who has write access, so /milesync commands are ignored", remedy=remedy)


class Limitation(Struct, frozen=True, kw_only=True):
    """A loss that comes with the server's version: ``this server has no issue types``.

    ``remedy``: what to do about it, such as the version that has them.
    """

    words: str
    remedy: str = ""


class RequestBudget(Struct, frozen=True, kw_only=True):
    """The rest of a rate limit, in requests or points; ``resets`` is in UTC, None if the tracker does not say."""

    name: str
    limit: int
    left: int
    resets: datetime | None = None


class Examination(Struct, frozen=True, kw_only=True):
    """The result of an examination of token and projects.

    ``expires`` is in UTC; None for a token that never expires, or with ``"expiry"`` in `unread`. ``scopes`` None: this
    kind of token has no scopes. ``ahead`` is the lead of the tracker's clock over ours, to the second. ``server`` and
    ``sdk`` are names with versions, and ``limitations`` are the losses with the server's version. ``failed`` maps a
    project's path in the configuration to the error that ended its examination. ``states`` are the names of the states
    of all workflows, as far as they were asked for.
    """

    account: str = ""
    expires: datetime | None = None
    scopes: tuple[str, ...] | None = None
    ahead: timedelta | None = None
    server: str = ""
    sdk: str = ""
    limitations: tuple[Limitation, ...] = ()
    budgets: tuple[RequestBudget, ...] = ()
    rights: tuple[Right, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    unread: tuple[Unread, ...] = ()
    failed: Mapping[str, TrackerError] = field(default_factory=dict)
    states: tuple[str, ...] = ()


@runtime_checkable
class Limited(Protocol):
    """Optional part of a connector: the losses with the server's version that earlier pulls met, without a request."""

    def known_limitations(self, cursors: Mapping[str, str]) -> tuple[Limitation, ...]:
        """Return the losses that the pulls met which left these cursors (by project id)."""
        ...


@runtime_checkable
class Examiner(Protocol):
    """Optional part of a connector: find out by reading only which requests would fail."""

    def examine(self, projects: Sequence[str]) -> Examination:
        """Examine the token and these projects (paths). A failure of the whole connection is raised."""
        ...
