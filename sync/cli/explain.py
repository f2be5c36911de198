"""`milesync explain`: the numbers behind one milestone's health."""

from __future__ import annotations

from typing import Annotated

import typer

from sync.assess.explain import explain_milestone
from sync.cli.explanation import explanation_tree, explanation_view
from sync.cli.options import DEFAULT, AsOf, Config, Json, Verbose, parse_as_of, print_json
from sync.cli.session import open_engine
from sync.cli.terminal import Terminal

__all__ = ["explain"]

Milestone = Annotated[str, typer.Argument(help="gh:acme/app#12, gl:acme/api%2.0 or jira:PAY/2.0")]

Every = Annotated[bool, typer.Option("--all", help="Show every number, as a tree.")]


def explain(
    milestone: Milestone,
    config: Config = DEFAULT,
    as_of: AsOf = "",
    every: Every = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show how a milestone's health comes about: votes, earlier milestones, bound, dates, reasons and levers.

    With --all or --json, every number, with the items and the history used.
    """
    with open_engine(config, verbose=verbose, as_json=as_json, create=False, offline=True) as (engine, _):
        explanation = explain_milestone(engine.snapshot(parse_as_of(as_of)), engine.store, milestone)
        if explanation is None:
            raise typer.BadParameter(f"no milestone {milestone!r} in the store; `milesync status` lists them")
        if as_json:
            print_json(explanation.numbers)
        elif every or explanation.is_joint:
            Terminal().print(explanation_tree(milestone, explanation))
        else:
            Terminal().print(explanation_view(milestone, explanation))
