"""One status update for each milestone on a project board, where it is asked for: edited in place, never a second one.

A new update notifies those who follow the board and pushes the others down; an edit does neither. Ours is what our own
account wrote **and** what carries a marker of this instance and milestone. What a person edited or took away stays so.
Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from sync.model.health import Status
from sync.model.tracker_data import Visibility
from sync.plan.desired import Desired, Plan, Skipped
from sync.tracker.actions import PostBoardUpdate
from sync.tracker.marker import Marker, MarkerKind, body_hash
from sync.tracker.observed import Board, BoardUpdate, StatusIssue

__all__ = ["ADOPT", "BOARD", "EDITED", "adopt_board_updates", "inherited", "plan_board_update", "remove_board_updates"]

BOARD: Mapping[Status, str] = {
    Status.ON_TRACK: "on_track",
    Status.AT_RISK: "at_risk",
    Status.OFF_TRACK: "off_track",
    Status.OVERDUE: "off_track",
    Status.DONE: "complete",
    Status.NO_DUE_DATE: "inactive",
    Status.UNKNOWN: "inactive",
}
"""A board's own word for each status; of what is not forecast a board can only say that it is inactive."""

EDITED = "a person edited its status update on the board, which stays"
ADOPT = "another account wrote its status update on the board; `milesync adopt` takes it over"


def plan_board_update(
    want: Desired, have: StatusIssue | None, instance: str
) -> tuple[tuple[PostBoardUpdate, ...], str]:
    """The writes on boards, and why one that is asked for is left out.

    A board that has not been read yet is planned for, so that it is read. The update leads to the status issue, so
    there is none before that.
    """
    if want.board is None or have is None:
        return (), ""
    boards = {one.name: one for one in have.boards}
    to: dict[str, Any] = {k: getattr(want, k) for k in ("milestone", "project", "project_key")} | {"issue": have.issue}
    away = [away for name, one in boards.items() if name != want.board for away in _away(one, to, instance)]
    if not want.board:
        return tuple(away), ""
    board = boards.get(want.board, Board(name=want.board))
    status, marked = BOARD[want.status], _marked(board, want.milestone, instance)
    wide = _too_wide(board, want, have)
    if wide and not board.why:
        return (*away, *_away(board, to, instance)), wide
    why = board.why
    if not why and not marked and _claimed(board, want.milestone, instance):
        why = ADOPT
    if why:
        return tuple(away), why
    text = Marker(
        instance=instance,
        kind=MarkerKind.BOARD,
        milestone=want.milestone,
        status=want.status,
        body=body_hash(want.board_update),
    ).encode()
    tell = {**to, "board": board.name, "status": status, "body": want.board_update, "marker": text}
    if not marked:
        return (*away, *(() if want.board in want.previous.boards else (PostBoardUpdate(**tell),))), ""
    (first, marker), *more = marked
    away += [
        PostBoardUpdate(**to, board=board.name, update=update.id) for update, old in more if not _edited(update, old)
    ]
    if _edited(first, marker):
        return tuple(away), EDITED
    if (marker.body, first.status) != (body_hash(want.board_update), status):
        away.append(PostBoardUpdate(**tell, update=first.id))
    return tuple(away), ""


def adopt_board_updates(want: Desired, have: StatusIssue, instance: str, accounts: Collection[str]) -> Plan:
    """Take away what these accounts posted for us before, then post anew: in this order, since whoever may not take it
    away leaves it at that, and what is lost in between is posted by the next run. What a person edited stays.
    """
    to = {k: getattr(want, k) for k in ("milestone", "project", "project_key")} | {"issue": have.issue}
    old = [
        (board.name, *pair)
        for board in have.boards
        for pair in _claimed(board, want.milestone, instance)
        if pair[0].author in accounts
    ]
    if not old:
        return Plan()
    if any(_edited(update, marker) for _, update, marker in old):
        return Plan(skipped=(Skipped(want.milestone, EDITED),))
    away = [PostBoardUpdate(**to, board=name, update=update.id) for name, update, _ in old]
    free = tuple(replace(board, claims=()) for board in have.boards)
    tell, unsaid = plan_board_update(
        replace(want, previous=replace(want.previous, boards=frozenset())), replace(have, boards=free), instance
    )
    return Plan(actions=(*away, *tell), skipped=(Skipped(want.milestone, unsaid),) if unsaid else ())


def inherited(issue: StatusIssue, milestone: str, instance: str) -> list[BoardUpdate]:
    """What other accounts posted for a milestone with our instance's marker."""
    return [update for board in issue.boards for update, _ in _claimed(board, milestone, instance)]


def remove_board_updates(issue: StatusIssue, to: Mapping[str, str], instance: str) -> Plan:
    """Take every update of ours off these boards, but for what a person edited; ``to`` says for which milestone."""
    away = [action for board in issue.boards for action in _away(board, {**to, "issue": issue.issue}, instance)]
    kept = sum(len(_marked(board, to["milestone"], instance)) for board in issue.boards) > len(away)
    return Plan(actions=tuple(away), skipped=(Skipped(to["milestone"], EDITED),) if kept else ())


def _away(board: Board, to: Mapping[str, str], instance: str) -> Iterator[PostBoardUpdate]:
    for update, marker in _marked(board, to["milestone"], instance):
        if not _edited(update, marker):
            yield PostBoardUpdate(**to, board=board.name, update=update.id)


def _too_wide(board: Board, want: Desired, have: StatusIssue) -> str:
    """A public board is read by everybody; so must be the milestone, and the status issue to which it would lead."""
    everybody = want.visibility is Visibility.PUBLIC and have.visibility is Visibility.PUBLIC
    return "" if everybody or not board.public else f"the board {board.name} is public, and the milestone is not"


def _marked(board: Board, milestone: str, instance: str) -> list[tuple[BoardUpdate, Marker]]:
    """Our updates for this milestone, the oldest first."""
    return sorted(_bearing(board.updates, milestone, instance), key=lambda pair: pair[0].created_at)


def _claimed(board: Board, milestone: str, instance: str) -> list[tuple[BoardUpdate, Marker]]:
    """Those of other accounts that bear the same marker."""
    return list(_bearing(board.claims, milestone, instance))


def _bearing(updates: Iterable[BoardUpdate], milestone: str, instance: str) -> Iterator[tuple[BoardUpdate, Marker]]:
    read = ((update, _of(update.marker, milestone, instance)) for update in updates)
    return ((update, marker) for update, marker in read if marker)


def _of(text: str, milestone: str, instance: str) -> Marker | None:
    marker = Marker.decode(text)
    mine = marker and (marker.instance, marker.milestone, marker.kind) == (instance, milestone, MarkerKind.BOARD)
    return marker if mine else None


def _edited(update: BoardUpdate, marker: Marker) -> bool:
    """Whether somebody changed its text, or the status beside it."""
    return body_hash(update.body) != marker.body or (
        marker.status is not None and update.status != BOARD[marker.status]
    )
