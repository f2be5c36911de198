"""The forecast in the plainest way: one container, one member and one number at a time, from memberships.

It is the oracle for the forecast in columns (`sync.forecast`), and shares no code with it but the reading of dates. Its
counting works at any phase, not only at those of a table. Days are alike: the calendar is `Calendar.plain`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from sync.history.carry_over import with_carry_over
from sync.history.ledger import days
from sync.model.membership import Container, Membership

NODES = (0.02, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98)
TIMES = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0)
NEEDS = tuple(math.exp(k / 16 * math.log(600)) for k in range(17))
NEVER = math.inf
LONGEST = 3653.0
ROUNDING = 1e-9


@dataclass(frozen=True)
class Row:
    """One open time of one item: in scope in [joined, left), open until the earlier of ``left`` and ``closed``."""

    item: str
    joined: float
    left: float
    closed: float

    @property
    def ended(self) -> float:
        return min(self.left, self.closed)

    def is_open(self, at: float) -> bool:
        return self.joined <= at < self.ended

    def is_done(self, at: float) -> bool:
        return self.joined <= at < self.left and self.closed <= at


def row_of(membership: Membership) -> Row:
    """One membership, after the carry-over, in days since 1970 UTC."""
    removed_at = membership.closed if membership.removed else None
    left = None if membership.carried_over else membership.left
    return Row(
        item=membership.item,
        joined=days(membership.joined),
        left=min(days(left), days(membership.reopened), days(removed_at)),
        closed=NEVER if membership.removed else days(membership.closed),
    )


@dataclass(frozen=True)
class Plan:
    """One container with its rows; ``start`` is that of the container, or else when its first item joined."""

    container: Container
    rows: tuple[Row, ...]

    @cached_property
    def start(self) -> float:
        if self.container.start is not None:
            return days(self.container.start)
        return min((row.joined for row in self.rows), default=math.nan)

    @cached_property
    def due(self) -> float:
        return math.nan if self.container.due is None else days(self.container.due)

    @property
    def length(self) -> float:
        return self.due - self.start

    @property
    def has_dates(self) -> bool:
        return 0 < self.length <= LONGEST

    @cached_property
    def phases(self) -> list[tuple[float, float, float]]:
        """Shares of the planned time at which each row joined, left and ended."""

        def relative(moment: float) -> float:
            return (moment - self.start) / self.length if math.isfinite(moment) else moment

        return [(relative(row.joined), relative(row.left), relative(row.ended)) for row in self.rows]

    def count_open(self, phase: float) -> int:
        return sum(joined <= phase < ended for joined, _, ended in self.phases)

    def scope(self, phase: float) -> int:
        """Items at a phase that are open, or closed as finished work and still in scope; joined by the due date."""
        return sum(joined <= min(phase, 1.0) and phase < left for joined, left, _ in self.phases)

    def arrivals(self, phase: float) -> int:
        """Items that join after the phase, until the due date, and are open then."""
        return sum(phase < joined <= 1.0 and joined < ended for joined, _, ended in self.phases)

    def left_open(self, until: float) -> int:
        """Items that joined until the due date and are open at a later time."""
        return sum(joined <= 1.0 and joined < ended and ended > until for joined, _, ended in self.phases)


@dataclass(frozen=True)
class Member:
    """An earlier milestone that is compared with: ``rank`` is 0 for the newest of its group."""

    plan: Plan
    rank: int
    own: bool


@dataclass(frozen=True)
class Votes:
    """The votes before they are clipped, and each member's share of closures and arrivals here."""

    survival: float
    reference: float
    closures: float
    shares: tuple[float, ...]
    arrivals: tuple[float, ...]


@dataclass(frozen=True)
class Counts:
    """Items of a member at a phase: open ones, those that joined later, and those of both that were closed."""

    open: int
    joining: int
    gone: int
    scope: int
    met: bool

    @property
    def all(self) -> int:
        return self.open + self.joining


@dataclass(frozen=True)
class Oracle:
    """All containers with their memberships, and the tolerance; questions are asked with `Question`."""

    containers: Sequence[Container]
    memberships: Iterable[Membership]
    tolerance: float = 0.0

    @cached_property
    def plans(self) -> list[Plan]:
        rows: dict[str, list[Row]] = {container.id: [] for container in self.containers}
        for membership in with_carry_over(self.containers, self.memberships):
            if membership.container in rows:
                rows[membership.container].append(row_of(membership))
        return [Plan(container, tuple(rows[container.id])) for container in self.containers]

    def question(self, name: str, at: datetime) -> Question:
        return Question(self, next(plan for plan in self.plans if plan.container.id == name), days(at))

    def allowed(self, scope: float) -> int:
        return math.floor(self.tolerance * scope + ROUNDING)

    def closures(self, stream: str, at: float) -> list[float]:
        """Moments at which items of a stream were finished by ``at``, each item's closure once."""
        found = {
            (row.item, row.closed)
            for plan in self.plans
            if plan.container.stream == stream
            for row in plan.rows
            if row.joined <= row.closed <= row.left and row.closed <= at
        }
        return sorted(moment for _, moment in found)

    def begin(self, stream: str) -> float:
        starts = [plan.start for plan in self.plans if plan.container.stream == stream]
        return min((start for start in starts if math.isfinite(start)), default=NEVER)


@dataclass(frozen=True)
class Question:
    """The forecast of one container as of a moment (days since 1970 UTC)."""

    oracle: Oracle
    plan: Plan
    at: float

    # --- what is compared ------------------------------------------------------------------------------------------

    @cached_property
    def open(self) -> int:
        return sum(row.is_open(self.at) for row in self.plan.rows)

    @cached_property
    def scope(self) -> int:
        return self.open + sum(row.is_done(self.at) for row in self.plan.rows)

    @property
    def need(self) -> int:
        return self.open - self.oracle.allowed(self.scope)

    @property
    def phase(self) -> float:
        passed, ahead = max(self.at - self.plan.start, 0.0), max(self.plan.due - self.at, 0.0)
        return passed / (passed + ahead) if ahead > 0 else 1.0

    @cached_property
    def members(self) -> list[Member]:
        """The last 20 finished milestones of the stream, and the last 25 others of the kind."""
        container = self.plan.container
        finished = [
            plan
            for plan in self.oracle.plans
            if plan.has_dates and plan.due + 1.0 <= self.at and plan.scope(1.0) > 0 and plan is not self.plan
        ]
        newest = sorted(finished, key=lambda plan: plan.due, reverse=True)
        own = [plan for plan in newest if plan.container.stream == container.stream]
        others = [
            plan
            for plan in newest
            if plan.container.kind == container.kind and plan.container.stream != container.stream
        ]
        return [
            *(Member(plan, rank, True) for rank, plan in enumerate(own[:20])),
            *(Member(plan, rank, False) for rank, plan in enumerate(others[:25])),
        ]

    @property
    def has_own(self) -> bool:
        return sum(member.own for member in self.members) >= 4

    def weight(self, member: Member) -> float:
        others = 0.2 if self.has_own else 1.0
        return math.pow(2.0, -member.rank / 8) * (1.0 if member.own else others)

    def reference_weight(self, member: Member) -> float:
        others = 0.15 if self.has_own else 0.6
        return math.pow(2.0, -member.rank / 10) * (1.0 if member.own else others)

    # --- the three votes -------------------------------------------------------------------------------------------

    @cached_property
    def at_nodes(self) -> list[Votes]:
        return [self.votes(node) for node in NODES]

    def votes(self, phase: float, until: float = 1.0) -> Votes:
        """The votes by what the members had at ``phase`` and closed ``until`` then.

        Only members whose time ``until`` has passed have a vote.
        """
        members = [m for m in self.members if m.plan.start + m.plan.length * until <= self.at]
        counts = [self._counts(member.plan, phase, until) for member in members]
        weights = [self.weight(member) for member in members]
        base = (sum(c.met for c in counts) + 1) / (len(counts) + 2)
        plain = (sum(c.gone for c in counts) + 2) / (sum(c.all for c in counts) + 4)
        gone = sum(r * c.gone for r, c in zip(weights, counts, strict=True))
        of = sum(r * c.all for r, c in zip(weights, counts, strict=True))
        usual = (gone + 6 * plain) / (of + 6)
        shares = [min(max((c.gone + 1.5 * usual) / (c.all + 1.5), 0.01), 0.99) for c in counts]
        arrivals = [self._arrivals(c) for c in counts]
        survival = sum(
            r * self._left_within(share, joining, 12.0)
            for r, share, joining in zip(weights, shares, arrivals, strict=True)
        )
        return Votes(
            survival=(survival + 2 * base) / (sum(weights) + 2),
            reference=self._reference(members, counts, base, min(phase, 1.0)),
            closures=self._closures(members, counts, arrivals),
            shares=tuple(shares),
            arrivals=tuple(arrivals),
        )

    def _counts(self, plan: Plan, phase: float, until: float) -> Counts:
        joining = plan.arrivals(phase) if phase < 1.0 else 0
        still_open = plan.count_open(phase) if phase <= 1.0 else plan.left_open(phase)
        left = plan.left_open(until)
        return Counts(
            open=still_open,
            joining=joining,
            gone=still_open + joining - left,
            scope=plan.scope(phase),
            met=left <= self.oracle.allowed(plan.scope(1.0)),
        )

    def _arrivals(self, c: Counts) -> float:
        growth = math.sqrt((self.open + 1) / (c.open + 1) * (self.scope + 1) / (c.scope + 1))
        return c.joining * min(3.0, growth)

    def _left_within(self, share: float, joining: float, items: float) -> float:
        """P(no more are left over than allowed), by one member's share of closures."""
        expected = round(self.open + joining)
        allowed = self.oracle.allowed(self.scope + expected - self.open)
        return left_at_most(allowed, expected, share, items)

    def _reference(self, members: Sequence[Member], counts: Sequence[Counts], base: float, phase: float) -> float:
        needs = [c.open - self.oracle.allowed(c.scope) for c in counts]
        rows = [
            (self.reference_weight(member), need, c.met) for member, need, c in zip(members, needs, counts, strict=True)
        ]
        late = [(w, need, met) for w, need, met in rows if need > 0]
        usual = (sum(w * met for w, _, met in late) + 2 * base) / (sum(w for w, _, _ in late) + 2)
        points = []
        for x in NEEDS:
            near = [(w * math.exp(-0.5 * ((math.log(need) - math.log(x)) / 0.7) ** 2), met) for w, need, met in late]
            points.append((sum(k * met for k, met in near) + 2 * usual) / (sum(k for k, _ in near) + 2))
        points = falling(points)
        if self.need > 0:
            return between(math.log(self.need), [math.log(x) for x in NEEDS], points)
        early = [(w, met) for w, need, met in rows if need <= 0]
        prior = points[0] + (1 - points[0]) * phase
        there = (sum(w * met for w, met in early) + 2 * prior) / (sum(w for w, _ in early) + 2)
        return max(points[0], there)

    def _closures(self, members: Sequence[Member], counts: Sequence[Counts], arrivals: Sequence[float]) -> float:
        rows = [
            (c, joining)
            for member, c, joining in zip(members, counts, arrivals, strict=True)
            if member.own or not self.has_own
        ]
        base = (sum(c.met for c in counts) + 1) / (len(counts) + 2)
        votes = []
        for c, joining in rows:
            growth = math.sqrt(self.open / c.open) if c.open else NEVER
            pace = min(max(growth, 0.3), 3.0) if self.open else 0.3
            mean = self.open + joining - c.gone * pace
            spread = 0.35 * math.sqrt(self.open) + 0.3
            allowed = self.oracle.allowed(self.scope + joining)
            votes.append(normal((allowed + 0.5 - mean) / spread))
        return (sum(votes) + base) / (len(votes) + 1)

    # --- the pool --------------------------------------------------------------------------------------------------

    def pool(self) -> float:
        """P before the bound by experience and what the due date decides."""
        if self.need > 0:
            logits = envelope([self._node(votes) for votes in self.at_nodes])
            return expit(between(min(max(self.phase, 0.02), 0.98), NODES, logits))
        with_one_more = Question(self.oracle, self.plan, self.at)
        with_one_more.__dict__.update(open=self.oracle.allowed(self.scope) + 1, scope=self.scope)
        return max(self.raw(), with_one_more.pool())

    def raw(self) -> float:
        """P before its envelope."""
        logits = [self._node(votes) for votes in self.at_nodes]
        return expit(between(min(max(self.phase, 0.02), 0.98), NODES, logits))

    @staticmethod
    def _node(votes: Votes) -> float:
        return 0.5 * logit(votes.survival) + 0.35 * logit(votes.reference) + 0.15 * logit(votes.closures)

    def probability(self) -> float:
        if self.at > self.plan.due:
            return 0.98 if self.need <= 0 else 0.02
        return self.bound(self.pool(), self.plan.due - self.at)

    def bound(self, p: float, ahead: float) -> float:
        """P bounded by experience with as many days as are left."""
        most, windows = self._experience(ahead)
        return max(p * within(self.need, most, windows), min(p, 0.04))

    def _experience(self, ahead: float) -> tuple[int, int]:
        """The most that was closed in any window of the days ahead, at least an hour, and the number of windows."""
        ahead = max(ahead, 1 / 24)
        streams = {self.plan.container.stream}
        if not self.has_own:
            streams |= {member.plan.container.stream for member in self.members}
        most, windows = 0, 0
        for stream in streams:
            most = max(most, most_within(self.oracle.closures(stream, self.at), ahead))
            windows += math.floor(max(self.at - self.oracle.begin(stream), 0.0) / ahead)
        return most, windows

    # --- the curve -------------------------------------------------------------------------------------------------

    def curve(self) -> list[float]:
        """P(done by each of `TIMES`): 0 for times that have passed."""
        phase = (self.at - self.plan.start) / self.plan.length
        highest = self.probability()
        values = [highest if phase < 1.0 else 0.0]
        for x in TIMES[1:]:
            if phase < x:
                p = expit(self._curve_logit(phase, x))
                highest = max(highest, self.bound(p, self.plan.start + self.plan.length * x - self.at))
            values.append(highest if phase < x else 0.0)
        return values

    def _curve_logit(self, phase: float, x: float) -> float:
        if phase >= 1.0:
            passed = max(time for time in TIMES if time <= phase)
            return self._date_logit(self.votes(passed, x))
        logits = [self._date_logit(self.votes(node, x)) for node in NODES]
        return between(min(max(self.phase, 0.02), 0.98), NODES, logits)

    @staticmethod
    def _date_logit(votes: Votes) -> float:
        return 0.6 * logit(votes.survival) + 0.4 * logit(votes.reference)

    def moment_of(self, level: float) -> float:
        """The moment at which the curve reaches a level; infinite if it never does."""
        curve = self.curve()
        start, length, now = self.plan.start, self.plan.length, self.at
        phase = (now - start) / length
        if phase < 1.0 and curve[0] >= level:
            return now + (self.plan.due - now) * math.pow(level / curve[0], 0.25)
        time, p = (1.0, curve[0]) if phase < 1.0 else (phase, 0.0)
        for x, value in zip(TIMES, curve, strict=True):
            if x <= time:
                continue
            if value >= level:
                return start + length * (time + (level - p) / (value - p) * (x - time))
            time, p = x, value
        return NEVER

    # --- left over -------------------------------------------------------------------------------------------------

    @cached_property
    def _mixture(self) -> list[tuple[float, int, int, float]]:
        """Weight, expected items, those surely left over and share of closures by each member at the phase.

        With the part of the weight that experience takes, hardly more is closed than ever.
        """
        phase = min(max(self.phase, 0.02), 0.98)
        most, windows = self._experience(self.plan.due - self.at)
        part = within(self.open, most, windows)
        found = []
        for j, member in enumerate(self.members):
            share = between(phase, NODES, [votes.shares[j] for votes in self.at_nodes])
            joining = between(phase, NODES, [votes.arrivals[j] for votes in self.at_nodes])
            items, weight = round(self.open + joining), self.weight(member)
            certain = max(items - math.ceil(1.5 * most) - 2, 0)
            found += [(weight * part, items, 0, share), (weight * (1 - part), items, certain, share)]
        return found

    def cumulative(self, left: int) -> float:
        """P(at most ``left`` items are left over)."""
        total = sum(self.weight(member) for member in self.members)
        return (
            sum(
                weight * left_at_most(left - certain, items - certain, share, 20.0)
                for weight, items, certain, share in self._mixture
            )
            / total
        )

    def leftover(self) -> tuple[int, int, int] | None:
        """The quantiles .15, .5 and .85 of the number left over; None without members."""
        if not self.members:
            return None
        low, usually, high = (self._quantile(level) for level in (0.15, 0.5, 0.85))
        return low, usually, high

    def _quantile(self, level: float) -> int:
        left = 0
        while self.cumulative(left) < level:
            left += 1
        return left

    def usual(self) -> float | None:
        """P(no more are left over than usual in the series); None without members."""
        if not self.members:
            return None
        share = self.usual_share()
        votes = 0.0
        for weight, items, certain, closed in self._mixture:
            left = math.floor(share * (self.scope + items - self.open) + ROUNDING)
            votes += weight * left_at_most(left - certain, items - certain, closed, 20.0)
        return (votes + 1) / (sum(self.weight(member) for member in self.members) + 2)

    def usual_share(self) -> float:
        """The median share left over of the last 10 of the stream; without a history, its own and then the kind's."""
        newest = [member.plan for member in self.members if member.own or not self.has_own][:10]
        shares = sorted(plan.left_open(1.0) / plan.scope(1.0) for plan in newest)
        middle = len(shares) // 2
        return shares[middle] if len(shares) % 2 else (shares[middle - 1] + shares[middle]) / 2


# --- functions ------------------------------------------------------------------------------------------------------


def logit(p: float) -> float:
    p = min(max(p, 0.02), 0.98)
    return math.log(p / (1 - p))


def expit(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def normal(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))


def within(need: int, most: int, windows: int) -> float:
    """The factor of a probability by experience: 1 where the need is at most 2 more than was ever closed."""
    return min(1.0, math.pow((most + 2) / need, 2 * windows / (windows + 10))) if need > 0 else 1.0


def left_at_most(left: int, items: int, share: float, known: float) -> float:
    """P(at most ``left`` of ``items`` are left over): beta-binomial, the share closed is known as from ``known``."""
    if left < 0 or left >= items:
        return float(left >= 0)
    a, b = known * (1 - share), known * share
    return math.fsum(
        math.exp(
            math.lgamma(items + 1)
            - math.lgamma(k + 1)
            - math.lgamma(items - k + 1)
            + log_beta(k + a, items - k + b)
            - log_beta(a, b)
        )
        for k in range(left + 1)
    )


def log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def falling(values: Sequence[float]) -> list[float]:
    """The mean of the running minimum and of the running maximum from the right."""
    return [(min(values[: k + 1]) + max(values[k:])) / 2 for k in range(len(values))]


envelope: Callable[[Sequence[float]], list[float]] = falling
"""The phase envelope of log-odds: no rise by time alone."""


def between(x: float, places: Sequence[float], values: Sequence[float]) -> float:
    """The value at ``x``, linear between places; flat outside."""
    if x <= places[0]:
        return values[0]
    for k in range(1, len(places)):
        if x <= places[k]:
            part = (x - places[k - 1]) / (places[k] - places[k - 1])
            return values[k - 1] * (1 - part) + values[k] * part
    return values[-1]


def most_within(moments: Sequence[float], length: float) -> int:
    """The most of these sorted moments in any window of a length."""
    return max((sum(first <= m <= first + length for m in moments[k:]) for k, first in enumerate(moments)), default=0)
