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
from sync.audience import Audience
from sync.cli import engines
from sync.cli.options import DEFAULT, REFUSED, AsOf, Config, Json, Verbose, end, moment, print_json, tell_error
from sync.cli.readers import named
from sync.cli.work import configured
from sync.digest.channels import AppriseChannel, Channel, FileChannel
from sync.digest.days import Rhythm
from sync.digest.language import language
from sync.digest.sentences import Speaker
from sync.digest.telling import Milestones, Outcome, Receiver, State, previewed, told
from sync.engine import Engine
from sync.log import secrets
from sync.markup.quiet import text_letter

__all__ = ["digest", "rows", "sent"]

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
    with configured(config, verbose=verbose, as_json=as_json, create=False, offline=True) as (engine, settings):
        at, chosen = moment(as_of), _chosen(settings, audience or [])
        if send and at is not None:
            raise typer.BadParameter("--send tells how things stand now; leave --as-of out")
        if send and settings.overall_policy() is Policy.PLAN:
            tell_error("refused: the policy is plan, so nothing is sent")
            end(REFUSED)
        where = Milestones(engine.store, engine.sources, engine.rules, at or engine.clock(), replay=at is not None)
        made = [
            outcome
            for one in _receivers(settings, chosen, where)
            for outcome in (told(where, one, engine.run_id) if send else previewed(where, one))
        ]
        if as_json:
            print_json({"digests": rows(made)})
        else:
            Console().print(*_lines(made), sep="\n", soft_wrap=True)
        _tell_failures(made)


def sent(engine: Engine, settings: Settings) -> list[Outcome]:
    """Send what is due at the end of a run, where the policy lets it. Whatever happens, the run has done its work."""
    if settings.overall_policy() is Policy.PLAN:
        return []
    made: list[Outcome] = []
    try:
        where = Milestones(engine.store, engine.sources, engine.rules, engine.clock())
        for one in _receivers(settings, _chosen(settings, []), where):
            made += told(where, one, engine.run_id)
    except Exception:
        log.exception("the digests were not all made")
        tell_error("the digests were not all made; the log says why")
    _tell_failures(made)
    return made


def rows(made: Iterable[Outcome]) -> list[dict[str, Any]]:
    """What became of each channel, as other programs read it."""
    return [
        {
            "audience": one.audience,
            "channel": one.channel,
            "state": one.state,
            "day": one.day,
            "subject": one.letter.subject if one.letter else "",
            "text": text_letter(one.letter.document) if one.letter else "",
            "error": one.words,
        }
        for one in made
    ]


def _chosen(settings: Settings, wanted: list[str]) -> list[str]:
    known = [name for name, one in settings.audiences.items() if one.digest]
    for name in wanted:
        if name not in known:
            there = f"there is {', '.join(known)}" if known else "the configuration has no [audiences.NAME.digest]"
            raise typer.BadParameter(f"no audience {name!r} has a digest; {there}")
    return wanted or known


def _receivers(settings: Settings, names: Iterable[str], where: Milestones) -> Iterator[Receiver]:
    audiences = named(settings)
    for name in names:
        one = settings.audiences[name].digest
        assert one is not None
        zone = ZoneInfo(one.timezone)
        calendar = engines.calendar(one.calendar) if one.calendar else where.book.calendar
        weekday = engines.weekday(one.weekday) if one.every == "week" else None
        rhythm = Rhythm(calendar, zone, one.at, weekday)
        channels: dict[str, Channel] = {
            channel: AppriseChannel(partial(_address, settings, name, channel)) for channel in one.channels
        }
        path = settings.digest_file(name, rhythm.due(where.at) or where.at.astimezone(zone).date())
        if path is not None:
            channels["file"] = FileChannel(path)
        audience: Audience = audiences[name]
        yield Receiver(audience, rhythm, Speaker(language(one.language), one.style), channels)


def _address(settings: Settings, audience: str, channel: str) -> str:
    """A channel's address, hidden from every log from now on."""
    found = settings.channel(audience, channel, os.environ).get_secret_value()
    secrets.register(found)
    return found


# --- what a person sees -----------------------------------------------------------------------------------------------

_STATES = {
    State.NEWS: "",
    State.QUIET: "nothing to say",
    State.NOT_DUE: "not due today",
    State.TOLD: "has had its message",
    State.SENT: "sent",
    State.REFUSED: "not sent",
    State.UNSURE: "perhaps sent",
}


def _lines(made: Iterable[Outcome]) -> Iterator[Text]:
    last = None
    for one in made:
        over = f" over {one.channel}" if one.channel else ""
        state = f": {_STATES[one.state]}" if _STATES[one.state] else ""
        yield Text(f"To {one.audience}{over}{state}", style="bold")
        text = text_letter(one.letter.document) if one.letter else ""
        if one.letter is not None and one.state is State.NEWS and text != last:
            yield Text(f"\n{one.letter.subject}\n\n{text}\n")
        last = text or last
    if last is None and not made:
        yield Text("No audience has a digest; see [audiences.NAME.digest] in the configuration.")


def _tell_failures(made: Iterable[Outcome]) -> None:
    for one in made:
        if one.words:
            log.warning("digest", audience=one.audience, channel=one.channel, state=one.state, error=one.words)
            tell_error(f"digest to {one.audience} over {one.channel}: {one.words}")
