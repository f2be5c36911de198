"""The team's words over a store: they act as the same words in the configuration do, and stay with their audience."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from sync.assess.milestone import AssessedMilestone
from sync.markup import render
from sync.model.definition import FindingKind
from sync.model.health import Health
from sync.model.joint import JointMilestone
from sync.model.team_words import NO_WORDS, OwnerOrigin
from sync.model.tracker_data import Markup, Person, State, Visibility
from sync.report.facts import build_facts
from sync.report.summary import summary
from sync.report.verdict_facts import verdict_facts
from sync.tracker.connection import MilestoneOverrides
from sync.tracker.protocol import Page
from tests.portfolio_world import NOW, World, page, running

STARTED = NOW.date().replace(day=5)
"""A day four days after the creation of the running milestone."""


def described(given: Page, text: str = "", **fields: object) -> Page:
    """The page with a description, and other fields, of its running milestone."""
    *earlier, last = given.milestones
    return replace(given, milestones=(*earlier, replace(last, description=text, **fields)))


def assessed(given: Page, overrides: MilestoneOverrides | None = None, **connection: Any) -> AssessedMilestone:
    world = World(given)
    named = {} if overrides is None else {running("app").partition(":")[2]: overrides}
    world.connections = [replace(own, named=named, **connection) for own in world.connections]
    return next(own for own in world.whole().milestones if own.written == running("app"))


def comment(milestone: AssessedMilestone, at: datetime = NOW) -> str:
    return render(summary(build_facts(milestone, now=at)), Markup.GITHUB, 65_000)


def figures(health: Health) -> tuple[object, ...]:
    return (health.status, health.probability, health.dates, health.start, health.baseline, health.counts)


# --- tolerance --------------------------------------------------------------------------------------------------------


def test_a_tolerance_in_the_description_is_that_of_the_configuration() -> None:
    plain = page("app", still_open=6, late=(2, 3, 5))
    without = assessed(plain)
    of_team, configured = assessed(described(plain, "Tolerance: 10 %")), assessed(plain, tolerance=0.1)
    assert figures(of_team.health) == figures(configured.health)
    assert figures(of_team.health) != figures(without.health)
    assert "at most 10% of its issues open, as its description says" in comment(of_team)
    assert "description says" not in comment(configured)


def test_the_configured_tolerance_of_the_milestone_outranks_its_description() -> None:
    plain = page("app", still_open=6, late=(2, 3, 5))
    both = assessed(described(plain, "Tolerance: 20%"), MilestoneOverrides(tolerance=0.1), tolerance=0.05)
    assert figures(both.health) == figures(assessed(plain, tolerance=0.1).health)
    assert "description says" not in comment(both)


def test_open_work_within_the_described_tolerance_is_on_track_after_the_due_date() -> None:
    late = page("app", still_open=1, due=date(2026, 3, 10))
    assert assessed(late).health.status == "overdue"
    assert assessed(described(late, "Tolerance: 10%", due=date(2026, 3, 10))).health.status == "on_track"


# --- start ------------------------------------------------------------------------------------------------------------


def test_a_start_in_the_description_is_that_of_the_tracker_or_the_configuration() -> None:
    plain = page("app")
    of_team = assessed(described(plain, f"Start: {STARTED}"))
    assert figures(of_team.health) == figures(assessed(described(plain, start=STARTED)).health)
    assert figures(of_team.health) == figures(assessed(plain, MilestoneOverrides(start=STARTED)).health)
    assert of_team.health.start == STARTED
    both = assessed(described(plain, "Start: 2026-03-03", start=date(2026, 3, 2)), MilestoneOverrides(start=STARTED))
    assert both.health.start == STARTED
    assert assessed(described(plain, "Start: 2026-03-03", start=date(2026, 3, 2))).health.start == date(2026, 3, 3)


def test_a_changed_start_is_a_new_plan_and_no_growth() -> None:
    """Work that joined until the new start is agreed scope, and the due date keeps its baseline and its moves."""
    plain = page("app")
    *rest, last = plain.issues
    joined = replace(last, created_at=datetime(2026, 3, 4, tzinfo=UTC))
    grown = replace(plain, issues=(*rest, joined))
    before, after = assessed(grown), assessed(described(grown, f"Start: {STARTED}"))
    assert (before.health.counts.added, after.health.counts.added) == (1, 0)
    assert before.health.counts.total == after.health.counts.total
    assert (before.health.baseline, before.health.clock) == (after.health.baseline, after.health.clock)
    assert after.health.replan is None


# --- owner ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "configured", "names", "origin"),
    [
        ("", "", ("Ada",), OwnerOrigin.TRACKER),
        ("Owner: @lin", "", ("@lin",), OwnerOrigin.DESCRIPTION),
        ("Owner: @lin", "@lead", ("@lead",), OwnerOrigin.CONFIGURATION),
    ],
)
def test_an_owner_has_one_origin(text: str, configured: str, names: tuple[str, ...], origin: OwnerOrigin) -> None:
    given = described(page("app"), text, owners=(Person("1", "Ada", "ada"),))
    milestone = assessed(given, MilestoneOverrides(owner=configured))
    facts = verdict_facts(milestone)
    assert (facts.owners, facts.owner_origin) == (names, origin)
    assert FindingKind.NO_OWNER not in [finding.kind for finding in milestone.findings]
    assert f"Owner: `{names[0]}`" in comment(milestone)


def test_without_any_owner_there_is_a_finding() -> None:
    assert FindingKind.NO_OWNER in [finding.kind for finding in assessed(page("app")).findings]


# --- decisions and risks ----------------------------------------------------------------------------------------------


def test_a_decision_is_overdue_by_the_days_of_its_tracker() -> None:
    given = described(page("app"), "Decision needed: which vendor? by 2026-03-15 from @lin")
    evening = datetime(2026, 3, 15, 12, tzinfo=UTC)
    here, east = assessed(given), assessed(given, zone=ZoneInfo("Pacific/Kiritimati"))
    assert "**Decision needed** by 15 Mar 2026: `which vendor?` (from `@lin`)" in comment(here, evening)
    assert "**Decision overdue**, was needed by 15 Mar 2026" in comment(east, evening)


def test_an_overdue_decision_comes_before_the_best_option() -> None:
    text = "Decision needed: which vendor? by 2026-03-01\nRisk: the audit\nStart: soon"
    shown = comment(assessed(described(page("app", still_open=10, late=True), text)))
    assert 0 < shown.index("Decision overdue") < shown.index("Best option") < shown.index("**Risk**: `the audit`")
    assert "Line 3 of its description: Start has no readable date" in shown


def test_a_milestone_that_is_over_shows_no_decision_and_no_risk() -> None:
    text = "Decision needed: which vendor? by 2026-03-01\nRisk: the audit\nOwner: @lin"
    ended = {"state": State.CLOSED, "closed_at": NOW - timedelta(hours=1)}
    milestone = assessed(described(page("app"), text, **ended))
    facts = verdict_facts(milestone)
    assert (facts.words, facts.overdue_decisions, facts.owners) == (NO_WORDS, (), ("@lin",))
    assert "vendor" not in comment(milestone)


def test_words_of_a_private_member_are_not_shown_to_others() -> None:
    text = "Owner: @secret\nRisk: secret risk\nDecision needed: secret deal? by 2026-03-01 from @secret"
    joint = JointMilestone(name="Both", members=(running("app"), running("api")))

    def of_app(visibility: Visibility) -> str:
        private = described(page("api", visibility=visibility), text)
        whole = World(page("app"), private, share="aggregate").whole(joint)
        return comment(next(own for own in whole.milestones if own.written == running("app")))

    assert "secret" not in of_app(Visibility.PROJECT)
    public = of_app(Visibility.PUBLIC)
    assert "`acme/api#9`: **Decision overdue**, was needed by 1 Mar 2026: `secret deal?` (from `@secret`)" in public
    assert "`acme/api#9`: **Risk**: `secret risk`" in public
