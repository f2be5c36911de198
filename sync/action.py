"""What stands in a tracker and the changes that can be made to it: values that plan, connector and store share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field

from sync.model import Visibility

__all__ = [
    "Action",
    "CreateComment",
    "CreateLabel",
    "CreateStatusIssue",
    "DeleteComment",
    "MoveLabel",
    "Observed",
    "OurComment",
    "Receipt",
    "StatusIssue",
    "Target",
    "UpdateComment",
]

# --- what is observed ------------------------------------------------------------------------------------------


class Target(Struct, frozen=True, kw_only=True):
    """A milestone whose status issue is to be observed; ``issue`` is its key there, empty when not known yet."""

    milestone: str
    project: str
    project_key: str
    issue: str = ""


class OurComment(Struct, frozen=True, kw_only=True):
    """A comment that we wrote: its author is us **and** it carries a marker of milesync (of any instance)."""

    id: str
    marker: str
    body: str
    created_at: datetime
    updated_at: datetime


class StatusIssue(Struct, frozen=True, kw_only=True):
    """A status issue as it stands: fresh labels and our comments, from every page of the thread.

    ``marker`` is the one in the issue itself, when milesync created it; empty for one that a person named.
    """

    issue: str
    url: str
    closed: bool
    labels: tuple[str, ...]
    comments: tuple[OurComment, ...]
    marker: str = ""
    visibility: Visibility = Visibility.PROJECT


class Observed(Struct, frozen=True, kw_only=True):
    """What `Connector.observe` saw, by milestone uid. A target without an entry in either has no status issue.

    ``labels`` are the names of the labels that exist in each project (by id), where a tracker needs them created.
    """

    issues: Mapping[str, StatusIssue] = field(default_factory=dict)
    failed: Mapping[str, Exception] = field(default_factory=dict)
    labels: Mapping[str, frozenset[str]] = field(default_factory=dict)


# --- writing: each action is exactly one remote change -----------------------------------------------------------


class Action(Struct, frozen=True, kw_only=True, tag=True):
    """One remote change. ``milestone`` is the uid it serves; ``project`` a native id, ``project_key`` its path."""

    milestone: str
    project: str
    project_key: str


class CreateLabel(Action, frozen=True, kw_only=True, tag=True):
    """Make a label known to the project, with a colour (six hex digits) and a description."""

    label: str
    colour: str
    description: str


class CreateStatusIssue(Action, frozen=True, kw_only=True, tag=True):
    """Open the issue that carries a milestone's label and comments. It is never put into the milestone."""

    title: str
    body: str
    marker: str
    labels: tuple[str, ...] = ()


class MoveLabel(Action, frozen=True, kw_only=True, tag=True):
    """Add one label and remove its siblings as a delta; never replace the whole set."""

    issue: str
    add: str
    remove: tuple[str, ...] = ()


class CreateComment(Action, frozen=True, kw_only=True, tag=True):
    """Post a comment: the summary (once) or a transition."""

    issue: str
    body: str
    marker: str
    summary: bool


class UpdateComment(Action, frozen=True, kw_only=True, tag=True):
    """Rewrite the summary in place, without notifying where the tracker allows to ask for that."""

    issue: str
    comment: str
    body: str
    marker: str


class DeleteComment(Action, frozen=True, kw_only=True, tag=True):
    """Take away a second copy of our own summary."""

    issue: str
    comment: str


class Receipt(Struct, frozen=True, kw_only=True):
    """What a write made: the native id of the comment or label, the key of the issue."""

    id: str = ""
    issue: str = ""
