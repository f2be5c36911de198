"""Installed packages are locked, listed and audited; workflows and wheel hold nothing more than they need."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
import sysconfig
import threading
import tomllib
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import EntryPoint, packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml

from sync import cli
from tests.audit import audit, judge

ROOT = Path(__file__).parents[2]
WORKFLOWS = [*sorted((ROOT / ".github" / "workflows").glob("*.yml")), ROOT / "cron" / "github-actions.yml"]
LOCKS = [ROOT / "requirements" / "run.txt", ROOT / "requirements" / "dev.txt"]
BIN = Path(sys.executable).parent


def workflow(path: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in workflow(path)["jobs"].values() for step in job["steps"]]


def locked(path: Path) -> set[tuple[str, str]]:
    """Name and version of each package in a lock; an older Python may need another version."""
    return set(re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==([\w.+!-]+)", path.read_text(encoding="utf-8"), re.MULTILINE))


# --- workflows --------------------------------------------------------------------------------------------------------


MAY_WRITE = {
    "release.yml": {
        "attest: attestations",
        "attest: id-token",
        "publish: id-token",
        "image: packages",
        "image-tags: attestations",
        "image-tags: id-token",
        "image-tags: packages",
        "draft: contents",
    }
}
"""The jobs that may write, and what: no job that runs a package's code may sign or publish."""


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_has_no_rights_but_those_that_a_job_names(path: Path) -> None:
    assert workflow(path)["permissions"] == {}
    for job in workflow(path)["jobs"].values():
        assert job["permissions"], "a job without rights of its own would inherit the repository's"
        assert job["timeout-minutes"] <= 90
    writes = {
        f"{name}: {scope}"
        for name, job in workflow(path)["jobs"].items()
        for scope, right in job["permissions"].items()
        if right != "read"
    }
    assert writes - {f"{name}: issues" for name in workflow(path)["jobs"]} == MAY_WRITE.get(path.name, set())


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit_with_their_version(path: Path) -> None:
    used = re.findall(r"uses: (?!OWNER/milesync@COMMIT$)(.*)", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert used
    assert [
        action
        for action in used
        if not re.fullmatch(r"(actions/[\w-]+|pypa/gh-action-pypi-publish)@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)
    ] == []


def test_an_action_has_one_commit_for_one_version_everywhere() -> None:
    used = {action for path in WORKFLOWS for action in re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))}
    assert len(used) == len({action.split("@")[0] for action in used})


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_no_script_takes_an_expression_and_no_checkout_keeps_its_token(path: Path) -> None:
    for step in steps(path):
        assert "${{" not in step.get("run", ""), "an expression in a script is an injection"
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_the_workflow_tests_lists_and_audits_and_never_runs_a_strangers_change_with_secrets() -> None:
    path = ROOT / ".github" / "workflows" / "ci.yml"
    scripts = [step["run"] for step in steps(path) if "run" in step]
    assert scripts == ["bash .ci/run", "make sbom", "make audit"]
    assert "pull_request_target" not in path.read_text(encoding="utf-8")
    assert "secrets." not in path.read_text(encoding="utf-8")
    assert not any(step.get("continue-on-error") for step in steps(path))


# --- locks and the list -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_a_lock_names_no_host_and_has_a_hash_for_everything(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*(-|--)(i|index-url|extra-index-url|find-links|f)\b", text, re.MULTILINE)
    entries = [entry for entry in re.split(r"\n(?=\S)", text.replace("\\\n", " ")) if "==" in entry]
    assert len(entries) == len(locked(path)) > 20
    assert [entry.split("==")[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_what_is_tested_is_what_is_shipped() -> None:
    assert locked(LOCKS[0]) - locked(LOCKS[1]) == set()


def test_the_list_names_every_package_with_version_and_hashes(tmp_path: Path) -> None:
    if not (BIN / "cyclonedx-py").exists():
        pytest.skip("cyclonedx-py is not installed next to this Python")
    recipe = re.search(r"^sbom:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert recipe
    words = recipe[1].partition("cyclonedx-py ")[2].replace("\\\n", " ").split()
    words[words.index("build/sbom.cdx.json")] = str(tmp_path / "sbom.json")
    done = subprocess.run([BIN / "cyclonedx-py", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    listed = json.loads((tmp_path / "sbom.json").read_text(encoding="utf-8"))
    assert listed["bomFormat"] == "CycloneDX"
    assert listed["metadata"]["component"]["name"] == "milesync"
    assert {(component["name"], component["version"]) for component in listed["components"]} == locked(LOCKS[0])
    assert all(component["externalReferences"][0]["hashes"] for component in listed["components"])


# --- the audit --------------------------------------------------------------------------------------------------------


class Service(BaseHTTPRequestHandler):
    """A vulnerability service as `pip-audit` asks one (OSV): one answer for each package."""

    answer: Callable[[str], tuple[int, dict[str, Any]]]

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        code, body = type(self).answer(asked["package"]["name"])
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        pass


@contextmanager
def service(answer: Callable[[str], tuple[int, dict[str, Any]]]) -> Iterator[tuple[str, ...]]:
    """The words that make `pip-audit` ask it."""
    server = HTTPServer(("127.0.0.1", 0), type("Answering", (Service,), {"answer": staticmethod(answer)}))
    thread = threading.Thread(target=functools.partial(server.serve_forever, poll_interval=0.01))
    thread.start()
    try:
        yield ("--vulnerability-service", "osv", "--osv-url", f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "lock.txt"
    path.write_text("".join(f"{name}==1.0 \\\n    --hash=sha256:{'0' * 64}\n" for name in ("alpha", "beta")))
    return path


VULNERABLE = {
    "vulns": [
        {
            "id": "PYSEC-0000-1",
            "summary": "a fault",
            "published": "2026-01-01T00:00:00Z",
            "affected": [
                {
                    "package": {"name": "alpha", "ecosystem": "PyPI"},
                    "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0"}]}],
                }
            ],
        }
    ]
}


def test_a_vulnerability_fails_and_is_named_with_its_repair(lock: Path) -> None:
    with service(lambda name: (200, VULNERABLE if name == "alpha" else {})) as words:
        code, text = audit(lock, words)
    assert code == 1
    assert "alpha 1.0: PYSEC-0000-1, fixed in 2.0" in text


def test_it_is_clean_when_every_package_was_looked_up(lock: Path) -> None:
    with service(lambda _: (200, {})) as words:
        assert audit(lock, words) == (0, "clean: 2 packages audited, no known vulnerability")


@pytest.mark.parametrize("status", [500, 503])
def test_where_the_service_fails_it_says_not_audited(lock: Path, status: int) -> None:
    with service(lambda _: (status, {})) as words:
        code, text = audit(lock, words)
    assert code == 2
    assert text.startswith("not audited")


def test_without_an_answer_it_says_not_audited(lock: Path) -> None:
    with service(lambda _: (200, {})) as words:
        pass
    code, text = audit(lock, (*words, "--timeout", "1"))
    assert code == 2
    assert text.startswith("not audited")


def test_a_skipped_package_is_not_audited_and_never_clean() -> None:
    well: dict[str, Any] = {"name": "alpha", "version": "1.0", "vulns": []}
    skipped: dict[str, Any] = {"name": "beta", "skip_reason": "not found"}
    assert judge([well]) == (0, "clean: 1 packages audited, no known vulnerability")
    assert judge([well, skipped]) == (2, "not audited: 1 of 2 packages\nbeta: not found")
    assert judge([])[0] == 2


# --- the wheel --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def isolated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds the built wheel; what it depends on is borrowed from this one."""
    folder = tmp_path_factory.mktemp("isolated")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    install = [*pip, "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    (site,) = (folder / "venv").glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def test_the_wheel_installs_and_runs_alone(isolated: Path, tmp_path: Path) -> None:
    """As pipx installs it: an environment of its own, a script on the path, no checkout in sight."""
    where = "import sync, connectors, config; print(sync.__file__, connectors.__file__, config.__file__)"
    found = subprocess.run([isolated, "-I", "-c", where], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert all(path.startswith(str(isolated.parents[1])) for path in found.stdout.split())
    done = subprocess.run(
        [isolated.parent / "milesync", "demo", "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PATH": str(isolated.parent), "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["second_run"]["writes"]["applied"] == 0


def test_its_types_are_seen_by_those_who_build_on_it(isolated: Path, tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(
        "from sync.tracker.protocol import Capabilities\nfrom sync.model.tracker_data import Issue\n\n"
        "def titles(issues: list[Issue]) -> list[str]:\n    return [issue.title for issue in issues]\n\n"
        "def wrong(issue: Issue) -> int:\n    return issue.title\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(isolated), "plugin.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env={"PATH": ""})
    errors = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert len(errors) == 1, done.stdout
    assert 'got "str", expected "int"' in errors[0]


_WITHOUT_EXTRAS = """
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in %r:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from sync.cli import main
for words in %r:
    sys.argv = ["milesync", *words]
    try:
        main()
    except SystemExit as end:
        print(f"exit of {' '.join(words)}: {end.code}")
"""


def test_the_plain_installation_shows_help_and_suggestions(isolated: Path, tmp_path: Path) -> None:
    """Without any extra, whose modules can't be imported here, every command has help and a typo gets a suggestion."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    by_module = packages_distributions()
    plain = {_project_name(requirement) for requirement in table["dependencies"]}
    optional = {_project_name(text) for texts in table["optional-dependencies"].values() for text in texts} - plain
    absent = {module for module, names in by_module.items() if optional & {name.lower() for name in names}}
    assert {"uvicorn", "psycopg", "jinja2"} <= absent
    listed = [name for name, *_ in (command.name.split() for command in cli.commands())]
    calls = [[], ["--help"], ["plam"], ["sandbox"], *([name, "--help"] for name in listed)]
    program = _WITHOUT_EXTRAS % (absent, calls)
    done = subprocess.run([isolated, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path)
    ends = dict(re.findall(r"^exit of (.*): (\d+)$", done.stdout, re.MULTILINE))
    assert ends.pop("") == "1", done.stderr
    assert ends.pop("plam") == "1"
    assert ends.pop("sandbox") == "1"
    assert set(ends.values()) == {"0"}, ends
    assert len(ends) == len(calls) - 3
    assert "Did you mean 'plan'" in done.stderr
    assert "milesync[sandbox]" in done.stderr
    assert "Traceback" not in done.stderr
    assert "bad usage" not in done.stderr


def _project_name(requirement: str) -> str:
    return re.split(r"[\[<>=]", requirement)[0].lower()


@pytest.mark.parametrize("name", ["sync", "config", "connectors"])
@pytest.mark.parametrize("shape", ["{}.py", "{}/__init__.py"])
def test_a_foreign_package_on_the_path_is_reported(isolated: Path, tmp_path: Path, name: str, shape: str) -> None:
    file = tmp_path / "mine" / shape.format(name)
    file.parent.mkdir(parents=True)
    file.write_text("")
    done = subprocess.run(
        [isolated.parent / "milesync", "--help"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PATH": str(isolated.parent), "HOME": str(tmp_path), "PYTHONPATH": str(tmp_path / "mine")},
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"milesync: Python finds another package named {name!r} first: {file}. ")
    assert "Traceback" not in done.stderr


def test_a_broken_plugin_costs_its_own_command_only(capsys: pytest.CaptureFixture[str]) -> None:
    points = [EntryPoint("theirs", "no_such_module:theirs", "milesync.commands"), *cli.commands()]
    program = cli.application(points)
    program(["--help"], standalone_mode=False)
    assert "theirs" in capsys.readouterr().out
    for arguments in ([], ["--config", "x.toml", "more"]):
        assert program(["theirs", *arguments], standalone_mode=False) == 1
        err = capsys.readouterr().err
        assert "the command 'theirs' cannot be loaded (ModuleNotFoundError: No module named 'no_such_module')" in err


def test_a_command_that_ends_with_a_message_prints_it_and_fails() -> None:
    script = "import sys, milesync, sync.cli; sync.cli._exit_code = lambda: sys.exit('no such team'); milesync.main()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "no such team\n")
