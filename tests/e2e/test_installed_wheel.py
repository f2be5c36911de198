"""The built wheel, installed without extras by uv, uvx and pipx. No network: a folder holds the packages as wheels."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest
from packaging.requirements import Requirement

from sync import cli
from tests.e2e.small_world import served
from tests.e2e.subprocesses import ENVIRONMENT
from tests.wheelhouse import build, closure, pack

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with our wheel and those that it requires."""
    folder = tmp_path_factory.mktemp("wheelhouse")
    for name in closure([Requirement(text) for text in PROJECT["dependencies"]]):
        pack(name, folder)
    return build("wheel", folder).parent


@pytest.fixture(scope="module")
def wheel(wheelhouse: Path) -> Path:
    return next(wheelhouse.glob("milesync-*.whl"))


@pytest.fixture(scope="module")
def environ(wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables under which uv and pipx install from that folder alone, into folders of this test."""
    home = tmp_path_factory.mktemp("home")
    return {
        **ENVIRONMENT,
        "HOME": str(home),
        "PATH": f"{BIN}:/usr/bin:/bin",
        "UV_CACHE_DIR": str(home / "uv"),
        "UV_TOOL_DIR": str(home / "tools"),
        "UV_TOOL_BIN_DIR": str(home / "bin"),
        "UV_OFFLINE": "1",
        "UV_NO_INDEX": "1",
        "UV_FIND_LINKS": str(wheelhouse),
        "UV_PYTHON": sys.executable,
        "PIPX_HOME": str(home / "pipx"),
        "PIPX_BIN_DIR": str(home / "bin"),
        "PIPX_DEFAULT_BACKEND": "uv",
    }


def run(environ: dict[str, str], *words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words],
        env=environ,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


def tool(name: str) -> Path:
    """Return the path of a development tool; skip where it is not installed next to this Python."""
    if not (BIN / name).exists():
        pytest.skip(f"{name} is not installed next to this Python")
    return BIN / name


# --- the files --------------------------------------------------------------------------------------------------------

UNTRACKED = ignore_patterns(".git", ".venv", ".*_cache", "__pycache__", "build", "dist", ".hypothesis")


@pytest.mark.parametrize("target", ["wheel", "sdist"])
def test_the_same_source_gives_the_same_bytes(target: str, tmp_path: Path) -> None:
    """In another folder, with other rights and times of files, other locale and zone, and a cache in the way."""
    sources = {"one": 0o600, "two": 0o664}
    digests = set()
    for number, (name, mode) in enumerate(sources.items(), start=1):
        source = tmp_path / name / f"folder {number}"
        copytree(ROOT, source, ignore=UNTRACKED)
        for path in source.rglob("*"):
            if path.is_file():
                path.chmod(mode | path.stat().st_mode & 0o100)
                os.utime(path, (1_000_000_000 * number, 1_000_000_000 * number))
        if number == 2:
            (source / "sync" / "__pycache__").mkdir()
            (source / "sync" / "__pycache__" / "stale.cpython-311.pyc").write_bytes(b"stale")
            (source / ".venv").mkdir()
            (source / ".venv" / "pyvenv.cfg").write_text("home = elsewhere\n")
        built = build(target, tmp_path / name, source, SOURCE_DATE_EPOCH="1700000000", TZ=f"UTC{number}", LANG="C")
        digests.add(hashlib.sha256(built.read_bytes()).hexdigest())
    assert len(digests) == 1


def test_the_sdist_builds_the_same_wheel_with_the_addresses_of_its_release(tmp_path: Path) -> None:
    """The release sets the address of its own repository; what is built from its sdist later needs no variable."""
    base = "https://forge.example/acme/milesync"
    environ = {"SOURCE_DATE_EPOCH": "1700000000", "MILESYNC_PROJECT_URL": base}
    wheels = [build("wheel", tmp_path / "wheel", ROOT, **environ)]
    with tarfile.open(build("sdist", tmp_path / "sdist", ROOT, **environ)) as packed:
        packed.extractall(tmp_path, filter="data")
    (source,) = tmp_path.glob("milesync-*")
    wheels.append(build("wheel", tmp_path / "again", source, SOURCE_DATE_EPOCH="1700000000"))
    assert wheels[0].read_bytes() == wheels[1].read_bytes()
    with zipfile.ZipFile(wheels[0]) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("dist-info/METADATA"))
        metadata = archive.read(name).decode()
    assert set(re.findall(r"^Project-URL: (\w+), (.*)$", metadata, re.MULTILINE)) == {
        ("Changelog", f"{base}/blob/v{PROJECT['version']}/CHANGELOG.md"),
        ("Documentation", f"{base}/blob/v{PROJECT['version']}/docs/README.md"),
        ("Issues", f"{base}/issues"),
        ("Source", base),
    }
    assert re.findall(r"\]\((?!https?://|#)[^)]*\)", metadata) == [], "a relative link leads nowhere on the index"


def test_without_an_address_the_package_has_none_and_keeps_its_links(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("dist-info/METADATA"))
        metadata = archive.read(name).decode()
    assert "\nProject-URL:" not in metadata
    assert "](docs/" in metadata


def test_the_sdist_holds_what_builds_tests_and_explains_it_and_no_cache(tmp_path: Path) -> None:
    with tarfile.open(build("sdist", tmp_path)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        assert {member.mode & 0o7022 for member in archive.getmembers()} == {0}, "writable for others"
    wanted = {"LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md", "CONTRIBUTING.md", "pyproject.toml", "Makefile"}
    assert wanted - names == set()
    for folder in ("sync", "connectors", "config", "tests", "docs", "requirements"):
        kept = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*") if path.is_file()}
        assert {name for name in kept if name.endswith((".py", ".md", ".txt", ".toml", ".j2", ".mo"))} - names == set()
    assert [name for name in names if re.search(r"__pycache__|\.pyc$|_cache/|\.venv|\.db$|\.egg-info", name)] == []


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    kept = {
        path.relative_to(ROOT).as_posix()
        for folder in ("sync", "connectors", "config")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert kept - names == set()
    assert {".j2", ".mo", ".css", ".js", ".ttf", ".toml", ".json"} - {Path(name).suffix for name in names} == set()
    for name in ("sync/py.typed", "connectors/py.typed", "config/py.typed", "config/schema.json"):
        assert name in names
    assert any(re.fullmatch(r"sync/store/migrations/versions/0\d+.*\.py", name) for name in names)
    assert any(name.endswith("dist-info/licenses/LICENSE") for name in names)
    assert {name for name in names - kept if "dist-info" not in name} == {"milesync.py"}


def test_the_checks_of_the_package_index_pass(wheel: Path, tmp_path: Path) -> None:
    built = [wheel, build("sdist", tmp_path)]
    checked = subprocess.run(
        [tool("twine"), "--no-color", "check", "--strict", *built], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout.count("PASSED")) == (0, 2), checked.stdout + checked.stderr
    contents = subprocess.run(
        [tool("check-wheel-contents"), wheel], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert contents.returncode == 0, contents.stdout


# --- installed --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(environ: dict[str, str], wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and no extra."""
    tool("uv")
    folder = tmp_path_factory.mktemp("base") / "venv"
    for words in (("venv", folder), ("pip", "install", "--python", folder, wheel)):
        done = run({**environ, "VIRTUAL_ENV": ""}, BIN / "uv", *words)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def world(environ: dict[str, str], installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A function that runs a command of that environment on two trackers, after a first run; ``add`` is more TOML."""
    folder = tmp_path_factory.mktemp("world")
    with served(folder) as (trackers, config):
        plain = config.read_text(encoding="utf-8")

        def call(*words: object, add: str = "", **more: str) -> subprocess.CompletedProcess[str]:
            config.write_text(f"{add}\n{plain}" if "=" in add.partition("\n")[0] else f"{plain}\n{add}")
            told = {**environ, "GITHUB_API_URL": trackers.github.url, **more}
            return run(told, installed / "bin" / "milesync", *words, cwd=folder)

        done = call("run", "--first-run")
        assert done.returncode == 0, done.stderr
        yield call


ONE = "gh:acme/app#2"

WORK: dict[str, tuple[tuple[object, ...], int]] = {
    "check": (("github:acme/app",), 0),
    "pull": ((), 0),
    "plan": (("--out", "saved.plan"), 0),
    "status": ((), 0),
    "run": ((), 0),
    "apply": (("saved.plan",), 0),
    "explain": ((ONE,), 0),
    "backtest": ((), 0),
    "doctor": ((), 0),
    "init": ((), 1),  # its first question gets no answer
    "digest": ((), 0),
    "new-connector": (("linear",), 0),
    "adopt": ((), 0),
    "retire": ((), 2),  # what the first run wrote
    "timeline": ((), 0),
    "whatif": ((ONE,), 0),
    "db": (("check",), 0),
}
"""Commands that need no extra: words, and the exit code."""

CHANNEL = '[audiences.management]\n[audiences.management.digest]\nchannels = { chat = { env = "CHAT" } }'

NEEDS: dict[str, tuple[tuple[object, ...], str, int, str]] = {
    "demo": (("demo",), "sandbox", 1, ""),
    "sandbox": (("sandbox",), "sandbox", 1, ""),
    "report": (("report", "--out", "site"), "site", 1, ""),
    "serve": (("serve",), "serve", 1, ""),
    "worker": (("worker", "--once"), "worker", 1, ""),
    "mcp": (("mcp",), "mcp", 1, ""),
    "timeline --ics": (("timeline", "--ics", "dates.ics"), "timeline", 1, ""),
    "backtest --plot": (("backtest", "--plot", "plot.svg"), "plot", 1, ""),
    "a report with each run": (("run",), "site", 3, '[report]\nout = "pages"'),
    "a metrics file": (("run",), "metrics", 0, '[metrics]\ntextfile = "metrics.prom"'),
    "doctor on metrics": (("doctor",), "metrics", 1, '[metrics]\ntextfile = "metrics.prom"'),
    "traces": (("run",), "traces", 1, '[traces]\nendpoint = "http://127.0.0.1:9/v1/traces"'),
    "PostgreSQL": (("status",), "postgresql", 1, ""),
}
"""What needs an extra: words, the extra, the exit code, and more configuration."""


def test_every_command_is_tried() -> None:
    assert {*WORK, *(words[0] for words, *_ in NEEDS.values())} >= {point.name for point in cli.commands()}
    named = {extra for _, extra, *_ in NEEDS.values()} | {"digest"}
    assert set(PROJECT["optional-dependencies"]) - named == set()


@pytest.mark.parametrize("command", WORK)
def test_without_extras_a_command_does_its_work(command: str, world: Run) -> None:
    words, code = WORK[command]
    done = world(command, *words)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert "needs the extra" not in done.stdout + done.stderr


@pytest.mark.parametrize("case", NEEDS)
def test_without_its_extra_one_line_says_how_to_get_it(case: str, world: Run, wheel: Path) -> None:
    words, extra, code, more = NEEDS[case]
    database = {"MILESYNC_DATABASE": "postgresql://127.0.0.1:9/none"} if case == "PostgreSQL" else {}
    done = world(*words, add=more, **database)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    printed = " ".join((done.stdout + done.stderr).split())
    assert printed.count(f"uv pip install 'milesync[{extra}] @ {wheel.as_uri()}'") == 1, printed
    if code == 1 and case != "doctor on metrics":
        assert f"needs the extra `{extra}`: " in done.stderr.splitlines()[-1]


def test_a_channel_without_its_extra_is_named_before_a_digest_is_due(world: Run, wheel: Path) -> None:
    done = world("doctor", add=CHANNEL, CHAT="json://127.0.0.1:9/")
    assert "Traceback" not in done.stderr
    assert f"'milesync[digest] @ {wheel.as_uri()}'" in " ".join((done.stdout + done.stderr).split())


def test_it_says_its_version_and_is_found_by_the_interpreter(installed: Path, environ: dict[str, str]) -> None:
    for words in ((installed / "bin" / "milesync",), (installed / "bin" / "python", "-m", "milesync")):
        assert run(environ, *words, "--version").stdout == f"milesync {PROJECT['version']}\n"


# --- uvx and pipx -----------------------------------------------------------------------------------------------------

ISOLATED: dict[str, Callable[[Path], tuple[object, ...]]] = {
    "uvx": lambda wheel: ("uvx", "--from", wheel, "milesync"),
    "pipx run": lambda wheel: ("pipx", "run", "--spec", wheel, "milesync"),
}


@pytest.mark.parametrize("by", ISOLATED)
def test_a_project_is_checked_by_a_wheel_that_nothing_installed(
    by: str, environ: dict[str, str], wheel: Path, tmp_path: Path
) -> None:
    program, *words = map(str, ISOLATED[by](wheel))
    with served(tmp_path) as (trackers, _):
        told = {**environ, "GITHUB_API_URL": trackers.github.url}
        done = run(told, tool(program), *words, "check", "github:acme/app", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "v2" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["milesync.toml"], "nothing else is written"


@pytest.mark.parametrize(
    "words", [("uv", "tool", "install"), ("pipx", "install")], ids=lambda words: words[0] if words else ""
)
def test_an_isolated_installation_names_its_own_installer(
    words: tuple[str, ...], environ: dict[str, str], wheel: Path
) -> None:
    done = run(environ, tool(words[0]), *words[1:], wheel)
    assert done.returncode == 0, done.stderr
    done = run(environ, Path(environ["PIPX_BIN_DIR"]) / "milesync", "demo")
    assert f"{' '.join(words)} --force 'milesync[sandbox] @ {wheel.as_uri()}'" in done.stderr
    run(environ, tool(words[0]), *words[1:-1], "uninstall", "milesync")
