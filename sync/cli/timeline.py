"""`milesync timeline`: dependencies between milestones, their dates, and the critical chain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.text import Text

from sync.cli.options import (
    DEFAULT,
    ERROR,
    AsOf,
    Config,
    Json,
    Verbose,
    missing_extra,
    parse_as_of,
    print_error,
    print_json,
)
from sync.cli.session import open_engine
from sync.markup.document import SIGNS, clean
from sync.report.phrases import STATUS, against, day, percent, plural
from sync.report.timeline import Schedule, TimelineEntry, build_schedule, icalendar, mermaid

__all__ = ["timeline"]

Ics = Annotated[Path | None, typer.Option("--ics", help="Write the dates as iCalendar.", metavar="FILE")]
Gantt = Annotated[bool, typer.Option("--mermaid", help="Print a Mermaid gantt chart.")]


def timeline(
    config: Config = DEFAULT,
    as_of: AsOf = "",
    ics: Ics = None,
    gantt: Gantt = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show which milestone waits for which, from the store: dates with delays passed on, and the critical chain."""
    with open_engine(config, verbose=verbose, as_json=as_json, create=False, offline=True) as (engine, settings):
        at = parse_as_of(as_of)
        engine.assess(at, keep=False)
        assert engine.portfolio is not None
        dates = build_schedule(engine.portfolio, at or engine.clock(), engine.rules.calendar)
    if ics is not None:
        try:
            ics.write_bytes(icalendar(dates, settings.instance))
        except ImportError:
            print_error(missing_extra("iCalendar", "timeline"))
            raise typer.Exit(ERROR) from None
        except OSError as error:
            print_error(f"{ics}: {error.strerror or error}")
            raise typer.Exit(ERROR) from None
    if as_json:
        print_json(dates)
    elif gantt:
        typer.echo(mermaid(dates), nl=False)
    else:
        Console().print(_schedule_lines(dates))


def _schedule_lines(dates: Schedule) -> Group:
    lines: list[Text] = []
    for entry in dates.milestones:
        lines += _entry_lines(entry, critical=entry.id in dates.critical)
    if dates.critical:
        lines.append(Text.assemble(("Critical chain: ", "bold"), " → ".join(map(clean, dates.critical))))
    else:
        lines.append(Text("No milestone is delayed by another one.", style="dim"))
    return Group(*lines)


def _entry_lines(entry: TimelineEntry, *, critical: bool) -> list[Text]:
    due = day(entry.due) if entry.due else "no due date"
    odds = "" if entry.probability is None else f", {percent(entry.probability)} likely"
    name = entry.id if entry.title in entry.id else f"{entry.id} ({entry.title})"
    lines = [Text(f"{SIGNS[entry.status]} {due}  {clean(name)}", style="bold" if critical else "")]
    notes = [f"{STATUS[entry.status]}{odds}"]
    if entry.p85 is not None:
        notes.append(
            f"with 85% certainty by {day(entry.p85)}{f' ({against(entry.p85, entry.due)})' if entry.due else ''}"
        )
    lines.append(Text(f"    {'; '.join(notes)}", style="dim"))
    if entry.members:
        lines.append(Text(f"    made of {', '.join(map(clean, entry.members))}", style="dim"))
    for wait in entry.after:
        why = f" ({plural(wait.issues, 'blocked issue')})" if wait.issues else ""
        share = f", sets its date with {percent(wait.sets_the_date)}" if wait.sets_the_date else ""
        lines.append(Text(f"    waits for {clean(wait.id)}{why}{share}", style="dim"))
    if round(entry.days_lost):
        lines.append(Text(f"    loses {plural(round(entry.days_lost), 'day')} to what it waits for", style="dim"))
    return lines
