"""A status update on a project board: one for each milestone, never against a person, never too wide."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sync.model.health import Status
from sync.model.policy import Limits
from sync.model.tracker_data import Markup, Visibility
from sync.plan.board_status import ADOPT, BOARD, EDITED, plan_board_update, remove_board_updates
from sync.plan.desired import Plan, PreviousWrites
from sync.plan.fingerprint import fingerprint
from sync.plan.inputs import PlannerInput
from sync.plan.limits import over_limits
from sync.plan.ownership import adoption
from sync.tracker.actions import OwnContent, PostBoardUpdate, Receipt
from sync.tracker.observed import Board, BoardUpdate, Observed, StatusIssue
from sync.tracker.protocol import Capabilities
from tests.integration.test_engine import World
from tests.integration.test_managed_block import Describing
from tests.unit.test_reconcile import NOW, TARGET, UID, want

ISSUE = StatusIssue(issue="1", url="memory:1", closed=False, labels=(), comments=(), visibility=Visibility.PUBLIC)


class There:
    """A board that carries out every action."""

    def __init__(self, *, public: bool = False, name: str = "acme/7") -> None:
        self.board, self.told, self.n = Board(name=name, public=public), set[str](), 0

    def settle(
        self, status: Status = Status.AT_RISK, text: str = "", **fields: Any
    ) -> tuple[list[PostBoardUpdate], str]:
        """Plan and apply; return the actions and the reason for skipping."""
        values = {
            "board": "acme/7",
            "board_update": text or f"It is {status}",
            "previous": PreviousWrites(boards=frozenset(self.told)),
            "visibility": Visibility.PUBLIC,
            **fields,
        }
        have = msgspec.structs.replace(ISSUE, boards=(self.board,))
        made, why = plan_board_update(PlannerInput(want(status, **values), have, "acme", NOW))
        for action in made:
            self.do(action)
        return list(made), why

    def do(self, action: PostBoardUpdate) -> None:
        """Post, update or delete a status update."""
        kept = [update for update in self.board.updates if update.id != action.update]
        if action.body:
            self.n += 1
            self.told.add(action.board)
            kept.append(
                BoardUpdate(
                    id=action.update or str(self.n),
                    status=action.status,
                    body=action.body,
                    marker=action.marker,
                    created_at=NOW,
                )
            )
        else:
            self.told.discard(action.board)
        self.set(updates=tuple(kept))

    def set(self, **fields: Any) -> None:
        """Change the board."""
        self.board = msgspec.structs.replace(self.board, **fields)

    def edit(self, **fields: Any) -> None:
        """Edit the status update as a person."""
        self.set(updates=tuple(msgspec.structs.replace(update, **fields) for update in self.board.updates))


def test_it_is_posted_once_and_rewritten_in_place() -> None:
    there = There()
    (first,), _ = there.settle()
    assert (first.update, first.status, first.body) == ("", "at_risk", "It is at_risk")
    assert there.settle() == ([], "")
    (second,), _ = there.settle(Status.OVERDUE)
    assert (second.update, second.status) == ("1", "off_track")
    (third,), _ = there.settle(Status.OVERDUE, "It is later still")
    assert third.update == "1"
    assert len(there.board.updates) == 1


def test_every_status_has_a_word_on_the_board() -> None:
    assert BOARD.keys() == set(Status)


@pytest.mark.parametrize("change", [{"body": "I say otherwise"}, {"status": "on_track"}])
def test_an_edited_status_update_stays_and_is_reported(change: dict[str, str]) -> None:
    there = There()
    there.settle()
    there.edit(**change)
    assert there.settle(Status.OFF_TRACK) == ([], EDITED)
    assert there.settle(board="") == ([], "")
    have = msgspec.structs.replace(ISSUE, boards=(there.board,))
    to = {"milestone": UID, "project": TARGET.project, "project_key": TARGET.project_key}
    plan = remove_board_updates(have, to, "acme")
    assert (plan.actions, [skipped.why for skipped in plan.skipped]) == ((), [EDITED])


def test_a_status_update_deleted_by_a_person_is_not_posted_again() -> None:
    there = There()
    there.settle()
    there.set(updates=())
    assert there.settle(Status.OFF_TRACK) == ([], "")


def test_it_goes_when_it_is_not_asked_for_any_more_and_comes_again_when_it_is() -> None:
    there = There()
    there.settle()
    (gone,), _ = there.settle(board="")
    assert (gone.update, gone.body) == ("1", "")
    assert there.settle(board="") == ([], "")
    assert len(there.settle()[0]) == 1


def test_another_board_gets_its_own_and_the_first_is_cleared() -> None:
    there = There()
    there.settle()
    made, _ = there.settle(board="acme/8")
    assert [(action.board, action.update, bool(action.body)) for action in made] == [
        ("acme/7", "1", False),
        ("acme/8", "", True),
    ]


def test_of_two_the_older_is_kept() -> None:
    there = There()
    there.settle()
    (update,) = there.board.updates
    there.set(updates=(update, msgspec.structs.replace(update, id="9")))
    made, _ = there.settle()
    assert [(action.update, action.body) for action in made] == [("9", "")]


@pytest.mark.parametrize(
    ("milestone", "issue"),
    [
        (Visibility.PROJECT, Visibility.PUBLIC),
        (Visibility.UNKNOWN, Visibility.PUBLIC),
        (Visibility.PUBLIC, Visibility.PROJECT),
    ],
)
def test_a_public_board_shows_public_data_only(milestone: Visibility, issue: Visibility) -> None:
    board = Board(name="acme/7", public=True)
    have = msgspec.structs.replace(ISSUE, boards=(board,), visibility=issue)
    asked = want(board="acme/7", board_update="x", visibility=milestone)
    reason = "the board acme/7 is public, and the milestone is not"
    assert plan_board_update(PlannerInput(asked, have, "acme", NOW)) == ((), reason)
    private = msgspec.structs.replace(have, boards=(Board(name="acme/7"),))
    assert len(plan_board_update(PlannerInput(asked, private, "acme", NOW))[0]) == 1


def test_it_goes_from_a_board_that_became_public() -> None:
    there = There()
    there.settle(visibility=Visibility.PROJECT)
    there.set(public=True)
    (gone,), why = there.settle(visibility=Visibility.PROJECT)
    assert (gone.update, gone.body) == ("1", "")
    assert why == "the board acme/7 is public, and the milestone is not"
    assert there.settle(visibility=Visibility.PROJECT) == ([], why)


def test_an_unusable_board_is_reported_and_another_accounts_text_stays() -> None:
    there = There()
    there.set(why="the board acme/7 is not there")
    assert there.settle() == ([], "the board acme/7 is not there")
    there.set(why="")
    (made,), _ = there.settle()
    assert made.body
    there.set(updates=(), claims=there.board.updates)
    assert there.settle() == ([], ADOPT)


def left_by(author: str) -> tuple[There, BoardUpdate]:
    """A board with an update that we wrote with another account's token."""
    there = There()
    there.settle()
    (ours,) = there.board.updates
    theirs = msgspec.structs.replace(ours, id="77", author=author)
    there.set(updates=(), claims=(theirs,))
    return there, theirs


def adopted(there: There, accounts: tuple[str, ...] = ("former",), **fields: Any) -> Plan:
    have = msgspec.structs.replace(ISSUE, boards=(there.board,))
    asked = {
        "board": "acme/7",
        "board_update": "It is at_risk",
        "previous": PreviousWrites(boards=frozenset({"acme/7"})),
    }
    wanted = want(Status.AT_RISK, **(asked | {"visibility": Visibility.PUBLIC} | fields))
    seen = Observed(issues={UID: have})
    return adoption([wanted], seen, instance="acme", now=NOW, accounts=accounts)


def told(plan: Plan) -> list[tuple[str, bool]]:
    return [(action.update, bool(action.body)) for action in plan.actions if isinstance(action, PostBoardUpdate)]


def test_a_former_accounts_goes_and_ours_comes_though_the_store_says_it_was_posted() -> None:
    there, _ = left_by("former")
    plan = adopted(there)
    assert (told(plan), plan.skipped) == ([("77", False), ("", True)], ())
    assert told(adopted(there, board="")) == [("77", False)], "not asked for any more"
    assert told(adopted(there, ("somebody else",))) == []
    there.set(public=True)
    narrow = adopted(there, visibility=Visibility.PROJECT)
    assert (told(narrow), len(narrow.skipped)) == ([("77", False)], 1)


@pytest.mark.parametrize("change", [{"body": "I say otherwise"}, {"status": "on_track"}])
def test_what_a_person_edited_of_a_former_accounts_stays(change: dict[str, str]) -> None:
    there, theirs = left_by("former")
    there.set(claims=(msgspec.structs.replace(theirs, **change),))
    plan = adopted(there)
    assert (plan.actions, [skipped.why for skipped in plan.skipped]) == ((), [EDITED])


@pytest.mark.parametrize("fields", [{"muted": True}, {"stale": True}])
def test_nothing_of_a_muted_or_stale_milestone_is_adopted(fields: dict[str, Any]) -> None:
    there, _ = left_by("former")
    assert adopted(there, **fields).actions == ()


def test_another_instance_is_ignored() -> None:
    there = There()
    (made,), _ = there.settle()
    foreign = made.marker.replace('"acme"', '"other"')
    there.edit(marker=foreign)
    there.told.clear()
    (own,), _ = there.settle()
    assert own.update == ""
    assert sorted(update.marker for update in there.board.updates) == sorted([foreign, made.marker])


def test_there_is_none_before_the_status_issue_and_none_where_there_are_no_boards() -> None:
    assert plan_board_update(PlannerInput(want(board="acme/7", board_update="x"), None, "acme", NOW)) == ((), "")
    assert plan_board_update(PlannerInput(want(board=None), ISSUE, "acme", NOW)) == ((), "")


def test_limits_count_it_and_a_saved_plan_knows_it() -> None:
    there = There()
    (made,), _ = there.settle()
    rewritten = msgspec.structs.replace(made, update="1")
    gone = msgspec.structs.replace(rewritten, body="", marker="")
    plan = Plan(actions=(made, rewritten, gone))
    none = Limits(creates=0, updates=0, deletes=0)
    assert [(refusal.what, refusal.planned) for refusal in over_limits(plan, none, 1)] == [
        ("creates", 1),
        ("updates", 1),
        ("deletes", 1),
    ]
    assert fingerprint([made]) != fingerprint([rewritten])


def test_the_store_remembers_where_one_was_posted() -> None:
    world: World = Describing()
    world.connector.capabilities = Capabilities(markup=Markup.GITHUB, body_limit=65_000, boards=True)
    world.run()
    there = There()
    (made,), _ = there.settle()
    made = msgspec.structs.replace(made, milestone="memory://tracker/milestone/p1-m")
    world.store.finish(world.store.begin("run-1", made), Receipt(id="1", issue="1"))
    assert world.store.places(OwnContent.BOARD) == {made.milestone: frozenset({"acme/7"})}
    gone = msgspec.structs.replace(made, update="1", body="")
    world.store.finish(world.store.begin("run-1", gone), Receipt(id="1", issue="1"))
    assert world.store.places(OwnContent.BOARD) == {}
