"""Show or carry out the plan of `milesync adopt` and `milesync retire`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sync.assess.milestone import AssessedMilestone
from sync.cli import output
from sync.cli.options import CHANGES, REFUSED, exit_with, print_error, print_json
from sync.cli.plan_lines import plan_lines
from sync.cli.session import report_failures
from sync.cli.terminal import Terminal
from sync.engine.engine import Engine
from sync.engine.result import Result
from sync.plan.desired import Plan
from sync.report import phrases

__all__ = ["carry_out"]


def carry_out(
    engine: Engine,
    assessed: Sequence[AssessedMilestone],
    plan: Plan,
    *,
    instance: str,
    yes: bool,
    as_json: bool,
    more: dict[str, Any],
) -> None:
    """Write the plan with ``yes``, else show it. Print the outcome and exit.

    After the whole plan was written, the texts in the trackers are of ``instance``. ``more`` is added to the JSON
    document.
    """
    result = Result(assessed=list(assessed), plan=plan, failures=engine.failures)
    if yes:
        engine.store.start_run(engine.run_id, engine.clock())
        engine.apply_into(result)
        engine.store.finish_run(engine.run_id, result.summary())
        is_complete = not result.refused and not engine.failures
        if is_complete and len(plan.actions) <= len(result.written) + len(engine.leftovers):
            engine.store.save_instance(instance)
    if as_json:
        document = {
            "done": yes,
            **more,
            "actions": output.plan_rows(plan),
            "skipped": [{"milestone": skipped.milestone, "why": skipped.why} for skipped in plan.skipped],
            "written": output.written_rows(result.written, assessed),
            "notifications": result.notifications,
            "left": engine.leftovers,
            "errors": output.error_rows(result),
            "held_back": output.held_back_rows(result),
        }
        print_json(document)
    else:
        console = Terminal()
        console.print(plan_lines(plan, assessed))
        for line in output.held_back_lines(result):
            console.print(line, soft_wrap=True)
        console.print(_outcome(result, yes=yes))
        for note in engine.leftovers:
            console.print(f"Left as it is: {note}", soft_wrap=True)
    for reason in result.refused:
        print_error(f"refused: {reason}")
    changes = CHANGES if plan.actions and not yes else 0
    exit_with(REFUSED if result.refused else 0, report_failures(engine), changes)


def _outcome(result: Result, *, yes: bool) -> str:
    if not yes:
        return "Nothing was written. Run again with --yes to carry out the plan." if result.plan.actions else ""
    pending = len(result.plan.actions) - len(result.written)
    more = f", {pending} held back" if pending else ""
    return f"{phrases.plural(len(result.written), 'write')} done{more}."
