"""`milesync db`: maintenance of the database."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sync.cli.options import (
    DEFAULT,
    ERROR,
    Config,
    Json,
    Verbose,
    exit_with,
    load_settings,
    named_file,
    print_error,
    print_json,
)

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from config.settings import Settings
    from sync.store import export as store_export
    from sync.store import maintenance

__all__ = ["db"]

db = typer.Typer(help="Maintain the database.", no_args_is_help=True)

InTracker = Annotated[str, typer.Option("--connection", help="Only in the tracker of this connection.", metavar="NAME")]

Context = Annotated[
    str, typer.Option("--context", help="The place that the file belongs to, such as one workflow.", metavar="TEXT")
]


@db.command()
def upgrade(config: Config = DEFAULT, as_json: Json = False, verbose: Verbose = False) -> None:
    """Migrate the database to the tables of this version. Its content is kept. Back it up first."""
    from sync.cli.terminal import Terminal
    from sync.store import maintenance
    from sync.store.database import open_engine
    from sync.store.tables import HEAD

    url = _url(config, verbose=verbose)
    before = maintenance.condition(url).revision
    open_engine(url, create=False).dispose()
    if as_json:
        print_json({"before": before, "now": HEAD})
    elif before == HEAD:
        Terminal().print(f"The database is up to date (revision {HEAD}).")
    else:
        Terminal().print(f"Migrated from revision {before} to {HEAD}.")


@db.command()
def check(config: Config = DEFAULT, as_json: Json = False, verbose: Verbose = False) -> None:
    """Read every row by the type of its columns, and run the database's own check. Changes nothing."""
    from sync.cli.terminal import Terminal
    from sync.store import maintenance
    from sync.store.database import DamagedDatabase, NewerDatabase
    from sync.store.tables import HEAD

    url = _url(config, verbose=verbose)
    database = maintenance.condition(url)
    if database.ahead:
        raise NewerDatabase(database.where)
    if database.revision != HEAD:
        print_error(
            f"{database.where}: revision {database.revision}, this version needs {HEAD}: run `milesync db upgrade`"
        )
        exit_with(ERROR)
    with maintenance.open_as_it_is(url) as engine:
        checked = maintenance.check_integrity(engine)
    if as_json:
        numbers = {"where": database.where, "revision": database.revision, "bytes": database.size}
        print_json(
            {**numbers, "unfinished_writes": database.unfinished, "rows": checked.rows, "problems": checked.problems}
        )
    else:
        rows = sum(checked.rows.values())
        Terminal().print(f"{database.where}: {rows} rows in {len(checked.rows)} tables read.")
    for problem in checked.problems:
        print_error(problem)
    if checked.problems and database.journal:
        print_error(str(DamagedDatabase(database.where)))
    exit_with(ERROR if checked.problems else 0)


@db.command()
def export(
    file: Annotated[Path, typer.Argument(help="A new file; compressed if its name ends in .gz.")],
    config: Config = DEFAULT,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Write every row to a file, one JSON object a line."""
    from sync.cli import wiring
    from sync.cli.terminal import Terminal
    from sync.store import export as store_export

    with _engine(config, verbose=verbose) as (engine, _), named_file(file):
        try:
            counts = store_export.export(engine, file, wiring.clock())
        except FileExistsError:
            raise typer.BadParameter(f"{file} exists already; name a new file") from None
    if as_json:
        print_json({"file": str(file), "rows": counts})
    else:
        Terminal().print(f"{sum(counts.values())} rows written to {file}.")


@db.command()
def forget(
    user: Annotated[str, typer.Argument(help="A display name, or an id as the tracker gives it.")],
    connection: Annotated[
        str, typer.Option("--connection", help="Only in the tracker of this connection.", metavar="NAME")
    ] = "",
    every: Annotated[bool, typer.Option("--all", help="All people of that name.")] = False,
    config: Config = DEFAULT,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Remove a person's id and name from the database. Remove the person from the tracker first, or they return."""
    from sync.cli.terminal import Terminal
    from sync.store import export as store_export

    with _engine(config, verbose=verbose) as (engine, settings):
        people = store_export.find_people(engine, user)
        if connection:
            people = [known for known in people if known.source == _source(settings, connection)]
        if not people:
            raise typer.BadParameter(f"no person in the database has the id or display name {user!r}")
        if len({(known.source, known.id) for known in people}) > 1 and not every:
            listed = "\n".join(f"  {known.id} at {known.source} ({known.name})" for known in people)
            raise typer.BadParameter(
                f"several people match; name one by id, name a tracker with --connection, or use --all:\n{listed}"
            )
        erasures = [(known, store_export.erase_person(engine, known)) for known in people]
    rows = [{"id": known.id, "source": known.source, **_numbers(counts)} for known, counts in erasures]
    if as_json:
        print_json({"forgotten": rows})
        return
    for row in rows:
        Terminal().print(
            f"{row['id']} at {row['source']}: {row['events']} events, {row['issues']} issues, "
            f"{row['observations']} observations, {row['writes']} records of writes, {row['records']} closing records.",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


@db.command()
def vacuum(config: Config = DEFAULT, as_json: Json = False, verbose: Verbose = False) -> None:
    """Delete what is older than `retention` allows, and free its space. On SQLite, stop all runs first."""
    from sync.cli import wiring
    from sync.cli.terminal import Terminal
    from sync.store import maintenance

    with _engine(config, verbose=verbose) as (engine, settings):
        deleted = maintenance.prune(engine, wiring.clock(), settings.retention)
        before, after = maintenance.vacuum(engine)
    if as_json:
        print_json({**_numbers(deleted), "bytes_before": before, "bytes": after})
    else:
        Terminal().print(
            f"{deleted.assessments} assessments, {deleted.runs} runs and {deleted.writes} records of writes deleted; "
            f"{before / 2**20:.1f} MiB before, {after / 2**20:.1f} MiB now.",
            highlight=False,
        )


@db.command()
def seal(
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    context: Context = "",
    config: Config = DEFAULT,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Encrypt and sign a copy of a SQLite database with the key in MILESYNC_STATE_KEY, as state between jobs."""
    from sync.cli.terminal import Terminal
    from sync.store import maintenance
    from sync.store.sealed import database_files
    from sync.store.sealed import seal as seal_database

    url = _url(config, verbose=verbose)
    if file.resolve() in {own.resolve() for own in database_files(_sqlite_file(url))}:
        raise typer.BadParameter(f"{file} is a file of the database; name another file")
    with maintenance.open_as_it_is(url) as engine, named_file(file):
        size = seal_database(engine, file, _state_key(), context)
    if as_json:
        print_json({"file": str(file), "bytes": size})
    else:
        Terminal().print(f"Database sealed in {file}.", soft_wrap=True)


@db.command()
def unseal(
    file: Annotated[Path, typer.Argument(help="A file that `db seal` wrote.")],
    context: Context = "",
    config: Config = DEFAULT,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Write the SQLite database in a sealed file to its place, where none may be. Refuses a file that was changed."""
    from sync.cli.terminal import Terminal
    from sync.store.private_file import replace_private
    from sync.store.sealed import database_files
    from sync.store.sealed import unseal as unseal_database

    database = _sqlite_file(_url(config, verbose=verbose))
    for own in database_files(database):
        raise typer.BadParameter(f"{own} exists already")
    with named_file(file):
        content = unseal_database(file, _state_key(), context)
    with named_file(database):
        replace_private(database, content)
    if as_json:
        print_json({"database": str(database), "bytes": len(content)})
    else:
        Terminal().print(f"Database written to {database}.", soft_wrap=True)


def _state_key() -> bytes:
    from sync.store.sealed import parse_key

    return parse_key(os.environ.get("MILESYNC_STATE_KEY", ""))


def _sqlite_file(url: str) -> Path:
    """Return the file of a SQLite database. Raises `typer.BadParameter` for another one."""
    from sqlalchemy import make_url

    where = make_url(url)
    if where.get_backend_name() != "sqlite" or where.database in (None, "", ":memory:"):
        raise typer.BadParameter("only a SQLite file can be sealed; PostgreSQL keeps its state itself")
    return Path(str(where.database))


def _numbers(counts: maintenance.PruneCounts | store_export.ErasureCounts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in counts.__struct_fields__}


def _source(settings: Settings, name: str) -> str:
    """The base URL that identifies a connection's tracker. Sends no request."""
    if name not in settings.connections:
        raise typer.BadParameter(
            f"no connection has the name {name!r}; the configuration has {', '.join(settings.connections)}"
        )
    from sync.cli import wiring

    alone = wiring.with_only(settings, name)
    (connection,) = wiring.build_connections(alone, os.environ, offline=True)
    connection.connector.close()
    return connection.source


def _url(config: Path, *, verbose: bool) -> str:
    return _database(load_settings(config), verbose=verbose)


def _database(settings: Settings, *, verbose: bool) -> str:
    from sync.telemetry import log

    log.configure(sys.stderr, verbose=verbose)
    return settings.database_url(os.environ).get_secret_value()


@contextmanager
def _engine(config: Path, *, verbose: bool) -> Iterator[tuple[Engine, Settings]]:
    """Yield the configured database, migrated to this version. Close it at the end."""
    from sync.store.database import open_engine

    settings = load_settings(config)
    engine = open_engine(_database(settings, verbose=verbose), create=False)
    try:
        yield engine, settings
    finally:
        engine.dispose()
