"""`milesync run`, which a schedule calls, and `milesync pull`, its first step.

Most of the time of a run that finds nothing changed is that of its start. So what these two need is loaded first, and
all that assesses, plans and shows while the trackers answer.
"""

from __future__ import annotations

from rich.console import Console

from sync.cli import after_run as outside
from sync.cli.options import (
    DEFAULT,
    REFUSED,
    Config,
    FirstRun,
    Json,
    Verbose,
    end,
    failure_rows,
    print_json,
    tell_error,
    worst,
)
from sync.cli.session import configured, reading, told_failures

__all__ = ["pull", "run"]


def pull(config: Config = DEFAULT, as_json: Json = False, verbose: Verbose = False) -> None:
    """Bring the store up to date with the trackers."""
    with reading(config, verbose=verbose, as_json=as_json) as (puller, _, _):
        puller.run()
        if as_json:
            errors = failure_rows(puller.failures)
            print_json({"issues": puller.issue_count, "requests": puller.requests, "errors": errors})
        else:
            Console().print(f"{puller.issue_count} issues pulled with {sum(puller.requests.values())} requests.")
        end(told_failures(puller))


def run(
    config: Config = DEFAULT,
    first_run: FirstRun = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Pull, assess, plan, and write what the policy allows. This is what a schedule calls."""
    with (
        configured(config, verbose=verbose, as_json=as_json, create=first_run, ahead=True) as (engine, settings),
        outside.watched(engine) as started,
    ):
        from sync.cli import output as show  # late: see above

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
