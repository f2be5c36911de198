"""The facts of a milestone: all that its texts may show to their audience, and the hash of its meaning.

A new fact of the comment enters `Facts` and `build_facts`. If it changes only when people act, it enters `meaning` as
well, and then a change of it rewrites the comment at once, not on the next day.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from sync.assess.milestone import AssessedMilestone
from sync.health.reminders import Load
from sync.history.counting import burnup, is_member, is_open
from sync.model.dates import day_ended, day_of
from sync.model.definition import Criteria, Finding
from sync.model.health import Note, Override
from sync.model.inputs import Input, InputState
from sync.model.joint import Commitment, FellowWords
from sync.model.membership import Counts
from sync.model.published import PublishedForecast, SummaryForecast
from sync.model.tracker_data import DueDate, Issue, State
from sync.report.changes import Changes
from sync.report.good_news import good_news
from sync.report.track_record import NO_TRACK_RECORD, track_record_sentence
from sync.report.trend import probability_last_week
from sync.report.verdict_facts import VerdictFacts, verdict_facts

__all__ = ["Budget", "Facts", "Point", "SourceFreshness", "build_facts", "meaning"]


class SourceFreshness(Struct, frozen=True, kw_only=True):
    """Time (UTC) of the last full pull of a source (configured name). None: never."""

    name: str
    at: datetime | None = None


class Point(Struct, frozen=True):
    """Items done and items in scope at the end of a day."""

    on: date
    done: int
    scope: int


class Budget(Struct, frozen=True, kw_only=True):
    """Estimated, spent and remaining work in seconds over the milestone's items; ``items`` of them have an estimate."""

    estimate: int
    spent: int
    remaining: int | None = None
    items: int = 0


class Facts(VerdictFacts, frozen=True, kw_only=True):
    """All that the texts of a milestone may show to one audience; nothing else reaches a document.

    A new field that changes only when people act also belongs into `meaning`; figures do not.
    ``method_changed_on``: day of a change of the forecast's method, in the comment that is the first of the new method.
    ``items`` maps uids to the issues that the audience may see; ``open`` are the uids of the present open members.
    ``changes`` since the comment that a reader knows, and ``previous_forecast`` in it (`sync.report.changes`), are None
    before the first comment. ``last_week``: the probability about a week ago (None: no trend, see `sync.report.trend`).
    ``due_dates`` are all that were seen, ``forecasts`` were published earlier, oldest first; ``calibration`` describes
    in our words how accurate such forecasts were. ``points`` draw the burn-up.
    ``override`` and ``note`` are words of people; ``commands``: ``/milesync`` comments have an effect. ``missing`` are
    the inputs that could not be read; ``aggregate``: sources count whose items this audience may not read.
    ``commitments`` are the joint milestones of which it is a member, ``fellow_words`` the decisions and risks of their
    other members, ``findings`` the gaps in its definition,
    ``criteria`` its exit criteria. ``good_news`` is a line of our words; ``page`` the address of its report page.
    ``closes_issue``: milesync closes the status issue with the milestone. ``loads`` are people with too much work,
    ``unreviewed`` the uids of open issues without a reviewer, ``waiting_changes`` those of changes whose reviewers have
    not answered for too long.
    """

    items: Mapping[str, Issue] = {}
    open: tuple[str, ...] = ()
    changes: Changes | None = None
    due_dates: tuple[DueDate, ...] = ()
    sources: tuple[SourceFreshness, ...] = ()
    missing: tuple[Input, ...] = ()
    previous_forecast: SummaryForecast | None = None
    last_week: float | None = None
    method_changed_on: date | None = None
    forecasts: tuple[PublishedForecast, ...] = ()
    calibration: str = NO_TRACK_RECORD
    points: tuple[Point, ...] = ()
    budget: Budget | None = None
    override: Override | None = None
    note: Note | None = None
    commands: bool = False
    aggregate: bool = False
    commitments: tuple[Commitment, ...] = ()
    fellow_words: tuple[FellowWords, ...] = ()
    findings: tuple[Finding, ...] = ()
    criteria: Criteria = Criteria()
    good_news: str = ""
    page: str = ""
    closes_issue: bool = False
    loads: tuple[Load, ...] = ()
    unreviewed: tuple[str, ...] = ()
    waiting_changes: tuple[str, ...] = ()

    @property
    def changes_day(self) -> date | None:
        """The day since whose comment ``changes`` are news; None without changes."""
        return None if self.changes is None else day_ended(self.changes.since.astimezone(self.zone))


def meaning(facts: Facts) -> str:
    """Return a hash of what people did and of the status: a summary with another meaning is rewritten at once.

    Figures of the forecast, reasons, levers, flags and times do not count. They move with the clock, with other
    milestones and with every comment on an item, so they are refreshed once a day.
    """
    health = facts.health
    content: Any = (
        (health.status, health.unknown, health.due, health.baseline, health.replan is not None),
        _counts_meaning(health.counts),
        [(uid, *_issue_meaning(facts.items.get(uid))) for uid in sorted(facts.open)],
        (facts.milestone.title, facts.owners, facts.page),
        None if facts.override is None else _override_meaning(facts, facts.override),
        (None if facts.note is None else (facts.note.by, facts.note.text, facts.day_of(facts.note.at)), facts.commands),
        (sorted({missing.connection for missing in facts.missing}), facts.aggregate),
        list(map(_commitment_meaning, facts.commitments)),
        (facts.criteria, facts.unreviewed),
    )
    shown = (facts.words.decisions, facts.words.risks, facts.tolerance, facts.fellow_words)
    if any(shown):  # without words the hash is that of earlier versions
        content = (*content, shown)
    return hashlib.blake2b(msgspec.json.encode(content, order="sorted"), digest_size=8).hexdigest()


def _counts_meaning(counts: Counts) -> Counts:
    """Return the counts without those that move with the clock. Changes that are no items come and go: some or none."""
    return msgspec.structs.replace(
        counts,
        added_week=0,
        pull_requests=min(counts.pull_requests, 1),
        closed_pull_requests=min(counts.closed_pull_requests, 1),
        paired_changes=min(counts.paired_changes, 1),
        page=None,
        counter=None,
    )


def _commitment_meaning(commitment: Commitment) -> Any:
    """Return what is shown of a joint milestone except its figures. Where nothing is left out, earlier hashes stay."""
    shown = msgspec.structs.asdict(msgspec.structs.replace(commitment, probability=None, p50=None, p85=None))
    left_out = shown.pop("more_fellows"), shown.pop("more_blind")
    return (shown, left_out) if any(left_out) else shown


def _override_meaning(facts: Facts, override: Override) -> tuple[Any, ...]:
    """Return what is shown of an override: the time of day at which it was given is not."""
    given_on = None if override.at is None else facts.day_of(override.at)
    return (override.status, override.by, override.until, override.because, given_on)


def _issue_meaning(issue: Issue | None) -> tuple[Any, ...]:
    if issue is None:
        return ()
    owners = [person.id for person in issue.assignees]
    return (issue.title, issue.due, issue.estimate, issue.points, owners, bool(issue.blocked_by))


def build_facts(milestone: AssessedMilestone, *, now: datetime) -> Facts:
    """Build the facts ``now`` (UTC), without changes since the last comment, override and report page."""
    open_now = tuple(membership.item for membership in milestone.memberships if is_open(membership, now))
    members = {membership.item for membership in milestone.memberships}
    items = {uid: milestone.issues[uid] for uid in (*members, *milestone.waiting_changes) if uid in milestone.issues}
    return Facts(
        **msgspec.structs.asdict(verdict_facts(milestone, now=now)),
        items=items,
        open=open_now,
        due_dates=milestone.due_dates,
        sources=(SourceFreshness(name=milestone.connection.name, at=milestone.read_at),),
        missing=tuple(entry for entry in milestone.inputs if entry.state is not InputState.READ),
        points=_points(milestone, now),
        budget=_budget(
            milestone.issues[membership.item]
            for membership in milestone.memberships
            if is_member(membership, now) and membership.item in items
        ),
        forecasts=milestone.forecasts,
        last_week=probability_last_week(
            milestone.health, (*milestone.forecasts, *milestone.last_week), milestone.connection.zone
        ),
        calibration=track_record_sentence(milestone.score),
        commands=True,
        aggregate=milestone.is_aggregate,
        commitments=milestone.commitments,
        fellow_words=milestone.fellow_words,
        findings=milestone.findings,
        criteria=milestone.criteria,
        good_news=good_news(milestone.health, milestone.memberships, milestone.connection.zone),
        loads=milestone.loads,
        unreviewed=milestone.unreviewed,
        waiting_changes=milestone.waiting_changes,
    )


def _points(milestone: AssessedMilestone, now: datetime) -> tuple[Point, ...]:
    """Return scope and done on up to `POINTS` days of the burn-up, until today or the end."""
    zone = milestone.connection.zone
    start, until = milestone.charted_from, day_of(now, zone)
    closed_on = milestone.milestone.closed_on(zone)
    if milestone.health.status.is_over and closed_on is not None:
        until = min(until, closed_on)
    if start is None or start >= until:
        return ()
    days = _days(start, until)
    return tuple(Point(day, done, scope) for day, scope, done in burnup(milestone.chart_memberships, days, zone))


def _days(start: date, until: date) -> Sequence[date]:
    span = (until - start).days
    count = min(POINTS, span + 1)
    return [start + timedelta(days=round(span * n / (count - 1))) for n in range(count)] if count > 1 else [until]


def _budget(items: Iterable[Issue]) -> Budget | None:
    """Add up the budget of the present members; None when no item has an estimate or spent time."""
    budgeted = [item for item in items if item.estimate is not None or item.spent]
    if not budgeted:
        return None
    return Budget(
        estimate=sum(item.estimate or 0 for item in budgeted),
        spent=sum(item.spent or 0 for item in budgeted),
        remaining=sum(_remaining(item) for item in budgeted),
        items=sum(1 for item in budgeted if item.estimate),
    )


def _remaining(item: Issue) -> int:
    """Return the seconds of work left: the remaining time set by people, else estimate minus spent; 0 when closed."""
    if item.state is State.CLOSED:
        return 0
    return item.remaining if item.remaining is not None else max(0, (item.estimate or 0) - (item.spent or 0))


SHOWN, FOLDED, POINTS = 5, 50, 12
"""Maximum numbers: items named in a section, items named in a folded list, points of a chart."""
