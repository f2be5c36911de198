"""Votes of a batch's containers for numbers of items, each computed once.

Reasons, levers and what-if tables ask about the same containers again and again: with another due date, a day later, or
with one item less. The votes depend on the items alone, and are nearly all of the work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from sync.forecast.history_tables import DUE, GRID, NODES, HistoryTables
from sync.forecast.members import Members, counts_at_nodes, counts_until
from sync.forecast.votes import Votes

__all__ = ["CommonVotes", "ScopeVotes", "votes_for_times", "votes_from"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Answer = Callable[[Sequence[Votes], Floats, Floats, bool], Floats]
"""Function from votes, open items, items in scope and "no more items join" to an answer for each container."""


class ScopeVotes:
    """Answers of ``votes``, each kept with its question.

    The key of an answer is a container, its open items, its items in scope, and whether no more items join. All other
    inputs are those of ``votes``, which never change.
    """

    def __init__(self, votes: Sequence[Votes], answer: Answer) -> None:
        self._votes, self._answer = votes, answer
        self._places: dict[tuple[int, float, float, bool], int] = {}
        self._answers: Floats | None = None
        self._last: tuple[object, Floats] | None = None

    def at(self, rows: Ints, remaining: Floats, total: Floats, *, frozen: bool = False) -> Floats:
        """Return the answers for the containers at ``rows`` with ``remaining`` of ``total`` items: float64[t, ...].

        A what-if table asks for the same items with a hundred due dates, so the last answers are kept as they are.
        """
        asked = (rows.tobytes(), remaining.tobytes(), total.tobytes(), frozen)
        if self._last is None or self._last[0] != asked:
            self._last = asked, self._found(rows, remaining, total, frozen)
        return self._last[1]

    def _found(self, rows: Ints, remaining: Floats, total: Floats, frozen: bool) -> Floats:
        questions = list(zip(rows.tolist(), remaining.tolist(), total.tolist(), repeat(frozen)))
        new = {question: k for k, question in enumerate(questions) if question not in self._places}
        if new or self._answers is None:
            own = np.array(list(new.values()), dtype=np.int64)
            answers = self._answer([votes.part(rows[own]) for votes in self._votes], remaining[own], total[own], frozen)
            self._answers = answers if self._answers is None else np.concatenate([self._answers, answers])
            self._places.update(zip(new, range(len(self._places), len(self._places) + len(new)), strict=True))
        return self._answers[[self._places[question] for question in questions]]


class CommonVotes:
    """Votes that a batch shares with its parts, and with itself under other due dates and clips.

    They depend on the members of its containers, on the history and the moments ``at``.
    """

    def __init__(self, tables: HistoryTables, members: Members, at: Floats) -> None:
        self.tables, self.members, self.at = tables, members, at
        self._of_plan: tuple[Ints, ScopeVotes] | None = None

    @cached_property
    def at_nodes(self) -> Votes:
        """The votes of the members at each of `NODES`, for the due date."""
        return Votes(counts_at_nodes(self.tables, self.members), self.members, NODES, self.tables.rules)

    @cached_property
    def for_due(self) -> ScopeVotes:
        """Votes of survival, reference class and closures at each of `NODES`: float64[t, 3, g]."""
        return ScopeVotes([self.at_nodes], _votes_for_due)

    def for_times(self, rows: Ints) -> tuple[ScopeVotes, Ints]:
        """Return the votes for `TIMES` of survival and reference class, and the places of ``rows`` in them.

        The votes are float64[t, g, 2, x]: from each of `NODES`.
        """
        if self._of_plan is None or not np.isin(rows, self._of_plan[0]).all():
            own = np.flatnonzero(np.bincount(rows))  # `np.unique` would import `numpy.ma`
            members, at = self.members.part(own), self.at[own]
            votes = [votes_from(self.tables, members, np.full(len(own), node), at) for node in range(DUE)]
            self._of_plan = own, ScopeVotes(votes, votes_for_times)
        return self._of_plan[1], np.searchsorted(self._of_plan[0], rows)


def votes_from(tables: HistoryTables, members: Members, column: Ints, at: Floats) -> Votes:
    """Return the votes for `TIMES` by what the members had at the grid's ``column[t]``."""
    counts = counts_until(tables, members, column, at)
    return Votes(counts, members, np.minimum(GRID[column], 1.0)[:, None], tables.rules)


def _votes_for_due(votes: Sequence[Votes], remaining: Floats, total: Floats, frozen: bool) -> Floats:
    (own,) = votes
    arrivals = _arrivals(own, remaining, total, frozen)
    survival, closures = (vote(remaining, total, arrivals) for vote in (own.survival, own.closures))
    return np.stack([survival, own.reference(remaining, total), closures], axis=1)


def votes_for_times(votes: Sequence[Votes], remaining: Floats, total: Floats, frozen: bool) -> Floats:
    """Return the votes of survival and reference class: float64[t, v, 2, x]."""
    survival = [own.survival(remaining, total, _arrivals(own, remaining, total, frozen)) for own in votes]
    reference = [own.reference(remaining, total) for own in votes]
    return np.stack([np.stack(pair, axis=1) for pair in zip(survival, reference, strict=True)], axis=1)


def _arrivals(votes: Votes, remaining: Floats, total: Floats, frozen: bool) -> Floats:
    arrivals = votes.arrivals(remaining, total)
    return np.zeros_like(arrivals) if frozen else arrivals
