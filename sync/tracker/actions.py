"""The kinds of write: one struct for each kind of remote change, and `WRITE_KINDS`, the table of all that the core must
know about each kind.

A new kind needs a struct, an entry in `AnyAction` and a row in the table. Planner, limits, journal, engine and command
output read the table; none of them lists the kinds. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, Literal, TypeVar

from msgspec import Struct

from sync.tracker.attachment import AttachmentName
from sync.tracker.marker import Marker, MarkerKind
from sync.tracker.observed import StatusIssue

__all__ = [
    "WRITE_KINDS",
    "Action",
    "AnyAction",
    "Attach",
    "CloseIssue",
    "ContentRecord",
    "CreateComment",
    "CreateLabel",
    "CreateStatusIssue",
    "DeleteComment",
    "Detach",
    "LabelItem",
    "LimitGroup",
    "Lookup",
    "MarkStatusIssue",
    "MoveLabel",
    "OwnContent",
    "PostBoardUpdate",
    "Receipt",
    "RemoveLabel",
    "SetIssueState",
    "SetNativeHealth",
    "Sign",
    "UpdateComment",
    "UpdateDescription",
    "WriteKind",
    "is_text",
    "kind_of",
    "own_content_in",
]


class Action(Struct, frozen=True, kw_only=True, tag=True):
    """One remote change. Its tag and its fields are stored in saved plans and in the journal and must not change.

    ``milestone`` is the uid of the milestone that it serves, ``project`` a native id, ``project_key`` the path.
    """

    milestone: str
    project: str
    project_key: str


class Receipt(Struct, frozen=True, kw_only=True):
    """The result of a write. The journal stores it.

    ``id`` depends on the kind of write:

    ===================  ===========================================================================================
    comment              native id, also of a deleted comment
    board update, file   native id, also of a deleted one
    status issue         native id; empty if the answer was lost and the issue was found afterwards
    label                native id, or name; empty if the tracker returns neither
    other kinds          empty
    ===================  ===========================================================================================

    ``issue`` is the key of the issue; empty for a label of a project and for a description. ``loud``: the tracker had
    no way to suppress notifications of this write. ``dropped``: labels that a new status issue should have and that
    the tracker left out of its answer.
    """

    id: str = ""
    issue: str = ""
    loud: bool = False
    dropped: tuple[str, ...] = ()


# --- label and status issue ----------------------------------------------------------------------------------------


class CreateLabel(Action, frozen=True, kw_only=True, tag=True):
    """Create a label in the project, with a colour (six hex digits) and a description."""

    label: str
    colour: str
    description: str


class CreateStatusIssue(Action, frozen=True, kw_only=True, tag=True):
    """Create the status issue of a milestone: it carries label and comments. It is never put into the milestone."""

    title: str
    body: str
    marker: str
    labels: tuple[str, ...] = ()


class MoveLabel(Action, frozen=True, kw_only=True, tag=True):
    """Add one label and remove its siblings as a delta; never replace the whole set."""

    issue: str
    add: str
    remove: tuple[str, ...] = ()


class RemoveLabel(Action, frozen=True, kw_only=True, tag=True):
    """Remove labels from an issue; the project keeps the labels."""

    issue: str
    labels: tuple[str, ...]


class CloseIssue(Action, frozen=True, kw_only=True, tag=True):
    """Close a status issue that milesync created, in `retire`. A tracker whose workflow has no such transition
    refuses.
    """

    issue: str


class SetIssueState(Action, frozen=True, kw_only=True, tag=True):
    """Close a status issue that milesync created, because its milestone has ended, or reopen it.

    An issue that already has the state stays as it is.
    """

    issue: str
    closed: bool


class MarkStatusIssue(Action, frozen=True, kw_only=True, tag=True):
    """Replace our marker in the text of a status issue that milesync created, in `adopt` after a change of instance.

    The rest of the text stays.
    """

    issue: str
    marker: str


# --- comments ------------------------------------------------------------------------------------------------------


class CreateComment(Action, frozen=True, kw_only=True, tag=True):
    """Post a comment: the summary (``summary``, once), a transition, the closing comment or a reminder."""

    issue: str
    body: str
    marker: str
    summary: bool


class UpdateComment(Action, frozen=True, kw_only=True, tag=True):
    """Replace the text of a comment of ours, without a notification if the tracker allows to suppress it."""

    issue: str
    comment: str
    body: str
    marker: str


class DeleteComment(Action, frozen=True, kw_only=True, tag=True):
    """Delete a comment: a second summary, a reminder, or in `retire` every comment of ours.

    ``claimed``: a former account of ours wrote the comment. ``superseded``: an obsolete reminder. In
    both cases a refusal is no failure. ``summary``: the only summary of the milestone, which may be posted again later.
    """

    issue: str
    comment: str
    claimed: bool = False
    superseded: bool = False
    summary: bool = False


# --- optional kinds: written only if the configuration asks for them ------------------------------------------------


class LabelItem(Action, frozen=True, kw_only=True, tag="MarkItem"):
    """Add labels to an item of the milestone and remove others, as a delta.

    ``item`` is the native id, ``issue`` the key. ``touched`` (UTC) is the item's last change before ours; the store
    uses it so that our label does not make the item look active.
    """

    item: str
    issue: str
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    touched: datetime | None = None


class UpdateDescription(Action, frozen=True, kw_only=True, tag="Describe"):
    """Add our lines to the milestone's own description, replace them, or (``lines`` empty) remove them.

    ``native``, ``key`` and ``url`` identify the milestone. ``was`` is the mark (`sync.tracker.managed_block`) of the
    lines to replace; if the description has another mark, the connector refuses. The rest of the description stays.
    """

    native: str
    key: str
    url: str
    instance: str
    lines: str
    was: str = ""


class SetNativeHealth(Action, frozen=True, kw_only=True, tag="SetHealth"):
    """Set the tracker's own health status of the status issue.

    ``value`` is ``on_track``, ``needs_attention``, ``at_risk`` or empty for none.
    """

    issue: str
    value: str


class PostBoardUpdate(Action, frozen=True, kw_only=True, tag="TellBoard"):
    """Post a status update on a project board (``acme/7``), rewrite the one with id ``update``, or (``body`` empty)
    delete it. If the board has an update with the same marker already, nothing is posted.
    """

    issue: str
    board: str
    update: str = ""
    status: str = ""
    body: str = ""
    marker: str = ""


class Attach(Action, frozen=True, kw_only=True, tag=True):
    """Upload a picture (PNG) to an issue under the given name.

    ``again``: the picture replaces an earlier one, which a `Detach` removes afterwards. ``content`` is empty in plan
    and journal; the engine renders it immediately before the upload.
    """

    issue: str
    name: str
    again: bool = False
    content: bytes = b""


class Detach(Action, frozen=True, kw_only=True, tag=True):
    """Delete a file of ours (``file``: native id) from an issue; ``superseded``: a newer file replaces it."""

    issue: str
    file: str
    name: str
    superseded: bool = False


AnyAction = (
    CreateLabel
    | CreateStatusIssue
    | MoveLabel
    | RemoveLabel
    | LabelItem
    | UpdateDescription
    | SetNativeHealth
    | PostBoardUpdate
    | Attach
    | Detach
    | CreateComment
    | UpdateComment
    | DeleteComment
    | MarkStatusIssue
    | CloseIssue
    | SetIssueState
)
"""All kinds of write; the tag selects the type when a plan or the journal is decoded."""


# --- what the core knows about each kind ---------------------------------------------------------------------------

Sign = Literal["+", "~", "-"]
"""Added, changed, removed."""


class LimitGroup(StrEnum):
    """The limit that a write counts against."""

    CREATES = "creates"
    UPDATES = "updates"
    DELETES = "deletes"


class OwnContent(StrEnum):
    """Content that milesync creates in a tracker and must recognise later. The values are stored."""

    STATUS_ISSUE = "status_issue"
    SUMMARY = "summary"
    DESCRIPTION = "description"
    HEALTH = "health"
    BOARD = "board"
    PICTURE = "picture"


class ContentRecord(Struct, frozen=True, kw_only=True):
    """One piece of own content of a milestone.

    ``place`` distinguishes several pieces of one kind: the key of the status issue, the name of the board
    (``acme/7``), the stem of the attachment's name, or the value of the native health status. Empty: the milestone has
    one piece of this kind at most. ``project`` (native id) and ``url`` belong to a status issue.
    """

    kind: OwnContent
    place: str = ""
    project: str = ""
    url: str = ""


class Lookup(Struct, frozen=True):
    """An observation that was made because the answer to a write was lost.

    ``issue`` is the milestone's status issue, None without one. ``labels`` exist in the project. ``ignore_case``: the
    tracker ignores the case of labels.
    """

    issue: StatusIssue | None
    labels: frozenset[str]
    ignore_case: bool

    def folded(self, labels: Iterable[str]) -> set[str]:
        """Return labels in the form in which the tracker compares them."""
        return {label.lower() if self.ignore_case else label for label in labels}


A = TypeVar("A", bound=Action)


class WriteKind(Struct, Generic[A], frozen=True, kw_only=True):
    """One row of `WRITE_KINDS`."""

    describe: Callable[[A], tuple[Sign, str]]
    """Sign and words for the plan that people read."""
    limit_group: Callable[[A], LimitGroup] = lambda _: LimitGroup.UPDATES
    """The limit that the write counts against."""
    notifies: Callable[[A], bool] = lambda _: False
    """True if the tracker sends people a notification. `Receipt.loud` adds those that the tracker forces."""
    is_optional: Callable[[A], bool] = lambda _: False
    """True if the write needs rights that milesync can do without: a refusal is reported and is no failure."""
    is_observable: bool = True
    """The status issue shows the result, so the engine observes it before and after the write."""
    needs_picture: bool = False
    """The engine renders ``content`` immediately before the request. Neither plan nor journal hold the content."""
    boards: Callable[[A], tuple[str, ...]] = lambda _: ()
    """Project boards that must be observed to see the result."""
    find: Callable[[A, Lookup], Receipt | None] = lambda _action, _lookup: None
    """Return a receipt if the observation shows the result. None: not done, or the observation cannot show it."""
    created: Callable[[A, Receipt], ContentRecord | None] = lambda _action, _receipt: None
    """The own content that the write created."""
    removed: Callable[[A], ContentRecord | None] = lambda _: None
    """The own content that the write removed; an empty ``place`` means all places of its kind."""
    recognise: Callable[[StatusIssue, str, str], Iterable[ContentRecord]] = lambda _issue, _milestone, _instance: ()
    """The own content of this kind in a status issue, for a milestone (uid) and an instance (empty: any).

    So own content is known again after the loss of the database.
    """


def kind_of(action: Action) -> WriteKind[Any]:
    """Return the row of an action."""
    return WRITE_KINDS[type(action)]


def is_text(action: Action) -> bool:
    """Return whether a write creates a text that people are notified of: trackers may limit these by the hour."""
    kind = kind_of(action)
    return kind.limit_group(action) is LimitGroup.CREATES and kind.notifies(action)


def own_content_in(issue: StatusIssue, milestone: str, instance: str) -> list[ContentRecord]:
    """Return all own content of a milestone (uid) in its status issue; an empty ``instance`` means any instance."""
    return [record for kind in WRITE_KINDS.values() for record in kind.recognise(issue, milestone, instance)]


def _always(_action: Action) -> bool:
    return True


def _create(_action: Action) -> LimitGroup:
    return LimitGroup.CREATES


def _delete(action: DeleteComment | Detach) -> LimitGroup:
    """Return the limit of a deletion: replacing a superseded text or file is an update."""
    return LimitGroup.UPDATES if action.superseded else LimitGroup.DELETES


def _where(action: Any) -> str:
    return action.issue or "the new issue"


def _comment_kind(action: CreateComment | UpdateComment) -> str:
    """Return ``summary``, ``transition``, ``closing`` or ``reminder``."""
    marker = Marker.decode(action.marker)
    return marker.kind.value if marker else "summary"


def _find_comment(action: CreateComment | UpdateComment, lookup: Lookup) -> Receipt | None:
    """Find the comment with the same marker."""
    marker, issue = Marker.decode(action.marker), lookup.issue
    if marker is None or issue is None:
        return None
    same = [comment for comment in issue.comments if Marker.decode(comment.marker) == marker]
    return Receipt(id=same[0].id, issue=issue.issue) if same else None


def _is_own(text: str, kind: MarkerKind, milestone: str, instance: str) -> bool:
    marker = Marker.decode(text)
    if marker is None or (marker.kind, marker.milestone) != (kind, milestone):
        return False
    return instance in ("", marker.instance)


def _recognise_status_issue(issue: StatusIssue, milestone: str, instance: str) -> Iterable[ContentRecord]:
    if _is_own(issue.marker, MarkerKind.STATUS_ISSUE, milestone, instance):
        yield ContentRecord(kind=OwnContent.STATUS_ISSUE, place=issue.issue, url=issue.url)


def _recognise_summary(issue: StatusIssue, milestone: str, instance: str) -> Iterable[ContentRecord]:
    if any(_is_own(comment.marker, MarkerKind.SUMMARY, milestone, instance) for comment in issue.comments):
        yield ContentRecord(kind=OwnContent.SUMMARY)


def _find_moved_label(action: MoveLabel, lookup: Lookup) -> Receipt | None:
    if lookup.issue is None:
        return None
    labels = lookup.folded(lookup.issue.labels)
    is_moved = lookup.folded([action.add]) <= labels and labels.isdisjoint(lookup.folded(action.remove))
    return Receipt(issue=lookup.issue.issue) if is_moved else None


def _find_issue_state(action: SetIssueState, lookup: Lookup) -> Receipt | None:
    issue = lookup.issue
    return Receipt(issue=issue.issue) if issue is not None and issue.closed is action.closed else None


def _describe_status_issue(action: CreateStatusIssue) -> tuple[Sign, str]:
    noun = "label" if len(action.labels) == 1 else "labels"
    labels = f" with the {noun} {', '.join(action.labels)}" if action.labels else ""
    return "+", f"status issue “{action.title}”{labels}"


def _describe_item_labels(action: LabelItem) -> tuple[Sign, str]:
    parts = [f"label {', '.join(action.add)}"] if action.add else []
    parts += [f"remove {', '.join(action.remove)}"] if action.remove else []
    return "~", f"{', '.join(parts)} on {_where(action)}"


def _describe_description(action: UpdateDescription) -> tuple[Sign, str]:
    sign: Sign = "-" if not action.lines else "~" if action.was else "+"
    return sign, "our lines in the milestone's description"


def _describe_board_update(action: PostBoardUpdate) -> tuple[Sign, str]:
    sign: Sign = "-" if not action.body else "~" if action.update else "+"
    return sign, f"our status update on the board {action.board}"


def _board_limit_group(action: PostBoardUpdate) -> LimitGroup:
    if not action.body:
        return LimitGroup.DELETES
    return LimitGroup.UPDATES if action.update else LimitGroup.CREATES


def _find_board_update(action: PostBoardUpdate, lookup: Lookup) -> Receipt | None:
    """Find the posted update by its marker; a deleted one must be missing."""
    issue = lookup.issue
    board = next((board for board in (issue.boards if issue else ()) if board.name == action.board), None)
    if issue is None or board is None or board.why:
        return None
    if not action.body:
        is_deleted = all(update.id != action.update for update in (*board.updates, *board.claims))
        return Receipt(id=action.update, issue=issue.issue) if is_deleted else None
    same = [update for update in board.updates if update.marker == action.marker]
    return Receipt(id=same[0].id, issue=issue.issue) if same else None


def _recognise_board_updates(issue: StatusIssue, _milestone: str, instance: str) -> Iterable[ContentRecord]:
    for board in issue.boards:
        markers = [Marker.decode(update.marker) for update in board.updates]
        if any(marker is not None and instance in ("", marker.instance) for marker in markers):
            yield ContentRecord(kind=OwnContent.BOARD, place=board.name)


def _find_attached(action: Attach, lookup: Lookup) -> Receipt | None:
    """Find the file by its name; of several, the last one."""
    issue, name = lookup.issue, AttachmentName.read(action.name)
    if issue is None or issue.files is None:
        return None
    same = [attached for attached in issue.files.ours if AttachmentName.read(attached.name) == name]
    return Receipt(id=same[-1].id, issue=issue.issue) if same else None


def _find_detached(action: Detach, lookup: Lookup) -> Receipt | None:
    issue = lookup.issue
    if issue is None:
        return None
    is_deleted = all(attached.id != action.file for attached in (issue.files.ours if issue.files else ()))
    return Receipt(id=action.file, issue=issue.issue) if is_deleted else None


def _picture_record(action: Attach | Detach) -> ContentRecord | None:
    name = AttachmentName.read(action.name)
    return ContentRecord(kind=OwnContent.PICTURE, place=name.stem) if name else None


def _recognise_pictures(issue: StatusIssue, _milestone: str, _instance: str) -> Iterable[ContentRecord]:
    names = (AttachmentName.read(attached.name) for attached in (issue.files.ours if issue.files else ()))
    for stem in sorted({name.stem for name in names if name}):
        yield ContentRecord(kind=OwnContent.PICTURE, place=stem)


WRITE_KINDS: Mapping[type[Action], WriteKind[Any]] = {
    CreateLabel: WriteKind[CreateLabel](
        describe=lambda create: ("+", f"label {create.label}"),
        limit_group=_create,
        find=lambda create, lookup: (
            Receipt(id=create.label) if lookup.folded([create.label]) <= lookup.folded(lookup.labels) else None
        ),
    ),
    CreateStatusIssue: WriteKind[CreateStatusIssue](
        describe=_describe_status_issue,
        limit_group=_create,
        notifies=_always,
        find=lambda _, lookup: Receipt(issue=lookup.issue.issue) if lookup.issue else None,
        created=lambda create, receipt: ContentRecord(
            kind=OwnContent.STATUS_ISSUE, place=receipt.issue, project=create.project
        ),
        recognise=_recognise_status_issue,
    ),
    MoveLabel: WriteKind[MoveLabel](
        describe=lambda move: (
            "~",
            f"label {move.add} on {_where(move)}" + (f", remove {', '.join(move.remove)}" if move.remove else ""),
        ),
        find=_find_moved_label,
    ),
    RemoveLabel: WriteKind[RemoveLabel](
        describe=lambda remove: ("-", f"label {', '.join(remove.labels)} from {_where(remove)}"),
    ),
    MarkStatusIssue: WriteKind[MarkStatusIssue](
        describe=lambda mark: ("~", f"our marker in the status issue {_where(mark)}"),
        is_optional=_always,
        find=lambda mark, lookup: (
            Receipt(issue=lookup.issue.issue)
            if lookup.issue is not None and Marker.decode(lookup.issue.marker) == Marker.decode(mark.marker)
            else None
        ),
    ),
    CloseIssue: WriteKind[CloseIssue](
        describe=lambda close: ("-", f"status issue {_where(close)}, closed"),
        notifies=_always,
        is_optional=_always,
    ),
    SetIssueState: WriteKind[SetIssueState](
        describe=lambda change: ("~", f"status issue {_where(change)}, {'closed' if change.closed else 'reopened'}"),
        notifies=_always,
        is_optional=_always,
        find=_find_issue_state,
    ),
    CreateComment: WriteKind[CreateComment](
        describe=lambda create: ("+", f"{_comment_kind(create)} comment on {_where(create)}"),
        limit_group=_create,
        notifies=_always,
        find=_find_comment,
        created=lambda create, _: ContentRecord(kind=OwnContent.SUMMARY) if create.summary else None,
        recognise=_recognise_summary,
    ),
    UpdateComment: WriteKind[UpdateComment](
        describe=lambda update: ("~", f"{_comment_kind(update)} comment on {_where(update)}"),
        find=_find_comment,
    ),
    DeleteComment: WriteKind[DeleteComment](
        describe=lambda delete: (
            "-",
            f"{'the former account’s' if delete.claimed else 'our'} comment on {_where(delete)}",
        ),
        limit_group=_delete,
        is_optional=lambda delete: delete.claimed or delete.superseded,
        removed=lambda delete: ContentRecord(kind=OwnContent.SUMMARY) if delete.summary else None,
    ),
    LabelItem: WriteKind[LabelItem](describe=_describe_item_labels, is_observable=False),
    UpdateDescription: WriteKind[UpdateDescription](
        describe=_describe_description,
        is_optional=_always,
        is_observable=False,
        created=lambda _update, _receipt: ContentRecord(kind=OwnContent.DESCRIPTION),
    ),
    SetNativeHealth: WriteKind[SetNativeHealth](
        describe=lambda health: (
            "~",
            f"health status {health.value.replace('_', ' ') or 'none'} on {_where(health)}",
        ),
        is_optional=_always,
        find=lambda health, lookup: (
            Receipt(issue=lookup.issue.issue) if lookup.issue and lookup.issue.health == health.value else None
        ),
        created=lambda health, _: ContentRecord(kind=OwnContent.HEALTH, place=health.value),
        removed=lambda _: ContentRecord(kind=OwnContent.HEALTH),
    ),
    PostBoardUpdate: WriteKind[PostBoardUpdate](
        describe=_describe_board_update,
        limit_group=_board_limit_group,
        notifies=lambda post: not post.update,
        is_optional=_always,
        boards=lambda post: (post.board,),
        find=_find_board_update,
        created=lambda post, _: ContentRecord(kind=OwnContent.BOARD, place=post.board) if post.body else None,
        removed=lambda post: None if post.body else ContentRecord(kind=OwnContent.BOARD, place=post.board),
        recognise=_recognise_board_updates,
    ),
    Attach: WriteKind[Attach](
        describe=lambda attach: ("~" if attach.again else "+", f"our picture of the burn-up on {_where(attach)}"),
        limit_group=lambda attach: LimitGroup.UPDATES if attach.again else LimitGroup.CREATES,
        notifies=_always,
        is_optional=_always,
        needs_picture=True,
        find=_find_attached,
        created=lambda attach, _: _picture_record(attach),
        recognise=_recognise_pictures,
    ),
    Detach: WriteKind[Detach](
        describe=lambda detach: (
            "-",
            f"our {'former ' if detach.superseded else ''}picture of the burn-up on {_where(detach)}",
        ),
        limit_group=_delete,
        notifies=_always,
        is_optional=_always,
        find=_find_detached,
        removed=lambda detach: None if detach.superseded else _picture_record(detach),
    ),
}
"""One row for each kind of write."""
