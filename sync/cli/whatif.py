"""`milesync whatif`: the effect of a change before it is made in the tracker."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from sync.cli.options import DEFAULT, AsOf, Config, Json, Verbose, parse_as_of, print_json

__all__ = ["whatif"]

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
    """Show the effect of a change on a milestone, from the database. Writes nothing."""
    from sync.cli.session import open_engine

    new_due, days_off = _date(due) if due else None, tuple(_date(name) for name in add_holiday or ())
    with open_engine(config, verbose=verbose, as_json=as_json, create=False, offline=True) as (engine, _):
        from sync.assess.whatif import Scenario, UnknownError
        from sync.assess.whatif import whatif as answer_scenario
        from sync.cli.comparison import comparison, comparison_document
        from sync.cli.terminal import Terminal

        scenario = Scenario(milestone, drop=tuple(drop or ()), due=new_due, days_off=days_off)
        at = parse_as_of(as_of)
        now, replay = at or engine.clock(), at is not None
        try:
            with engine.store.one_state():
                answer = answer_scenario(engine.store, engine.connections, now, engine.rules, scenario, replay=replay)
        except UnknownError as error:
            raise typer.BadParameter(str(error)) from None
    if as_json:
        print_json(comparison_document(scenario, answer))
    else:
        Terminal().print(comparison(scenario, answer))


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date such as 2026-03-15") from None
