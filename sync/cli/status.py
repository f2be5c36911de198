"""`milesync status`: the milestones in the store, without asking a tracker."""

from __future__ import annotations

from typing import Annotated

import typer

from sync.cli import output
from sync.cli.options import DEFAULT, AsOf, Config, Json, Verbose, parse_as_of, print_json
from sync.cli.session import open_engine
from sync.cli.terminal import Terminal
from sync.engine.metrics import read_states

__all__ = ["status"]

Every = Annotated[bool, typer.Option("--all", help="Show finished milestones too.")]
Calibration = Annotated[bool, typer.Option("--calibration", help="Show how good past forecasts were.")]


def status(
    config: Config = DEFAULT,
    as_of: AsOf = "",
    every: Every = False,
    calibration: Calibration = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show the milestones from the store, without asking a tracker."""
    with open_engine(config, verbose=verbose, as_json=as_json, create=False, offline=True) as (engine, _):
        at = parse_as_of(as_of)
        if calibration:
            scores = engine.snapshot(at).scores
            if as_json:
                print_json({"streams": output.score_rows(scores)})
            else:
                Terminal().print(output.score_lines(scores))
            return
        assessed = engine.assess(at, keep=False)
        states = read_states(engine)
        obstacles = output.obstacle_rows(engine.store.obstacles(), assessed)
        if as_json:
            rows = output.milestone_rows(assessed, engine.joints)
            print_json({"milestones": rows, "sources": states, "obstacles": obstacles})
        else:
            terminal = Terminal()
            terminal.print(output.milestone_table(assessed, engine.joints, every=every, lint=True))
            for line in (*output.last_read_lines(states, engine.clock()), *output.obstacle_lines(obstacles)):
                terminal.print(line)
