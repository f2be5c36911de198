"""`milesync run`: pull, assess, plan and apply, as a schedule calls it."""

from __future__ import annotations

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

__all__ = ["run"]


def run(
    config: Config = DEFAULT,
    first_run: FirstRun = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Pull, assess, plan, and write what the policy allows. Call this from a schedule."""
    from sync.cli.session import open_engine, report_failures

    with open_engine(config, verbose=verbose, as_json=as_json, create=first_run, ahead=True) as (engine, settings):
        from sync.cli import after_run, output

        with after_run.timed_run(engine) as started:
            result = engine.run()
            digests = after_run.after_writes(engine, settings)
            if as_json:
                document = output.run_document(result, engine.requests)
                print_json({**document, "digests": digests} if digests else document)
            else:
                output.print_result(result, engine)
            for reason in result.refused:
                print_error(f"refused: {reason}")
            code = exit_code(REFUSED if result.refused else 0, report_failures(engine))
            after_run.finish(engine, settings, after_run.log_summary(engine, result, started, code))
    exit_with(code)
