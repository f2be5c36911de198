"""What all commands share: their options, their exit codes, and how they print a document or an error."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
import typer
from rich.console import Console

from sync.pull.progress import Failure
from sync.telemetry import log

__all__ = [
    "CHANGES",
    "DEFAULT",
    "ERROR",
    "PARTLY",
    "REFUSED",
    "AsOf",
    "Config",
    "FirstRun",
    "Json",
    "Verbose",
    "exit_code",
    "exit_with",
    "failure_rows",
    "parse_as_of",
    "print_error",
    "print_json",
]

ERROR, CHANGES, PARTLY, REFUSED = 1, 2, 3, 4
DEFAULT = Path("milesync.toml")

Config = Annotated[Path, typer.Option("--config", help="The configuration.", metavar="FILE")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, logs on standard error.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Tell more.")]
AsOf = Annotated[
    str, typer.Option("--as-of", help="Replay: as things stood then. A date means its end in UTC.", metavar="DATETIME")
]
FirstRun = Annotated[bool, typer.Option("--first-run", help="Make the database if it is not there.")]


def parse_as_of(as_of: str) -> datetime | None:
    """The time of a replay, in UTC; None for now. Raises a usage error."""
    if not as_of:
        return None
    try:
        if len(as_of) == len("2026-01-02"):
            return datetime.combine(date.fromisoformat(as_of), time.max, UTC)
        at = datetime.fromisoformat(as_of)
    except ValueError:
        raise typer.BadParameter(f"{as_of!r} is not a date or time such as 2026-03-15") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def print_json(document: Any) -> None:
    """One document on standard output, without secrets."""
    text = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
    typer.echo(log.secrets.redact(text))


def failure_rows(failures: Iterable[Failure]) -> list[dict[str, str]]:
    """What went wrong, as other programs read it."""
    return [{"connection": f.connection, "project": f.project, "error": f.error} for f in failures]


def print_error(words: str) -> None:
    """A line on standard error, without secrets."""
    Console(stderr=True).print(log.secrets.redact(words), style="red", markup=False, highlight=False, soft_wrap=True)


def missing_extra(what: str, extra: str) -> str:
    """What to say where something needs libraries that are not installed."""
    return f"{what} needs the extra `{extra}`: pip install 'milesync[{extra}]'"


def exit_code(*codes: int) -> int:
    """The first of 1, 4, 3, 2 that holds, else 0."""
    return next((code for code in (ERROR, REFUSED, PARTLY, CHANGES) if code in codes), 0)


def exit_with(*codes: int) -> NoReturn:
    """Exit with the first of 1, 4, 3, 2 that holds."""
    raise typer.Exit(exit_code(*codes))
