"""Compare the cost of a pull with a bare fetch of the same bytes and with the naive loop of each SDK.

Run it: ``python tests/benchmarks/bench_connectors.py [--issues N] [--latency S] [--concurrency N] [--only KIND ...]
[--rows WORD ...] [--changes N]``.

The sandbox serves one tracker from another process (`bench_server`) that answers what it was asked before from memory,
so that its own work does not count. Each figure is that of a whole process: start, imports, network, storing. Only
ratios within one run mean anything. Nothing is asserted.

* bare: the very requests of our first pull, sent by plain threads that read the bytes and drop them
* pull: ``milesync pull`` into a new database, with histories
* bare plain, pull plain: the same two without histories, where a setting leaves them out
* quiet: ``milesync run`` when nothing changed: pull, assess, plan, apply
* 1%: ``milesync pull`` when one issue in a hundred changed
* naive: the SDK's own loop over all issues, 100 a page, its defaults otherwise. It reads no history, so compare
  it with ``pull plain``, and on GitHub, which has no such setting, with ``pull``
* naive histories: the same loop with histories; compare it with ``pull``. Jira's search returns them with the issues;
  the others' SDKs ask issue by issue, and 200 issues are enough to see what that means

Each command but ours is run twice, and the second time counts: then the server knows what it will be asked.
"""

from __future__ import annotations

import argparse
import compileall
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
OURS = ("sync", "connectors", "config")
KINDS = ("github", "gitlab", "jira", "jira-cloud")
ROWS = ("bare", "pull", "plain", "quiet", "change", "naive", "histories")
MOST_TIMES_BARE, MOST_CPU, MOST_MEMORY = 1.6, 1.5, 90
"""Targets of a first pull of 10,000 issues with histories: times the bare fetch, seconds of CPU, peak megabytes."""
FEW = 200
"""Issues whose histories are asked for one by one."""
PLAIN: dict[str, dict[str, Any]] = {
    "gitlab": {"history": "none"},
    "jira": {"history": False},
    "jira-cloud": {"history": False},
}
OPTIONS: dict[str, dict[str, Any]] = {"jira-cloud": {"dialect": "cloud"}}
"""What a real address tells: without the host of a Cloud, the first request would ask whether this is one."""
PROJECTS = {"github": "acme/app", "gitlab": "acme/app", "jira": "APP", "jira-cloud": "APP"}
SECRETS = {"GITHUB_TOKEN": "sandbox", "GITLAB_TOKEN": "sandbox", "JIRA_TOKEN": "sandbox", "JIRA_EMAIL": "bot@x.invalid"}


@dataclass(frozen=True)
class Cost:
    """Cost of a process: seconds of wall clock and CPU, peak megabytes, requests, megabytes read."""

    wall: float
    cpu: float
    peak: float
    requests: int
    read: float


class Server:
    """The tracker in a process of its own, controlled by lines on standard input."""

    def __init__(self, kind: str, issues: int, latency: float, changes: int) -> None:
        command = [sys.executable, str(HERE / "bench_server.py"), kind, str(issues), str(latency), str(changes)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.kind, self.url = kind, str(self._heard())

    def _heard(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def say(self, word: str) -> Any:
        """Send a line to the server and return its answer."""
        assert self._process.stdin is not None
        print(word, file=self._process.stdin, flush=True)
        return self._heard()

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def compiled() -> None:
    """Make the byte code that every installation has: without it each start would compile all of ours."""
    for name in OURS:
        compileall.compile_dir(HERE.parents[1] / name, quiet=1)


@contextmanager
def served(kind: str, issues: int, latency: float, changes: int) -> Iterator[Server]:
    """A tracker full of issues."""
    server = Server(kind, issues, latency, changes)
    try:
        yield server
    finally:
        server.close()


def measured(server: Server, command: Sequence[str], *, good: Sequence[int] = (0,)) -> Cost:
    """Run a command and measure its cost from start to end."""
    server.say("count")
    began = time.perf_counter()
    process = subprocess.Popen(
        command, env={**os.environ, **SECRETS}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in good:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}: {said.decode()[-2000:]}")
    count, size = server.say("count")
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, count, size / 1e6)


# --- in processes of their own --------------------------------------------------------------------------------------


def bare(file: Path, concurrency: int) -> None:
    """Send recorded requests and drop the bytes."""
    import urllib3

    asked = json.loads(file.read_text())
    pool = urllib3.PoolManager(maxsize=concurrency)

    def send(row: dict[str, Any]) -> int:
        body = row["body"]
        answer = pool.request(
            row["method"], row["url"], headers=row["headers"], body=body and body.encode(), retries=False
        )
        return len(answer.data)

    with ThreadPoolExecutor(concurrency) as threads:
        sum(threads.map(send, asked))


def record(kind: str, url: str, concurrency: int, file: Path, *, plain: bool = False) -> None:
    """Pull once and write down every request."""
    import requests
    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))

    asked: list[dict[str, Any]] = []
    send = requests.Session.send

    def noted(session: requests.Session, request: requests.PreparedRequest, **settings: Any) -> requests.Response:
        body = request.body.decode() if isinstance(request.body, bytes) else request.body
        headers = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
        asked.append({"method": request.method, "url": request.url, "headers": headers, "body": body})
        return send(session, request, **settings)

    requests.Session.send = noted  # type: ignore[assignment, method-assign]
    connector = connected(kind, url, concurrency, OPTIONS.get(kind, {}) | (PLAIN[kind] if plain else {}))
    for page in connector.pull([PROJECTS[kind]], {}):
        for problem in page.failed.values():
            sys.exit(str(problem))
    connector.close()
    file.write_text(json.dumps(asked))


def connected(kind: str, url: str, concurrency: int, options: dict[str, Any] | None = None) -> Any:
    """A connector to the server."""
    from datetime import UTC, datetime
    from importlib import import_module

    from sync.tracker.protocol import Setup

    secrets = {"token": "sandbox"} | ({"email": SECRETS["JIRA_EMAIL"]} if kind == "jira-cloud" else {})
    setup = Setup(
        name="x",
        url=url,
        secrets=secrets,
        clock=lambda: datetime.now(UTC),
        sleep=time.sleep,
        concurrency=concurrency,
        options=options or {},
    )
    return import_module(f"connectors.{kind.partition('-')[0]}").connect(setup)


def naive(kind: str, url: str, *, histories: bool) -> None:
    """The loop that everybody writes first."""
    loops: dict[str, Callable[[str, bool], int]] = {
        "github": _naive_github,
        "gitlab": _naive_gitlab,
        "jira": _naive_jira,
        "jira-cloud": _naive_cloud,
    }
    loops[kind](url, histories)


def _naive_github(url: str, histories: bool) -> int:
    from github import Auth, Github

    repository = Github(auth=Auth.Token("sandbox"), base_url=url, per_page=100).get_repo("acme/app")
    issues = repository.get_issues(state="all")
    if histories:
        return sum(len(list(issue.get_events())) for issue in islice(issues, FEW))
    return sum(issue.state == "open" for issue in issues)


def _naive_gitlab(url: str, histories: bool) -> int:
    import gitlab

    project = gitlab.Gitlab(url, private_token="sandbox").projects.get("acme/app")
    issues = project.issues.list(scope="all", iterator=True, per_page=100)
    if histories:
        logs = ((item.resourcemilestoneevents, item.resourcestateevents) for item in islice(issues, FEW))
        return sum(len(list(log.list(iterator=True))) for both in logs for log in both)
    return sum(issue.state == "opened" for issue in issues)


def _naive_jira(url: str, histories: bool) -> int:
    import jira

    client = jira.JIRA(url, token_auth="sandbox")
    expand = "changelog" if histories else None
    found, start = 0, 0
    while issues := client.search_issues("project = APP ORDER BY key", startAt=start, maxResults=100, expand=expand):
        found += sum(issue.fields.resolution is None for issue in issues)
        start += len(issues)
    return found


def _naive_cloud(url: str, histories: bool) -> int:
    import jira

    client = jira.JIRA(url, basic_auth=(SECRETS["JIRA_EMAIL"], "sandbox"), options={"rest_api_version": "3"})
    expand = "changelog" if histories else None
    issues = client.enhanced_search_issues("project = APP ORDER BY key", maxResults=0, expand=expand)
    return sum(issue.fields.resolution is None for issue in issues)


# --- the table ------------------------------------------------------------------------------------------------------


def configured(folder: Path, server: Server, concurrency: int, policy: str, *, plain: bool = False) -> list[str]:
    """The beginning of our command line for a configuration and a database in that folder."""
    kind = server.kind.partition("-")[0]
    options = OPTIONS.get(server.kind, {}) | (PLAIN[server.kind] if plain else {})
    lines = [
        f'instance = "bench"\npolicy = "{policy}"\ndatabase = "sqlite:///bench.db"\n[connections.x]',
        f'type = "{kind}"\nurl = "{server.url}"\nprojects = ["{PROJECTS[server.kind]}"]\nconcurrency = {concurrency}',
        'email = { env = "JIRA_EMAIL" }' if server.kind == "jira-cloud" else "",
        "[connections.x.options]" if options else "",
        *(f"{name} = {json.dumps(value)}" for name, value in options.items()),
    ]
    folder.mkdir(exist_ok=True)
    (folder / "milesync.toml").write_text("\n".join(lines))
    return ["--config", str(folder / "milesync.toml")]


def table(
    kind: str, issues: int, latency: float, concurrency: int, rows: Sequence[str], changes: int
) -> Iterator[tuple[str, Cost]]:
    """The rows of one dialect."""
    ours, me = [sys.executable, "-m", "sync"], [sys.executable, str(Path(__file__).resolve())]
    with served(kind, issues, latency, changes) as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def fetch(word: str) -> list[str]:
            asked = folder / f"{word}.json"
            subprocess.run([*me, "--record", kind, server.url, str(concurrency), str(asked), word], check=True)
            return [*me, "--bare", str(asked), str(concurrency)]

        def again(command: list[str]) -> Cost:
            measured(server, command)  # the server has seen everything once
            return measured(server, command)

        place = configured(folder, server, concurrency, "create")
        elsewhere: list[str] = []
        command = fetch("full")
        yield "bare", again(command)
        if "pull" in rows:
            yield "pull", measured(server, [*ours, "pull", *place])
            yield "bare again", measured(server, command)
        if "plain" in rows and kind in PLAIN:
            yield "bare plain", again(fetch("plain"))
            elsewhere = configured(folder / "plain", server, concurrency, "create", plain=True)
            yield "pull plain", measured(server, [*ours, "pull", *elsewhere])
        if "quiet" in rows:
            for _ in range(2):
                measured(server, [*ours, "run", "--first-run", *place], good=(0, 3))
            yield "quiet", measured(server, [*ours, "run", *place])
        if "change" in rows:
            server.say(f"change {max(1, issues // 100)}")
            yield "1%", measured(server, [*ours, "pull", *place])
            if elsewhere:
                yield "1% plain", measured(server, [*ours, "pull", *elsewhere])
        if "naive" in rows:
            yield "naive", again([*me, "--naive", kind, server.url, "none"])
        if "histories" in rows:
            yield "naive histories", again([*me, "--naive", kind, server.url, "histories"])


def main() -> None:
    """Print the table, or be one of its processes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--issues", type=int, default=10_000)
    parser.add_argument("--latency", type=float, default=0.06)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS)
    parser.add_argument("--changes", type=int, default=0, help="issues that are pull or merge requests instead")
    for name, count in (("--bare", 2), ("--record", 5), ("--naive", 3)):
        parser.add_argument(name, nargs=count, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.bare:
        bare(Path(given.bare[0]), int(given.bare[1]))
    elif given.record:
        kind, url, concurrency, file, word = given.record
        record(kind, url, int(concurrency), Path(file), plain=word == "plain")
    elif given.naive:
        kind, url, word = given.naive
        naive(kind, url, histories=word == "histories")
    else:
        compiled()
        print(f"{given.issues} issues, 40 milestones, {given.latency * 1000:.0f} ms, {given.concurrency} at once")
        print(f"{'':27}{'wall s':>8}{'x bare':>8}{'CPU s':>8}{'peak MB':>9}{'requests':>10}{'read MB':>9}")
        for kind in given.only:
            first = 0.0
            for what, cost in table(kind, given.issues, given.latency, given.concurrency, given.rows, given.changes):
                first = first or cost.wall
                print(
                    f"{kind + ' ' + what:27}{cost.wall:8.2f}{cost.wall / first:8.2f}{cost.cpu:8.2f}{cost.peak:9.0f}"
                    f"{cost.requests:10}{cost.read:9.1f}",
                    flush=True,
                )
                if what == "pull":
                    print(f"{'  target':35}{MOST_TIMES_BARE:8.2f}{MOST_CPU:8.2f}{MOST_MEMORY:9}")


if __name__ == "__main__":
    main()
