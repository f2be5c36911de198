"""Serve a world on loopback, and its configuration: shared by the commands ``demo`` and ``sandbox``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import typer
from typer.exceptions import TyperException

from sync.installation import missing_extra

if TYPE_CHECKING:
    from connectors.sandbox.world import World

__all__ = ["GENERATED", "PORTS", "TOKENS", "configuration", "served"]

PORTS: Mapping[str, int] = {"github": 8801, "gitlab": 8802, "jira": 8803, "jira-cloud": 8804}
"""Default port of each tracker."""
_NAMES = {"github": "gh", "gitlab": "gl", "jira": "jira", "jira-cloud": "cloud"}
GENERATED = "These teams and their past are generated; how good forecasts are cannot be judged on them."
TOKENS = {
    "GITHUB_TOKEN": "sandbox",
    "GITLAB_TOKEN": "sandbox",
    "JIRA_TOKEN": "sandbox",
    "JIRA_EMAIL": "bot@sandbox.invalid",
}


def configuration(
    world: World,
    database: str = "sqlite:///milesync.db",
    policy: str = "create",
    *,
    settings: Mapping[str, str] | None = None,
) -> str:
    """Return a configuration for a served world. ``settings`` are further lines of a connection, by kind of tracker."""
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
            + (settings or {}).get(tracker.kind, "")
        )
    return "\n".join(parts)


@contextmanager
def served(world: World, ports: Mapping[str, int], versions: Sequence[str] = ()) -> Iterator[None]:
    """Serve the world on these ports as these versions (``github=3.14``).

    Raises `TyperException` without the extra, for an unknown version, or if a port is in use.
    """
    try:
        from connectors.sandbox.server import Sandbox  # late: the help of all commands needs no extra
        from connectors.sandbox.versions import age
    except ModuleNotFoundError as error:
        raise TyperException(f"{missing_extra('the sandbox', 'sandbox')} (no module {error.name!r})") from None
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
