"""Digests: make, send and print the messages to audiences, for `milesync digest` and at the end of a run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import typer
from rich.console import RenderableType
from rich.text import Text

from config.settings import Settings
from sync.cli.audiences import configured_audiences
from sync.cli.indented import Indented
from sync.cli.options import print_error
from sync.digest.cadence import Cadence
from sync.digest.channels import AppriseChannel, Channel, FileChannel
from sync.digest.phrases import Speaker
from sync.digest.send import PortfolioSource, Receiver, SendOutcome, SendState, preview, send_due
from sync.engine.engine import Engine
from sync.history.calendar import Calendar
from sync.markup.message import text_message
from sync.model.audience import Audience
from sync.model.dates import day_of
from sync.model.policy import Policy
from sync.model.settings import iso_weekday
from sync.report.language import load_language
from sync.telemetry.log import events as log

__all__ = ["audience_names", "digest_lines", "digest_rows", "make_digests", "report_problems", "send_digests"]


def make_digests(
    settings: Settings, names: Iterable[str], portfolio: PortfolioSource, run_id: str, *, send: bool
) -> list[SendOutcome]:
    """Make the digests of these audiences; ``send`` sends those that are due. Return the outcome of each channel."""
    return [
        outcome
        for receiver in _receivers(settings, names, portfolio)
        for outcome in (send_due(portfolio, receiver, run_id) if send else preview(portfolio, receiver))
    ]


def send_digests(engine: Engine, settings: Settings) -> list[SendOutcome]:
    """Send the digests that are due at the end of a run, if the policy allows it. An error does not fail the run."""
    if settings.overall_policy() is Policy.PLAN:
        return []
    outcomes: list[SendOutcome] = []
    try:
        portfolio = PortfolioSource(engine.store, engine.connections, engine.rules, engine.clock())
        outcomes += make_digests(settings, audience_names(settings, []), portfolio, engine.run_id, send=True)
    except Exception:
        log.exception("digests not complete")
        print_error("some digests were not made: an unexpected error; see `digests not complete` in the log")
    report_problems(outcomes)
    return outcomes


def digest_rows(outcomes: Iterable[SendOutcome]) -> list[dict[str, Any]]:
    """The outcome of each channel, as rows of the JSON document."""
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
        for outcome in outcomes
    ]


def audience_names(settings: Settings, requested: list[str]) -> list[str]:
    """The requested audiences, or all with a digest. Raises `typer.BadParameter` for one without a digest."""
    known = [name for name, audience in settings.audiences.items() if audience.digest]
    for name in requested:
        if name not in known:
            choice = f"these have: {', '.join(known)}" if known else "the configuration has no [audiences.NAME.digest]"
            raise typer.BadParameter(f"no audience {name!r} has a digest; {choice}")
    return requested or known


def _receivers(settings: Settings, names: Iterable[str], portfolio: PortfolioSource) -> Iterator[Receiver]:
    audiences = configured_audiences(settings)
    for name in names:
        table = settings.audiences[name].digest
        assert table is not None
        zone = ZoneInfo(table.timezone)
        calendar = Calendar.of(table.calendar) if table.calendar else portfolio.rules.calendar
        weekday = iso_weekday(table.weekday) if table.every == "week" else None
        cadence = Cadence(calendar, zone, table.at, weekday)
        channels: dict[str, Channel] = {
            channel: AppriseChannel(partial(_address, settings, name, channel)) for channel in table.channels
        }
        path = settings.digest_file(name, cadence.due(portfolio.at) or day_of(portfolio.at, zone))
        if path is not None:
            channels["file"] = FileChannel(path)
        audience: Audience = audiences[name]
        yield Receiver(audience, cadence, Speaker(load_language(table.language), table.style), channels)


def _address(settings: Settings, audience: str, channel: str) -> str:
    return settings.channel(audience, channel, os.environ).get_secret_value()


# --- output for people ---------------------------------------------------------------------------------------------

_STATES = {
    SendState.NEWS: "",
    SendState.QUIET: "no news",
    SendState.NOT_DUE: "not due today",
    SendState.ALREADY_SENT: "already sent",
    SendState.SENT: "sent",
    SendState.REFUSED: "not sent",
    SendState.UNSURE: "perhaps sent",
}


def digest_lines(outcomes: Iterable[SendOutcome]) -> Iterator[RenderableType]:
    """Yield the outcome of each channel, and each message that was only shown once."""
    last = None
    for outcome in outcomes:
        channel = f" over {outcome.channel}" if outcome.channel else ""
        state = f": {_STATES[outcome.state]}" if _STATES[outcome.state] else ""
        yield Indented(Text(f"To {outcome.audience}{channel}{state}", style="bold"), 0)
        text = text_message(outcome.message.document) if outcome.message else ""
        if outcome.message is not None and outcome.state is SendState.NEWS and text != last:
            lines = ("", outcome.message.subject, "", *text.split("\n"), "")
            yield from (Indented(Text(line), 0) if line else "" for line in lines)
        last = text or last
    if last is None and not outcomes:
        yield Indented(Text("No audience has a digest; see [audiences.NAME.digest] in the configuration."), 0)


def report_problems(outcomes: Iterable[SendOutcome]) -> None:
    """Log and print the problem of each channel that failed."""
    for outcome in outcomes:
        if outcome.problem:
            log.warning(
                "digest failed",
                audience=outcome.audience,
                channel=outcome.channel,
                state=outcome.state,
                error=outcome.problem,
            )
            print_error(f"digest to {outcome.audience} over {outcome.channel}: {outcome.problem}")
