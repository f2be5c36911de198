"""A database that is lost in the middle of a run is reported as that, and nothing is written twice afterwards."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from connectors.sandbox.serving import configuration
from connectors.sandbox.world import Tracker
from sync.cli.wiring import clock
from sync.store.store import Store
from tests import postgres
from tests.e2e.in_process import Done, milesync
from tests.e2e.small_world import ours, served

READS = ("a read", lambda method, path: method == "GET" or "graphql" in path)
WRITES = ("a write", lambda method, path: method == "POST" and "/comments" in path)


@contextmanager
def _at(tracker: Tracker, matches: Callable[[str, str], bool], act: Callable[[], Any]) -> Iterator[None]:
    """Call ``act`` when the first matching request arrives."""
    original, calls = tracker.fault, list[bool]()

    def fault(method: str, path: str) -> Any:
        if matches(method, path) and not calls:
            calls.append(True)
            act()
        return original(method, path)

    tracker.fault = fault  # type: ignore[method-assign]
    yield
    tracker.fault = original  # type: ignore[method-assign]
    assert calls


def _made(folder: Path) -> Path:
    """Make the database: a first run that makes it itself sends its first reads before."""
    path = folder / "milesync.db"
    Store.open(f"sqlite:///{path}", create=True, clock=clock).close()
    return path


def _fill() -> None:
    """Let no file of this process grow from now on."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


@contextmanager
def _restored_limit() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def _check_message(done: Done, words: str) -> None:
    assert done.code == 1
    assert words in done.err
    assert "Traceback" not in done.err
    assert "the connector failed" not in done.err
    assert max(map(len, done.err.splitlines())) < 600


@pytest.mark.parametrize("moment", [READS, WRITES], ids=lambda moment: moment[0])
def test_a_deleted_file(moment: tuple[str, Callable[[str, str], bool]], tmp_path: Path) -> None:
    with served(tmp_path) as (world, config):
        path = _made(tmp_path)
        with _at(world.github, moment[1], path.unlink):
            _check_message(milesync("run", "--first-run", config=config), "was deleted or replaced while it was open")
        assert not path.exists()
        assert milesync("run", "--first-run", config=config).code == 0
        assert len(ours(world.github)) == len(ours(world.gitlab)) == 1


@pytest.mark.parametrize("moment", [READS, WRITES], ids=lambda moment: moment[0])
def test_a_full_disk(moment: tuple[str, Callable[[str, str], bool]], tmp_path: Path) -> None:
    """No file may grow from that request on; a write of the database fails as on a full disk.

    At a write: the comment is in the tracker, and the journal cannot note it.
    """
    with served(tmp_path) as (world, config):
        _made(tmp_path)
        with _restored_limit(), _at(world.github, moment[1], _fill):
            done = milesync("run", "--first-run", config=config)
        _check_message(done, "The disk of the database is full or fails")
        assert milesync("run", config=config).code == 0
        assert len(ours(world.github)) == len(ours(world.gitlab)) == 1


def test_a_disk_that_is_full_before_the_database_is_made(tmp_path: Path) -> None:
    """The trackers are asked before; the next first run makes the database."""
    with served(tmp_path) as (world, config):
        with _restored_limit():
            _fill()
            done = milesync("run", "--first-run", config=config)
        _check_message(done, "The disk of the database is full or fails")
        assert ours(world.github) == ours(world.gitlab) == []
        assert milesync("run", "--first-run", config=config).code == 0
        assert len(ours(world.github)) == len(ours(world.gitlab)) == 1


@pytest.mark.parametrize("moment", [READS, WRITES], ids=lambda moment: moment[0])
def test_a_database_that_postgresql_dropped(moment: tuple[str, Callable[[str, str], bool]], tmp_path: Path) -> None:
    url = postgres.database()
    if url is None:
        pytest.skip("no PostgreSQL is installed")
    with served(tmp_path) as (world, config):
        config.write_text(configuration(world, database=url))

        def drop() -> None:
            address = make_url(url).set(drivername="postgresql+psycopg")
            engine = create_engine(address.set(database="postgres"), isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                connection.execute(text(f'DROP DATABASE "{address.database}" WITH (FORCE)'))
            engine.dispose()

        with _at(world.github, moment[1], drop):
            _check_message(milesync("run", config=config), "The database cannot be used")
        other = postgres.database()
        assert other is not None
        config.write_text(configuration(world, database=other))
        assert milesync("run", config=config).code == 0
        assert len(ours(world.github)) == len(ours(world.gitlab)) == 1
