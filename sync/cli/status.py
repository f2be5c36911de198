"""`milesync status`: the milestones in the database, without asking a tracker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec import Struct

from sync.cli.options import DEFAULT, AsOf, Config, Json, Readers, Verbose, parse_as_of, print_json

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import RenderableType

    from config.settings import Settings
    from sync.assess.milestone import AssessedMilestone
    from sync.assess.portfolio import AssessedJointMilestone
    from sync.engine.engine import Engine
    from sync.engine.metrics import ReadState
    from sync.model.portfolio_finding import PortfolioFinding

__all__ = ["status"]

MAX_FINDINGS = 10
"""Maximum number of findings about the portfolio on the terminal; the others are counted."""

Every = Annotated[bool, typer.Option("--all", help="Show finished milestones too.")]
Calibration = Annotated[bool, typer.Option("--calibration", help="Show how good past forecasts were.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="One table in Markdown, as for the summary of a job.")]


class StatusContents(Struct, frozen=True):
    """Contents of one status. ``obstacles``: causes that only a person can clear, as rows of the JSON document."""

    milestones: Sequence[AssessedMilestone]
    joints: Sequence[AssessedJointMilestone]
    findings: Sequence[PortfolioFinding]
    sources: Sequence[ReadState] = ()
    obstacles: Sequence[Mapping[str, str]] = ()


def status(
    config: Config = DEFAULT,
    audience: Readers = None,
    as_of: AsOf = "",
    every: Every = False,
    calibration: Calibration = False,
    markdown: Markdown = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show the milestones from the database, without asking a tracker."""
    from sync.cli.session import open_engine

    if calibration and (audience or markdown):
        raise typer.BadParameter("--calibration is for the operator, as a table or as JSON; leave out the other option")
    if markdown and as_json:
        raise typer.BadParameter("choose --json or --markdown")
    with open_engine(config, verbose=verbose, as_json=as_json, create=False, offline=True) as (engine, settings):
        at = parse_as_of(as_of)
        if calibration:
            _show_calibration(engine, at, as_json=as_json)
            return
        with engine.store.one_state():
            contents = _contents_for(audience, engine, settings, at) if audience else _contents(engine, at)
        if as_json:
            print_json(_document(contents))
        elif markdown:
            from sync.cli.markdown_table import markdown_table
            from sync.cli.terminal import Terminal

            Terminal().print(markdown_table(contents.milestones, contents.joints, every=every), soft_wrap=True)
        else:
            _show(contents, engine, every=every)


def _show_calibration(engine: Engine, at: datetime | None, *, as_json: bool) -> None:
    from sync.cli import output
    from sync.cli.terminal import Terminal

    scores = engine.snapshot(at).scores
    if as_json:
        print_json({"streams": output.score_rows(scores)})
    else:
        Terminal().print(output.score_lines(scores))


def _contents(engine: Engine, at: datetime | None) -> StatusContents:
    """Read everything, for the operator."""
    from sync.assess.portfolio_findings import find_in_portfolio
    from sync.cli import output
    from sync.engine.metrics import read_states

    assessed = engine.assess(at, keep=False, has_levers=False)
    assert engine.portfolio is not None
    return StatusContents(
        assessed,
        engine.joints,
        find_in_portfolio(engine.store, engine.portfolio, replay=at is not None),
        read_states(engine),
        output.obstacle_rows(engine.store.obstacles(), assessed),
    )


def _contents_for(name: str, engine: Engine, settings: Settings, at: datetime | None) -> StatusContents:
    """Read what a named audience may see. The state of the connections and obstacles are for the operator alone."""
    from sync.assess.portfolio_findings import find_in_portfolio
    from sync.assess.relations import build_portfolio
    from sync.assess.shown import shown_to
    from sync.cli.audiences import find_audience

    audience = find_audience(name, settings, engine)
    portfolio = build_portfolio(engine.snapshot(at, audience).limit_levers(()))
    findings = find_in_portfolio(engine.store, portfolio, audience, replay=at is not None)
    return StatusContents(*shown_to(audience, portfolio), findings)


def _document(contents: StatusContents) -> dict[str, Any]:
    from sync.cli import output
    from sync.report.portfolio_findings import portfolio_finding_rows

    return {
        **output.status_document(contents.milestones, contents.joints),
        "findings": portfolio_finding_rows(contents.findings),
        "sources": contents.sources,
        "obstacles": contents.obstacles,
    }


def _show(contents: StatusContents, engine: Engine, *, every: bool) -> None:
    from sync.cli import output
    from sync.cli.terminal import Terminal

    terminal = Terminal()
    terminal.print(output.milestone_table(contents.milestones, contents.joints, every=every, lint=True))
    for line in _finding_lines(contents.findings):
        terminal.print(line)
    last_lines = output.last_read_lines(contents.sources, engine.clock())
    for line in (*last_lines, *output.obstacle_lines(contents.obstacles)):
        terminal.print(line)


def _finding_lines(findings: Sequence[PortfolioFinding]) -> Iterator[RenderableType]:
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
