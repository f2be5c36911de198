"""`milesync timeline`: dependencies between milestones, their dates, and the critical chain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sync.cli.options import (
    DEFAULT,
    ERROR,
    AsOf,
    Config,
    Json,
    Verbose,
    named_file,
    parse_as_of,
    print_error,
    print_json,
)

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
    """Show which milestone waits for which, from the database: dates with delays passed on, and the critical chain."""
    from sync.cli.session import open_engine

    with open_engine(config, verbose=verbose, as_json=as_json, create=False, offline=True) as (engine, settings):
        from sync.cli.schedule_table import schedule_table
        from sync.cli.terminal import Terminal
        from sync.report.timeline import build_schedule, icalendar, mermaid
        from sync.store.private_file import write_private

        at = parse_as_of(as_of)
        with engine.store.one_state():
            engine.assess(at, keep=False, has_levers=False)
        assert engine.portfolio is not None
        dates = build_schedule(engine.portfolio, at or engine.clock(), engine.rules.calendar)
    if ics is not None:
        try:
            with named_file(ics):
                write_private(ics, icalendar(dates, settings.instance))
        except ImportError:
            from sync.installation import missing_extra

            print_error(missing_extra("iCalendar", "timeline"))
            raise typer.Exit(ERROR) from None
    if as_json:
        print_json(dates)
    elif gantt:
        typer.echo(mermaid(dates), nl=False)
    else:
        Terminal().print(schedule_table(dates))
