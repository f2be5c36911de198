"""Closing records of invented milestones, each with the keys and addresses of its own tracker."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from msgspec.structs import replace

from sync.model.closing import ClosingRecord, NextMilestone, ReviewQuestion, ReviewQuestionKind
from sync.model.definition import Criteria
from sync.model.membership import Counts
from sync.model.published import PublishedForecast
from sync.model.tracker_data import DueDate, Markup, MilestoneKind, Person

__all__ = ["DIALECTS", "SITUATIONS"]

END = date(2026, 11, 28)
AT = datetime(2026, 11, 29, 6, tzinfo=UTC)
DIALECTS = {
    Markup.GITHUB: (
        "acme/app",
        "https://github.com/acme/app/milestone/3",
        "#40",
        "https://github.com/acme/app/issues/40",
    ),
    Markup.GITLAB: (
        "acme/api",
        "https://gitlab.com/acme/api/-/milestones/3",
        "acme/api#40",
        "https://gitlab.com/acme/api/-/work_items/40",
    ),
    Markup.ADF: (
        "WEB",
        "https://acme.atlassian.net/projects/WEB/versions/10003",
        "WEB-40",
        "https://acme.atlassian.net/browse/WEB-40",
    ),
    Markup.WIKI: (
        "PAY",
        "https://jira.acme.example/projects/PAY/versions/10003",
        "PAY-266",
        "https://jira.acme.example/browse/PAY-266",
    ),
}
"""Project, address of the milestone, key and address of an issue, by markup."""


def _forecast(days: int, probability: float, p85: int) -> PublishedForecast:
    return PublishedForecast(
        at=AT - timedelta(days=days + 1),
        due=END,
        probability=probability,
        p50=END + timedelta(days=p85 - 5),
        p85=END + timedelta(days=p85),
    )


def _plain(markup: Markup) -> ClosingRecord:
    project, url, _, _ = DIALECTS[markup]
    return ClosingRecord(
        container="m",
        at=AT,
        title="v3",
        kind=MilestoneKind.VERSION if markup in (Markup.ADF, Markup.WIKI) else MilestoneKind.MILESTONE,
        project=project,
        url=url,
        zone="Europe/Berlin",
        start=date(2026, 10, 31),
        done=END,
        baseline=END,
        due=END,
    )


def ended(markup: Markup) -> ClosingRecord:
    """Ended with seven of twelve issues carried over, after one move of the due date."""
    moves = (DueDate(AT - timedelta(days=29), date(2026, 11, 14)), DueDate(AT - timedelta(days=18), END))
    return replace(
        _plain(markup),
        baseline=date(2026, 11, 14),
        slips=moves,
        counts=Counts(closed=7, removed=2, carried=7),
        items_at_start=12,
        items_joined=3,
        items_left=1,
        forecasts=(_forecast(27, 0.6, 9), _forecast(14, 0.15, 20), _forecast(1, 0.03, 31)),
        thanks=(Person("1", "ada"), Person("2", "ben")),
        next_milestones=(NextMilestone("v4", 7),),
        questions=(
            ReviewQuestion(kind=ReviewQuestionKind.CARRIED, count=7, of=12, days=28),
            ReviewQuestion(kind=ReviewQuestionKind.SLIPPED, count=1, days=14),
            ReviewQuestion(kind=ReviewQuestionKind.CUT, count=3),
        ),
    )


def done(markup: Markup) -> ClosingRecord:
    """Done six days early, with a slow issue and a budget."""
    _, _, key, url = DIALECTS[markup]
    return replace(
        _plain(markup),
        done=date(2026, 11, 22),
        counts=Counts(closed=12),
        items_at_start=9,
        items_joined=3,
        estimate=144_000,
        spent=165_600,
        criteria=Criteria(1, 2),
        forecasts=(_forecast(27, 0.3, 9), _forecast(20, 0.55, 5)),
        thanks=(Person("1", "ada"),),
        questions=(
            ReviewQuestion(kind=ReviewQuestionKind.CRITERIA, count=1, of=2),
            ReviewQuestion(kind=ReviewQuestionKind.GREW, count=3, of=9),
            ReviewQuestion(kind=ReviewQuestionKind.HELD_UP, days=19, of=4, item=(key, "Refunds for split orders", url)),
        ),
    )


def elsewhere(markup: Markup) -> ClosingRecord:
    """Ended four days before its due date, with work that went to several milestones."""
    return replace(
        _plain(markup),
        done=END - timedelta(days=4),
        counts=Counts(closed=5, open=1, carried=6),
        items_at_start=12,
        next_milestones=(NextMilestone("v4 `beta` @all", 4), NextMilestone("", 2)),
        forecasts=(_forecast(25, 0.82, 2),),
        questions=(
            ReviewQuestion(kind=ReviewQuestionKind.LEFT_OPEN, count=1, of=12),
            ReviewQuestion(
                kind=ReviewQuestionKind.UNFORESEEN, probability=0.82, day=END - timedelta(days=25), count=7, of=12
            ),
            ReviewQuestion(kind=ReviewQuestionKind.KEEP),
        ),
    )


def undated(markup: Markup) -> ClosingRecord:
    """Without a due date, closed with everything done."""
    general = (ReviewQuestionKind.KEEP, ReviewQuestionKind.CHANGE, ReviewQuestionKind.NEXT)
    return replace(
        _plain(markup),
        baseline=None,
        due=None,
        counts=Counts(closed=3),
        items_at_start=3,
        questions=tuple(ReviewQuestion(kind=kind) for kind in general),
    )


def joint(markup: Markup) -> ClosingRecord:
    """A joint milestone that ended three days late. It has no page in a tracker."""
    return replace(
        ended(markup),
        container="joint:Payments GA",
        kind=MilestoneKind.JOINT,
        title="Payments GA",
        project="",
        url="",
        done=END + timedelta(days=3),
        baseline=END,
        slips=(),
        next_milestones=(),
        questions=(
            ReviewQuestion(kind=ReviewQuestionKind.CARRIED, count=7, of=12, days=31),
            ReviewQuestion(kind=ReviewQuestionKind.CUT, count=3),
            ReviewQuestion(kind=ReviewQuestionKind.KEEP),
        ),
    )


SITUATIONS = {situation.__name__: situation for situation in (ended, done, elsewhere, undated, joint)}
