"""Plan one status update for each milestone on a project board, if the configuration asks for it. Pure.

A new update notifies the followers of the board and moves older updates down; an edit does neither, so the update is
edited in place. An update is ours if our account wrote it **and** it carries a marker of this instance and
milestone. An update that a person edited stays; one that a person deleted is not posted again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from sync.model.health import Status
from sync.model.tracker_data import Visibility
from sync.plan.desired import Desired, Plan, Skipped
from sync.plan.inputs import PlannerInput, RetirementInput
from sync.tracker.actions import PostBoardUpdate
from sync.tracker.marker import Marker, MarkerKind, body_hash
from sync.tracker.observed import Board, BoardUpdate, StatusIssue

if TYPE_CHECKING:
    from sync.assess.milestone import AssessedMilestone

__all__ = [
    "ADOPT",
    "BOARD",
    "EDITED",
    "adopt_board_updates",
    "board_for",
    "claimed_updates",
    "plan_board_update",
    "remove_board_updates",
    "retire_board_updates",
]

BOARD: Mapping[Status, str] = {
    Status.ON_TRACK: "on_track",
    Status.AT_RISK: "at_risk",
    Status.OFF_TRACK: "off_track",
    Status.OVERDUE: "off_track",
    Status.DONE: "complete",
    Status.ENDED: "inactive",
    Status.NO_DUE_DATE: "inactive",
    Status.UNKNOWN: "inactive",
}
"""The board's own status for each status; a board has only ``inactive`` for a milestone without a forecast, and
for a milestone that ended with open work."""

EDITED = "a person edited its status update on the board, which stays"
ADOPT = "another account wrote its status update on the board; `milesync adopt` takes it over"

_Marked = list[tuple[BoardUpdate, Marker]]
"""Updates with their markers."""


def board_for(milestone: AssessedMilestone) -> str | None:
    """Return the name of the project board for a status update; empty for none, None when the tracker has no boards."""
    capabilities = milestone.connection.connector.capabilities
    return (
        milestone.connection.optional_outputs_of(milestone.project.key).project_status if capabilities.boards else None
    )


def plan_board_update(state: PlannerInput) -> tuple[tuple[PostBoardUpdate, ...], str]:
    """Return the writes on boards, and the reason if an update that is asked for is left out.

    The update links to the status issue, so there is none before the status issue exists. An update is planned for a
    board that was not observed yet; the engine then observes the board.
    """
    want, issue = state.desired, state.issue
    if want.board is None or issue is None:
        return (), ""
    address, instance = state.address | {"issue": issue.issue}, state.instance
    boards = {board.name: board for board in issue.boards}
    others = [board for name, board in boards.items() if name != want.board]
    removals = [removal for board in others for removal in _removals(board, address, instance)]
    if not want.board:
        return tuple(removals), ""
    board = boards.get(want.board, Board(name=want.board))
    if board.why:
        return tuple(removals), board.why
    too_public = _too_public(board, want, issue)
    if too_public:
        return (*removals, *_removals(board, address, instance)), too_public
    marked = _marked(board, want.milestone, instance)
    if not marked and _claimed(board, want.milestone, instance):
        return tuple(removals), ADOPT
    writes, reason = _update_board(state, address, board, marked)
    return (*removals, *writes), reason


def _update_board(
    state: PlannerInput, address: Mapping[str, Any], board: Board, marked: _Marked
) -> tuple[list[PostBoardUpdate], str]:
    """Return the writes on the wanted board: post the first update, or edit the oldest and delete the others."""
    want, status, body_digest = state.desired, BOARD[state.desired.status], body_hash(state.desired.board_update)
    marker = Marker(
        instance=state.instance,
        kind=MarkerKind.BOARD,
        milestone=want.milestone,
        status=want.status,
        body=body_digest,
    )
    post = PostBoardUpdate(**address, board=board.name, status=status, body=want.board_update, marker=marker.encode())
    if not marked:
        return ([] if want.board in want.previous.boards else [post]), ""
    (first, first_marker), *duplicates = marked
    writes = [
        PostBoardUpdate(**address, board=board.name, update=update.id)
        for update, old_marker in duplicates
        if not _is_edited(update, old_marker)
    ]
    if _is_edited(first, first_marker):
        return writes, EDITED
    if (first_marker.body, first.status) != (body_digest, status):
        writes.append(replace(post, update=first.id))
    return writes, ""


def adopt_board_updates(state: PlannerInput, accounts: Collection[str]) -> Plan:
    """Return the plan that replaces the updates of our former accounts.

    The old update is deleted first: if the tracker refuses, nothing is posted, and an update that is missing in between
    is posted by the next run. An update that a person edited stays.
    """
    want, issue = state.desired, state.issue
    old = [
        (board.name, update, marker)
        for board in (issue.boards if issue else ())
        for update, marker in _claimed(board, want.milestone, state.instance)
        if update.author in accounts
    ]
    if issue is None or not old:
        return Plan()
    if any(_is_edited(update, marker) for _, update, marker in old):
        return Plan(skipped=(Skipped(want.milestone, EDITED),))
    address = state.address | {"issue": issue.issue}
    removals = [PostBoardUpdate(**address, board=name, update=update.id) for name, update, _ in old]
    unclaimed = replace(issue, boards=tuple(replace(board, claims=()) for board in issue.boards))
    unposted = replace(want, previous=replace(want.previous, boards=frozenset()))
    posts, reason = plan_board_update(replace(state, desired=unposted, issue=unclaimed))
    return Plan(actions=(*removals, *posts), skipped=(Skipped(want.milestone, reason),) if reason else ())


def claimed_updates(issue: StatusIssue, milestone: str, instance: str) -> list[BoardUpdate]:
    """Return the updates of other accounts that carry our instance's marker of the milestone."""
    return [update for board in issue.boards for update, _ in _claimed(board, milestone, instance)]


def remove_board_updates(issue: StatusIssue, address: Mapping[str, str], instance: str) -> Plan:
    """Return the plan that deletes our updates, except those that a person edited.

    ``address`` holds the milestone's fields of an action.
    """
    fields = {**address, "issue": issue.issue}
    removals = [removal for board in issue.boards for removal in _removals(board, fields, instance)]
    kept = sum(len(_marked(board, address["milestone"], instance)) for board in issue.boards) > len(removals)
    return Plan(actions=tuple(removals), skipped=(Skipped(address["milestone"], EDITED),) if kept else ())


def retire_board_updates(retirement: RetirementInput) -> Iterator[Plan]:
    """Yield the plans that delete our updates, except those that a person edited."""
    for _, issue, address in retirement.status_issues():
        yield remove_board_updates(issue, address, retirement.instance)


def _removals(board: Board, address: Mapping[str, Any], instance: str) -> Iterator[PostBoardUpdate]:
    for update, marker in _marked(board, address["milestone"], instance):
        if not _is_edited(update, marker):
            yield PostBoardUpdate(**address, board=board.name, update=update.id)


def _too_public(board: Board, want: Desired, issue: StatusIssue) -> str:
    """Return the reason if everybody may read the board, but not the milestone or its status issue; else empty."""
    is_public = want.visibility is Visibility.PUBLIC and issue.visibility is Visibility.PUBLIC
    return "" if is_public or not board.public else f"the board {board.name} is public, and the milestone is not"


def _marked(board: Board, milestone: str, instance: str) -> _Marked:
    """Return our updates for this milestone, oldest first."""
    return sorted(_with_marker(board.updates, milestone, instance), key=lambda pair: pair[0].created_at)


def _claimed(board: Board, milestone: str, instance: str) -> _Marked:
    """Return the updates of other accounts with the same marker."""
    return list(_with_marker(board.claims, milestone, instance))


def _with_marker(updates: Iterable[BoardUpdate], milestone: str, instance: str) -> Iterator[tuple[BoardUpdate, Marker]]:
    for update in updates:
        marker = Marker.decode(update.marker)
        wanted = (instance, milestone, MarkerKind.BOARD)
        if marker is not None and (marker.instance, marker.milestone, marker.kind) == wanted:
            yield update, marker


def _is_edited(update: BoardUpdate, marker: Marker) -> bool:
    """Return whether a person has changed the update's text or status."""
    return body_hash(update.body) != marker.body or (
        marker.status is not None and update.status != BOARD[marker.status]
    )
