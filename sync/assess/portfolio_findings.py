"""Find what single milestones cannot show, for what one audience may read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import chain

from sync.assess.milestone import AssessedMilestone
from sync.assess.portfolio import Portfolio
from sync.assess.shown import shown_to
from sync.health.portfolio_findings import RECENT, OpenWork, RunningMilestone, portfolio_findings
from sync.model.audience import OPERATOR, Audience
from sync.model.dates import day_of
from sync.model.item_state import StateRules
from sync.model.membership import Membership
from sync.model.portfolio_finding import PortfolioFinding
from sync.store.store import Store
from sync.tracker.connection import Connection

__all__ = ["find_in_portfolio"]


def find_in_portfolio(
    store: Store, portfolio: Portfolio, audience: Audience = OPERATOR, *, replay: bool = False
) -> tuple[PortfolioFinding, ...]:
    """Return the findings about the running milestones that an audience is shown, and about their projects.

    ``portfolio`` is what the audience may read. A replay has no findings: the database does not know what was open, or
    in no milestone, at an earlier time.
    """
    running = [
        milestone
        for milestone in shown_to(audience, portfolio)[0]
        if milestone.is_running and milestone.health.stale_since is None and milestone.missing_since is None
    ]
    if replay or not running:
        return ()
    return portfolio_findings([_facts(milestone) for milestone in running], _open_work(store, running))


def _facts(milestone: AssessedMilestone) -> RunningMilestone:
    zone, health = milestone.connection.zone, milestone.health
    joins = [membership.joined for membership in _work(milestone)]
    changes = list(_changes(milestone))
    return RunningMilestone(
        written=milestone.written,
        other_ids=milestone.other_ids,
        project=_project(milestone),
        title=milestone.milestone.title,
        kind=milestone.milestone.kind,
        today=day_of(health.at, zone),
        due=health.due,
        counts=health.counts,
        first_join=day_of(min(joins), zone) if joins else None,
        last_change=day_of(max(changes), zone) if changes else None,
    )


def _changes(milestone: AssessedMilestone) -> list[datetime]:
    """Return the times of all changes of a milestone's work that are known."""
    changes: list[datetime] = []
    for membership in _work(milestone):
        times = (membership.joined, membership.left, membership.closed, membership.reopened)
        changes += (at for at in times if at is not None)
        if membership.left is None and membership.closed is None and membership.item in milestone.issues:
            changes.append(milestone.issues[membership.item].updated_at)
    return changes


def _work(milestone: AssessedMilestone) -> Iterator[Membership]:
    """Yield the memberships of its items, then those of the tracker's own page where these differ."""
    return chain(milestone.memberships, milestone.page_memberships or ())


def _project(milestone: AssessedMilestone) -> str:
    return f"{milestone.connection.name}:{milestone.project.key}"


def _open_work(store: Store, milestones: list[AssessedMilestone]) -> Mapping[str, OpenWork]:
    """Count the work without a milestone in the projects of these milestones, by project as people write it."""
    projects: dict[str, dict[str, str]] = defaultdict(dict)
    connections: dict[str, Connection] = {}
    rules: dict[str, dict[str, StateRules]] = defaultdict(dict)
    for milestone in milestones:
        connections[milestone.connection.name] = milestone.connection
        projects[milestone.connection.name][milestone.project.id] = _project(milestone)
        own = milestone.connection.state_rules_of(milestone.project.key)
        rules[milestone.connection.name][milestone.project.id] = own
    since = max(milestone.health.at for milestone in milestones) - RECENT
    return {
        projects[name][project]: OpenWork(*numbers)
        for name, connection in connections.items()
        for project, numbers in store.open_work(
            connection.source, projects[name].keys(), since, connection.ignored, rules[name]
        ).items()
    }
