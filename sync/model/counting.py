"""The work that counts in a milestone: issues, changes, or both. A change is a pull or merge request.

The page of a milestone counts issues and pull requests on GitHub, issues only on GitLab and Jira. `Counting` says what
the forecast counts; its default is the same as the page. Figures of two ways of counting are not comparable, so
the way is a part of the method's number, which every stored assessment, forecast and marker has.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from msgspec import Struct

__all__ = [
    "ChangeWord",
    "Counting",
    "TrackerChanges",
    "comparable_methods",
    "counting_of",
    "joint_counting",
    "method_number",
]

_STEP = 100
"""Distance of the method numbers of two ways of counting. The forecast's own method is below it."""


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


def method_number(method: int, counting: Counting) -> int:
    """Return the number of a forecast's method together with a way of counting; ISSUES has that of the method."""
    return method % _STEP + _STEP * list(Counting).index(counting)


def counting_of(method: int) -> Counting:
    """Return the way of counting in a number of `method_number`. Unknown ones of later versions are ISSUES."""
    ways = list(Counting)
    return ways[method // _STEP] if method // _STEP < len(ways) else Counting.ISSUES


def comparable_methods(method: int, *, has_issues: bool, has_changes: bool) -> frozenset[int]:
    """Return the method numbers whose figures of a container compare with those of ``method``.

    Two ways of counting give the same figures where the container never had the work in which they differ.
    """
    own = counting_of(method)
    return frozenset(
        method_number(method, other)
        for other in Counting
        if (other.has_issues == own.has_issues or not has_issues)
        and (other.has_changes == own.has_changes or not has_changes)
    )


def joint_counting(members: Collection[Counting]) -> Counting:
    """Return the way of counting of a joint milestone: that of its members, BOTH if they differ."""
    ways = set(members) or {Counting.ISSUES}
    return ways.pop() if len(ways) == 1 else Counting.BOTH
