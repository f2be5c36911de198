"""Find what only a person can clear: texts of other accounts with our marker, and status issues that are gone."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sync.assess.milestone import AssessedMilestone
from sync.model.characters import one_line
from sync.model.policy import Policy
from sync.plan.desired import Plan, Skipped
from sync.pull.identify import moved_error
from sync.tracker.errors import ClaimedError, LostIssueError, TrackerError

__all__ = ["plan_obstacles"]


def plan_obstacles(
    plan: Plan, assessed: Sequence[AssessedMilestone], opened: Iterable[tuple[str, str]]
) -> Iterator[tuple[AssessedMilestone, TrackerError]]:
    """Yield each milestone of a plan for which a person has to decide, with the error that says what.

    ``opened`` are milestone (uid) and key of the status issues that milesync has opened so far.
    """
    by_uid = {milestone.uid: milestone for milestone in assessed}
    for skipped in plan.skipped:
        milestone = by_uid[skipped.milestone]
        if skipped.address:
            yield milestone, moved_error(milestone.connection, skipped.address, milestone.project.key)
        elif skipped.place:
            yield milestone, _claimed(milestone, skipped)
    keys: dict[str, list[str]] = {}
    for uid, key in opened:
        keys.setdefault(uid, []).append(key)
    for uid in plan.without_issue:
        if uid in keys:
            yield by_uid[uid], _lost(by_uid[uid], keys)


def _claimed(milestone: AssessedMilestone, skipped: Skipped) -> ClaimedError:
    account = one_line(skipped.claimed_by)
    what = f"the account {account}" if account else "an account that was deleted"
    former = f" --from {shlex.quote(account)}" if account else ""
    other = f"; else add {account} to ignored_accounts of the connection" if account else ""
    words = f"{skipped.place}, by {what}: if it was milesync's, run `milesync adopt{former}`{other}"
    return ClaimedError(milestone.connection.name, milestone.project.key, words)


def _lost(milestone: AssessedMilestone, keys: Mapping[str, Sequence[str]]) -> LostIssueError:
    lost = ", ".join(sorted(keys[milestone.uid]))
    if milestone.connection.policy_of(milestone.project.key) is Policy.CREATE:
        what = "; a new one is opened"
    else:
        what = ": let the token see it, name another in report_on, or exclude the milestone; policy create opens one"
    words = f"{lost}, of {milestone.written}{what}"
    return LostIssueError(milestone.connection.name, milestone.project.key, words)
