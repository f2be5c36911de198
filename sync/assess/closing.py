"""Build closing records of the milestones and joint milestones that were observed while they ran, and are over now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import pairwise

from sync.assess.milestone import AssessedMilestone
from sync.assess.portfolio import AssessedJointMilestone, Portfolio
from sync.assess.visibility import can_read
from sync.health.closing import FinishedMilestone, closing_record
from sync.history.carry_over import NEAR
from sync.history.counting import is_carried, is_member
from sync.model.closing import ClosingRecord, NextMilestone
from sync.model.definition import Criteria
from sync.model.membership import Membership
from sync.model.published import PublishedForecast
from sync.model.tracker_data import DueDate, MilestoneKind
from sync.store.store import Store

__all__ = ["new_closing_records", "next_milestones"]


def new_closing_records(
    store: Store, portfolio: Portfolio, assessed: Sequence[AssessedMilestone]
) -> Iterator[ClosingRecord]:
    """Yield records of milestones and joint ones that are over, have no record yet, and were seen running before.

    ``assessed`` are the milestones of the portfolio whose data was just read; a joint milestone needs all its members.
    """
    over = {milestone.uid: milestone for milestone in assessed if milestone.health.status.is_over}
    joints = {joint.written: joint for joint in portfolio.joints if joint.health.status.is_over and not joint.is_stale}
    for uid in sorted((over.keys() | joints.keys()) - store.records([*over, *joints]).keys()):
        forecasts, was_running = store.published(uid)
        if not was_running:
            continue
        if uid in joints:
            yield closing_record(_finished_joint(joints[uid], forecasts))
        else:
            found = next_milestones(over[uid], portfolio.milestones)
            yield closing_record(_finished(over[uid], forecasts, found))


def _finished(
    milestone: AssessedMilestone, forecasts: Sequence[PublishedForecast], found: Sequence[NextMilestone]
) -> FinishedMilestone:
    zone = milestone.connection.zone
    return FinishedMilestone(
        health=milestone.health,
        title=milestone.milestone.title,
        kind=milestone.milestone.kind,
        url=milestone.milestone.url,
        project=milestone.project.key,
        memberships=milestone.memberships,
        issues=milestone.issues,
        ended_on=milestone.milestone.closed_on(zone),
        due_dates=milestone.due_dates,
        forecasts=forecasts,
        criteria=milestone.criteria,
        next_milestones=found,
        zone=zone,
    )


# --- where carried-over items went ------------------------------------------------------------------------------------


def next_milestones(milestone: AssessedMilestone, others: Iterable[AssessedMilestone]) -> list[NextMilestone]:
    """Return the milestones that the carried-over items are in now, the most frequent first.

    They are of the same tracker and kind, and the items joined them at most `NEAR` before they left, or they are of
    the same series. A milestone that readers of the comment may not know has no title.
    """
    at = milestone.health.at
    left = {m.item: m.left for m in milestone.memberships if m.left is not None and is_carried(m, at)}
    latest: dict[str, tuple[Membership, AssessedMilestone]] = {}
    for other in others:
        if other.uid == milestone.uid or not _may_follow(milestone, other):
            continue
        for membership in other.memberships:
            gone = left.get(membership.item)
            if gone is None or not is_member(membership, at):
                continue
            if membership.joined < gone - NEAR and other.stream != milestone.stream:
                continue
            known = latest.get(membership.item)
            if known is None or known[0].joined < membership.joined:
                latest[membership.item] = membership, other
    counted = Counter(other.uid for _, other in latest.values())
    by_uid = {other.uid: other for _, other in latest.values()}
    return [
        NextMilestone(by_uid[uid].milestone.title if can_read(milestone, by_uid[uid]) else "", count)
        for uid, count in sorted(counted.items(), key=lambda pair: (-pair[1], by_uid[pair[0]].milestone.title))
    ]


def _may_follow(milestone: AssessedMilestone, other: AssessedMilestone) -> bool:
    same_tracker = other.connection.source == milestone.connection.source
    return same_tracker and other.milestone.kind is milestone.milestone.kind and not other.health.status.is_over


# --- joint milestones -------------------------------------------------------------------------------------------------


def _finished_joint(joint: AssessedJointMilestone, forecasts: Sequence[PublishedForecast]) -> FinishedMilestone:
    """Return the facts of a joint milestone: it ends with its last member, and each item counts once.

    Days are those of the member that ended last. Issues are named with their project.
    """
    ends = {member.uid: member.milestone.closed_on(member.connection.zone) for member in joint.members}
    last = max(joint.members, key=lambda member: (ends[member.uid] or member.health.due or date.max, member.uid))
    known = [day for day in ends.values() if day is not None]
    return FinishedMilestone(
        health=joint.health,
        title=joint.joint.name,
        kind=MilestoneKind.JOINT,
        memberships=[membership for member in joint.members for membership in member.memberships],
        issues={uid: issue for member in joint.members for uid, issue in member.issues.items()},
        ended_on=max(known) if len(known) == len(ends) else None,
        due_dates=_due_dates(forecasts),
        forecasts=forecasts,
        criteria=Criteria(
            met=sum(member.criteria.met for member in joint.members),
            of=sum(member.criteria.of for member in joint.members),
        ),
        zone=last.connection.zone,
    )


def _due_dates(forecasts: Sequence[PublishedForecast]) -> list[DueDate]:
    """Return the due dates of the published forecasts, each where it changed."""
    dues = [DueDate(forecast.at, forecast.due) for forecast in forecasts]
    return dues[:1] + [after for before, after in pairwise(dues) if before.due != after.due]
