"""Observing many status issues of a Jira: how many requests it takes, and that it sees what reading each alone sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from connectors.jira.connector import JiraConnector
from connectors.sandbox.versions import OLDEST
from connectors.sandbox.world_data import Fault, Issue, Project, User
from sync.tracker.actions import CreateComment, CreateStatusIssue, UpdateComment
from sync.tracker.errors import GoneError
from sync.tracker.marker import Marker, MarkerKind
from sync.tracker.observed import StatusIssue, Target
from tests.contract.jira_side import DIALECTS, Stand, stand

Sweep = Callable[["Many"], None]
"""Something that happens between two looks."""


class Many:
    """Milestones with a status issue and a comment of ours each, in one or more projects."""

    def __init__(self, served: Stand, count: int, projects: int = 1) -> None:
        self.served, self.connector = served, served.connector()
        self.places = [served.fill(f"P{n}X", 1) for n in range(projects)]
        self.targets = [self.publish(n, self.places[n % projects]) for n in range(count)]
        served.clock.on(hours=1)

    def publish(self, n: int, project: Project) -> Target:
        at: dict[str, Any] = {"milestone": f"m{n}", "project": str(project.id), "project_key": project.key}
        sign = [Marker(instance="acme", kind=kind, milestone=at["milestone"]).encode() for kind in KINDS]
        issue = CreateStatusIssue(**at, title=f"M{n}", body=self.served.body("about"), marker=sign[0])
        key = self.connector.apply(issue).issue
        self.connector.apply(
            CreateComment(**at, issue=key, body=self.served.body("fine"), marker=sign[1], summary=True)
        )
        return Target(**at, issue=key)

    def issue(self, n: int) -> Issue:
        key, _, number = self.targets[n].issue.rpartition("-")
        return next(place for place in self.places if place.key == key).issues[int(number)]

    def person(self) -> User:
        return self.served.tracker.user("ada")

    def look(self, last: dict[str, StatusIssue] | None = None) -> tuple[dict[str, StatusIssue], int]:
        """Observe everything in a new process. Return the status issues, and the number of requests."""
        connector = self.served.connector()
        connector.capabilities  # noqa: B018  # may ask which dialect it is
        own_account(connector)
        before = connector.requests
        targets = [replace(target, last=(last or {}).get(target.milestone)) for target in self.targets]
        found = connector.observe(targets)
        assert found.failed == {}
        return dict(found.issues), connector.requests - before

    def alone(self) -> dict[str, StatusIssue]:
        """Observe each status issue by itself."""
        return {uid: issue for target in self.targets for uid, issue in self.connector.observe([target]).issues.items()}


KINDS = (MarkerKind.STATUS_ISSUE, MarkerKind.SUMMARY)


def own_account(connector: Any) -> None:
    """Read what is read once a day."""
    assert isinstance(connector, JiraConnector)
    connector._parts.session.own_account  # noqa: B018


def without_look(issues: dict[str, StatusIssue]) -> dict[str, StatusIssue]:
    return {uid: replace(issue, look=None) for uid, issue in issues.items()}


@pytest.fixture
def cloud() -> Iterator[Stand]:
    with stand("jira-cloud") as made:
        yield made


@pytest.fixture
def center() -> Iterator[Stand]:
    with stand("jira") as made:
        yield made


# --- Cloud ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "projects", "expected"), [(1, 1, 3), (20, 1, 3), (60, 20, 3), (210, 3, 3 + 1 + 1)])
def test_requests_of_a_sweep_on_cloud(cloud: Stand, count: int, projects: int, expected: int) -> None:
    """A hundred issues, a thousand comments and a thousand projects at once."""
    many = Many(cloud, count, projects)
    for place in many.places[::2]:
        place.admin = True
    seen, requests = many.look()
    assert requests == expected
    assert len(seen) == count
    assert seen == many.alone()


def test_every_comment_of_a_long_thread_is_seen(cloud: Stand) -> None:
    """An issue shows twenty comments at most with its fields."""
    many, ada = Many(cloud, 5), cloud.tracker.user("ada")
    for _ in range(25):
        cloud.tracker.comment(many.issue(2), ada, "and")
    cloud.tracker.comment(many.issue(2), ada, "/milesync mute")
    many.places[0].admin = True
    seen, requests = many.look()
    assert [command.text for command in seen["m2"].asked] == ["/milesync mute"]
    assert requests == 3 + 1 + 1, "its own thread, and the permission of the author"
    assert seen == many.alone()


def test_a_claim_of_another_account_is_seen(cloud: Stand) -> None:
    many = Many(cloud, 3)
    marker = {"milesync": {"marker": Marker(instance="acme", kind=MarkerKind.SUMMARY, milestone="m1").encode()}}
    cloud.tracker.comment(many.issue(1), cloud.tracker.user("eve"), "forged", properties=marker)
    seen, _ = many.look()
    assert len(seen["m1"].claims) == 1
    assert seen == many.alone()


@pytest.mark.parametrize("path", ["issue/bulkfetch", "comment/list", "permissions/check"])
@pytest.mark.parametrize(("kind", "status"), [("status", 400), ("html", 200), ("status", 404), ("garbage", 200)])
def test_without_an_answer_for_many_each_is_read_alone(cloud: Stand, path: str, kind: str, status: int) -> None:
    many = Many(cloud, 4, projects=2)
    cloud.tracker.faults.append(Fault(kind, path, status=status, body="{}", times=9))
    seen, requests = many.look()
    assert requests > 4
    cloud.tracker.faults.clear()
    assert seen == many.alone()


def test_comments_without_their_properties_are_no_comments_of_others(cloud: Stand) -> None:
    """Otherwise the next run would post a second comment."""
    many = Many(cloud, 3)
    comment = many.issue(0).comments[0]
    row = f'{{"id": "{comment.id}", "created": "2026-03-02T09:00:00Z", "updated": "2026-03-02T09:00:00Z"}}'
    body = f'{{"values": [{row}]}}'
    cloud.tracker.faults.append(Fault("garbage", "comment/list", body=body))
    seen, _ = many.look()
    assert all(len(issue.comments) == 1 for issue in seen.values())


def test_what_is_gone_fails_alone(cloud: Stand) -> None:
    many = Many(cloud, 4)
    del many.places[0].issues[many.issue(1).number]
    found = many.connector.observe(many.targets)
    assert set(found.issues) == {"m0", "m2", "m3"}
    assert {uid: type(error) for uid, error in found.failed.items()} == {"m1": GoneError}


def test_a_closing_before_the_newest_forty_changes_is_known(cloud: Stand) -> None:
    many = Many(cloud, 3)
    issue, target, ada = many.issue(1), many.targets[1], cloud.tracker.user("ada")
    closing = Marker(instance="acme", kind=MarkerKind.SUMMARY, milestone="m1", closes=True).encode()
    at = {"milestone": "m1", "project": target.project, "project_key": target.project_key}
    comment = str(issue.comments[0].id)
    many.connector.apply(UpdateComment(**at, issue=issue.key, comment=comment, body=cloud.body("ends"), marker=closing))
    closed = cloud.clock.on(hours=1)
    cloud.tracker.close(issue, ada, closed)
    for n in range(50):
        cloud.tracker.label(issue, [f"l{n}"], [], ada, cloud.clock.on(minutes=1))
    seen, _ = many.look()
    assert seen["m1"].state_change is not None
    assert (seen["m1"].state_change.at, seen["m1"].state_change.by_us) == (closed, False)
    assert seen == many.alone()


# --- Data Center ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["", OLDEST["jira"]])
@pytest.mark.parametrize("count", [1, 20, 210])
def test_requests_of_a_sweep_on_data_center(center: Stand, count: int, version: str) -> None:
    """One search shows that nothing changed in a hundred issues and their threads."""
    center.tracker.version = version
    many = Many(center, count)
    first, requests = many.look()
    assert requests == 2 * count + 1, "each issue and its thread, and the permission"
    center.clock.on(days=1)
    again, requests = many.look(first)
    assert requests == -(-count // 100) + 1
    assert again == first
    assert without_look(again) == without_look(many.alone())


def comment_by_a_person(many: Many) -> None:
    many.served.tracker.comment(many.issue(3), many.person(), "hello")


def comment_edited_without_an_update_of_the_issue(many: Many) -> None:
    issue = many.issue(3)
    updated = issue.updated
    many.served.tracker.edit_comment(issue, issue.comments[0], "by hand")
    issue.updated = updated


def comment_deleted_without_an_update_of_the_issue(many: Many) -> None:
    many.issue(3).comments.clear()


def label_removed(many: Many) -> None:
    issue = many.issue(3)
    many.served.tracker.label(issue, [], list(issue.labels), many.person(), many.served.clock.now)


def closed_by_a_person(many: Many) -> None:
    many.served.tracker.close(many.issue(3), many.person(), many.served.clock.now)


@pytest.mark.parametrize(
    "happens",
    [
        comment_by_a_person,
        comment_edited_without_an_update_of_the_issue,
        comment_deleted_without_an_update_of_the_issue,
        label_removed,
        closed_by_a_person,
    ],
)
def test_what_people_change_is_seen_at_the_next_sweep(center: Stand, happens: Sweep) -> None:
    many = Many(center, 10)
    first, _ = many.look()
    center.clock.on(days=1)
    happens(many)
    again, requests = many.look(first)
    reads = 2 if many.issue(3).comments else 1
    assert requests == 1 + reads + 1, "the search, one issue and its thread if it has any, and the permission"
    assert again["m3"] != first["m3"]
    assert without_look(again) == without_look(many.alone())


def test_everything_is_read_once_a_week(center: Stand) -> None:
    """A property shows in no time: only a program can change it."""
    many = Many(center, 3)
    seen, _ = many.look()
    many.issue(1).comments[0].properties.clear()
    for day in range(1, 7):
        center.clock.on(days=1)
        seen, requests = many.look(seen)
        assert requests == 2, day
    assert seen["m1"].comments
    center.clock.on(days=1)
    seen, requests = many.look(seen)
    assert requests == 2 * 3 + 1
    assert not seen["m1"].comments


def test_what_another_person_may_repair_is_read_each_time(center: Stand) -> None:
    many = Many(center, 4)
    center.tracker.comment(many.issue(0), many.person(), "/milesync mute")
    many.places[0].admin = True
    seen, _ = many.look()
    center.clock.on(days=1)
    _, requests = many.look(seen)
    assert requests == 1 + 2 + 1 + 1, "commands are worth what their author may do"
    center.tracker.transitions.clear()
    blocked = many.alone()
    assert all(issue.state_obstacle for issue in blocked.values())
    _, requests = many.look(blocked)
    assert requests == 2 * 4 + 1 + 1


def test_what_the_account_may_do_is_asked_each_time(center: Stand) -> None:
    many = Many(center, 4)
    seen, _ = many.look()
    assert not any(issue.is_open_to_commands for issue in seen.values())
    many.places[0].admin = True
    seen, requests = many.look(seen)
    assert requests == 2
    assert all(issue.is_open_to_commands for issue in seen.values())


@pytest.mark.parametrize("validates", [False, True])
def test_a_deleted_status_issue_costs_no_other(center: Stand, *, validates: bool) -> None:
    center.tracker.always_validates = validates
    many = Many(center, 8)
    seen, _ = many.look()
    del many.places[0].issues[many.issue(5).number]
    targets = [replace(target, last=seen[target.milestone]) for target in many.targets]
    own_account(many.connector)
    before = many.connector.requests
    found = many.connector.observe(targets)
    assert {uid: type(error) for uid, error in found.failed.items()} == {"m5": GoneError}
    assert found.issues == {uid: issue for uid, issue in seen.items() if uid != "m5"}
    assert many.connector.requests - before <= 1 + 1 + 1 + 2 * 3 * validates


@pytest.mark.parametrize(("kind", "status"), [("status", 400), ("html", 200), ("garbage", 200), ("status", 500)])
def test_a_search_that_fails_reads_each(center: Stand, kind: str, status: int) -> None:
    many = Many(center, 3)
    seen, _ = many.look()
    center.tracker.faults.append(Fault(kind, "/search", status=status, body='{"issues": [{}], "total": 1}', times=99))
    again, requests = many.look(seen)
    assert requests > 2 * 3
    assert without_look(again) == without_look(seen)


def test_another_account_reads_everything_again(center: Stand) -> None:
    """A comment of the former account is no comment of ours any more."""
    many = Many(center, 3)
    seen, _ = many.look()
    center.tracker.bot = center.tracker.user("new-bot")
    again, requests = many.look(seen)
    assert requests == 1 + 2 * 3 + 1
    assert not any(issue.comments for issue in again.values())


@pytest.mark.parametrize(("admins", "expected"), [(0, 1), (1, 1 + 19), (20, 0)])
def test_permissions_in_many_projects(center: Stand, admins: int, expected: int) -> None:
    """Jira says at once that the account administers no project; where it did at the last look, it is asked weekly."""
    many = Many(center, 20, projects=20)
    for place in many.places[:admins]:
        place.admin = True
    seen, _ = many.look()
    center.clock.on(days=1)
    again, requests = many.look(seen)
    assert requests == 1 + expected
    assert [uid for uid, issue in again.items() if issue.is_open_to_commands] == [f"m{n}" for n in range(admins)]
    assert again == seen


@pytest.mark.parametrize("kind", DIALECTS)
def test_what_was_just_written_is_one_request_for_each_issue(kind: str) -> None:
    """The process knows the markers of its own comments; those of others are asked for."""
    with stand(kind) as served:
        many = Many(served, 5)
        own_account(many.connector)
        before = many.connector.requests
        found = many.connector.observe(many.targets).issues
        assert many.connector.requests - before == (2 if kind == "jira-cloud" else 5 + 1)
        assert found == many.look()[0]
        served.tracker.comment(many.issue(2), many.person(), "hello")
        before = many.connector.requests
        found = many.connector.observe(many.targets).issues
        assert many.connector.requests - before == (3 if kind == "jira-cloud" else 5 + 1 + 1)
        assert found == many.look()[0]


def test_a_comment_whose_properties_were_not_confirmed_is_read(center: Stand) -> None:
    center.tracker.ignores_properties = True
    many = Many(center, 2)
    assert all(issue.comments for issue in many.look()[0].values()), "the marker was set separately"
    assert dict(many.connector.observe(many.targets).issues) == many.look()[0]


# --- both -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", DIALECTS)
def test_status_issues_are_looked_for_in_all_projects_at_once(kind: str) -> None:
    with stand(kind) as served:
        many = Many(served, 6, projects=3)
        many.targets = [replace(target, issue="") for target in many.targets]
        seen, requests = many.look()
        assert len(seen) == 6
        assert requests == (4 if kind == "jira-cloud" else 1 + 2 * 6 + 1)
        assert without_look(seen) == without_look(many.alone())
