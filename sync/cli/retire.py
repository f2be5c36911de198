"""`milesync retire`: remove everything that this instance wrote."""

from __future__ import annotations

import dataclasses

from msgspec import structs

from sync.cli.options import DEFAULT, Config, Json, Verbose, Yes

__all__ = ["retire"]


def retire(yes: Yes = False, config: Config = DEFAULT, as_json: Json = False, verbose: Verbose = False) -> None:
    """Remove everything that this instance ever wrote in the configured projects. Shows the plan first.

    Deletes its comments and labels, and closes the status issues that it opened. Keeps what people wrote or edited.
    """
    from sync.cli.session import open_engine

    with open_engine(config, verbose=verbose, as_json=as_json, create=False) as (engine, _):
        from sync.cli.handover import carry_out
        from sync.engine import handover
        from sync.engine.instance import former_instance

        engine.connections = [structs.replace(connection, admits=_every_title) for connection in engine.connections]
        engine.pull()
        assessed = engine.assess(keep=False)
        instance, former = engine.instance, former_instance(engine.store, engine.instance)
        if former:  # after a change of instance, what the former one wrote is removed
            engine = dataclasses.replace(engine, instance=former)
        plan, unreached = handover.retire(engine, assessed)
        engine.leftovers += unreached
        carry_out(engine, assessed, plan, instance=instance, yes=yes, as_json=as_json, more={})


def _every_title(_project: str, _title: str) -> bool:
    return True
