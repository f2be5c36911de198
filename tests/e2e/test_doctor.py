"""`milesync doctor` over trackers and databases that are not as they should be. It never changes any."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.sandbox.world import World
from sync.cli.finding_lines import MAX_LINES
from sync.model.health import Basis, Health, Status, Usual
from sync.store.store import Store
from tests.e2e.in_process import Done, milesync
from tests.e2e.small_world import served
from tests.postgres import database

Place = tuple[World, Path]
NEVER_FINISHED = "no milestone of this series has ever been finished in full; usual here: 18% carried over."


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with served(tmp_path_factory.mktemp("doctor")) as place:
        yield place


@pytest.fixture
def place(running: Place) -> Place:
    world, config = running
    for tracker in world.trackers:
        tracker.log.clear()
        tracker.expires = None
        for project in tracker.projects.values():
            project.read_only, project.denied = False, set()
    config.with_name("milesync.db").unlink(missing_ok=True)
    return running


def doctor(config: Path, **env: str | None) -> Done:
    done = milesync("doctor", "--json", "--config", str(config), env=env)
    assert done.code == (0 if done.document["ok"] else 1)
    for finding in done.document["findings"]:
        assert finding["remedy"] or finding["level"] in ("ok", "note"), finding
    return done


def errors(done: Done) -> list[tuple[str, str]]:
    return [(finding["area"], finding["words"]) for finding in done.document["findings"] if finding["level"] == "error"]


def test_where_all_is_well_it_says_so_and_writes_nothing(place: Place) -> None:
    world, config = place
    done = doctor(config)
    assert (done.code, errors(done)) == (0, [])
    assert {finding["area"] for finding in done.document["findings"]} == {"configuration", "database", "gh", "gl"}
    assert [tracker.writes for tracker in world.trackers] == [[], [], [], []]
    assert not config.with_name("milesync.db").exists()


def test_the_table_names_what_fails_and_what_to_do(place: Place) -> None:
    world, config = place
    next(iter(world.github.projects.values())).read_only = True
    done = milesync("doctor", "--config", str(config))
    assert done.code == 1
    assert "✘ gh: missing: Issues: write on acme/app\n  → give the token's account this right" in done.out
    assert "Something would fail" in done.out
    every = milesync("doctor", "-v", "--config", str(config))
    assert "  ✘ missing: Issues: write on acme/app\n      → give the token's account this right" in every.out
    assert "✔ has: Issues: read (acme/app)" in every.out
    assert "has: Issues: read" not in done.out


def test_a_screen_holds_the_worst_of_many_findings(place: Place) -> None:
    world, config = place
    next(iter(world.github.projects.values())).read_only = True
    many = config.with_name("many.toml")
    names = ", ".join(f'"acme/app{n}"' for n in range(30))
    many.write_text(config.read_text().replace('projects = ["acme/app"]', f'projects = ["acme/app", {names}]'))
    done = milesync("doctor", config=many)
    assert done.code == 1
    lines = done.out.splitlines()
    assert len(lines) <= MAX_LINES
    assert lines[0].startswith("✘ ")
    assert "errors more" in done.out
    assert "milesync doctor -v" in done.out
    assert "Something would fail" in lines[-1]
    assert len(milesync("doctor", "-v", config=many).out.splitlines()) > 2 * MAX_LINES


def test_a_missing_secret_hides_no_other_connection(place: Place) -> None:
    world, config = place
    next(iter(world.gitlab.projects.values())).read_only = True
    world.github.expires = datetime.now(UTC) + timedelta(days=3)
    found = errors(doctor(config, GITHUB_TOKEN=None))
    assert [area for area, _ in found] == ["gh", "gl"]
    assert "GITHUB_TOKEN is not set" in found[0][1]
    assert found[1] == ("gl", "missing: the role Planner or Reporter on acme/api")
    assert any("expires soon" in finding["words"] for finding in doctor(config).document["findings"])


def test_mistakes_in_the_configuration_are_reported_line_by_line(tmp_path: Path) -> None:
    config = tmp_path / "milesync.toml"
    config.write_text('instance = "a b"\n[connections.gh]\ntype = "github"\n')
    found = errors(doctor(config))
    assert [area for area, _ in found] == ["configuration"] * 2
    assert any("instance" in words for _, words in found)


def test_a_token_that_is_refused_names_the_connection_and_shows_no_token(place: Place) -> None:
    _, config = place
    done = doctor(config, GITHUB_TOKEN="wr0ng-t0ken")
    assert [area for area, _ in errors(done)] == ["gh"]
    assert "wr0ng-t0ken" not in done.out + done.err


# --- the database -----------------------------------------------------------------------------------------------------


def about_database(done: Done) -> list[tuple[str, str]]:
    return [
        (finding["level"], finding["words"]) for finding in done.document["findings"] if finding["area"] == "database"
    ]


def made(config: Path) -> Path:
    path = config.with_name("milesync.db")
    Store.open(f"sqlite:///{path}", create=True, clock=lambda: datetime.now(UTC)).close()
    return path


def test_a_database_of_a_later_version(place: Place) -> None:
    _, config = place
    with sqlite3.connect(made(config)) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    assert errors(doctor(config)) == [("database", "a later version of milesync wrote it (revision 9999)")]


def test_a_database_that_is_no_database(place: Place) -> None:
    _, config = place
    config.with_name("milesync.db").write_bytes(b"not a database at all" * 100)
    assert [area for area, _ in errors(doctor(config))] == ["database"]


def test_an_existing_database_is_described(place: Place) -> None:
    _, config = place
    made(config)
    (level, words), *rest = about_database(doctor(config))
    assert (level, rest) == ("ok", [])
    assert words.startswith("SQLite 3.")


def test_series_that_never_reaches_its_tolerance_is_named(place: Place) -> None:
    _, config = place
    path, at = made(config), datetime(2026, 11, 28, tzinfo=UTC)
    health = Health(
        container="m",
        at=at,
        since=at,
        status=Status.OFF_TRACK,
        band=Status.OFF_TRACK,
        basis=Basis(stream="acme/app sprint", stream_finished=8),
        usual=Usual(share=0.18, probability=0.62, milestones=8, in_full=0, of=8, own=True),
    )
    with Store.open(f"sqlite:///{path}", create=False, clock=lambda: at) as store:
        store.save_health("run", [health])
    found = [finding for finding in doctor(config).document["findings"] if finding["area"] == "forecast"]
    assert [(finding["level"], finding["words"]) for finding in found] == [
        (
            "note",
            f"acme/app sprint: {NEVER_FINISHED}",
        )
    ]


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everything")
def test_a_database_that_may_not_be_written(place: Place) -> None:
    _, config = place
    made(config).chmod(0o400)
    assert "cannot be written" in errors(doctor(config))[0][1]


def test_the_folder_of_a_database_that_is_not_there(place: Place) -> None:
    _, config = place
    done = doctor(config, MILESYNC_DATABASE="sqlite:///nowhere/milesync.db")
    assert errors(done) == [("database", "its folder is missing or cannot be written")]


def test_postgresql_empty_and_with_tables(place: Place) -> None:
    _, config = place
    empty, full = database(migrated=False), database()
    if empty is None or full is None:
        pytest.skip("no PostgreSQL is installed")
    done = doctor(config, MILESYNC_DATABASE=empty)
    assert about_database(done)[1] == ("note", "it is empty")
    ((level, words),) = about_database(doctor(config, MILESYNC_DATABASE=full))
    assert (level, words.split()[0]) == ("ok", "PostgreSQL")


def test_a_postgresql_that_does_not_answer(place: Place) -> None:
    _, config = place
    done = doctor(config, MILESYNC_DATABASE="postgresql://nobody@127.0.0.1:1/none?connect_timeout=2")
    assert [area for area, _ in errors(done)] == ["database"]


# --- recipients -------------------------------------------------------------------------------------------------------


def test_where_figures_and_the_ping_would_go(place: Place, tmp_path: Path) -> None:
    _, config = place
    more = tmp_path / "milesync.toml"
    more.write_text(config.read_text() + '[metrics]\ntextfile = "none/x.prom"\n[ping]\nurl = { env = "PING" }\n')
    found = dict(errors(doctor(more)))
    assert set(found) == {"metrics", "ping"}
    assert "PING is not set" in found["ping"]
    assert dict(errors(doctor(more, PING="http://ping.example.org/s3cret-path"))).keys() == {"metrics", "ping"}


@pytest.mark.parametrize("word", ["milesync", "doctor", "order"])
def test_a_secret_that_is_a_plain_word_masks_no_word_of_ours(place: Place, word: str) -> None:
    world, config = place
    before, world.github.token = world.github.token, word
    try:
        done = milesync("doctor", "-v", config=config, env={"GITHUB_TOKEN": word})
        document = milesync("doctor", "--json", config=config, env={"GITHUB_TOKEN": word}).document
    finally:
        world.github.token = before
    assert f"{config} is in order" in done.out.replace("\n  ", " ").replace("\n    ", " ")
    assert "[secret]" not in done.out
    assert f"{config} is in order" in document["findings"][0]["words"]


def test_a_short_webhook_secret_is_found(place: Place) -> None:
    _, config = place
    text = config.read_text()
    head, table, tail = text.partition("[connections.gh]\n")
    assert table
    hooked = config.with_name("hooked.toml")
    hooked.write_text(f'{head}{table}webhook_secret = {{ env = "HOOK" }}\n{tail}')
    short = milesync("doctor", config=hooked, env={"HOOK": "fifteen signs.."})
    assert "fewer than 16 characters" in " ".join(short.out.split())
    assert "fifteen" not in short.out
    long = milesync("doctor", config=hooked, env={"HOOK": "sixteen signs..."})
    assert "fewer than 16 characters" not in " ".join(long.out.split())
    refused = milesync("serve", config=hooked, env={"HOOK": "fifteen signs.."})
    assert refused.code == 1
    assert "fewer than 16 characters" in " ".join(refused.err.split())


def test_a_doctor_without_a_configuration_counts_nothing_that_it_leaves_out(tmp_path: Path) -> None:
    done = milesync("doctor", config=tmp_path / "milesync.toml")
    assert done.code == 1
    assert "`milesync init`" in done.out
    assert "all of them" not in done.out
