"""Many GitLab status issues are observed in few requests, with the same result as one by one, over HTTP."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import parse

from connectors.gitlab import project_probe, threads
from connectors.gitlab.session import PROBE_SIZE
from connectors.sandbox.gitlab import app, graphql
from connectors.sandbox.gitlab.complexity import LIMIT, complexity_of
from connectors.sandbox.gitlab.graphql import _schema
from connectors.sandbox.world_data import Fault, Project
from sync.model.tracker_data import Visibility, uid
from sync.tracker.observed import Observed, Target
from tests.contract.gitlab_side import Side, failing, served


@pytest.fixture
def side() -> Iterator[Side]:
    with served() as made:
        yield made


def marker(kind: str, milestone: str) -> str:
    return f'<!-- milesync {{"v":1,"instance":"t","kind":"{kind}","milestone":"{milestone}"}} -->'


def status_issues(side: Side, project: Project, count: int, *, known: bool = True) -> list[Target]:
    """Milestones of a project with their status issues, each with a comment of ours and one of a person."""
    tracker, targets = side.tracker, []
    tracker.label(tracker.issue(project, "Other", tracker.bot), ["bug"], [], tracker.bot)
    for n in range(count):
        milestone = uid(tracker.url, "milestone", f"{project.id}{n}")
        body = f"Health\n\n{marker('status_issue', milestone)}"
        issue = tracker.issue(project, f"S{n}", tracker.bot, body=body, labels=["milestone-status"])
        tracker.comment(issue, tracker.bot, f"Summary {n}\n\n{marker('summary', milestone)}", side.clock.now)
        tracker.comment(issue, tracker.user("ada", "Ada Fox"), "Thanks", side.clock.forward(seconds=0.3))
        key = f"{project.key}#{issue.number}" if known else ""
        targets.append(Target(milestone=milestone, project=str(project.id), project_key=project.key, issue=key))
    return targets


def observed(side: Side, targets: list[Target]) -> tuple[Observed, int]:
    """An observation by a new connector, and its requests."""
    connector = side.connect(status_labels=["milestone-status"], concurrency=4)
    return connector.observe(targets), connector.requests


def by_rest(side: Side, targets: list[Target]) -> Observed:
    fault = failing("/api/graphql", 403)
    side.tracker.faults.append(fault)
    seen, _ = observed(side, targets)
    side.tracker.faults.remove(fault)
    return seen


def the_same(side: Side, targets: list[Target]) -> Observed:
    """Observe by GraphQL and by REST, and compare."""
    seen, rest = observed(side, targets)[0], by_rest(side, targets)
    assert (seen.issues, seen.labels, seen.claims) == (rest.issues, rest.labels, rest.claims)
    assert {key: str(error) for key, error in seen.failed.items()} == {k: str(e) for k, e in rest.failed.items()}
    return seen


class TestRequests:
    @pytest.mark.parametrize(("count", "known"), [(1, True), (20, True), (200, True), (1, False), (20, False)])
    def test_of_one_project(self, side: Side, count: int, known: bool) -> None:
        targets = status_issues(side, side.tracker.project("acme/app"), count, known=known)
        seen, used = observed(side, targets)
        assert len(seen.issues) == count
        assert used == 1 + math.ceil(count / 20) + 1 <= math.ceil(count / 10) + 2

    def test_of_many_projects(self, side: Side) -> None:
        targets = [t for n in range(20) for t in status_issues(side, side.tracker.project(f"acme/p{n}"), 10)]
        seen, used = observed(side, targets)
        assert len(seen.issues) == 200
        assert used == 1 + 10 + 1 <= 200 / 10 + 2

    @pytest.mark.parametrize("known", [True, False])
    def test_of_one_in_each_project(self, side: Side, known: bool) -> None:
        targets = [
            target
            for n in range(60)
            for target in status_issues(side, side.tracker.project(f"acme/p{n}"), 1, known=known)
        ]
        seen, used = observed(side, targets)
        assert len(seen.issues) == 60
        assert used == 2 + 60 / 20 + 1

    def test_without_graphql_each_thread_takes_one(self, side: Side) -> None:
        targets = status_issues(side, side.tracker.project("acme/app"), 20)
        side.tracker.faults.append(failing("/api/graphql", 403))
        assert observed(side, targets)[1] == 1 + 1 + 1 + 1 + 1 + 20, "refused; me, labels, issues, project, threads"

    def test_the_complexity_of_the_largest_queries_is_allowed(self) -> None:
        schema = _schema(premium=True, version="")
        paths = {f"{name}{n}": "a/b" if name == "p" else ["1"] for n in range(threads.PATHS) for name in "pn"}
        document = threads._without(threads._document(threads.PATHS), threads._ISSUE, frozenset())
        assert 200 < complexity_of(schema, parse(document), paths) <= LIMIT
        places = threads._without(threads._PLACES, threads._LEVELS, frozenset())
        variables = {"ids": ["1"], "first": threads.PROJECTS, "labels": ["x"], "search": True}
        assert complexity_of(schema, parse(places), variables) <= LIMIT / 2
        own = threads._without(threads._OWN, threads._ISSUE, frozenset())
        variables = {"ids": ["1"], "first": threads.PROJECTS, "numbers": ["1"], "author": "x"}
        assert complexity_of(schema, parse(own), variables) <= LIMIT / 2
        probe = project_probe._document("fullPaths", ())
        assert complexity_of(schema, parse(probe), {"wanted": ["a/b"], "first": PROBE_SIZE}) <= LIMIT / 2

    @pytest.mark.parametrize("known", [True, False])
    def test_what_is_too_heavy_is_halved(self, side: Side, known: bool) -> None:
        targets = status_issues(side, side.tracker.project("acme/app"), 20, known=known)
        plain, _ = observed(side, targets)
        body = '{"errors": [{"message": "Query has complexity of 330, which exceeds max complexity of 250"}]}'
        side.tracker.faults.append(Fault("status", "/api/graphql", status=200, body=body, after=1))
        connector = side.connect(status_labels=["milestone-status"])
        assert connector.observe(targets) == plain
        before = connector.requests
        assert connector.observe(targets) == plain
        assert connector.requests - before == 1 + 2, "the size stays, and the licence is known"


class TestSame:
    """Compare what is observed by GraphQL with what REST shows."""

    @pytest.mark.parametrize("version", ["", "17.4", "16.5", "15.4", "15.0"])
    @pytest.mark.parametrize("known", [True, False])
    def test_on_every_version(self, side: Side, version: str, known: bool) -> None:
        side.tracker.version = version
        targets = [
            target
            for n in range(3)
            for target in status_issues(side, side.tracker.project(f"acme/p{n}"), 3, known=known)
        ]
        assert len(the_same(side, targets).issues) == 9

    @pytest.mark.parametrize("premium", [True, False])
    @pytest.mark.parametrize("health", ["", "needs_attention"])
    def test_health(self, side: Side, premium: bool, health: str) -> None:
        side.tracker.premium = premium
        project = side.tracker.project("acme/app")
        targets = status_issues(side, project, 2)
        project.issues[2].health = health
        seen = the_same(side, targets)
        assert [issue.health for issue in seen.issues.values()] == ([health, ""] if premium else [None, None])

    def test_health_without_a_licence_on_a_licensed_edition(self, side: Side) -> None:
        """The schema knows the field, and REST does not show it."""
        side.tracker.licence_ended = True
        seen = the_same(side, status_issues(side, side.tracker.project("acme/app"), 2))
        assert [issue.health for issue in seen.issues.values()] == [None, None]

    def test_an_unreadable_number_of_a_candidate_is_left_to_rest(
        self, side: Side, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        targets = status_issues(side, side.tracker.project("acme/app"), 1, known=False)

        def damaged(view: Any, asked: Any) -> Any:
            reply = graphql.answer(view, asked)
            for project in (reply["data"].get("projects") or {"nodes": []})["nodes"]:
                project["issues"]["nodes"][0]["iid"] = "one"
            return reply

        monkeypatch.setattr(app, "answer", damaged)
        assert the_same(side, targets).issues[targets[0].milestone].issue == "acme/app#2"

    def test_one_group_whose_licence_cannot_be_read_hides_no_health_of_another(self, side: Side) -> None:
        projects = [side.tracker.project(key) for key in ("acme/app", "other/web")]
        targets = [target for project in projects for target in status_issues(side, project, 1)]
        side.tracker.faults.append(failing(f"/projects/{projects[0].id}/issues", 403))
        seen, _ = observed(side, targets)
        assert [seen.issues[target.milestone].health for target in targets] == [None, ""]

    def test_states_visibility_and_labels(self, side: Side) -> None:
        project = side.tracker.project("acme/app")
        targets = status_issues(side, project, 4)
        issues = {number: issue for number, issue in project.issues.items() if number > 1}
        side.tracker.close(issues[2], side.tracker.bot)
        issues[3].confidential = True
        side.tracker.label(issues[4], [f"label {n}" for n in range(60)], [], side.tracker.bot)
        project.private = True
        by_key = the_same(side, targets).issues
        seen = [by_key[target.milestone] for target in targets]
        assert [issue.closed for issue in seen] == [True, False, False, False]
        assert [issue.visibility for issue in seen][:2] == [Visibility.PROJECT, Visibility.CONFIDENTIAL]
        assert len(seen[2].labels) == 61, "more than a page of labels"

    def test_more_comments_than_a_page(self, side: Side) -> None:
        project = side.tracker.project("acme/app")
        targets = status_issues(side, project, 2)
        for n in range(60):
            side.tracker.comment(project.issues[2], side.tracker.user("ada"), f"Comment {n}", side.clock.now)
        late = side.tracker.comment(
            project.issues[2], side.tracker.bot, f"X {marker('transition', 'x')}", side.clock.now
        )
        first = the_same(side, targets).issues[targets[0].milestone]
        assert [comment.id for comment in first.comments][-1] == str(late.id)

    def test_commands_claims_and_internal_notes(self, side: Side) -> None:
        project, tracker = side.tracker.project("acme/app"), side.tracker
        targets = status_issues(side, project, 1)
        project.members["ada"] = "write"
        ada, ben, issue = tracker.user("ada"), tracker.user("ben", "Ben"), project.issues[2]
        tracker.comment(issue, ada, "/milesync refresh", side.clock.forward(seconds=0.2))
        tracker.comment(issue, ben, "/milesync refresh", side.clock.forward(seconds=0.2))
        tracker.comment(issue, ada, "/milesync note hidden", side.clock.now, internal=True)
        tracker.comment(issue, ben, f"Mine {marker('summary', targets[0].milestone)}", side.clock.now)
        [seen] = the_same(side, targets).issues.values()
        assert [(command.author, command.may_write) for command in seen.asked] == [
            (str(ada.id), True),
            (str(ben.id), False),
        ]
        assert [claim.author for claim in seen.claims] == ["ben"]

    def test_issues_of_us_and_of_people_with_the_same_numbers_in_many_projects(self, side: Side) -> None:
        """A person's issue is the status issue of every third project, and has a number that others have, too."""
        tracker, targets = side.tracker, []
        for n in range(24):
            project = tracker.project(f"acme/p{n}")
            for _ in range(n % 4):
                tracker.issue(project, "Mine", tracker.bot)
            [target] = status_issues(side, project, 1)
            number = int(target.issue.rpartition("#")[2])
            if n % 3 == 0:
                project.issues[number].author = tracker.user("ada", "Ada Fox")
            targets.append(target)
        tracker.rename(tracker.projects["acme/p5"], "acme/new")
        seen = the_same(side, targets)
        assert len(seen.issues) == 24
        used = observed(side, targets)[1]
        assert used == 1 + 1 + 2 + 1, "places, our own of twenty, the other eleven, and the licence"

    def test_in_another_project_a_renamed_one_and_none(self, side: Side) -> None:
        app, hub = side.tracker.project("acme/app"), side.tracker.project("acme/hub", private=True)
        own, other = status_issues(side, app, 1), status_issues(side, hub, 1)
        elsewhere = Target(milestone="m", project=str(app.id), project_key=app.key, issue=other[0].issue)
        missing = Target(milestone="n", project=str(app.id), project_key=app.key, issue=f"{app.key}#99")
        odd = Target(milestone="o", project=str(app.id), project_key=app.key, issue="nonsense")
        seen = the_same(side, [*own, elsewhere, missing, odd])
        assert seen.issues["m"].visibility is Visibility.PROJECT
        assert sorted(seen.failed) == ["n", "o"]
        side.tracker.rename(app, "acme/new")
        assert len(the_same(side, own).issues) == 1

    def test_another_project_at_the_path_is_another_one(self, side: Side) -> None:
        app = side.tracker.project("acme/app")
        targets = status_issues(side, app, 2)
        plain, _ = observed(side, targets)
        side.tracker.rename(app, "acme/old")
        del side.tracker.moved["acme/app"]
        status_issues(side, side.tracker.project("acme/app"), 2)
        seen = the_same(side, targets)
        assert [issue.comments for issue in seen.issues.values()] == [i.comments for i in plain.issues.values()]

    def test_the_oldest_of_two_wins_and_another_account_claims(self, side: Side) -> None:
        project, tracker = side.tracker.project("acme/app"), side.tracker
        targets = status_issues(side, project, 1, known=False)
        tracker.issue(project, "Again", tracker.bot, body=project.issues[2].body, labels=["milestone-status"])
        milestone = uid(tracker.url, "milestone", "7")
        body = marker("status_issue", milestone)
        tracker.issue(project, "Forged", tracker.user("eve"), body=body, labels=["milestone-status"])
        wanted = Target(milestone=milestone, project=str(project.id), project_key=project.key)
        seen = the_same(side, [*targets, wanted])
        assert [issue.issue for issue in seen.issues.values()] == ["acme/app#2"]
        assert seen.claims[milestone].author == "eve"


def test_a_project_that_cannot_be_read_fails_alone(side: Side) -> None:
    app, web = side.tracker.project("acme/app"), side.tracker.project("acme/web")
    targets = [*status_issues(side, app, 1), *status_issues(side, web, 1)]
    web.hidden = True
    seen = the_same(side, targets)
    assert list(seen.issues) == [targets[0].milestone]
    assert list(seen.failed) == [targets[1].milestone]
