"""Values of an observation: the status issue of a milestone, with everything of ours on it. Stored as JSON."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from sync.model.tracker_data import Visibility


class Look(Struct, frozen=True, kw_only=True):
    """The last time (UTC) at which a status issue was read with its whole thread, and the fingerprint of both."""

    at: datetime
    content: str


class Target(Struct, frozen=True, kw_only=True):
    """A milestone (uid) whose status issue is to be observed; ``issue`` is the key of the issue, empty if unknown.

    ``instance`` limits the search to status issues that this instance created; empty: any instance. ``boards`` are the
    project boards (``acme/7``) that may have a status update of the milestone. ``attaching``: check whether files can
    be attached. ``former`` are the ids (uid) of the milestone in markers from an earlier address of the tracker.
    A text with our marker by one of ``ignored_accounts`` (logins, lower case) is no claim. ``last`` is the last
    observation, which a connector may return again if its `Look` shows that it still holds.
    """

    milestone: str
    project: str
    project_key: str
    issue: str = ""
    instance: str = ""
    boards: tuple[str, ...] = ()
    attaching: bool = False
    former: tuple[str, ...] = ()
    ignored_accounts: frozenset[str] = frozenset()
    last: StatusIssue | None = None

    @property
    def uids(self) -> tuple[str, ...]:
        """The ids by which a marker may name the milestone."""
        return (self.milestone, *self.former)

    def ignores(self, account: str) -> bool:
        """Return whether a text of this account with our marker is no claim."""
        return account.lower() in self.ignored_accounts


class OurComment(Struct, frozen=True, kw_only=True):
    """A comment of ours: our account is its author **and** it carries a marker of milesync (of any instance)."""

    id: str
    marker: str
    body: str
    created_at: datetime
    updated_at: datetime


class Claim(Struct, frozen=True, kw_only=True):
    """A comment, or (with ``issue``) an issue, of another account that carries a marker of milesync.

    It dates from before a change of token, or it is a forgery: milesync ignores it until a person runs `adopt`.
    """

    id: str
    author: str
    marker: str
    issue: str = ""
    body: str = ""


class CommandComment(Struct, frozen=True, kw_only=True):
    """A comment with commands; ``text`` holds only its lines that begin with ``/milesync``.

    ``may_write``: the author may write in the project; False if the tracker does not show it. Comments that not every
    reader of the issue may read are left out. ``at`` is the time of the last edit (UTC).
    """

    id: str
    author: str
    name: str
    may_write: bool
    at: datetime
    text: str


class BoardUpdate(Struct, frozen=True, kw_only=True):
    """A status update on a project board that carries a marker. It is ours if our account is its author.

    ``status`` is the board's own status in lower case (``on_track``), empty for none.
    """

    id: str
    status: str
    body: str
    marker: str
    created_at: datetime
    author: str = ""


class Board(Struct, frozen=True, kw_only=True):
    """A project board, by its written name (``acme/7``), with our updates for one milestone.

    ``public``: everybody may read the board. ``claims`` are updates of other accounts with our marker. ``why`` is the
    reason, in a few words, why the board cannot be used; empty if it can.
    """

    name: str
    public: bool = False
    updates: tuple[BoardUpdate, ...] = ()
    claims: tuple[BoardUpdate, ...] = ()
    why: str = ""


class Attached(Struct, frozen=True, kw_only=True):
    """A file on an issue that our account uploaded."""

    id: str
    name: str
    created_at: datetime


class Files(Struct, frozen=True, kw_only=True):
    """Our files on an issue. ``why`` is the reason why no file can be added; empty if one can, or without a check."""

    ours: tuple[Attached, ...] = ()
    why: str = ""


class StateChange(Struct, frozen=True, kw_only=True):
    """The last closing or reopening of an issue, ``at`` a time (UTC). ``by_us``: False if no account is known."""

    at: datetime
    by_us: bool


class StatusIssue(Struct, frozen=True, kw_only=True):
    """An observed status issue: labels, our comments and people's commands, from every page of the thread.

    ``marker`` is the marker in the issue itself if milesync created it; empty for an issue that a person named.
    ``asked`` are people's commands, ``claims`` comments of other accounts that carry a marker. ``health`` is the
    tracker's own health status: empty for none, None if the tracker has no health status. ``boards`` are the boards of
    the target. ``files`` are our files, None if the tracker has no attachments. ``state_change`` is None for an issue
    that was never closed, and may be None while no comment of ours says that we close it (`Marker.closes`).
    ``state_obstacle`` is the reason why we cannot close it, or reopen it if it is closed; empty if we can.
    ``is_open_to_commands``: False if the tracker does not show who may write in the project, so that commands of other
    accounts have no effect. ``look`` is for a connector that can find out whether anything changed since.
    """

    issue: str
    url: str
    closed: bool
    labels: tuple[str, ...]
    comments: tuple[OurComment, ...]
    marker: str = ""
    visibility: Visibility = Visibility.PROJECT
    asked: tuple[CommandComment, ...] = ()
    claims: tuple[Claim, ...] = ()
    health: str | None = None
    boards: tuple[Board, ...] = ()
    files: Files | None = None
    state_change: StateChange | None = None
    state_obstacle: str = ""
    is_open_to_commands: bool = True
    look: Look | None = None


class Observed(Struct, frozen=True, kw_only=True):
    """The result of `Connector.observe`, by milestone (uid).

    A target that is neither in ``issues`` nor in ``failed`` has no status issue. ``labels`` are the names of the labels
    in each project (by id), if the tracker needs labels created. ``claims`` are issues of other accounts that carry the
    marker of a milestone without a status issue of ours. ``closed_to_commands`` are milestones without a
    status issue, in whose project no status issue would be open to commands.
    """

    issues: Mapping[str, StatusIssue] = field(default_factory=dict)
    failed: Mapping[str, Exception] = field(default_factory=dict)
    labels: Mapping[str, frozenset[str]] = field(default_factory=dict)
    claims: Mapping[str, Claim] = field(default_factory=dict)
    closed_to_commands: frozenset[str] = frozenset()


def without_claims_of(observed: Observed, accounts: Collection[str]) -> Observed:
    """Return the observation without the claims of these accounts (logins, lower case)."""
    if not accounts:
        return observed
    issues = {uid: unclaimed_by(issue, accounts) for uid, issue in observed.issues.items()}
    claims = {uid: claim for uid, claim in observed.claims.items() if claim.author.lower() not in accounts}
    return replace(observed, issues=issues, claims=claims)


def unclaimed_by(issue: StatusIssue, accounts: Collection[str]) -> StatusIssue:
    """Return the status issue without the claims of these accounts (logins, lower case)."""
    if not accounts:
        return issue
    claims = tuple(claim for claim in issue.claims if claim.author.lower() not in accounts)
    boards = tuple(
        replace(board, claims=tuple(update for update in board.claims if update.author.lower() not in accounts))
        for board in issue.boards
    )
    return replace(issue, claims=claims, boards=boards)
