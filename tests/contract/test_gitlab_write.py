"""The GitLab connector observes and changes status issues; GitLab's quick actions never run from our texts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from connectors.gitlab import GitLabConnector
from connectors.sandbox.world_data import Comment, Issue, Milestone, Project
from sync.model.tracker_data import Visibility, uid
from sync.tracker.actions import (
    Action,
    CreateComment,
    CreateLabel,
    CreateStatusIssue,
    DeleteComment,
    MoveLabel,
    UpdateComment,
)
from sync.tracker.errors import ArchivedError, GoneError, RefusedError
from sync.tracker.marker import with_marker
from sync.tracker.observed import StatusIssue, Target
from tests.contract.gitlab_side import Side, failing, served

KEY = "acme/web/shop"


@pytest.fixture
def side() -> Iterator[Side]:
    with served() as made:
        yield made


class Desk:
    """A project with a milestone, and the actions that a plan would make for it."""

    def __init__(self, side: Side) -> None:
        self.side, self.tracker = side, side.tracker
        self.project: Project = side.tracker.project(KEY, "Shop")
        self.milestone: Milestone = side.tracker.milestone(self.project, "2.0")
        self.connector: GitLabConnector = side.connect(status_labels=["milestone-status"])
        self.uid = uid(self.connector.base_url, "milestone", str(self.milestone.id))
        self.to: dict[str, Any] = {"milestone": self.uid, "project": str(self.project.id), "project_key": KEY}

    def marker(self, kind: str = "summary") -> str:
        return json.dumps({"v": 1, "instance": "t", "kind": kind, "milestone": self.uid, "meaning": "a-->b--"})

    def target(self, issue: str = "") -> Target:
        return Target(**self.to, issue=issue)

    def observe(self, issue: str = "") -> StatusIssue | None:
        seen = self.connector.observe([self.target(issue)])
        assert seen.failed == {}
        return seen.issues.get(self.uid)

    def make(self) -> str:
        made = self.connector.apply(
            CreateStatusIssue(
                **self.to,
                title="Health of `2.0`",
                body="The health of this milestone.",
                marker=self.marker("status_issue"),
                labels=("milestone-status",),
            )
        )
        return made.issue

    def comment(self, issue: str, body: str = "On track.") -> CreateComment:
        return CreateComment(**self.to, issue=issue, body=body, marker=self.marker(), summary=True)

    def issue(self, number: int = 1) -> Issue:
        return self.project.issues[number]


@pytest.fixture
def desk(side: Side) -> Desk:
    return Desk(side)


class TestRoundTrip:
    def test_from_nothing_to_a_status_issue_and_back(self, desk: Desk) -> None:
        assert desk.observe() is None
        apply = desk.connector.apply
        apply(CreateLabel(**desk.to, label="health::on-track", colour="0e8a16", description="Milestone health"))
        key = desk.make()
        assert key == f"{KEY}#1"
        apply(MoveLabel(**desk.to, issue=key, add="health::on-track"))
        said = apply(desk.comment(key))
        seen = desk.observe()
        assert seen is not None
        assert (seen.issue, seen.closed, seen.visibility) == (key, False, Visibility.PUBLIC)
        assert seen.labels == ("health::on-track", "milestone-status")
        assert json.loads(seen.marker)["kind"] == "status_issue"
        assert [(c.id, json.loads(c.marker)["milestone"]) for c in seen.comments] == [(said.id, desk.uid)]
        assert "On track." in seen.comments[0].body
        assert desk.observe(key) == desk.observe("#1") == desk.observe("1") == seen

        apply(UpdateComment(**desk.to, issue=key, comment=said.id, body="Late.", marker=desk.marker()))
        apply(MoveLabel(**desk.to, issue=key, add="health::off-track", remove=("health::on-track",)))
        seen = desk.observe(key)
        assert seen is not None
        assert seen.labels == ("health::off-track", "milestone-status")
        assert [c.body.partition("\n")[0] for c in seen.comments] == ["Late."]

        apply(DeleteComment(**desk.to, issue=key, comment=said.id))
        apply(DeleteComment(**desk.to, issue=key, comment=said.id))
        seen = desk.observe(key)
        assert seen is not None
        assert seen.comments == ()
        assert desk.project.labels["health::on-track"].colour == "0e8a16"
        assert not desk.issue().milestones

    def test_labels_that_may_not_be_set_are_named(self, desk: Desk) -> None:
        """A guest may create issues, and GitLab leaves their labels out."""
        labels = ("milestone-status", "health::on-track")
        create = CreateStatusIssue(
            **desk.to, title="Health of 2.0", body="Health", marker=desk.marker("status_issue"), labels=labels
        )
        assert desk.connector.apply(create).dropped == ()
        assert desk.issue().labels == list(labels)
        desk.project.denied.add("labels")
        assert desk.connector.apply(create).dropped == labels

    def test_a_first_comment_takes_two_requests(self, desk: Desk) -> None:
        for label in ("milestone-status", "health::on-track"):
            desk.connector.apply(CreateLabel(**desk.to, label=label, colour="0e8a16", description=""))
        before = desk.connector.requests
        key = desk.make()
        desk.connector.apply(desk.comment(key))
        assert desk.connector.requests - before == 2
        before = desk.connector.requests
        assert desk.observe(key) is not None
        assert desk.connector.requests - before == 3, "the project, the thread, the licence for health"

    def test_a_comment_that_a_limit_refused_is_sent_again(self, desk: Desk) -> None:
        key = desk.make()
        desk.tracker.faults.append(failing("POST", 429, times=1, Retry_After="7"))
        desk.connector.apply(desk.comment(key))
        assert desk.side.slept[-1] >= 7
        assert len(desk.issue().comments) == 1

    def test_labels_of_the_project_are_observed(self, desk: Desk) -> None:
        for n in range(130):
            desk.connector.apply(CreateLabel(**desk.to, label=f"l{n}", colour="ffffff", description=""))
        seen = desk.connector.observe([desk.target()])
        assert seen.labels == {str(desk.project.id): frozenset(f"l{n}" for n in range(130))}

    @pytest.mark.parametrize("premium", [True, False])
    def test_siblings_leave_with_and_without_scoped_labels(self, desk: Desk, premium: bool) -> None:
        desk.tracker.premium = premium
        key = desk.make()
        desk.connector.apply(MoveLabel(**desk.to, issue=key, add="health::on-track"))
        desk.connector.apply(
            MoveLabel(**desk.to, issue=key, add="health::at-risk", remove=("health::on-track", "health::done"))
        )
        assert desk.issue().labels == ["milestone-status", "health::at-risk"]

    def test_a_label_with_a_comma_is_refused_before_sending(self, desk: Desk) -> None:
        key = desk.make()
        before = len(desk.tracker.writes)
        with pytest.raises(RefusedError, match="comma"):
            desk.connector.apply(MoveLabel(**desk.to, issue=key, add="a,b"))
        assert len(desk.tracker.writes) == before


class TestWhoseCommentItIs:
    def test_an_issue_that_a_person_named_has_no_marker_of_ours(self, desk: Desk) -> None:
        desk.tracker.issue(desk.project, "Their own", desk.tracker.user("ada"), body="Report here", confidential=True)
        seen = desk.observe(f"{KEY}#1")
        assert seen is not None
        assert (seen.marker, seen.visibility) == ("", Visibility.CONFIDENTIAL)

    def test_it_is_found_among_many_issues_with_the_label_and_the_oldest_wins(self, desk: Desk) -> None:
        bot, ada = desk.tracker.bot, desk.tracker.user("ada")
        for n in range(120):
            desk.tracker.issue(desk.project, f"Theirs {n}", ada, labels=["milestone-status"])
        body = with_marker("Health", desk.marker("status_issue"))
        for title in ("First", "Second"):
            at = desk.side.clock.forward(minutes=1)
            desk.tracker.issue(desk.project, title, bot, at=at, body=body, labels=["milestone-status"])
        seen = desk.observe()
        assert seen is not None
        assert seen.issue == f"{KEY}#121"

    @pytest.mark.parametrize("text", ["[]", '"x"', "5", '{"kind": "summary"}', '{"kind": "status_issue"}', "{}"])
    def test_a_marker_that_is_none(self, desk: Desk, text: str) -> None:
        body = f"Health\n\n<!-- milesync {text} -->"
        desk.tracker.issue(desk.project, "Odd", desk.tracker.bot, body=body, labels=["milestone-status"])
        assert desk.observe() is None


class TestSeveral:
    def test_status_issues_of_many_milestones_are_read_together(self, desk: Desk) -> None:
        targets = []
        for n in range(60):
            uid_ = f"{desk.connector.base_url}/milestone/{n}"
            desk.tracker.issue(desk.project, f"Status {n}", desk.tracker.user("ada"))
            to = {**desk.to, "milestone": uid_}
            targets.append(Target(**to, issue=f"{KEY}#{n + 1}"))
        before = desk.connector.requests
        seen = desk.connector.observe(targets)
        assert {key: issue.issue for key, issue in seen.issues.items()} == {t.milestone: t.issue for t in targets}
        assert desk.connector.requests - before == 1 + 3 + 1, "the project, threads of 20, the licence for health"

    def test_a_status_issue_in_another_project(self, desk: Desk) -> None:
        other = desk.tracker.project("acme/hub", private=True)
        desk.tracker.issue(other, "All health", desk.tracker.user("ada"))
        seen = desk.observe("acme/hub#1")
        assert seen is not None
        assert (seen.issue, seen.visibility) == ("acme/hub#1", Visibility.PROJECT)
        desk.connector.apply(desk.comment("acme/hub#1"))
        assert len(other.issues[1].comments) == 1

    @pytest.mark.parametrize("issue", ["#9", f"{KEY}#9", "nonsense", "acme/nope#1", "#"])
    def test_a_status_issue_that_is_not_there_is_a_failure_of_its_milestone_only(self, desk: Desk, issue: str) -> None:
        key = desk.make()
        lost = Target(**{**desk.to, "milestone": "lost"}, issue=issue)
        seen = desk.connector.observe([lost, desk.target(key)])
        assert list(seen.issues) == [desk.uid]
        assert isinstance(seen.failed["lost"], GoneError)
        with pytest.raises((RefusedError, GoneError)):
            desk.connector.apply(desk.comment(issue))

    def test_a_project_that_fails_does_not_hide_another(self, desk: Desk) -> None:
        key = desk.make()
        gone = Target(milestone="gone", project="999999", project_key="acme/nope")
        seen = desk.connector.observe([gone, desk.target(key)])
        assert list(seen.issues) == [desk.uid]
        assert isinstance(seen.failed["gone"], GoneError)

    def test_a_thread_that_fails_does_not_hide_another(self, desk: Desk) -> None:
        first, second = desk.make(), desk.make()
        desk.tracker.faults += [failing("/issues/1/notes", 500), failing("/api/graphql", 403)]
        other = Target(**{**desk.to, "milestone": "other"}, issue=second)
        seen = desk.connector.observe([desk.target(first), other])
        assert list(seen.issues) == ["other"]
        assert list(seen.failed) == [desk.uid]


class TestQuickActions:
    """First that the sandbox behaves as GitLab does, then that nothing of ours gets that far."""

    def post(self, desk: Desk, body: str, note: Comment | None = None) -> requests.Response:
        url = f"{desk.tracker.url}/api/v4/projects/{desk.project.id}/issues/1/notes"
        headers = {"PRIVATE-TOKEN": desk.tracker.token}
        with requests.Session() as session:
            if note is not None:
                return session.put(f"{url}/{note.id}", json={"body": body}, headers=headers, timeout=60)
            return session.post(url, json={"body": body}, headers=headers, timeout=60)

    def test_the_sandbox_runs_them_and_takes_them_out(self, desk: Desk) -> None:
        desk.make()
        answer = self.post(desk, "Hello\n/close\nworld").json()
        assert answer["body"] == "Hello\nworld"
        assert desk.issue().closed is not None

    def test_the_sandbox_saves_no_note_of_commands_alone(self, desk: Desk) -> None:
        desk.make()
        answer = self.post(desk, '/label ~"milestone-status"\n/close')
        assert answer.status_code == 202
        assert answer.json()["summary"] == ["Added ~milestone-status label.", "Closed this issue."]
        assert "id" not in answer.json()
        assert desk.issue().comments == []

    def test_the_sandbox_leaves_code_and_unknown_words_alone(self, desk: Desk) -> None:
        desk.make()
        body = "```\n/close\n```\n/tmp/file\n and/or /close"
        assert self.post(desk, body).json()["body"] == body
        assert desk.issue().closed is None

    def test_the_sandbox_deletes_a_note_that_is_edited_to_commands(self, desk: Desk) -> None:
        key = desk.make()
        desk.connector.apply(desk.comment(key))
        self.post(desk, "/close", desk.issue().comments[0])
        assert desk.issue().comments == []
        assert desk.issue().closed is not None

    @pytest.mark.parametrize("body", ["/close", "Fine.\n/close", "Fine.\n  /label ~x\nYes", "x\n\t/assign @eve"])
    def test_ours_are_never_sent(self, desk: Desk, body: str) -> None:
        key = desk.make()
        comment = desk.connector.apply(desk.comment(key)).id
        before = len(desk.tracker.writes)
        actions: list[Action] = [
            desk.comment(key, body),
            UpdateComment(**desk.to, issue=key, comment=comment, body=body, marker=desk.marker()),
            CreateStatusIssue(**desk.to, title="T", body=body, marker=desk.marker()),
        ]
        for action in actions:
            with pytest.raises(RefusedError, match="quick action"):
                desk.connector.apply(action)
        assert len(desk.tracker.writes) == before

    @pytest.mark.parametrize("body", ["`/close`", "- /close", "> /close", "a /close", "| /close |", "1/2", "# /x"])
    def test_a_stroke_elsewhere_is_text(self, desk: Desk, body: str) -> None:
        key = desk.make()
        desk.connector.apply(desk.comment(key, f"Fine.\n{body}"))
        assert desk.issue().comments[0].body.startswith(f"Fine.\n{body}\n\n<!-- milesync")
        assert desk.issue().closed is None

    @pytest.mark.parametrize(
        "answer",
        [
            {"commands_changes": {"state_event": "close"}, "summary": ["Closed this issue."]},
            {"id": 5, "body": "Something else", "commands_changes": {}},
        ],
    )
    def test_an_answer_that_shows_another_text_is_an_error(self, desk: Desk, answer: dict[str, object]) -> None:
        key = desk.make()
        desk.tracker.faults.append(failing("/notes", 200, times=1, body=json.dumps(answer)))
        with pytest.raises(RefusedError, match=r"quick actions|changed the text"):
            desk.connector.apply(desk.comment(key))

    def test_a_hostile_title_makes_one_line_of_the_status_issue(self, desk: Desk) -> None:
        made = CreateStatusIssue(**desk.to, title="Health of\n/close\n2.0", body="B", marker=desk.marker())
        desk.connector.apply(made)
        assert desk.issue().title == "Health of /close 2.0"
        assert desk.issue().closed is None


def test_a_write_in_an_archived_project_is_refused_as_that(side: Side) -> None:
    """GitLab's own words, 403 Forbidden, say nothing about it."""
    desk = Desk(side)
    issue = desk.make()
    desk.project.read_only = True
    with pytest.raises(RefusedError) as refused:
        desk.connector.apply(desk.comment(issue))
    assert type(refused.value) is RefusedError
    desk.project.archived = True
    with pytest.raises(ArchivedError, match="403 Forbidden"):
        desk.connector.apply(desk.comment(issue))
