"""Findings about a portfolio: rules over the running milestones of an audience and the work outside of them. Pure.

======================  =============================================================================================
forgotten               14 days or more past its due date, open work, and nothing in it changed for 14 days
finished, but open      everything in it has been closed for 7 days or more, but the milestone, of a kind that people
                        close, is open in its tracker
same title              two or more running milestones of one project have one title
bucket                  no due date, and issues have joined it for 180 days or more: it collects work and never ends
work without milestone  open issues of a project with running milestones that are in no milestone
======================  =============================================================================================

A milestone whose data is missing has no findings: what has changed in it is not known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta

from msgspec import Struct

from sync.model.item_state import fold_name
from sync.model.membership import Counts
from sync.model.portfolio_finding import PortfolioFinding, PortfolioFindingKind
from sync.model.tracker_data import ENDING_WITHOUT_CLOSING, MilestoneKind

__all__ = ["RECENT", "OpenWork", "RunningMilestone", "portfolio_findings"]

FORGOTTEN = timedelta(days=14)
"""Time past the due date, and without a change, after which a milestone is forgotten."""

FINISHED = timedelta(days=7)
"""Time after the last closing from which a finished milestone should be closed."""

BUCKET = timedelta(days=180)
"""Age at which a milestone without a due date is a bucket."""

RECENT = timedelta(days=14)
"""Time in which a change makes work without a milestone recent."""


class OpenWork(Struct, frozen=True):
    """Number of open issues of a project that are in no milestone, and how many of them changed within `RECENT`."""

    count: int
    recent: int


class RunningMilestone(Struct, frozen=True, kw_only=True):
    """A running milestone whose data is complete. Days are those of its tracker.

    ``written`` is its id, ``other_ids`` are further texts that may mean it. ``project`` is the project as people write
    it. ``first_join`` and ``last_change`` are those of its items and of the other work on the
    tracker's own page; None without any.
    """

    written: str
    other_ids: tuple[str, ...]
    project: str
    title: str
    kind: MilestoneKind
    today: date
    due: date | None
    counts: Counts
    first_join: date | None
    last_change: date | None


def portfolio_findings(
    milestones: Sequence[RunningMilestone], open_work: Mapping[str, OpenWork]
) -> tuple[PortfolioFinding, ...]:
    """Return the findings in the order of the table above, then by id.

    ``open_work`` is by project as people write it, for the projects that have running milestones.
    """
    findings = [finding for milestone in milestones for finding in _of_milestone(milestone)]
    findings += _same_titles(milestones)
    findings += [
        PortfolioFinding(
            kind=PortfolioFindingKind.UNPLANNED, ids=(project,), values={"count": work.count, "recent": work.recent}
        )
        for project, work in open_work.items()
        if work.count
    ]
    order = list(PortfolioFindingKind)
    return tuple(sorted(findings, key=lambda finding: (order.index(finding.kind), finding.ids)))


def _of_milestone(milestone: RunningMilestone) -> Iterator[PortfolioFinding]:
    counts, today, last = milestone.counts, milestone.today, milestone.last_change

    def finding(kind: PortfolioFindingKind, **values: date | int) -> PortfolioFinding:
        ids, title = (milestone.written,), milestone.title
        return PortfolioFinding(kind=kind, ids=ids, title=title, milestone_kind=milestone.kind, values=dict(values))

    open_work = counts.open + counts.uncounted_open
    if last is not None and open_work and milestone.due is not None and milestone.due <= today - FORGOTTEN:
        if last <= today - FORGOTTEN:
            yield finding(PortfolioFindingKind.FORGOTTEN, due=milestone.due, since=last)
    elif last is not None and _is_finished(milestone) and last <= today - FINISHED:
        yield finding(PortfolioFindingKind.FINISHED, since=last)
    first = milestone.first_join
    if milestone.due is None and first is not None and open_work and first <= today - BUCKET:
        yield finding(PortfolioFindingKind.BUCKET, since=first, count=counts.on_page.total)


def _is_finished(milestone: RunningMilestone) -> bool:
    """Return True if all work is done and only a person is left to close the milestone."""
    counts = milestone.counts
    is_done = counts.done > 0 and not (counts.carried or counts.open or counts.uncounted_open)
    return is_done and milestone.kind not in ENDING_WITHOUT_CLOSING


def _same_titles(milestones: Iterable[RunningMilestone]) -> Iterator[PortfolioFinding]:
    """Yield a finding for each title that several milestones of one project have, or that makes an id ambiguous."""
    by_name: dict[tuple[str, str], dict[str, RunningMilestone]] = defaultdict(dict)
    for milestone in milestones:
        for name in {(milestone.project, fold_name(milestone.title)), *((text, "") for text in milestone.other_ids)}:
            by_name[name][milestone.written] = milestone
        by_name[milestone.written, ""][milestone.written] = milestone
    reported: set[tuple[str, ...]] = set()
    for found in by_name.values():
        ids = tuple(sorted(found))
        if len(ids) > 1 and ids not in reported:
            reported.add(ids)
            yield PortfolioFinding(
                kind=PortfolioFindingKind.SAME_TITLE,
                ids=ids,
                title=found[ids[0]].title,
                values={"count": len(ids)},
            )
