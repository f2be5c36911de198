"""`milesync adopt` and `milesync retire`: to take over what a former account wrote, to take everything away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.console import Console

from sync.assess.milestone import AssessedMilestone
from sync.cli import output as show
from sync.cli.options import CHANGES, DEFAULT, REFUSED, Config, Json, Verbose, end, print_json, tell_error
from sync.cli.session import configured, told_failures
from sync.engine import handover
from sync.engine.engine import Engine
from sync.engine.result import Result
from sync.plan.desired import Plan
from sync.report import phrases as sentences

__all__ = ["adopt", "retire"]

Yes = Annotated[bool, typer.Option("--yes", help="Do it. Without this, nothing is written.")]


def adopt(
    former: Annotated[
        list[str] | None, typer.Option("--from", help="The account that wrote it; several times.", metavar="ACCOUNT")
    ] = None,
    yes: Yes = False,
    config: Config = DEFAULT,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Take over what another account wrote for this instance, after a change of token. Shows it first.

    A new summary is posted by the present account, the former one's is taken away where that is allowed; so is its
    status update on a project board.
    """
    with configured(config, verbose=verbose, as_json=as_json, create=False) as (engine, _):
        engine.pull()
        assessed = engine.assess(keep=False)
        left = handover.find_claims(engine, assessed)
        accounts = former or list(left.accounts)
        if yes and not former and len(accounts) > 1:
            raise typer.BadParameter(f"{', '.join(accounts)} wrote there: say with --from which of them was ours")
        plan = handover.adopt(engine, assessed, left, accounts, remember=yes)
        found = [
            {"account": claim.author, "milestone": milestone.written, "what": what}
            for what, claims in (
                ("status issue", left.issues),
                ("summary", left.summaries),
                ("status update", left.updates),
            )
            for milestone, claim in claims
        ]
        if not as_json:
            for account, count in left.accounts.items():
                Console().print(f"{account} wrote {sentences.plural(count, 'text')} with our marker.", markup=False)
        _carry_out(engine, assessed, plan, yes=yes, as_json=as_json, more={"found": found})


def retire(yes: Yes = False, config: Config = DEFAULT, as_json: Json = False, verbose: Verbose = False) -> None:
    """Take away everything that this instance ever wrote in the configured projects. Shows it first.

    Its comments and labels go, the status issues that it opened are closed. What people wrote or edited stays.
    """
    with configured(config, verbose=verbose, as_json=as_json, create=False) as (engine, _):
        engine.sources = [replace(source, admits=_every_title) for source in engine.sources]
        engine.pull()
        assessed = engine.assess(keep=False)
        plan, unreached = handover.retire(engine, assessed)
        engine.leftovers += unreached
        _carry_out(engine, assessed, plan, yes=yes, as_json=as_json, more={})


def _every_title(_project: str, _title: str) -> bool:
    return True


def _carry_out(
    engine: Engine, assessed: Sequence[AssessedMilestone], plan: Plan, *, yes: bool, as_json: bool, more: dict[str, Any]
) -> None:
    """Do the plan, or only show it, and tell what came of it."""
    result = Result(assessed=list(assessed), plan=plan, failures=engine.failures)
    if yes:
        engine.store.start_run(engine.run_id, engine.clock())
        engine.apply_into(result)
        engine.store.finish_run(engine.run_id, result.summary())
    if as_json:
        document = {
            "done": yes,
            **more,
            "actions": show.plan_rows(plan),
            "skipped": [{"milestone": skipped.milestone, "why": skipped.why} for skipped in plan.skipped],
            "written": show.written_rows(result.written, assessed),
            "notifications": result.notifications,
            "left": engine.leftovers,
            "errors": show.error_rows(result),
        }
        print_json(document)
    else:
        console = Console()
        console.print(show.plan_lines(plan, assessed))
        console.print(_outcome(result, yes=yes))
        for note in engine.leftovers:
            console.print(f"Left as it is: {note}", markup=False, highlight=False, soft_wrap=True)
    for reason in result.refused:
        tell_error(f"refused: {reason}")
    changes = CHANGES if plan.actions and not yes else 0
    end(REFUSED if result.refused else 0, told_failures(engine), changes)


def _outcome(result: Result, *, yes: bool) -> str:
    if not yes:
        return "Nothing was written; with --yes it is done." if result.plan.actions else ""
    held = len(result.plan.actions) - len(result.written)
    more = f", {held} held back by the policy, a refusal or a failure" if held else ""
    return f"{sentences.plural(len(result.written), 'write')} done{more}."
