"""`milesync doctor`: what would fail, told before the first write, with what to do about it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from config.errors import ConfigurationError
from config.settings import ConnectionSettings, Settings, load
from sync.cli import wiring
from sync.cli.options import DEFAULT, ERROR, Config, Json, Verbose, exit_with, print_json
from sync.digest.channels import address_problem
from sync.engine.doctor import ConnectionCheck, DoctorFinding, Level, examined, is_ok, of_clock
from sync.store.maintenance import Condition, condition
from sync.store.store import MissingDatabase, StoreError
from sync.telemetry import log

__all__ = ["connection_findings", "doctor", "finding_lines"]

_SIGNS = {
    Level.OK: ("✔", "green"),
    Level.NOTE: ("·", "cyan"),
    Level.WARNING: ("▲", "yellow"),
    Level.ERROR: ("✘", "red"),
}


def doctor(config: Config = DEFAULT, as_json: Json = False, verbose: Verbose = False) -> None:
    """Tell what would fail before anything is written: configuration, database, tokens, rights, rate limits.

    Reads only; makes no database. Exit code 1 when something would fail.
    """
    log.configure(sys.stderr, verbose=verbose)
    try:
        settings = load(config, os.environ)
    except ConfigurationError as problem:
        findings = [_configuration_error(line) for line in problem.errors]
    else:
        message = f"{config} is in order; policy {settings.policy}"
        findings = [
            DoctorFinding(area="configuration", level=Level.OK, words=message),
            *(DoctorFinding(area="configuration", level=Level.WARNING, words=line) for line in settings.warnings),
            *_installation_findings(settings, os.environ),
        ]
    if as_json:
        rows = [{name: getattr(finding, name) for name in finding.__struct_fields__} for finding in findings]
        print_json({"ok": is_ok(findings), "milesync": version("milesync"), "findings": rows})
    else:
        Console().print(finding_lines(findings), soft_wrap=True)
    exit_with(0 if is_ok(findings) else ERROR)


def finding_lines(findings: Iterable[DoctorFinding]) -> RenderableType:
    """The findings by area, each with its sign and, below it, what to do."""
    lines: list[Text] = []
    every = list(findings)
    for area, group in groupby(every, key=lambda finding: finding.area):
        lines.append(Text(log.secrets.redact(area), style="bold"))
        for finding in group:
            sign, colour = _SIGNS[finding.level]
            words = log.secrets.redact(finding.words)
            lines.append(
                Text.assemble("  ", (sign, colour), " ", (words, colour if finding.level is Level.ERROR else ""))
            )
            if finding.remedy:
                lines.append(Text(f"      → {finding.remedy}", style="dim"))
    worst = "Nothing stands in the way." if is_ok(every) else "Something would fail: see the lines with ✘."
    return Group(*lines, Text(f"\n{worst}", style="green" if is_ok(every) else "red"))


def _configuration_error(line: str) -> DoctorFinding:
    return DoctorFinding(area="configuration", level=Level.ERROR, words=line, remedy="docs/reference/configuration.md")


def _installation_findings(settings: Settings, environ: Mapping[str, str]) -> Iterator[DoctorFinding]:
    yield from _database_findings(settings, environ)
    yield from _output_findings(settings, environ)
    with ThreadPoolExecutor(len(settings.connections)) as pool:
        for found in pool.map(lambda name: connection_findings(settings, name, environ), settings.connections):
            yield from found


def connection_findings(settings: Settings, name: str, environ: Mapping[str, str]) -> list[DoctorFinding]:
    """One connection by itself, so that a missing secret of another hides nothing."""
    connection: ConnectionSettings = settings.connections[name]
    alone = settings.model_copy(update={"connections": {name: connection}})
    try:
        (source,) = wiring.build_connections(alone, environ)
    except ConfigurationError as problem:
        return [DoctorFinding(area=name, level=Level.ERROR, words=line) for line in problem.errors]
    patient = ConnectionCheck(name, source.connector, connection.projects, lambda key: settings.policy_for(name, key))
    try:
        return examined(patient, wiring.clock)
    finally:
        source.connector.close()


# --- the database ---------------------------------------------------------------------------------------------------


def _database_findings(settings: Settings, environ: Mapping[str, str]) -> Iterator[DoctorFinding]:
    try:
        url = settings.database_url(environ).get_secret_value()
        stands = condition(url)
    except MissingDatabase:
        yield from _missing_database(url)
        return
    except (ConfigurationError, StoreError) as problem:
        yield _database_finding(Level.ERROR, str(problem), "is it running, and may this account reach it?")
        return
    yield from _condition_findings(stands)


def _missing_database(url: str) -> Iterator[DoctorFinding]:
    """SQLite without its file yet."""
    folder = Path(url.removeprefix("sqlite:///")).parent
    if folder.is_dir() and os.access(folder, os.W_OK):
        remedy = "`milesync run --first-run` makes it; if it was there before, is its volume mounted?"
        yield _database_finding(Level.NOTE, "there is none yet", remedy)
    else:
        yield _database_finding(
            Level.ERROR, "its folder is missing or cannot be written", f"make {folder} for this account"
        )


def _condition_findings(stands: Condition) -> Iterator[DoctorFinding]:
    size = f"{stands.size / 2**20:.1f} MiB"
    yield _database_finding(Level.OK, f"{stands.server} at {stands.where}, {size}")
    if stands.problem:
        yield _database_finding(
            Level.ERROR, f"it cannot be written: {stands.problem}", "give this account the right to write"
        )
    if stands.revision is None:
        yield _database_finding(Level.NOTE, "it is empty", "`milesync run --first-run` makes the tables")
    elif stands.ahead:
        words = f"a later version of milesync made it (revision {stands.revision})"
        yield _database_finding(Level.ERROR, words, "upgrade this milesync, or restore the backup from before")
    elif stands.behind:
        remedy = "back it up, then `milesync db upgrade`; otherwise the next command does it"
        yield _database_finding(Level.NOTE, f"it is of an earlier version (revision {stands.revision})", remedy)
    if stands.journal not in ("", "wal", "memory"):
        words = f"SQLite's journal is {stands.journal!r}, not WAL: readers and a run would wait for each other"
        yield _database_finding(Level.WARNING, words, "put the file on a local disk; network file systems have no WAL")
    if stands.unfinished:
        words = f"{stands.unfinished} writes were begun and not noted as ended"
        yield _database_finding(Level.NOTE, words, "the next run looks at what stands there before it writes again")
    if stands.clock is not None:
        yield from of_clock("database", stands.clock - wiring.clock())


def _database_finding(level: Level, words: str, remedy: str = "") -> DoctorFinding:
    return DoctorFinding(area="database", level=level, words=words, remedy=remedy)


# --- who is told ----------------------------------------------------------------------------------------------------


def _output_findings(settings: Settings, environ: Mapping[str, str]) -> Iterator[DoctorFinding]:
    textfile = settings.textfile()
    if textfile is not None:
        found: dict[str, Any] = {"area": "metrics", "level": Level.ERROR}
        if find_spec("prometheus_client") is None:
            yield DoctorFinding(**found, words="the extra is not installed", remedy="install milesync[metrics]")
        elif not (textfile.parent.is_dir() and os.access(textfile.parent, os.W_OK)):
            yield DoctorFinding(**found, words=f"{textfile.parent} is missing or cannot be written", remedy="make it")
        else:
            yield DoctorFinding(area="metrics", level=Level.OK, words=f"{textfile} after each run")
    try:
        if settings.ping_url(environ) is not None:
            yield DoctorFinding(area="ping", level=Level.OK, words="after each good run; it was not called now")
    except ConfigurationError as problem:
        yield DoctorFinding(area="ping", level=Level.ERROR, words=str(problem))
    for audience, channel in [
        (a, c) for a, one in settings.audiences.items() if one.digest for c in one.digest.channels
    ]:
        yield _channel_finding(settings, audience, channel, environ)


def _channel_finding(settings: Settings, audience: str, name: str, environ: Mapping[str, str]) -> DoctorFinding:
    """Whether a channel's address can be read and understood; nothing is sent."""
    area = f"digest to {audience} over {name}"
    try:
        address = settings.channel(audience, name, environ).get_secret_value()
    except ConfigurationError as problem:
        return DoctorFinding(area=area, level=Level.ERROR, words=str(problem))
    log.secrets.register(address)
    wrong = address_problem(address)
    if wrong:
        return DoctorFinding(area=area, level=Level.ERROR, words=wrong)
    return DoctorFinding(area=area, level=Level.OK, words="the address is understood; nothing was sent now")
