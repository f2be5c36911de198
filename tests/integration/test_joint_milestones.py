"""Joint milestones and dependencies over a store: probabilities, dates, and what each reader may see."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec
import pytest
from msgspec.structs import replace

from sync.assess.closing import new_closing_records
from sync.assess.explain import explain_milestone
from sync.assess.milestone import AssessedMilestone, AssessmentRules
from sync.assess.portfolio import AssessedJointMilestone, Portfolio
from sync.assess.relations import build_portfolio
from sync.assess.snapshot import Snapshot
from sync.forecast.joint import PATHS
from sync.forecast.track_record import StreamScore
from sync.history.calendar import Calendar
from sync.markup import render
from sync.model.closing import ClosingRecord
from sync.model.definition import FindingKind
from sync.model.errors import DependencyCycleError
from sync.model.health import LeverKind, ReasonKind, Status, UnknownCause
from sync.model.joint import JointMilestone
from sync.model.settings import ReminderRules
from sync.model.tracker_data import Markup, Person, State, Visibility
from sync.report.closing_comment import closing_comment
from sync.report.facts import build_facts
from sync.report.summary import summary
from sync.site.joint_page import joint_page
from sync.site.portfolio import joint_row
from sync.tracker.protocol import Page
from tests.portfolio_world import NOW, RULES, World, page, running

ALL = JointMilestone(name="Payments GA", owner="@lead", members=(running("app"), running("api")))


def _one(whole: Portfolio, project: str) -> AssessedMilestone:
    return next(milestone for milestone in whole.milestones if milestone.written == running(project))


def _joint(whole: Portfolio) -> AssessedJointMilestone:
    (joint,) = whole.joints
    return joint


def closed(given: Page) -> Page:
    """The page with its running milestone closed an hour ago."""
    *earlier, last = given.milestones
    end = msgspec.structs.replace(last, state=State.CLOSED, closed_at=NOW - timedelta(hours=1))
    return msgspec.structs.replace(given, milestones=(*earlier, end))


def _comment(milestone: AssessedMilestone) -> str:
    return render(summary(build_facts(milestone, now=NOW)), Markup.GITHUB, 65_000)


def test_the_joint_probability_is_that_of_all_members_not_of_the_worst() -> None:
    whole = World(page("app"), page("api", still_open=5)).whole(ALL)
    found = _joint(whole).health
    p = [_one(whole, name).health.probability for name in ("app", "api")]
    assert p[0] is not None and p[1] is not None and found.probability is not None  # noqa: PT018
    assert found.probability == pytest.approx(p[0] * p[1], abs=0.12)  # history may show that they go together
    assert found.probability < min(p[0], p[1])
    assert found.due == date(2026, 3, 29)
    assert found.dates.p50 is not None
    own = _one(whole, "api").health.dates.p50
    assert own is not None
    assert found.dates.p50 >= own
    assert (found.counts.open, found.counts.closed) == (9, 11)


def test_a_joint_of_one_member_is_that_member() -> None:
    whole = World(page("app")).whole(JointMilestone(name="alone", members=(running("app"),)))
    own, found = _one(whole, "app").health, _joint(whole).health
    assert found.probability == pytest.approx(own.probability, abs=2 / PATHS + 1e-3)
    assert found.status is own.status
    assert own.dates.p50 is not None
    assert found.dates.p50 is not None
    assert abs(found.dates.p50 - own.dates.p50) <= timedelta(days=1)


def test_a_promised_day_counts_instead_of_the_members_own() -> None:
    world = World(page("app"), page("api"))
    soon = _joint(world.whole(msgspec.structs.replace(ALL, due=date(2026, 3, 20)))).health
    later = _joint(world.whole(msgspec.structs.replace(ALL, due=date(2026, 5, 20)))).health
    assert soon.probability is not None
    assert later.probability is not None
    assert soon.probability < later.probability
    tables = _joint(world.whole(msgspec.structs.replace(ALL, due=date(2026, 3, 1)))).health
    assert (tables.status, tables.probability) == (Status.OVERDUE, None)


def test_one_member_without_forecast_makes_the_whole_unknown() -> None:
    whole = World(page("app"), page("api", due=None)).whole(ALL)
    found = _joint(whole)
    assert (found.health.status, found.health.unknown) == (Status.UNKNOWN, UnknownCause.MEMBER)
    assert [milestone.written for milestone in found.unforecastable] == [running("api")]
    missing = _joint(World(page("app")).whole(ALL))
    assert (missing.health.status, missing.missing) == (Status.UNKNOWN, (running("api"),))


def test_all_members_done_is_done() -> None:
    whole = World(closed(page("app", still_open=0)), closed(page("api", still_open=0))).whole(ALL)
    assert _joint(whole).health.status is Status.DONE


def test_members_without_open_work_are_on_track_until_they_end() -> None:
    whole = World(page("app", still_open=0), page("api", still_open=0)).whole(ALL)
    assert _joint(whole).health.status is Status.ON_TRACK


def test_a_member_that_ended_with_open_work_improves_nothing() -> None:
    world = World(page("app", still_open=0), page("api", still_open=1))
    before = _joint(world.whole(ALL)).health
    after = _joint(World(page("app", still_open=0), closed(page("api", still_open=1))).whole(ALL)).health
    assert before.probability is not None
    assert after.probability is not None
    assert after.probability <= before.probability
    assert (after.status, after.dates.p50) == (Status.OFF_TRACK, None)


def test_one_member_that_ended_with_open_work_is_no_done() -> None:
    whole = World(closed(page("app", still_open=0)), closed(page("api", still_open=1))).whole(ALL)
    assert _joint(whole).health.status is Status.ENDED


def test_members_by_pattern() -> None:
    world = World(page("app"), page("api"))
    found = _joint(world.whole(JointMilestone(name="9", members=("app:acme/*#9", "api:acme/*#9", "no:*"))))
    assert {milestone.written for milestone in found.members} == {running("app"), running("api")}
    assert found.missing == ("no:*",)


def test_an_issue_in_two_members_counts_once() -> None:
    given = page("app")
    twin = msgspec.structs.replace(given.milestones[-1], id="twin", key="77", written="#77", title="Beta 1")
    issues = tuple(
        msgspec.structs.replace(issue, milestones=(*issue.milestones, "twin"))
        if "app-m8" in issue.milestones
        else issue
        for issue in given.issues
    )
    both = msgspec.structs.replace(given, milestones=(*given.milestones, twin), issues=issues)
    asked = JointMilestone(name="both", members=(running("app"), "app:acme/app#77"))
    whole = World(both).whole(asked)
    found, own = _joint(whole).health, _one(whole, "app").health
    twin_p = next(milestone.health.probability for milestone in whole.milestones if milestone.written.endswith("#77"))
    assert (found.counts.open, found.counts.closed) == (4, 6)
    told = _joint(whole).explain()
    assert sorted(member["open_counted_here"] for member in told["members"]) == [0, 4]
    assert [len(row) for row in told["correlation"]] == [2, 2]
    assert found.probability is not None
    # the same four issues: either milestone's own chance, not their product
    assert min(abs(found.probability - (p or 0)) for p in (own.probability, twin_p)) < 0.01


def test_a_member_that_could_not_be_read_leaves_the_memory_alone() -> None:
    world = World(page("app"), page("api"))
    world.store.note_pull("memory://api", "acme/api", NOW, "the tracker does not answer")
    found = _joint(world.whole(ALL, replay=False))
    assert found.is_stale
    assert found.health.status is Status.UNKNOWN
    assert not _joint(world.whole(ALL)).is_stale  # a replay knows of no failure


def test_a_joint_forecast_is_scored_by_when_its_last_member_was_done() -> None:
    def record(*, left: int) -> StreamScore:
        world = World(page("app", still_open=0), page("api", still_open=left))
        told = _joint(world.whole(ALL, at=NOW - timedelta(days=12))).health
        assert told.dates.p85 is not None
        world.store.save_health("run", [told], {})
        book = AssessmentRules(RULES, Calendar.plain(), joints=(ALL,))
        after_due = NOW + timedelta(days=20)
        return Snapshot(world.store, world.connections, after_due, book).scores["joint:Payments GA"]

    done, waiting = record(left=0), record(left=1)
    assert (done.forecasts, done.hit_rate, done.dates, done.held) == (1, 1.0, 1, 1)
    assert (waiting.forecasts, waiting.hit_rate) == (1, 0.0)


# --- dependencies ----------------------------------------------------------------------------------------------------

AFTER = [(running("api"), running("app"))]


def _late_first() -> tuple[World, World]:
    """The same successor behind a predecessor that is late, public and alone."""
    pages = page("app"), page("api", late=True, still_open=9, visibility=Visibility.PUBLIC)
    return World(*pages), World(page("app"))


def test_a_late_predecessor_moves_its_successor() -> None:
    world, _ = _late_first()
    before, after = _one(world.whole(), "app").health, _one(world.whole(dependencies=AFTER), "app").health
    assert before.probability is not None
    assert after.probability is not None
    assert after.probability < before.probability - 0.05
    assert after.dates.p50 is None or (before.dates.p50 is not None and after.dates.p50 > before.dates.p50)
    reason = next(reason for reason in after.reasons if reason.kind is ReasonKind.PREDECESSOR)
    assert reason.effect < 0
    alone = {lever.values.get("to"): lever.probability for lever in before.levers if lever.kind is LeverKind.MOVE}
    moves = [lever for lever in after.levers if lever.kind is LeverKind.MOVE]
    assert all((lever.probability or 0) <= (alone.get(lever.values["to"]) or 1) for lever in moves)


def test_blocked_issues_are_a_dependency() -> None:
    blocked = page("app", blocked_by=["https://tracker.example/api-m8/9"])
    world = World(blocked, page("api", late=True, still_open=9, visibility=Visibility.PUBLIC))
    whole = world.whole()
    (found,) = whole.dependencies
    assert (found.before, found.after) == (_one(whole, "api").uid, _one(whole, "app").uid)
    assert found.issues == 4
    assert 0 < found.reach < 1


def test_a_number_means_an_issue_of_the_same_project_only() -> None:
    """GitHub's own way to write an issue inside its repository."""

    def local(given: Page, **changes: object) -> Page:
        issues = tuple(
            msgspec.structs.replace(
                issue, key=f"#{issue.key.partition('#')[2]}", **(changes if issue.closed_at is None else {})
            )
            for issue in given.issues
        )
        return msgspec.structs.replace(given, issues=issues)

    world = World(local(page("app"), blocked_by=("#89",)), local(page("api")))
    assert world.whole().dependencies == ()


def test_what_readers_may_not_know_moves_nothing_that_they_read() -> None:
    pages = page("app"), page("api", late=True, still_open=9)
    hidden = World(*pages).whole(dependencies=AFTER)
    assert _one(hidden, "app").health == _one(World(*pages).whole(), "app").health
    assert hidden.propagation.deciding  # the timeline, which is for who runs milesync, knows
    shared = _one(World(*pages, share="aggregate").whole(dependencies=AFTER), "app")
    assert shared.is_aggregate
    assert "It also depends on work you may not have access to." in _comment(shared)


def test_a_configured_circle_is_a_clear_error() -> None:
    world, _ = _late_first()
    with pytest.raises(DependencyCycleError, match=r"circle of dependencies: a\w\w:acme/"):
        world.whole(dependencies=[*AFTER, (running("app"), running("api"))])


def test_issues_that_block_each_other_are_a_finding_not_an_error() -> None:
    one = page("app", blocked_by=["https://tracker.example/api-m8/9"])
    other = page("api", blocked_by=["https://tracker.example/app-m8/9"])
    whole = World(one, other).whole()
    assert whole.dependencies == ()
    assert FindingKind.CIRCULAR in {found.kind for found in _one(whole, "app").findings}


def test_a_joint_milestone_in_a_dependency_means_its_members() -> None:
    whole = World(page("app"), page("api"), page("web")).whole(
        ALL, dependencies=[("joint:Payments GA", running("web"))]
    )
    assert {(d.before, d.after) for d in whole.dependencies} == {
        (_one(whole, name).uid, _one(whole, "web").uid) for name in ("app", "api")
    }


# --- privacy in comments ---------------------------------------------------------------------------------------------

SECRETS = ("acme/api", "Release", "Secret", "tracker.example/api")


def _told_of_other(visibility: Visibility, share: str, **given: object) -> str:
    world = World(page("app"), page("api", visibility=visibility, **given), share=share)  # type: ignore[arg-type]
    comment = _comment(_one(world.whole(ALL), "app"))
    (remark,) = (line for line in comment.splitlines() if line.startswith("Part of the joint milestone"))
    _, fold = comment.split("<summary>Joint milestone")
    return f"{remark}\n{fold.split('</details>')[0]}"


def test_a_public_member_is_named() -> None:
    told = _told_of_other(Visibility.PUBLIC, "none")
    assert "`Payments GA`" in told
    assert "acme/api#9" in told
    assert "likely in time" in told
    assert "1 other member" in told
    assert "may not have access" not in told


@pytest.mark.parametrize("visibility", [Visibility.PROJECT, Visibility.CONFIDENTIAL, Visibility.UNKNOWN])
def test_a_private_member_that_shares_nothing_leaves_no_trace(visibility: Visibility) -> None:
    told = _told_of_other(visibility, "none")
    assert "whose status depends on work you may not have access to." in told
    assert "%" not in told
    assert not any(word in told for word in SECRETS)
    worse = _told_of_other(visibility, "none", still_open=10, late=True)
    assert worse == told  # not even the colour of a sign depends on it


def test_a_private_member_that_shares_aggregates_gives_numbers_and_no_name() -> None:
    told = _told_of_other(Visibility.PROJECT, "aggregate")
    assert "likely in time" in told
    assert "It also depends on work you may not have access to." in told
    assert not any(word in told for word in SECRETS)


def test_a_member_that_cannot_be_forecast_is_named_only_where_it_may_be() -> None:
    assert "`acme/api#9`" in _told_of_other(Visibility.PUBLIC, "none", due=None)
    hidden = _told_of_other(Visibility.PROJECT, "aggregate", due=None)
    assert "\nOne member cannot be forecast" in hidden
    assert not any(word in hidden for word in SECRETS)


# --- definitions -----------------------------------------------------------------------------------------------------


def test_findings_and_exit_criteria_reach_the_comment_but_the_description_does_not() -> None:
    whole = World(page("app", description="- [x] the launch codes\n- [ ] review")).whole()
    milestone = _one(whole, "app")
    assert {found.kind for found in milestone.findings} == {FindingKind.NO_OWNER}
    comment = _comment(milestone)
    assert "1 of 2 exit criteria met." in comment
    assert "Missing from its definition: 1" in comment
    assert "launch codes" not in comment
    ended = next(other for other in whole.milestones if other.written.endswith("#1"))
    assert ended.findings == ()


# --- who carries too much ---------------------------------------------------------------------------------------------


def _assigned(page: Page) -> Page:
    """The page with all its open issues in Ada's hands."""
    ada = (Person("u1", "Ada"),)
    return replace(page, issues=tuple(replace(i, assignees=ada) if i.state is State.OPEN else i for i in page.issues))


@pytest.mark.parametrize(("visibility", "told"), [(Visibility.PUBLIC, 8), (Visibility.PROJECT, None)])
def test_over_commitment_counts_what_the_readers_may_see_and_is_off_by_default(
    visibility: Visibility, told: int | None
) -> None:
    soon = date(2026, 3, 20)
    pages = [_assigned(page("a", due=soon)), _assigned(page("b", due=soon, visibility=visibility))]
    world = World(*pages)
    world.connections = [
        replace(connection, name="one", connector=world.connections[0].connector)
        for connection in world.connections[:1]
    ]
    world.store.save(world.connections[0].connector.base_url, pages[1], NOW)
    world.store.watch("one", world.connections[0].connector.base_url, {"a", "b"}, only=True)
    for on in (False, True):
        book = AssessmentRules(RULES, Calendar.plain(), reminder_rules=ReminderRules(over_committed=on))
        whole = build_portfolio(Snapshot(world.store, world.connections, NOW, book, replay=True))
        milestone = next(m for m in whole.milestones if m.project.id == "a" and m.is_running)
        assert [load.items for load in milestone.loads] == ([told] if told and on else [])


# --- the closing record -----------------------------------------------------------------------------------------------


def _observed(world: World) -> World:
    """Store the health of the joint milestone and its members, as a run does."""
    whole = world.whole(ALL, replay=False)
    world.store.start_run("r", NOW)
    healths = [*(milestone.health for milestone in whole.milestones), *(joint.health for joint in whole.joints)]
    world.store.save_health("r", healths, {milestone.uid: milestone.stream for milestone in whole.milestones})
    return world


def _records(world: World) -> dict[str, ClosingRecord]:
    whole = world.whole(ALL, replay=False)
    return {record.container: record for record in new_closing_records(world.store, whole, whole.milestones)}


def _end(world: World, *pages: Page) -> None:
    for given in pages:
        world.store.save(f"memory://{given.projects[0].id}", closed(given), NOW)


def test_a_joint_milestone_has_one_closing_record_when_its_last_member_is_over() -> None:
    world = _observed(World(page("app"), page("api", still_open=5)))
    assert _records(world) == {}
    _end(world, page("app", still_open=0))
    assert "joint:Payments GA" not in _records(world)
    _end(world, page("api", still_open=5))
    record = _records(world)["joint:Payments GA"]
    assert (record.title, record.counts.done, record.counts.total) == ("Payments GA", 15, 20)
    assert (record.items_at_start, record.items_joined, record.items_left) == (20, 0, 0)
    assert record.done == (NOW - timedelta(hours=1)).date()
    body = render(closing_comment(record), Markup.GITHUB, 65_000)
    assert "15 of 20 done, 5 left open" in body
    assert "Joint milestone `Payments GA`." in body
    world.store.save_records(_records(world).values())
    assert _records(world) == {}
    joint = _joint(world.whole(ALL, replay=False))
    assert "15 of 20 done, 5 left open" in joint_page(joint, joint_row(joint, NOW, set()), (), record).record
    rules = AssessmentRules(RULES, Calendar.plain(), joints=(ALL,))
    explained = explain_milestone(Snapshot(world.store, world.connections, NOW, rules), world.store, joint.written)
    assert explained is not None
    assert explained.numbers["closing"] == msgspec.to_builtins(record)


def test_an_issue_in_two_members_counts_once_in_the_record() -> None:
    both = page("app", still_open=0)
    *_, first = both.milestones
    twin = replace(first, id="twin", key="99", written="#99", title="Twin")
    shared = replace(
        both,
        milestones=(*both.milestones, twin),
        issues=tuple(
            replace(issue, milestones=(*issue.milestones, "twin")) if first.id in issue.milestones else issue
            for issue in both.issues
        ),
    )
    joint = JointMilestone(name="Twins", members=(running("app"), "app:acme/app#99"))
    ended = {first.id, "twin"}
    end = [
        replace(own, state=State.CLOSED, closed_at=NOW - timedelta(hours=1)) if own.id in ended else own
        for own in shared.milestones
    ]
    world = World(shared)
    health = _joint(world.whole(joint, replay=False)).health
    world.store.start_run("r", NOW)
    world.store.save_health("r", [health], {})
    world.store.save("memory://app", replace(shared, milestones=tuple(end)), NOW)
    (record,) = new_closing_records(world.store, world.whole(joint, replay=False), [])
    assert record.counts.done == record.items_at_start == 10
