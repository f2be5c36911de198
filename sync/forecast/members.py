"""Members: the earlier milestones that a milestone is compared with, and what they had at each phase.

They are the last finished milestones of its stream, and the last ones of other streams of its kind. The newest have the
most weight, and those of other streams have little once the stream has a history of its own. A milestone never learns
from itself, nor from what was not known at the moment of the question.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sync.forecast.history_tables import DUE, GRID, TIMES, HistoryTables

__all__ = ["MemberCounts", "Members", "column_of", "counts_at_nodes", "counts_until", "members_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Members(Struct, frozen=True):
    """Members (j) of each container of a batch (t), the newest first: its stream's, then those of the kind.

    ``index[t, j]`` are positions of containers, -1 where there are fewer; ``is_own[j]``: members of the stream itself.
    ``weight[t, j]`` and ``weight_by_need[t, j]`` fall with age; 0 where there is no member.
    ``is_representative[t, j]``: members of the stream, or all members while it has fewer than `Rules.stream_least`.
    ``from_stream[t]``: the stream has so many. ``stream_finished[t]`` and ``kind_finished[t]`` count all finished
    containers of the stream and of the kind.
    """

    index: Ints
    is_own: Bools
    weight: Floats
    weight_by_need: Floats
    is_representative: Bools
    from_stream: Bools
    stream_finished: Ints
    kind_finished: Ints

    def part(self, rows: Ints) -> Members:
        """Return the members of the containers at ``rows``."""
        columns = {name: getattr(self, name)[rows] for name in self.__struct_fields__ if name != "is_own"}
        return Members(is_own=self.is_own, **columns)


class MemberCounts(Struct, frozen=True):
    """Counts of the members at a phase (column c), and of what came of them by a later time: arrays [t, j, c].

    Arrays of what was so at the phase have one column only, where the phase is the same for all later times.

    ``is_known``: there is such a member, and its later time had passed. At the phase it had ``open`` open items of
    ``scope``; ``joining`` joined later until the due date, and ``gone`` of both were gone by the later time.
    ``is_met``: by then no more items were left over than the tolerance allows.
    """

    is_known: Bools
    open: Floats
    scope: Floats
    joining: Floats
    gone: Floats
    is_met: Bools

    def part(self, rows: Ints) -> MemberCounts:
        """Return the counts of the containers at ``rows``."""
        return MemberCounts(**{name: getattr(self, name)[rows] for name in self.__struct_fields__})


def members_of(tables: HistoryTables, index: Ints, at: Floats) -> Members:
    """Return the members of the containers at positions ``index``, each as of ``at`` (days since 1970 UTC)."""
    rules, ledger = tables.rules, tables.ledger
    stream, kind = ledger.stream[index], ledger.kind[index]
    known = at - rules.settle_days
    stream_end, kind_end = tables.by_stream.before(stream, known), tables.by_kind.before(kind, known)
    stream_first, kind_first = tables.by_stream.first[stream], tables.by_kind.first[kind]
    # an overdue milestone is no member of itself: it has the same members once its due date moves
    place = tables.stream_place[index]
    is_known_itself = (place >= stream_first) & (place < stream_end)
    own = stream_end[:, None] - 1 - np.arange(rules.stream_window)
    own -= is_known_itself[:, None] & (own <= place[:, None])
    chosen = np.where(own >= stream_first[:, None], _at(tables.stream_members, own), -1)
    members = np.concatenate([chosen, _others(tables, stream, kind_first, kind_end)], axis=1)
    is_own = np.arange(members.shape[1]) < rules.stream_window
    finished = stream_end - stream_first - is_known_itself
    is_member = members >= 0
    is_mature = (finished >= rules.stream_least)[:, None]
    rank = np.concatenate([np.arange(rules.stream_window), np.arange(rules.kind_window)])

    def weights(half_life: float, of_others: float, of_others_alone: float) -> Floats:
        share = np.where(is_own, 1.0, np.where(is_mature, of_others, of_others_alone))
        return np.where(is_member, 2.0 ** (-rank / half_life) * share, 0.0)

    return Members(
        index=members,
        is_own=is_own,
        weight=weights(rules.survival_half_life, rules.survival_others, 1.0),
        weight_by_need=weights(rules.reference_half_life, rules.reference_others, rules.reference_others_alone),
        is_representative=is_member & (is_own | ~is_mature),
        from_stream=is_mature[:, 0],
        stream_finished=finished,
        kind_finished=kind_end - kind_first - is_known_itself,
    )


def _at(values: Ints, position: Ints) -> Ints:
    """Return ``values`` at positions, some of which may be outside; there the result has no meaning."""
    if len(values) == 0:
        return np.full(position.shape, -1, dtype=np.int64)
    at: Ints = values[np.clip(position, 0, len(values) - 1)]
    return at


def _others(tables: HistoryTables, stream: Ints, first: Ints, end: Ints) -> Ints:
    """Return the last members of other streams in ``tables.kind_members[first:end]``, the newest first: int64[t, h]."""
    wanted = tables.rules.kind_window
    others = np.full((len(stream), wanted), -1, dtype=np.int64)
    streams = tables.ledger.stream[tables.kind_members]
    found: dict[tuple[int, int, int], Ints] = {}
    for k, (own, low, high) in enumerate(zip(stream.tolist(), first.tolist(), end.tolist(), strict=True)):
        chosen = found.get((own, low, high))
        if chosen is None:
            width, chosen = 2 * wanted, np.zeros(0, dtype=np.int64)
            while len(chosen) < wanted and high > low:
                begin = max(low, high - width)
                chosen = begin + np.flatnonzero(streams[begin:high] != own)
                if begin == low:
                    break
                width *= 4
            chosen = found[own, low, high] = tables.kind_members[chosen[::-1][:wanted]]
        others[k, : len(chosen)] = chosen
    return others


def counts_at_nodes(tables: HistoryTables, members: Members) -> MemberCounts:
    """Return what the members had at each of `NODES` (c), and what came of it by their due date."""
    member = np.maximum(members.index, 0)
    shape = (*member.shape, DUE)
    open_items = tables.open_at[member, :DUE].astype(np.float64)
    joining = (tables.joined_by[member, DUE, None] - tables.joined_by[member, :DUE]).astype(np.float64)
    return MemberCounts(
        is_known=np.broadcast_to((members.index >= 0)[:, :, None], shape),
        open=open_items,
        scope=tables.scope_at[member, :DUE].astype(np.float64),
        joining=joining,
        gone=(tables.gone_by[member, DUE, None] - tables.gone_by[member, :DUE]).astype(np.float64),
        is_met=np.broadcast_to(tables.finished_by[member, :1], shape),
    )


def counts_until(tables: HistoryTables, members: Members, column: Ints, at: Floats) -> MemberCounts:
    """Return what the members had at the grid's ``column[t]``, and what came of it by each of `TIMES` (c).

    A member counts at the times that had passed by ``at[t]`` (days since 1970 UTC).
    """
    member = np.maximum(members.index, 0)
    source = np.broadcast_to(column[:, None], member.shape)
    shown_at = tables.start[member][:, :, None] + tables.length[member][:, :, None] * TIMES
    gone = tables.gone_by[member][:, :, DUE:] - tables.gone_by[member, source][:, :, None]
    joining = tables.joined_by[member, DUE] - tables.joined_by[member, source]
    return MemberCounts(
        is_known=(members.index >= 0)[:, :, None] & (shown_at <= at[:, None, None]),
        open=tables.open_at[member, source].astype(np.float64)[:, :, None],
        scope=tables.scope_at[member, source].astype(np.float64)[:, :, None],
        joining=joining.astype(np.float64)[:, :, None],
        gone=np.maximum(gone, 0).astype(np.float64),
        is_met=tables.finished_by[member],
    )


def column_of(phase: Floats) -> Ints:
    """Return the last column of the grid that is not after each phase, at least 0."""
    column: Ints = np.clip(np.searchsorted(GRID, phase, side="right") - 1, 0, len(GRID) - 1)
    return column
