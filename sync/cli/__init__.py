"""The command line: settings in, exit code out.

Exit codes: 0 done or nothing to do; 1 error, bad usage or bad configuration; 2 `plan` found changes; 3 a part of the
projects failed; 4 refused (another run is writing, a stale plan, above the limits). The first of 1, 4, 3, 2 wins.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from typer.exceptions import Abort, TyperException

from config.errors import ConfigurationError
from sync.assessment import Assessed
from sync.cli import compose, db, digest, doctor, handover, init, outside, report, serve, show, timeline, whatif, worker
from sync.cli.options import (
    CHANGES,
    DEFAULT,
    ERROR,
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
from sync.metrics import seen
from sync.plan import Plan, fingerprint
from sync.savedplan import SavedPlan
from sync.store import StoreError
from sync.timeline import CircleError

__all__ = ["app", "main"]

app = typer.Typer(
    name="milesync",
    help="Keeps the health of milestones true, and writes it where the team already works.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> NoReturn:
    """Run the command line and exit. The library's code for bad usage, 2, becomes 1: 2 is ours for changes."""
    words = sys.argv[1:2]
    plugins(lambda name: words in ([], ["--help"], [name]))
    try:
        code = app(standalone_mode=False)
    except (ConfigurationError, StoreError, CircleError) as problem:
        tell_error(str(problem))
        code = ERROR
    except TyperException as problem:
        tell_error(str(problem) or "bad usage; see --help")
        code = ERROR
    except (Abort, KeyboardInterrupt):
        code = ERROR
    sys.exit(code if isinstance(code, int) else 0)


def plugins(wanted: Callable[[str], bool]) -> None:
    """Add the commands that other packages bring; only those asked for, since loading them costs time."""
    known = {command.name for command in app.registered_commands}
    for point in entry_points(group="milesync.commands"):
        if point.name not in known and wanted(point.name):
            app.command(point.name)(point.load())


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


# --- reading ---------------------------------------------------------------------------------------------------------


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
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
            scores = engine.track_record(at)
            print_json({"streams": show.score_rows(scores)}) if as_json else Console().print(show.scores(scores))
            return
        assessed = engine.assess(at, keep=False)
        sources = seen(engine)
        if as_json:
            print_json({"milestones": show.rows(assessed, engine.joints), "sources": sources})
        else:
            Console().print(show.milestones(assessed, engine.joints, every=every, lint=True))
            Console().print(*outside.seen_lines(sources, engine.clock()), sep="\n")


# --- writing ---------------------------------------------------------------------------------------------------------


@app.command()
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
        told = digest.rows(outside.followed(engine, settings))
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


@app.command(name="apply")
def apply_(
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


# --- looking closer --------------------------------------------------------------------------------------------------


@app.command()
def explain(
    milestone: Annotated[str, typer.Argument(help="gh:acme/app#12, gl:acme/api%2.0 or jira:PAY/2.0")],
    config: Config = DEFAULT,
    as_of: AsOf = "",
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show every number behind a milestone's health, with the items and history it came from."""
    with configured(config, verbose=verbose, as_json=as_json, create=False, offline=True) as (engine, _):
        found = engine.explain(milestone, moment(as_of))
        if found is None:
            raise typer.BadParameter(f"no milestone {milestone!r} in the store; `milesync status` lists them")
        if as_json:
            print_json(found)
        else:
            Console().print(show.explained(milestone, found))


@app.command()
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
    from sync import backtest as harness
    from sync import backtest_view as shown

    if prefixes:
        with working(verbose=verbose, as_json=as_json):
            result = _tested(lambda: harness.run_backtest(prefixes))
    else:
        with configured(config, verbose=verbose, as_json=as_json, create=False, offline=True) as (engine, _):
            result = harness.backtest(engine.history())
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


# --- commands with a module of their own -----------------------------------------------------------------------------

app.command()(doctor.doctor)
app.command()(init.init)
app.add_typer(db.app, name="db")
app.command()(report.report)
app.command()(digest.digest)
app.command()(handover.adopt)
app.command()(handover.retire)
app.command()(timeline.timeline)
app.command()(whatif.whatif)
app.command()(serve.serve)
app.command()(worker.worker)
