"""`milesync explain`: the numbers behind one milestone's health."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sync.cli.options import DEFAULT, AsOf, Config, Json, Verbose, parse_as_of, print_json

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sync.assess.explain import Explanation
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
    """Show a milestone's verdict, the reasons for it, and the issues that need someone.

    With -v, how the forecast was computed: votes, earlier milestones, bound, dates, reasons and levers. With --all or
    --json, every number, with the items and the history used.
    """
    from sync.cli.session import open_engine

    with open_engine(config, verbose=verbose, as_json=as_json, create=False, offline=True) as (engine, _):
        from sync.assess.explain import explain_milestone
        from sync.cli.terminal import Terminal

        terminal = Terminal()
        with engine.store.one_state():
            snapshot = engine.snapshot(parse_as_of(as_of)).limit_forecasts((milestone,))
            explanation = explain_milestone(snapshot, engine.store, milestone)
            if explanation is None:
                raise typer.BadParameter(f"no milestone {milestone!r} in the database; `milesync status` lists them")
            view = None if as_json else _view(milestone, explanation, terminal, every=every, verbose=verbose)
        if as_json:
            print_json(explanation.numbers)
        else:
            terminal.print(view)


def _view(
    milestone: str, explanation: Explanation, terminal: Terminal, *, every: bool, verbose: bool
) -> RenderableType:
    """Return what the terminal shows. Reads the titles of the issues that it names."""
    from sync.cli import explanation as views
    from sync.report.facts import build_facts

    if every or (verbose and explanation.milestone is None):
        return views.explanation_tree(milestone, explanation)
    if explanation.joint is not None:
        return views.joint_explanation(explanation.joint)
    if explanation.milestone is not None and not verbose:
        facts = build_facts(explanation.milestone, now=explanation.health.at)
        return views.short_explanation(facts, has_hyperlinks=terminal.is_terminal)
    return views.explanation_view(milestone, explanation)
