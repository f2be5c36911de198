"""`milesync pull`: the first step of a run, by itself. Loads nothing of the forecast."""

from __future__ import annotations

from sync.cli.options import DEFAULT, Config, Json, Verbose, exit_with, failure_rows, print_json

__all__ = ["pull"]


def pull(config: Config = DEFAULT, as_json: Json = False, verbose: Verbose = False) -> None:
    """Bring the database up to date with the trackers."""
    from sync.cli.session import open_puller, report_failures
    from sync.cli.terminal import Terminal

    with open_puller(config, verbose=verbose, as_json=as_json, ahead=True) as (puller, _, _):
        puller.run()
        if as_json:
            errors = failure_rows(puller.failures)
            print_json({"issues": puller.issue_count, "requests": puller.requests, "errors": errors})
        else:
            Terminal().print(f"{puller.issue_count} issues pulled with {sum(puller.requests.values())} requests.")
        exit_with(report_failures(puller))
