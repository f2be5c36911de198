"""The store when its process is killed, its file is broken, or several processes use it at once."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from msgspec.structs import replace

from sync.model.tracker_data import Project
from sync.store import lease
from sync.store import tables as schema
from sync.store.database import StoreError, UnusableDatabase, writing
from sync.store.lease import this_process
from sync.store.store import Store
from sync.store.upsert import upsert
from sync.tracker.protocol import Page
from tests import postgres
from tests.contract.test_store_records import FULL

T = TypeVar("T")

SOURCE = "https://tracker.test"
T0 = datetime(2026, 3, 1, tzinfo=UTC)


def clock() -> datetime:
    return T0


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'milesync.db'}"
    found = postgres.database()
    if found is None:
        pytest.skip("no PostgreSQL is installed (initdb, pg_ctl)")
    return found


class Child:
    """A process of ours that runs some code on a store; it says a line when it is where we want it."""

    def __init__(self, code: str, *arguments: str) -> None:
        start = "import sys\nfrom datetime import UTC, datetime\n"
        start += "from sync.store.lease import this_process\nfrom sync.store.store import Store\n"
        start += "T0 = datetime(2026, 3, 1, tzinfo=UTC)\n"
        start += "store = Store.open(sys.argv[1], create=True, clock=lambda: T0)\n"
        root = Path(__file__).parents[2]
        self.process = subprocess.Popen(
            [sys.executable, "-c", start + code, *arguments],
            stdout=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        assert self.process.stdout is not None
        assert self.process.stdin is not None
        self.process.stdout.close()
        self.process.stdin.close()


SAVING = """
from sync.tracker.protocol import Page
from sync.model.tracker_data import Project
for n in range(1, 10**9):
    project = Project(id="p", key=f"k{n}", name="", url="")
    store.save("https://tracker.test", Page(projects=(project,), cursors={"p": str(n)}), T0)
    print(n, flush=True)
"""


@pytest.mark.parametrize("seed", range(2))
def test_a_process_killed_while_saving_leaves_rows_and_cursor_together(url: str, seed: int) -> None:
    with Child(SAVING, url) as child:
        for _ in range(random.Random(seed).randrange(1, 60)):
            said = int(child.line())
        child.kill()
    with Store.open(url, create=False, clock=clock) as store:
        [project] = store.projects(SOURCE)
        cursor = store.cursors(SOURCE)["p"]
        assert project.key == f"k{cursor}"
        assert int(cursor) >= said
        store.save(SOURCE, Page(projects=(Project(id="p", key="after", name="", url=""),)), T0)


HOLDING = """
lease = store.acquire("https://tracker.test", this_process())
print(lease is not None, flush=True)
sys.stdin.read()
"""


def test_the_lease_of_a_killed_process_is_taken_over_at_once(url: str) -> None:
    with Child(HOLDING, url) as child:
        assert child.line() == "True"
        with Store.open(url, create=False, clock=clock) as store:
            assert store.acquire(SOURCE, this_process()) is None
            child.kill()
            taken = store.acquire(SOURCE, this_process())
            assert taken is not None
            assert taken.check()


def test_one_of_many_that_want_a_lease_at_once_gets_it(url: str) -> None:
    with Store.open(url, create=True, clock=clock) as store, ThreadPoolExecutor(16) as pool:
        for n in range(5):
            wanted = [f"host:{i}:{n}" for i in range(50)]
            held = [lease for lease in pool.map(store.acquire, [f"{SOURCE}/{n}"] * 50, wanted) if lease]
            assert len(held) == 1
            assert held[0].check()


def test_one_heir_of_a_dead_holder(url: str) -> None:
    with Store.open(url, create=True, clock=clock) as store, ThreadPoolExecutor(16) as pool:
        assert store.acquire(SOURCE, "dead") is not None
        heirs = pool.map(lambda n: store.acquire(SOURCE, f"heir {n}", dead=lambda name: name == "dead"), range(50))
        assert len([heir for heir in heirs if heir is not None]) == 1


def test_many_may_open_a_new_database_at_once(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / 'new.db'}", postgres.database(migrated=False)]
    for url in filter(None, urls):
        children = [Child("print(store.last_runs(), flush=True)", url) for _ in range(3)]
        for child in children:
            with child:
                assert child.line() == "[]"


def test_threads_save_side_by_side(url: str) -> None:
    def save(n: int) -> None:
        for k in range(5):
            page = Page(projects=(Project(id=str(k), key=str(k), name="", url=""),), cursors={str(k): "1"})
            store.save(f"{SOURCE}/{n}", page, T0)

    with Store.open(url, create=True, clock=clock) as store, ThreadPoolExecutor(6) as pool:
        list(pool.map(save, range(6)))
        assert [len(store.projects(f"{SOURCE}/{n}")) for n in range(6)] == [5] * 6


def test_runs_save_the_same_assessments_in_any_order(url: str) -> None:
    """PostgreSQL ends a transaction that would wait for one that waits for it; no order of ours may lead there."""
    healths = [replace(FULL, container=f"c{n}") for n in range(200)]

    def save(n: int) -> None:
        for k in range(4):
            later = [replace(health, at=T0 + timedelta(seconds=k), probability=(n + k) / 20) for health in healths]
            store.save_health(f"run {n}", in_any_order(later, n))

    with Store.open(url, create=True, clock=clock) as store, ThreadPoolExecutor(6) as pool:
        list(pool.map(save, range(6)))
        assert store.last_health(FULL.audience).keys() == {health.container for health in healths}


def test_transactions_write_the_same_rows_in_any_order(url: str) -> None:
    rows = [{"name": f"name {n}", "value": "first"} for n in range(5_000)]

    def save(n: int) -> None:
        for _ in range(4):
            with writing(store._engine) as connection:
                upsert(connection, schema.installation, in_any_order(rows, n))

    with Store.open(url, create=True, clock=clock) as store, ThreadPoolExecutor(6) as pool:
        list(pool.map(save, range(6)))


def in_any_order(rows: Sequence[T], n: int) -> Sequence[T]:
    """Return the rows from the first to the last, or from the last to the first."""
    return rows[:: 1 if n % 2 else -1]


def test_threads_share_a_database_in_memory() -> None:
    with Store.memory(clock) as store, ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: store.save(f"{SOURCE}/{n}", Page(cursors={"p": str(n)}), T0), range(30)))
        assert [store.cursors(f"{SOURCE}/{n}") for n in range(30)] == [{"p": str(n)} for n in range(30)]


# --- broken files -----------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "milesync.db"
    Store.open(f"sqlite:///{path}", create=True, clock=clock).close()
    return path


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Not a database at all. " * 100)
    with pytest.raises(UnusableDatabase, match=r"notes\.txt: The database is damaged, or is no SQLite database"):
        Store.open(f"sqlite:///{path}", create=True, clock=clock)
    assert path.read_text().startswith("Not a database")


def test_a_damaged_file_is_an_error_and_never_an_empty_answer(path: Path) -> None:
    with Store.open(f"sqlite:///{path}", create=False, clock=clock) as store:
        store.save(SOURCE, Page(cursors={"p": "1"}), T0)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StoreError), Store.open(f"sqlite:///{path}", create=False, clock=clock) as store:
        store.cursors(SOURCE)


def test_a_full_disk_is_an_error_and_what_was_saved_stays(path: Path) -> None:
    with Store.open(f"sqlite:///{path}", create=False, clock=clock) as store:
        store.save(SOURCE, Page(cursors={"p": "1"}), T0)
        with store._engine.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA max_page_count = {path.stat().st_size // 4096 + 2}")
            connection.rollback()
        big = tuple(Project(id=str(n), key="k" * 1_000, name="", url="") for n in range(500))
        with pytest.raises(UnusableDatabase, match="full"):
            store.save(SOURCE, Page(projects=big, cursors={"p": "2"}), T0)
        assert store.cursors(SOURCE) == {"p": "1"}
        assert store.projects(SOURCE) == []


def test_a_reader_goes_on_while_another_process_writes(path: Path) -> None:
    with Store.open(f"sqlite:///{path}", create=False, clock=clock) as store:
        store.save(SOURCE, Page(cursors={"p": "1"}), T0)
        writer = sqlite3.connect(path, isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM cursor")
        assert store.cursors(SOURCE) == {"p": "1"}
        writer.execute("COMMIT")
        writer.close()
        assert store.cursors(SOURCE) == {}


# --- holders ----------------------------------------------------------------------------------------------------


def test_a_holder_is_surely_dead_only_on_this_host() -> None:
    mine = this_process()
    host, pid, start = mine.rsplit(":", 2)
    assert not lease.is_dead(mine)
    assert not lease.is_dead(f"another host:{pid}:{int(start) + 1}")
    assert not lease.is_dead("nonsense")
    assert not lease.is_dead(f"{host}:x:y")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="start times of processes need /proc")
def test_a_reused_process_id_is_another_holder() -> None:
    host, pid, start = this_process().rsplit(":", 2)
    assert lease.is_dead(f"{host}:{pid}:{int(start) + 1}")


def test_an_unreaped_process_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    assert child.stdin is not None
    holder = f"{this_process().rsplit(':', 2)[0]}:{child.pid}:{lease._started(child.pid) or 0}"
    assert not lease.is_dead(holder)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, but still in the process table
    assert lease.is_dead(holder)
    child.wait()
    assert lease.is_dead(holder)
    child.stdin.close()
