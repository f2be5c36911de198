"""`milesync backtest`: score the forecast on finished milestones."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from sync.cli.options import DEFAULT, ERROR, Config, Json, Verbose, named_file, print_error, print_json

__all__ = ["backtest"]

Prefixes = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PREFIX...",
        help="Read PREFIX_milestones.csv and PREFIX_memberships.csv, or PREFIX_counts.csv; none: the database.",
    ),
]
Plot = Annotated[Path | None, typer.Option("--plot", help="Save a reliability plot, .svg or .png.", metavar="FILE")]


def backtest(
    prefixes: Prefixes = None,
    plot: Plot = None,
    config: Config = DEFAULT,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Replay finished milestones in time order and score the forecast against the field's usual methods."""
    from sync.cli.session import command_session, open_engine

    if plot is not None and find_spec("matplotlib") is None:
        from sync.installation import missing_extra

        print_error(missing_extra("--plot", "plot"))
        raise typer.Exit(ERROR)
    if prefixes:
        with command_session(verbose=verbose, as_json=as_json):
            from sync.backtest import run as replay

            result = _with_plain_errors(lambda: replay.run_backtest(prefixes))
    else:
        with open_engine(config, verbose=verbose, as_json=as_json, create=False, offline=True) as (engine, _):
            from sync.backtest import run as replay

            result = replay.backtest(engine.snapshot().ledger)
    if plot is not None:
        from sync.backtest import reliability_plot

        with named_file(plot):
            _with_plain_errors(lambda: reliability_plot.plot(result, plot))
    if as_json:
        print_json(result)
    else:
        from sync.cli import backtest_tables
        from sync.cli.terminal import Terminal

        backtest_tables.render(result, Terminal())


def _with_plain_errors(step: Callable[[], Any]) -> Any:
    """Run a step on files that the user named. Print its error as one line and exit with code 1. Raises OSError."""
    try:
        return step()
    except ValueError as error:
        print_error(str(error))
        raise typer.Exit(ERROR) from None
