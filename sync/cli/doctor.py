"""`milesync doctor`: find what would fail before the first write, and show what to do about it."""

from __future__ import annotations

import os
from importlib.metadata import version

from sync.cli.options import DEFAULT, ERROR, Config, Json, Verbose, exit_with, print_json

__all__ = ["doctor"]


def doctor(config: Config = DEFAULT, as_json: Json = False, verbose: Verbose = False) -> None:
    """Check configuration, database, tokens, rights and rate limits. Show what would fail, and what to do about it.

    The worst findings are shown on one screen, all of them with -v. Only reads, and creates no database. Exit code 1 if
    something would fail.
    """
    from sync.cli.session import command_session

    with command_session(verbose=verbose, as_json=as_json):
        from sync.cli.finding_lines import finding_lines, worst_lines
        from sync.cli.findings import installation_findings
        from sync.cli.terminal import Terminal
        from sync.engine.doctor import is_ok

        findings = installation_findings(config, os.environ)
    if as_json:
        rows = [{name: getattr(finding, name) for name in finding.__struct_fields__} for finding in findings]
        print_json({"ok": is_ok(findings), "milesync": version("milesync"), "findings": rows})
    else:
        console = Terminal()
        console.print(finding_lines(findings) if verbose else worst_lines(findings, console))
    exit_with(0 if is_ok(findings) else ERROR)
