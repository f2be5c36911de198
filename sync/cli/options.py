"""Parts of every command: options, exit codes, loading of the configuration, printing of documents and errors.

Imports typer alone, as every help text and every usage error needs this module. What a function needs it imports.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.exceptions import TyperException

if TYPE_CHECKING:
    from config.settings import Settings
    from sync.pull.progress import Failure

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
    "Readers",
    "Verbose",
    "Yes",
    "exit_code",
    "exit_with",
    "failure_rows",
    "load_settings",
    "named_file",
    "parse_as_of",
    "print_error",
    "print_json",
    "print_note",
]

ERROR, CHANGES, PARTLY, REFUSED = 1, 2, 3, 4
DEFAULT = Path("milesync.toml")

Config = Annotated[Path, typer.Option("--config", help="The configuration file.", metavar="FILE")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, logs on standard error.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Log more.")]
AsOf = Annotated[
    str,
    typer.Option(
        "--as-of", help="Replay: show the state of that time; a date means its end in UTC.", metavar="DATETIME"
    ),
]
Readers = Annotated[
    str | None,
    typer.Option(
        "--audience",
        help="Only what this audience may see: public, one of the configuration, or a project (gh:acme/app).",
        metavar="NAME",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Carry out the plan. Without this option, nothing is written.")]
FirstRun = Annotated[bool, typer.Option("--first-run", help="Create the database if it does not exist.")]


def parse_as_of(as_of: str) -> datetime | None:
    """Parse ``--as-of`` as a time in UTC. None means now. Raises `typer.BadParameter`."""
    if not as_of:
        return None
    try:
        if len(as_of) == len("2026-01-02"):
            return datetime.combine(date.fromisoformat(as_of), time.max, UTC)
        at = datetime.fromisoformat(as_of)
    except ValueError:
        raise typer.BadParameter(f"{as_of!r} is not a date or time such as 2026-03-15") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def load_settings(config: Path) -> Settings:
    """Load the configuration and print its warnings on standard error. Raises `ConfigurationError`."""
    from config.settings import load
    from sync.cli.terminal import Terminal

    settings = load(config, os.environ)
    for warning in settings.warnings:
        Terminal(stderr=True).print(warning, style="yellow", soft_wrap=True)
    return settings


def print_json(document: Any) -> None:
    """Print one JSON document on standard output, without secrets."""
    import msgspec

    from sync.cli.streams import json_text
    from sync.telemetry.redaction import secrets

    data = secrets.redact_data(msgspec.to_builtins(document, str_keys=True))
    text = msgspec.json.format(msgspec.json.encode(data), indent=2).decode()
    typer.echo(json_text(text, sys.stdout.encoding or "utf-8"))


def failure_rows(failures: Iterable[Failure]) -> list[dict[str, str]]:
    """Failures as rows of the JSON document."""
    return [
        {"connection": failure.connection, "project": failure.project, "error": failure.error} for failure in failures
    ]


def print_error(message: str) -> None:
    """Print a message on standard error, without secrets."""
    from sync.cli.terminal import Terminal
    from sync.telemetry.redaction import secrets

    Terminal(stderr=True).print(secrets.redact(message), style="red", soft_wrap=True)


@contextmanager
def named_file(path: Path) -> Iterator[None]:
    """Turn an OSError of the body, which uses this file or folder, into its name and the cause.

    Raises `TyperException`.
    """
    try:
        yield
    except OSError as error:
        raise TyperException(f"{path}: {error.strerror or error}") from None


def print_note(message: str) -> None:
    """Print a message that is no error on standard error."""
    from sync.cli.terminal import Terminal

    Terminal(stderr=True).print(message, soft_wrap=True)


def exit_code(*codes: int) -> int:
    """The first of 1, 4, 3, 2 that is among ``codes``, else 0."""
    return next((code for code in (ERROR, REFUSED, PARTLY, CHANGES) if code in codes), 0)


def exit_with(*codes: int) -> NoReturn:
    """Exit with the first of 1, 4, 3, 2 that is among ``codes``, else 0."""
    raise typer.Exit(exit_code(*codes))
