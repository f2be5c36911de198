"""`milesync plan` and `apply`: the steps, as a person calls them; and `check`, which needs no configuration."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from sync.assess.milestone import AssessedMilestone
from sync.cli import engine_factory as engines
from sync.cli import output as show
from sync.cli.options import (
    CHANGES,
    DEFAULT,
    REFUSED,
    AsOf,
    Config,
    Json,
    Verbose,
    end,
    failure_rows,
    moment,
    print_json,
    tell_error,
)
from sync.cli.session import configured, told_failures, working
from sync.engine.engine import Engine
from sync.engine.result import Result
from sync.engine.saved_plan import SavedPlan
from sync.plan.desired import Plan
from sync.plan.fingerprint import fingerprint

__all__ = ["apply", "check", "plan"]


def check(
    targets: Annotated[list[str], typer.Argument(metavar="TARGET...", help="github:owner/repo, gitlab:g/p, jira:KEY")],
    as_of: AsOf = "",
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Print the health of a project's milestones. Needs no configuration and writes nothing."""
    at = moment(as_of)
    with (
        working(verbose=verbose, as_json=as_json) as (run_id, shown),
        engines.for_targets(targets, os.environ, run_id, shown) as engine,
    ):
        engine.pull()
        code = told_failures(engine)
        _all_or_current(engine.assess(at, keep=False), engine, None, as_json=as_json)
        end(code)


def plan(
    out: Annotated[Path | None, typer.Option("--out", help="Save the plan for `apply`.", metavar="FILE")] = None,
    config: Config = DEFAULT,
    as_of: AsOf = "",
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show what `run` would write if the policy let it. Writes nothing."""
    at = moment(as_of)
    with configured(config, verbose=verbose, as_json=as_json, create=True) as (engine, _):
        engine.pull()
        assessed = engine.assess(at)
        made = engine.plan(assessed, fresh=out is not None)
        if out is not None:
            SavedPlan.of(engine.instance, engine.clock(), made.actions).save(out)
        _all_or_current(assessed, engine, made, as_json=as_json)
        end(told_failures(engine), CHANGES if made.actions else 0)


def apply(
    file: Annotated[Path | None, typer.Argument(help="A plan saved by `plan --out`.")] = None,
    config: Config = DEFAULT,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Write a saved plan, or a new one. A saved plan that no longer fits what stands there is refused."""
    with configured(config, verbose=verbose, as_json=as_json, create=False) as (engine, _):
        saved = SavedPlan.load(file) if file else None
        engine.pull()
        assessed = engine.assess()
        made = engine.plan(assessed, fresh=True)
        result = Result(assessed=assessed, plan=made, failures=engine.failures)
        if saved is not None and saved.fingerprint != fingerprint(made.actions):
            result.refused = ["the plan is stale: what stands in the trackers, or the verdict, has changed since"]
        else:
            engine.apply_into(result)
        if as_json:
            print_json(show.run_document(result, engine.requests))
        else:
            Console().print(show.summary_line(result))
        for reason in result.refused:
            tell_error(f"refused: {reason}")
        end(REFUSED if result.refused else 0, told_failures(engine))


def _all_or_current(assessed: Sequence[AssessedMilestone], engine: Engine, plan: Plan | None, *, as_json: bool) -> None:
    """The milestones, and what would be written."""
    if as_json:
        document: dict[str, Any] = {"milestones": show.rows(assessed, engine.joints)}
        if plan is not None:
            document["actions"] = show.plan_rows(plan)
            document["fingerprint"] = fingerprint(plan.actions)
        document["errors"] = failure_rows(engine.failures)
        print_json(document)
        return
    console = Console()
    console.print(show.milestones(assessed, engine.joints))
    if plan is not None:
        console.print()
        console.print(show.plan_lines(plan, assessed))
