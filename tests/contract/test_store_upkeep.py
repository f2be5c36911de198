"""Upkeep of every database: checks, full reads, pruning, removal of a source, and erasure of people."""

from __future__ import annotations

import gzip
import json
import random
import sqlite3
import stat
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from errno import ENOSPC
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine, insert, select, text, update

from sync.model.closing import ClosingRecord
from sync.model.health import Status
from sync.model.settings import Retention
from sync.model.tracker_data import Event, EventKind, Issue, Person, State, StatusCategory
from sync.store import tables as schema
from sync.store.database import MissingDatabase, UnusableDatabase, open_engine, reading, writing
from sync.store.export import KnownPerson, erase_person, export, find_people
from sync.store.maintenance import check_integrity, condition, open_as_it_is, prune, vacuum
from sync.store.store import Store
from sync.tracker.actions import CreateComment, OwnContent, Receipt, UpdateComment, UpdateDescription
from sync.tracker.observed import CommandComment, StatusIssue
from sync.tracker.protocol import Page
from tests import postgres
from tests.journal_rows import unfinished_writes

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY = timedelta(days=1)
HERE, THERE = "https://one.test", "https://two.test"
ADA, BEN = Person("u1", "Ada Fox"), Person("u2", "Ben Lake")
BOTH = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])


def made(kind: str, folder: Path) -> str:
    url = f"sqlite:///{folder / 'milesync.db'}" if kind == "sqlite" else postgres.database()
    if url is None:
        pytest.skip("no PostgreSQL is installed (initdb, pg_ctl)")
    open_engine(url, create=True).dispose()
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return made(request.param, tmp_path)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    with open_as_it_is(url) as one:
        yield one


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url, create=False, clock=lambda: NOW) as one:
        yield one


def issue(n: str, *people: Person) -> Issue:
    return Issue(
        id=n,
        project="p",
        key=f"#{n}",
        title=f"Task {n}",
        url=f"{HERE}/{n}",
        state=State.OPEN,
        raw_state="open",
        category=StatusCategory.TODO,
        created_at=NOW - 9 * DAY,
        updated_at=NOW,
        assignees=people,
    )


def filled(store: Store) -> None:
    """Two trackers with an issue each, whose rows name people."""
    told = Event(issue="1", at=NOW, kind=EventKind.JOINED, milestone="m", actor=ADA)
    other = Event(issue="2", at=NOW, kind=EventKind.JOINED, milestone="m", actor=BEN)
    page = Page(issues=(issue("1", ADA, BEN), issue("2", BEN)), histories={"1": (told,), "2": (other,)})
    store.save(HERE, page, NOW)
    store.save(THERE, Page(issues=(issue("1", Person("x9", "Ada Fox")),)), NOW)


# --- condition and check ----------------------------------------------------------------------------------------------


def test_a_database_in_order(url: str, store: Store) -> None:
    filled(store)
    stands = condition(url)
    assert (stands.revision, stands.problem, stands.unfinished) == (schema.HEAD, "", 0)
    assert (stands.behind, stands.ahead) == (False, False)
    assert stands.server.split()[0] in ("SQLite", "PostgreSQL")
    assert stands.journal == ("wal" if url.startswith("sqlite") else "")
    assert stands.size > 10_000
    assert (stands.clock is None) == url.startswith("sqlite")


def test_a_write_without_a_recorded_end_is_counted(url: str, store: Store) -> None:
    filled(store)
    store.begin("run", comment("text"))
    assert condition(url).unfinished == 1


def comment(body: str) -> CreateComment:
    return CreateComment(
        milestone=f"{HERE}/milestone/m", project="p", project_key="p", issue="1", body=body, marker="{}", summary=False
    )


def test_looking_at_a_database_that_is_not_there_makes_none(tmp_path: Path) -> None:
    with pytest.raises(MissingDatabase):
        condition(f"sqlite:///{tmp_path / 'none.db'}")
    assert list(tmp_path.iterdir()) == []


def test_looking_at_what_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"something else " * 1000)
    with pytest.raises(UnusableDatabase):
        condition(f"sqlite:///{tmp_path / 'x.db'}")


def test_a_database_that_may_only_be_read_says_so() -> None:
    url = made("postgresql", Path())
    stands = condition(f"{url}&options=-c%20default_transaction_read_only%3Don")
    assert "read-only transaction" in stands.problem
    assert condition(url).problem == ""


@BOTH
def test_an_empty_database_and_one_of_another_version(kind: str, tmp_path: Path) -> None:
    empty = postgres.database(migrated=False) if kind == "postgresql" else f"sqlite:///{tmp_path / 'empty.db'}"
    if empty is None:
        pytest.skip("no PostgreSQL is installed (initdb, pg_ctl)")
    (tmp_path / "empty.db").touch()
    stands = condition(empty)
    assert (stands.revision, stands.problem, stands.behind) == (None, "", False)
    url = made(kind, tmp_path)
    for revision, behind, ahead in (("0000", True, False), ("9999", False, True)):
        with open_as_it_is(url) as engine, writing(engine) as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :n"), {"n": revision})
        stands = condition(url)
        assert (stands.behind, stands.ahead) == (behind, ahead)


def test_a_good_database_has_no_problems_and_its_rows_are_counted(store: Store, engine: Engine) -> None:
    filled(store)
    with writing(engine) as connection:
        own = {"source": 1, "milestone": "m", "what": OwnContent.SUMMARY, "project": "", "issue": "", "url": ""}
        connection.execute(insert(schema.made), [own])
    found = check_integrity(engine)
    assert found.problems == []
    assert (found.rows["issue"], found.rows["event"], found.rows["source"]) == (3, 2, 2)
    assert found.rows.keys() == {table.name for table in schema.METADATA.sorted_tables}


def test_values_that_cannot_be_read_rows_without_home_and_missing_tables_are_problems(
    store: Store, engine: Engine
) -> None:
    filled(store)
    with writing(engine) as connection:
        connection.execute(text("DELETE FROM issue WHERE id = '2'"))
    assert check_integrity(engine).problems == [
        f"1 rows of {table} belong to no issue" for table in ("event", "member")
    ]
    with writing(engine) as connection:
        connection.execute(text("UPDATE issue SET state = 'half open' WHERE id = '1'"))
        connection.execute(text("DROP TABLE outcome"))
    assert sorted(check_integrity(engine).problems) == [
        "the table issue holds a value that cannot be read (KeyError)",
        "the table outcome is missing",
    ]


def test_a_broken_file_is_found(tmp_path: Path) -> None:
    url = made("sqlite", tmp_path)
    with open_as_it_is(url) as engine, writing(engine) as connection:
        rows = [{"id": f"r{n}", "started_at": NOW, "summary": "x" * 500} for n in range(200)]
        connection.execute(insert(schema.run), rows)
    with open_as_it_is(url) as engine:
        vacuum(engine)
    path = tmp_path / "milesync.db"
    with sqlite3.connect(path) as raw:
        page = raw.execute("SELECT pageno FROM dbstat WHERE name = 'run' AND pagetype = 'leaf'").fetchone()[0]
    raw.close()
    data = bytearray(path.read_bytes())
    data[(page - 1) * 4096 + 8 : (page - 1) * 4096 + 40] = b"\xff" * 32
    path.write_bytes(data)
    with open_as_it_is(url) as engine:
        assert check_integrity(engine).problems


# --- forgetting with age ----------------------------------------------------------------------------------------------


def assessed(engine: Engine, container: str, *rows: tuple[datetime, Status, date | None]) -> None:
    """Assessments as they would lie there, the last one marked so."""
    with writing(engine) as connection:
        for n, (at, status, due) in enumerate(rows, start=1):
            row: dict[str, Any] = {"container": container, "audience": "", "at": at, "run": "r", "stream": ""}
            row |= {"status": status, "start": None, "due": due, "latest": n == len(rows)}
            connection.execute(insert(schema.health), row)


def times(engine: Engine, container: str = "m") -> list[datetime]:
    table = schema.health
    with engine.connect() as connection:
        return list(connection.scalars(select(table.c.at).where(table.c.container == container).order_by(table.c.at)))


KEPT = Retention(every=2, daily=10, journal=5)


def test_all_is_kept_at_first_then_the_last_of_a_day_then_of_a_week(engine: Engine) -> None:
    monday = datetime(2026, 3, 2, tzinfo=UTC)
    now = monday + timedelta(hours=12)
    hours = [monday - 28 * DAY + timedelta(hours=6 * n) for n in range(28 * 4)]  # four weeks, four a day
    assessed(engine, "m", *((at, Status.ON_TRACK, None) for at in hours))
    taken = prune(engine, now, KEPT)
    left = times(engine)
    assert len(hours) - len(left) == taken.assessments
    young = [at for at in hours if at >= now - 2 * DAY]
    middle = [at for at in hours if at.hour == 18 and now - 10 * DAY <= at < now - 2 * DAY]
    # The oldest turned from nothing; Sundays at 18:00 end a week.
    old = [at for at in hours if at < now - 10 * DAY and (at == hours[0] or (at.weekday() == 6 and at.hour == 18))]
    assert left == sorted({*young, *middle, *old})
    assert prune(engine, now, KEPT).assessments == 0


def test_what_turned_and_what_is_last_always_stays(engine: Engine) -> None:
    base = NOW - 400 * DAY
    due = date(2026, 1, 1)
    rows = [
        (base + timedelta(minutes=1), Status.ON_TRACK, None),
        (base + timedelta(minutes=2), Status.ON_TRACK, None),
        (base + timedelta(minutes=3), Status.AT_RISK, None),
        (base + timedelta(minutes=4), Status.AT_RISK, due),
        (base + timedelta(minutes=5), Status.AT_RISK, due),
        (base + timedelta(minutes=6), Status.AT_RISK, None),
        (base + timedelta(minutes=7), Status.AT_RISK, None),
        (base + timedelta(minutes=8), Status.AT_RISK, None),
    ]
    assessed(engine, "m", *rows)
    prune(engine, NOW, KEPT)
    assert [at.minute - base.minute for at in times(engine)] == [1, 3, 4, 6, 8]


@pytest.mark.parametrize("seed", range(4))
def test_thinning_changes_no_turn_and_no_end_of_a_week(engine: Engine, url: str, seed: int) -> None:
    rng = random.Random(seed)
    for container in ("m", "n"):
        times_ = sorted({NOW - timedelta(hours=rng.uniform(1, 24 * 40)) for _ in range(150)})
        status = [Status.ON_TRACK]
        for _ in times_:
            status.append(rng.choice([status[-1]] * 6 + [Status.AT_RISK, Status.ON_TRACK]))
        assessed(engine, container, *((at, status[n], None) for n, at in enumerate(times_)))
    with Store.open(url, create=False, clock=lambda: NOW) as store:
        turned, before = store.status_changes(), {day: store.as_of(NOW - day * DAY) for day in range(41)}
        weeks = [datetime(2026, 3, 2, tzinfo=UTC) - 7 * n * DAY - timedelta(microseconds=1) for n in range(6)]
        ends = [store.as_of(at) for at in weeks]
        assert prune(engine, NOW, KEPT).assessments > 100
        assert store.status_changes() == turned
        assert [store.as_of(at) for at in weeks] == ends
        assert {day: {c: said.status for c, said in store.as_of(NOW - day * DAY).items()} for day in before} == {
            day: {c: said.status for c, said in found.items()} for day, found in before.items()
        }


def test_old_runs_and_finished_writes_go_and_unfinished_ones_stay(store: Store, engine: Engine) -> None:
    filled(store)
    for n, age in enumerate((1, 4, 6, 100)):
        store.start_run(f"r{n}", NOW - age * DAY)
    done, begun = store.begin("r", comment("done")), store.begin("r", comment("begun"))
    store.finish(done, Receipt(id="9", issue="1"))
    with writing(engine) as connection:
        connection.execute(text("UPDATE journal SET begun_at = 0"))
    taken = prune(engine, NOW, KEPT)
    assert (taken.runs, taken.writes) == (2, 1)
    assert {run.id for run in store.last_runs()} == {"r0", "r1"}
    assert [entry.n for entry in unfinished_writes(store, HERE)] == [begun]


def test_of_equal_writes_that_arrived_the_last_one_stays(store: Store, engine: Engine) -> None:
    filled(store)
    edit = UpdateComment(
        milestone=f"{HERE}/milestone/m", project="p", project_key="p", issue="1", comment="9", body="A", marker="{}"
    )
    edits = [store.begin("r", replace(edit, body=body)) for body in "ABCDE"]
    other, recent = store.begin("r", replace(edit, comment="8")), store.begin("r", edit)
    for entry in (*edits[:3], other, recent):
        store.finish(entry, Receipt(id="9", issue="1"))
    store.finish(edits[3], "refused")
    with writing(engine) as connection:
        old = update(schema.journal).values(begun_at=NOW - 2 * DAY)
        connection.execute(old.where(schema.journal.c.n.not_in([edits[2], recent])))
    assert prune(engine, NOW, KEPT).writes == 2
    with reading(engine) as connection:
        kept = connection.scalars(select(schema.journal.c.n).order_by(schema.journal.c.n)).all()
    assert kept == [*edits[2:], other, recent]


def test_vacuum_gives_space_back(engine: Engine, url: str) -> None:
    with writing(engine) as connection:
        rows = [{"id": f"{n}", "started_at": NOW - 99 * DAY, "summary": "x" * 1000} for n in range(2000)]
        connection.execute(insert(schema.run), rows)
    assert prune(engine, NOW, KEPT).runs == 2000
    before, after = vacuum(engine)
    assert after < before
    assert condition(url).problem == ""


# --- taking out -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["all.jsonl", "all.jsonl.gz"])
def test_everything_is_taken_out_as_lines_of_json(store: Store, engine: Engine, tmp_path: Path, name: str) -> None:
    filled(store)
    store.start_run("r", NOW)
    store.finish_run("r", '{"applied": 3}')
    counts = export(engine, tmp_path / name, NOW)
    raw = (tmp_path / name).read_bytes()
    head, *rows = [json.loads(line) for line in (gzip.decompress(raw) if name.endswith("gz") else raw).splitlines()]
    assert head == {"milesync": "export", "revision": schema.HEAD, "at": "2026-03-02T09:00:00Z"}
    assert {n: sum(row["table"] == n for row in rows) for n in counts} == counts
    assert (counts["issue"], counts["event"], counts["run"]) == (3, 2, 1)
    first = next(row["row"] for row in rows if row["table"] == "issue")
    assert first["assignees"] == [{"id": "u1", "name": "Ada Fox"}, {"id": "u2", "name": "Ben Lake"}]
    assert first["created_at"] == "2026-02-21T09:00:00Z"
    assert next(row["row"]["summary"] for row in rows if row["table"] == "run") == {"applied": 3}
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        export(engine, tmp_path / name, NOW)


@pytest.mark.parametrize("name", ["all.jsonl", "all.jsonl.gz"])
def test_a_takeout_that_fails_leaves_no_part(
    store: Store, engine: Engine, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(store)
    monkeypatch.setattr("sync.store.export._plain", Mock(side_effect=OSError(ENOSPC, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        export(engine, tmp_path / name, NOW)
    monkeypatch.undo()
    assert not list(tmp_path.glob("all*"))
    export(engine, tmp_path / name, NOW)


def test_two_takeouts_of_the_same_are_the_same(store: Store, engine: Engine, tmp_path: Path) -> None:
    filled(store)
    export(engine, tmp_path / "a.gz", NOW)
    export(engine, tmp_path / "b.gz", NOW)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


# --- people -----------------------------------------------------------------------------------------------------------


def test_who_is_meant_by_a_name_or_an_id(store: Store, engine: Engine) -> None:
    filled(store)
    ada = [KnownPerson(HERE, "u1", "Ada Fox"), KnownPerson(THERE, "x9", "Ada Fox")]
    assert find_people(engine, "Ada Fox") == ada
    assert find_people(engine, "u1") == ada[:1]
    assert find_people(engine, "Ada") == []
    assert find_people(engine, 'u"%') == []


def test_an_erased_person_is_nowhere_and_other_people_stay(store: Store, engine: Engine, tmp_path: Path) -> None:
    filled(store)
    seen = StatusIssue(
        issue="1",
        url=HERE,
        closed=False,
        labels=(),
        comments=(),
        asked=(CommandComment(id="1", author="u1", name="Ada Fox", may_write=True, at=NOW, text="/milesync mute"),),
    )
    store.save_observed({f"{HERE}/milestone/m": seen}, NOW)
    store.save_observed({f"{HERE}/milestone/n": None}, NOW)
    for lines in ("Muted by Ada Fox", "Muted by Ben Lake"):
        described = UpdateDescription(
            milestone=f"{HERE}/milestone/m",
            project="p",
            project_key="p",
            native="m",
            key="1",
            url=HERE,
            instance="i",
            lines=lines,
        )
        store.finish(store.begin("r", described), Receipt())
    ada, other = Person("u1", "Ada Fox"), Person("u1", "Una")
    store.save_records(
        [
            ClosingRecord(container=f"{HERE}/milestone/m", at=NOW, title="m", done=NOW.date(), thanks=(ada,)),
            ClosingRecord(container="joint:GA", at=NOW, title="GA", done=NOW.date(), thanks=(ada,)),
            ClosingRecord(container="joint:Other", at=NOW, title="Other", done=NOW.date(), thanks=(other,)),
        ]
    )
    gone = erase_person(engine, KnownPerson(HERE, "u1", "Ada Fox"))
    assert (gone.events, gone.issues, gone.observations, gone.writes, gone.records) == (1, 1, 1, 1, 2)
    assert store.records(["joint:Other"])["joint:Other"].thanks == (other,), "an equal id in another tracker"
    export(engine, tmp_path / "left.jsonl", NOW)
    left = (tmp_path / "left.jsonl").read_text()
    assert left.count('"u1"') == 1, "the one of another tracker"
    assert left.count("Ada Fox") == 1, "the one of the other tracker"
    assert [item.assignees for item in store.issues(HERE)] == [(Person("forgotten", ""), BEN), (BEN,)]
    assert [event.actor for event in store.events(HERE)] == [Person("forgotten", ""), BEN]
    assert check_integrity(engine).problems == []
    assert erase_person(engine, KnownPerson(HERE, "u1", "Ada Fox")).events == 0
