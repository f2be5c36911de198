"""From targets of `milesync check` to a puller, without a configuration."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from msgspec import Struct

from config import validators
from config.errors import ConfigurationError
from config.secret import header_problem
from sync.cli import wiring
from sync.cli.page_address import URL_VARIABLES, PageAddress, is_address, read_address, web_address
from sync.cli.targets import TargetConnection, parse_targets
from sync.pull.progress import Progress
from sync.pull.pull import Puller
from sync.store.store import Store
from sync.telemetry.redaction import secrets
from sync.tracker.connection import Connection
from sync.tracker.errors import TrackerError
from sync.tracker.project_list import ListedProject, ListingTracker
from sync.tracker.protocol import Setup

__all__ = ["MAX_PROJECTS", "CheckTargets", "build_target_puller", "read_targets"]

_TOKEN_VARIABLES = {"github": "GITHUB_TOKEN", "gitlab": "GITLAB_TOKEN", "jira": "JIRA_TOKEN"}

MAX_PROJECTS = 20
"""Projects that are read of an owner, group or site with more of them."""


class CheckTargets(Struct, frozen=True):
    """Targets as they are understood: connections by type, targets that are no addresses, and addresses of pages."""

    connections: Mapping[str, TargetConnection]
    written: tuple[str, ...]
    pages: tuple[PageAddress, ...]

    @property
    def page_kinds(self) -> frozenset[str]:
        """The types of trackers of which only milestones' and issues' own pages are named."""
        whole = {target.partition(":")[0] for target in self.written}
        paged = {page.kind for page in self.pages if page.page}
        return frozenset(paged - whole - {page.kind for page in self.pages if not page.page})


def read_targets(targets: Sequence[str], environ: Mapping[str, str]) -> CheckTargets:
    """Read the targets. Raises `ConfigurationError` for a wrong target, a missing token or a wrong address."""
    errors: list[str] = []
    trackers = {kind: web_address(kind, url) for kind in _TOKEN_VARIABLES if (url := _usable_address(kind, environ))}
    written, pages = [], []
    for target in targets:
        kind, _, rest = target.partition(":")
        address = rest if kind in _TOKEN_VARIABLES and is_address(rest) else target
        if not is_address(address):
            written.append(target)
            continue
        try:
            pages.append(read_address(address, trackers))
        except ValueError as error:
            errors.append(str(error))
    plain = [*written, *(target for page in pages for target in page.targets)]
    connections = parse_targets(plain, tuple(_TOKEN_VARIABLES), errors)
    for kind in connections:
        errors += _connection_errors(kind, environ)
    if errors:
        raise ConfigurationError(errors)
    return CheckTargets(connections, tuple(written), tuple(pages))


def _address(kind: str, environ: Mapping[str, str]) -> str:
    """Return the address of a tracker. Raises ValueError if it cannot be used."""
    return validators.tracker_url(environ.get(URL_VARIABLES[kind], ""), kind)


def _usable_address(kind: str, environ: Mapping[str, str]) -> str:
    """Return the address of a tracker; empty if it cannot be used."""
    with suppress(ValueError):
        return _address(kind, environ)
    return ""


def _connection_errors(kind: str, environ: Mapping[str, str]) -> list[str]:
    token = _TOKEN_VARIABLES[kind]
    errors = [] if environ.get(token, "").strip() else [f"the environment variable {token} is not set"]
    variables = (token, "JIRA_EMAIL") if kind == "jira" else (token,)
    errors += [f"{name}: {problem}" for name in variables if (problem := header_problem(environ.get(name, "").strip()))]
    try:
        _address(kind, environ)
    except ValueError as error:
        errors.append(f"{URL_VARIABLES[kind]}: {error}")
    return errors


def build_target_puller(
    targets: CheckTargets, environ: Mapping[str, str], progress: Progress
) -> tuple[Puller, list[str]]:
    """Build the puller from the targets' trackers into a store in memory.

    The lines that come with it name the projects that are not read (`MAX_PROJECTS`).
    """
    notes: list[str] = []
    puller = Puller(
        connections=[_target_connection(target, environ, notes) for target in targets.connections.values()],
        store=Store.memory(wiring.clock),
        clock=wiring.clock,
        progress=progress,
    )
    return puller, notes


def _target_connection(target: TargetConnection, environ: Mapping[str, str], notes: list[str]) -> Connection:
    kind = target.kind
    secret = {"token": environ[_TOKEN_VARIABLES[kind]].strip()}
    if kind == "jira" and environ.get("JIRA_EMAIL"):
        secret["email"] = environ["JIRA_EMAIL"].strip()
    secrets.register(secret["token"])
    setup = Setup(
        name=kind,
        url=_address(kind, environ),
        secrets=secret,
        clock=wiring.clock,
        sleep=time.sleep,
        options=target.options,
    )
    connector = wiring.connect(kind, setup)
    projects: dict[str, None] = {}
    for project in target.projects:
        keys = [project]
        if isinstance(connector, ListingTracker) and _is_list(kind, project):
            with suppress(TrackerError):  # it is one project, or the pull reports it
                keys = _bounded(kind, project, connector.list_projects(project), notes)
        projects.update(dict.fromkeys(keys))
    return Connection(name=kind, connector=connector, projects=tuple(projects))


def _is_list(kind: str, project: str) -> bool:
    """Return whether a target may name several projects. A GitLab path with a slash is a project or a subgroup."""
    if kind == "jira":
        return "*" in project and not any(sign in project for sign in " =~<>")
    return project.endswith("/*") or (kind == "gitlab" and not project.isdigit())  # a number is a project's


def _bounded(kind: str, project: str, listed: Sequence[ListedProject], notes: list[str]) -> list[str]:
    """Return the projects to read: all, by the pattern itself, or the first ones, those with open milestones first."""
    if len(listed) <= MAX_PROJECTS:
        return [project]
    chosen = sorted(listed, key=lambda found: found.open_milestones == 0)
    count = sum(bool(found.open_milestones) for found in listed)
    running = f", {count} of them with open milestones" if count else ""
    rest = chosen[MAX_PROJECTS].key
    notes.append(
        f"{kind}:{project} has {len(listed)} projects{running}; {MAX_PROJECTS} of them are read. "
        f"Name others by themselves, such as {kind}:{rest}"
    )
    return [found.key for found in chosen[:MAX_PROJECTS]]
