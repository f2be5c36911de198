"""From targets of `milesync check` to a puller, without a configuration."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from config import validators
from config.errors import ConfigurationError
from config.secret import header_problem
from sync.cli import wiring
from sync.cli.targets import TargetConnection, parse_targets
from sync.pull.progress import Progress
from sync.pull.pull import Puller
from sync.store.store import Store
from sync.telemetry.redaction import secrets
from sync.tracker.connection import Connection
from sync.tracker.protocol import Setup

__all__ = ["build_target_puller"]

_VARIABLES: Mapping[str, tuple[str, str, str]] = {
    "github": ("GITHUB_TOKEN", "GITHUB_API_URL", "https://api.github.com"),
    "gitlab": ("GITLAB_TOKEN", "GITLAB_URL", "https://gitlab.com"),
    "jira": ("JIRA_TOKEN", "JIRA_URL", ""),
}


def build_target_puller(targets: Sequence[str], environ: Mapping[str, str], progress: Progress) -> Puller:
    """Build the puller from the targets' trackers into a store in memory.

    Raises `ConfigurationError` for a wrong target, a missing token or a wrong address.
    """
    errors: list[str] = []
    connections = parse_targets(targets, tuple(_VARIABLES), errors)
    for kind in connections:
        token, address, default = _VARIABLES[kind]
        errors += [f"the environment variable {token} is not set"] if not environ.get(token, "").strip() else []
        variables = (token, "JIRA_EMAIL") if kind == "jira" else (token,)
        errors += [
            f"{name}: {problem}" for name in variables if (problem := header_problem(environ.get(name, "").strip()))
        ]
        try:
            validators.url(environ.get(address) or default)
        except ValueError as error:
            errors.append(f"{address}: {error}")
    if errors:
        raise ConfigurationError(errors)
    return Puller(
        connections=[_target_connection(target, environ) for target in connections.values()],
        store=Store.memory(wiring.clock),
        clock=wiring.clock,
        progress=progress,
    )


def _target_connection(target: TargetConnection, environ: Mapping[str, str]) -> Connection:
    kind = target.kind
    token, address, default = _VARIABLES[kind]
    secret = {"token": environ[token].strip()}
    if kind == "jira" and environ.get("JIRA_EMAIL"):
        secret["email"] = environ["JIRA_EMAIL"].strip()
    secrets.register(secret["token"])
    url = validators.url(environ.get(address) or default)
    setup = Setup(name=kind, url=url, secrets=secret, clock=wiring.clock, sleep=time.sleep, options=target.options)
    return Connection(name=kind, connector=wiring.connect(kind, setup), projects=target.projects)
