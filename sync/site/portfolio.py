"""The portfolio page: one row for each milestone, the range of its timeline, and changes since an earlier day."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sync.assess.milestone import AssessedMilestone
from sync.assess.portfolio import AssessedJointMilestone
from sync.markup.document import clean
from sync.markup.html import html_line
from sync.model.health import Health
from sync.report.language import ENGLISH
from sync.report.page_links import page_name
from sync.report.phrases import STATUS, day, percent
from sync.report.team_words import due_decision_lines
from sync.report.verdict_facts import VerdictFacts, is_worse, joint_verdict_facts, verdict_facts
from sync.report.why import joint_why, why_sentence
from sync.store.assessments import AssessmentSummary

__all__ = [
    "Change",
    "DateRange",
    "Row",
    "assessment_summary",
    "change_words",
    "changes",
    "date_range",
    "joint_row",
    "milestone_row",
    "worst_first",
]

STEP = 0.05
"""A probability that moved by less is no change."""

PAST, AHEAD = timedelta(days=28), timedelta(days=180)
"""Maximum extent of the timeline before and after today; dates outside are drawn at its edge with an arrow."""


@dataclass(frozen=True)
class Row:
    """A milestone on the portfolio page. Foreign texts are unescaped; the templates escape them.

    ``page`` is the file of the milestone's own page, empty without one; ``why`` says why it has its status.
    """

    uid: str
    written: str
    title: str
    tracker: str
    facts: VerdictFacts
    current: bool
    page: str
    why: str
    members: tuple[Row, ...] = ()

    @property
    def health(self) -> Health:
        """Its health."""
        return self.facts.health

    @property
    def owners(self) -> tuple[str, ...]:
        """The owners."""
        return tuple(map(clean, self.facts.owners))

    @property
    def decisions(self) -> tuple[str, ...]:
        """The decisions that are overdue or due soon, as HTML."""
        return tuple(map(html_line, due_decision_lines(self.facts)))

    @property
    def likely(self) -> str:
        """The probability in percent; empty without one."""
        return "" if self.health.probability is None else percent(self.health.probability)


def milestone_row(milestone: AssessedMilestone, now: datetime, *, paged: bool = True) -> Row:
    """Return the row of a milestone at ``now`` (UTC); ``paged``: it has a page of its own."""
    facts = verdict_facts(milestone, now=now)
    return Row(
        uid=milestone.uid,
        written=clean(milestone.written),
        title=clean(milestone.milestone.title),
        tracker=milestone.connection.name,
        facts=facts,
        current=milestone.is_current,
        page=page_name(milestone.uid) if paged else "",
        why=why_sentence(facts),
    )


def joint_row(joint: AssessedJointMilestone, now: datetime, paged: Collection[str]) -> Row:
    """Return the row of a joint milestone at ``now`` (UTC), with those of its members.

    ``paged`` are the uids with a page of their own.
    """
    return Row(
        uid=joint.written,
        written=clean(joint.written),
        title=clean(joint.joint.name),
        tracker="joint",
        facts=joint_verdict_facts(joint, now=now),
        current=not joint.health.status.is_over,
        page=page_name(joint.written),
        why=joint_why(joint),
        members=tuple(milestone_row(member, now, paged=member.uid in paged) for member in joint.members),
    )


def worst_first(rows: Iterable[Row]) -> list[Row]:
    """Sort rows, the worst first (`VerdictFacts.severity`)."""
    return sorted(rows, key=lambda row: row.facts.severity)


# --- the timeline ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DateRange:
    """The first and last day of the timeline, and positions on it in percent of its width."""

    first: date
    last: date
    today: date

    def place(self, on: date) -> float:
        """Return the position of a day, 0 to 100; days outside are placed at the edge."""
        share = (on - self.first).days / max((self.last - self.first).days, 1)
        return round(100 * min(max(share, 0.0), 1.0), 2)

    def outside(self, on: date) -> bool:
        """Return whether a day is before the first or after the last day."""
        return not self.first <= on <= self.last

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Position and name of the first of each month, twelve at most."""
        months = []
        month = self.first.replace(day=1)
        while month <= self.last:
            if month >= self.first:
                _, name, year = day(month).split(" ")
                months.append((self.place(month), f"{name} {year}" if month.month == 1 else name))
            month = (month + timedelta(days=32)).replace(day=1)
        return months[:: max(1, -(-len(months) // 12))]


def date_range(healths: Iterable[Health], today: date) -> DateRange:
    """Return a range with today and the dates of these milestones, limited to `PAST` and `AHEAD`."""
    days = [today]
    for health in healths:
        known = (health.due, health.baseline, health.dates.p50, health.dates.p95 or health.dates.p85)
        days += [on for on in known if on is not None]
    first, last = max(min(days), today - PAST), min(max(days), today + AHEAD)
    return DateRange(first - timedelta(days=3), max(last, today + timedelta(days=14)) + timedelta(days=4), today)


# --- what changed ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """The changes of one milestone since an earlier day, in words; ``worse`` is None when neither better nor worse."""

    row: Row
    words: tuple[str, ...]
    worse: bool | None


def assessment_summary(health: Health) -> AssessmentSummary:
    """Return a health in the form in which earlier assessments are stored."""
    return AssessmentSummary(
        container=health.container,
        at=health.at,
        status=health.status,
        due=health.due,
        probability=health.probability,
        p50=health.dates.p50,
        p85=health.dates.p85,
        p95=health.dates.p95,
        method=health.method,
    )


def changes(rows: Sequence[Row], then: Mapping[str, AssessmentSummary]) -> list[Change]:
    """Return the milestones that changed since the assessments ``then`` (by uid), those that got worse first."""
    found = []
    for row in rows:
        differences = tuple(_differences(then.get(row.uid), row.health))
        if differences:
            turns = (turn for _, turn in differences if turn is not None)
            found.append(Change(row, tuple(words for words, _ in differences), next(turns, None)))
    return sorted(found, key=lambda c: (c.worse is not True, c.worse is None, c.row.facts.rank, c.row.written))


def change_words(then: AssessmentSummary | None, now: Health) -> tuple[str, ...]:
    """Return how the health differs from an earlier assessment; empty when it does not."""
    return tuple(words for words, _ in _differences(then, now))


def _differences(then: AssessmentSummary | None, now: Health) -> Iterator[tuple[str, bool | None]]:
    """Yield each difference from an earlier assessment in words, with whether it is for the worse (None: neither).

    Figures of two methods of the forecast are not compared, nor is a status that only the method changed.
    """
    if then is None:
        if not now.status.is_over:
            yield "new", None
        return
    is_comparable = then.method == now.method
    if then.status is not now.status and (is_comparable or now.previous_status is not None):
        yield f"{STATUS[then.status]} → {STATUS[now.status]}", is_worse(then.status, now.status)
    if is_comparable and then.probability is not None and now.probability is not None:
        was, is_now = percent(then.probability), percent(now.probability)
        if was != is_now and abs(now.probability - then.probability) >= STEP:
            yield f"{was} → {is_now}", now.probability < then.probability
    if then.due != now.due:
        yield f"due date {_day_or_none(then.due)} → {_day_or_none(now.due)}", None
    if is_comparable and not now.status.is_over and then.p50 and now.dates.p50:
        late = (now.dates.p50 - then.p50).days
        if abs(late) > 1:
            yield f"most likely {ENGLISH.shift(late)}", late > 0


def _day_or_none(on: date | None) -> str:
    return day(on) if on else "none"
