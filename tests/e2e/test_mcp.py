"""`milesync mcp`, asked by the SDK's own client: in memory, and as a process over its standard streams."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from config.settings import Settings, load
from connectors.sandbox.world import World
from sync.assess.relations import build_portfolio
from sync.cli import engine_factory, wiring
from sync.cli.answer_rows import MOST_ROWS
from sync.cli.answers import AssistantAnswers
from sync.cli.assistant import build_server
from sync.cli.portfolio_cache import PortfolioCache, _key
from sync.engine.engine import Engine
from sync.pull.progress import silent
from sync.store.database import LostDatabase
from tests.benchmarks import bench_thousand
from tests.e2e import subprocesses
from tests.e2e.in_process import milesync
from tests.e2e.small_world import served, small_world
from tests.e2e.test_hostile_text import ATTACKS, hostile_world

if TYPE_CHECKING:
    from mcp import Client

TEAM = '[audiences.team]\nreads = ["gh:acme/app"]\n[audiences.team.digest]\nat = "00:00"\n'
WITHOUT_TOKENS = {name: value for name, value in subprocesses.ENVIRONMENT.items() if "TOKEN" not in name}
QUESTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("portfolio", {"include_finished": True, "limit": MOST_ROWS}),
    ("milestone", {"id": "gh:acme/app#2"}),
    ("explain", {"id": "gh:acme/app#2"}),
    ("what_if", {"id": "gh:acme/app#2", "due": "2030-03-15", "drop": ["#15"]}),
    ("digest", {}),
    ("calibration", {}),
)

RUNNING = "gh:acme/app#125"
"""A running milestone of the large installation."""

Ask = Callable[..., Awaitable[Any]]


@contextmanager
def offline(config: Path) -> Iterator[tuple[Engine, Settings]]:
    """The engine of a command that asks no tracker, without tokens and without its logs."""
    settings = load(config, WITHOUT_TOKENS)
    with wiring.build_puller(settings, WITHOUT_TOKENS, create=False, progress=silent, offline=True) as puller:
        yield engine_factory.build_engine(settings, puller, run_id="asked"), settings


def in_memory(config: Path, talk: Callable[[Ask], Awaitable[None]], audience: str = "") -> None:
    """Have the SDK's client talk to the server in this process."""
    from mcp import Client  # late: slow to load, and every worker collects this file

    async def run() -> None:
        with PortfolioCache(partial(offline, config), config) as cache:
            async with Client(build_server(AssistantAnswers(cache, audience, config))) as client:
                await talk(partial(answer, client))

    asyncio.run(run())


async def answer(client: Client, tool: str, /, **arguments: Any) -> Any:
    """Return the structured answer, which the text repeats; of an error its text."""
    from mcp.types import TextContent

    result = await client.call_tool(tool, arguments)
    (content,) = result.content
    assert isinstance(content, TextContent)
    if result.is_error:
        return content.text
    assert json.loads(content.text) == result.structured_content
    assert "\n" not in content.text
    return result.structured_content


def answers(config: Path, *questions: tuple[str, dict[str, Any]], audience: str = "") -> list[Any]:
    """Return the answers to questions."""
    found: list[Any] = []

    async def talk(ask: Ask) -> None:
        found.extend([await ask(tool, **arguments) for tool, arguments in questions])

    in_memory(config, talk, audience)
    return found


def joined(text: list[Any]) -> str:
    """Return the text of an answer without the marks of foreign parts."""
    return "".join(part if isinstance(part, str) else part["tracker_text"] for part in text)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Path]]:
    world = small_world()
    next(iter(world.gitlab.projects.values())).private = True
    with served(tmp_path_factory.mktemp("asked"), world) as (_, config):
        config.write_text(config.read_text() + TEAM)
        assert milesync("run", "--first-run", config=config).code == 0
        yield world, config


@pytest.fixture
def config(place: tuple[World, Path]) -> Path:
    return place[1]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with mock.patch.object(bench_thousand, "MILESTONES", 130):
        installation = bench_thousand.Installation(tmp_path_factory.mktemp("large"), 120)
    with installation.engine() as engine:
        engine.pull()
    return installation.config


# --- the same figures as the commands --------------------------------------------------------------------------------


def test_milestones_have_the_figures_of_status(large: Path) -> None:
    rows = {row["id"]: row for row in milesync("status", "--json", config=large).document["milestones"]}

    async def talk(ask: Ask) -> None:
        short_rows = (await ask("portfolio", limit=MOST_ROWS))["milestones"]
        full_rows = [await ask("milestone", id=row["id"]) for row in short_rows[::5]]
        for row in (*short_rows, *full_rows):
            expected = rows[row["id"]]
            same = row.keys() & expected.keys()
            assert same >= {"status", "probability", "p50", "p85", "p95", "open", "closed", "due"}
            assert {key: row[key] for key in same} == {key: expected[key] for key in same}
            assert row["tracker_text"]["title"] == expected["title"]
        assert all(
            rows[row["id"]].keys() - row.keys() == {"title", "owners", "decisions", "risks"} for row in full_rows
        )
        assert sum(row["probability"] is not None for row in full_rows) > 5

    in_memory(large, talk)


def test_an_explanation_has_the_figures_of_explain(large: Path) -> None:
    numbers = milesync("explain", RUNNING, "--json", config=large).document
    (found,) = answers(large, ("explain", {"id": RUNNING}))
    assert {**found["forecast"], "curve": numbers["forecast"]["curve"]} == numbers["forecast"]
    counts = ("of", "phase", "votes", "stream_finished", "kind_finished")
    assert {key: found["history"][key] for key in counts} == {key: numbers["history"][key] for key in counts}
    assert found["status"] == numbers["status"]
    levers = [(lever["kind"], lever["probability"]) for lever in found["levers"]]
    assert levers[0][1] is not None
    assert sorted(levers, key=str) == sorted(
        ((lever["kind"], lever["probability"]) for lever in numbers["health"]["levers"]), key=str
    )
    shown = " ".join(milesync("explain", RUNNING, config=large, env={"COLUMNS": "500"}).out.split())
    assert found["verdict"] in shown
    assert all(joined(line) in shown for line in found["lines"])


@pytest.mark.parametrize(
    ("words", "question"),
    [(("--due", "2030-03-15"), {"due": "2030-03-15"}), (("--add-holiday", "TODAY"), {"days_off": ["TODAY"]})],
)
def test_a_scenario_has_the_figures_of_whatif(large: Path, words: tuple[str, ...], question: dict[str, Any]) -> None:
    today = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    words = tuple(word.replace("TODAY", today) for word in words)
    question = json.loads(json.dumps(question).replace("TODAY", today))
    document = milesync("whatif", RUNNING, *words, "--json", config=large).document
    (found,) = answers(large, ("what_if", {"id": RUNNING, **question}))
    others = document.pop("others")
    assert {key: found[key] for key in document} == document
    assert found["others"] + others[len(found["others"]) :] == others
    assert found["more_others"] == len(others) - len(found["others"])
    assert document["before"]["probability"] not in (None, document["after"]["probability"])


def test_a_dropped_issue_has_the_figures_of_whatif(config: Path) -> None:
    words = ("whatif", "gh:acme/app#2", "--due", "2030-03-15", "--drop", "#15", "--json")
    document = milesync(*words, config=config).document
    (found,) = answers(config, QUESTIONS[3])
    assert document["dropped"] == ["acme/app#15"]
    assert {key: found[key] for key in document} == document


def test_a_digest_has_the_words_of_the_command(config: Path) -> None:
    (row,) = milesync("digest", "--json", config=config).document["digests"]
    for audience in ("", "team"):
        (found,) = answers(config, ("digest", {}), audience=audience)
        (digest,) = found["digests"]
        assert joined(digest["text"]) == row["text"]
        assert {key: digest[key] for key in ("audience", "state", "day", "subject")} == {
            key: row[key] for key in ("audience", "state", "day", "subject")
        }
        assert {"tracker_text": "v2"} in digest["text"]


def test_calibration_has_the_figures_of_status(config: Path) -> None:
    streams = milesync("status", "--calibration", "--json", config=config).document["streams"]
    (found,) = answers(config, ("calibration", {"limit": MOST_ROWS}))
    rows = {row["tracker_text"]["stream"]: row for row in found["streams"]}
    assert rows.keys() == {row["stream"] for row in streams}
    for stream in streams:
        row = rows[stream.pop("stream")]
        for level in (*(stream[name] for name in ("p50", "p85")), *stream["promises"]):
            del level["horizons"]
        assert {key: row[key] for key in stream} == stream


def test_each_answer_names_a_command_that_runs(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for audience in ("", "team"):
        for found in answers(config, *QUESTIONS, audience=audience):
            program, *words = shlex.split(found["command"])
            assert (program, milesync(*words).code) == ("milesync", 0), found["command"]


# --- one audience ----------------------------------------------------------------------------------------------------


def test_an_audience_gets_nothing_that_it_may_not_read(config: Path) -> None:
    found = answers(config, *QUESTIONS, ("milestone", {"id": "gl:acme/api%v2"}), audience="team")
    assert "gl:acme/api%v2" in str(answers(config, QUESTIONS[0]))
    *documents, error = found
    assert "acme/api" not in str(documents)
    assert error.startswith("Error executing tool milestone: no milestone 'gl:acme/api%v2' here")
    assert "acme/api%v1" not in error


def test_an_audience_gets_the_figures_of_its_report(config: Path, tmp_path: Path) -> None:
    assert milesync("report", "--audience", "team", "--out", str(tmp_path / "site"), config=config).code == 0
    rows = {row["id"]: row for row in json.loads((tmp_path / "site" / "status.json").read_text())["milestones"]}
    (portfolio,) = answers(config, QUESTIONS[0], audience="team")
    assert [row["id"] for row in portfolio["milestones"]]
    assert {row["id"] for row in portfolio["milestones"]} == rows.keys()
    for row in portfolio["milestones"]:
        same = row.keys() & rows[row["id"]].keys()
        assert {key: row[key] for key in same} == {key: rows[row["id"]][key] for key in same}


def test_no_question_names_an_audience(config: Path) -> None:
    from mcp import Client

    async def run() -> None:
        with PortfolioCache(partial(offline, config)) as cache:
            async with Client(build_server(AssistantAnswers(cache, "team", config))) as client:
                tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools] == [tool for tool, _ in QUESTIONS]
        for tool in tools:
            assert tool.annotations is not None
            assert tool.annotations.read_only_hint
            assert tool.description
            for name, schema in tool.input_schema["properties"].items():
                assert name != "audience"
                assert schema["description"], (tool.name, name)

    asyncio.run(run())


# --- text of other people --------------------------------------------------------------------------------------------


def our_words(value: Any, key: str = "") -> Iterator[str]:
    """Yield every text that is not marked as one of the trackers: not an id, nor a command that names an id."""
    if key in ("tracker_text", "id", "ids", "name", "command"):
        return
    if isinstance(value, dict):
        for inner_key, inner in value.items():
            yield from our_words(inner, inner_key)
    elif isinstance(value, list):
        for inner in value:
            yield from our_words(inner)
    elif isinstance(value, str):
        yield value


def test_text_of_others_is_marked_and_harmless(tmp_path: Path) -> None:
    with served(tmp_path, hostile_world()) as (_, config):
        config.write_text(config.read_text() + TEAM)
        assert milesync("run", "--first-run", config=config).code in (0, 3)
        hostile = {"id": "gh:acme/app#3"}
        found = answers(
            config,
            *QUESTIONS,
            ("milestone", hostile),
            ("explain", hostile),
            ("what_if", {**hostile, "due": "2030-03-15"}),
        )
    for document in found:
        assert isinstance(document, dict), document
        text = json.dumps(document, ensure_ascii=False)
        assert not any(sign in text for attack in ATTACKS for sign in attack if not sign.isprintable())
        ours = " ".join(our_words(document))
        assert "FORGED" not in ours
        assert "Eve" not in ours
        assert "evil" not in ours
    assert "FORGED" in str(found)


# --- fresh and small -------------------------------------------------------------------------------------------------


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


def test_a_new_day_is_seen_at_the_next_question(config: Path) -> None:
    now = datetime.now(UTC)
    with PortfolioCache(partial(offline, config)) as cache:
        days = []
        for at in (now, now + timedelta(days=1)):
            cache.engine.clock = lambda at=at: at  # type: ignore[misc]
            days.append(cache.load("").snapshot.at)
        assert days == [now, now + timedelta(days=1)]


@pytest.mark.parametrize("finder", ["find_outages", "find_unread"])
def test_missing_data_that_lasts_is_seen_at_the_next_question(config: Path, finder: str) -> None:
    with PortfolioCache(partial(offline, config)) as cache:
        first = cache.load("")
        assert cache.load("") is first
        with mock.patch(f"sync.cli.portfolio_cache.{finder}", return_value={"another": "outage"}):
            assert cache.load("") is not first


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """The configuration of an installation of its own."""
    with served(tmp_path) as (_, config):
        assert milesync("run", "--first-run", config=config).code == 0
    return config


def touch(config: Path, n: int) -> None:
    """Write to the database as another process does."""
    with sqlite3.connect(config.parent / "milesync.db") as database:
        database.execute(f"CREATE TABLE touched_{n} (n INTEGER)")
    database.close()


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


def write(config: Path, words: str | None) -> None:
    """Write the configuration file; None removes it."""
    if words is None:
        config.unlink()
    else:
        config.write_text(words)


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


def test_answers_are_small_with_many_milestones(large: Path) -> None:
    found = answers(large, ("portfolio", {}), ("portfolio", {"limit": 10**6}), ("explain", {"id": "gh:acme/app#120"}))
    assert [len(portfolio["milestones"]) for portfolio in found[:2]] == [10, MOST_ROWS]
    assert max(len(json.dumps(found[place])) for place in (0, 2)) < 9_000
    assert found[0]["matches"] == sum(found[0]["count_by_status"].values()) == 120


def test_the_cursor_leads_through_all_milestones_worst_first(large: Path) -> None:
    rows: list[Any] = []

    async def talk(ask: Ask) -> None:
        cursor = ""
        while cursor is not None:
            page = await ask("portfolio", limit=MOST_ROWS, cursor=cursor, text="release")
            rows.extend(page["milestones"])
            cursor = page["next_cursor"]

    in_memory(large, talk)
    assert len({row["id"] for row in rows}) == len(rows) == 120
    likely = [row["probability"] for row in rows if row["status"] == "at_risk"]
    assert likely == sorted(likely)
    order = [row["status"] for row in rows]
    assert order == sorted(order, key=["overdue", "off_track", "at_risk", "unknown", "on_track"].index)


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (("milestone", {"id": "gh:acme/app#22"}), "no milestone 'gh:acme/app#22' here; similar ids: gh:acme/app#2"),
        (("explain", {"id": "V2"}), "similar ids: gh:acme/app#2, gl:acme/api%v2"),
        (("milestone", {"id": "?"}), "no milestone '?' here; the tool `portfolio` lists the ids"),
        (("what_if", {"id": "gh:acme/app#2", "due": "soon"}), "'soon' is not a date such as 2026-03-15"),
        (("what_if", {"id": "gh:acme/app#2", "drop": ["#999"]}), "gh:acme/app#2 has no open issue '#999'"),
        (("portfolio", {"status": ["late"]}), "no status 'late'; there are overdue, off_track, at_risk"),
        (("portfolio", {"cursor": "next"}), "'next' is no cursor; use `next_cursor` of the answer before"),
        (("portfolio", {"cursor": "9" * 400}), "is no cursor; use `next_cursor` of the answer before"),
        (("calibration", {"cursor": "\u0663"}), "is no cursor; use `next_cursor` of the answer before"),
    ],
)
def test_a_wrong_question_is_answered_in_one_line(
    config: Path, question: tuple[str, dict[str, Any]], words: str
) -> None:
    (error,) = answers(config, question)
    assert words in error
    assert "\n" not in error


WRONG: tuple[Any, ...] = (
    None,
    3,
    2.5,
    True,
    "ten",
    "",
    "x" * 100_000,
    "<!--\x1b\u202e",
    [],
    [3],
    ["x" * 5000],
    {"a": 1},
)
"""Values of which each argument refuses or answers each in plain words."""


def test_every_argument_is_refused_in_plain_words(config: Path) -> None:
    refused: dict[tuple[str, str], list[str]] = {}

    async def talk(ask: Ask) -> None:
        for tool, arguments in QUESTIONS:
            for name, value in ((name, value) for name in schemas[tool] for value in WRONG):
                found = await ask(tool, **{**arguments, name: value})
                if isinstance(found, str):
                    refused.setdefault((tool, name), []).append(found)
            found = await ask(tool, **arguments, colour="red")
            assert (
                f"there is no argument `colour`; this tool takes {', '.join(f'`{n}`' for n in schemas[tool])}" in found
            )
            if "id" in arguments:
                assert "`id` is missing; it takes a text of at most 500 characters (Id of a milestone" in await ask(
                    tool
                )

    schemas = tool_schemas(config)
    in_memory(config, talk)
    for (tool, name), errors in refused.items():
        for error in errors:
            assert error.startswith(f"Error executing tool {tool}: "), error
            assert error.isprintable(), error
            assert len(error) < 900, error
            assert not any(word in error.casefold() for word in ("pydantic", "validation", "input", "traceback")), error
        assert any(f"`{name}` was given as " in error and "; it takes " in error for error in errors), (tool, name)
    assert refused.keys() == {(tool, name) for tool, names in schemas.items() for name in names}
    assert '`limit` was given as "ten"; it takes a whole number from 1 to 50' in str(refused["portfolio", "limit"])
    assert '`status` was given as "ten"; it takes a list of overdue, off_track' in str(refused["portfolio", "status"])


def tool_schemas(config: Path) -> dict[str, Any]:
    """Return the arguments of each tool, with their schemas."""
    from mcp import Client

    async def run() -> dict[str, Any]:
        with PortfolioCache(partial(offline, config)) as cache:
            async with Client(build_server(AssistantAnswers(cache, "", config))) as client:
                return {tool.name: tool.input_schema["properties"] for tool in (await client.list_tools()).tools}

    return {tool: names for tool, names in asyncio.run(run()).items() if names}


def test_an_audience_without_a_digest_gets_an_error(config: Path) -> None:
    (error,) = answers(config, ("digest", {}), audience="public")
    assert "no digest is configured for this audience ([audiences.NAME.digest])" in error


def test_a_text_that_no_series_has_is_no_reason_to_call_the_track_record_empty(config: Path) -> None:
    every, none = answers(config, ("calibration", {}), ("calibration", {"text": "no series has this"}))
    assert every["matches"] > 0
    assert (none["matches"], none["streams"], none.get("note")) == (0, [], None)


def test_an_empty_database_says_what_to_do(tmp_path: Path) -> None:
    config = tmp_path / "milesync.toml"
    config.write_text(
        f'instance = "acme"\ndatabase = "sqlite:///{tmp_path}/a.db"\n[connections.gh]\ntype = "github"\n'
        'projects = ["acme/app"]\n'
    )
    settings = load(config, WITHOUT_TOKENS)
    with wiring.build_puller(settings, WITHOUT_TOKENS, create=True, progress=silent, offline=True):
        pass
    portfolio, calibration = answers(config, ("portfolio", {}), ("calibration", {}))
    assert "`milesync run` reads the trackers" in portfolio["note"]
    assert calibration["note"] == "No forecast has been published yet, so there is nothing to score."


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


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_answers_over_its_streams(config: Path) -> None:
    from mcp import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client

    words = ["-m", "milesync", "mcp", "--audience", "team", "--config", str(config)]
    server = StdioServerParameters(command=sys.executable, args=words, env=WITHOUT_TOKENS, cwd=Path.cwd())

    async def run() -> list[Any]:
        with open(os.devnull, "w") as logs:  # noqa: ASYNC230, PTH123
            async with Client(stdio_client(server, errlog=logs)) as client:
                assert "never an instruction" in str(client.instructions)
                return [await answer(client, tool, **arguments) for tool, arguments in QUESTIONS]

    found = asyncio.run(run())
    assert [type(document) for document in found] == [dict] * len(QUESTIONS)
    assert {document["audience"] for document in found} == {"team"}
    assert "acme/api" not in str(found)


def test_the_command_ends_with_its_input_and_writes_protocol_only(config: Path) -> None:
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    lines = [
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}),
        "no protocol",
        '{"jsonrpc": "2.0", "id": 2, "meth',
    ]
    command = [sys.executable, "-m", "milesync", "mcp", "--config", str(config)]
    done = subprocess.run(
        command, input="\n".join(lines), capture_output=True, text=True, env=WITHOUT_TOKENS, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    written = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(message["jsonrpc"] == "2.0" for message in written)
    assert written[0]["result"]["serverInfo"]["name"] == "milesync"


def test_an_assistant_that_reads_no_answer_ends_the_command_without_a_trace(config: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "milesync", "mcp", "--config", str(config)]
    ping = '{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n'
    try:
        done = subprocess.run(
            command, input=ping, stdout=writer, stderr=subprocess.PIPE, text=True, env=WITHOUT_TOKENS, timeout=280,
            check=False,
        )  # fmt: skip
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_command_without_streams_is_refused_in_one_line(config: Path) -> None:
    command = f"{shlex.join([sys.executable, '-m', 'milesync', 'mcp', '--config', str(config)])} <&-"
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, env=WITHOUT_TOKENS, timeout=280, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "standard input and output are its connection" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_the_command_refuses_to_start_in_one_line(config: Path) -> None:
    missing = config.with_name("missing.toml")
    missing.write_text(config.read_text().replace("milesync.db", "missing.db"))
    newer = config.with_name("newer.toml")
    newer.write_text(config.read_text().replace("milesync.db", "newer.db"))
    file = Path(load(config, WITHOUT_TOKENS).database_url(WITHOUT_TOKENS).get_secret_value().partition("///")[2])
    copy = file.with_name("newer.db")
    copy.write_bytes(file.read_bytes())
    with sqlite3.connect(copy) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    for path, words, text in (
        (missing, (), "The database is not there"),
        (newer, (), "made by a later version of milesync"),
        (config, ("--audience", "nobody"), "no audience 'nobody'; known audiences: public, team"),
    ):
        done = milesync("mcp", *words, config=path)
        errors = [line for line in done.err.splitlines() if not line.startswith("{")]
        assert (done.code, done.out, len(errors)) == (1, "", 1), done.err
        assert text in errors[0]


def test_the_missing_extra_is_named(config: Path) -> None:
    with mock.patch("sync.cli.mcp.find_spec", return_value=None):
        done = milesync("mcp", config=config)
    assert (done.code, done.out) == (1, "")
    assert "milesync mcp needs the extra `mcp`" in done.err
