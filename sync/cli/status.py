"""`milesync status`: the milestones in the database, without asking a tracker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from sync.cli.options import DEFAULT, AsOf, Config, Json, Verbose, parse_as_of, print_json

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sync.model.portfolio_finding import PortfolioFinding

__all__ = ["status"]

MAX_FINDINGS = 10
"""Maximum number of findings about the portfolio on the terminal; the others are counted."""

Every = Annotated[bool, typer.Option("--all", help="Show finished milestones too.")]
Calibration = Annotated[bool, typer.Option("--calibration", help="Show how good past forecasts were.")]


def status(
    config: Config = DEFAULT,
    as_of: AsOf = "",
    every: Every = False,
    calibration: Calibration = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show the milestones from the database, without asking a tracker."""
    from sync.cli.session import open_engine

    with open_engine(config, verbose=verbose, as_json=as_json, create=False, offline=True) as (engine, _):
        from sync.assess.portfolio_findings import find_in_portfolio
        from sync.cli import output
        from sync.cli.terminal import Terminal
        from sync.engine.metrics import read_states
        from sync.report.portfolio_findings import portfolio_finding_rows

        at = parse_as_of(as_of)
        if calibration:
            scores = engine.snapshot(at).scores
            if as_json:
                print_json({"streams": output.score_rows(scores)})
            else:
                Terminal().print(output.score_lines(scores))
            return
        assessed = engine.assess(at, keep=False, has_levers=False)
        states = read_states(engine)
        obstacles = output.obstacle_rows(engine.store.obstacles(), assessed)
        assert engine.portfolio is not None
        findings = find_in_portfolio(engine.store, engine.portfolio, replay=at is not None)
        if as_json:
            rows = output.milestone_rows(assessed, engine.joints)
            rendered = portfolio_finding_rows(findings)
            print_json({"milestones": rows, "findings": rendered, "sources": states, "obstacles": obstacles})
        else:
            terminal = Terminal()
            terminal.print(output.milestone_table(assessed, engine.joints, every=every, lint=True))
            for line in finding_lines(findings):
                terminal.print(line)
            for line in (*output.last_read_lines(states, engine.clock()), *output.obstacle_lines(obstacles)):
                terminal.print(line)


def finding_lines(findings: Sequence[PortfolioFinding]) -> Iterator[RenderableType]:
    """Yield a heading and one line for each of the first findings about the portfolio; nothing without findings."""
    from rich.text import Text

    from sync.cli.indented import Indented
    from sync.cli.lines import line_text
    from sync.report.phrases import plural
    from sync.report.portfolio_findings import portfolio_finding_line

    if not findings:
        return
    yield Text("\nBeyond single milestones", style="bold")
    for finding in findings[:MAX_FINDINGS]:
        yield Indented(line_text(portfolio_finding_line(finding), has_hyperlinks=False), 2, hanging=True)
    if len(findings) > MAX_FINDINGS:
        yield Text(f"{plural(len(findings) - MAX_FINDINGS, 'more finding')} in `status --json`", style="dim")
    yield Text("")
