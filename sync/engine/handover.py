"""Adopt and retire: plans that a person asks for by name.

`adopt` replaces the texts of a former account of ours; `retire` removes everything of this instance. Both observe first
and return a plan; the engine applies the plan as always, within leases, limits and policies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from sync.assess.milestone import AssessedMilestone
from sync.engine.engine import Engine
from sync.engine.instance import former_instance
from sync.plan.board_status import claimed_updates
from sync.plan.desired import Plan, label_names, merge_plans
from sync.plan.inputs import RetirementInput, address_of_milestone
from sync.plan.optional_writes import retire_optional_writes
from sync.plan.ownership import OwnedIssue, adoption, renaming, retirement
from sync.pull.progress import Failure
from sync.tracker.actions import OwnContent
from sync.tracker.errors import TrackerError
from sync.tracker.marker import Marker, MarkerKind, is_claim
from sync.tracker.observed import BoardUpdate, Claim, Observed, StatusIssue, Target

__all__ = ["Claims", "adopt", "find_claims", "retire"]


@dataclass(frozen=True)
class Claims:
    """Texts of other accounts with our instance's marker: status issues, summaries and board updates.

    ``seen`` is the observation in which they were found.
    """

    seen: Observed
    issues: tuple[tuple[AssessedMilestone, Claim], ...]
    summaries: tuple[tuple[AssessedMilestone, Claim], ...]
    updates: tuple[tuple[AssessedMilestone, BoardUpdate], ...]

    @property
    def accounts(self) -> dict[str, int]:
        """The number of texts by account, highest first."""
        authors = [claim.author for _, claim in (*self.issues, *self.summaries)]
        counts = Counter([*authors, *(update.author for _, update in self.updates)])
        return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def find_claims(engine: Engine, assessed: Sequence[AssessedMilestone]) -> Claims:
    """Observe all current milestones and return the texts of other accounts with our marker. Store no claim."""
    current = [milestone for milestone in assessed if milestone.is_current]
    observed, instance = engine.observer.observe(current), engine.instance
    issues = [
        (milestone, claim)
        for milestone in current
        if (claim := observed.claims.get(milestone.uid)) is not None
        and is_claim(claim, instance, milestone.uid, MarkerKind.STATUS_ISSUE)
    ]
    status_issues = {**observed.issues, **_observe_claimed(engine, issues)}
    present = [(milestone, status_issues[milestone.uid]) for milestone in current if milestone.uid in status_issues]
    summaries = [
        (milestone, claim)
        for milestone, issue in present
        for claim in issue.claims
        if is_claim(claim, instance, milestone.uid, MarkerKind.SUMMARY)
    ]
    updates = [
        (milestone, update)
        for milestone, issue in present
        for update in claimed_updates(issue, milestone.uid, instance)
    ]
    seen = Observed(issues=status_issues, failed=observed.failed, labels=observed.labels)
    return Claims(seen, tuple(issues), tuple(summaries), tuple(updates))


def _observe_claimed(engine: Engine, issues: Sequence[tuple[AssessedMilestone, Claim]]) -> dict[str, StatusIssue]:
    """Observe the claimed status issues. A failure is added to the engine's failures."""
    found: dict[str, StatusIssue] = {}
    targets: dict[str, list[Target]] = {}
    for (milestone, claim), target in zip(issues, engine.observer.targets([own for own, _ in issues]), strict=True):
        targets.setdefault(milestone.connection.name, []).append(msgspec.structs.replace(target, issue=claim.issue))
    for connection in engine.connections:
        if connection.name in targets:
            try:
                found |= connection.observe(targets[connection.name]).issues
            except TrackerError as error:
                engine.failures.append(Failure(connection.name, "", str(error)))
    return found


def adopt(
    engine: Engine, assessed: Sequence[AssessedMilestone], claims: Claims, accounts: Collection[str], *, remember: bool
) -> Plan:
    """Return the plan that replaces the texts of these accounts.

    ``remember`` stores that the claimed status issues of these accounts are ours from now on.
    """
    adopted = {milestone.uid for milestone, claim in claims.issues if claim.author in accounts}
    foreign = {milestone.uid for milestone, _ in claims.issues} - adopted
    observed = Observed(issues={uid: issue for uid, issue in claims.seen.issues.items() if uid not in foreign})
    if remember:
        for milestone, _ in claims.issues:
            issue = observed.issues.get(milestone.uid)
            if milestone.uid in adopted and issue is not None:
                engine.store.adopt(milestone.uid, milestone.project.id, issue, engine.clock(), engine.instance)
    current = [milestone for milestone in assessed if milestone.is_current]
    desired = engine.desired.build(current, observed, (), engine.clock())
    plan = adoption(desired, observed, instance=engine.instance, now=engine.clock(), accounts=accounts)
    former = former_instance(engine.store, engine.instance)
    return merge_plans([*_rename_instance(engine, assessed, observed, former), plan]) if former else plan


def _rename_instance(
    engine: Engine, assessed: Sequence[AssessedMilestone], observed: Observed, former: str
) -> Iterator[Plan]:
    """Yield the plans that take over the texts of a former instance of this installation.

    Optional texts with the instance's name are removed; the next run writes them again.
    """
    issues = [(address_of_milestone(m), observed.issues[m.uid]) for m in assessed if m.uid in observed.issues]
    yield renaming(issues, former=former, instance=engine.instance)
    optional = RetirementInput(
        milestones=assessed, observed=observed, instance=former, native_health={}, item_labels={}
    )
    yield from retire_optional_writes(optional)


def retire(engine: Engine, assessed: Sequence[AssessedMilestone]) -> tuple[Plan, list[str]]:
    """Return the plan that removes everything of this instance, and in words what the plan cannot reach."""
    observed, store = engine.observer.observe(assessed), engine.store
    origins = {connection.source for connection in engine.connections}
    optional = RetirementInput(
        milestones=assessed,
        observed=observed,
        instance=engine.instance,
        native_health=store.native_health_set(),
        item_labels={origin: store.item_labels(origin) for origin in origins},
    )
    plan = retirement(_owned_issues(engine, assessed, observed), instance=engine.instance)
    return merge_plans([plan, *retire_optional_writes(optional)]), _unreachable(engine, assessed, observed)


def _owned_issues(engine: Engine, assessed: Sequence[AssessedMilestone], observed: Observed) -> list[OwnedIssue]:
    """Return the status issues with what milesync may have written there."""
    opened = engine.store.opened_status_issues()
    posted = engine.store.milestones_with(OwnContent.SUMMARY)
    prefixes = engine.store.label_prefixes()
    owned = []
    for milestone in assessed:
        issue = observed.issues.get(milestone.uid)
        if issue is None:
            continue
        marker = Marker.decode(issue.marker)
        has_own_marker = marker is not None and marker.instance == engine.instance
        separator = milestone.connection.connector.capabilities.label_separator
        owned.append(
            OwnedIssue(
                **address_of_milestone(milestone),
                issue=issue,
                labels=frozenset(label_names((milestone.connection.prefix, *prefixes), separator)),
                opened=has_own_marker or (milestone.uid, issue.issue) in opened,
                posted=milestone.uid in posted,
            )
        )
    return owned


def _unreachable(engine: Engine, assessed: Sequence[AssessedMilestone], observed: Observed) -> list[str]:
    """Return in words: status issues without a known milestone, and boards of ours that cannot be used."""
    known = {milestone.uid for milestone in assessed}
    orphans = [
        f"{issue.url or issue.issue}: its milestone is gone, or no longer in the configuration"
        for uid, (issue, _) in engine.store.last_observations().items()
        if issue is not None and uid not in known and not issue.closed
    ]
    posted = engine.store.places(OwnContent.BOARD)
    boards = [
        f"{issue.url}: {board.why}"
        for uid, issue in observed.issues.items()
        for board in issue.boards
        if board.why and board.name in posted.get(uid, ())
    ]
    return orphans + boards
