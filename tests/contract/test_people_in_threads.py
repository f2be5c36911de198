"""Commands and edits of people in a thread, in every dialect, over HTTP, with whole runs of the engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

import pytest

from connectors.sandbox.world_data import Fault
from sync.engine import handover
from sync.engine.result import Result
from sync.store.store import Store
from sync.tracker.actions import CreateComment, DeleteComment, MoveLabel
from sync.tracker.connection import MilestoneOverrides
from sync.tracker.errors import ClaimedError
from tests.contract.team_rounds import DIALECTS, Team, team

JIRAS = tuple(dialect for dialect in DIALECTS if dialect.startswith("jira"))


@pytest.fixture(params=DIALECTS)
def there(request: pytest.FixtureRequest) -> Iterator[Team]:
    with team(request.param) as made:
        yield made


def kinds(result: Result) -> list[str]:
    return [type(action.action).__name__ for action in result.written]


# --- commands --------------------------------------------------------------------------------------------------------


def test_a_persons_status_is_shown_next_to_the_computed_one_and_ends(there: Team) -> None:
    first = there.run()
    assert "CreateStatusIssue" in kinds(first)
    assert first.notifications == 2, "the issue and the first summary"
    computed = there.health_labels
    there.says("/milesync off-track until 2026-03-06 because vendor slipped")
    told = there.run()
    assert kinds(told) == ["UpdateComment"]
    assert (told.notifications, told.plan.people.understood, told.plan.people.ignored) == (0, 1, 0)
    summary = there.texts()[0]
    assert "Override by " in summary
    assert ", 2 Mar: " in summary
    assert "vendor slipped" in summary
    assert " until 6 Mar" in summary
    assert there.health_labels == computed, "the label says what is computed"
    assert there.run().plan.actions == ()
    there.clock.now = there.clock.now.replace(day=7)
    there.run()
    assert "Override by " not in there.texts()[0]
    assert len(there.texts()) == 1


def test_taking_the_comment_back_takes_the_judgement_back(there: Team) -> None:
    there.run()
    said = there.says("/milesync off-track")
    there.run()
    assert "Override by " in there.texts()[0]
    there.issue.comments.remove(said)
    there.clock.on(days=1, minutes=1)
    there.run()
    assert "Override by " not in there.texts()[0]


def test_a_note_is_shown_with_name_and_day_until_it_is_removed(there: Team) -> None:
    there.run()
    there.says("/milesync note The vendor's API is back; see #1 and @eve.")
    assert kinds(there.run()) == ["UpdateComment"], "a note notifies no one"
    summary = unescape(there.texts()[0])
    name = "ada" if there.tracker.kind == "github" else "Ada Fox"
    for words in (name, ", 2 Mar: ", "The vendor's API is back; see #1 and @eve."):
        assert words in summary
    assert there.run().plan.actions == (), "it is written once"
    there.says("/milesync note")
    assert kinds(there.run()) == ["UpdateComment"]
    assert "API is back" not in there.texts()[0]


def test_a_deleted_note_and_a_note_without_write_permission_are_not_shown(there: Team) -> None:
    there.run()
    note = there.says("/milesync note The vendor is back.")
    there.says("/milesync note Nothing works.", "eve")
    there.run()
    assert "The vendor is back" in unescape(there.texts()[0])
    there.issue.comments.remove(note)
    there.clock.on(days=1, minutes=1)
    there.run()
    assert "vendor is back" not in there.texts()[0]
    assert "Nothing works" not in there.texts()[0]


def test_words_from_before_the_end_are_not_shown_after_it(there: Team) -> None:
    there.run()
    there.says("/milesync note The vendor is back.\n/milesync off-track until 2026-03-31")
    there.run()
    assert "The vendor is back" in unescape(there.texts()[0])
    ada = there.tracker.user("ada")
    for issue in there.project.issues.values():
        if issue.milestones and issue.closed is None:
            there.tracker.close(issue, ada, there.clock.on(minutes=1), resolution="completed")
    (milestone,) = there.project.milestones.values()
    there.tracker.close_milestone(there.project, milestone, there.clock.on(minutes=1))
    there.clock.now = there.clock.now.replace(day=25)  # a Jira version ends on its release date
    there.run()
    assert "vendor is back" not in there.texts()[0]
    assert "Override by" not in there.texts()[0]
    there.says("/milesync note Thanks for a good release.")
    there.run()
    assert "Thanks for a good release" in unescape(there.texts()[0])


def test_a_command_without_write_permission_is_ignored_and_counted(there: Team) -> None:
    there.run()
    there.says("/milesync mute", "eve")
    there.says("/milesync off-track because I say so", "stranger")
    there.says("I agree with `/milesync mute`", "ada")
    result = there.run()
    assert (result.plan.people.understood, result.plan.people.ignored) == (0, 2)
    assert "I say so" not in there.texts()[0]
    assert not result.plan.people.muted


def test_what_only_some_may_read_is_not_shown_to_all(there: Team) -> None:
    there.run()
    there.says("/milesync off-track because of a secret", internal=True, minimised=True)
    result = there.run()
    assert result.plan.people.understood == 0
    assert "secret" not in there.texts()[0]


def test_without_known_permissions_no_command_is_accepted(there: Team) -> None:
    there.run()
    there.project.admin = False
    there.project.members.clear()
    there.says("/milesync off-track")
    assert there.run().plan.people.ignored == 1


def test_commands_are_not_offered_where_the_tracker_does_not_show_who_may_write(there: Team) -> None:
    there.run()
    assert "/milesync" in unescape(there.texts()[0])
    there.project.hides_roles = True
    there.says("/milesync note The vendor is back.")
    result = there.run()
    assert result.plan.people.ignored == 1
    summary = unescape(there.texts()[0])
    assert "/milesync" not in summary
    assert "Commands have no effect here" in summary
    assert "vendor is back" not in summary
    assert there.run().written == []
    there.project.hides_roles = False
    there.clock.on(days=1, minutes=1)
    there.run()
    assert "The vendor is back" in unescape(there.texts()[0])
    assert "have no effect" not in there.texts()[0]


@pytest.mark.parametrize("there", JIRAS, indirect=True)
def test_the_first_summary_on_jira_offers_no_command_without_the_right_to_check_it(there: Team) -> None:
    there.project.admin = False
    there.run()
    assert "/milesync" not in unescape(there.texts()[0])
    assert there.run().written == []


def test_an_unanswered_question_for_a_permission_changes_nothing(there: Team) -> None:
    there.run()
    there.says("/milesync off-track because vendor slipped")
    there.run()
    shown = there.texts()
    there.says("I agree.", "eve")
    question = {"github": "/permission", "gitlab": "/members/all/"}.get(there.tracker.kind, "permission/search")
    fault = Fault("status", question, times=50, status=502)
    there.tracker.faults.append(fault)
    assert there.run().written == []
    assert fault.times < 50
    assert there.texts() == shown


def test_commands_of_the_tokens_owner_count_and_our_own_texts_do_not(there: Team) -> None:
    there.run()
    there.says("/milesync at-risk", there.tracker.bot.login)
    assert there.run().plan.people.understood == 1
    assert "Override by " in there.texts()[0]


def test_mute_silences_and_unmute_speaks_again(there: Team) -> None:
    there.run()
    there.says("/milesync mute")
    there.clock.now = there.clock.now.replace(day=25)
    muted = there.run()
    assert (muted.written, muted.plan.people.muted) == ([], 1)
    there.says("/milesync unmute")
    again = there.run()
    assert {"MoveLabel", "CreateComment", "UpdateComment"} <= set(kinds(again))
    assert there.health_labels == [there.label("overdue")]


def test_refresh_rewrites_at_once_and_only_once(there: Team) -> None:
    there.run()
    there.says("/milesync refresh")
    assert kinds(there.run()) == ["UpdateComment"]
    assert there.run().written == []


# --- what people change ----------------------------------------------------------------------------------------------


def test_a_summary_that_a_person_edited_stays_until_they_give_it_back(there: Team) -> None:
    there.run()
    (summary,) = (c for c in there.issue.comments if c.author is there.tracker.bot)
    there.edits(summary, "Ada adds a word.")
    there.clock.now = there.clock.now.replace(day=25)
    result = there.run()
    assert result.plan.people.edited == 1
    assert "UpdateComment" not in kinds(result)
    assert there.health_labels == [there.label("overdue")], "the label goes on"
    assert "Ada adds a word." in there.texts()[0]
    assert there.run().written == []
    there.says("/milesync refresh")
    assert kinds(there.run()) == ["UpdateComment"]
    assert "Ada adds a word." not in there.texts()[0]


def test_what_is_ours_as_sent_is_never_taken_for_edited(there: Team) -> None:
    there.run()
    for day in range(3, 8):
        there.clock.now = there.clock.now.replace(day=day)
        assert there.run().plan.people.edited == 0
    assert len(there.texts()) == 1


def test_a_deleted_summary_stays_deleted(there: Team) -> None:
    there.run()
    there.issue.comments.clear()
    there.clock.on(days=2)
    assert "CreateComment" not in kinds(there.run())
    assert there.texts() == []


def test_a_copied_marker_is_not_ours(there: Team) -> None:
    there.run()
    (ours,) = there.issue.comments
    copy = there.says("", "eve")
    copy.body, copy.properties = ours.body, dict(ours.properties)
    there.clock.now = there.clock.now.replace(day=25)
    result = there.run()
    assert "DeleteComment" not in kinds(result)
    assert copy in there.issue.comments
    assert there.texts()[0] != str(copy.body)


@pytest.mark.parametrize("half", ["both", "neither", "wrong"])
def test_a_half_done_label_move_is_healed(there: Team, half: str) -> None:
    there.run()
    (right,) = there.health_labels
    issue, bot = there.issue, there.tracker.bot
    there.make_labels("bug", there.label("done"))
    there.tracker.label(issue, ["bug"], [], there.tracker.user("ada"), there.clock.on(minutes=1))
    wrong = there.label("done")
    add, remove = {"both": ([wrong], []), "neither": ([], [right]), "wrong": ([wrong], [right])}[half]
    there.tracker.label(issue, add, remove, bot, there.clock.on(minutes=1))
    healed = there.run()
    assert [type(action.action) for action in healed.written] == [MoveLabel]
    assert there.health_labels == [right]
    assert "bug" in issue.labels
    assert there.run().written == []


# --- another account, and the end ------------------------------------------------------------------------------------


def test_two_instances_with_one_account_never_fight(there: Team) -> None:
    """Each has a status issue of its own, also where they see things differently."""
    there.run()
    ours = there.issue
    before = sorted(ours.labels), [str(comment.body) for comment in ours.comments]
    with Store.memory(there.clock) as store:

        def other() -> Result:
            engine = there.engine()
            return replace(engine, instance="other", store=store, clock=lambda: there.clock().replace(day=25)).run()

        assert "CreateStatusIssue" in kinds(other())
        assert other().written == []
        assert there.run().written == []
    assert (sorted(ours.labels), [str(comment.body) for comment in ours.comments]) == before
    (theirs,) = (i for i in there.project.issues.values() if not i.milestones and i is not ours)
    assert there.label("overdue") in theirs.labels
    assert there.label("overdue") not in ours.labels

    engine, assessed = there.looked()
    engine.apply_into(Result(assessed=assessed, plan=handover.retire(engine, assessed)[0]))
    assert ours.closed is not None
    assert theirs.closed is None
    assert len(theirs.comments) == 1


@pytest.mark.parametrize("kind", ["jira", "jira-cloud"])
def test_instances_that_report_on_one_issue_each_keep_a_summary_there(kind: str) -> None:
    """Another instance's text is no record of ours: our missing summary was never posted, not deleted."""
    with team(kind) as there, Store.memory(there.clock) as store:
        ada = there.tracker.user("ada")
        named = there.tracker.issue(there.project, "Plan of v1", ada, labels=["milestone-status"])
        more = {"named": {"PAY/v1": MilestoneOverrides(report_on=named.key)}}
        there.run(**more)
        for _ in range(2):
            replace(there.engine(**more), instance="other", store=store).run()
        assert len(there.texts()) == 2
        assert there.run(**more).written == []


def test_after_a_change_of_token_nothing_is_doubled_and_adopt_takes_over(there: Team) -> None:
    there.run()
    old = list(there.issue.comments)
    former = there.tracker.bot.login
    there.changes_token()
    there.loses_database()
    blocked = there.run(ClaimedError)
    assert blocked.written == []
    assert any("milesync adopt" in skipped.why for skipped in blocked.plan.skipped)
    assert len([i for i in there.project.issues.values() if not i.milestones]) == 1

    engine, assessed = there.looked()
    left = handover.find_claims(engine, assessed)
    (account,) = left.accounts
    if there.tracker.kind != "jira-cloud":
        assert account == former
    assert (len(left.issues), len(left.summaries)) == (1, 1)
    assert handover.adopt(engine, assessed, left, ["somebody else"], remember=False).actions == ()
    plan = handover.adopt(engine, assessed, left, [account], remember=True)
    assert [type(action) for action in plan.actions] == [CreateComment, DeleteComment]
    result = Result(assessed=assessed, plan=plan)
    engine.apply_into(result)
    assert engine.failures == []
    assert len(there.texts()) == 1
    if there.tracker.kind == "github":  # there, a person with write permission may delete the comments of others
        assert old[0] not in there.issue.comments
    else:
        assert old[0] in there.issue.comments
        assert len(engine.leftovers) == 1
    assert there.run().written == []
    there.clock.on(days=2)
    assert {"CreateComment", "CreateStatusIssue"}.isdisjoint(kinds(there.run()))
    assert len(there.texts()) == 1


def test_retire_removes_our_content_and_nothing_else(there: Team) -> None:
    there.run()
    there.clock.now = there.clock.now.replace(day=25)
    there.run()
    assert len(there.texts()) == 2, "the summary and a transition"
    there.says("A person's comment")
    there.make_labels("bug")
    there.tracker.label(there.issue, ["bug"], [], there.tracker.user("ada"))
    human = there.tracker.issue(there.project, "Human", there.tracker.user("ada"), labels=["milestone-status"])
    issue = there.issue

    engine, assessed = there.looked()
    plan, unreached = handover.retire(engine, assessed)
    assert unreached == []
    assert len(issue.comments) == 3, "looking changes nothing"
    result = Result(assessed=assessed, plan=plan)
    engine.apply_into(result)
    assert engine.failures == []
    assert engine.leftovers == []
    assert [str(c.body) for c in issue.comments] == ["A person's comment"]
    assert sorted(issue.labels) == ["bug", "milestone-status"]
    assert issue.closed is not None
    assert human.closed is None
    engine, assessed = there.looked()
    assert handover.retire(engine, assessed)[0].actions == ()
    assert there.run().written == [], "a closed status issue mutes"


def test_retire_leaves_what_a_person_edited(there: Team) -> None:
    there.run()
    there.edits(there.issue.comments[0], "Ada adds a word.")
    engine, assessed = there.looked()
    plan, _ = handover.retire(engine, assessed)
    assert not [action for action in plan.actions if isinstance(action, DeleteComment)]
    assert ["edited" in skipped.why for skipped in plan.skipped] == [True]


def test_retire_on_an_issue_that_people_named_leaves_it_open() -> None:
    with team("jira") as there:
        ada = there.tracker.user("ada")
        named = there.tracker.issue(there.project, "Plan of v1", ada, labels=["health/custom"])
        there.run(named={"PAY/v1": MilestoneOverrides(report_on=named.key)})
        assert len(there.texts()) == 1
        engine = there.engine(named={"PAY/v1": MilestoneOverrides(report_on=named.key)})
        engine.pull()
        assessed = engine.assess(keep=False)
        plan, _ = handover.retire(engine, assessed)
        engine.apply_into(Result(assessed=assessed, plan=plan))
        assert there.texts() == []
        assert named.closed is None
        assert named.labels == ["health/custom"], "a label that is none of ours"


@pytest.mark.parametrize("kind", ["jira", "jira-cloud"])
def test_an_issue_that_the_workflow_keeps_open_is_reported(kind: str) -> None:
    with team(kind) as there:
        there.run()
        engine, assessed = there.looked()
        plan, _ = handover.retire(engine, assessed)
        there.tracker.faults.append(Fault("status", "GET /rest/api", status=200, body='{"transitions": []}'))
        engine.apply_into(Result(assessed=assessed, plan=plan))
        assert engine.failures == []
        assert ["has no transition that closes it" in note for note in engine.leftovers] == [True]
        assert there.texts() == []
        assert there.issue.closed is None


@pytest.mark.parametrize("kind", ["jira", "jira-cloud"])
def test_a_change_that_jira_does_not_let_us_make_quietly_counts(kind: str) -> None:
    with team(kind) as there:
        there.run()
        there.tracker.faults.append(Fault("status", "notifyUsers=false", times=9, status=403))
        there.says("/milesync refresh")
        assert there.run().notifications == 1


# --- time ------------------------------------------------------------------------------------------------------------


def test_on_a_quiet_day_people_are_not_notified(there: Team) -> None:
    there.keep_quiet = True
    there.run()
    there.clock.now = there.clock.now.replace(day=21)  # a Saturday, the day after it was due
    weekend = there.run()
    assert weekend.notifications == 0
    assert weekend.plan.people.waiting == 1
    assert there.health_labels == [there.label("overdue")]
    assert len(there.texts()) == 1
    there.clock.on(days=1)
    assert there.run().notifications == 0
    there.clock.on(days=1)
    monday = there.run()
    assert monday.notifications == 1
    assert len(there.texts()) == 2
    assert there.run().written == []


def test_what_changed_is_true_for_a_reader_who_comes_once_a_day(there: Team) -> None:
    there.run()
    ada, (milestone,) = there.tracker.user("ada"), there.project.milestones
    there.clock.now = datetime(2026, 3, 6, 11, tzinfo=UTC)  # a Friday
    late = there.tracker.issue(there.project, "Latecomer", ada, at=there.clock())
    there.tracker.move(there.project, late, [milestone], ada, there.clock())
    there.clock.on(minutes=5)
    there.run()
    assert there.changes() == "Since 2 Mar 2026: 1 added"
    passer = there.tracker.issue(there.project, "Passer-by", ada, at=there.clock.on(minutes=1))
    there.tracker.move(there.project, passer, [milestone], ada, there.clock())
    there.tracker.move(there.project, passer, [], ada, there.clock.on(minutes=30))
    there.says("/milesync refresh")
    there.run()
    assert there.changes() == "Since 2 Mar 2026: 1 added", "a rewriting takes nothing away"
    there.clock.now = datetime(2026, 3, 8, 9, tzinfo=UTC)
    there.run()
    assert "added" not in there.changes()
    there.tracker.close(late, ada, there.clock.on(minutes=1), resolution="completed")
    there.clock.now = datetime(2026, 3, 9, 18, tzinfo=UTC)
    there.run()
    assert there.changes() == "Since 6 Mar 2026: 1 closed", "on Monday evening, what was done on Sunday"
