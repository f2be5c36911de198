"""`milesync serve`: accept webhooks, so that a change is read within a minute instead of within an hour."""

from __future__ import annotations

import sys

from sync.cli.options import DEFAULT, Config, FirstRun, Verbose, load_settings

__all__ = ["serve"]


def serve(config: Config = DEFAULT, first_run: FirstRun = False, verbose: Verbose = False) -> None:
    """Accept webhooks and refresh the projects that they name: by workers on PostgreSQL, else in this process."""
    from sync.telemetry import log

    log.configure(sys.stderr, verbose=verbose)
    settings = load_settings(config)
    from sync.cli.receiver import receive

    receive(settings, create=first_run)
