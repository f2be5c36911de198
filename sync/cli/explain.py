"""`milesync explain`: the numbers behind one milestone's health."""

from __future__ import annotations

from typing import Annotated

import typer

from sync.cli.options import DEFAULT, AsOf, Config, Json, Verbose, parse_as_of, print_json

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
    """Show a milestone's verdict, the reasons for it, and the issues that need someone.

    With -v, how the forecast was computed: votes, earlier milestones, bound, dates, reasons and levers. With --all or
    --json, every number, with the items and the history used.
    """
    from sync.cli.session import open_engine

    with open_engine(config, verbose=verbose, as_json=as_json, create=False, offline=True) as (engine, _):
        from sync.assess.explain import explain_milestone
        from sync.cli import explanation as views
        from sync.cli.terminal import Terminal
        from sync.report.facts import build_facts

        with engine.store.one_state():
            snapshot = engine.snapshot(parse_as_of(as_of)).limit_forecasts((milestone,))
            explanation = explain_milestone(snapshot, engine.store, milestone)
        if explanation is None:
            raise typer.BadParameter(f"no milestone {milestone!r} in the database; `milesync status` lists them")
        if as_json:
            print_json(explanation.numbers)
            return
        terminal = Terminal()
        if every or (verbose and explanation.milestone is None):
            terminal.print(views.explanation_tree(milestone, explanation))
        elif explanation.joint is not None:
            terminal.print(views.joint_explanation(explanation.joint))
        elif explanation.milestone is not None and not verbose:
            facts = build_facts(explanation.milestone, now=explanation.health.at)
            terminal.print(views.short_explanation(facts, has_hyperlinks=terminal.is_terminal))
        else:
            terminal.print(views.explanation_view(milestone, explanation))
