"""`milesync check`: the health of a project's milestones, without a configuration."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from sync.cli.options import AsOf, Json, Verbose, exit_with, parse_as_of, print_error

__all__ = ["check"]

Targets = Annotated[
    list[str],
    typer.Argument(
        metavar="TARGET...", help="github:owner/repo, gitlab:group/project, jira:KEY; or :sprints, :iterations after it"
    ),
]


def check(targets: Targets, as_of: AsOf = "", as_json: Json = False, verbose: Verbose = False) -> None:
    """Print the health of a project's milestones. Needs no configuration and writes nothing."""
    from sync.cli.session import command_session, report_failures

    at = parse_as_of(as_of)
    with command_session(verbose=verbose, as_json=as_json, errors_only=True) as (run_id, progress):
        from sync.cli.target_wiring import build_target_puller

        with build_target_puller(targets, os.environ, progress) as puller:
            puller.start_early()
            from rich.text import Text

            from sync.cli import output
            from sync.cli.engine_factory import build_target_engine
            from sync.cli.targets import other_targets
            from sync.cli.terminal import Terminal
            from sync.engine.metrics import read_states

            engine = build_target_engine(puller, run_id)
            engine.pull()
            assessed = engine.assess(at, keep=False)
            output.print_assessment(assessed, engine, None, as_json=as_json)
            if (
                not as_json
                and engine.has_read_project
                and not any(milestone.is_current for milestone in assessed)
                and (others := other_targets(targets))
            ):
                Terminal().print(Text(f"Milestones may be of another kind: {', '.join(others)}", style="dim"))
            for line in dict.fromkeys(line for state in read_states(engine) for line in state.limitations):
                print_error(line)
            exit_with(report_failures(engine))
