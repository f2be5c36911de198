"""`milesync report`: the static site, made from the store without asking a tracker."""

from __future__ import annotations

from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from sync import log
from sync.audience import EVERYBODY, Audience
from sync.cli import show
from sync.cli.options import DEFAULT, AsOf, Config, Json, Verbose, moment, print_json
from sync.cli.readers import reader
from sync.cli.work import configured
from sync.engine import Engine
from sync.sentences import plural

__all__ = ["report"]

For = Annotated[
    str,
    typer.Option(
        "--audience",
        help="public, one of the configuration, or a project (gh:acme/app): only what they may see.",
        metavar="NAME",
    ),
]


def report(
    out: Annotated[Path, typer.Option("--out", help="The folder to write it to.", metavar="DIR")],
    audience: For = "",
    config: Config = DEFAULT,
    as_of: AsOf = "",
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Write the milestones as pages to look at: a static site that needs no server and fetches nothing."""
    with configured(config, verbose=verbose, as_json=as_json, create=False, offline=True) as (engine, settings):
        made = write(engine, out, moment(as_of), reader(audience, settings, engine))
        if as_json:
            print_json({"out": str(out), **made})
        else:
            Console().print(f"{plural(made['pages'], 'milestone page')} in {out / 'index.html'}", soft_wrap=True)


def write(engine: Engine, out: Path, at: datetime | None, audience: Audience = EVERYBODY) -> dict[str, int]:
    """Make the report for an audience, now or as of a time; how many pages, files and bytes. Bad usage raises."""
    if find_spec("jinja2") is None or find_spec("vl_convert") is None:
        raise typer.BadParameter("the report needs the extra `site`: pip install 'milesync[site]'")
    from sync.site.build import build
    from sync.site.gather import gather

    contents = gather(engine.store, engine.sources, at or engine.clock(), engine.rules, audience, replay=at is not None)
    data = msgspec.json.format(
        msgspec.json.encode({"milestones": show.rows(contents.assessed, contents.joints)}), indent=2
    ).decode()
    made = build(contents, out, f"{log.secrets.redact(data)}\n".encode())
    return {"pages": made.pages, "files": made.files, "bytes": made.bytes}
