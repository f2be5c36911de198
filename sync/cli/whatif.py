"""`milesync whatif`: the effect of a change before it is made in the tracker."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from sync.assess.whatif import Answer, Scenario, UnknownError
from sync.assess.whatif import whatif as answer_scenario
from sync.cli.indented import Indented
from sync.cli.options import DEFAULT, AsOf, Config, Json, Verbose, parse_as_of, print_json
from sync.cli.output import status_cell
from sync.cli.session import open_engine
from sync.cli.table import FittedTable, TableColumn, TableRow
from sync.cli.terminal import Terminal
from sync.markup.document import clean
from sync.model.health import Health, Status
from sync.report.leftover import leftover_range, usual_odds, usual_sentence
from sync.report.phrases import STATUS, date_or_end, day, percent, promise_sentences
from sync.report.verdict import replan_sentence

__all__ = ["comparison", "whatif"]

Milestone = Annotated[str, typer.Argument(help="gh:acme/app#12, gl:acme/api%2.0, jira:PAY/2.0 or joint:NAME")]
Drop = Annotated[
    list[str] | None, typer.Option("--drop", help="Remove this open issue; repeat for more.", metavar="KEY")
]
Due = Annotated[str, typer.Option("--due", help="Set another due date.", metavar="DATE")]
Holiday = Annotated[
    list[str] | None, typer.Option("--add-holiday", help="Add a day off; repeat for more.", metavar="DATE")
]


def whatif(
    milestone: Milestone,
    drop: Drop = None,
    due: Due = "",
    add_holiday: Holiday = None,
    config: Config = DEFAULT,
    as_of: AsOf = "",
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show the effect of a change on a milestone, from the store. Writes nothing."""
    scenario = Scenario(
        milestone,
        drop=tuple(drop or ()),
        due=_date(due) if due else None,
        days_off=tuple(_date(name) for name in add_holiday or ()),
    )
    with open_engine(config, verbose=verbose, as_json=as_json, create=False, offline=True) as (engine, _):
        at = parse_as_of(as_of)
        try:
            answer = answer_scenario(
                engine.store, engine.connections, at or engine.clock(), engine.rules, scenario, replay=at is not None
            )
        except UnknownError as error:
            raise typer.BadParameter(str(error)) from None
    if as_json:
        print_json(_document(scenario, answer))
    else:
        Terminal().print(comparison(scenario, answer))


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date such as 2026-03-15") from None


def _document(scenario: Scenario, answer: Answer) -> dict[str, Any]:
    return {
        "id": scenario.written,
        "dropped": [issue.key for issue in answer.dropped],
        "due": scenario.due,
        "days_off": scenario.days_off,
        "before": _row(answer.before),
        "after": _row(answer.after),
        "others": [
            {"id": written, "before": _row(before), "after": _row(after)}
            for written, (before, after) in answer.others.items()
        ],
    }


def _row(health: Health) -> dict[str, Any]:
    return {
        "status": health.status,
        "band": health.band,
        "probability": health.probability,
        "due": health.due,
        "p50": health.dates.p50,
        "p85": health.dates.p85,
        "p95": health.dates.p95,
        "horizon": health.dates.horizon,
        "promise": health.promise,
        "leftover": health.leftover,
        "usual": health.usual,
        "open": health.counts.on_page.open,
        "closed": health.counts.on_page.closed,
        "carried": health.counts.on_page.carried,
    }


def comparison(scenario: Scenario, answer: Answer) -> Group:
    """Show the health before and after the changes, side by side, and the other milestones that they affect."""
    healths = (answer.before, answer.after)
    rows = list(zip(_NAMES, *map(_cells, healths), strict=True))
    if any(health.promise is not None for health in healths):
        rows.insert(_NAMES.index("85% sure"), ("70% sure", *map(_promised, healths)))
    if any(health.leftover is not None for health in healths):
        rows.append(("left when due", *map(_left, healths)))
    if any(usual_odds(health) for health in healths):
        rows.append(("usual or less left", *(usual_odds(health) or "" for health in healths)))
    table = FittedTable(
        [TableColumn(""), TableColumn("before")],
        "after",
        [TableRow((name, before), after, name_style="bold" if before != after else "") for name, before, after in rows],
    )
    lines: list[RenderableType] = [Text(clean(scenario.written), style="bold"), table]
    promise = promise_sentences(answer.after) or promise_sentences(answer.before)
    if promise is not None:
        lines.append(Indented(Text(promise[1], style="dim"), 2))
    usual = usual_sentence(answer.after) or usual_sentence(answer.before)
    if usual is not None:
        lines.append(Indented(Text(usual, style="dim"), 2))
    if answer.dropped:
        keys = ", ".join(clean(issue.key) for issue in answer.dropped)
        lines.append(Indented(Text(f"without {keys}", style="dim"), 2))
    if answer.after.band is Status.ON_TRACK and answer.after.replan is not None:
        lines.append(Indented(Text(replan_sentence(), style="dim"), 2))
    lines += [
        Indented(Text(f"also {clean(written)}: {' → '.join(map(_brief, pair))}", style="dim"), 2)
        for written, pair in answer.others.items()
    ]
    return Group(*lines)


_NAMES = ("status", "in time", "due", "most likely", "85% sure", "open issues")


def _cells(health: Health) -> tuple[str, ...]:
    dates = health.dates
    return (
        status_cell(health.status),
        "" if health.probability is None else percent(health.probability),
        "none" if health.due is None else day(health.due),
        *(date_or_end(on, dates.horizon) or "none" for on in (dates.p50, dates.p85)),
        str(health.counts.on_page.open),
    )


def _promised(health: Health) -> str:
    on = None if health.promise is None else health.promise.p70
    return date_or_end(on, health.dates.horizon if health.promise else None) or "none"


def _left(health: Health) -> str:
    return "" if health.leftover is None else leftover_range(health.leftover)


def _brief(health: Health) -> str:
    odds = "" if health.probability is None else f" {percent(health.probability)}"
    return f"{STATUS[health.status]}{odds}"
