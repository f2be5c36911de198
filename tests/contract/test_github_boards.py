"""GitHub's project boards over the wire: read whole, posted once though an answer is lost, refused in plain words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import World
from connectors.sandbox.world_data import Board, Fault
from sync.tracker.actions import PostBoardUpdate
from sync.tracker.errors import RefusedError, UncertainError
from sync.tracker.observed import Board as Seen
from sync.tracker.observed import BoardUpdate, Target
from sync.tracker.protocol import Connector
from tests.contract.github_side import Clock, Small, connected, marker, small, target


class Place:
    """A milestone with a status issue, and the board acme/7."""

    def __init__(self, world: World, clock: Clock) -> None:
        self.there: Small = small(world, clock)
        self.hub = self.there.tracker
        self.hub.scopes = ("repo", "project")
        self.board: Board = self.hub.board("acme/7")
        self.connector: Connector = connected(self.hub, clock)
        plain = target(self.connector, self.there, self.there.one, "#1")
        self.target: Target = msgspec.structs.replace(plain, boards=("acme/7",))
        self.mark = marker(plain.milestone, "board")

    def tell(self, body: str = "It is on track", status: str = "on_track", update: str = "") -> str:
        """Post, update or delete a status update."""
        about: dict[str, Any] = {"milestone": self.target.milestone, "project": "p", "project_key": "acme/app"}
        made = self.connector.apply(
            PostBoardUpdate(
                **about, issue="#1", board="acme/7", update=update, status=status, body=body, marker=self.mark
            )
        )
        return made.id

    def seen(self, name: str = "acme/7") -> Seen:
        """The board as it is observed."""
        wanted = msgspec.structs.replace(self.target, boards=(name,))
        (board,) = self.connector.observe([wanted]).issues[wanted.milestone].boards
        return board


@pytest.fixture
def place(github: Sandbox, clock: Clock) -> Place:
    return Place(github.world, clock)


def test_it_is_posted_recognised_updated_and_deleted(place: Place) -> None:
    first = place.tell()
    (seen,) = place.seen().updates
    assert isinstance(seen, BoardUpdate)
    assert (seen.id, seen.status, seen.marker) == (first, "on_track", place.mark)
    assert place.tell("It is late", "off_track", first) == first
    (note,) = place.board.notes
    assert (note.status, note.body.partition("\n")[0]) == ("OFF_TRACK", "It is late")
    place.tell("", update=first)
    assert place.board.notes == []
    place.tell("", update=first)  # a person was faster


def test_only_author_and_marker_make_it_ours_on_every_page(place: Place) -> None:
    place.tell()
    (ours,) = place.board.notes
    ada = place.hub.user("ada")
    forged = [noted(ours, creator=ada) for _ in range(3)]
    chatter = [noted(ours, creator=ada, body=f"All well {n}") for n in range(120)]
    unmarked = [noted(ours, body="By us, without a marker")]
    elsewhere = [noted(ours, body=f"x\n\n<!-- milesync {marker('other', 'board')} -->")]
    place.board.notes += [*forged, *chatter, *unmarked, *elsewhere]
    board = place.seen()
    assert [update.body for update in board.updates] == [ours.body]
    assert [(update.marker, update.author, update.status) for update in board.claims] == [
        (place.mark, "ada", "on_track")
    ] * 3
    assert not board.public


def noted(like: Any, **fields: Any) -> Any:
    """Another status update."""
    return replace(like, **fields)


def test_a_lost_answer_makes_no_second_one(place: Place) -> None:
    place.hub.faults.append(Fault("drop", "/graphql", after=1))
    with pytest.raises(UncertainError):
        place.tell()
    assert len(place.board.notes) == 1
    assert place.tell() == place.seen().updates[0].id
    assert len(place.board.notes) == 1


def test_a_missing_permission_is_reported_and_the_status_issue_is_still_read(place: Place) -> None:
    assert "does not exist" in place.seen("acme/8").why
    assert "does not exist" in place.seen("nobody/8").why
    place.hub.scopes = ("repo", "read:project")
    assert place.seen().why == ""
    with pytest.raises(RefusedError, match="required scopes"):
        place.tell()
    place.hub.scopes = ("repo",)
    assert "scope project" in place.seen().why
    place.hub.scopes = None
    place.board.read_only = True
    with pytest.raises(RefusedError, match="not accessible"):
        place.tell()
