"""`milesync init`: ask for the settings, test each answer, write a commented configuration, show a first check."""

from __future__ import annotations

import sys

from sync.cli.options import DEFAULT, Config, Verbose, exit_with

__all__ = ["init"]


def init(config: Config = DEFAULT, verbose: Verbose = False) -> None:
    """Ask for tracker, token, projects and policy, test them, and write a commented configuration."""
    from sync.cli.dialogue import ask_and_write
    from sync.telemetry import log

    log.configure(sys.stderr, verbose=verbose, errors_only=True)
    exit_with(ask_and_write(config, verbose=verbose))
