"""`milesync status`, `explain` and `backtest`: what the store holds, without asking a tracker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from sync.assess.explain import explain_milestone
from sync.cli import after_run as outside
from sync.cli import output as show
from sync.cli.options import DEFAULT, ERROR, AsOf, Config, Json, Verbose, moment, print_json, tell_error
from sync.cli.session import configured, working
from sync.engine.metrics import seen

__all__ = ["backtest", "explain", "status"]


def status(
    config: Config = DEFAULT,
    as_of: AsOf = "",
    every: Annotated[bool, typer.Option("--all", help="Finished milestones too.")] = False,
    calibration: Annotated[bool, typer.Option("--calibration", help="How good the forecasts have been.")] = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show the milestones from the store, without asking a tracker."""
    with configured(config, verbose=verbose, as_json=as_json, create=False, offline=True) as (engine, _):
        at = moment(as_of)
        if calibration:
            scores = engine.snapshot(at).scores
            print_json({"streams": show.score_rows(scores)}) if as_json else Console().print(show.scores(scores))
            return
        assessed = engine.assess(at, keep=False)
        sources = seen(engine)
        if as_json:
            print_json({"milestones": show.rows(assessed, engine.joints), "sources": sources})
        else:
            Console().print(show.milestones(assessed, engine.joints, every=every, lint=True))
            Console().print(*outside.seen_lines(sources, engine.clock()), sep="\n")


def explain(
    milestone: Annotated[str, typer.Argument(help="gh:acme/app#12, gl:acme/api%2.0 or jira:PAY/2.0")],
    config: Config = DEFAULT,
    as_of: AsOf = "",
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show every number behind a milestone's health, with the items and history it came from."""
    with configured(config, verbose=verbose, as_json=as_json, create=False, offline=True) as (engine, _):
        found = explain_milestone(engine.snapshot(moment(as_of)), engine.store, milestone)
        if found is None:
            raise typer.BadParameter(f"no milestone {milestone!r} in the store; `milesync status` lists them")
        if as_json:
            print_json(found)
        else:
            Console().print(show.explained(milestone, found))


def backtest(
    prefixes: Annotated[
        list[str] | None,
        typer.Argument(metavar="PREFIX...", help="…_milestones.csv and …_memberships.csv; none: your own history"),
    ] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Reliability plot, .svg or .png", metavar="FILE")] = None,
    config: Config = DEFAULT,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Replay finished milestones in time order and score the forecast against the field's usual methods."""
    from sync.backtest import console as shown
    from sync.backtest import run as harness

    if prefixes:
        with working(verbose=verbose, as_json=as_json):
            result = _tested(lambda: harness.run_backtest(prefixes))
    else:
        with configured(config, verbose=verbose, as_json=as_json, create=False, offline=True) as (engine, _):
            result = harness.backtest(engine.snapshot().ledger)
    if plot is not None:
        _tested(lambda: shown.plot(result, plot))
    if as_json:
        print_json(result)
    else:
        shown.render(result, Console())


def _tested(step: Callable[[], Any]) -> Any:
    """A step of the back-test; files and suffixes come from the user, so what is wrong with them is said plainly."""
    try:
        return step()
    except (ImportError, OSError, ValueError) as problem:
        tell_error(str(problem))
        raise typer.Exit(ERROR) from None
