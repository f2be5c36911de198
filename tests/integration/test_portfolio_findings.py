"""Findings about the portfolio from stored rows, for what each audience may read."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from sync.assess.milestone import AssessmentRules
from sync.assess.portfolio_findings import find_in_portfolio
from sync.assess.relations import build_portfolio
from sync.assess.snapshot import Snapshot
from sync.history.calendar import Calendar
from sync.model.audience import Audience
from sync.model.portfolio_finding import PortfolioFindingKind
from sync.model.tracker_data import Visibility
from sync.tracker.protocol import Page
from tests.portfolio_world import NOW, RULES, World, combined_page, page, running


def loose(of: Page, count: int) -> Page:
    """Take the first open issues of the running milestone out of it."""
    open_ids = [issue.id for issue in of.issues if issue.closed_at is None][:count]
    issues = tuple(replace(issue, milestones=()) if issue.id in open_ids else issue for issue in of.issues)
    return replace(of, issues=issues)


def test_each_audience_counts_the_work_of_its_own_projects() -> None:
    public = loose(page("open", visibility=Visibility.PUBLIC), 2)
    private = loose(page("secret"), 3)
    world = World(combined_page(public, private))
    everything = find_in_portfolio(world.store, world.whole(replay=False))
    unplanned = {f.ids: f.values["count"] for f in everything if f.kind is PortfolioFindingKind.UNPLANNED}
    assert unplanned == {("open:acme/open",): 2, ("open:acme/secret",): 3}
    reader = Audience("public")
    snapshot = Snapshot(world.store, world.connections, NOW, AssessmentRules(RULES, Calendar.plain()), audience=reader)
    seen = find_in_portfolio(world.store, build_portfolio(snapshot), reader)
    assert {f.ids for f in seen} == {("open:acme/open",)}
    assert "secret" not in str(seen)


def test_an_audience_that_follows_one_milestone_gets_findings_about_it_only() -> None:
    world = World(combined_page(loose(page("app"), 1), page("web", due=(NOW - timedelta(days=60)).date())))
    portfolio = world.whole(replay=False)
    follower = Audience("team", reads=("*",), follows=(running("app"),))
    assert {f.ids for f in find_in_portfolio(world.store, portfolio, follower)} == {("app:acme/app",)}


def test_a_replay_has_no_findings() -> None:
    world = World(loose(page("app"), 2))
    assert find_in_portfolio(world.store, world.whole(replay=False))
    assert find_in_portfolio(world.store, world.whole(), replay=True) == ()
