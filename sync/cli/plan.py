"""`milesync plan`: the writes that `milesync run` would make."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sync.cli.options import (
    CHANGES,
    DEFAULT,
    REFUSED,
    AsOf,
    Config,
    Json,
    Verbose,
    exit_with,
    named_file,
    parse_as_of,
    print_error,
)

__all__ = ["plan"]

Out = Annotated[Path | None, typer.Option("--out", help="Save the plan for `apply`.", metavar="FILE")]


def plan(
    out: Out = None, config: Config = DEFAULT, as_of: AsOf = "", as_json: Json = False, verbose: Verbose = False
) -> None:
    """Show what `run` would write if the policy allowed everything. Writes nothing.

    Exit code 2 when there is something to write.
    """
    from sync.cli.session import open_engine, report_failures

    at = parse_as_of(as_of)
    with open_engine(config, verbose=verbose, as_json=as_json, create=True, ahead=True) as (engine, _):
        from sync.cli import output
        from sync.engine.saved_plan import SavedPlan

        engine.pull()
        assessed = engine.assess(at)
        planned = engine.plan(assessed, fresh=out is not None)
        if out is not None:
            with named_file(out):
                SavedPlan.of(engine.instance, engine.clock(), planned.actions).save(out)
        output.print_assessment(assessed, engine, planned, as_json=as_json)
        refusal = engine.instance_refusal()
        if refusal:
            print_error(f"refused: {refusal}")
        exit_with(report_failures(engine), REFUSED if refusal else 0, CHANGES if planned.actions else 0)
