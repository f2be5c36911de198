"""`milesync apply`: write a plan to the trackers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sync.cli.options import DEFAULT, REFUSED, Config, Json, Verbose, exit_with, print_error, print_json

__all__ = ["apply"]

_STALE = (
    "the plan is stale: a tracker or a milestone's health has changed since it was saved. "
    "Save a new one with `milesync plan --out FILE`"
)

PlanFile = Annotated[Path | None, typer.Argument(help="A plan saved by `plan --out`.")]


def apply(file: PlanFile = None, config: Config = DEFAULT, as_json: Json = False, verbose: Verbose = False) -> None:
    """Write a saved plan, or a new one. A saved plan is refused when the trackers have changed since."""
    from sync.cli.session import open_engine, report_failures

    with open_engine(config, verbose=verbose, as_json=as_json, create=False) as (engine, _):
        from sync.cli import output
        from sync.engine.result import Result
        from sync.engine.saved_plan import SavedPlan
        from sync.plan.fingerprint import fingerprint

        saved = SavedPlan.load(file) if file else None
        engine.pull()
        assessed = engine.assess()
        planned = engine.plan(assessed, fresh=True)
        result = Result(assessed=assessed, plan=planned, failures=engine.failures)
        if saved is not None and saved.fingerprint != fingerprint(planned.actions):
            result.refused = [_STALE]
        else:
            engine.apply_into(result)
        if as_json:
            print_json(output.run_document(result, engine.requests))
        else:
            output.print_summary(result, engine)
        for reason in result.refused:
            print_error(f"refused: {reason}")
        exit_with(REFUSED if result.refused else 0, report_failures(engine))
