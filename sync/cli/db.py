"""`milesync db`: looking after the database."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console
from sqlalchemy import Engine

from config.settings import Settings
from sync.cli import wiring
from sync.cli.options import DEFAULT, ERROR, Config, Json, Verbose, exit_with, load_settings, print_error, print_json
from sync.store import export as store_export
from sync.store import maintenance
from sync.store.database import open_engine
from sync.store.tables import HEAD
from sync.telemetry import log

__all__ = ["db"]

db = typer.Typer(help="Look after the database.", no_args_is_help=True)


@db.command()
def upgrade(config: Config = DEFAULT, as_json: Json = False, verbose: Verbose = False) -> None:
    """Bring the database forward to this version's tables, with all that is in it. Back it up first."""
    url = _url(config, verbose=verbose)
    before = maintenance.condition(url).revision
    open_engine(url, create=False).dispose()
    if as_json:
        print_json({"before": before, "now": HEAD})
    elif before == HEAD:
        Console().print(f"It is up to date (revision {HEAD}).", highlight=False)
    else:
        Console().print(f"Brought forward from revision {before} to {HEAD}.", highlight=False)


@db.command()
def check(config: Config = DEFAULT, as_json: Json = False, verbose: Verbose = False) -> None:
    """Read every row as its type says, and let the database look at itself. Changes nothing."""
    url = _url(config, verbose=verbose)
    stands = maintenance.condition(url)
    if stands.revision != HEAD:
        print_error(f"{stands.where}: revision {stands.revision}, this version needs {HEAD}: see `milesync db upgrade`")
        exit_with(ERROR)
    with maintenance.open_as_it_is(url) as engine:
        found = maintenance.check_integrity(engine)
    if as_json:
        numbers = {"where": stands.where, "revision": stands.revision, "bytes": stands.size}
        print_json({**numbers, "unfinished_writes": stands.unfinished, "rows": found.rows, "problems": found.problems})
    else:
        rows = sum(found.rows.values())
        Console().print(f"{stands.where}: {rows} rows in {len(found.rows)} tables read.", highlight=False, markup=False)
    for problem in found.problems:
        print_error(problem)
    exit_with(ERROR if found.problems else 0)


@db.command()
def export(
    file: Annotated[Path, typer.Argument(help="A new file; packed when its name ends in .gz.")],
    config: Config = DEFAULT,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Write everything to a file, one JSON object a line."""
    with _engine(config, verbose=verbose) as (engine, _):
        try:
            counts = store_export.export(engine, file, wiring.clock())
        except FileExistsError:
            raise typer.BadParameter(f"{file} is there already") from None
        except OSError as problem:
            raise typer.BadParameter(f"{file}: {problem.strerror}") from None
    if as_json:
        print_json({"file": str(file), "rows": counts})
    else:
        Console().print(f"{sum(counts.values())} rows written to {file}.", highlight=False, markup=False)


@db.command()
def forget(
    user: Annotated[str, typer.Argument(help="A display name, or an id as the tracker gives it.")],
    connection: Annotated[str, typer.Option("--connection", help="Only in this tracker.", metavar="NAME")] = "",
    every: Annotated[bool, typer.Option("--all", help="Everybody of that name.")] = False,
    config: Config = DEFAULT,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Put nobody in the place of a person. What a tracker still says of them comes back: begin there."""
    with _engine(config, verbose=verbose) as (engine, settings):
        people = store_export.find_people(engine, user)
        if connection:
            people = [known for known in people if known.source == _source(settings, connection)]
        if not people:
            raise typer.BadParameter("nobody here has this id or display name")
        if len({(known.source, known.id) for known in people}) > 1 and not every:
            listed = "\n".join(f"  {known.id} at {known.source} ({known.name})" for known in people)
            raise typer.BadParameter(f"several are meant; name one by id, a tracker, or --all:\n{listed}")
        done = [(known, store_export.erase_person(engine, known)) for known in people]
    rows = [{"id": known.id, "source": known.source, **_numbers(gone)} for known, gone in done]
    if as_json:
        print_json({"forgotten": rows})
        return
    for row in rows:
        Console().print(
            f"{row['id']} at {row['source']}: {row['events']} events, {row['issues']} issues, "
            f"{row['observations']} observations, {row['writes']} records of writes, {row['records']} closing records.",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


@db.command()
def vacuum(config: Config = DEFAULT, as_json: Json = False, verbose: Verbose = False) -> None:
    """Take away what is older than `retention` says, and give its space back. On SQLite no run may go meanwhile."""
    with _engine(config, verbose=verbose) as (engine, settings):
        taken = maintenance.prune(engine, wiring.clock(), settings.retention)
        before, after = maintenance.vacuum(engine)
    if as_json:
        print_json({**_numbers(taken), "bytes_before": before, "bytes": after})
    else:
        Console().print(
            f"{taken.assessments} assessments, {taken.runs} runs and {taken.writes} records of writes taken away; "
            f"{before / 2**20:.1f} MiB before, {after / 2**20:.1f} MiB now.",
            highlight=False,
        )


def _numbers(counts: maintenance.PruneCounts | store_export.ErasureCounts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in counts.__struct_fields__}


def _source(settings: Settings, name: str) -> str:
    """The base URL by which a connection's tracker is known. Asks nobody for it."""
    if name not in settings.connections:
        raise typer.BadParameter(f"no connection is called {name!r}")
    alone = wiring.with_only(settings, name)
    (source,) = wiring.build_connections(alone, {**dict.fromkeys(wiring.token_variables(alone), "-"), **os.environ})
    source.connector.close()
    return source.connector.base_url


def _url(config: Path, *, verbose: bool) -> str:
    return _database(load_settings(config), verbose=verbose)


def _database(settings: Settings, *, verbose: bool) -> str:
    log.configure(sys.stderr, verbose=verbose)
    url = settings.database_url(os.environ).get_secret_value()
    log.secrets.register(urlsplit(url).password or "")
    return url


@contextmanager
def _engine(config: Path, *, verbose: bool) -> Iterator[tuple[Engine, Settings]]:
    """The configured database, brought forward and closed at the end."""
    settings = load_settings(config)
    engine = open_engine(_database(settings, verbose=verbose), create=False)
    try:
        yield engine, settings
    finally:
        engine.dispose()
