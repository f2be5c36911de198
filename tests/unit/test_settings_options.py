"""Options and credentials of connectors, and milestones that a rule names."""

from __future__ import annotations

import json
import re
from importlib.metadata import distribution
from pathlib import Path

import pytest

from config import ConfigurationError, load
from config import validators as checks
from config.connector_options import options_type
from config.connector_types import installed_type
from tests.settings_file import CANARY, CONFIG, Write, wrong


def test_options_are_checked_like_all_other_keys(write: Write) -> None:
    found = wrong(
        write(f"""
        instance = "acme"
        [connections.gh]
        type = "github"
        projects = ["acme/app"]
        options = {{ status_labels = ["{CANARY}"], requests_a_minute = -1 }}
        [connections.gl]
        type = "gitlab"
        projects = ["acme/app"]
        options = {{ history = "ful", notes_a_minute = true }}
        [connections.jr]
        type = "jira"
        url = "https://j.example.org"
        projects = ["PAY"]
        options = {{ histroy = false, history = "false", containers = ["sprint"], epic_types = [1], sweep_days = "7" }}
        """)
    )
    assert found == {
        "connections.gh.options.status_labels": "there is no such key",
        "connections.gh.options.requests_a_minute": "should be greater than or equal to 0",
        "connections.gl.options.history": "should be one of full, members, none, did you mean 'full'?",
        "connections.gl.options.notes_a_minute": "should be a valid integer",
        "connections.jr.options.histroy": "there is no such key, did you mean 'history'?",
        "connections.jr.options.history": "should be a valid boolean",
        "connections.jr.options.containers[0]": "should be one of versions, sprints, epics, parents, "
        "did you mean 'sprints'?",
        "connections.jr.options.epic_types[0]": "should be a text in quotes",
        "connections.jr.options.sweep_days": "should be a valid number",
    }


def test_declared_options_are_taken_as_written_and_a_text_for_a_list_is_a_list_of_one(write: Write) -> None:
    options = {"containers": "sprints", "history": False, "sweep_days": 3, "points_fields": ["customfield_1"]}
    table = '[connections.jr]\ntype = "jira"\nurl = "https://j.example.org"\nprojects = ["PAY"]\n'
    lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in options.items())
    settings = load(write(f'instance = "acme"\n{table}[connections.jr.options]\n{lines}\n'), {})
    assert settings.connections["jr"].options == {**options, "containers": ["sprints"]}


@pytest.mark.parametrize(
    ("options", "key", "reason"),
    [
        ('containers = ["iterations"]', "boards", "should name the boards of iterations and target dates: acme/7"),
        ('containers = "target dates"', "boards", "should name the boards of iterations and target dates: acme/7"),
        ('boards = ["acme/7"]', "containers", "should have iterations or target dates, as boards are named"),
        (
            'containers = ["iterations"]\nboards = ["https://github.com/orgs/acme/projects/7"]',
            "boards",
            "should be OWNER/NUMBER, as in a board's address: acme/7",
        ),
        (
            'containers = ["iterations"]\nboards = "acme/7"\nboard_homes = { "acme/8" = "acme/app" }',
            "board_homes",
            "should name only boards that are in boards",
        ),
        ('parents = ["acme/app#45"]', "containers", "should have parents, as parents are named"),
        (
            'containers = ["parents"]\nparents = ["acme/app"]',
            "parents",
            "should be OWNER/REPOSITORY#NUMBER: acme/app#45",
        ),
        ('containers = ["milestones", "iterations", "parents"]\nboards = "acme/7"\nparents = "acme/app#45"', "", ""),
    ],
)
def test_options_of_github_that_do_not_fit_together_say_what_to_write(
    write: Write, options: str, key: str, reason: str
) -> None:
    table = '[connections.gh]\ntype = "github"\nprojects = ["acme/app"]\n[connections.gh.options]\n'
    path = write(f'instance = "acme"\n{table}{options}\n')
    if not key:
        load(path, {})
        return
    with pytest.raises(ConfigurationError) as caught:
        load(path, {})
    assert caught.value.errors == (f"{path}:connections.gh.options.{key}: {reason}",)


@pytest.mark.parametrize(
    ("connection", "project", "counts"),
    [
        ("", "", True),
        ('count = "issues"', "", False),
        ('count = "changes"', "", True),
        ("", 'count = "issues"', True),
        ('count = "issues"', 'count = "issues and changes"', True),
        ('count = "issues"', 'count = "issues"', False),
    ],
)
def test_changes_are_not_needed_where_every_project_counts_issues(
    write: Write, connection: str, project: str, counts: bool
) -> None:
    table = (
        f'[connections.gl]\ntype = "gitlab"\nurl = "https://g.example.org"\nprojects = ["a/b", "a/c"]\n{connection}\n'
    )
    settings = load(write(f'instance = "acme"\n{table}[connections.gl.project."a/b"]\n{project}\n'), {})
    assert settings.counts_changes("gl") is counts


SET_ELSEWHERE = {
    *("rules", "optional_outputs", "count", "ca_file", "app_id", "installation_id"),
    *("status_labels", "status_type", "status_fields", "status_close", "close_transition", "reopen_transition"),
    "transport",
}
"""Options of a connector that are no keys of its table: set from other keys, or, `transport`, by a fake tracker."""


@pytest.mark.parametrize("kind", ["github", "gitlab", "jira"])
def test_every_option_that_a_connector_reads_is_declared(kind: str) -> None:
    folders = [CONFIG.parent / "connectors" / name for name in (kind, "shared")]
    source = "".join(file.read_text(encoding="utf-8") for folder in folders for file in folder.rglob("*.py"))
    read = set(re.findall(r"""options(?:\.get\(|\[)"(\w+)"|list_option\("(\w+)"\)""", source))
    declared = options_type(kind)
    assert declared is not None
    assert {first or second for first, second in read} - SET_ELSEWHERE == declared.__dataclass_fields__.keys()


def test_a_github_app_needs_no_token(write: Write, tmp_path: Path) -> None:
    (tmp_path / "app.pem").write_text("KEY\nLINES\n")
    settings = load(
        write(
            'instance = "a"\n[connections.gh]\ntype = "github"\nprojects = ["acme/app"]\n'
            'private_key = { file = "app.pem" }\napp_id = 7\ninstallation_id = 9\n'
        ),
        {},
    )
    found = settings.secrets(["gh"], {})["gh"]
    assert {name: secret.get_secret_value() for name, secret in found.items()} == {"private_key": "KEY\nLINES"}


def test_a_gitlab_job_needs_no_token(write: Write) -> None:
    settings = load(
        write(
            'instance = "a"\n[connections.gl]\ntype = "gitlab"\nprojects = ["acme/app"]\n'
            'job_token = { env = "CI_JOB_TOKEN" }\n'
        ),
        {},
    )
    assert settings.secrets(["gl"], {"CI_JOB_TOKEN": "j"})["gl"].keys() == {"job_token"}


@pytest.mark.parametrize(
    ("kind", "lines", "said"),
    [
        ("github", "app_id = 7", "needs private_key, app_id and installation_id"),
        ("github", 'private_key = { env = "K" }\napp_id = 7', "needs private_key, app_id and installation_id"),
        ("gitlab", "app_id = 7", "for a GitHub App only"),
        ("github", 'job_token = { env = "K" }', "for GitLab only"),
        ("gitlab", 'job_token = { env = "K" }\ntoken = { env = "T" }', "left out, as there is a job_token"),
    ],
)
def test_credentials_that_do_not_fit(write: Write, kind: str, lines: str, said: str) -> None:
    file = write(f'instance = "a"\n[connections.x]\ntype = "{kind}"\nprojects = ["acme/app"]\n{lines}\n')
    with pytest.raises(ConfigurationError, match=said):
        load(file, {})


def test_ones_own_authority_is_found_from_the_configurations_folder(write: Write, tmp_path: Path) -> None:
    file = write(
        'instance = "a"\n[connections.x]\ntype = "gitlab"\nprojects = ["acme/app"]\nca_file = "certs/ca.pem"\n'
    )
    with pytest.raises(ConfigurationError, match="no such file"):
        load(file, {}).ca_file("x")
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "ca.pem").write_text("PEM")
    assert load(file, {}).ca_file("x") == tmp_path / "certs" / "ca.pem"


@pytest.mark.parametrize(
    ("kind", "written", "expected"),
    [
        ("github", "acme/*~launch day", ("acme/*", "~", "launch day")),
        ("github", "acme/app#12", None),
        ("github", "acme~x", None),
        ("gitlab", "acme/web/*~a::b", ("acme/web/*", "~", "a::b")),
        ("gitlab", "acme/api%2.0~rc1", None),
        ("jira", "PAY~launch", ("PAY", "~", "launch")),
        ("jira", "*?labels = launch AND due < 7d", ("*", "?", "labels = launch AND due < 7d")),
        ("jira", "PAY/2.0~rc1", None),
        ("plugin", "x~y", None),
        (None, "x~y", None),
    ],
)
def test_milestones_by_rule(kind: str | None, written: str, expected: tuple[str, str, str] | None) -> None:
    assert checks.rule(kind, written) == expected


@pytest.mark.parametrize("kind", ["github", "gitlab", "jira"])
def test_our_own_connectors_are_found_without_any_metadata(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    in_metadata = next(iter(distribution("milesync").entry_points.select(group="milesync.connectors", name=kind)))
    monkeypatch.setattr("importlib.metadata.Distribution.discover", lambda **_: pytest.fail("packages are searched"))
    monkeypatch.setattr("config.connector_types.connector_types", lambda: pytest.fail("all packages are searched"))
    assert installed_type(kind) == in_metadata
    assert checks.connector_type(kind) == kind
