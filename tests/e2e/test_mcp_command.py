"""The process of `milesync mcp`: its streams, its start and its end."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from config.settings import load
from tests.e2e.assistants import QUESTIONS, WITHOUT_TOKENS, answer, installed
from tests.e2e.in_process import milesync


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with installed(tmp_path_factory.mktemp("asked")) as config:
        yield config


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
