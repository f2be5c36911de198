"""What people ask for by name: to take over what a former account wrote (`adopt`), to take everything away (`retire`).

Both look first and say what they would do; both write as the engine does: under a lease, noted, limited, as far as the
policies allow.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from sync.action import BoardUpdate, Claim, Describe, Observed, SetHealth
from sync.assessment import Assessed
from sync.board import inherited, untelling
from sync.connector import TrackerError
from sync.desired import Plan, Skipped, label_name, merged
from sync.engine import Engine
from sync.fence import fence_in
from sync.itemlabels import unmarked
from sync.marker import Marker, MarkerKind
from sync.model import Status
from sync.outcome import Failure
from sync.ownership import Standing, adoption, retirement
from sync.picture import detaching
from sync.plan import claimed

__all__ = ["Inheritance", "adopt", "inheritance", "retire"]


@dataclass(frozen=True)
class Inheritance:
    """What other accounts left with our instance's marker, as it stands: status issues, summaries, status updates on
    project boards.
    """

    seen: Observed
    issues: tuple[tuple[Assessed, Claim], ...]
    summaries: tuple[tuple[Assessed, Claim], ...]
    updates: tuple[tuple[Assessed, BoardUpdate], ...]

    @property
    def accounts(self) -> dict[str, int]:
        """How many of these each account wrote; most of all first."""
        found: dict[str, int] = {}
        texts: list[Claim | BoardUpdate] = [text for _, text in (*self.issues, *self.summaries)]
        for text in (*texts, *(update for _, update in self.updates)):
            found[text.author] = found.get(text.author, 0) + 1
        return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def inheritance(engine: Engine, assessed: Sequence[Assessed]) -> Inheritance:
    """Look for it, everywhere and afresh. Nothing is remembered of it yet."""
    managed = [one for one in assessed if one.current]
    seen = engine.observe(managed)
    kind, instance = MarkerKind.STATUS_ISSUE, engine.instance
    issues = [
        (one, claim)
        for one in managed
        if (claim := seen.claims.get(one.uid)) is not None and claimed(claim, instance, one.uid, kind)
    ]
    stand = {**seen.issues, **_followed(engine, issues).issues}
    summaries = [
        (one, claim)
        for one in managed
        if (issue := stand.get(one.uid)) is not None
        for claim in issue.claims
        if claimed(claim, instance, one.uid, MarkerKind.SUMMARY)
    ]
    updates = [
        (one, update)
        for one in managed
        if (issue := stand.get(one.uid)) is not None
        for update in inherited(issue, one.uid, instance)
    ]
    whole = Observed(issues=stand, failed=seen.failed, labels=seen.labels)
    return Inheritance(whole, tuple(issues), tuple(summaries), tuple(updates))


def _followed(engine: Engine, issues: Sequence[tuple[Assessed, Claim]]) -> Observed:
    """The threads of the status issues that are claimed."""
    found, told = Observed(), engine.store.boards()
    for source in engine.sources:
        targets = [
            msgspec.structs.replace(engine.target(one, told.get(one.uid, ())), issue=claim.issue)
            for one, claim in issues
            if one.source is source
        ]
        if targets:
            try:
                found = Observed(issues={**found.issues, **source.connector.observe(targets).issues})
            except TrackerError as error:
                engine.failures.append(Failure(source.name, "", str(error)))
    return found


def adopt(
    engine: Engine, assessed: Sequence[Assessed], left: Inheritance, accounts: Collection[str], *, remember: bool
) -> Plan:
    """The plan that takes over what these accounts left; ``remember`` keeps whose status issues are ours now."""
    mine = {one.uid for one, claim in left.issues if claim.author in accounts}
    others = {one.uid for one, _ in left.issues} - mine
    seen = Observed(issues={uid: issue for uid, issue in left.seen.issues.items() if uid not in others})
    if remember:
        for one, _ in left.issues:
            issue = seen.issues.get(one.uid)
            if one.uid in mine and issue is not None:
                engine.store.adopt(one.uid, one.project.id, issue, engine.clock(), engine.instance)
    desired = engine.desired([one for one in assessed if one.current], seen, ())
    return adoption(desired, seen, instance=engine.instance, now=engine.clock(), accounts=accounts)


def retire(engine: Engine, assessed: Sequence[Assessed]) -> tuple[Plan, list[str]]:
    """The plan that takes away everything, and what it cannot reach."""
    seen = engine.observe(assessed)
    opened, posted = engine.store.opened(), engine.store.posted()
    standing = []
    for one in assessed:
        issue = seen.issues.get(one.uid)
        if issue is None:
            continue
        own = Marker.decode(issue.marker)
        scoped = one.source.connector.capabilities.scoped
        standing.append(
            Standing(
                milestone=one.uid,
                project=one.project.id,
                project_key=one.project.key,
                issue=issue,
                labels=frozenset(label_name(one.source.prefix, scoped, status) for status in Status),
                opened=(own is not None and own.instance == engine.instance) or (one.uid, issue.issue) in opened,
                posted=one.uid in posted,
            )
        )
    known = {one.uid for one in assessed}
    lost = [
        f"{issue.url or issue.issue}: its milestone is gone, or no longer in the configuration"
        for uid, (issue, _) in engine.store.observed().items()
        if issue is not None and uid not in known and not issue.closed
    ]
    plans = [retirement(standing, instance=engine.instance), *_unmarked(engine, assessed)]
    rest = [*_undescribed(engine, assessed), _unset(engine, assessed, seen), *_untold(engine, assessed, seen)]
    rest += _undrawn(engine, assessed, seen)
    told = engine.store.boards()
    lost += [
        f"{issue.url}: {board.why}"
        for uid, issue in seen.issues.items()
        for board in issue.boards
        if board.why and board.name in told.get(uid, ())
    ]
    return merged([*plans, *rest]), lost


def _unmarked(engine: Engine, assessed: Sequence[Assessed]) -> Iterator[Plan]:
    for source in engine.sources:
        mine = [one for one in assessed if one.source is source]
        yield unmarked(mine, engine.store.marks(source.connector.source))


def _undescribed(engine: Engine, assessed: Sequence[Assessed]) -> Iterator[Plan]:
    """Take our lines out of the milestones' own descriptions; those that a person edited stay."""
    for one in assessed:
        there = fence_in(one.milestone.description, engine.instance)
        if there is not None and there.edited(one.uid):
            yield Plan(skipped=(Skipped(one.uid, "a person edited our lines in its description, which stay"),))
        elif there is not None:
            away = Describe(
                milestone=one.uid,
                project=one.project.id,
                project_key=one.project.key,
                native=one.milestone.id,
                key=one.milestone.key,
                url=one.milestone.url,
                instance=engine.instance,
                lines="",
                was=there.mark,
            )
            yield Plan(actions=(away,))


def _unset(engine: Engine, assessed: Sequence[Assessed], seen: Observed) -> Plan:
    """Take away the trackers' own health status, where it still is as we set it."""
    last = engine.store.healths()
    return Plan(
        actions=tuple(
            SetHealth(
                milestone=one.uid, project=one.project.id, project_key=one.project.key, issue=issue.issue, value=""
            )
            for one in assessed
            if (issue := seen.issues.get(one.uid)) and issue.health and issue.health == last.get(one.uid)
        )
    )


def _untold(engine: Engine, assessed: Sequence[Assessed], seen: Observed) -> Iterator[Plan]:
    """Take our status updates off the project boards; those that a person edited stay."""
    for one in assessed:
        issue = seen.issues.get(one.uid)
        if issue is not None:
            to = {"milestone": one.uid, "project": one.project.id, "project_key": one.project.key}
            yield untelling(issue, to, engine.instance)


def _undrawn(engine: Engine, assessed: Sequence[Assessed], seen: Observed) -> Iterator[Plan]:
    """Take our pictures off the status issues; several milestones may share one."""
    done = set[tuple[str, str]]()
    for one in assessed:
        issue = seen.issues.get(one.uid)
        if issue is not None and (one.source.connector.source, issue.issue) not in done:
            done.add((one.source.connector.source, issue.issue))
            to = {"milestone": one.uid, "project": one.project.id, "project_key": one.project.key}
            yield detaching(issue, to, engine.instance)
