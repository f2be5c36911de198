"""Commands ``demo`` and ``sandbox``: the main job through the command line against trackers on loopback."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.markdown import Markdown
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from typer.exceptions import TyperException

from connectors.sandbox.demo_world import demo_world
from connectors.sandbox.world import Tracker, World
from sync import signals

__all__ = ["PORTS", "demo", "sandbox"]

PORTS: Mapping[str, int] = {"github": 8801, "gitlab": 8802, "jira": 8803, "jira-cloud": 8804}
"""Default port of each tracker."""
_EXAMPLE = Path("config", "example.toml")
"""Configuration for the default ports."""
_PROJECTS = {"github": "acme/app", "gitlab": "acme/api", "jira": "PAY", "jira-cloud": "WEB"}
_NAMES = {"github": "gh", "gitlab": "gl", "jira": "jira", "jira-cloud": "cloud"}
_GENERATED = "These teams and their past are generated; how good forecasts are cannot be judged on them."
_TOKENS = {
    "GITHUB_TOKEN": "sandbox",
    "GITLAB_TOKEN": "sandbox",
    "JIRA_TOKEN": "sandbox",
    "JIRA_EMAIL": "bot@sandbox.invalid",
}


def configuration(world: World, database: str = "sqlite:///milesync.db", policy: str = "create") -> str:
    """Return a configuration for a served world."""
    parts = [f'instance = "sandbox"\npolicy = "{policy}"\ndatabase = "{database}"\n']
    for tracker in world.trackers:
        if not tracker.url or not tracker.projects:
            continue
        kind = "jira" if tracker.kind.startswith("jira") else tracker.kind
        projects = json.dumps(list(tracker.projects))
        parts.append(
            f'[connections.{_NAMES[tracker.kind]}]\ntype = "{kind}"\nurl = "{tracker.url}"\n'
            f'token = {{ env = "{kind.upper()}_TOKEN" }}\nprojects = {projects}\n'
            + ('email = { env = "JIRA_EMAIL" }\n' if tracker.kind == "jira-cloud" else "")
        )
    return "\n".join(parts)


def sandbox(
    load: Annotated[Path | None, typer.Option(help="Put the real history in this folder into the Jira.")] = None,
    port: Annotated[
        int, typer.Option(help="First of four ports; 0 lets the system choose.", min=0, max=65_532)
    ] = PORTS["github"],
    latency: Annotated[float, typer.Option(help="Seconds added to each answer.")] = 0.0,
    server_version: Annotated[
        list[str] | None,
        typer.Option(metavar="TRACKER=VERSION", help="Imitate an older server, as github=3.14."),
    ] = None,
    write_config: Annotated[Path | None, typer.Option(help="Write a configuration for it to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Tell the addresses as one JSON document.")] = False,
) -> None:
    """Keep three trackers running on loopback (Jira in both dialects), until interrupted."""
    world = demo_world()
    if load is not None:
        from connectors.sandbox.real_history import load as load_history

        world.jira.projects.clear()
        load_history(world.jira, load)
    for tracker in world.trackers:
        tracker.latency = latency
    ports = {kind: port + n for n, kind in enumerate(PORTS)} if port else {}
    with _served(world, ports, server_version or ()):
        addresses = {tracker.kind: tracker.url for tracker in world.trackers}
        if write_config is not None:
            try:
                write_config.write_text(configuration(world), encoding="utf-8")
            except OSError as error:
                raise TyperException(f"{write_config}: {error.strerror or error}") from None
        if as_json:
            typer.echo(json.dumps({"trackers": addresses, "tokens": _TOKENS}))
        else:
            _welcome(world, addresses, write_config or _example(ports))
        sys.stdout.flush()
        threading.Event().wait()


@contextmanager
def _served(world: World, ports: Mapping[str, int], versions: Sequence[str] = ()) -> Iterator[None]:
    """Serve the world on these ports as these versions (``github=3.14``).

    Raises `TyperException` without the extra, for an unknown version, or if a port is in use.
    """
    try:
        from connectors.sandbox.server import Sandbox  # late: the help of all commands needs no extra
        from connectors.sandbox.versions import age
    except ModuleNotFoundError as error:
        words = f"the sandbox needs the extra `sandbox`: pip install 'milesync[sandbox]' (no module {error.name!r})"
        raise TyperException(words) from None
    try:
        age(world, {kind: version for kind, _, version in (entry.partition("=") for entry in versions)})
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--server-version") from None
    with ExitStack() as stack:
        try:
            stack.enter_context(Sandbox(world, ports=ports))
        except OSError as error:
            words = f"the sandbox cannot listen on ports {min(ports.values())} to {max(ports.values())}"
            remedy = "Is another sandbox running? Stop it, or give other ports with --port (0 lets the system choose)."
            raise TyperException(f"{words}: {error.strerror}. {remedy}") from None
        yield


def _example(ports: Mapping[str, int]) -> Path | None:
    """The example configuration, if it is here and points at these ports."""
    return _EXAMPLE if ports == PORTS and _EXAMPLE.is_file() else None


def _welcome(world: World, addresses: Mapping[str, str], config: Path | None) -> None:
    console = Console()
    table = Table("tracker", "address", "projects", box=None, padding=(0, 2))
    for tracker in world.trackers:
        table.add_row(tracker.kind, addresses[tracker.kind], ", ".join(tracker.projects))
    exports = "\n".join(f"  export {name}={value}" for name, value in _TOKENS.items())
    console.print(table)
    console.print(f"\nIn another terminal:\n{exports}", highlight=False)
    if config is None:
        console.print(
            "Start the sandbox with --write-config FILE to get a configuration for these addresses.\n", highlight=False
        )
    else:
        console.print(f"  milesync plan --config {config}\n", highlight=False)
    console.print(_GENERATED)
    console.print("Interrupt to stop. What is written here is forgotten then.")


def demo(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of pictures.")] = False,
) -> None:
    """Run the main job twice against three trackers on loopback, and show what a team would see."""
    console, err = Console(), Console(stderr=True)
    with (
        tempfile.TemporaryDirectory(prefix="milesync-demo-") as folder,
        signals.on_stop(lambda _: shutil.rmtree(folder, ignore_errors=True)),
    ):
        _say(err, "Starting three trackers on loopback")
        world = demo_world()
        with _served(world, {}):
            config = Path(folder, "milesync.toml")
            config.write_text(configuration(world), encoding="utf-8")
            _say(err, "First run: pull, assess, plan, apply")
            first = json.loads(_milesync(folder, "run", "--json", "--first-run", shown=err))
            wrote = {tracker.kind: len(tracker.writes) for tracker in world.trackers}
            _say(err, "Second run: nothing has changed")
            second = json.loads(_milesync(folder, "run", "--json", shown=err))
            again = {tracker.kind: len(tracker.writes) - wrote[tracker.kind] for tracker in world.trackers}
            status = _milesync(folder, "status", shown=console)
        second_clean = second["writes"]["applied"] == 0 and not any(again.values())
        if as_json:
            typer.echo(json.dumps({"trackers": ["github", "gitlab", "jira"], "first_run": first, "second_run": second}))
        else:
            console.print(Text.from_ansi(status))
            console.print(_comment(world.github))
            console.print(_writes(world))
            console.print(_second(second, second_clean))
            console.print(_GENERATED)
    failed = first["errors"] or second["errors"] or not second_clean
    raise typer.Exit(1 if failed else 0)


def _say(console: Console, words: str) -> None:
    console.print(Text("› ", style="cyan") + Text(words))


def _milesync(folder: str, *words: str, shown: Console) -> str:
    """Run the real command line in its own process; return its output."""
    command = [sys.executable, "-m", "milesync", *words, "--config", str(Path(folder, "milesync.toml"))]
    environment = {**os.environ, **_TOKENS, "COLUMNS": str(shown.width)}
    environment.pop("MILESYNC_POLICY", None)
    if shown.is_terminal and "--json" not in words:
        environment["FORCE_COLOR"] = "1"
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with (
        shown.status("working") if shown.is_terminal else nullcontext(),
        subprocess.Popen(command, env=environment, cwd=folder, **pipes) as process,
        signals.on_stop(lambda _: process.terminate()),
    ):
        out, err = process.communicate()
    if not out.strip():
        shown.print(err, highlight=False, markup=False)
        raise typer.Exit(1)
    return str(out)


def _comment(tracker: Tracker) -> Panel:
    """Render one summary comment as its readers see it, without charts, which the tracker draws."""
    found = [
        (project, issue, comment)
        for project in tracker.projects.values()
        for issue in project.issues.values()
        for comment in issue.comments
        if comment.author is tracker.bot
    ]
    project, issue, comment = max(found, key=lambda row: ("at risk" in row[2].body.lower(), len(row[2].body)))
    chart = r"<details>\s*<summary>[^<]*</summary>\s*```mermaid.*?```\s*</details>"
    body = re.sub(rf"{chart}|<!--.*?-->|```mermaid.*?```|</?details>", "", comment.body, flags=re.DOTALL)
    body = re.sub(r"</?summary>", "**", body)
    return Panel(Markdown(body), title=f"The summary comment on {project.key}#{issue.number}", border_style="blue")


def _writes(world: World) -> Group:
    table = Table(title="What was written where", title_justify="left", title_style="bold")
    for heading in ("tracker", "project", "status issue", "label", "comments"):
        table.add_column(heading)
    for tracker in world.trackers:
        for project in tracker.projects.values():
            for issue in project.issues.values():
                ours = [comment for comment in issue.comments if comment.author is tracker.bot]
                if ours:
                    label = next((name for name in issue.labels if name.startswith("health")), "")
                    table.add_row(tracker.kind, project.key, Text(issue.title), label, str(len(ours)))
    return Group("", table)


def _second(second: dict[str, Any], clean: bool) -> Text:
    asked = sum(second["requests"].values())
    if clean:
        return Text(f"✔ The second run sent {asked} requests and wrote nothing.", style="green")
    return Text(f"✘ The second run wrote {second['writes']['applied']} times.", style="red")
