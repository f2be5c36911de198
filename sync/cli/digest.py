"""`milesync digest`: what each audience is told, to look at or to send; and the same at the end of a run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import structlog
import typer
from rich.console import Console
from rich.text import Text

from config.settings import Policy, Settings
from sync.cli.audiences import configured_audiences
from sync.cli.options import (
    DEFAULT,
    REFUSED,
    AsOf,
    Config,
    Json,
    Verbose,
    exit_with,
    parse_as_of,
    print_error,
    print_json,
)
from sync.cli.session import open_engine
from sync.digest.cadence import Cadence
from sync.digest.channels import AppriseChannel, Channel, FileChannel
from sync.digest.language import load_language
from sync.digest.phrases import Speaker
from sync.digest.send import PortfolioSource, Receiver, SendOutcome, SendState, preview, send_due
from sync.engine.engine import Engine
from sync.history.calendar import Calendar
from sync.markup.message import text_message
from sync.model.audience import Audience
from sync.model.settings import iso_weekday
from sync.telemetry.log import secrets

__all__ = ["digest", "digest_rows", "send_digests"]

log = structlog.get_logger("milesync")

For = Annotated[
    list[str] | None,
    typer.Option("--audience", help="Only this one of the configuration; several times.", metavar="NAME"),
]
Send = Annotated[bool, typer.Option("--send", help="Send what is due. Without this, nothing is sent.")]


def digest(
    audience: For = None,
    send: Send = False,
    config: Config = DEFAULT,
    as_of: AsOf = "",
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show what each audience would be told now, from the store; or send what is due.

    A channel that fails is told on standard error and is no failure: what surely did not arrive is sent next time.
    """
    with open_engine(config, verbose=verbose, as_json=as_json, create=False, offline=True) as (engine, settings):
        at, chosen = parse_as_of(as_of), _audience_names(settings, audience or [])
        if send and at is not None:
            raise typer.BadParameter("--send tells how things stand now; leave --as-of out")
        if send and settings.overall_policy() is Policy.PLAN:
            print_error("refused: the policy is plan, so nothing is sent")
            exit_with(REFUSED)
        where = PortfolioSource(engine.store, engine.sources, engine.rules, at or engine.clock(), replay=at is not None)
        made = [
            outcome
            for receiver in _receivers(settings, chosen, where)
            for outcome in (send_due(where, receiver, engine.run_id) if send else preview(where, receiver))
        ]
        if as_json:
            print_json({"digests": digest_rows(made)})
        else:
            Console().print(*_lines(made), sep="\n", soft_wrap=True)
        _report_failures(made)


def send_digests(engine: Engine, settings: Settings) -> list[SendOutcome]:
    """Send what is due at the end of a run, where the policy lets it. Whatever happens, the run has done its work."""
    if settings.overall_policy() is Policy.PLAN:
        return []
    made: list[SendOutcome] = []
    try:
        where = PortfolioSource(engine.store, engine.sources, engine.rules, engine.clock())
        for receiver in _receivers(settings, _audience_names(settings, []), where):
            made += send_due(where, receiver, engine.run_id)
    except Exception:
        log.exception("the digests were not all made")
        print_error("the digests were not all made; the log says why")
    _report_failures(made)
    return made


def digest_rows(made: Iterable[SendOutcome]) -> list[dict[str, Any]]:
    """What became of each channel, as other programs read it."""
    return [
        {
            "audience": outcome.audience,
            "channel": outcome.channel,
            "state": outcome.state,
            "day": outcome.day,
            "subject": outcome.message.subject if outcome.message else "",
            "text": text_message(outcome.message.document) if outcome.message else "",
            "error": outcome.problem,
        }
        for outcome in made
    ]


def _audience_names(settings: Settings, wanted: list[str]) -> list[str]:
    known = [name for name, audience in settings.audiences.items() if audience.digest]
    for name in wanted:
        if name not in known:
            there = f"there is {', '.join(known)}" if known else "the configuration has no [audiences.NAME.digest]"
            raise typer.BadParameter(f"no audience {name!r} has a digest; {there}")
    return wanted or known


def _receivers(settings: Settings, names: Iterable[str], where: PortfolioSource) -> Iterator[Receiver]:
    audiences = configured_audiences(settings)
    for name in names:
        one = settings.audiences[name].digest
        assert one is not None
        zone = ZoneInfo(one.timezone)
        calendar = Calendar.of(one.calendar) if one.calendar else where.rules.calendar
        weekday = iso_weekday(one.weekday) if one.every == "week" else None
        rhythm = Cadence(calendar, zone, one.at, weekday)
        channels: dict[str, Channel] = {
            channel: AppriseChannel(partial(_address, settings, name, channel)) for channel in one.channels
        }
        path = settings.digest_file(name, rhythm.due(where.at) or where.at.astimezone(zone).date())
        if path is not None:
            channels["file"] = FileChannel(path)
        audience: Audience = audiences[name]
        yield Receiver(audience, rhythm, Speaker(load_language(one.language), one.style), channels)


def _address(settings: Settings, audience: str, channel: str) -> str:
    """A channel's address, hidden from every log from now on."""
    found = settings.channel(audience, channel, os.environ).get_secret_value()
    secrets.register(found)
    return found


# --- what a person sees -----------------------------------------------------------------------------------------------

_STATES = {
    SendState.NEWS: "",
    SendState.QUIET: "nothing to say",
    SendState.NOT_DUE: "not due today",
    SendState.ALREADY_SENT: "has had its message",
    SendState.SENT: "sent",
    SendState.REFUSED: "not sent",
    SendState.UNSURE: "perhaps sent",
}


def _lines(made: Iterable[SendOutcome]) -> Iterator[Text]:
    last = None
    for outcome in made:
        over = f" over {outcome.channel}" if outcome.channel else ""
        state = f": {_STATES[outcome.state]}" if _STATES[outcome.state] else ""
        yield Text(f"To {outcome.audience}{over}{state}", style="bold")
        text = text_message(outcome.message.document) if outcome.message else ""
        if outcome.message is not None and outcome.state is SendState.NEWS and text != last:
            yield Text(f"\n{outcome.message.subject}\n\n{text}\n")
        last = text or last
    if last is None and not made:
        yield Text("No audience has a digest; see [audiences.NAME.digest] in the configuration.")


def _report_failures(made: Iterable[SendOutcome]) -> None:
    for outcome in made:
        if outcome.problem:
            log.warning(
                "digest", audience=outcome.audience, channel=outcome.channel, state=outcome.state, error=outcome.problem
            )
            print_error(f"digest to {outcome.audience} over {outcome.channel}: {outcome.problem}")
