"""Addresses of pages as targets of `milesync check`."""

from __future__ import annotations

import pytest

from sync.cli.page_address import is_address, page_key, read_address, web_address

TRACKERS = {
    "github": "https://github.com",
    "gitlab": "https://gitlab.acme.example/code",
    "jira": "https://jira.acme.example:8443/jira",
}
HUB, LAB, JIRA = TRACKERS.values()


@pytest.mark.parametrize(
    ("path", "targets", "page"),
    [
        ("/acme", ["acme"], ""),
        ("/orgs/acme", ["acme"], ""),
        ("/orgs/acme/repositories?q=app", ["acme"], ""),
        ("/orgs/acme/projects/7", ["acme/projects/7"], ""),
        ("/users/ada/projects/7/views/1?pane=info", ["ada/projects/7"], ""),
        ("/acme/app", ["acme/app"], ""),
        ("/acme/app/", ["acme/app"], ""),
        ("/acme/app.git", ["acme/app"], ""),
        ("/acme/app/issues?q=is%3Aopen", ["acme/app"], ""),
        ("/acme/app/milestones", ["acme/app"], ""),
        ("/acme/app/tree/main/a%20b/docs", ["acme/app"], ""),
        ("/Acme/app/milestone/3?closed=1", ["Acme/app"], "/acme/app/milestone/3"),
        ("/acme/app/milestone/3/", ["acme/app"], "/acme/app/milestone/3"),
        ("/acme/app/issues/12#issuecomment-1", ["acme/app"], "/acme/app/issues/12"),
        ("/acme/app/pull/12/files", ["acme/app"], "/acme/app/pull/12"),
    ],
)
def test_pages_of_github(path: str, targets: list[str], page: str) -> None:
    found = read_address(HUB + path, TRACKERS)
    assert (found.kind, list(found.targets), found.page) == ("github", [f"github:{name}" for name in targets], page)


@pytest.mark.parametrize(
    ("path", "targets", "page"),
    [
        ("/acme", ["acme"], ""),
        ("/acme/api", ["acme/api"], ""),
        ("/acme/deep/er/api/-/boards/4", ["acme/deep/er/api"], ""),
        ("/groups/acme/deep", ["acme/deep/*"], ""),
        ("/groups/acme/-/milestones", ["acme/*"], ""),
        ("/acme/deep/api/-/milestones/3#tab-issues", ["acme/deep/api"], "/code/acme/deep/api/-/milestones/3"),
        ("/groups/acme/deep/-/milestones/3", ["acme/deep/*"], "/code/groups/acme/deep/-/milestones/3"),
        ("/acme/api/-/issues/12", ["acme/api"], "/code/acme/api/-/issues/12"),
        ("/acme/api/-/work_items/12", ["acme/api"], "/code/acme/api/-/issues/12"),
        ("/acme/api/issues/12", ["acme/api"], "/code/acme/api/-/issues/12"),
        ("/acme/api/-/merge_requests/5/diffs", ["acme/api"], "/code/acme/api/-/merge_requests/5"),
        ("/groups/acme/-/epics/4", ["acme:epics"], "/code/groups/acme/-/issues/4"),
        ("/groups/acme/-/work_items/4", ["acme:epics"], "/code/groups/acme/-/issues/4"),
        ("/groups/acme/-/iterations/9", ["acme:iterations"], "/code/groups/acme/-/iterations/9"),
        ("/acme/api/-/tree/main/docs", ["acme/api"], ""),
    ],
)
def test_pages_of_gitlab_below_a_path(path: str, targets: list[str], page: str) -> None:
    found = read_address(LAB + path, TRACKERS)
    assert (found.kind, list(found.targets), found.page) == ("gitlab", [f"gitlab:{name}" for name in targets], page)


@pytest.mark.parametrize(
    ("path", "targets", "page"),
    [
        ("", ["*"], ""),
        ("/projects/PAY", ["PAY"], ""),
        ("/projects/PAY/summary", ["PAY"], ""),
        ("/browse/pay", ["PAY"], ""),
        ("/projects/PAY/versions/10001", ["PAY"], "/jira/projects/pay/versions/10001"),
        ("/projects/PAY/versions/10001/tab/release-report-all-issues", ["PAY"], "/jira/projects/pay/versions/10001"),
        ("/browse/PAY/fixforversion/10001", ["PAY"], "/jira/projects/pay/versions/10001"),
        ("/browse/PAY-12?focusedCommentId=3", ["PAY", "PAY:epics"], "/jira/browse/pay-12"),
        ("/projects/PAY/issues/PAY-12", ["PAY", "PAY:epics"], "/jira/browse/pay-12"),
        ("/jira/software/c/projects/PAY/boards/4", ["PAY", "PAY:sprints"], ""),
        ("/jira/software/projects/PAY/boards/4?selectedIssue=PAY-3", ["PAY", "PAY:epics"], "/jira/browse/pay-3"),
        ("/jira/core/projects/PAY/board", ["PAY"], ""),
        ("/secure/RapidBoard.jspa?rapidView=4&projectKey=PAY", ["PAY", "PAY:sprints"], ""),
        (
            "/secure/RapidBoard.jspa?rapidView=4&projectKey=PAY&sprint=9",
            ["PAY:sprints"],
            "/jira/secure/rapidboard.jspa?sprint=9",
        ),
    ],
)
def test_pages_of_jira_below_a_path(path: str, targets: list[str], page: str) -> None:
    found = read_address(JIRA + path, TRACKERS)
    assert (found.kind, list(found.targets), found.page) == ("jira", [f"jira:{name}" for name in targets], page)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("https://github.com/", "names no repository"),
        ("https://github.com/acme/..%2fapp", "names no repository"),
        ("https://github.com/acme/../app", "// or /../"),
        ("https://github.com//acme/app", "// or /../"),
        (f"{LAB}/-/", "names no project or group"),
        (f"{JIRA}/issues/?jql=project%20%3D%20PAY", "jira:JQL"),
        (f"{JIRA}/secure/Dashboard.jspa", "names no project"),
        ("http://github.com/acme/app", "write it with https://"),
        ("https://ada:s3cret@github.com/acme/app", "without the user name or password"),
        ("https://s3cret@evil.example/acme/app", "without the user name or password"),
        ("https://github.com@evil.example/acme/app", "without the user name or password"),
        ("https://github.com:8443/acme/app", "on no tracker that you have named"),
        ("https://github.com:port/acme/app", "is no address"),
        ("https://[::1/acme", "is no address"),
        ("https:///acme/app", "should be the address of a page"),
        ("//github.com/acme/app", "should be the address of a page"),
        ("ssh://git@github.com/acme/app", "without the user name"),
        ("git@github.com:acme/app.git", "should be the address of a page"),
        ("file:///etc/passwd", "should be the address of a page"),
        ("javascript:/acme", "should be the address of a page"),
        ("https://gіthub.com/acme/app", "signs that no address has"),  # a Cyrillic і
        ("https://github.com/acme/app\x1b[31m", "signs that no address has"),
        ("https://github.com/acme/a pp", "signs that no address has"),
        ("https://github.com\\@evil.example/acme/app", "signs that no address has"),
        ("https://ada:s3crét@github.com/acme/app?t=s3cret", "signs that no address has"),
    ],
)
def test_an_address_that_cannot_be_used_is_answered_in_one_line(address: str, words: str) -> None:
    assert is_address(address)
    with pytest.raises(ValueError, match=": ") as raised:
        read_address(address, TRACKERS)
    line = str(raised.value)
    assert words in line
    assert line.isascii()
    assert line.isprintable()
    assert not any(secret in line for secret in ("s3cr", "jql=", "ada:"))


@pytest.mark.parametrize(
    ("address", "setting"),
    [
        ("https://git.acme.example/acme/app/milestone/3", "GITHUB_API_URL=https://git.acme.example/api/v3 and"),
        ("https://acme.ghe.com/acme/app/milestone/3", "GITHUB_API_URL=https://api.acme.ghe.com and"),
        ("https://gitlab.com/acme/app/-/milestones/3", "GITLAB_URL=https://gitlab.com and"),
        ("https://acme.atlassian.net/browse/PAY-1", "JIRA_URL=https://acme.atlassian.net and"),
        ("https://github.com.evil.example/acme/app", "GITHUB_API_URL=https://github.com.evil.example/api/v3 and"),
        (
            "https://code.example/a/b",
            "GITHUB_API_URL=https://code.example/api/v3 or GITLAB_URL=https://code.example or JIRA_URL=https://code.example",
        ),
    ],
)
def test_a_host_that_the_user_did_not_name_is_refused_with_its_setting(address: str, setting: str) -> None:
    with pytest.raises(ValueError, match="a token is sent to no other") as raised:
        read_address(address, TRACKERS)
    assert setting in str(raised.value)


@pytest.mark.parametrize("target", ["github:acme/app", "acme/app", "jira:project = PAY", "github.com/acme/app", ""])
def test_other_targets_are_no_addresses(target: str) -> None:
    assert not is_address(target)


@pytest.mark.parametrize(
    ("kind", "api", "pages"),
    [
        ("github", "https://api.github.com", "https://github.com"),
        ("github", "https://api.acme.ghe.com", "https://acme.ghe.com"),
        ("github", "https://git.acme.example/api/v3", "https://git.acme.example"),
        ("github", "https://api.acme.example", "https://api.acme.example"),
        ("gitlab", "https://acme.example/gitlab/api/v4", "https://acme.example/gitlab"),
        ("jira", "https://acme.example/jira/", "https://acme.example/jira"),
    ],
)
def test_the_pages_of_a_tracker_follow_from_the_address_of_its_api(kind: str, api: str, pages: str) -> None:
    assert web_address(kind, api) == pages


def test_trackers_on_one_host_are_told_apart_by_their_paths() -> None:
    shared = {"gitlab": "https://acme.example", "jira": "https://acme.example/jira"}
    assert read_address("https://acme.example/jira/browse/PAY-1", shared).kind == "jira"
    assert read_address("https://acme.example/jirafe/api", shared).targets == ("gitlab:jirafe/api",)


def test_a_page_is_the_same_with_and_without_what_browsers_add() -> None:
    assert page_key("https://x/A/b/milestone/3/?closed=1#top") == page_key("https://y/a/B/milestone/3")
