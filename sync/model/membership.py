"""Containers, the memberships of items in them, and the counts at a time."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from sync.model.counting import ChangeWord, Counting
from sync.model.plan_clock import PlanClock

__all__ = ["Container", "CounterDifference", "Counts", "Membership"]


class Membership(Struct, frozen=True, kw_only=True):
    """One time of one item in one container, with at most one closure.

    The item is a member from ``joined`` until ``left``, and open until ``closed``. A reopening ends the membership at
    ``reopened`` and begins the next one there. So an item that moved or was reopened has several memberships, at most
    one of them at any time. None: has not happened. ``removed``: the closure took the item out of scope (not planned,
    duplicate, won't do) instead of finishing it. An item that left open may be ``closed`` later.

    ``carried_over``: it left open at the end of the container, and stays in scope there as not done; see
    `sync.history.carry_over`.
    """

    container: str
    item: str
    joined: datetime
    left: datetime | None = None
    closed: datetime | None = None
    reopened: datetime | None = None
    removed: bool = False
    carried_over: bool = False


class CounterDifference(Struct, frozen=True):
    """Difference of a tracker's own counter and its list: numbers of open and of closed work by each of the two."""

    tracker: str
    counter: tuple[int, int]
    listed: tuple[int, int]


class Counts(Struct, frozen=True, kw_only=True):
    """Numbers of items of a milestone at a time. ``closed`` has every closure; ``removed`` those that left scope.

    ``open`` items are in it. ``carried`` items left it open at its end: they are in scope, and not done.
    ``added`` items joined after the milestone's start, ``added_week`` in the last seven days. ``changes`` of the items
    are changes (pull or merge requests), for which the tracker has the ``word``; the others are issues.

    ``page``: the numbers of the tracker's own page, counted from its list, if they differ from those of the items.
    ``pull_requests`` are all open changes in the milestone and ``closed_pull_requests`` all closed ones, counted or
    not. ``paired_changes`` count with the issue that they close (`sync.history.counted_work`). ``counter``: the
    tracker's own counter, if it differs from its list.
    ``done_by_name`` and ``removed_by_name`` items are open on the tracker's page and finished by the names of the team
    (`sync.model.item_state`), ``open_by_name`` items are closed there and open by these names.
    """

    open: int = 0
    closed: int = 0
    removed: int = 0
    added: int = 0
    added_week: int = 0
    carried: int = 0
    changes: int = 0
    word: ChangeWord = ChangeWord.PULL_REQUEST
    page: Counts | None = None
    pull_requests: int = 0
    closed_pull_requests: int = 0
    paired_changes: int = 0
    done_by_name: int = 0
    removed_by_name: int = 0
    open_by_name: int = 0
    counter: CounterDifference | None = None

    @property
    def done(self) -> int:
        """Items closed as finished work."""
        return self.closed - self.removed

    @property
    def total(self) -> int:
        """Scope: open, carried-over and finished items."""
        return self.open + self.carried + self.done

    @property
    def members(self) -> int:
        """Items that are in it, open or closed for any reason."""
        return self.open + self.closed

    @property
    def in_scope_or_removed(self) -> int:
        """Items of any state: in it, or carried over."""
        return self.open + self.closed + self.carried

    @property
    def unfinished(self) -> int:
        """Items in scope that are not done: open or carried over."""
        return self.open + self.carried

    @property
    def on_page(self) -> Counts:
        """The numbers to show: those of the tracker's own page."""
        return self.page or self

    @property
    def closed_on_page(self) -> int:
        """Work that is closed on the tracker's own page."""
        return self.on_page.closed - self.done_by_name - self.removed_by_name + self.open_by_name

    @property
    def uncounted_open(self) -> int:
        """Open work on the tracker's own page that is no item."""
        return max(0, self.on_page.open - self.open)

    @property
    def has_only_uncounted(self) -> bool:
        """True if issues or changes are in it, and none of them counts."""
        is_on_page = self.page is not None and self.page.members > self.members
        return self.total == 0 and (is_on_page or self.pull_requests + self.closed_pull_requests > 0)

    @property
    def noun(self) -> str:
        """The English word for one of them: issue, pull request, merge request, or item for different work."""
        if not self.changes:
            return "issue"
        return self.word.value if self.changes >= self.in_scope_or_removed else "item"


class Container(Struct, frozen=True, kw_only=True):
    """Container of items over time, with the data that counting needs. ``id`` is opaque. Moments are in UTC.

    ``start`` and ``due`` are moments (due = the end of the due day); ``first_due`` is the baseline's. ``ended`` is when
    it was closed or released; None while it runs. ``stream`` names its series: project, kind and title without digits.
    ``clock``: its due date was moved later than planned; ``clock_due`` is the due moment of that plan.
    ``agreed_at`` is the moment until which items join the agreed scope, the end of the start day, or of the first day
    on which any joined, if that is later; later ones are added. None: ``start``.
    ``is_end_estimated``: the moment at which it was closed is not known, or only its day.
    ``known_from``: the tracker has no history of its members, and milesync saw them first at this time, after the
    agreed scope. None: they are known from the start.
    ``counting``: the work that counts in it. ``states``: the number of the rules for the state of its items
    (`sync.model.item_state`).
    """

    id: str
    kind: str
    stream: str
    start: datetime | None
    due: datetime | None
    first_due: datetime | None = None
    ended: datetime | None = None
    clock: PlanClock | None = None
    clock_due: datetime | None = None
    agreed_at: datetime | None = None
    is_end_estimated: bool = False
    known_from: datetime | None = None
    counting: Counting = Counting.ISSUES
    states: int = 0
