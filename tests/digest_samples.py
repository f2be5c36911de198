"""Milestones of every kind, as a digest shows them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from sync.digest.changes import MilestoneState
from sync.model.digest import LastSent
from sync.model.health import Dates, Health, Lever, LeverKind, Reason, ReasonKind, Status, UnknownCause
from sync.model.membership import Counts
from sync.model.team_words import NO_WORDS, Decision, TeamWords
from sync.model.tracker_data import Milestone, MilestoneKind, State

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
DUE = date(2026, 12, 12)
SLOW = Reason(kind=ReasonKind.PACE, effect=-1.0, values={"share": 0.4, "usual": 0.6})
WAYS = (
    Lever(kind=LeverKind.CUT, probability=0.82, values={"count": 3, "of": 16}),
    Lever(kind=LeverKind.MOVE, probability=0.85, values={"to": date(2027, 1, 9)}),
)


WORDS = TeamWords(
    risks=("the audit @channel", "one person knows it"),
    decisions=(
        Decision(text="Which vendor? <!here>", by=date(2026, 11, 20), owner="@lin"),
        Decision(text="Who signs?", by=date(2026, 12, 1)),
        Decision(text="Later", by=date(2027, 3, 1)),
    ),
)


def health(
    status: Status, p: float | None = None, p50: date | None = None, p85: date | None = None, **more: Any
) -> Health:
    """A health with 14 of 30 issues done."""
    given = {"due": DUE, "dates": Dates(p50=p50, p85=p85), "counts": Counts(open=16, closed=14), **more}
    return Health(container="", at=NOW, status=status, band=status, since=NOW, probability=p, **given)


def standing(name: str, found: Health, **more: Any) -> MilestoneState:
    """A milestone of project ``acme/<name>``."""
    ended: datetime | None = more.get("ended")
    return MilestoneState(
        uid=name,
        health=found,
        project=more.get("project", f"acme/{name}"),
        ended=ended,
        milestone=milestone(more.get("title", name.capitalize()), more.get("url", ""), ended),
        words=more.get("words", NO_WORDS),
    )


def milestone(title: str, url: str = "", ended: datetime | None = None) -> Milestone:
    """A milestone of a tracker that ended at a time (UTC), or runs."""
    return Milestone(
        id=title,
        project="p",
        kind=MilestoneKind.MILESTONE,
        key=title,
        written=f"#{title}",
        title=title,
        url=url,
        state=State.CLOSED if ended else State.OPEN,
        closed_at=ended,
    )


def steady(name: str = "web", **more: Any) -> MilestoneState:
    """One that is on track."""
    return standing(name, health(Status.ON_TRACK, 0.9, date(2026, 12, 1), date(2026, 12, 9), **more))


STEADY = LastSent(status=Status.ON_TRACK, due=DUE, probability=0.9, p85=date(2026, 12, 9))


def everything() -> tuple[list[MilestoneState], dict[str, LastSent]]:
    """Milestones of every kind, and the digest of three days ago."""
    off = health(Status.OFF_TRACK, 0.12, date(2026, 12, 30), date(2027, 1, 14), reasons=(SLOW,), levers=WAYS)
    risk = health(Status.AT_RISK, 0.62, date(2026, 12, 10), date(2026, 12, 20), reasons=(SLOW,), levers=WAYS[:1])
    late = health(Status.OVERDUE, None, date(2026, 12, 30), date(2027, 1, 30), due=date(2026, 11, 12))
    blind = health(Status.UNKNOWN, unknown=UnknownCause.STALE, stale_since=NOW - timedelta(days=2))
    found = [
        standing("payments", off, title="Payments GA", project=""),
        standing("app", risk, title="2.0 <!channel> @here", url="https://tracker.example/acme/app/milestone/2"),
        standing("old", health(Status.DONE), ended=datetime(2026, 12, 15, tzinfo=UTC)),
        steady(),
        standing("docs", blind),
        standing("ops", late),
        steady("mobile"),
        steady("search"),
        standing("gone", health(Status.ON_TRACK, 0.9), ended=NOW - timedelta(days=1)),
        standing("legal", health(Status.ON_TRACK, 0.9, date(2026, 12, 1), date(2026, 12, 9)), words=WORDS),
        standing("undated", health(Status.NO_DUE_DATE, due=None)),
    ]
    told = {
        "payments": LastSent(status=Status.AT_RISK, due=DUE, p85=date(2026, 12, 22)),
        "app": LastSent(status=Status.ON_TRACK, due=date(2026, 11, 30), p85=date(2026, 12, 15)),
        "old": LastSent(status=Status.ON_TRACK, due=DUE),
        "web": STEADY,
        "docs": STEADY,
        "ops": LastSent(status=Status.OVERDUE, due=date(2026, 11, 12), p85=date(2027, 1, 30), asked=date(2026, 11, 20)),
        "search": LastSent(status=Status.ON_TRACK, due=DUE, probability=0.9, p85=date(2026, 12, 29)),
        "gone": STEADY,
        "legal": STEADY,
        "undated": LastSent(status=Status.ON_TRACK, due=DUE),
    }
    return found, told
