"""The sandbox as an older server: it answers without what came later, from the next request on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.github.preflight import VERSIONS as GITHUB
from connectors.gitlab.history_graphql import QUERY_WITH_LINKS
from connectors.gitlab.preflight import VERSIONS as GITLAB
from connectors.jira.preflight import VERSIONS as JIRA
from connectors.sandbox.server import Sandbox
from connectors.sandbox.versions import NEWEST, OLDEST, PARTS, Kind, is_at_least, lacking
from connectors.sandbox.world import World

ISSUE = '{ __type(name: "Issue") { fields { name args { name } } } }'


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    world = World()
    hub = world.github
    hub.close(hub.issue(hub.project("acme/app"), "done", hub.user("ada")), hub.bot)
    with Sandbox(world, versions=OLDEST):
        yield world


def get(world: World, kind: str, path: str, **query: str) -> requests.Response:
    tracker = next(tracker for tracker in world.trackers if tracker.kind == kind)
    headers = {"authorization": f"Bearer {tracker.token}"}
    return requests.get(f"{tracker.url}{path}", params=query, headers=headers, timeout=60)


def asked(world: World, document: str) -> dict[str, Any]:
    url, headers = f"{world.github.url}/api/graphql", {"authorization": "Bearer sandbox"}
    answer: dict[str, Any] = requests.post(url, json={"query": document}, headers=headers, timeout=60).json()
    return answer


@pytest.mark.parametrize(
    ("version", "there", "absent"),
    [
        ("3.5", set(), {"stateReason", "parent", "issueType", "blockedBy"}),
        ("3.14", {"stateReason"}, {"parent", "issueType", "blockedBy", "blocking"}),
        ("3.17", {"stateReason", "parent", "issueType"}, {"blockedBy", "blocking"}),
        ("3.22", {"stateReason", "parent", "issueType", "blockedBy", "blocking"}, set()),
        ("", {"stateReason", "parent", "issueType", "blockedBy", "blocking"}, set()),
    ],
)
def test_an_enterprise_server_has_the_graphql_of_its_version(
    world: World, version: str, there: set[str], absent: set[str]
) -> None:
    world.github.version = version
    fields = {field["name"]: field["args"] for field in asked(world, ISSUE)["data"]["__type"]["fields"]}
    assert there <= fields.keys()
    assert not absent & fields.keys()
    if "stateReason" in fields:
        assert bool(fields["stateReason"]) is is_at_least(version, "3.18")
    for name in absent - {"blockedBy", "blocking"}:
        document = f'{{ repository(owner: "acme", name: "app") {{ issue(number: 1) {{ {name} }} }} }}'
        assert f"Field '{name}' doesn't exist on type 'Issue'" in asked(world, document)["errors"][0]["message"]


def test_an_enterprise_server_names_its_version_and_has_no_limits(world: World) -> None:
    world.github.version = "3.14"
    answer = get(world, "github", "/api/v3/repos/acme/app/issues", state="all")
    assert answer.headers["x-github-enterprise-version"] == "3.14.0"
    assert not [name for name in answer.headers if name.startswith("x-ratelimit")]
    assert {"state_reason"} == {"state_reason", "type", "issue_dependencies_summary"} & answer.json()[0].keys()
    assert get(world, "github", "/api/v3/meta").json()["installed_version"] == "3.14.0"
    assert get(world, "github", "/api/v3/rate_limit").status_code == 404
    world.github.version = ""
    assert "installed_version" not in get(world, "github", "/meta").json()
    assert "x-ratelimit-limit" in get(world, "github", "/repos/acme/app").headers


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        ({"gitea": "1.0"}, "gitea has no versions; the trackers with versions are github, gitlab, jira"),
        ({"jira-cloud": "9.0"}, "jira-cloud has no versions"),
        ({"jira": "eight"}, "'eight' is no version of jira; write it as 8.20"),
    ],
)
def test_a_kind_or_version_that_is_not_known_is_refused(versions: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Sandbox(World(), versions=versions)


def test_each_part_has_a_source_and_a_version_that_lacks_it() -> None:
    for tracker, parts in PARTS.items():
        for part in parts:
            assert part.source
            before = part.until or "0.1"
            assert part.name in lacking(tracker, before, part.kind)
            assert part.name not in lacking(tracker, part.since, part.kind)
    assert lacking("github", "", Kind.GRAPHQL) == frozenset(), "github.com lacks nothing"


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("15.0", "Field 'workItems' doesn't exist on type 'Project'"),
        ("15.5", "No such type WorkItemWidgetNotes, so it can't be a fragment condition"),
        ("15.7", "Field 'systemNoteMetadata' doesn't exist on type 'Note'"),
        ("16.2", "No such type WorkItemWidgetLinkedItems, so it can't be a fragment condition"),
        ("16.3", ""),
        ("", ""),
    ],
)
def test_a_gitlab_has_the_graphql_of_its_version(world: World, version: str, words: str) -> None:
    lab = world.gitlab
    lab.version = version
    lab.project("acme/api")
    body = {"query": QUERY_WITH_LINKS, "variables": {"project": "acme/api", "numbers": ["1"]}}
    headers = {"authorization": f"Bearer {lab.token}"}
    answer = requests.post(f"{lab.url}/api/graphql", json=body, headers=headers, timeout=60)
    assert answer.status_code == 200
    assert words in [error["message"] for error in answer.json().get("errors", [{"message": ""}])]


def test_a_path_that_came_later_does_not_exist(world: World) -> None:
    path = "/api/v4/personal_access_tokens/self"
    for version, status in (("15.0", 404), ("15.5", 200), ("", 200)):
        world.gitlab.version = version
        assert get(world, "gitlab", path).status_code == status
    assert get(world, "gitlab", "/api/v4/version").json()["version"] == "19.6.0-ee"


@pytest.mark.parametrize(
    ("version", "names", "count"),
    [
        ("15.0", ("include_ancestors",), 1),
        ("15.0", ("include_parent_milestones",), 2),
        ("15.0", ("include_ancestors", "include_parent_milestones"), 2),
        ("16.7", ("include_ancestors",), 2),
        ("16.7", ("include_parent_milestones",), 2),
        ("16.7", ("include_ancestors", "include_parent_milestones"), 400),
    ],
)
def test_the_milestones_of_groups_have_a_parameter_of_two_names(
    world: World, version: str, names: tuple[str, ...], count: int
) -> None:
    lab = world.gitlab
    lab.version = version
    lab.projects.clear()
    lab.milestone(lab.project("acme/api"), "own")
    lab.group_milestone("acme", "shared")
    answer = get(world, "gitlab", "/api/v4/projects/acme%2Fapi/milestones", **dict.fromkeys(names, "true"))
    assert (len(answer.json()) if answer.status_code == 200 else answer.status_code) == count


@pytest.mark.parametrize(("version", "status"), [("8.20", 200), ("10.3", 200), ("11.0", 403), ("", 403)])
def test_jira_has_basic_authentication_until_it_was_switched_off(world: World, version: str, status: int) -> None:
    world.jira.version = version
    answer = requests.get(f"{world.jira.url}/rest/api/2/myself", auth=("bot", world.jira.token), timeout=60)
    assert answer.status_code == status
    assert status == 200 or answer.json()["message"] == "Basic Authentication has been disabled on this instance."
    assert get(world, "jira", "/rest/api/2/serverInfo").json()["version"] == f"{version or '11.3'}.0"


def documented_rows() -> list[str]:
    names = {"github": "GitHub Enterprise Server", "gitlab": "GitLab", "jira": "Jira Data Center"}
    return [
        f"| {names[tracker]} | {part.kind} `{part.name}` | {f'until {part.until}' if part.until else part.since} "
        f"| {part.source} |"
        for tracker, parts in PARTS.items()
        for part in parts
    ]


def test_the_page_on_the_sandbox_shows_the_whole_table() -> None:
    page = Path("docs/explanation/sandbox.md").read_text(encoding="utf-8")
    assert page.endswith("|---|---|---|---|\n" + "".join(f"{row}\n" for row in documented_rows()))


def test_the_page_on_servers_names_the_versions_that_the_contract_suite_runs_on() -> None:
    page = Path("docs/reference/checked-against.md").read_text(encoding="utf-8")
    for name, line, versions in (
        ("GitHub Enterprise Server", GITHUB, f"3.22, {GITHUB.supported}, {OLDEST['github']}"),
        ("GitLab", GITLAB, f"{NEWEST['gitlab']}, {GITLAB.supported}, {OLDEST['gitlab']}"),
        ("Jira Data Center", JIRA, f"{NEWEST['jira']}, {JIRA.supported}, {OLDEST['jira']}"),
    ):
        assert re.search(
            rf"^\| {name} \| {line.supported}\D.*\| from {line.oldest} on \| {versions} \|$", page, re.MULTILINE
        )
        assert (line.name, line.oldest) == (name, OLDEST[name.split()[0].lower()])
        for loss in line.losses:
            assert f"| {loss.since} | " in page
