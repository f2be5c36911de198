"""Count the work of each milestone: the items of its forecast, and what the tracker's own page shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sync.model.counting import TrackerChanges
from sync.model.dates import week_until
from sync.model.item_state import ItemState
from sync.model.membership import CounterDifference, Counts
from sync.model.tracker_data import Milestone

if TYPE_CHECKING:
    from sync.assess.rows import ConnectionRows
    from sync.history.membership_table import MembershipTable

__all__ = ["milestone_counts"]


def milestone_counts(rows: ConnectionRows) -> Mapping[str, Counts]:
    """Return the counts of each milestone (uid), with what its tracker's page shows where that differs."""
    containers, week = rows.containers, week_until(rows.at, rows.connection.zone)

    def count(table: MembershipTable) -> Mapping[str, Counts]:
        return table.counts(containers.values(), rows.at, week)

    items = count(rows.counted_memberships)
    if rows.work.is_change.any():
        items = _with_changes(rows, items, count)
    if not rows.is_present:
        return items
    if rows.unlike:
        items = {uid: _with_names(rows, uid, counts) for uid, counts in items.items()}
    changes = rows.connection.changes
    return {uid: _with_counter(counts, rows.milestones[uid], changes) for uid, counts in items.items()}


def _with_changes(
    rows: ConnectionRows, items: Mapping[str, Counts], count: Callable[[MembershipTable], Mapping[str, Counts]]
) -> Mapping[str, Counts]:
    """Return the counts with the changes in each milestone, and with those of its page if they differ."""
    work, word = rows.work, rows.connection.changes.word
    is_same = rows.page_memberships is rows.memberships
    everything, own = count(work.changes_of(work.table)), count(work.changes_of(rows.counted_memberships))
    page = items if is_same else count(rows.counted_page_memberships)
    on_page = own if is_same else count(work.changes_of(rows.counted_page_memberships))

    def with_changes(uid: str, counts: Counts) -> Counts:
        changes, mine = everything[uid], own[uid]
        shown = replace(page[uid], changes=on_page[uid].in_scope_or_removed, word=word)
        counts = replace(counts, changes=mine.in_scope_or_removed, word=word)
        pairs = changes.members - mine.members if rows.containers[uid].counting.has_changes else 0
        return replace(
            counts,
            page=None if shown == counts else shown,
            pull_requests=changes.open,
            closed_pull_requests=changes.closed,
            paired_changes=max(0, pairs),
        )

    return {uid: with_changes(uid, counts) for uid, counts in items.items()}


def _with_names(rows: ConnectionRows, uid: str, counts: Counts) -> Counts:
    """Return the counts with the numbers of items whose state by a team's names is not the tracker's."""
    states = Counter(rows.unlike[item] for item in rows.present_items(uid) if item in rows.unlike)
    done, removed = states[ItemState.DONE], states[ItemState.REMOVED]
    return replace(counts, done_by_name=done, removed_by_name=removed, open_by_name=states.total() - done - removed)


def _with_counter(counts: Counts, milestone: Milestone, changes: TrackerChanges) -> Counts:
    """Return the counts with what the tracker's own counter has in addition to the rows, or less.

    Without rows of changes it is their number.
    """
    more_open, more_closed = milestone.open_pull_requests, milestone.closed_pull_requests
    if more_open is None or more_closed is None or milestone.listed_open is None:
        return counts
    if changes.have_rows:
        if not more_open and not more_closed:
            return counts
        by_counter = milestone.listed_open, milestone.listed_closed or 0
        in_list = by_counter[0] - more_open, by_counter[1] - more_closed
        return replace(counts, counter=CounterDifference(changes.tracker, by_counter, in_list))
    more_open, more_closed = max(0, more_open), max(0, more_closed)
    if not more_open and not more_closed:
        return counts
    shown = counts.on_page
    return replace(
        counts,
        word=changes.word,
        page=replace(
            shown,
            open=shown.open + more_open,
            closed=shown.closed + more_closed,
            changes=shown.changes + more_open + more_closed,
            word=changes.word,
        ),
        pull_requests=counts.pull_requests + more_open,
        closed_pull_requests=counts.closed_pull_requests + more_closed,
    )
