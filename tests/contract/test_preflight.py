"""Preflight: each connector reports on its token and projects before the first write, and writes nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.github import connect as github
from connectors.gitlab import connect as gitlab
from connectors.jira import connect as jira
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Fault, Hook, Project
from sync.tracker.errors import AuthError, GoneError
from sync.tracker.preflight import Examination, Examiner, Need
from sync.tracker.protocol import Connector, Setup

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
CONNECT: dict[str, Callable[[Setup], Connector]] = {
    "github": github,
    "gitlab": gitlab,
    "jira": jira,
    "jira-cloud": jira,
}
KEYS = {"github": "acme/app", "gitlab": "acme/api", "jira": "PAY", "jira-cloud": "WEB"}
Examined = Callable[..., Examination]


@pytest.fixture(scope="module")
def running() -> Iterator[World]:
    world = World(lambda: NOW)
    with Sandbox(world):
        yield world


@pytest.fixture
def world(running: World) -> World:
    for tracker in running.trackers:
        fresh = Tracker(running, tracker.kind)
        tracker.scopes, tracker.expires, tracker.used = fresh.scopes, None, 0
        for filled in (tracker.projects, tracker.faults, tracker.log):
            filled.clear()
        tracker.project(KEYS[tracker.kind])
    return running


def examined(tracker: Tracker, *projects: str, token: str = "sandbox", **options: Any) -> Examination:
    secrets = {"token": token} | ({"email": "bot@sandbox.invalid"} if tracker.kind == "jira-cloud" else {})
    dialect = {"dialect": "cloud"} if tracker.kind == "jira-cloud" else {}
    connector = CONNECT[tracker.kind](
        Setup(
            name="here",
            url=tracker.url,
            secrets=secrets,
            clock=lambda: NOW,
            sleep=lambda _: None,
            options=options | dialect,
        )
    )
    assert isinstance(connector, Examiner)
    try:
        return connector.examine(projects or (KEYS[tracker.kind],))
    finally:
        connector.close()


def lacking(told: Examination) -> set[tuple[str, str, Need]]:
    return {(right.project, right.name, right.need) for right in told.rights if right.held is False}


def place(tracker: Tracker) -> Project:
    return tracker.projects[KEYS[tracker.kind]]


@pytest.fixture(params=sorted(KEYS))
def tracker(world: World, request: pytest.FixtureRequest) -> Tracker:
    return next(tracker for tracker in world.trackers if tracker.kind == request.param)


def test_a_token_with_every_right_lacks_nothing_and_nothing_is_written(tracker: Tracker) -> None:
    told = examined(tracker)
    assert lacking(told) == set()
    assert {right.need for right in told.rights} >= {Need.UPDATE}
    assert all(right.held for right in told.rights)
    assert (told.obstacles, told.triggers, told.failed) == ((), (), {})
    assert told.account in ("milesync-bot", "milesync")
    assert all(word in told.server for word in {"github": ["GitHub"], "gitlab": ["19.6"]}.get(tracker.kind, ["Jira"]))
    assert told.sdk.split()[0] in ("PyGithub", "python-gitlab", "jira")
    assert tracker.writes == []


def test_the_trackers_clock_is_compared_and_its_request_budget_shown(tracker: Tracker) -> None:
    tracker.used = 1000
    told = examined(tracker)
    assert told.ahead is not None  # the Date header is the web server's own, our clock is set by the test
    (budget, *_) = told.budgets
    assert budget.limit == 5000
    assert 3900 < budget.left < 4001


def test_a_project_that_may_not_be_written_lacks_each_right_by_name(tracker: Tracker) -> None:
    place(tracker).read_only = True
    key = place(tracker).key
    wanted = {
        "github": {(key, "Issues: write", Need.UPDATE)},
        "gitlab": {(key, "the role Planner or Reporter", Need.UPDATE)},
    }
    jira_rights = {"Add Comments", "Edit Issues", "Edit Own Comments", "Delete Own Comments"}
    both = {(key, name, Need.UPDATE) for name in jira_rights} | {(key, "Create Issues", Need.CREATE)}
    assert lacking(examined(tracker)) == wanted.get(tracker.kind, both)


def test_hidden_roles_are_named_with_the_right_that_shows_them(tracker: Tracker) -> None:
    place(tracker).admin = True
    what = "who has write access, so /milesync commands are ignored"
    assert what not in {unread.what for unread in examined(tracker).unread}
    place(tracker).hides_roles = True
    (found,) = [unread for unread in examined(tracker).unread if unread.what == what]
    remedy = {"github": "the role Write", "gitlab": "read the project's members"}.get(
        tracker.kind, "Administer Projects"
    )
    assert (found.project, remedy in found.remedy) == (place(tracker).key, True)


def test_a_project_that_is_not_there_fails_alone(tracker: Tracker) -> None:
    missing = {"github": "acme/gone", "gitlab": "acme/gone"}.get(tracker.kind, "GONE")
    told = examined(tracker, KEYS[tracker.kind], missing)
    assert {key: type(error) for key, error in told.failed.items()} == {missing: GoneError}
    assert {right.project for right in told.rights} >= {KEYS[tracker.kind]}


def test_a_token_that_is_no_good_is_an_error_of_the_connection(tracker: Tracker) -> None:
    with pytest.raises(AuthError):
        examined(tracker, token="wrong")


@pytest.mark.parametrize("kind", ["github", "gitlab", "jira"])
def test_the_expiry_of_a_token_where_the_tracker_shows_it(world: World, kind: str) -> None:
    tracker = next(tracker for tracker in world.trackers if tracker.kind == kind)
    tracker.expires = datetime(2026, 3, 9, tzinfo=UTC)
    told = examined(tracker)
    assert told.expires == tracker.expires
    assert not any("expiry" in unread.what for unread in told.unread)


def test_the_expiry_that_cloud_does_not_show_is_listed_as_unread(world: World) -> None:
    assert "the expiry of the token" in {unread.what for unread in examined(world.cloud).unread}


# --- GitHub -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scopes", "private", "held"),
    [
        (("repo",), True, True),
        (("public_repo",), True, False),
        (("public_repo",), False, True),
        (("read:org",), False, False),
        (None, True, None),
    ],
)
def test_github_scopes(world: World, scopes: tuple[str, ...] | None, private: bool, held: bool | None) -> None:
    world.github.scopes, place(world.github).private = scopes, private
    told = examined(world.github)
    assert told.scopes == scopes
    assert [right.held for right in told.rights if right.name == "Issues: write"] == [held]
    assert (scopes is None) == ("the permissions of this kind of token" in {unread.what for unread in told.unread})


@pytest.mark.parametrize(("scopes", "held"), [(("repo",), False), (("repo", "project"), True), (None, None)])
def test_a_board_needs_its_own_scope_where_it_is_asked_for(
    world: World, scopes: tuple[str, ...] | None, held: bool | None
) -> None:
    world.github.scopes = scopes
    named = [
        right.held
        for right in examined(world.github, optional_outputs=["project_status"]).rights
        if "Projects" in right.name
    ]
    assert named == [held]
    assert not any("Projects" in right.name for right in examined(world.github).rights)


def test_a_fine_grained_token_without_a_right_to_read_is_found_by_reading(world: World) -> None:
    place(world.github).denied |= {"pulls"}
    world.github.scopes = None
    assert lacking(examined(world.github)) == {("acme/app", "Pull requests: read", Need.READ)}
    place(world.github).denied |= {"issues"}
    assert ("acme/app", "Issues: read", Need.READ) in lacking(examined(world.github))


def test_a_github_app_has_no_user_and_is_the_viewer(world: World) -> None:
    world.github.scopes = None
    world.github.faults.append(Fault("status", "GET /user", status=403, body='{"message": "not by integration"}'))
    assert examined(world.github).account == "milesync-bot"


def test_a_repository_without_issues_or_in_the_archive_is_an_obstacle(world: World) -> None:
    place(world.github).issues_off = place(world.github).archived = True
    told = examined(world.github)
    assert {(o.words, o.need) for o in told.obstacles} == {
        ("issues are turned off", Need.READ),
        ("the repository is archived", Need.UPDATE),
    }


def test_webhooks_and_workflows_of_github_that_we_would_set_off(world: World) -> None:
    repository = place(world.github)
    repository.hooks = [
        Hook("https://hooks.example.org/secret-path", ("issues", "push")),
        Hook("https://all.example.org/x", ("*",)),
        Hook("https://off.example.org/x", ("issues",), active=False),
        Hook("https://code.example.org/x", ("push",)),
    ]
    repository.workflows = {
        "triage.yml": "name: triage\non:\n  issues:\n    types: [labeled]\njobs:\n  a:\n    steps: []\n",
        "build.yml": "on: [push]  # not on issues\njobs:\n  issues:\n    steps: []\n",
        "notes.md": "on: issues",
    }
    told = examined(world.github)
    assert {unread.what for unread in told.unread} == {"its webhooks (for its administrators only)"}
    assert [trigger.words for trigger in told.triggers] == ["the workflow triage.yml (issues)"]
    repository.admin = True
    told = examined(world.github)
    assert [trigger.words for trigger in told.triggers] == [
        "the webhook to hooks.example.org (issues)",
        "the webhook to all.example.org (issues, issue_comment, label)",
        "the workflow triage.yml (issues)",
    ]
    assert "secret-path" not in str(told)


def test_an_owners_repositories_are_examined_each(world: World) -> None:
    world.github.project("acme/two").read_only = True
    assert lacking(examined(world.github, "acme/*")) == {("acme/two", "Issues: write", Need.UPDATE)}


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("", ()),
        ("3.22", ()),
        ("3.18", ("ended its support", "no dependencies")),
        ("3.17", ("ended its support", "no dependencies", "no duplicates")),
        ("3.14", ("ended its support", "no issue types", "no sub-issues", "no dependencies", "no duplicates")),
        ("3.5", ("older than 3.14", "no issue types", "no sub-issues", "no dependencies", "no reason")),
    ],
)
def test_the_losses_with_an_older_enterprise_server_are_named(
    world: World, version: str, expected: tuple[str, ...]
) -> None:
    world.github.version = version
    try:
        limitations = examined(world.github).limitations
    finally:
        world.github.version = ""
    assert len(limitations) == len(expected)
    for words in expected:
        (limitation,) = [limitation for limitation in limitations if words in limitation.words]
        assert limitation.remedy


# --- GitLab -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scopes", "lacks"),
    [
        (("api",), set()),
        (("read_api",), {("", "the scope api", Need.UPDATE)}),
        (("read_user",), {("", "the scope read_api", Need.READ), ("", "the scope api", Need.UPDATE)}),
    ],
)
def test_gitlab_scopes(world: World, scopes: tuple[str, ...], lacks: set[tuple[str, str, Need]]) -> None:
    world.gitlab.scopes = scopes
    assert lacking(examined(world.gitlab)) == lacks


def test_a_gitlab_token_that_is_not_listed_is_not_known_to_lack_scopes(world: World) -> None:
    world.gitlab.faults.append(Fault("status", "personal_access_tokens", status=401))
    told = examined(world.gitlab)
    assert told.scopes is None
    assert "scopes and expiry of this kind of token" in {unread.what for unread in told.unread}
    assert lacking(told) == set()


def test_projects_of_a_group_are_distinguished_by_role(world: World) -> None:
    world.gitlab.project("acme/web").read_only = True
    for group in ("acme", "acme/*"):
        told = examined(world.gitlab, group)
        assert {r.project: r.held for r in told.rights if r.project} == {"acme/api": True, "acme/web": False}


@pytest.mark.parametrize("count", [None, "issues"])
def test_merge_requests_of_gitlab_that_may_not_be_read(world: World, count: str | None) -> None:
    project, options = place(world.gitlab), {} if count is None else {"count": count}
    usual = {unread.what for unread in examined(world.gitlab).unread}
    project.denied.add("merge_requests")
    told = examined(world.gitlab, **options)
    assert {unread.what for unread in told.unread} - usual == (set() if count else {"merge requests"})
    project.merge_requests_off = True
    assert {unread.what for unread in examined(world.gitlab).unread} == usual, "switched off is no missing right"
    project.merge_requests_off = False
    project.denied.clear()


def test_a_milestone_of_a_group_of_gitlab_that_is_read_in_part(world: World) -> None:
    for key in ("acme/web", "acme/deep/down"):
        world.gitlab.project(key)
    assert examined(world.gitlab).limitations == ()
    world.gitlab.group_milestone("acme", "Launch")
    (loss,) = examined(world.gitlab).limitations
    assert loss.words == "the milestones of the group acme also hold the issues of 2 projects that are not read"
    assert "acme/*" in loss.remedy
    assert examined(world.gitlab, "acme/*").limitations == ()
    (loss,) = examined(world.gitlab, "acme/api", "acme/web").limitations
    assert loss.words.endswith("the issues of a project that is not read")


def test_webhooks_and_obstacles_of_gitlab(world: World) -> None:
    project = place(world.gitlab)
    project.hooks = [Hook("https://hooks.example.org/x", ("note",)), Hook("https://ci.example.org/x", ("push",))]
    assert {unread.what for unread in examined(world.gitlab).unread} == {"its webhooks (for its maintainers only)"}
    project.admin = project.issues_off = project.archived = True
    told = examined(world.gitlab)
    assert [trigger.words for trigger in told.triggers] == ["the webhook to hooks.example.org (note)"]
    assert {obstacle.words for obstacle in told.obstacles} == {"issues are turned off", "the project is archived"}


# --- Jira ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["jira", "jira-cloud"])
def test_what_the_form_for_a_status_issue_requires(world: World, kind: str) -> None:
    tracker = next(tracker for tracker in world.trackers if tracker.kind == kind)
    place(tracker).required = {"customfield_10100": "Team"}
    (obstacle,) = examined(tracker).obstacles
    assert obstacle.words == "a new Task must have 'Team'"
    assert obstacle.remedy == "give a value in status_issue.fields.customfield_10100"
    assert obstacle.need is Need.CREATE
    assert examined(tracker, status_fields={"customfield_10100": "x"}).obstacles == ()
    place(tracker).off_screen = {"labels"}
    assert "the field labels is not on the form for a new Task" in {o.words for o in examined(tracker).obstacles}


@pytest.mark.parametrize("kind", ["jira", "jira-cloud"])
def test_an_issue_type_that_is_not_there_names_those_that_are(world: World, kind: str) -> None:
    tracker = next(tracker for tracker in world.trackers if tracker.kind == kind)
    (obstacle,) = examined(tracker, status_type="Milestone").obstacles
    assert obstacle.words == "it has no issue type 'Milestone'"
    assert obstacle.remedy == "set status_issue.type to one of: Task, Bug, Story"


@pytest.mark.parametrize("kind", ["jira", "jira-cloud"])
def test_a_workflow_that_does_not_say_how_a_status_issue_is_closed_or_reopened(world: World, kind: str) -> None:
    tracker = next(tracker for tracker in world.trackers if tracker.kind == kind)
    project, ada = place(tracker), tracker.user("ada")
    opened = tracker.issue(project, "open", ada)
    assert examined(tracker).obstacles == (), "the default workflow"
    tracker.transitions = {"Start": "In Progress", "Done": "Done", "Reject": "Closed"}
    (obstacle,) = examined(tracker).obstacles
    assert obstacle.words == (
        f"a status issue would stay open, as {opened.key} would: 2 transitions close it; name one of them in "
        "status_issue.close_transition"
    )
    assert (obstacle.need, obstacle.is_optional) == (Need.UPDATE, True)
    assert obstacle.remedy.startswith("set status_issue.close_transition, ")
    assert examined(tracker, close_transition="Done").obstacles == ()
    assert examined(tracker, status_close=False).obstacles == ()
    closed = tracker.issue(project, "closed", ada)
    tracker.close(closed, ada)
    project.denied = {"TRANSITION_ISSUES"}
    assert [o.words.partition(" would: ")[0] for o in examined(tracker).obstacles] == [
        f"a status issue would stay open, as {opened.key}",
        f"a status issue would stay closed, as {closed.key}",
    ]


@pytest.mark.parametrize("kind", ["jira", "jira-cloud"])
def test_one_missing_permission_of_jira_is_named_as_jira_names_it(world: World, kind: str) -> None:
    tracker = next(tracker for tracker in world.trackers if tracker.kind == kind)
    place(tracker).denied = {"ADD_COMMENTS"}
    assert lacking(examined(tracker)) == {(place(tracker).key, "Add Comments", Need.UPDATE)}


@pytest.mark.parametrize("kind", ["jira", "jira-cloud"])
def test_a_versions_description_takes_a_right_that_is_asked_for_only_then(world: World, kind: str) -> None:
    tracker = next(tracker for tracker in world.trackers if tracker.kind == kind)
    assert lacking(examined(tracker)) == set()
    found = lacking(examined(tracker, optional_outputs=["description"]))
    assert found == {(place(tracker).key, "Administer Projects", Need.UPDATE)}
    place(tracker).admin = True
    assert lacking(examined(tracker, optional_outputs=["description"])) == set()


@pytest.mark.parametrize("kind", ["jira", "jira-cloud"])
def test_a_picture_takes_rights_and_attachments_that_are_asked_for_only_then(world: World, kind: str) -> None:
    tracker = next(tracker for tracker in world.trackers if tracker.kind == kind)
    assert lacking(examined(tracker, optional_outputs=["picture"])) == set()
    place(tracker).denied, tracker.attaching = {"DELETE_OWN_ATTACHMENTS"}, False
    assert (lacking(examined(tracker)), examined(tracker).obstacles) == (set(), ())
    told = examined(tracker, optional_outputs=["picture"])
    assert lacking(told) == {(place(tracker).key, "Delete Own Attachments", Need.UPDATE)}
    assert [obstacle.words for obstacle in told.obstacles] == ["attachments are switched off in Jira"]


def test_webhooks_of_a_jira_site_are_for_its_administrators(world: World) -> None:
    place(world.jira).hooks = [Hook("https://hooks.example.org/x", ("jira:issue_updated", "comment_created"))]
    assert "webhooks (for administrators of the site only)" in {unread.what for unread in examined(world.jira).unread}
    place(world.jira).admin = True
    told = examined(world.jira)
    assert [trigger.words for trigger in told.triggers] == [
        "the webhook to hooks.example.org (issue_updated, comment_created)"
    ]
    assert {unread.what for unread in told.unread} == {"automation rules"}


def test_the_clock_of_a_tracker_that_is_an_hour_ahead() -> None:
    from connectors.shared.responses import Response, clock_ahead, rate_limit

    answer = Response(200, {"date": "Mon, 02 Mar 2026 10:30:00 GMT"}, b"")
    assert clock_ahead(answer, NOW) == timedelta(hours=1)
    assert clock_ahead(Response(200, {"date": "soon"}, b""), NOW) is None
    assert clock_ahead(Response(200, {}, b""), NOW) is None
    assert rate_limit(answer, "REST") is None
