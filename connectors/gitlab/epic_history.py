"""Read the history of nested epics: when each was under which parent, from the activity in its thread (GraphQL)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime

from connectors.gitlab.container_ids import epic_id, group_number
from connectors.gitlab.epic_tree import Stay, stays_of
from connectors.gitlab.group_lists import GroupQuery, group_rows
from connectors.gitlab.history_graphql import BATCH, NOTES, Item
from connectors.gitlab.moves import ActivityNote, Move, moves_between
from connectors.gitlab.session import Session
from connectors.shared.responses import decode_row
from sync.tracker.errors import MalformedError

__all__ = ["fetch_stays"]

_ACTIVITY = GroupQuery(
    f"listed: workItems(types: [EPIC], iids: $numbers, first: $first, after: $after) "
    f"{{ pageInfo {{ hasNextPage endCursor }} nodes {{ iid widgets {{ {NOTES} }} }} }}",
    parameters=", $numbers: [String!]",
)
_EARLIEST = datetime.min.replace(tzinfo=UTC)

Read = Callable[[Iterable[ActivityNote]], list[Move]]


def fetch_stays(
    session: Session, epics: Collection[str], groups: Mapping[str, str], moves_in: Read
) -> dict[str, list[Stay]]:
    """Fetch the stays of epics (native ids) under their parents.

    ``groups`` maps the paths of groups to their numbers, ``moves_in`` reads the moves in system notes. Left out are
    epics with more activity than one request shows, and all where GraphQL has no epics.
    """
    paths = {number: path for path, number in groups.items()}
    numbers: dict[str, list[str]] = {}
    for epic in sorted(epics):
        if path := paths.get(group_number(epic)):
            numbers.setdefault(path, []).append(epic.rpartition(".")[2])
    stays: dict[str, list[Stay]] = {}
    for path, own in numbers.items():
        for n in range(0, len(own), BATCH):
            for node in group_rows(session, _ACTIVITY, path, numbers=own[n : n + BATCH]) or ():
                try:
                    item = decode_row(node, Item, session.name)
                except MalformedError:
                    continue
                if item.activity is not None:
                    moves = moves_in(note.in_group(path) for note in item.activity)
                    stays[epic_id(groups[path], item.number)] = stays_of(moves_between("", _EARLIEST, moves))
    return stays
