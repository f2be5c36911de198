"""`milesync mcp`: answer the questions of an assistant, over standard input and output."""

from __future__ import annotations

import sys
from functools import partial
from importlib.util import find_spec

import typer

from sync.cli.options import DEFAULT, Config, Readers, Verbose

__all__ = ["mcp"]


def mcp(audience: Readers = None, config: Config = DEFAULT, verbose: Verbose = False) -> None:
    """Answer an assistant's questions from the database (Model Context Protocol), without asking a tracker.

    The assistant starts this command. Without --audience, it may read everything that is configured.
    """
    if find_spec("mcp") is None:
        from sync.installation import missing_extra

        raise typer.BadParameter(missing_extra("milesync mcp", "mcp"))
    if sys.stdin is None or sys.stdout is None:
        raise typer.BadParameter("an assistant starts this command: standard input and output are its connection")
    from sync.cli.answers import AssistantAnswers
    from sync.cli.assistant import build_server
    from sync.cli.portfolio_cache import PortfolioCache
    from sync.cli.session import open_engine

    opened = partial(open_engine, config, verbose=verbose, as_json=True, create=False, offline=True)
    with PortfolioCache(opened, config) as cache:
        name = audience or ""
        cache.load(name)  # now, so that an unknown audience is refused and the first answer is fast
        try:
            with cache.kept_fresh(name):
                build_server(AssistantAnswers(cache, name, config)).run("stdio")
        except* BrokenPipeError:
            pass  # the assistant has ended, and reads no answer any more
