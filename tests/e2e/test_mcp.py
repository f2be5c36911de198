"""`milesync mcp`, asked by the SDK's own client: what the tools answer."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from config.settings import load
from sync.cli import wiring
from sync.cli.answer_rows import MOST_ROWS
from sync.cli.answers import AssistantAnswers
from sync.cli.assistant import build_server
from sync.cli.portfolio_cache import PortfolioCache
from sync.pull.progress import silent
from tests.benchmarks import bench_thousand
from tests.e2e.assistants import QUESTIONS, TEAM, WITHOUT_TOKENS, Ask, answers, in_memory, installed, offline
from tests.e2e.in_process import milesync
from tests.e2e.small_world import served
from tests.e2e.test_hostile_text import ATTACKS, hostile_world

RUNNING = "gh:acme/app#125"
"""A running milestone of the large installation."""


def joined(text: list[Any]) -> str:
    """Return the text of an answer without the marks of foreign parts."""
    return "".join(part if isinstance(part, str) else part["tracker_text"] for part in text)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with installed(tmp_path_factory.mktemp("asked")) as config:
        yield config


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
