"""A milestone's health before and after the changes of `milesync whatif`, as a table or a JSON document."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from sync.assess.whatif import Answer, Scenario
from sync.cli.indented import Indented
from sync.cli.output import status_cell
from sync.cli.table import FittedTable, TableColumn, TableRow
from sync.markup.document import clean
from sync.model.health import Health, Status
from sync.report.leftover import leftover_range, usual_odds, usual_sentence
from sync.report.phrases import STATUS, date_or_end, day, percent, promise_sentences, sure_date
from sync.report.verdict import replan_sentence

__all__ = ["comparison", "comparison_document", "is_replanned"]


def comparison_document(scenario: Scenario, answer: Answer) -> dict[str, Any]:
    """Return the health before and after as a JSON document."""
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


def is_replanned(health: Health) -> bool:
    """Return whether only the move of its due date keeps a milestone from being on track."""
    return health.band is Status.ON_TRACK and health.replan is not None


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
    if is_replanned(answer.after):
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
        date_or_end(dates.p50, dates.horizon) or "none",
        sure_date(dates.p85, dates.horizon) or "none",
        str(health.counts.on_page.open),
    )


def _promised(health: Health) -> str:
    on = None if health.promise is None else health.promise.p70
    return sure_date(on, health.dates.horizon if health.promise else None) or "none"


def _left(health: Health) -> str:
    return "" if health.leftover is None else leftover_range(health.leftover)


def _brief(health: Health) -> str:
    odds = "" if health.probability is None else f" {percent(health.probability)}"
    return f"{STATUS[health.status]}{odds}"
