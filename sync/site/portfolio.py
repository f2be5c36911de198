"""One line of the portfolio: a milestone in numbers and words, its place on the timeline, and what changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sync.assess.milestone import AssessedMilestone
from sync.assess.portfolio import AssessedJointMilestone
from sync.history.counting import is_open
from sync.markup.document import clean
from sync.model.health import Health, Status, UnknownWhy
from sync.report.page_links import page_name
from sync.report.phrases import STATUS, UNKNOWN, day, percent, plural
from sync.report.reasons import reason_sentence
from sync.store.store import AssessmentSummary

__all__ = [
    "ORDER",
    "SIGN",
    "Change",
    "DateRange",
    "Row",
    "changes",
    "moved",
    "row",
    "said",
    "span",
    "worst_first",
]

ORDER = (
    Status.OVERDUE,
    Status.OFF_TRACK,
    Status.AT_RISK,
    Status.UNKNOWN,
    Status.ON_TRACK,
    Status.NO_DUE_DATE,
    Status.DONE,
)
"""Worst first."""

SIGN = {
    Status.ON_TRACK: "●",
    Status.AT_RISK: "▲",
    Status.OFF_TRACK: "■",
    Status.OVERDUE: "◆",
    Status.DONE: "✔",
    Status.NO_DUE_DATE: "○",
    Status.UNKNOWN: "?",
}
"""Each status as a shape, as in the terminal: none is told by colour alone."""

STEP = 0.05
"""A probability that moved by less is no news."""

PAST, AHEAD = timedelta(days=28), timedelta(days=180)
"""How much of the timeline is shown at most; what lies outside stands at its edge with an arrow."""


@dataclass(frozen=True)
class Row:
    """One milestone on the portfolio page. Foreign texts are as they came; the templates escape them."""

    uid: str
    written: str
    title: str
    tracker: str
    health: Health
    current: bool
    page: str
    why: str
    owners: tuple[str, ...]
    members: tuple[Row, ...] = ()

    @property
    def rank(self) -> int:
        """Place of its status, the worst first."""
        return ORDER.index(self.health.status)

    @property
    def slip(self) -> int | None:
        """Days from the first due date to the present one."""
        due, first = self.health.due, self.health.baseline
        return (due - first).days if due and first else None

    @property
    def likely(self) -> str:
        """Its probability in percent; empty when there is none."""
        return "" if self.health.probability is None else percent(self.health.probability)


def row(milestone: AssessedMilestone, *, paged: bool = True) -> Row:
    """A milestone's line; ``paged`` says that it has a page of its own."""
    health = milestone.health
    if health.unknown is not None and health.unknown is not UnknownWhy.NO_DUE_DATE:
        why = UNKNOWN[health.unknown]
    else:
        why = _first_reason(health)
    return Row(
        uid=milestone.uid,
        written=clean(milestone.written),
        title=clean(milestone.milestone.title),
        tracker=milestone.source.name,
        health=health,
        current=milestone.current,
        page=page_name(milestone.uid) if paged else "",
        why=why,
        owners=owners(milestone),
    )


def _first_reason(health: Health) -> str:
    """The weightiest reason, where it stands badly the weightiest that hurts; empty when there is none."""
    badly = health.status in (Status.AT_RISK, Status.OFF_TRACK, Status.OVERDUE)
    told = [one for one in health.reasons if one.effect < 0] if badly else []
    return reason_sentence((told or list(health.reasons))[0]) if health.reasons else ""


def joint_row(joint: AssessedJointMilestone, paged: Collection[str]) -> Row:
    """A joint milestone's line, with those of its members; ``paged`` are the uids that have a page of their own."""
    if joint.health.unknown is not None and joint.missing:
        why = f"Not known here: {', '.join(map(clean, joint.missing))}."
    else:
        why = f"Joint milestone of {plural(len(joint.members), 'member')}."
    return Row(
        uid=joint.written,
        written=clean(joint.written),
        title=clean(joint.joint.name),
        tracker="joint",
        health=joint.health,
        current=joint.health.status is not Status.DONE,
        page=page_name(joint.written),
        why=why,
        owners=(clean(joint.joint.owner),) if joint.joint.owner else (),
        members=tuple(row(member, paged=member.uid in paged) for member in joint.members),
    )


def owners(milestone: AssessedMilestone) -> tuple[str, ...]:
    """Who answers for it: the person named in the configuration, else those with the most open items."""
    if milestone.named.owner:
        return (clean(milestone.named.owner),)
    tally: dict[str, int] = {}
    for membership in milestone.memberships:
        issue = milestone.issues.get(membership.item)
        if issue is not None and is_open(membership, milestone.health.at):
            for person in issue.assignees:
                tally[person.name] = tally.get(person.name, 0) + 1
    most = sorted(tally, key=lambda name: (-tally[name], name))
    return tuple(clean(name) for name in most[:3])


def worst_first(rows: Iterable[Row]) -> list[Row]:
    """Rows by status, then by probability, then by date."""
    return sorted(
        rows,
        key=lambda r: (
            r.rank,
            1.0 if r.health.probability is None else r.health.probability,
            -(r.health.due.toordinal() if r.health.status is Status.DONE and r.health.due else 0),
            r.health.due or date.max,
            r.written,
        ),
    )


# --- the timeline ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DateRange:
    """The days that the timeline shows, as places in percent of its width."""

    first: date
    last: date
    today: date

    def place(self, on: date) -> float:
        """Where a day stands, 0 to 100; days outside stand at the edge."""
        share = (on - self.first).days / max((self.last - self.first).days, 1)
        return round(100 * min(max(share, 0.0), 1.0), 2)

    def outside(self, on: date) -> bool:
        """Whether a day lies beyond the edges."""
        return not self.first <= on <= self.last

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """The first of each month, at most a dozen, with its name."""
        made = []
        month = self.first.replace(day=1)
        while month <= self.last:
            if month >= self.first:
                _, name, year = day(month).split(" ")
                made.append((self.place(month), f"{name} {year}" if month.month == 1 else name))
            month = (month + timedelta(days=32)).replace(day=1)
        return made[:: max(1, -(-len(made) // 12))]


def span(healths: Iterable[Health], today: date) -> DateRange:
    """The days that hold today and the dates of these milestones, within reason."""
    days = [today]
    for health in healths:
        known = (health.due, health.baseline, health.dates.p50, health.dates.p95 or health.dates.p85)
        days += [one for one in known if one is not None]
    first, last = max(min(days), today - PAST), min(max(days), today + AHEAD)
    return DateRange(first - timedelta(days=3), max(last, today + timedelta(days=14)) + timedelta(days=4), today)


# --- what changed ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """What became of one milestone since an earlier day, in words; ``worse`` is None where that is no question."""

    row: Row
    words: tuple[str, ...]
    worse: bool | None


def said(health: Health) -> AssessmentSummary:
    """A health in short, as if it had been stored."""
    return AssessmentSummary(
        container=health.container,
        at=health.at,
        status=health.status,
        due=health.due,
        probability=health.probability,
        p50=health.dates.p50,
        p85=health.dates.p85,
        p95=health.dates.p95,
    )


def changes(rows: Sequence[Row], then: Mapping[str, AssessmentSummary]) -> list[Change]:
    """The milestones that stand otherwise than they did, the worse ones first."""
    found = [
        Change(r, words, _worse(then.get(r.uid), r.health)) for r in rows if (words := moved(then.get(r.uid), r.health))
    ]
    return sorted(found, key=lambda c: (c.worse is not True, c.worse is None, c.row.rank, c.row.written))


def moved(then: AssessmentSummary | None, now: Health) -> tuple[str, ...]:
    """How a milestone's health differs from what was said; empty when it does not."""
    if then is None:
        return ("new",) if now.status is not Status.DONE else ()
    words = []
    if then.status is not now.status:
        words.append(f"{STATUS[then.status]} → {STATUS[now.status]}")
    if then.probability is not None and now.probability is not None:
        was, is_now = percent(then.probability), percent(now.probability)
        if was != is_now and abs(now.probability - then.probability) >= STEP:
            words.append(f"{was} → {is_now}")
    if then.due != now.due:
        words.append(f"due date {_named(then.due)} → {_named(now.due)}")
    if now.status is not Status.DONE and then.p50 and now.dates.p50 and then.p50 != now.dates.p50:
        late = (now.dates.p50 - then.p50).days
        if abs(late) > 1:
            words.append(f"most likely {plural(abs(late), 'day')} {'later' if late > 0 else 'earlier'}")
    return tuple(words)


def _named(on: date | None) -> str:
    return day(on) if on else "none"


def _worse(then: AssessmentSummary | None, now: Health) -> bool | None:
    if then is None:
        return None
    if then.status is not now.status:
        return ORDER.index(now.status) < ORDER.index(then.status)
    if then.probability is not None and now.probability is not None and then.probability != now.probability:
        return now.probability < then.probability
    if then.p50 and now.dates.p50 and then.p50 != now.dates.p50:
        return now.dates.p50 > then.p50
    return None
