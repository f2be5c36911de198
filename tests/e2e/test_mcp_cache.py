"""State that `milesync mcp` keeps between two questions: an assessment of the present state, made ahead by a thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any
from unittest import mock

import pytest
from structlog.testing import capture_logs

from config.settings import Settings
from sync.assess.relations import build_portfolio
from sync.cli.portfolio_cache import PortfolioCache, _key
from sync.engine.engine import Engine
from sync.store.database import LostDatabase
from tests.e2e import subprocesses
from tests.e2e.assistants import TEAM, Ask, in_memory, offline
from tests.e2e.in_process import milesync
from tests.e2e.small_world import served


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Path]:
    """The configuration of an installation of its own. No line is printed: outside a command, structlog would print all
    local variables of a traceback, which takes seconds.
    """
    with served(tmp_path) as (_, config):
        assert milesync("run", "--first-run", config=config).code == 0
    with capture_logs():
        yield config


def touch(config: Path, n: int) -> None:
    """Write to the database as another process does."""
    with sqlite3.connect(config.parent / "milesync.db") as database:
        database.execute(f"CREATE TABLE touched_{n} (n INTEGER)")
    database.close()


def write(config: Path, words: str | None) -> None:
    """Write the configuration file; None removes it."""
    if words is None:
        config.unlink()
    else:
        config.write_text(words)


def test_the_run_of_another_process_is_seen_at_the_next_question(tmp_path: Path) -> None:
    with (
        served(tmp_path) as (world, config),
        mock.patch("sync.cli.portfolio_cache.build_portfolio", wraps=build_portfolio) as build,
    ):
        assert milesync("run", "--first-run", config=config).code == 0

        async def talk(ask: Ask) -> None:
            before = await ask("milestone", id="gh:acme/app#2")
            await ask("explain", id="gh:acme/app#2")
            assert build.call_count == 1
            (project,) = world.github.projects.values()
            issue = next(issue for issue in project.issues.values() if issue.title == "Task 6 of v2")
            world.github.close(issue, issue.author, datetime.now(UTC), resolution="completed")
            run = subprocesses.milesync("run", config=config)
            assert run.returncode == 0, run.stderr
            after = await ask("milestone", id="gh:acme/app#2")
            assert (before["closed"], after["closed"]) == (6, 7)
            assert build.call_count == 2

        in_memory(config, talk)


def test_a_new_day_is_seen_at_the_next_question(filled: Path) -> None:
    now = datetime.now(UTC)
    with PortfolioCache(partial(offline, filled)) as cache:
        days = []
        for at in (now, now + timedelta(days=1)):
            cache.engine.clock = lambda at=at: at  # type: ignore[misc]
            days.append(cache.load("").snapshot.at)
        assert days == [now, now + timedelta(days=1)]


@pytest.mark.parametrize("finder", ["find_outages", "find_unread"])
def test_missing_data_that_lasts_is_seen_at_the_next_question(filled: Path, finder: str) -> None:
    with PortfolioCache(partial(offline, filled)) as cache:
        first = cache.load("")
        assert cache.load("") is first
        with mock.patch(f"sync.cli.portfolio_cache.{finder}", return_value={"another": "outage"}):
            assert cache.load("") is not first


def test_what_changed_is_assessed_before_the_next_question(filled: Path) -> None:
    with (
        PortfolioCache(partial(offline, filled), filled) as cache,
        mock.patch("sync.cli.portfolio_cache.build_portfolio", wraps=build_portfolio) as build,
    ):
        seconds = iter(range(0, 10**6, 1_000))
        refresh = partial(cache.refresh, "", lambda: float(next(seconds)))
        first = cache.load("")
        refresh()
        refresh()
        assert build.call_count == 1  # nothing changed
        touch(filled, 1)
        refresh()
        assert build.call_count == 1  # it may change again
        touch(filled, 2)
        refresh()
        assert build.call_count == 1
        refresh()
        assert build.call_count == 2
        second = cache.load("")
        assert build.call_count == 2
        assert second is not first
        assert first.snapshot.previous == second.snapshot.previous


def test_the_thread_pauses_after_each_assessment(filled: Path) -> None:
    clock = [0.0]

    def now() -> float:
        clock[0] += 1.0
        return clock[0]

    with (
        PortfolioCache(partial(offline, filled), filled) as cache,
        mock.patch("sync.cli.portfolio_cache.build_portfolio", wraps=build_portfolio) as build,
    ):
        cache.load("")
        for n in range(12):
            touch(filled, n)
            cache.refresh("", now)
            cache.refresh("", now)
        assert build.call_count in (3, 4)


def test_inputs_that_led_to_an_error_are_not_assessed_again(filled: Path) -> None:
    with PortfolioCache(partial(offline, filled), filled) as cache:
        cache.load("")
        seconds = iter(range(0, 10**6, 1_000))
        with mock.patch("sync.cli.portfolio_cache.build_portfolio", side_effect=ValueError) as build:
            for n in (1, 2):
                touch(filled, n)
                for _ in range(5):
                    cache.refresh("", lambda: float(next(seconds)))
                assert build.call_count == n
            with pytest.raises(ValueError):
                cache.load("")
        assert cache.load("").milestones


def test_each_engine_that_is_not_used_is_closed(filled: Path) -> None:
    opened: list[Engine] = []

    @contextmanager
    def noted() -> Iterator[tuple[Engine, Settings]]:
        with offline(filled) as (engine, settings):
            opened.append(engine)
            try:
                yield engine, settings
            finally:
                opened.remove(engine)

    def refresh(n: int) -> None:
        """Have the thread assess another state of the database."""
        touch(filled, n)
        for _ in range(2):
            cache.refresh("team", lambda: n * 1_000.0)

    words = filled.read_text()
    filled.write_text(words + TEAM)
    with PortfolioCache(noted, filled) as cache:
        cache.load("team")
        first = cache.engine
        with mock.patch("sync.cli.portfolio_cache.build_portfolio", side_effect=ValueError):
            refresh(1)
        assert opened == [first]
        keys = iter([_key] * 4)  # those of two looks and of the assessment; then the file was replaced

        def key(*given: Any) -> object:
            found = next(keys, None)
            if found is None:
                raise LostDatabase("milesync.db")
            return found(*given)

        with mock.patch("sync.cli.portfolio_cache._key", side_effect=key):
            refresh(2)
        assert opened == [first]
        refresh(3)
        assert opened == [cache.engine]
        assert opened != [first]
        write(filled, words)
        cache.load("team")
        assert cache.problem
        assert opened == [cache.engine]
    assert opened == []


def test_a_portfolio_that_another_process_changed_meanwhile_is_assessed_again(filled: Path) -> None:
    changes = iter((1,))

    def build(snapshot: Any) -> Any:
        portfolio = build_portfolio(snapshot)
        for n in changes:
            touch(filled, n)
        return portfolio

    with (
        PortfolioCache(partial(offline, filled), filled) as cache,
        mock.patch("sync.cli.portfolio_cache.build_portfolio", side_effect=build) as built,
    ):
        loaded = cache.load("")
        assert built.call_count == 2
        assert cache.load("") is loaded


def test_a_question_keeps_its_state_until_it_ends_and_the_next_one_waits_for_the_thread(filled: Path) -> None:
    has_begun, may_end = Event(), Event()

    def build(snapshot: Any) -> Any:
        has_begun.set()
        assert may_end.wait(60)
        return build_portfolio(snapshot)

    def refresh() -> None:
        for _ in range(2):
            cache.refresh("")

    with PortfolioCache(partial(offline, filled), filled) as cache:
        first, engine = cache.load(""), cache.engine
        touch(filled, 1)
        with mock.patch("sync.cli.portfolio_cache.build_portfolio", side_effect=build) as built:
            found: list[Any] = []
            thread, question = Thread(target=refresh), Thread(target=lambda: found.append(cache.load("")))
            thread.start()
            assert has_begun.wait(60)
            with cache.lock:
                question.start()
                may_end.set()
                assert cache.engine is engine
            thread.join()
            question.join()
            assert built.call_count == 1
        assert found == [cache.load("")]
        assert found != [first]
        assert cache.engine is not engine


def test_a_changed_configuration_is_in_use_at_the_next_question(filled: Path) -> None:
    words = filled.read_text()

    async def talk(ask: Ask) -> None:
        assert "no digest is configured" in await ask("digest")
        write(filled, words + TEAM)
        assert [row["audience"] for row in (await ask("digest"))["digests"]] == ["team"]
        write(filled, words + "[audiences")
        for _ in range(2):
            kept = await ask("digest")
            assert [row["audience"] for row in kept["digests"]] == ["team"]
            assert kept["configuration"].startswith("The configuration file has changed and cannot be used")
            assert "milesync.toml" in kept["configuration"]
        write(filled, None)
        assert "configuration" in await ask("portfolio")
        write(filled, words)
        assert "configuration" not in await ask("portfolio")
        assert "no digest is configured" in await ask("digest")

    in_memory(filled, talk)


def test_a_configuration_without_the_audience_is_not_used(filled: Path) -> None:
    words = filled.read_text()
    filled.write_text(words + TEAM)

    async def talk(ask: Ask) -> None:
        before = await ask("portfolio")
        write(filled, words)
        after = await ask("portfolio")
        assert "no audience 'team'" in after.pop("configuration")
        assert {**after, "assessed_at": None} == {**before, "assessed_at": None}

    in_memory(filled, talk, "team")


def test_a_replaced_database_is_opened_again(tmp_path: Path) -> None:
    with served(tmp_path) as (_, config):
        assert milesync("run", "--first-run", config=config).code == 0
    file = tmp_path / "milesync.db"

    async def talk(ask: Ask) -> None:
        before = await ask("milestone", id="gh:acme/app#2")
        (tmp_path / "copy.db").write_bytes(file.read_bytes())
        (tmp_path / "copy.db").replace(file)
        error = await ask("milestone", id="gh:acme/app#2")
        assert "database's file was deleted or replaced" in error
        assert "\n" not in error
        after = await ask("milestone", id="gh:acme/app#2")
        assert after["probability"] == before["probability"]

    in_memory(config, talk)
