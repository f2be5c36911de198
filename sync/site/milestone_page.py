"""Everything that a milestone's own page tells, as plain values for its template."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from sync.assess.milestone import AssessedMilestone
from sync.forecast.track_record import StreamScore
from sync.history.counting import is_done, is_open
from sync.markup.document import Document, clean
from sync.markup.html import html
from sync.model.closing import ClosingRecord
from sync.model.health import Health, Lever, Reason, Status
from sync.model.tracker_data import Issue
from sync.report import summary as report
from sync.report.burnup import burn_up_of
from sync.report.charts import BurnUp
from sync.report.closing_comment import closing_comment
from sync.report.levers import lever_texts
from sync.report.phrases import STATUS, against, day, plural
from sync.report.reasons import reason_sentence
from sync.report.sections import flagged
from sync.report.view import View, build_view
from sync.site.calibration import DateReliability
from sync.site.portfolio import Row
from sync.site.whatif_table import WhatIf
from sync.store.store import AssessmentSummary
from sync.tracker.marker import Marker, MarkerKind
from sync.tracker.observed import StatusIssue

__all__ = ["HistoryEvent", "MilestonePage", "Waiting", "page", "turned"]


NAMED = 100
"""Items named in one list of a page at most; the rest is counted."""


@dataclass(frozen=True)
class ScopeChange:
    """One change of scope."""

    at: datetime
    word: str
    issue: Issue | None


@dataclass(frozen=True)
class PersonRow:
    """A person and their items in the milestone; the name is empty for what nobody has."""

    name: str
    open: tuple[Issue, ...]
    done: int


@dataclass(frozen=True)
class HistoryEvent:
    """Something that happened to the milestone as such."""

    at: datetime
    kind: str
    words: str
    status: Status | None = None


@dataclass(frozen=True)
class LeverRow:
    """A lever in words; ``probability`` is what it gives."""

    words: str
    effect: str
    probability: float | None
    items: tuple[Issue, ...]


@dataclass(frozen=True)
class Waiting:
    """Another milestone that this one waits for, or that waits for this one; ``issues`` blocked ones say so, with 0 of
    them the configuration does.
    """

    row: Row
    issues: int


@dataclass(frozen=True)
class MilestonePage:
    """One milestone. Foreign texts are as they came; the template escapes them."""

    one: AssessedMilestone
    row: Row
    verdict: str
    chart: BurnUp | None
    reasons: tuple[tuple[Reason, str], ...]
    levers: tuple[LeverRow, ...]
    what_if: WhatIf | None
    scope: tuple[ScopeChange, ...]
    people: tuple[PersonRow, ...]
    attention: tuple[tuple[Issue, tuple[str, ...]], ...]
    history: tuple[HistoryEvent, ...]
    status_issue: str
    explained: Mapping[str, Any]
    score: StreamScore | None
    promise: DateReliability | None
    before: tuple[Waiting, ...]
    after: tuple[Waiting, ...]
    record: str

    @property
    def alone(self) -> Mapping[str, Any] | None:
        """Its health without what it waits for, where that moves it."""
        found: Mapping[str, Any] | None = self.explained.get("health_alone")
        return found

    @property
    def health(self) -> Health:
        """Its health."""
        return self.row.health

    @property
    def days_left(self) -> int | None:
        """Days until the due date; negative once it has passed."""
        return (self.health.due - self.health.at.date()).days if self.health.due else None


def page(
    milestone: AssessedMilestone,
    line: Row,
    *,
    turns: Sequence[AssessmentSummary],
    status_issue: StatusIssue | None,
    what_if: WhatIf | None,
    explained: Mapping[str, Any],
    score: StreamScore | None,
    promise: DateReliability | None = None,
    before: Sequence[Waiting] = (),
    after: Sequence[Waiting] = (),
    record: ClosingRecord | None = None,
) -> MilestonePage:
    """A milestone's page from its assessment, what was said and posted about it, and what was computed beforehand."""
    shown = build_view(milestone, now=milestone.health.at)
    return MilestonePage(
        one=milestone,
        row=line,
        verdict=html(Document((report.summary(shown).sections[0],))),
        chart=burn_up_of(milestone),
        reasons=tuple((why, reason_sentence(why)) for why in milestone.health.reasons),
        levers=tuple(_pull(milestone, offer) for offer in milestone.health.levers),
        what_if=what_if,
        scope=tuple(_scope(milestone)),
        people=tuple(_people(milestone)),
        attention=_attention(shown),
        history=tuple(_history(milestone, turns, status_issue)),
        status_issue=status_issue.url if status_issue else "",
        explained=explained,
        score=score,
        promise=promise,
        before=tuple(before),
        after=tuple(after),
        record=html(closing_comment(record)) if record else "",
    )


def _pull(milestone: AssessedMilestone, offer: Lever) -> LeverRow:
    words, effect = lever_texts(offer, milestone.health.due)
    items = tuple(milestone.issues[uid] for uid in offer.items[:5] if uid in milestone.issues)
    return LeverRow(words, effect, offer.probability, items)


def _scope(milestone: AssessedMilestone) -> list[ScopeChange]:
    """What joined after the start, left, was reopened, closed, or taken out, the newest first."""
    begin = _begin(milestone)
    reopened = {(membership.item, membership.reopened) for membership in milestone.memberships if membership.reopened}
    found: list[ScopeChange] = []
    for membership in milestone.memberships:
        issue = milestone.issues.get(membership.item)
        if (membership.item, membership.joined) in reopened:
            found.append(ScopeChange(membership.joined, "reopened", issue))
        elif membership.joined > begin:
            found.append(ScopeChange(membership.joined, "added", issue))
        if membership.left is not None:
            found.append(ScopeChange(membership.left, "removed", issue))
        if membership.closed is not None:
            found.append(ScopeChange(membership.closed, "taken out" if membership.removed else "closed", issue))
    return sorted(found, key=lambda m: (m.at, m.word, m.issue.key if m.issue else ""), reverse=True)


def _begin(milestone: AssessedMilestone) -> datetime:
    """The end of its first day: what was there by then was planned."""
    start = milestone.health.start or min(
        (membership.joined.date() for membership in milestone.memberships), default=milestone.health.at.date()
    )
    return datetime.combine(start, datetime.min.time(), milestone.source.zone) + timedelta(days=1)


def _people(milestone: AssessedMilestone) -> Iterable[PersonRow]:
    """Who has what, those with the most open items first, nobody's last."""
    at = milestone.health.at
    mine: dict[str, tuple[list[Issue], list[Issue]]] = {}
    for membership in milestone.memberships:
        issue = milestone.issues.get(membership.item)
        if issue is None or not (is_open(membership, at) or is_done(membership, at)):
            continue
        for name in [person.name for person in issue.assignees] or [""]:
            mine.setdefault(name, ([], []))[0 if is_open(membership, at) else 1].append(issue)
    for name in sorted(mine, key=lambda n: (not n, -len(mine[n][0]), -len(mine[n][1]), n)):
        has, did = mine[name]
        yield PersonRow(clean(name) if name else "", tuple(sorted(has, key=lambda i: i.updated_at)), len(did))


def _attention(shown: View) -> tuple[tuple[Issue, tuple[str, ...]], ...]:
    return () if shown.health.status is Status.DONE else tuple(flagged(shown))


def _history(
    milestone: AssessedMilestone, turns: Sequence[AssessmentSummary], status_issue: StatusIssue | None
) -> list[HistoryEvent]:
    """Statuses, comments and slips, the newest first."""
    found = list(turned(turns))
    noted = [entry for entry in milestone.due_dates if entry.seen <= milestone.health.at]
    for before, after in pairwise(noted):
        since = f", since {day(after.after.date())}" if after.after and after.after.date() != after.seen.date() else ""
        found.append(HistoryEvent(after.seen, "due date", f"{_slip(before.due, after.due)}{since}"))
    if noted and noted[0].due is not None:
        found.append(HistoryEvent(noted[0].seen, "due date", f"first seen as {day(noted[0].due)}"))
    for comment in status_issue.comments if status_issue else ():
        marker = Marker.decode(comment.marker)
        if marker is not None and marker.kind is MarkerKind.TRANSITION and marker.status is not None:
            found.append(HistoryEvent(comment.created_at, "comment", f"told: {STATUS[marker.status]}"))
        elif marker is not None and marker.kind is MarkerKind.SUMMARY:
            found.append(HistoryEvent(comment.created_at, "comment", "summary comment made"))
    ended = milestone.milestone.closed_at
    if ended is not None and ended <= milestone.health.at:
        late = f", {against(ended.date(), milestone.health.due)}" if milestone.health.due else ""
        found.append(HistoryEvent(ended, "closed", f"closed{late}"))
    return sorted(found, key=lambda past: past.at, reverse=True)


def turned(turns: Sequence[AssessmentSummary]) -> Iterator[HistoryEvent]:
    """Each change of the status in what was said, given oldest first; told newest first."""
    statuses = [None, *(said.status for said in turns)]
    for before, said in reversed(list(zip(statuses, turns, strict=False))):
        if said.status is not before:
            was = f", was {STATUS[before]}" if before is not None else ""
            yield HistoryEvent(said.at, "status", f"{STATUS[said.status]}{was}", said.status)


def _slip(before: date | None, after: date | None) -> str:
    if before is None or after is None:
        return f"{day(before) if before else 'none'} → {day(after) if after else 'none'}"
    days = (after - before).days
    return f"{day(before)} → {day(after)}, {plural(abs(days), 'day')} {'later' if days > 0 else 'earlier'}"
