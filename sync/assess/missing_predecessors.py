"""Find the predecessors that have no rows: in projects that were removed from the configuration, or never read.

Dependencies are configured, or follow from issues that block each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sync.assess.issue_names import issue_names
from sync.assess.milestone import AssessedMilestone, AssessmentRules
from sync.assess.outage import RemovedMilestone, RemovedProjects
from sync.assess.visibility import may_depend_on
from sync.health.missing_input import Outage
from sync.model.joint import JointMilestone

__all__ = ["is_id_in_project", "outages_of_never_read", "removed_members", "removed_predecessors"]


def removed_members(joint: JointMilestone, removed: RemovedProjects) -> list[RemovedMilestone]:
    """Return the members of a joint milestone whose projects were removed."""
    found = {member for member in joint.members if member in removed.milestones}
    for member in joint.members:
        if "*" in member:
            found.update(removed.index.matching(member))
    return [removed.milestones[written] for written in sorted(found, key=removed.places.__getitem__)]


def removed_predecessors(
    milestones: Mapping[str, AssessedMilestone],
    open_items: Mapping[str, Sequence[str]],
    members: Mapping[str, Sequence[str]],
    rules: AssessmentRules,
    removed: RemovedProjects,
) -> dict[str, list[RemovedMilestone]]:
    """Return for each milestone (uid) the removed ones that it waits for and that its readers may know of.

    ``members``: name of a joint milestone -> uids.
    """
    if not removed.milestones:
        return {}
    found: dict[str, list[RemovedMilestone]] = {}
    pairs = (*_configured(milestones, members, rules, removed), *_blocked(milestones, open_items, removed))
    for uid, milestone in pairs:
        if may_depend_on(milestones[uid], milestone) and milestone not in found.setdefault(uid, []):
            found[uid].append(milestone)
    return {uid: own for uid, own in found.items() if own}


def outages_of_never_read(
    milestones: Mapping[str, AssessedMilestone],
    members: Mapping[str, Sequence[str]],
    rules: AssessmentRules,
    outages: Mapping[tuple[str, str], Outage],
) -> Iterator[tuple[str, Outage]]:
    """Yield the milestones (uid) that wait for one in a project that could never be read, with its outage.

    ``outages``: by name of the connection and project key. A configured predecessor of such a project is not known yet.
    """
    never_read = {name: outage for name, outage in outages.items() if outage.since is None}
    known = {milestone.written for milestone in milestones.values()} if never_read else set()
    joints = {f"joint:{joint.name}": joint.members for joint in rules.joints}
    uids = _uids_by_id(milestones, members) if never_read else {}
    for before, after in rules.dependencies if never_read else ():
        for written in set(joints.get(before, (before,))) - known:
            for (connection, key), outage in never_read.items():
                if is_id_in_project(written, connection, key):
                    yield from ((uid, outage) for uid in uids.get(after, ()))


def is_id_in_project(written: str, connection: str, key: str) -> bool:
    """Return whether an id that people write names a milestone of a project: ``gh:acme/app#12``, ``jira:PAY/2.0``."""
    sign = written.removeprefix(f"{connection}:{key}")[:1]
    return written.startswith(f"{connection}:{key}") and (sign in ("#", "%") or (sign == "/" and "/" not in key))


def _configured(
    milestones: Mapping[str, AssessedMilestone],
    members: Mapping[str, Sequence[str]],
    rules: AssessmentRules,
    removed: RemovedProjects,
) -> Iterator[tuple[str, RemovedMilestone]]:
    joints = {f"joint:{joint.name}": removed_members(joint, removed) for joint in rules.joints}
    uids = _uids_by_id(milestones, members)
    for before, after in rules.dependencies:
        own = removed.milestones.get(before)
        missing = joints.get(before, [] if own is None else [own])
        yield from ((uid, milestone) for uid in uids.get(after, ()) for milestone in missing)


def _uids_by_id(
    milestones: Mapping[str, AssessedMilestone], members: Mapping[str, Sequence[str]]
) -> dict[str, Sequence[str]]:
    """Return by written id the uid of each milestone, and the uids of the members of each joint milestone."""
    uids: dict[str, list[str]] = {}
    for uid, milestone in milestones.items():
        uids.setdefault(milestone.written, []).append(uid)
    return {**uids, **{f"joint:{name}": own for name, own in members.items()}}


def _blocked(
    milestones: Mapping[str, AssessedMilestone], open_items: Mapping[str, Sequence[str]], removed: RemovedProjects
) -> Iterator[tuple[str, RemovedMilestone]]:
    for uid, items in open_items.items():
        milestone = milestones[uid]
        for issue in (milestone.issues[item] for item in items):
            for word in issue.blocked_by:
                names = issue_names(milestone.connection.name, issue.project, word, word)
                yield from ((uid, removed.blockers[name]) for name in names if name in removed.blockers)
