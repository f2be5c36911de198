"""Build closing records of the milestones and joint milestones that were observed while they ran, and are over now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
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
    published = store.published((over.keys() | joints.keys()) - store.records([*over, *joints]).keys())
    found = next_milestones([over[uid] for uid in published if uid in over], portfolio.milestones)
    for uid, forecasts in sorted(published.items()):
        if uid in joints:
            yield closing_record(_finished_joint(joints[uid], forecasts))
        else:
            yield closing_record(_finished(over[uid], forecasts, found[uid]))


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


def next_milestones(
    milestones: Iterable[AssessedMilestone], others: Iterable[AssessedMilestone]
) -> dict[str, list[NextMilestone]]:
    """Return for each milestone (uid) those that its carried-over items are in now, the most frequent first.

    They are of the same tracker and kind, and the items joined them at most `NEAR` before they left, or they are of
    the same series. A milestone that readers of the comment may not know has no title.
    """
    left = {milestone.uid: (milestone, _carried_items(milestone)) for milestone in milestones}
    carried = {item for _, items in left.values() for item in items}
    memberships: dict[str, list[tuple[Membership, AssessedMilestone]]] = {}
    for other in others if carried else ():
        for membership in () if other.health.status.is_over else other.memberships:
            if membership.item in carried:
                memberships.setdefault(membership.item, []).append((membership, other))
    return {uid: _next_milestones(milestone, items, memberships) for uid, (milestone, items) in left.items()}


def _carried_items(milestone: AssessedMilestone) -> dict[str, datetime]:
    """Return the carried-over items of a milestone (uids), each with the time (UTC) at which it left."""
    at = milestone.health.at
    return {m.item: m.left for m in milestone.memberships if m.left is not None and is_carried(m, at)}


def _next_milestones(
    milestone: AssessedMilestone,
    left: Mapping[str, datetime],
    memberships: Mapping[str, Sequence[tuple[Membership, AssessedMilestone]]],
) -> list[NextMilestone]:
    """Return `next_milestones` of one milestone. ``memberships`` are those of each item in milestones that run."""
    at = milestone.health.at
    latest: dict[str, tuple[Membership, AssessedMilestone]] = {}
    for item, gone in left.items():
        for membership, other in memberships.get(item, ()):
            if other.uid == milestone.uid or not _may_follow(milestone, other) or not is_member(membership, at):
                continue
            if membership.joined < gone - NEAR and other.stream != milestone.stream:
                continue
            known = latest.get(item)
            if known is None or known[0].joined < membership.joined:
                latest[item] = membership, other
    counted = Counter(other.uid for _, other in latest.values())
    by_uid = {other.uid: other for _, other in latest.values()}
    return [
        NextMilestone(by_uid[uid].milestone.title if can_read(milestone, by_uid[uid]) else "", count)
        for uid, count in sorted(counted.items(), key=lambda pair: (-pair[1], by_uid[pair[0]].milestone.title))
    ]


def _may_follow(milestone: AssessedMilestone, other: AssessedMilestone) -> bool:
    same_tracker = other.connection.source == milestone.connection.source
    return same_tracker and other.milestone.kind is milestone.milestone.kind


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
