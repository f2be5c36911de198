"""`milesync pull`, `plan`, `run` and `apply`: the steps, as a schedule or a person calls them; and `check`, which takes
the first two without a configuration.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from sync.assessment import Assessed
from sync.cli import compose, outside, show
from sync.cli.options import (
    CHANGES,
    DEFAULT,
    REFUSED,
    AsOf,
    Config,
    FirstRun,
    Json,
    Verbose,
    end,
    moment,
    print_json,
    tell_error,
    worst,
)
from sync.cli.work import configured, told_failures, working
from sync.engine import Engine, Result
from sync.plan import Plan, fingerprint
from sync.savedplan import SavedPlan

__all__ = ["apply", "check", "plan", "pull", "run"]


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
        compose.for_targets(targets, os.environ, run_id, shown) as engine,
    ):
        engine.pull()
        code = told_failures(engine)
        _all_or_current(engine.assess(at, keep=False), engine, None, as_json=as_json)
        end(code)


def pull(config: Config = DEFAULT, as_json: Json = False, verbose: Verbose = False) -> None:
    """Bring the store up to date with the trackers."""
    with configured(config, verbose=verbose, as_json=as_json, create=True) as (engine, _):
        engine.pull()
        if as_json:
            errors = show.failure_rows(engine.failures)
            print_json({"issues": engine.pulled, "requests": engine.requests, "errors": errors})
        else:
            Console().print(f"{engine.pulled} issues pulled with {sum(engine.requests.values())} requests.")
        end(told_failures(engine))


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


def run(
    config: Config = DEFAULT,
    first_run: FirstRun = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Pull, assess, plan, and write what the policy allows. This is what a schedule calls."""
    with (
        configured(config, verbose=verbose, as_json=as_json, create=first_run) as (engine, settings),
        outside.watched(engine) as started,
    ):
        result = engine.run()
        told = outside.followed(engine, settings)
        if as_json:
            print_json({**show.run_document(result, engine.requests), **({"digests": told} if told else {})})
        else:
            console = Console()
            console.print(show.milestones(result.assessed, engine.joints))
            console.print(show.summary_line(result))
        for reason in result.refused:
            tell_error(f"refused: {reason}")
        code = worst(REFUSED if result.refused else 0, told_failures(engine))
        outside.finished(engine, settings, outside.summed_up(engine, result, started, code))
    end(code)


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


def _all_or_current(assessed: Sequence[Assessed], engine: Engine, plan: Plan | None, *, as_json: bool) -> None:
    """The milestones, and what would be written."""
    if as_json:
        document: dict[str, Any] = {"milestones": show.rows(assessed, engine.joints)}
        if plan is not None:
            document["actions"] = show.plan_rows(plan)
            document["fingerprint"] = fingerprint(plan.actions)
        document["errors"] = show.failure_rows(engine.failures)
        print_json(document)
        return
    console = Console()
    console.print(show.milestones(assessed, engine.joints))
    if plan is not None:
        console.print()
        console.print(show.plan_lines(plan, assessed))
