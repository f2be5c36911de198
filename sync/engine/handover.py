"""What people ask for by name: to take over what a former account wrote (`adopt`), to take everything away (`retire`).

Both look first and say what they would do; both write as the engine does: under a lease, noted, limited, as far as the
policies allow.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from sync.assess.milestone import AssessedMilestone
from sync.engine.engine import Engine
from sync.model.health import Status
from sync.plan.attachment import remove_attachments
from sync.plan.board_status import inherited, remove_board_updates
from sync.plan.desired import Plan, Skipped, label_name, merge_plans
from sync.plan.item_labels_more import unmarked
from sync.plan.ownership import OwnedIssue, adoption, retirement
from sync.plan.reconcile import claimed
from sync.pull.progress import Failure
from sync.tracker.actions import OwnContent, SetNativeHealth, UpdateDescription
from sync.tracker.errors import TrackerError
from sync.tracker.managed_block import find_block
from sync.tracker.marker import Marker, MarkerKind
from sync.tracker.observed import BoardUpdate, Claim, Observed

__all__ = ["Claims", "adopt", "find_claims", "retire"]


@dataclass(frozen=True)
class Claims:
    """What other accounts left with our instance's marker, as it stands: status issues, summaries, status updates on
    project boards.
    """

    seen: Observed
    issues: tuple[tuple[AssessedMilestone, Claim], ...]
    summaries: tuple[tuple[AssessedMilestone, Claim], ...]
    updates: tuple[tuple[AssessedMilestone, BoardUpdate], ...]

    @property
    def accounts(self) -> dict[str, int]:
        """How many of these each account wrote; most of all first."""
        found: dict[str, int] = {}
        texts: list[Claim | BoardUpdate] = [text for _, text in (*self.issues, *self.summaries)]
        for text in (*texts, *(update for _, update in self.updates)):
            found[text.author] = found.get(text.author, 0) + 1
        return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def find_claims(engine: Engine, assessed: Sequence[AssessedMilestone]) -> Claims:
    """Look for it, everywhere and afresh. Nothing is remembered of it yet."""
    managed = [milestone for milestone in assessed if milestone.current]
    seen = engine.observer.observe(managed)
    kind, instance = MarkerKind.STATUS_ISSUE, engine.instance
    issues = [
        (milestone, claim)
        for milestone in managed
        if (claim := seen.claims.get(milestone.uid)) is not None and claimed(claim, instance, milestone.uid, kind)
    ]
    stand = {**seen.issues, **_followed(engine, issues).issues}
    summaries = [
        (milestone, claim)
        for milestone in managed
        if (issue := stand.get(milestone.uid)) is not None
        for claim in issue.claims
        if claimed(claim, instance, milestone.uid, MarkerKind.SUMMARY)
    ]
    updates = [
        (milestone, update)
        for milestone in managed
        if (issue := stand.get(milestone.uid)) is not None
        for update in inherited(issue, milestone.uid, instance)
    ]
    whole = Observed(issues=stand, failed=seen.failed, labels=seen.labels)
    return Claims(whole, tuple(issues), tuple(summaries), tuple(updates))


def _followed(engine: Engine, issues: Sequence[tuple[AssessedMilestone, Claim]]) -> Observed:
    """The threads of the status issues that are claimed."""
    found, told = Observed(), engine.store.places(OwnContent.BOARD)
    for source in engine.sources:
        targets = [
            msgspec.structs.replace(engine.observer.target(milestone, told.get(milestone.uid, ())), issue=claim.issue)
            for milestone, claim in issues
            if milestone.source is source
        ]
        if targets:
            try:
                found = Observed(issues={**found.issues, **source.connector.observe(targets).issues})
            except TrackerError as error:
                engine.failures.append(Failure(source.name, "", str(error)))
    return found


def adopt(
    engine: Engine, assessed: Sequence[AssessedMilestone], left: Claims, accounts: Collection[str], *, remember: bool
) -> Plan:
    """The plan that takes over what these accounts left; ``remember`` keeps whose status issues are ours now."""
    mine = {milestone.uid for milestone, claim in left.issues if claim.author in accounts}
    others = {milestone.uid for milestone, _ in left.issues} - mine
    seen = Observed(issues={uid: issue for uid, issue in left.seen.issues.items() if uid not in others})
    if remember:
        for milestone, _ in left.issues:
            issue = seen.issues.get(milestone.uid)
            if milestone.uid in mine and issue is not None:
                engine.store.adopt(milestone.uid, milestone.project.id, issue, engine.clock(), engine.instance)
    managed = [milestone for milestone in assessed if milestone.current]
    desired = engine.desired.build(managed, seen, (), engine.clock())
    return adoption(desired, seen, instance=engine.instance, now=engine.clock(), accounts=accounts)


def retire(engine: Engine, assessed: Sequence[AssessedMilestone]) -> tuple[Plan, list[str]]:
    """The plan that takes away everything, and what it cannot reach."""
    seen = engine.observer.observe(assessed)
    opened, posted = engine.store.opened_status_issues(), engine.store.milestones_with(OwnContent.SUMMARY)
    standing = []
    for milestone in assessed:
        issue = seen.issues.get(milestone.uid)
        if issue is None:
            continue
        own = Marker.decode(issue.marker)
        scoped = milestone.source.connector.capabilities.label_separator
        standing.append(
            OwnedIssue(
                milestone=milestone.uid,
                project=milestone.project.id,
                project_key=milestone.project.key,
                issue=issue,
                labels=frozenset(label_name(milestone.source.prefix, scoped, status) for status in Status),
                opened=(own is not None and own.instance == engine.instance) or (milestone.uid, issue.issue) in opened,
                posted=milestone.uid in posted,
            )
        )
    known = {milestone.uid for milestone in assessed}
    lost = [
        f"{issue.url or issue.issue}: its milestone is gone, or no longer in the configuration"
        for uid, (issue, _) in engine.store.last_observations().items()
        if issue is not None and uid not in known and not issue.closed
    ]
    plans = [retirement(standing, instance=engine.instance), *_unmarked(engine, assessed)]
    rest = [*_undescribed(engine, assessed), _unset(engine, assessed, seen), *_untold(engine, assessed, seen)]
    rest += _undrawn(engine, assessed, seen)
    told = engine.store.places(OwnContent.BOARD)
    lost += [
        f"{issue.url}: {board.why}"
        for uid, issue in seen.issues.items()
        for board in issue.boards
        if board.why and board.name in told.get(uid, ())
    ]
    return merge_plans([*plans, *rest]), lost


def _unmarked(engine: Engine, assessed: Sequence[AssessedMilestone]) -> Iterator[Plan]:
    for source in engine.sources:
        mine = [milestone for milestone in assessed if milestone.source is source]
        yield unmarked(mine, engine.store.item_labels(source.connector.base_url))


def _undescribed(engine: Engine, assessed: Sequence[AssessedMilestone]) -> Iterator[Plan]:
    """Take our lines out of the milestones' own descriptions; those that a person edited stay."""
    for milestone in assessed:
        there = find_block(milestone.milestone.description, engine.instance)
        if there is not None and there.edited(milestone.uid):
            yield Plan(skipped=(Skipped(milestone.uid, "a person edited our lines in its description, which stay"),))
        elif there is not None:
            away = UpdateDescription(
                milestone=milestone.uid,
                project=milestone.project.id,
                project_key=milestone.project.key,
                native=milestone.milestone.id,
                key=milestone.milestone.key,
                url=milestone.milestone.url,
                instance=engine.instance,
                lines="",
                was=there.mark,
            )
            yield Plan(actions=(away,))


def _unset(engine: Engine, assessed: Sequence[AssessedMilestone], seen: Observed) -> Plan:
    """Take away the trackers' own health status, where it still is as we set it."""
    last = engine.store.native_health_set()
    return Plan(
        actions=tuple(
            SetNativeHealth(
                milestone=milestone.uid,
                project=milestone.project.id,
                project_key=milestone.project.key,
                issue=issue.issue,
                value="",
            )
            for milestone in assessed
            if (issue := seen.issues.get(milestone.uid)) and issue.health and issue.health == last.get(milestone.uid)
        )
    )


def _untold(engine: Engine, assessed: Sequence[AssessedMilestone], seen: Observed) -> Iterator[Plan]:
    """Take our status updates off the project boards; those that a person edited stay."""
    for milestone in assessed:
        issue = seen.issues.get(milestone.uid)
        if issue is not None:
            to = {"milestone": milestone.uid, "project": milestone.project.id, "project_key": milestone.project.key}
            yield remove_board_updates(issue, to, engine.instance)


def _undrawn(engine: Engine, assessed: Sequence[AssessedMilestone], seen: Observed) -> Iterator[Plan]:
    """Take our pictures off the status issues; several milestones may share one."""
    done = set[tuple[str, str]]()
    for milestone in assessed:
        issue = seen.issues.get(milestone.uid)
        if issue is not None and (milestone.source.connector.base_url, issue.issue) not in done:
            done.add((milestone.source.connector.base_url, issue.issue))
            to = {"milestone": milestone.uid, "project": milestone.project.id, "project_key": milestone.project.key}
            yield remove_attachments(issue, to, engine.instance)
