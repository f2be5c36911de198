"""The findings of `milesync doctor` about configuration, database, connections and outputs, and their lines."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from config.errors import ConfigurationError
from config.settings import Settings, load
from config.state_names import written_names
from sync.cli import wiring
from sync.engine.doctor import (
    ConnectionCheck,
    DoctorFinding,
    Level,
    UnusedName,
    clock_findings,
    description_findings,
    examine_connection,
    series_findings,
    unlisted_findings,
)
from sync.installation import install_command
from sync.model.item_state import fold_name
from sync.model.tracker_data import Milestone, Project
from sync.pull.identify import former_address, is_known, moved_error, recall_identities
from sync.report.phrases import unshared_words
from sync.store.database import MissingDatabase, MissingDriver, StoreError
from sync.store.maintenance import Condition, condition
from sync.store.store import Store
from sync.tracker.connection import Connection
from sync.tracker.errors import TrackerError

__all__ = ["connection_findings", "installation_findings"]

_REFERENCE = "docs/reference/configuration.md"

_CORRECT = f"set or correct it; {_REFERENCE} has every key"


def installation_findings(config: Path, environ: Mapping[str, str]) -> list[DoctorFinding]:
    """Check the configuration, and the database, the outputs and the connections that it names."""
    try:
        settings = load(config, environ)
    except ConfigurationError as error:
        return [_configuration_error(line) for line in error.errors]
    message = f"{config} is in order; policy {settings.policy}"
    return [
        DoctorFinding(area="configuration", level=Level.OK, words=message),
        *(
            DoctorFinding(area="configuration", level=Level.WARNING, words=line, remedy=_CORRECT)
            for line in settings.warnings
        ),
        *_findings_of(settings, environ),
    ]


def _configuration_error(line: str) -> DoctorFinding:
    return DoctorFinding(area="configuration", level=Level.ERROR, words=line, remedy=_CORRECT)


def _findings_of(settings: Settings, environ: Mapping[str, str]) -> Iterator[DoctorFinding]:
    with ThreadPoolExecutor(len(settings.connections)) as pool:
        names = settings.connections
        found = [
            row for rows in pool.map(lambda name: connection_findings(settings, name, environ), names) for row in rows
        ]
    yield from _database_findings(settings, environ, found)
    yield from _output_findings(settings, environ)
    yield from _webhook_findings(settings, environ)
    yield from _sharing_findings(settings)
    yield from found


def connection_findings(settings: Settings, name: str, environ: Mapping[str, str]) -> list[DoctorFinding]:
    """Check one connection by itself, so that a missing secret of another connection does not matter."""
    alone = wiring.with_only(settings, name)
    try:
        (connection,) = wiring.build_connections(alone, environ)
    except ConfigurationError as error:
        return [DoctorFinding(area=name, level=Level.ERROR, words=line, remedy=_CORRECT) for line in error.errors]
    check = ConnectionCheck(
        name,
        connection.connector,
        settings.connections[name].projects,
        lambda key: settings.policy_for(name, key),
        tuple(_unused_names(settings, connection, environ)),
    )
    try:
        return [*_address_findings(settings, connection, environ), *examine_connection(check, wiring.clock)]
    finally:
        connection.connector.close()


def _address_findings(
    settings: Settings, connection: Connection, environ: Mapping[str, str]
) -> Iterator[DoctorFinding]:
    """Report a change of the connection's address since its last pull."""
    try:
        url = settings.database_url(environ).get_secret_value()
        database = condition(url)
        if database.revision is None or database.behind or database.ahead:
            return
        with Store.open(url, create=False, clock=wiring.clock) as store:
            former = former_address(connection, store)
            if former and is_known(connection, store):
                words = f"its address changed from {former} to {connection.connector.base_url}; it is the same tracker"
                remedy = "nothing to do; the next pull reads everything again"
                yield DoctorFinding(area=connection.name, level=Level.NOTE, words=words, remedy=remedy)
            elif former:
                error = moved_error(connection, former)
                remedy = "decide which of both it is, and correct the configuration"
                yield DoctorFinding(area=connection.name, level=Level.ERROR, words=str(error), remedy=remedy)
    except (ConfigurationError, StoreError, TrackerError):
        return  # other findings report a database or a tracker that cannot be used


def _unused_names(settings: Settings, connection: Connection, environ: Mapping[str, str]) -> Iterator[UnusedName]:
    """Yield the configured states, labels and resolutions that no stored issue has; none where no issue is stored."""
    written = list(written_names(settings.connections[connection.name]))
    try:
        url = settings.database_url(environ).get_secret_value() if written else ""
        database = condition(url) if url else None
        if database is None or database.revision is None or database.behind or database.ahead:
            return
        with Store.open(url, create=False, clock=wiring.clock) as store:
            recall_identities([connection], store)
            used = store.names_in_use(connection.source)
    except (ConfigurationError, StoreError):
        return  # other findings report a database that cannot be used
    for place, kind, name in written:
        known: frozenset[str] = getattr(used, kind)
        if used.states and fold_name(name) not in known:
            yield UnusedName(place, kind, name, known)


# --- the database ---------------------------------------------------------------------------------------------------


def _database_findings(
    settings: Settings, environ: Mapping[str, str], found: Sequence[DoctorFinding]
) -> Iterator[DoctorFinding]:
    """Findings about the database and what it holds. ``found`` are those of the connections, which are not repeated."""
    try:
        url = settings.database_url(environ).get_secret_value()
        database = condition(url)
    except MissingDatabase:
        yield from _missing_database(url)
        return
    except (ConfigurationError, StoreError) as error:
        remedy = "" if isinstance(error, MissingDriver) else "is it running, and may this account reach it?"
        yield _database_finding(Level.ERROR, str(error), remedy)
        return
    yield from _condition_findings(database)
    if database.revision is not None and not (database.behind or database.ahead):
        yield from _stored_findings(url, found)


def _stored_findings(url: str, found: Sequence[DoctorFinding]) -> Iterator[DoctorFinding]:
    """Rows that cannot be read, milestones that no list names, and series that never finish."""
    try:
        with Store.open(url, create=False, clock=wiring.clock) as store:
            for state in store.unread_rows():
                if any(finding.words.startswith(f"{state.row.name}: ") for finding in found):
                    continue
                remedy = "correct it in the tracker, or report the fault; each run asks for it again"
                yield _database_finding(Level.WARNING, state.words, remedy)
            yield from unlisted_findings(store.unlisted_milestones())
            yield from description_findings(_stored_milestones(store))
            yield from series_findings(store.last_health().values())
            for words in dict.fromkeys(store.obstacles().values()):
                remedy = "clear it in the tracker; docs/how-to/disagree.md is about texts of another account"
                yield DoctorFinding(area="last plan", level=Level.ERROR, words=words, remedy=remedy)
    except StoreError as error:
        yield _database_finding(Level.ERROR, str(error), "`milesync db check` reads every row of it")


def _stored_milestones(store: Store) -> Iterator[tuple[Project, Milestone]]:
    """Yield the milestones of all projects that are read, each with its project."""
    for source in dict.fromkeys(source for source, _ in store.milestones()):
        removed = {project.id for project in store.removed_projects(source)}
        projects = {project.id: project for project in store.projects(source) if project.id not in removed}
        for _, milestone in store.milestones(source):
            if milestone.project in projects:
                yield projects[milestone.project], milestone


def _missing_database(url: str) -> Iterator[DoctorFinding]:
    """The finding about a SQLite file that does not exist."""
    folder = Path(url.removeprefix("sqlite:///")).parent
    if folder.is_dir() and os.access(folder, os.W_OK):
        remedy = "`milesync run --first-run` creates it; if it existed before, is its volume mounted?"
        yield _database_finding(Level.NOTE, "it does not exist yet", remedy)
    else:
        yield _database_finding(
            Level.ERROR, "its folder is missing or cannot be written", f"create {folder}, writable for this account"
        )


def _condition_findings(database: Condition) -> Iterator[DoctorFinding]:
    size = f"{database.size / 2**20:.1f} MiB"
    yield _database_finding(Level.OK, f"{database.server} at {database.where}, {size}")
    if database.problem:
        yield _database_finding(
            Level.ERROR, f"it cannot be written: {database.problem}", "give this account the right to write"
        )
    if database.revision is None:
        yield _database_finding(Level.NOTE, "it is empty", "`milesync run --first-run` creates the tables")
    elif database.ahead:
        words = f"a later version of milesync wrote it (revision {database.revision})"
        yield _database_finding(Level.ERROR, words, "upgrade this milesync, or restore the backup from before")
    elif database.behind:
        remedy = "back it up, then `milesync db upgrade`; otherwise the next command upgrades it"
        yield _database_finding(Level.NOTE, f"it is of an earlier version (revision {database.revision})", remedy)
    if database.journal not in ("", "wal", "memory"):
        words = f"SQLite's journal is {database.journal!r}, not WAL, so readers and a run wait for each other"
        yield _database_finding(Level.WARNING, words, "put the file on a local disk; network file systems have no WAL")
    if database.unfinished:
        words = f"{database.unfinished} writes have no recorded end"
        yield _database_finding(Level.NOTE, words, "the next run observes their issues before it writes again")
    if database.clock is not None:
        yield from clock_findings("database", database.clock - wiring.clock())


def _database_finding(level: Level, words: str, remedy: str = "") -> DoctorFinding:
    return DoctorFinding(area="database", level=level, words=words, remedy=remedy)


# --- metrics, ping and channels -------------------------------------------------------------------------------------


def _output_findings(settings: Settings, environ: Mapping[str, str]) -> Iterator[DoctorFinding]:
    textfile = settings.textfile()
    if textfile is not None:
        error: dict[str, Any] = {"area": "metrics", "level": Level.ERROR}
        if find_spec("prometheus_client") is None:
            yield DoctorFinding(
                **error, words="the extra `metrics` is not installed", remedy=install_command(("metrics",))
            )
        elif not (textfile.parent.is_dir() and os.access(textfile.parent, os.W_OK)):
            folder = textfile.parent
            yield DoctorFinding(
                **error,
                words=f"{folder} is missing or cannot be written",
                remedy=f"create {folder}, writable for this account",
            )
        else:
            yield DoctorFinding(area="metrics", level=Level.OK, words=f"{textfile} after each run")
    try:
        if settings.ping_url(environ) is not None:
            yield DoctorFinding(area="ping", level=Level.OK, words="the address is readable; it was not fetched now")
    except ConfigurationError as error:
        yield DoctorFinding(area="ping", level=Level.ERROR, words=str(error), remedy=_CORRECT)
    for audience, channel in [
        (name, channel)
        for name, table in settings.audiences.items()
        if table.digest
        for channel in table.digest.channels
    ]:
        yield _channel_finding(settings, audience, channel, environ)


def _sharing_findings(settings: Settings) -> Iterator[DoctorFinding]:
    """A note for each joint milestone over several projects whose connections share nothing."""
    for joint in settings.joint:
        projects = set(map(_written_project, joint.members))
        tables = {name: settings.connections[name] for name, _ in sorted(projects) if name in settings.connections}
        silent = [name for name, table in tables.items() if table.share == "none"]
        if len(projects) > 1 and silent:
            words = unshared_words(f"joint:{joint.name}", silent)
            remedy = (
                "nothing to do if its projects are public, or if that is meant; see docs/how-to/joint-milestones.md"
            )
            yield DoctorFinding(area="configuration", level=Level.NOTE, words=words, remedy=remedy)


def _written_project(member: str) -> tuple[str, str]:
    """Return the connection and the project of a milestone as people write it: ``gh:acme/app#12``, ``jira:PAY/2.0``."""
    name, _, rest = member.partition(":")
    project = re.split("[#%~?]", rest, maxsplit=1)[0]
    return name, project if project != rest else rest.partition("/")[0]


def _webhook_findings(settings: Settings, environ: Mapping[str, str]) -> Iterator[DoctorFinding]:
    """A note for each reason why `milesync serve` would not start with these secrets."""
    try:
        settings.webhook_secrets(environ)
    except ConfigurationError as error:
        for line in error.errors:
            words = f"`milesync serve` would not start: {line}"
            yield DoctorFinding(area="webhooks", level=Level.WARNING, words=words, remedy=_CORRECT)


def _channel_finding(settings: Settings, audience: str, name: str, environ: Mapping[str, str]) -> DoctorFinding:
    """Check that a channel's address is readable and valid. Sends nothing."""
    area = f"digest to {audience} over {name}"
    try:
        address = settings.channel(audience, name, environ).get_secret_value()
    except ConfigurationError as error:
        return DoctorFinding(area=area, level=Level.ERROR, words=str(error), remedy=_CORRECT)
    from sync.digest.channels import address_problem  # late: it imports the forecast

    problem = address_problem(address)
    if problem:
        return DoctorFinding(area=area, level=Level.ERROR, words=problem, remedy=_CORRECT)
    return DoctorFinding(area=area, level=Level.OK, words="the address is valid; nothing was sent now")
