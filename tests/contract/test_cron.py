"""Schedules: each file parses, and calls commands and flags that exist."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contract.command_lines import unknown_words

CRON = Path(__file__).parents[2] / "cron"
FILES = sorted(path.name for path in CRON.iterdir())
SHARED = ("compose.yaml", "kubernetes-worker.yaml")
"""Those that share the work among processes."""
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
        if manifest["kind"] not in ("PersistentVolumeClaim", "Service"):
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
        "kubernetes-first-run.yaml",
        "kubernetes-worker.yaml",
        "kubernetes.yaml",
        "milesync.service",
        "milesync.timer",
    ]


@pytest.mark.parametrize("name", [name for name in FILES if name != "milesync.timer"])
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
    assert set(re.findall(r"https?://([\w.-]+)", text(name))) <= {"gitlab.example.org"}


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
        documents("kubernetes.yaml")[1]["spec"]["schedule"],
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


@pytest.mark.parametrize("name", ["kubernetes.yaml", "kubernetes-first-run.yaml"])
def test_kubernetes_runs_with_the_least_rights(name: str) -> None:
    for manifest in documents(name):
        if manifest["kind"] == "PersistentVolumeClaim":
            continue
        row = container(manifest)
        spec = manifest["spec"].get("jobTemplate", manifest)["spec"]["template"]["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["automountServiceAccountToken"] is False
        assert row["securityContext"]["readOnlyRootFilesystem"] is True
        assert row["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert not row["image"].endswith(":latest")
        mounts = {mount["name"]: mount["mountPath"] for mount in row["volumeMounts"]}
        assert mounts.keys() == {volume["name"] for volume in spec["volumes"]}
        assert row["env"][0]["value"] == f"sqlite:///{mounts['data']}/milesync.db"


def test_kubernetes_never_runs_two_at_once_and_the_first_run_is_the_same_but_for_its_flag() -> None:
    claim, cronjob = documents("kubernetes.yaml")
    (first,) = documents("kubernetes-first-run.yaml")
    assert cronjob["spec"]["concurrencyPolicy"] == "Forbid"
    job = cronjob["spec"]["jobTemplate"]["spec"]
    assert container(first)["args"] == [*container(cronjob)["args"], "--first-run"]
    container_first = first["spec"]["template"]["spec"]["containers"][0]
    container_first["args"] = container(cronjob)["args"]
    assert first["spec"] == job
    volumes = job["template"]["spec"]["volumes"]
    assert {"name": "data", "persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}} in volumes


def test_workers_run_with_the_least_rights_and_end_in_peace() -> None:
    worker, serve, service = documents("kubernetes-worker.yaml")
    for manifest in (worker, serve):
        spec, row = manifest["spec"]["template"]["spec"], container(manifest)
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["automountServiceAccountToken"] is False
        assert row["securityContext"]["readOnlyRootFilesystem"] is True
        assert row["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert {m["name"] for m in row["volumeMounts"]} == {volume["name"] for volume in spec["volumes"]}
        assert manifest["spec"]["selector"]["matchLabels"] == manifest["spec"]["template"]["metadata"]["labels"]
    assert worker["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= 60
    assert service["spec"]["selector"] == serve["spec"]["selector"]["matchLabels"]
    assert [port["targetPort"] for port in service["spec"]["ports"]] == ["hooks"], "the port for health is private"
    row = container(serve)
    assert [port["name"] for port in row["ports"]] == ["hooks", "health"]
    assert row["readinessProbe"]["httpGet"]["port"] == row["livenessProbe"]["tcpSocket"]["port"] == "health"


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
    assert job["env"] == {"DATABASE": "${{ secrets.MILESYNC_DATABASE != '' && 'postgresql' || 'artefact' }}"}
    assert job["permissions"] == {"actions": "read", "contents": "read", "issues": "write"}
    for step in job["steps"]:
        assert "${{" not in step.get("run", ""), "an expression in a script is an injection"
        assert ("secrets." in str(step.get("env", {}))) == (step.get("name") == "Run"), "a secret for one step only"
        if "uses" in step:
            assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", step["uses"])
            assert step["uses"].startswith("actions/checkout@") <= (
                step.get("with", {}).get("persist-credentials") is False
            )
    assert len(re.findall(r"uses: .* # v\d+\.\d+\.\d+", text("github-actions.yml"))) == 4


def test_gitlab_has_one_run_at_a_time_and_keeps_the_database() -> None:
    (pipeline,) = documents("gitlab-ci.yml")
    (job,) = pipeline.values()
    assert job["resource_group"] == "milesync"
    assert job["artifacts"]["when"] == "always"
    assert job["artifacts"]["access"] == "maintainer"
    assert job["allow_failure"] == {"exit_codes": [3]}
    assert "Authorization: Bearer" in text("gitlab-ci.yml")
    for script in (*job["before_script"], *job["script"]):
        assert subprocess.run(["sh", "-n", "-c", script], check=False).returncode == 0


def database(path: Path, content: str) -> bytes:
    """A SQLite database that holds this content."""
    with closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE content AS SELECT ? AS word", (content,))
        made.commit()
    return path.read_bytes()


def content(path: Path) -> str:
    with closing(sqlite3.connect(path)) as found:
        return str(found.execute("SELECT word FROM content").fetchone()[0])


def artefact(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def fetch(step: str, folder: Path, program: str, script: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the step of an example in a checkout, with this script as the program that asks the tracker."""
    (folder / "bin").mkdir()
    (folder / "bin" / program).write_text(f"#!{sys.executable}\n{script}", encoding="utf-8")
    (folder / "bin" / program).chmod(0o755)
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / "checkout").mkdir()
    (folder / "checkout" / "milesync.toml").write_text("ours")
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", step],
        cwd=folder / "checkout",
        env={"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "TMPDIR": str(folder), "API": str(folder), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


GH = """
import os, re, subprocess, sys
from pathlib import Path
words = sys.argv[2:]
(path,) = [word for word in words if word.startswith("repos/acme/plan/actions/")]
name = re.sub(r"[/?=]", "-", path.removeprefix("repos/acme/plan/actions/"))
answer = (Path(os.environ["API"]) / name).read_bytes()
if "--jq" in words:
    answer = subprocess.run(["jq", "-r", words[words.index("--jq") + 1]], input=answer, stdout=-1, check=True).stdout
sys.stdout.buffer.write(answer)
"""
"""GitHub's program: an answer is the file that is named as the path of its request."""


def workflow_run(number: int, event: str = "schedule", branch: str = "main", repository: str = "acme/plan") -> Any:
    return {"id": number, "event": event, "head_branch": branch, "head_repository": {"full_name": repository}}


def fetched_from_github(
    folder: Path, runs: list[Any], held: dict[int, dict[str, bytes]]
) -> subprocess.CompletedProcess[str]:
    """Run the step with these runs, the newest first, and the artefacts of some of them."""
    if not shutil.which("jq"):
        pytest.skip("jq is not installed")
    (folder / "workflows-milesync.yml-runs").write_text(json.dumps({"workflow_runs": runs}))
    for row in runs:
        number = row["id"]
        found = [{"id": number + 100, "expired": False}] if number in held else [{"id": 1, "expired": True}]
        (folder / f"runs-{number}-artifacts-name-milesync-database").write_text(json.dumps({"artifacts": found}))
    for number, members in held.items():
        artefact(folder / f"artifacts-{number + 100}-zip", members)
    (job,) = documents("github-actions.yml")[0]["jobs"].values()
    (step,) = [step for step in job["steps"] if step.get("name", "").startswith("Fetch")]
    environ = {
        "GITHUB_REPOSITORY": "acme/plan",
        "GITHUB_REF_NAME": "main",
        "GITHUB_WORKFLOW_REF": "acme/plan/.github/workflows/milesync.yml@refs/heads/main",
    }
    return fetch(step["run"], folder, "gh", GH, **environ)


def test_github_takes_the_database_of_its_own_last_run_and_no_other_file(tmp_path: Path) -> None:
    runs = [
        workflow_run(9, "pull_request", repository="stranger/plan"),
        workflow_run(8, "workflow_dispatch", repository="stranger/plan"),
        workflow_run(7, "pull_request"),
        workflow_run(6, "workflow_dispatch", branch="other"),
        workflow_run(5),
        workflow_run(4),
        workflow_run(3),
    ]
    planted = {"milesync.db": database(tmp_path / "bad.db", "planted")}
    right = {
        "milesync.db": database(tmp_path / "good.db", "ours"),
        "milesync.toml": b"planted",
        "../checkout/milesync.toml": b"planted",
    }
    done = fetched_from_github(tmp_path, runs, {**dict.fromkeys((9, 8, 7, 6, 3), planted), 4: right})
    assert done.returncode == 0, done.stderr
    assert content(tmp_path / "checkout" / "milesync.db") == "ours"
    assert (tmp_path / "checkout" / "milesync.toml").read_text() == "ours"
    assert sorted(path.name for path in (tmp_path / "checkout").iterdir()) == ["milesync.db", "milesync.toml"]


def test_github_goes_on_without_a_run_before_it(tmp_path: Path) -> None:
    done = fetched_from_github(tmp_path, [workflow_run(5)], {})
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "checkout").iterdir()] == ["milesync.toml"]


DAMAGED = {
    "no database": {"other": b""},
    "no SQLite": {"milesync.db": b"x" * 5_000},
    "a folder": {"milesync.db/x": b""},
}


@pytest.mark.parametrize("members", DAMAGED.values(), ids=DAMAGED.keys())
def test_github_uses_no_damaged_database(tmp_path: Path, members: dict[str, bytes]) -> None:
    done = fetched_from_github(tmp_path, [workflow_run(5)], {5: members})
    assert done.returncode == 1
    assert [path.name for path in (tmp_path / "checkout").iterdir()] == ["milesync.toml"]


CURL = """
import os, shutil, sys
from pathlib import Path
source = Path(os.environ["API"]) / sys.argv[-1].replace("/", "-").removeprefix("api-")
if not source.exists():
    sys.exit(22)
shutil.copy(source, sys.argv[sys.argv.index("--output") + 1])
"""
"""A download: an answer is the file that is named as its address."""


def fetched_from_gitlab(folder: Path, members: dict[str, bytes] | None) -> subprocess.CompletedProcess[str]:
    if members is not None:
        artefact(folder / "projects-7-jobs-artifacts-team%2F%231-download?job=milesync", members)
    (pipeline,) = documents("gitlab-ci.yml")
    (job,) = pipeline.values()
    (step,) = [script for script in job["before_script"] if "curl" in script]
    environ = {"CI_API_V4_URL": "api", "CI_PROJECT_ID": "7", "CI_COMMIT_REF_NAME": "team/#1", "GITLAB_TOKEN": "x"}
    return fetch(step, folder, "curl", CURL, **environ)


def test_gitlab_takes_the_database_and_no_other_file(tmp_path: Path) -> None:
    members = {"milesync.db": database(tmp_path / "good.db", "ours"), "milesync.toml": b"planted"}
    done = fetched_from_gitlab(tmp_path, members)
    assert done.returncode == 0, done.stderr
    assert content(tmp_path / "checkout" / "milesync.db") == "ours"
    assert (tmp_path / "checkout" / "milesync.toml").read_text() == "ours"


def test_gitlab_goes_on_without_a_pipeline_before_it(tmp_path: Path) -> None:
    done = fetched_from_gitlab(tmp_path, None)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "checkout").iterdir()] == ["milesync.toml"]


@pytest.mark.parametrize("members", DAMAGED.values(), ids=DAMAGED.keys())
def test_gitlab_uses_no_damaged_database(tmp_path: Path, members: dict[str, bytes]) -> None:
    done = fetched_from_gitlab(tmp_path, members)
    assert done.returncode == 1
    assert [path.name for path in (tmp_path / "checkout").iterdir()] == ["milesync.toml"]


def test_a_database_whose_run_was_killed_keeps_its_last_changes(tmp_path: Path) -> None:
    """Its changes are in a second file; the check moves them into the first."""
    path = tmp_path / "killed.db"
    with closing(sqlite3.connect(path)) as killed:
        killed.execute("PRAGMA journal_mode=WAL")
        killed.execute("CREATE TABLE content AS SELECT 'ours' AS word")
        killed.commit()
        members = {f"milesync.db{end}": Path(f"{path}{end}").read_bytes() for end in ("", "-wal")}
    assert fetched_from_gitlab(tmp_path, members).returncode == 0
    assert content(tmp_path / "checkout" / "milesync.db") == "ours"
