"""Assess a scenario: the health of milestones if issues were dropped, a due date moved, or days off added.

The rows of a snapshot are changed. What they change is assessed again: usually the milestone alone, with the milestones
that wait for it and joint milestones; all milestones if the past differs from which they learn. Nothing is written.
Earlier statuses count as always: a later due date alone does not make a milestone on track.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime

from msgspec import Struct
from msgspec.structs import replace

from sync.assess.milestone import AssessedMilestone, AssessmentRules
from sync.assess.portfolio import Portfolio
from sync.assess.relations import assess_healths, build_portfolio
from sync.assess.rows import ConnectionRows
from sync.assess.snapshot import Snapshot
from sync.history import counting
from sync.model.health import Health
from sync.model.tracker_data import DueDate, Issue
from sync.store.store import Store
from sync.tracker.connection import Connection

__all__ = ["Answer", "Scenario", "UnknownError", "change", "whatif", "whatif_in"]


class UnknownError(ValueError):
    """The scenario names a milestone or an issue that is not in the store."""


class Scenario(Struct, frozen=True):
    """Changes of one milestone. ``written`` is its id, or ``joint:<name>``; ``drop`` are its open issues, as written.

    ``due``: another due date, None: unchanged.
    """

    written: str
    drop: tuple[str, ...] = ()
    due: date | None = None
    days_off: tuple[date, ...] = ()

    @property
    def is_joint(self) -> bool:
        """True for a joint milestone."""
        return self.written.startswith("joint:")


class Answer(Struct, frozen=True):
    """The health before and after the changes, and that of every other milestone (by written id) that they affect.

    ``dropped`` are the dropped issues, with the whole key.
    """

    before: Health
    after: Health
    dropped: tuple[Issue, ...]
    others: Mapping[str, tuple[Health, Health]]


def whatif(
    store: Store,
    connections: Sequence[Connection],
    at: datetime,
    rules: AssessmentRules,
    scenario: Scenario,
    *,
    replay: bool = False,
) -> Answer:
    """Assess a scenario as of ``at`` (UTC); the healths have no reasons or levers.

    Raises `UnknownError` and `AmbiguousIdError`.
    """
    snapshot = Snapshot(store, connections, at, rules, replay=replay).without_advice()
    return whatif_in(build_portfolio(snapshot), snapshot, scenario)


def whatif_in(portfolio: Portfolio, snapshot: Snapshot, scenario: Scenario) -> Answer:
    """Assess a scenario against the portfolio that was built from the snapshot, for its time and its audience."""
    scenario = replace(scenario, written=snapshot.ids.canonical(scenario.written))
    before = _healths(portfolio)
    if scenario.written not in before:
        raise UnknownError(f"no milestone {scenario.written!r} in the store; `milesync status` lists them")
    changed, dropped = change(portfolio, snapshot, scenario)
    after = assess_healths(changed)
    others = {
        written: (health, after[written])
        for written, health in before.items()
        if written != scenario.written and _visible(health) != _visible(after[written])
    }
    return Answer(before[scenario.written], after[scenario.written], dropped, others)


def change(portfolio: Portfolio, snapshot: Snapshot, scenario: Scenario) -> tuple[Snapshot, tuple[Issue, ...]]:
    """Return the snapshot after the changes of a scenario with a canonical id, and the issues that are dropped.

    Raises `UnknownError`.
    """
    milestones = _milestones_of(portfolio, scenario.written)
    dropped = {
        uid: issue for word in scenario.drop for uid, issue in _find(word, scenario.written, milestones, snapshot.at)
    }
    uids = {milestone.uid for milestone in milestones}
    rows = [_change_rows(own, uids, set(dropped), None if scenario.is_joint else scenario.due) for own in snapshot.rows]
    return snapshot.changed(rows, _change_rules(snapshot.rules, scenario)), tuple(dropped.values())


def _change_rows(rows: ConnectionRows, milestones: set[str], dropped: set[str], due: date | None) -> ConnectionRows:
    """Return the rows with the ``dropped`` items out of the ``milestones`` (uids), and another due date of these."""
    rows = rows.without(milestones, dropped)
    own = {uid: milestone for uid, milestone in rows.milestones.items() if uid in milestones}
    if due is None or not own:
        return rows
    due_dates = {
        milestone.id: (*rows.due_dates.get(milestone.id, ()), DueDate(rows.at, due)) for milestone in own.values()
    }
    moved = {uid: replace(milestone, due=due) for uid, milestone in own.items()}
    return replace(rows, milestones={**rows.milestones, **moved}, due_dates={**rows.due_dates, **due_dates})


def _change_rules(rules: AssessmentRules, scenario: Scenario) -> AssessmentRules:
    """Return the rules with the days off, and with the due date of a joint milestone."""
    rules = replace(rules, calendar=rules.calendar.with_days_off(scenario.days_off))
    if not scenario.is_joint or scenario.due is None:
        return rules
    joints = [
        replace(joint, due=scenario.due) if f"joint:{joint.name}" == scenario.written else joint
        for joint in rules.joints
    ]
    return replace(rules, joints=tuple(joints))


def _healths(portfolio: Portfolio) -> dict[str, Health]:
    """Return the health of every milestone and joint milestone, by written id."""
    healths = {milestone.written: milestone.health for milestone in portfolio.milestones}
    return healths | {joint.written: joint.health for joint in portfolio.joints}


def _visible(health: Health) -> tuple[object, ...]:
    """Return the part of a health that people see."""
    p = None if health.probability is None else round(health.probability, 2)
    return health.status, p, health.dates.p50, health.dates.p85


def _milestones_of(portfolio: Portfolio, written: str) -> list[AssessedMilestone]:
    """Return the milestones whose issues may be dropped: the milestone itself, or the members of a joint one."""
    for joint in portfolio.joints:
        if joint.written == written:
            return list(joint.members)
    return [milestone for milestone in portfolio.milestones if milestone.written == written]


def _find(
    word: str, written: str, milestones: Sequence[AssessedMilestone], at: datetime
) -> Iterator[tuple[str, Issue]]:
    """Find the open issue with a whole key (acme/app#12, PAY-7), or with a number where the project is clear."""
    number = f"#{word.removeprefix('#')}"
    matches: dict[str, Issue] = {}
    for milestone in milestones:
        open_items = {
            membership.item
            for membership in milestone.memberships
            if membership.item in milestone.issues and counting.is_open(membership, at)
        }
        for item in open_items:
            issue = milestone.issues[item]
            if issue.key == word or issue.key.endswith(number):
                matches[item] = issue
    if not matches:
        raise UnknownError(f"{written} has no open issue {word!r}")
    if len(matches) > 1:
        raise UnknownError(
            f"{word!r} means several issues: {', '.join(sorted(issue.key for issue in matches.values()))}"
        )
    yield from matches.items()
