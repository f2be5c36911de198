"""The command line: settings in, exit code out.

Exit codes: 0 done or nothing to do; 1 error, bad usage or bad configuration; 2 `plan` found changes; 3 a part of the
projects failed; 4 refused (another run is writing, a stale plan, above the limits). The first of 1, 4, 3, 2 wins.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import NoReturn

import typer
from typer.exceptions import Abort, TyperException

from config.errors import ConfigurationError
from sync.cli.options import ERROR, tell_error
from sync.model.errors import DependencyCycleError
from sync.store.store import StoreError

__all__ = ["application", "commands", "main"]

_GROUP = "milesync.commands"
_OURS = tuple(
    EntryPoint(name, f"sync.cli.{where}", _GROUP)
    for name, where in (
        ("check", "plan:check"),
        ("pull", "run:pull"),
        ("plan", "plan:plan"),
        ("status", "inspect:status"),
        ("run", "run:run"),
        ("apply", "plan:apply"),
        ("explain", "inspect:explain"),
        ("backtest", "inspect:backtest"),
        ("doctor", "doctor:doctor"),
        ("init", "init:init"),
        ("report", "report:report"),
        ("digest", "digest:digest"),
        ("adopt", "handover:adopt"),
        ("retire", "handover:retire"),
        ("timeline", "timeline:timeline"),
        ("whatif", "whatif:whatif"),
        ("serve", "serve:serve"),
        ("worker", "worker:worker"),
        ("db", "db:app"),
    )
)


def main() -> NoReturn:
    """Run the command line and exit. The library's code for bad usage, 2, becomes 1: 2 is ours for changes."""
    try:
        code = application(_asked_for(sys.argv[1:2]))(standalone_mode=False)
    except (ConfigurationError, StoreError, DependencyCycleError) as problem:
        tell_error(str(problem))
        code = ERROR
    except TyperException as problem:
        tell_error(str(problem) or "bad usage; see --help")
        code = ERROR
    except (Abort, KeyboardInterrupt):
        code = ERROR
    sys.exit(code if isinstance(code, int) else 0)


def application(points: Iterable[EntryPoint]) -> typer.Typer:
    """The program with these commands, which are loaded; what others need costs no time."""
    made = typer.Typer(
        name="milesync",
        help="Keeps the health of milestones true, and writes it where the team already works.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    made.callback()(lambda: None)  # so that a single command is called by its name, too
    for point in points:
        command = point.load()
        if isinstance(command, typer.Typer):
            made.add_typer(command, name=point.name)
        else:
            made.command(point.name)(command)
    return made


def commands() -> Iterator[EntryPoint]:
    """All commands: ours, and those that other packages bring."""
    yield from _OURS
    known = {point.name for point in _OURS}
    yield from (point for point in entry_points(group=_GROUP) if point.name not in known)


def _asked_for(words: list[str]) -> list[EntryPoint]:
    """The command of these first words; every one where it is none, for the help and for what may have been meant."""
    return next(([point] for point in commands() if [point.name] == words), None) or list(commands())
