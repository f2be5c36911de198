"""The work that counts in a milestone: issues, changes, or both. A change is a pull or merge request.

The page of a milestone counts issues and pull requests on GitHub, issues only on GitLab and Jira. `Counting` says what
the forecast counts; its default is the same as the page. Figures of two ways of counting are not comparable, so
the way is a part of the method's number, which every stored assessment, forecast and marker has. So are the rules that
say which items are done.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from functools import cache
from zlib import crc32

from msgspec import Struct

__all__ = [
    "MOST",
    "ChangeWord",
    "Counting",
    "TrackerChanges",
    "comparable_methods",
    "counting_of",
    "counts_alike",
    "joint_counting",
    "joint_states",
    "joint_word",
    "method_number",
]

_STEP = 100
"""Distance of the method numbers of two ways of counting. The forecast's own method is below it."""

_STATES = 1000
"""Distance of the method numbers of two sets of rules for an item's state."""

MOST = 2_000_000
"""Number of different sets of rules for an item's state, so that a method's number has 31 bits."""


class Counting(StrEnum):
    """The work that counts in a milestone."""

    ISSUES = "issues"
    BOTH = "issues and changes"
    CHANGES = "changes"

    @property
    def has_issues(self) -> bool:
        """True if issues count."""
        return self is not Counting.CHANGES

    @property
    def has_changes(self) -> bool:
        """True if changes count."""
        return self is not Counting.ISSUES


class ChangeWord(StrEnum):
    """A tracker's word for a change. CHANGE: several trackers with different words."""

    PULL_REQUEST = "pull request"
    MERGE_REQUEST = "merge request"
    CHANGE = "change"


class TrackerChanges(Struct, frozen=True, kw_only=True):
    """The changes of a tracker. ``on_page``: its page of a milestone counts them together with the issues.

    ``tracker`` is its name in sentences. ``have_rows``: the connector delivers each change of a milestone as a row, so
    that a difference to the tracker's own counter is an error of the counter. Otherwise the difference is the number of
    changes.
    """

    word: ChangeWord = ChangeWord.PULL_REQUEST
    on_page: bool = False
    have_rows: bool = False
    tracker: str = "The tracker"

    @property
    def page(self) -> Counting:
        """The work that the tracker's page of a milestone counts."""
        return Counting.BOTH if self.on_page else Counting.ISSUES


@cache
def method_number(method: int, counting: Counting, states: int = 0) -> int:
    """Return the number of a forecast's method together with a way of counting and the rules for an item's state.

    ISSUES with the usual rules has that of the method. ``states`` is `sync.model.item_state.StateRules.number`.
    """
    return method % _STEP + _STEP * list(Counting).index(counting) + _STATES * states


def counting_of(method: int) -> Counting:
    """Return the way of counting in a number of `method_number`. Unknown ones of later versions are ISSUES."""
    ways, place = list(Counting), method % _STATES // _STEP
    return ways[place] if place < len(ways) else Counting.ISSUES


def counts_alike(method: int, other: int) -> bool:
    """Return whether two numbers of `method_number` count the same work, by the same rules for an item's state."""
    return method // _STEP == other // _STEP


@cache
def comparable_methods(method: int, *, has_issues: bool, has_changes: bool) -> frozenset[int]:
    """Return the method numbers whose figures of a container compare with those of ``method``.

    Two ways of counting give the same figures where the container never had the work in which they differ. Two sets of
    rules for an item's state never do.
    """
    own = counting_of(method)
    return frozenset(
        method_number(method, other, method // _STATES)
        for other in Counting
        if (other.has_issues == own.has_issues or not has_issues)
        and (other.has_changes == own.has_changes or not has_changes)
    )


def joint_counting(members: Collection[Counting]) -> Counting:
    """Return the way of counting of a joint milestone: that of its members, BOTH if they differ."""
    ways = set(members) or {Counting.ISSUES}
    return ways.pop() if len(ways) == 1 else Counting.BOTH


def joint_word(members: Collection[ChangeWord]) -> ChangeWord:
    """Return the word for the changes of a joint milestone: that of its members with changes, CHANGE if they differ."""
    words = set(members) or {ChangeWord.PULL_REQUEST}
    return words.pop() if len(words) == 1 else ChangeWord.CHANGE


def joint_states(members: Collection[int]) -> int:
    """Return the number of the rules for an item's state of a joint milestone: 0 where all members have the usual."""
    return max(members, default=0) if len(set(members)) < 2 else 1 + crc32(repr(sorted(set(members))).encode()) % MOST
