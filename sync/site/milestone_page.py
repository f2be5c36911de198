"""The page of a milestone, as plain values for its template."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Any

from sync.assess.milestone import AssessedMilestone
from sync.forecast.track_record import StreamScore
from sync.history.counting import is_done, is_open
from sync.markup.document import Bullets, Document, Section, clean
from sync.markup.html import html
from sync.model.closing import ClosingRecord
from sync.model.dates import day_of, end_of_day
from sync.model.health import Health, Lever, Reason, Status
from sync.model.tracker_data import Issue
from sync.report.attention import flagged_issues
from sync.report.burnup import burn_up_data
from sync.report.charts import BurnUp
from sync.report.closing_comment import closing_comment
from sync.report.counting import counted_in
from sync.report.facts import Facts, build_facts
from sync.report.head import verdict_section
from sync.report.language import ENGLISH
from sync.report.levers import lever_texts
from sync.report.phrases import STATUS, day
from sync.report.reasons import reason_sentence
from sync.report.team_words import decision_line, risk_line
from sync.site.calibration import DateReliability
from sync.site.portfolio import Row
from sync.site.whatif_table import WhatIf
from sync.store.assessments import AssessmentSummary
from sync.tracker.marker import Marker, MarkerKind
from sync.tracker.observed import StatusIssue

__all__ = [
    "DependencyRow",
    "HistoryEvent",
    "MilestonePage",
    "PageFacts",
    "PageNumbers",
    "milestone_page",
    "status_events",
]

NAMED = 100
"""Maximum number of items named in one list of a page; the rest is counted."""


@dataclass(frozen=True)
class ScopeChange:
    """A change of scope on a day in the milestone's zone. ``issue`` is None when the audience may not read it."""

    on: date
    word: str
    issue: Issue | None


@dataclass(frozen=True)
class PersonRow:
    """A person with their open issues and their number of done issues; the name is empty for unassigned issues."""

    name: str
    open: tuple[Issue, ...]
    done: int


@dataclass(frozen=True)
class HistoryEvent:
    """An event of the milestone itself at a time (UTC): a status, a comment, a due date, the end."""

    at: datetime
    kind: str
    words: str
    status: Status | None = None


@dataclass(frozen=True)
class LeverRow:
    """A lever in words, with the probability that it gives (None: unknown) and the issues that it names."""

    words: str
    effect: str
    probability: float | None
    items: tuple[Issue, ...]


@dataclass(frozen=True)
class DependencyRow:
    """Another milestone that this one waits for, or that waits for this one.

    ``issues`` is the number of blocked issues behind the dependency; 0: it comes from the configuration.
    """

    row: Row
    issues: int


@dataclass(frozen=True, kw_only=True)
class PageFacts:
    """The facts of a page in addition to the assessment and the row.

    ``assessments`` are the earlier ones that changed what the audience knew, oldest first. ``status_issue`` is None
    when there is none or the audience may not see it. ``inputs``: digest of what its numbers are computed from.
    ``before`` are the milestones that this one waits for, ``after`` those that wait for it. ``record`` is the closing
    record.
    """

    assessments: Sequence[AssessmentSummary] = ()
    status_issue: StatusIssue | None = None
    inputs: str
    score: StreamScore | None = None
    reliability: DateReliability | None = None
    before: tuple[DependencyRow, ...] = ()
    after: tuple[DependencyRow, ...] = ()
    record: ClosingRecord | None = None


@dataclass(frozen=True)
class PageNumbers:
    """The numbers of a page, which take most of its time: every number behind the health, and the what-if table."""

    explained: Mapping[str, Any]
    what_if: WhatIf | None = None

    @property
    def alone(self) -> Mapping[str, Any] | None:
        """Health of the milestone without its dependencies; None when they do not change it."""
        health: Mapping[str, Any] | None = self.explained.get("health_alone")
        return health


@dataclass(frozen=True, kw_only=True)
class MilestonePage:
    """The values of one page, but for its numbers. Foreign texts are unescaped; the template escapes them.

    They are plain data: an unchanged page is found by comparing them. ``inputs`` is a digest of what its `PageNumbers`
    are computed from. ``project`` is that of the milestone (``gh:acme/app``), ``read_at`` its last full sync (UTC).
    ``verdict``, ``team_words`` (decisions and risks) and ``record`` are HTML, empty without content.
    ``url`` and ``status_issue`` are addresses, empty without one.
    """

    row: Row
    project: str
    url: str
    read_at: datetime | None
    inputs: str
    verdict: str
    chart: BurnUp | None
    reasons: tuple[tuple[Reason, str], ...]
    levers: tuple[LeverRow, ...]
    team_words: str
    scope: tuple[ScopeChange, ...]
    people: tuple[PersonRow, ...]
    attention: tuple[tuple[Issue, tuple[str, ...]], ...]
    history: tuple[HistoryEvent, ...]
    status_issue: str
    score: StreamScore | None
    reliability: DateReliability | None
    before: tuple[DependencyRow, ...]
    after: tuple[DependencyRow, ...]
    record: str

    @property
    def health(self) -> Health:
        """Health of the milestone."""
        return self.row.health


def milestone_page(milestone: AssessedMilestone, row: Row, page: PageFacts) -> MilestonePage:
    """Return the page of a milestone from its assessment, its row and the other page."""
    facts, language = build_facts(milestone, now=milestone.health.at), counted_in(milestone.health)
    return MilestonePage(
        row=row,
        project=f"{milestone.connection.name}:{milestone.project.key}",
        url=milestone.milestone.url,
        read_at=milestone.read_at,
        inputs=page.inputs,
        verdict=html(Document((verdict_section(facts),))),
        chart=burn_up_data(milestone),
        reasons=tuple((reason, reason_sentence(reason, language)) for reason in milestone.health.reasons),
        levers=tuple(_lever_row(milestone, lever) for lever in milestone.health.levers),
        team_words=_team_words(facts),
        scope=tuple(_scope_changes(milestone)),
        people=tuple(_people(milestone)),
        attention=_attention(facts),
        history=tuple(_history(milestone, page.assessments, page.status_issue)),
        status_issue=page.status_issue.url if page.status_issue else "",
        score=page.score,
        reliability=page.reliability,
        before=page.before,
        after=page.after,
        record=html(closing_comment(page.record)) if page.record else "",
    )


def _team_words(facts: Facts) -> str:
    """Return the decisions and risks of the description as a list in HTML."""
    decisions, risks = facts.words.decisions, facts.words.risks
    lines = [decision_line(decision, is_overdue=decision in facts.overdue_decisions) for decision in decisions]
    lines += [risk_line((risk,)) for risk in risks]
    return html(Document((Section(title="", blocks=(Bullets(tuple(lines)),), weight=1),))) if lines else ""


def _lever_row(milestone: AssessedMilestone, lever: Lever) -> LeverRow:
    words, effect = lever_texts(lever, milestone.health.due, counted_in(milestone.health))
    items = tuple(milestone.issues[uid] for uid in lever.items[:5] if uid in milestone.issues)
    return LeverRow(words, effect, lever.probability, items)


def _scope_changes(milestone: AssessedMilestone) -> list[ScopeChange]:
    """Return the changes of scope after the start, newest first."""
    begin, zone = _planned_until(milestone), milestone.connection.zone
    reopened = {(membership.item, membership.reopened) for membership in milestone.memberships if membership.reopened}
    changes: list[tuple[datetime, str, Issue | None]] = []
    for membership in milestone.memberships:
        issue = milestone.issues.get(membership.item)
        if (membership.item, membership.joined) in reopened:
            changes.append((membership.joined, "reopened", issue))
        elif membership.joined > begin:
            changes.append((membership.joined, "added", issue))
        if membership.left is not None:
            changes.append((membership.left, "removed", issue))
        if membership.closed is not None:
            changes.append((membership.closed, "removed" if membership.removed else "closed", issue))
    newest_first = sorted(changes, key=lambda c: (c[0], c[1], c[2].key if c[2] else ""), reverse=True)
    return [ScopeChange(day_of(at, zone), word, issue) for at, word, issue in newest_first]


def _planned_until(milestone: AssessedMilestone) -> datetime:
    """Return the end (UTC) of the first day in the project's zone: items that joined by then count as planned.

    Without a history it is the time at which the members were first seen.
    """
    zone = milestone.connection.zone
    first = min((membership.joined for membership in milestone.memberships), default=milestone.health.at)
    return milestone.known_from or end_of_day(milestone.health.start or day_of(first, zone), zone)


def _people(milestone: AssessedMilestone) -> Iterable[PersonRow]:
    """Yield people with their issues, those with the most open issues first, unassigned issues last."""
    at = milestone.health.at
    mine: dict[str, tuple[list[Issue], list[Issue]]] = {}
    for membership in milestone.memberships:
        issue = milestone.issues.get(membership.item)
        if issue is None or not (is_open(membership, at) or is_done(membership, at)):
            continue
        for name in [person.name for person in issue.assignees] or [""]:
            mine.setdefault(name, ([], []))[0 if is_open(membership, at) else 1].append(issue)
    for name in sorted(mine, key=lambda n: (not n, -len(mine[n][0]), -len(mine[n][1]), n)):
        opened, done = mine[name]
        oldest_first = tuple(sorted(opened, key=lambda issue: issue.updated_at))
        yield PersonRow(clean(name) if name else "", oldest_first, len(done))


def _attention(facts: Facts) -> tuple[tuple[Issue, tuple[str, ...]], ...]:
    return () if facts.health.status.is_over else tuple(flagged_issues(facts))


def _history(
    milestone: AssessedMilestone, assessments: Sequence[AssessmentSummary], status_issue: StatusIssue | None
) -> list[HistoryEvent]:
    """Return changes of status and due date, comments and the end, newest first."""
    events, zone = list(status_events(assessments)), milestone.connection.zone
    noted = [entry for entry in milestone.due_dates if entry.seen <= milestone.health.at]
    for before, after in pairwise(noted):
        known = None if after.after is None else day_of(after.after, zone)
        since = f", since {day(known)}" if known is not None and known < day_of(after.seen, zone) else ""
        events.append(HistoryEvent(after.seen, "due date", f"{_slip(before.due, after.due)}{since}"))
    if noted and noted[0].due is not None:
        events.append(HistoryEvent(noted[0].seen, "due date", f"first seen as {day(noted[0].due)}"))
    for comment in status_issue.comments if status_issue else ():
        marker = Marker.decode(comment.marker)
        if marker is not None and marker.kind is MarkerKind.TRANSITION and marker.status is not None:
            events.append(HistoryEvent(comment.created_at, "comment", f"announced: {STATUS[marker.status]}"))
        elif marker is not None and marker.kind is MarkerKind.SUMMARY:
            events.append(HistoryEvent(comment.created_at, "comment", "summary comment created"))
    ended = milestone.milestone.closed_at
    if ended is not None and ended <= milestone.health.at:
        events.append(HistoryEvent(ended, "closed", "closed in the tracker"))
    return sorted(events, key=lambda event: event.at, reverse=True)


def status_events(assessments: Sequence[AssessmentSummary]) -> Iterator[HistoryEvent]:
    """Yield the changes of status, newest first; ``assessments`` are oldest first."""
    statuses = [None, *(assessment.status for assessment in assessments)]
    for before, assessment in reversed(list(zip(statuses, assessments, strict=False))):
        if assessment.status is not before:
            was = f", was {STATUS[before]}" if before is not None else ""
            yield HistoryEvent(assessment.at, "status", f"{STATUS[assessment.status]}{was}", assessment.status)


def _slip(before: date | None, after: date | None) -> str:
    if before is None or after is None:
        return f"{day(before) if before else 'none'} → {day(after) if after else 'none'}"
    return f"{day(before)} → {day(after)} ({ENGLISH.shift((after - before).days)})"
