"""`milesync digest`: show or send the messages to audiences. A run sends those that are due, too."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated

import typer

from sync.cli.options import (
    DEFAULT,
    REFUSED,
    AsOf,
    Config,
    Json,
    Verbose,
    exit_with,
    parse_as_of,
    print_error,
    print_json,
)

__all__ = ["digest"]

For = Annotated[
    list[str] | None,
    typer.Option("--audience", help="Only this audience; repeat for several.", metavar="NAME"),
]
Send = Annotated[
    bool, typer.Option("--send", help="Send the messages that are due. Without this option, nothing is sent.")
]


def digest(
    audience: For = None,
    send: Send = False,
    config: Config = DEFAULT,
    as_of: AsOf = "",
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show the message that each audience would get now, from the database; or send those that are due.

    A channel that fails is reported on standard error and does not change the exit code. A message that surely did not
    arrive is sent again next time.
    """
    from sync.cli.session import open_engine

    with open_engine(config, verbose=verbose, as_json=as_json, create=False, offline=True) as (engine, settings):
        from rich.console import Group

        from sync.cli import digests
        from sync.cli.terminal import Terminal
        from sync.digest.send import PortfolioSource
        from sync.model.policy import Policy

        at, names = parse_as_of(as_of), digests.audience_names(settings, audience or [])
        if send and at is not None:
            raise typer.BadParameter("--send sends the present state; leave --as-of out")
        if send and settings.overall_policy() is Policy.PLAN:
            print_error(
                "refused: the policy is plan, so no digest is sent; set policy to update or create in the configuration"
            )
            exit_with(REFUSED)
        portfolio = PortfolioSource(
            engine.store, engine.connections, engine.rules, at or engine.clock(), replay=at is not None
        )
        with nullcontext() if send else engine.store.one_state():
            outcomes = digests.make_digests(settings, names, portfolio, engine.run_id, send=send)
        if as_json:
            print_json({"digests": digests.digest_rows(outcomes)})
        else:
            Terminal().print(Group(*digests.digest_lines(outcomes)))
        digests.report_problems(outcomes)
