"""`milesync adopt`: take over what a former account wrote."""

from __future__ import annotations

from typing import Annotated

import typer

from sync.cli.options import DEFAULT, Config, Json, Verbose, Yes

__all__ = ["adopt"]

Former = Annotated[
    list[str] | None,
    typer.Option("--from", help="The account that wrote before; repeat for several.", metavar="ACCOUNT"),
]


def adopt(
    former: Former = None, yes: Yes = False, config: Config = DEFAULT, as_json: Json = False, verbose: Verbose = False
) -> None:
    """Take over what another account wrote for this instance, after a change of token. Shows the plan first.

    Posts a new summary with the present account, and deletes the former account's summary where that is allowed. The
    same holds for its status update on a project board. After a change of `instance`, the texts of the former instance
    get the new name.
    """
    from sync.cli.session import open_engine

    with open_engine(config, verbose=verbose, as_json=as_json, create=False) as (engine, _):
        from sync.cli.handover import carry_out
        from sync.cli.terminal import Terminal
        from sync.engine import handover
        from sync.model.characters import one_line
        from sync.report import phrases

        engine.hands_over = True
        engine.pull()
        assessed = engine.assess(keep=False)
        claims = handover.find_claims(engine, assessed)
        accounts = former or list(claims.accounts)
        if yes and not former and len(accounts) > 1:
            raise typer.BadParameter(
                f"{', '.join(accounts)} wrote comments with this instance's marker; name the former account with --from"
            )
        plan = handover.adopt(engine, assessed, claims, accounts, remember=yes)
        rows = [
            {"account": claim.author, "milestone": milestone.written, "what": what}
            for what, claimed in (
                ("status issue", claims.issues),
                ("summary", claims.summaries),
                ("status update", claims.updates),
            )
            for milestone, claim in claimed
        ]
        if not as_json:
            for account, count in claims.accounts.items():
                Terminal().print(
                    f"{one_line(account)} wrote {phrases.plural(count, 'text')} with this instance's marker."
                )
        carry_out(engine, assessed, plan, instance=engine.instance, yes=yes, as_json=as_json, more={"found": rows})
