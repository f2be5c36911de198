"""`milesync report`: render the static site from the database, without asking a tracker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sync.cli.options import DEFAULT, AsOf, Config, Json, Readers, Verbose, parse_as_of, print_json

__all__ = ["report"]


def report(
    out: Annotated[Path | None, typer.Option("--out", help="The folder to write to.", metavar="DIR")] = None,
    audience: Readers = None,
    config: Config = DEFAULT,
    as_of: AsOf = "",
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Write the milestones as a static site. It needs no server and loads nothing from other sites."""
    from sync.cli.session import open_engine

    with open_engine(config, verbose=verbose, as_json=as_json, create=False, offline=True) as (engine, settings):
        from sync.cli.audiences import find_audience
        from sync.cli.site import write_report
        from sync.cli.terminal import Terminal
        from sync.report.phrases import plural

        folder = out or settings.report_folder()
        if folder is None:
            raise typer.BadParameter("no folder for the report; use --out, or set report.out in the configuration")
        name = settings.report.audience if audience is None else audience
        site = write_report(engine, folder, parse_as_of(as_of), find_audience(name, settings, engine))
        if as_json:
            print_json({"out": str(folder), **site})
        else:
            Terminal().print(f"{plural(site['pages'], 'milestone page')} in {folder / 'index.html'}", soft_wrap=True)
