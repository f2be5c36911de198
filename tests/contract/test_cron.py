"""Schedules: each file parses, and calls commands and flags that exist."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contract.command_lines import unknown_words

CRON = Path(__file__).parents[2] / "cron"
FILES = sorted(path.name for path in CRON.iterdir())
SHARED = ("compose.yaml",)
"""Those that share the work among processes."""
CALLING = ("compose.yaml", "crontab", "kubernetes.yaml", "milesync.service")
"""Those that call the program themselves; the others use the action and the component."""
FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def text(name: str) -> str:
    return (CRON / name).read_text(encoding="utf-8")


def documents(name: str) -> list[Any]:
    return list(yaml.safe_load_all(text(name)))


def calls(name: str) -> Iterator[list[str]]:
    """The words after each `milesync` in a file, comments included, since people copy from these too."""
    for line in text(name).splitlines():
        for found in re.finditer(r"(?:^|[\s/])milesync (run|plan|status|[a-z]+ --)(.*)", line):
            words = shlex.split((found[1] + found[2]).split("# ")[0].split(">")[0].split(" 2>")[0], comments=False)
            yield [word for word in words if word != "$FIRST_RUN"]
    for manifest in documents(name) if name.startswith("kubernetes") else []:
        if manifest["kind"] == "CronJob":
            yield container(manifest)["args"]
    for service in documents(name)[0]["services"].values() if name == "compose.yaml" else []:
        if service["image"].startswith("registry.example.org/milesync"):
            yield service["command"]


def container(manifest: Any) -> dict[str, Any]:
    spec = manifest["spec"]
    spec = spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec
    (only,) = spec["template"]["spec"]["containers"]
    return dict(only)


def test_every_way_of_running_it_is_there() -> None:
    assert FILES == [
        "compose.yaml",
        "crontab",
        "github-actions.yml",
        "gitlab-ci.yml",
        "kubernetes.yaml",
        "milesync.service",
        "milesync.timer",
    ]


@pytest.mark.parametrize("name", CALLING)
def test_every_command_and_flag_exists(name: str) -> None:
    found = list(calls(name))
    if name in SHARED:
        assert {words[0] for words in found} == {"worker", "serve"}
    else:
        assert any(words[0] == "run" and "--json" in words for words in found), found
    for words in found:
        assert unknown_words(words) == [], words


@pytest.mark.parametrize("name", FILES)
def test_each_says_where_the_database_lives_and_how_it_begins(name: str) -> None:
    assert re.search(r"[Dd]atabase\s+(#\s+)?(lives|on the volume)", text(name)), "where does the database live?"
    if name != "milesync.timer":
        assert "first-run" in text(name)


@pytest.mark.parametrize("name", FILES)
def test_no_secret_and_no_private_place_is_written_down(name: str) -> None:
    assert not re.search(r"ghp_|github_pat_|glpat-|ATATT|://[^/\s]+:[^/\s$]+@", text(name))
    assert re.findall(r"https?://([\w.-]+)", text(name)) == []


def test_crontab() -> None:
    lines = [line for line in text("crontab").splitlines() if line and not line.startswith("#")]
    entries = [line for line in lines if not re.match(r"[A-Z_]+=", line)]
    assert len(entries) == 1
    *when, user, command = entries[0].split(maxsplit=6)
    for field, bounds in zip(when, FIELDS, strict=True):
        assert_cron_field(field, bounds)
    assert user == "milesync"
    assert "%" not in command, "cron ends a command at a per cent sign"


@pytest.mark.parametrize(
    "schedule",
    [
        next(row for row in documents("kubernetes.yaml") if row["kind"] == "CronJob")["spec"]["schedule"],
        documents("github-actions.yml")[0][True]["schedule"][0]["cron"],  # YAML 1.1 reads `on` as true
        re.findall(r"Pipeline schedules: (.*)", text("gitlab-ci.yml"))[0],
    ],
)
def test_schedules(schedule: str) -> None:
    for field, bounds in zip(schedule.split(), FIELDS, strict=True):
        assert_cron_field(field, bounds)


def assert_cron_field(field: str, bounds: tuple[int, int]) -> None:
    low, high = bounds
    for part in field.split(","):
        found = re.fullmatch(r"(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?", part)
        assert found, f"{field} is no cron field"
        for number in (found[1], found[2]):
            assert number is None or low <= int(number) <= high


@pytest.mark.parametrize("bad", ["60", "x", "1-99", "*/x", ""])
def test_a_wrong_cron_field_is_seen(bad: str) -> None:
    with pytest.raises(AssertionError):
        assert_cron_field(bad, FIELDS[0])


class Unit(configparser.ConfigParser):
    """A systemd unit: names keep their letters; a repeated name keeps the last value, which is enough here."""

    def __init__(self, name: str) -> None:
        super().__init__(strict=False, interpolation=None, delimiters=("=",))
        self.read_string(text(name))

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def test_systemd_service_is_hardened() -> None:
    service = Unit("milesync.service")["Service"]
    assert service["Type"] == "oneshot"
    assert service["DynamicUser"] == service["NoNewPrivileges"] == service["ProtectHome"] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    assert service["Environment"].endswith(f"/var/lib/{service['StateDirectory']}/milesync.db")
    assert "ProtectProc" not in service


def test_systemd_timer_starts_the_service() -> None:
    timer = Unit("milesync.timer")
    assert timer["Timer"]["Persistent"] == "true"
    assert timer["Install"]["WantedBy"] == "timers.target"
    assert re.fullmatch(r"Mon\.\.Fri \*-\*-\* \d\d\.\.\d\d:\d\d:\d\d", timer["Timer"]["OnCalendar"])


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_itself_reads_the_units(tmp_path: Path) -> None:
    for name in ("milesync.service", "milesync.timer"):
        unit = text(name).replace("/opt/milesync/bin/milesync", "/bin/true")
        (tmp_path / name).write_text(unit, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / "milesync.timer", tmp_path / "milesync.service"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert [line for line in done.stderr.splitlines() if "milesync." in line] == []


def test_compose_gives_the_least_rights_and_opens_its_door_to_this_machine_only() -> None:
    (compose,) = documents("compose.yaml")
    for name in ("worker", "serve"):
        service = compose["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["env_file"] == "tokens.env"
    assert compose["services"]["database"]["env_file"] == "database.env"
    assert all(port.startswith("127.0.0.1:") for port in compose["services"]["serve"]["ports"])
    assert not any("ports" in compose["services"][name] for name in ("worker", "database"))


def test_github_actions_has_the_least_rights_and_one_run_at_a_time() -> None:
    (workflow,) = documents("github-actions.yml")
    assert workflow["permissions"] == {}
    assert workflow["concurrency"] == {"group": "milesync", "cancel-in-progress": False}
    (job,) = workflow["jobs"].values()
    assert job["permissions"] == {
        "actions": "read",
        "contents": "read",
        "issues": "write",
        "pull-requests": "read",
    }
    (minute, *_) = workflow[True]["schedule"][0]["cron"].split()
    assert minute not in ("0", "30"), "runs at the full hour are late or left out"
    checkout, action = job["steps"]
    assert checkout["with"] == {"persist-credentials": False}
    inputs = yaml.safe_load((CRON.parent / "action.yml").read_text(encoding="utf-8"))["inputs"]
    assert action["with"].keys() <= inputs.keys()
    assert action["uses"] == "OWNER/milesync@COMMIT"


def test_gitlab_includes_the_component_with_inputs_that_it_has() -> None:
    ((include,),) = documents("gitlab-ci.yml")[0].values()
    assert include["component"].startswith("$CI_SERVER_FQDN/GROUP/milesync/milesync@")
    spec, _ = yaml.safe_load_all((CRON.parent / "templates" / "milesync.yml").read_text(encoding="utf-8"))
    inputs = spec["spec"]["inputs"]
    needed = {name for name, row in inputs.items() if "default" not in row}
    assert needed <= include["inputs"].keys() <= inputs.keys()
    assert include["component"].endswith(f"@{include['inputs']['version']}")
