"""Targets of `milesync check`."""

from __future__ import annotations

from typing import Any

import pytest

from sync.cli.targets import container_words, other_targets, parse_targets

KINDS = ("github", "gitlab", "jira")
BOARD = {"boards": ("acme/7",), "board_homes": {"acme/7": "*"}}


def parsed(*targets: str) -> dict[str, tuple[tuple[str, ...], dict[str, Any]]]:
    errors: list[str] = []
    found = parse_targets(targets, KINDS, errors)
    assert errors == []
    return {kind: (target.projects, dict(target.options)) for kind, target in found.items()}


def error(target: str) -> str:
    errors: list[str] = []
    parse_targets([target], KINDS, errors)
    (line,) = errors
    return line


BOARD = {"boards": ("acme/7",), "board_homes": {"acme/7": "*"}}


@pytest.mark.parametrize(
    ("target", "projects", "options"),
    [
        ("github:acme/app", ("acme/app",), {"containers": ("milestones",)}),
        ("github:acme/*", ("acme/*",), {"containers": ("milestones",)}),
        ("gitlab:acme/api:iterations", ("acme/api",), {"containers": ("iterations",)}),
        ("jira:PAY:sprints", ("PAY",), {"containers": ("sprints",)}),
        ("jira:PAY", ("PAY",), {"containers": ("versions",)}),
        ("github:acme/projects/7", ("acme/projects/7",), {"containers": ("iterations",), **BOARD}),
        (
            "github:acme/projects/7:target-dates",
            ("acme/projects/7",),
            {"containers": ("target dates",), **BOARD},
        ),
    ],
)
def test_a_target_names_its_projects_and_kind(target: str, projects: tuple[str, ...], options: dict[str, Any]) -> None:
    assert parsed(target) == {target.partition(":")[0]: (projects, options)}


def test_targets_of_one_tracker_are_read_together_each_project_once() -> None:
    assert parsed("jira:PAY", "jira:PAY:sprints", "jira:SHOP", "github:acme/app") == {
        "jira": (("PAY", "SHOP"), {"containers": ("versions", "sprints")}),
        "github": (("acme/app",), {"containers": ("milestones",)}),
    }


@pytest.mark.parametrize("written", ["iterations", "target-dates"])
def test_kinds_of_a_board_need_a_board(written: str) -> None:
    words = written.replace("-", " ")
    expected = f"{words} are those of a board; write github:OWNER/projects/NUMBER:{written}"
    assert error(f"github:acme/app:{written}") == f"github:acme/app:{written}: {expected}"


def test_a_query_keeps_its_colons() -> None:
    query = 'jira:category = "A: B"'
    assert parsed(query)["jira"][0] == ('category = "A: B"',)


@pytest.mark.parametrize("target", ["acme/app", "github:", "trello:acme", ":x", ""])
def test_a_wrong_target_is_answered_with_examples(target: str) -> None:
    assert (
        error(target)
        == f"{target}: write github:owner/repo, gitlab:group/project or jira:KEY, or the address of a page"
    )


def test_an_owner_means_all_repositories() -> None:
    assert parsed("github:acme") == parsed("github:acme/*")


def test_a_page_without_its_scheme_is_written_out() -> None:
    assert error("github.com/acme/app") == "github.com/acme/app: write https://github.com/acme/app"


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_kind_of_container_is_answered_with_the_known_ones(kind: str) -> None:
    line = error(f"{kind}:acme/app:weeks")
    assert f"'weeks' is no kind of milestone of {kind}" in line
    assert all(word.replace(" ", "-") in line for word in container_words(kind))


@pytest.mark.parametrize(
    ("targets", "others"),
    [
        (["gitlab:acme"], ["gitlab:acme:iterations", "gitlab:acme:epics"]),
        (["jira:PAY"], ["jira:PAY:sprints", "jira:PAY:epics", "jira:PAY:parents"]),
        (["github:acme/app"], ["github:acme/app:parents"]),
        (["github:acme/projects/7", "jira:PAY:sprints"], []),
    ],
)
def test_other_kinds_of_the_same_projects_are_offered(targets: list[str], others: list[str]) -> None:
    assert other_targets(targets) == others
    errors: list[str] = []
    parse_targets(others, KINDS, errors)
    assert errors == []
