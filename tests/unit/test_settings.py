"""The configuration: what it takes, and what it says when it is wrong, without ever saying a value."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from config import ConfigurationError, Settings, load, schema
from config.reference import reference
from config.renamed_keys import RENAMED_KEYS
from config.tables import ConnectionSettings, RemovedNames
from sync.forecast.parameters import Rules
from sync.model.item_state import StateNames
from sync.model.policy import Limits, OptionalOutputs, Policy
from sync.model.settings import CalendarRules, ReminderRules, Retention
from tests.settings_file import CANARY, CONFIG, MINIMAL, Write, wrong

# --- what it takes ---------------------------------------------------------------------------------------------


def test_two_keys_and_a_connection_are_enough(write: Write, tmp_path: Path) -> None:
    settings = load(write(MINIMAL), {})
    gh = settings.connections["gh"]
    assert (settings.policy, gh.url, gh.concurrency) == (Policy.PLAN, "https://api.github.com", 6)
    assert gh.token is not None
    assert gh.token.env == "GITHUB_TOKEN"
    assert settings.database_url({}).get_secret_value() == f"sqlite:///{tmp_path / 'milesync.db'}"


def test_everything_that_people_can_say(write: Write) -> None:
    settings = load(
        write(
            MINIMAL
            + """
            timezone = "Europe/Berlin"
            share = "aggregate"
            status_issue = { labels = ["x"], type = "Story", fields = { customfield_1 = { value = "a" } } }
            options = { sweep_days = 3.5 }
            [connections.gl]
            type = "gitlab"
            projects = ["acme/api"]
            tolerance = 0.1
            [[milestone]]
            id = "gh:acme/app#12"
            report_on = "acme/app#345"
            start = 2026-01-05
            owner = "@pat"
            [[joint]]
            name = "Payments GA"
            due = 2026-12-12
            members = ["gh:acme/app#12", "gl:acme/api%2.0 beta"]
            [calendar]
            country = "DE-BY"
            days_off = [2026-12-24]
            weekend = ["friday", "saturday"]
            """
        ),
        {},
    )
    assert settings.milestone[0].start == date(2026, 1, 5)
    assert settings.joint[0].members == ("gh:acme/app#12", "gl:acme/api%2.0 beta")
    assert settings.connections["gh"].status_issue.fields == {"customfield_1": {"value": "a"}}
    assert (settings.tolerance_for("gh"), settings.tolerance_for("gl")) == (0.0, 0.1)


def test_settings_made_by_hand_read_neither_file_nor_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLICY", "create")
    monkeypatch.setenv("INSTANCE", CANARY)
    settings = Settings(instance="check", connections={"gh": ConnectionSettings(type="github", projects=("a/b",))})
    assert (settings.instance, settings.policy) == ("check", Policy.PLAN)


def test_audiences_name_what_there_is(write: Write) -> None:
    text = (
        MINIMAL
        + """
        [[joint]]
        name = "Payments GA"
        members = ["gh:acme/app#1"]
        [audiences.management]
        reads = ["gh:acme/*", "*:acme/app"]
        milestones = ["joint:*", "joint:Payments GA", "gh:acme/app#1", "*"]
        [audiences.anybody]
        """
    )
    found = load(write(text), {}).audiences
    assert found["management"].reads == ("gh:acme/*", "*:acme/app")
    assert (found["anybody"].reads, found["anybody"].milestones) == ((), ("*",))
    bad = (
        text
        + f"""
        [audiences.board]
        reads = ["hg:{CANARY}", "gh", "joint:Payments GA"]
        milestones = ["joint:Payment GA", "hg:{CANARY}"]
        """
    )
    assert wrong(write(bad)) == {
        "audiences.board.reads[0]": "no connection has this name",
        "audiences.board.reads[1]": "should name a project after the connection, such as gh:acme/*",
        "audiences.board.reads[2]": "no connection has this name",
        "audiences.board.milestones[0]": "no joint milestone has this name, did you mean 'joint:Payments GA'?",
        "audiences.board.milestones[1]": "no connection has this name",
    }
    for name in ("public", '"a b"', '"gh:acme/app"'):
        assert "and not be public" in wrong(write(f"{MINIMAL}[audiences.{name}]"))["audiences"]


def test_the_stored_schema_is_the_generated_one() -> None:
    stored = (CONFIG / "schema.json").read_text(encoding="utf-8")
    assert stored == schema(), "run: python -c 'import config; print(config.schema(), end=\"\")' > config/schema.json"


def test_the_page_of_settings_is_the_generated_one() -> None:
    page = (CONFIG.parent / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
    assert page == reference(), "run: python -m config.reference > docs/reference/configuration.md"
    described = json.loads(schema())
    keys = {key for table in (described, *described["$defs"].values()) for key in table.get("properties", {})}
    assert {key for key in keys if f"| `{key}` |" not in page} == {"env"}, "it is in the page's text"


def test_every_key_is_explained() -> None:
    described = json.loads(schema())
    tables = {"Settings": described, **described["$defs"]}
    bare = [
        f"{name}.{key}"
        for name, table in tables.items()
        for key, field in table.get("properties", {}).items()
        if not field.get("description")
    ]
    assert bare == []


def test_a_table_is_read_into_the_value_that_the_core_uses(write: Write) -> None:
    settings = load(write(MINIMAL), {})
    assert (settings.limits, settings.retention, settings.people) == (Limits(), Retention(), ReminderRules())
    assert settings.calendar == CalendarRules()
    assert settings.optional_outputs_of("gh", "acme/app") == OptionalOutputs()
    assert Rules(**asdict(settings.rules)) == Rules()


@pytest.mark.parametrize(
    ("lines", "key", "said"),
    [
        ("[people]\ngrace = 20\n", "people.escalate", "should be at least people.grace"),
        ("[retention]\nevery = 400\n", "retention.daily", "should be at least retention.every"),
        ("[rules]\noff_track = 0.8\n", "rules.off_track", "should be below rules.on_track"),
        ("[limits]\ncreate = 1\n", "limits.create", "there is no such key, did you mean 'creates'?"),
        ("limits = 3\n" + MINIMAL, "limits", "should be a table"),
        ('[calendar]\ncountry = "XX"\n', "calendar.country", "should be a two-letter country code such as DE"),
        (
            '[audiences.board.digest]\ncalendar = { country = "XX" }\n',
            "audiences.board.digest.calendar.country",
            "should be a two-letter country code such as DE",
        ),
    ],
)
def test_an_error_in_a_table_of_the_core_names_its_key(write: Write, lines: str, key: str, said: str) -> None:
    found = wrong(write(lines if MINIMAL in lines else MINIMAL + lines))
    assert found.keys() == {key}
    assert said in found[key]


# --- names of done, removed and started items -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "place", "other"),
    [
        (
            'done = { labels = ["a", "Shipped"] }\nremoved = { labels = ["[shipped]"] }',
            "removed.labels[0]",
            "done.labels",
        ),
        ('done = { states = ["Merged"] }\nstarted = { states = ["x", "MERGED"] }', "started.states[1]", "done.states"),
        (
            'removed = { states = ["Won\u2019t Do"] }\nstarted = { states = ["Won\'t do"] }',
            "started.states[0]",
            "removed.states",
        ),
        (
            'done = { resolutions = ["Late"] }\nremoved = { resolutions = ["late"] }',
            "removed.resolutions[0]",
            "done.resolutions",
        ),
        (
            'done = { labels = ["a"] }\nproject."acme/app" = { removed = { labels = ["A"] } }',
            'project."acme/app".removed.labels[0]',
            "done.labels",
        ),
        (
            'removed = { labels = ["a"] }\nproject."acme/app" = { done = { labels = ["A"] } }',
            'project."acme/app".removed.labels[0]',
            "done.labels",
        ),
    ],
)
def test_a_name_has_one_meaning(write: Write, lines: str, place: str, other: str) -> None:
    assert wrong(write(MINIMAL + lines + "\n")) == {
        f"connections.gh.{place}": f"this name is in {other} too; a name has one meaning"
    }


def test_a_name_may_be_a_state_and_a_label_and_differ_between_projects(write: Write) -> None:
    text = 'done = { labels = ["late"], states = ["x"] }\nstarted = { states = ["late"] }\n'
    project = 'project."acme/app" = { done = { labels = ["x"] }, removed = { labels = ["late"] } }\n'
    settings = load(write(MINIMAL + text + project), {})
    assert settings.state_rules_for("gh", "acme/app").removed.labels == {"late"}
    assert settings.recorded_names("gh") == StateNames(states=frozenset({"x", "late"}), labels=frozenset({"x", "late"}))


@pytest.mark.parametrize("name", ["", " ", "---", "\u2705"])
def test_a_name_without_a_letter_is_an_error(write: Write, name: str) -> None:
    found = wrong(write(MINIMAL + f'started = {{ states = ["ok", "{name}"] }}\n'))
    assert found == {
        "connections.gh.started.states[1]": "should have a letter or a digit, as signs around a name are ignored"
    }


# --- keys with a new name --------------------------------------------------------------------------------------


def test_a_former_key_is_read_and_a_warning_names_its_place_and_its_new_name(write: Write) -> None:
    path = write(
        MINIMAL + "also = { item_labels = true }\n" + '[connections.gh.project."acme/app".also]\ndescription = true\n'
    )
    settings = load(path, {})
    assert settings.optional_outputs_of("gh", "acme/other") == OptionalOutputs(item_labels=True)
    assert settings.optional_outputs_of("gh", "acme/app") == OptionalOutputs(description=True)
    assert settings.warnings == (
        f"{path}:connections.gh.also: this key is now called 'optional_outputs'; rename it",
        f"{path}:connections.gh.project.\"acme/app\".also: this key is now called 'optional_outputs'; rename it",
    )


def test_a_file_without_former_keys_has_no_warnings(write: Write) -> None:
    assert load(write(MINIMAL + "optional_outputs = { picture = true }\n"), {}).warnings == ()


def test_a_former_key_next_to_its_new_name_is_an_error(write: Write) -> None:
    found = wrong(write(MINIMAL + "also = { picture = true }\noptional_outputs = { picture = false }\n"))
    assert found == {
        "connections.gh.also": "this key is now called 'optional_outputs', which this table has too; delete 'also'"
    }


def test_a_former_key_may_be_in_a_table_now(write: Write) -> None:
    path = write(MINIMAL + 'removed_resolutions = ["Parked"]\nremoved = { labels = ["wontfix"] }\n')
    settings = load(path, {})
    assert settings.connections["gh"].removed == RemovedNames(labels=("wontfix",), resolutions=("Parked",))
    line = f"{path}:connections.gh.removed_resolutions: this key is now called 'removed.resolutions'"
    assert settings.warnings == (f"{line}; rename it",)
    both = wrong(write(MINIMAL + 'removed_resolutions = []\nremoved = { resolutions = ["Parked"] }\n'))
    assert "which this table has too" in both["connections.gh.removed_resolutions"]
    no_table = wrong(write(MINIMAL + 'removed_resolutions = []\nremoved = "Parked"\n'))
    assert no_table.keys() == {"connections.gh.removed"}


def test_an_error_below_a_former_key_comes_with_the_new_name_of_that_key(write: Write) -> None:
    found = wrong(write(MINIMAL + "also = { pictures = true }\n"))
    assert "there is no such key" in found["connections.gh.optional_outputs.pictures"]
    assert found["connections.gh.also"] == "this key is now called 'optional_outputs'; rename it"


def test_the_new_name_of_each_key_exists_and_its_former_name_does_not() -> None:
    described = json.loads(schema())
    tables = (described, *described["$defs"].values())
    keys = {key for table in tables for key in table.get("properties", {})}
    for former, new_name in RENAMED_KEYS.items():
        assert keys.issuperset(new_name.split("."))
        assert former.rpartition(".")[2] not in keys, "a former name gets no other meaning"


# --- who may write what ----------------------------------------------------------------------------------------

PILOT = (
    MINIMAL
    + 'policy = "update"\nmilestones = { exclude = ["Backlog"] }\n'
    + """
[connections.gh.project."acme/pilot"]
policy = "create"
milestones = { include = ["Release *"] }
[connections.gh.project."acme/old-*"]
policy = "plan"
[connections.gl]
type = "gitlab"
projects = ["acme/api"]
"""
)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, ["plan", "update", "create", "plan"]),
        ({"MILESYNC_POLICY": "plan"}, ["plan", "plan", "plan", "plan"]),
        ({"MILESYNC_POLICY": "update"}, ["plan", "update", "update", "plan"]),
        ({"MILESYNC_POLICY": "create"}, ["plan", "update", "create", "plan"]),
        ({"MILESYNC_POLICY_GH": "plan"}, ["plan", "plan", "plan", "plan"]),
        ({"MILESYNC_POLICY_GL": "plan"}, ["plan", "update", "create", "plan"]),
    ],
)
def test_the_narrower_policy_wins_and_the_environment_caps_it(
    write: Write, environ: dict[str, str], expected: list[str]
) -> None:
    settings = load(write(PILOT), environ)
    asked = [("gl", "acme/api"), ("gh", "acme/app"), ("gh", "acme/pilot"), ("gh", "acme/old-app")]
    assert [settings.policy_for(*question).value for question in asked] == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (
            {},
            [
                "policy",
                "connections.gh.policy",
                'connections.gh.project."acme/pilot".policy',
                'connections.gh.project."acme/old-*".policy',
            ],
        ),
        (
            {"MILESYNC_POLICY": "plan"},
            ["policy", "MILESYNC_POLICY", "MILESYNC_POLICY", 'connections.gh.project."acme/old-*".policy'],
        ),
        (
            {"MILESYNC_POLICY_GH": "update"},
            [
                "policy",
                "connections.gh.policy",
                "MILESYNC_POLICY_GH",
                'connections.gh.project."acme/old-*".policy',
            ],
        ),
    ],
)
def test_a_policy_names_its_setting(write: Write, environ: dict[str, str], expected: list[str]) -> None:
    settings = load(write(PILOT), environ)
    asked = [("gl", "acme/api"), ("gh", "acme/app"), ("gh", "acme/pilot"), ("gh", "acme/old-app")]
    assert [settings.policy_setting(*question) for question in asked] == expected


def test_both_filters_must_admit_a_milestone(write: Write) -> None:
    settings = load(write(PILOT), {})
    asked = [("acme/app", "Backlog"), ("acme/app", "2.0"), ("acme/pilot", "2.0"), ("acme/pilot", "Release 2")]
    assert [settings.admits("gh", *milestone) for milestone in asked] == [False, True, False, True]


def test_a_stop_that_would_stop_nothing_is_an_error(write: Write) -> None:
    found = wrong(write(MINIMAL), {"MILESYNC_POLICY_HG": "plan", "MILESYNC_POLICIY": "plan", "MILESYNC_POLICY": CANARY})
    assert found == {
        "MILESYNC_POLICY_HG": "there is no such variable, did you mean 'MILESYNC_POLICY_GH'?",
        "MILESYNC_POLICIY": "there is no such variable, did you mean 'MILESYNC_POLICY'?",
        "MILESYNC_POLICY": "should be one of plan, update, create",
    }


# --- what it says ----------------------------------------------------------------------------------------------


def test_all_mistakes_at_once_by_key_and_never_a_value(write: Write) -> None:
    found = wrong(
        write(f"""
        polcy = "plan"
        policy = "creat"
        database = "postgresql://me:{CANARY}@db/milesync"
        [connections.gh]
        type = "githb"
        token = "{CANARY}"
        projects = ["acme/app"]
        concurrency = "{CANARY}"
        [connections.jr]
        type = "jira"
        projects = []
        timezone = "europe/berln"
        milestones = {{ includes = ["*"] }}
        options = {{ api_token = "{CANARY}" }}
        [[milestone]]
        id = "jrr:PAY/{CANARY}"
        report_on = "{CANARY}"
        [[milestone]]
        id = "jr:acme/app#12"
        [[joint]]
        name = "GA"
        due = "{CANARY}"
        members = ["jr:PAY/2.0"]
        [[joint]]
        name = "GA"
        members = []
        [rules]
        on_track = 0.3
        """)
    )
    secret = 'the file must not hold a secret: write { env = "NAME" } or { file = "/path" }'
    assert found.pop("joint[0].due").startswith("should be a valid date")
    assert found.pop("instance").startswith("is missing (name of this installation")
    assert found.pop("connections.gh.concurrency").startswith("should be a valid integer")
    assert found == {
        "polcy": "there is no such key, did you mean 'policy'?",
        "policy": "should be one of plan, update, create, did you mean 'create'?",
        "database": secret,
        "connections.gh.type": "should be one of github, gitlab, jira, did you mean 'github'?",
        "connections.gh.token": secret,
        "connections.jr.projects": "is empty",
        "connections.jr.url": "is missing (this type of tracker has no public address)",
        "connections.jr.timezone": "should be a time zone such as Europe/Berlin, did you mean 'Europe/Berlin'?",
        "connections.jr.milestones.includes": "there is no such key, did you mean 'include'?",
        "connections.jr.options": "the file must not hold a secret: name it with token",
        "connections.jr.options.api_token": "there is no such key",
        "milestone[0].id": "no connection has this name, did you mean 'jr'?",
        "milestone[0].report_on": "should be an issue such as acme/app#345 or PAY-7",
        "milestone[1].id": "should be written like jira:KEY/2.0",
        "joint[1].name": "this name is used twice",
        "joint[1].members": "is empty",
        "rules.off_track": "should be below rules.on_track",
    }


DEPENDENCIES = """
    instance = "acme"
    [connections.gh]
    type = "github"
    projects = ["acme/app"]
    [[joint]]
    name = "GA"
    members = ["gh:acme/app#1", "gh:acme/app#2"]
    [[dependency]]
    before = "gh:acme/app#1"
    after = "gh:acme/app#3"
    [[dependency]]
    before = "gh:acme/app#3"
"""


def test_dependencies_are_read(tmp_path: Path) -> None:
    path = tmp_path / "milesync.toml"
    path.write_text(DEPENDENCIES + '    after = "gh:acme/app#4"')
    assert [(dependency.before, dependency.after) for dependency in load(path, {}).dependency] == [
        ("gh:acme/app#1", "gh:acme/app#3"),
        ("gh:acme/app#3", "gh:acme/app#4"),
    ]


@pytest.mark.parametrize(
    ("after", "key", "said"),
    [
        ("gh:acme/app#1", "dependency", "in a circle: gh:acme/app#"),
        ("joint:GA", "dependency", "in a circle: gh:acme/app#"),
        ("joint:GB", "dependency[1].after", "no joint milestone has this name, did you mean 'joint:GA'?"),
        ("gi:acme/app#1", "dependency[1].after", "no connection has this name"),
        ("gh:acme/app", "dependency[1].after", "should be written like gh:owner/name#12"),
    ],
)
def test_dependencies_that_cannot_be(tmp_path: Path, after: str, key: str, said: str) -> None:
    path = tmp_path / "milesync.toml"
    path.write_text(DEPENDENCIES + f'    after = "{after}"')
    with pytest.raises(ConfigurationError) as caught:
        load(path, {})
    assert str(caught.value).startswith(f"{path}:{key}: ")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (f'token = "{CANARY}"', "token"),
        (f'token = {{ env = "{CANARY}" }}', "token.env"),
        (f'token = {{ env = "A", file = "{CANARY}" }}', "token"),
        (f'token = {{ evn = "{CANARY}" }}', "token.evn"),
        (f'token = ["{CANARY}"]', "token"),
        (f'password = "{CANARY}"', "password"),
        (f'url = "https://me:{CANARY}@host"', "url"),
        (f'url = "http://{CANARY}.example.org"', "url"),
        (f'url = "https://[{CANARY}"', "url"),
        (f'url = "https://host/?private_token={CANARY}"', "url"),
        (f'url = "{CANARY}"', "url"),
        (f'type = "{CANARY}"', "type"),
        (f'share = "{CANARY}"', "share"),
        (f'project = "{CANARY}"', "project"),
        (f'policy = ["{CANARY}"]', "policy"),
        (f'tolerance = "{CANARY}"', "tolerance"),
        (f'timeout = "{CANARY}"', "timeout"),
        (f'status_issue = "{CANARY}"', "status_issue"),
        (f'milestones = "{CANARY}"', "milestones"),
        (f'removed_resolutions = "{CANARY}"', "removed.resolutions"),
        (f'removed = "{CANARY}"', "removed"),
        (f'done = {{ labels = ["{CANARY}", ""] }}', "done.labels[1]"),
        (f'done = {{ labels = ["{CANARY}"] }}\nremoved = {{ labels = ["{CANARY}"] }}', "removed.labels[0]"),
    ],
)
def test_no_value_is_ever_repeated(write: Write, line: str, key: str) -> None:
    text = MINIMAL.replace('type = "github"\n', "") if line.startswith("type") else MINIMAL
    found = wrong(write(text + line))
    assert f"connections.gh.{key}" in found


def test_what_each_tracker_needs(write: Write) -> None:
    found = wrong(
        write(
            MINIMAL.replace("acme/app", "acme")
            + '[connections.cloud]\ntype = "jira"\nurl = "https://acme.atlassian.net/"\nprojects = ["PAY"]\n'
            + '[connections.dc]\ntype = "jira"\nurl = "https://jira.example.org"\nprojects = ["PAY"]\n'
        )
    )
    assert found == {
        "connections.gh.projects": "should be written owner/name, owner/* for all of them, or owner/projects/7 for "
        "a board",
        "connections.cloud.email": "is missing (Jira Cloud: the account of the API token)",
    }


@pytest.mark.parametrize(
    "url", [f"mysql://me:{CANARY}@db", f"postgresql://me:{CANARY}@[db/x", "sqlite://", f"x{CANARY}"]
)
def test_a_database_that_cannot_be(write: Write, url: str) -> None:
    assert "database" in wrong(write(f'database = "{url}"' + MINIMAL))
    with pytest.raises(ConfigurationError) as caught:
        load(write(MINIMAL), {"MILESYNC_DATABASE": url}).database_url({"MILESYNC_DATABASE": url})
    assert CANARY not in str(caught.value)


def test_a_file_that_is_not_toml_or_not_there(write: Write, tmp_path: Path) -> None:
    path = write(f'instance = "{CANARY}')
    assert "at line 1" in "".join(wrong(path).values()) or "at end of document" in "".join(wrong(path).values())
    path.write_bytes(b"\xff\xfe" + CANARY.encode())
    assert wrong(path)
    assert "no such file" in str(wrong(tmp_path / "none.toml"))
    assert "Is a directory" in str(wrong(tmp_path))
    assert "File name too long" in str(wrong(tmp_path / ("x" * 300)))
    path.write_text(f"instance = {'[' * 10_000}", encoding="utf-8")
    assert "nested too deeply" in str(wrong(path))


def test_a_configuration_may_come_through_a_pipe() -> None:
    """As of a shell's `<(command)`."""
    reader, writer = os.pipe()
    try:
        os.write(writer, MINIMAL.encode())
        os.close(writer)
        assert load(Path(f"/dev/fd/{reader}"), {}).connections.keys() == {"gh"}
    finally:
        os.close(reader)


# --- secrets -----------------------------------------------------------------------------------------------------


def test_secrets_are_read_late_and_only_for_the_connections_used(write: Write, tmp_path: Path) -> None:
    (tmp_path / "pat").write_text(f" {CANARY}\n", encoding="utf-8")
    settings = load(
        write(
            MINIMAL
            + '[connections.jr]\ntype = "jira"\nurl = "https://j.example.org"\nprojects = ["PAY"]\n'
            + 'token = { file = "pat" }\nemail = "pat@example.org"\n'
        ),
        {},
    )
    found = settings.secrets(["jr"], {})
    assert {name: secret.get_secret_value() for name, secret in found["jr"].items()} == {
        "token": CANARY,
        "email": "pat@example.org",
    }
    assert CANARY not in f"{found} {found!r} {settings!r} {settings.model_dump_json()}"


def test_all_missing_secrets_at_once(write: Write) -> None:
    settings = load(
        write(MINIMAL + '[connections.gl]\ntype = "gitlab"\nprojects = ["a/b"]\ntoken = { file = "none" }\n'), {}
    )
    with pytest.raises(ConfigurationError) as caught:
        settings.secrets(settings.connections, {"GITHUB_TOKEN": " \n"})
    keys = [line.rpartition("milesync.toml:")[2] for line in caught.value.errors]
    assert keys == [
        "connections.gh.token: the environment variable GITHUB_TOKEN is not set",
        "connections.gl.token: the file with the secret is missing, empty or not readable",
    ]


def test_the_database_url_comes_from_the_environment_first(write: Write, tmp_path: Path) -> None:
    environ: dict[str, Any] = {"MILESYNC_DATABASE": f"postgresql://me:{CANARY}@db/milesync"}
    settings = load(write(MINIMAL), environ)
    assert settings.database_url(environ).get_secret_value() == environ["MILESYNC_DATABASE"]
    assert CANARY not in f"{settings!r} {settings.database_url(environ)!r}"
    absolute = load(write('database = "sqlite:////var/lib/milesync.db"\n' + MINIMAL), {})
    assert absolute.database_url({}).get_secret_value() == "sqlite:////var/lib/milesync.db"


@pytest.mark.parametrize("path", ["data.db?mode=ro", "?.db"])
def test_a_question_mark_would_end_the_path_of_the_database(write: Write, path: str) -> None:
    settings = load(write(f'database = "sqlite:///{path}"\n' + MINIMAL), {})
    with pytest.raises(ConfigurationError, match="question mark"):
        settings.database_url({})


def test_the_rest_of_the_file_is_checked_though_the_environment_outranks_it(write: Write) -> None:
    path = write(f'database = "postgresql://me:{CANARY}@db/x"\n' + MINIMAL)
    assert "database" in wrong(path, {"MILESYNC_DATABASE": "sqlite:///x.db"})


# --- retention and audiences -----------------------------------------------------------------------------------------


def test_retention_has_defaults_and_its_steps_follow_each_other(write: Write) -> None:
    kept = load(write(MINIMAL), {}).retention
    assert (kept.every, kept.daily, kept.journal) == (14, 365, 365)
    path = write(f"{MINIMAL}[retention]\nevery = 30\ndaily = 20\n")
    assert wrong(path) == {"retention.daily": "should be at least retention.every"}


def test_the_textfile_is_found_from_the_configurations_folder(write: Write) -> None:
    path = write(f'{MINIMAL}[metrics]\ntextfile = "out/milesync.prom"\n')
    assert load(path, {}).textfile() == path.parent / "out" / "milesync.prom"
    assert load(write(MINIMAL), {}).textfile() is None


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://ping.example.org/abc", "should start with https://, because anyone who reads the address can call it"),
        ("ping.example.org", "should be an address that starts with https://"),
    ],
)
def test_the_address_to_ping_is_kept_elsewhere_and_checked(write: Write, url: str, reason: str) -> None:
    settings = load(write(f'{MINIMAL}[ping]\nurl = {{ env = "PING" }}\n'), {})
    good = settings.ping_url({"PING": "https://ping.example.org/abc"})
    assert good is not None
    assert good.get_secret_value() == "https://ping.example.org/abc"
    with pytest.raises(ConfigurationError) as told:
        settings.ping_url({"PING": url})
    assert told.value.errors[0].endswith(f"ping.url: {reason}")
    assert "abc" not in str(told.value)
    assert load(write(MINIMAL), {}).ping_url({}) is None


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("acme.example", "should be an address that starts with https://"),
        ("https://acme.example/?a=b", "should be a plain address: letters, digits and . _ ~ % - / only"),
        (
            "https://git.example/a/b/-/issues",
            "should not be the address of a tracker's items, as a link to an item leaves a note there",
        ),
    ],
)
def test_where_the_report_is_published_is_checked(write: Write, tmp_path: Path, url: str, reason: str) -> None:
    table = '[report]\nout = "pages"\nbase_url = "{}"\n'
    settings = load(write(MINIMAL + table.format("https://acme.example/health/")), {})
    assert (settings.report_folder(), settings.report.base_url) == (tmp_path / "pages", "https://acme.example/health")
    with pytest.raises(ConfigurationError) as told:
        load(write(MINIMAL + table.format(url)), {})
    assert told.value.errors[0].endswith(f"report.base_url: {reason}")
    assert load(write(MINIMAL), {}).report_folder() is None
