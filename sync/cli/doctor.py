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
from config.settings import Connection, Settings, load
from sync import log
from sync.cli import compose
from sync.cli.options import DEFAULT, ERROR, Config, Json, Verbose, end, print_json
from sync.database.upkeep import Condition, condition
from sync.digest.channels import misunderstood
from sync.doctor import Finding, Level, Patient, examined, of_clock, well
from sync.plan import Policy
from sync.store import MissingDatabase, StoreError

__all__ = ["connection_findings", "doctor", "table"]

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
        found = [_wrong(line) for line in problem.errors]
    else:
        words = f"{config} is in order; policy {settings.policy}"
        found = [Finding(area="configuration", level=Level.OK, words=words), *_everything(settings, os.environ)]
    if as_json:
        rows = [{name: getattr(one, name) for name in one.__struct_fields__} for one in found]
        print_json({"ok": well(found), "milesync": version("milesync"), "findings": rows})
    else:
        Console().print(table(found), soft_wrap=True)
    end(0 if well(found) else ERROR)


def table(findings: Iterable[Finding]) -> RenderableType:
    """The findings by area, each with its sign and, below it, what to do."""
    lines: list[Text] = []
    every = list(findings)
    for area, group in groupby(every, key=lambda one: one.area):
        lines.append(Text(log.secrets.redact(area), style="bold"))
        for one in group:
            sign, colour = _SIGNS[one.level]
            words = log.secrets.redact(one.words)
            lines.append(Text.assemble("  ", (sign, colour), " ", (words, colour if one.level is Level.ERROR else "")))
            if one.remedy:
                lines.append(Text(f"      → {one.remedy}", style="dim"))
    worst = "Nothing stands in the way." if well(every) else "Something would fail: see the lines with ✘."
    return Group(*lines, Text(f"\n{worst}", style="green" if well(every) else "red"))


def _wrong(line: str) -> Finding:
    return Finding(area="configuration", level=Level.ERROR, words=line, remedy="docs/reference/configuration.md")


def _everything(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    yield from _database(settings, environ)
    yield from _outside(settings, environ)
    with ThreadPoolExecutor(len(settings.connections)) as pool:
        for found in pool.map(lambda name: connection_findings(settings, name, environ), settings.connections):
            yield from found


def connection_findings(settings: Settings, name: str, environ: Mapping[str, str]) -> list[Finding]:
    """One connection by itself, so that a missing secret of another hides nothing."""
    one: Connection = settings.connections[name]
    alone = settings.model_copy(update={"connections": {name: one}})
    try:
        (source,) = compose.sources(alone, environ)
    except ConfigurationError as problem:
        return [Finding(area=name, level=Level.ERROR, words=line) for line in problem.errors]
    patient = Patient(name, source.connector, one.projects, lambda key: Policy(settings.policy_for(name, key)))
    try:
        return examined(patient, compose.clock)
    finally:
        source.connector.close()


# --- the database ---------------------------------------------------------------------------------------------------


def _database(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    try:
        url = settings.database_url(environ).get_secret_value()
        stands = condition(url)
    except MissingDatabase:
        yield from _to_be_made(url)
        return
    except (ConfigurationError, StoreError) as problem:
        yield _about(Level.ERROR, str(problem), "is it running, and may this account reach it?")
        return
    yield from _stands(stands)


def _to_be_made(url: str) -> Iterator[Finding]:
    """SQLite without its file yet."""
    folder = Path(url.removeprefix("sqlite:///")).parent
    if folder.is_dir() and os.access(folder, os.W_OK):
        remedy = "`milesync run --first-run` makes it; if it was there before, is its volume mounted?"
        yield _about(Level.NOTE, "there is none yet", remedy)
    else:
        yield _about(Level.ERROR, "its folder is missing or cannot be written", f"make {folder} for this account")


def _stands(stands: Condition) -> Iterator[Finding]:
    size = f"{stands.size / 2**20:.1f} MiB"
    yield _about(Level.OK, f"{stands.server} at {stands.where}, {size}")
    if stands.problem:
        yield _about(Level.ERROR, f"it cannot be written: {stands.problem}", "give this account the right to write")
    if stands.revision is None:
        yield _about(Level.NOTE, "it is empty", "`milesync run --first-run` makes the tables")
    elif stands.ahead:
        words = f"a later version of milesync made it (revision {stands.revision})"
        yield _about(Level.ERROR, words, "upgrade this milesync, or restore the backup from before")
    elif stands.behind:
        remedy = "back it up, then `milesync db upgrade`; otherwise the next command does it"
        yield _about(Level.NOTE, f"it is of an earlier version (revision {stands.revision})", remedy)
    if stands.journal not in ("", "wal", "memory"):
        words = f"SQLite's journal is {stands.journal!r}, not WAL: readers and a run would wait for each other"
        yield _about(Level.WARNING, words, "put the file on a local disk; network file systems have no WAL")
    if stands.unfinished:
        words = f"{stands.unfinished} writes were begun and not noted as ended"
        yield _about(Level.NOTE, words, "the next run looks at what stands there before it writes again")
    if stands.clock is not None:
        yield from of_clock("database", stands.clock - compose.clock())


def _about(level: Level, words: str, remedy: str = "") -> Finding:
    return Finding(area="database", level=level, words=words, remedy=remedy)


# --- who is told ----------------------------------------------------------------------------------------------------


def _outside(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    textfile = settings.textfile()
    if textfile is not None:
        found: dict[str, Any] = {"area": "metrics", "level": Level.ERROR}
        if find_spec("prometheus_client") is None:
            yield Finding(**found, words="the extra is not installed", remedy="install milesync[metrics]")
        elif not (textfile.parent.is_dir() and os.access(textfile.parent, os.W_OK)):
            yield Finding(**found, words=f"{textfile.parent} is missing or cannot be written", remedy="make it")
        else:
            yield Finding(area="metrics", level=Level.OK, words=f"{textfile} after each run")
    try:
        if settings.ping_url(environ) is not None:
            yield Finding(area="ping", level=Level.OK, words="after each good run; it was not called now")
    except ConfigurationError as problem:
        yield Finding(area="ping", level=Level.ERROR, words=str(problem))
    for audience, channel in [
        (a, c) for a, one in settings.audiences.items() if one.digest for c in one.digest.channels
    ]:
        yield _channel(settings, audience, channel, environ)


def _channel(settings: Settings, audience: str, name: str, environ: Mapping[str, str]) -> Finding:
    """Whether a channel's address can be read and understood; nothing is sent."""
    area = f"digest to {audience} over {name}"
    try:
        address = settings.channel(audience, name, environ).get_secret_value()
    except ConfigurationError as problem:
        return Finding(area=area, level=Level.ERROR, words=str(problem))
    log.secrets.register(address)
    wrong = misunderstood(address)
    if wrong:
        return Finding(area=area, level=Level.ERROR, words=wrong)
    return Finding(area=area, level=Level.OK, words="the address is understood; nothing was sent now")
