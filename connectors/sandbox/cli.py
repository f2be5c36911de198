"""Commands ``demo`` and ``sandbox``: the main job through the command line against trackers on loopback.

Imports little, as the help of all commands imports this module.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.exceptions import TyperException

from connectors.sandbox.serving import GENERATED, PORTS, TOKENS, configuration, served

if TYPE_CHECKING:
    from connectors.sandbox.demo_story import DemoStory
    from connectors.sandbox.world import World

__all__ = ["demo", "sandbox"]

_EXAMPLE = Path("config", "example.toml")
"""Configuration for the default ports."""


def demo(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of the story.")] = False,
) -> None:
    """Run the main job against three trackers on loopback, and show what a team would see."""
    from connectors.sandbox.demo import play

    raise typer.Exit(play(as_json=as_json))


def sandbox(
    load: Annotated[
        Path | None, typer.Option(help="Put the real history in this folder into the Jira.", metavar="DIR")
    ] = None,
    port: Annotated[
        int,
        typer.Option(
            help="First of four ports, at most 65532; 0 lets the system choose.", min=0, max=65_532, metavar="PORT"
        ),
    ] = PORTS["github"],
    latency: Annotated[float, typer.Option(help="Time added to each answer.", metavar="SECONDS")] = 0.0,
    server_version: Annotated[
        list[str] | None,
        typer.Option(metavar="TRACKER=VERSION", help="Imitate an older server, as github=3.14."),
    ] = None,
    write_config: Annotated[
        Path | None, typer.Option(help="Write a configuration for it to this file.", metavar="FILE")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Tell the addresses as one JSON document.")] = False,
) -> None:
    """Keep three trackers running on loopback (Jira in both dialects), until interrupted."""
    from connectors.sandbox.demo_story import DemoStory
    from connectors.sandbox.demo_world import demo_world

    world = demo_world()
    story = DemoStory(world)
    if load is not None:
        from connectors.sandbox.real_history import load as load_history

        world.jira.projects.clear()
        load_history(world.jira, load)
    for tracker in world.trackers:
        tracker.latency = latency
    ports = {kind: port + n for n, kind in enumerate(PORTS)} if port else {}
    with served(world, ports, server_version or ()):
        addresses = {tracker.kind: tracker.url for tracker in world.trackers}
        if write_config is not None:
            try:
                write_config.write_text(_configuration(world, story), encoding="utf-8")
            except OSError as error:
                raise TyperException(f"{write_config}: {error.strerror or error}") from None
        if as_json:
            typer.echo(json.dumps({"trackers": addresses, "tokens": TOKENS}))
        else:
            _welcome(world, addresses, write_config or _example(ports))
        sys.stdout.flush()
        threading.Event().wait()


def _configuration(world: World, story: DemoStory) -> str:
    """Return the configuration of the served world, with the story's commitment where its Jira project is served."""
    if story.mobile.project.key not in world.jira.projects:
        return configuration(world)
    return f"{configuration(world, settings=story.settings)}\n{story.configuration()}"


def _example(ports: Mapping[str, int]) -> Path | None:
    """The example configuration, if it is here and points at these ports."""
    return _EXAMPLE if ports == PORTS and _EXAMPLE.is_file() else None


def _welcome(world: World, addresses: Mapping[str, str], config: Path | None) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("tracker", "address", "projects", box=None, padding=(0, 2))
    for tracker in world.trackers:
        table.add_row(tracker.kind, addresses[tracker.kind], ", ".join(tracker.projects))
    exports = "\n".join(f"  export {name}={value}" for name, value in TOKENS.items())
    console.print(table)
    console.print(f"\nIn another terminal:\n{exports}", highlight=False)
    if config is None:
        console.print(
            "Start the sandbox with --write-config FILE to get a configuration for these addresses.\n", highlight=False
        )
    else:
        console.print(f"  milesync plan --config {config}\n", highlight=False)
    console.print(GENERATED)
    console.print("Interrupt to stop. What is written here is forgotten then.")
