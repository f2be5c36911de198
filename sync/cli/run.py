"""`milesync run`: pull, assess, plan and apply, as a schedule calls it.

A run that finds no change spends most of its time on its start. So this module imports only what reading trackers
needs. The rest is imported while the trackers answer.
"""

from __future__ import annotations

from sync.cli import after_run
from sync.cli.options import (
    DEFAULT,
    REFUSED,
    Config,
    FirstRun,
    Json,
    Verbose,
    exit_code,
    exit_with,
    print_error,
    print_json,
)
from sync.cli.session import open_engine, report_failures

__all__ = ["run"]


def run(
    config: Config = DEFAULT,
    first_run: FirstRun = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Pull, assess, plan, and write what the policy allows. Call this from a schedule."""
    with (
        open_engine(config, verbose=verbose, as_json=as_json, create=first_run, ahead=True) as (engine, settings),
        after_run.timed_run(engine) as started,
    ):
        from sync.cli import output  # late: see the module's docstring

        result = engine.run()
        digests = after_run.after_writes(engine, settings)
        if as_json:
            print_json({**output.run_document(result, engine.requests), **({"digests": digests} if digests else {})})
        else:
            output.print_result(result, engine)
        for reason in result.refused:
            print_error(f"refused: {reason}")
        code = exit_code(REFUSED if result.refused else 0, report_failures(engine))
        after_run.finish(engine, settings, after_run.log_summary(engine, result, started, code))
    exit_with(code)
