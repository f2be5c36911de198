"""An installation, and the SDK's own client of `milesync mcp` that asks it in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.settings import Settings, load
from sync.cli import engine_factory, wiring
from sync.cli.answer_rows import MOST_ROWS
from sync.cli.answers import AssistantAnswers
from sync.cli.assistant import build_server
from sync.cli.portfolio_cache import PortfolioCache
from sync.engine.engine import Engine
from sync.pull.progress import silent
from tests.e2e import subprocesses
from tests.e2e.in_process import milesync
from tests.e2e.small_world import served, small_world

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

Ask = Callable[..., Awaitable[Any]]


@contextmanager
def installed(folder: Path) -> Iterator[Path]:
    """Yield the configuration of an installation that has read its trackers; its GitLab project is private."""
    world = small_world()
    next(iter(world.gitlab.projects.values())).private = True
    with served(folder, world) as (_, config):
        config.write_text(config.read_text() + TEAM)
        assert milesync("run", "--first-run", config=config).code == 0
        yield config


@contextmanager
def offline(config: Path) -> Iterator[tuple[Engine, Settings]]:
    """Yield the engine of a command that asks no tracker, without tokens and without its logs."""
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
