"""The command line: one module for each command, and the wiring of settings to objects.

May import every package of `sync`, and `config`; nothing imports it.

A module of a command declares it, and imports `options` alone: the help of all commands imports every such module. The
command imports its work when it runs, what takes long after `session` shows the progress. Work with a module of its
own: `dialogue` (init), `findings` (doctor), `comparison` (whatif), `schedule_table` (timeline), `site` (report),
`digests`, `jobs` (worker and serve), `receiver` (serve), `handover` (adopt and retire), `connector_package`
(new-connector), `assistant` with `answers`, `answer_rows` and `portfolio_cache` (mcp), `after_run`.

The wiring: `options` (options, exit codes and printing that commands share), `help`, `streams` and `terminal` (output
in any encoding), `session` and `progress` (an open engine for one command), `wiring` (settings to connections and
store), `engine_factory` (settings to engine), `target_wiring` (targets of check to a puller), `audiences`, `output`
(tables and JSON documents), `config_template`, `reference` (the page of all commands).

Exit codes: 0 done or nothing to do; 1 error, bad usage or bad configuration; 2 `plan` found changes; 3 a part of the
projects failed; 4 refused (another run is writing, a stale plan, above the limits). The first of 1, 4, 3, 2 wins.
130, 143 and 129 after SIGINT, SIGTERM and SIGHUP: see `sync.signals`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points, version
from signal import Signals
from types import TracebackType
from typing import Annotated, Any, NoReturn

import typer
from typer.exceptions import Abort, TyperException
from typer.main import get_command

from sync import signals
from sync.cli.help import clear_help
from sync.cli.options import ERROR, print_error
from sync.cli.streams import output_problem, standard_streams
from sync.model.errors import PlainError

__all__ = ["application", "commands", "main"]

_GROUP = "milesync.commands"
_COMMANDS = tuple(
    EntryPoint(name, "sync.cli.{0}:{0}".format(name.replace("-", "_")), _GROUP)
    for name in (
        "check",
        "pull",
        "plan",
        "status",
        "run",
        "apply",
        "explain",
        "backtest",
        "doctor",
        "init",
        "report",
        "digest",
        "adopt",
        "retire",
        "timeline",
        "whatif",
        "serve",
        "worker",
        "mcp",
        "db",
        "new-connector",
    )
)
"""A command is the function of its module's name: `milesync plan` is `sync.cli.plan.plan`. Order of ``--help``.

A hyphen of a command's name is an underscore there.
"""


_ANY_ARGUMENTS = {"ignore_unknown_options": True, "allow_extra_args": True}

_HELP = "Computes the health of milestones, and writes it where the team already works."


def main() -> NoReturn:
    """Run the command line and exit. Code 2 of the library, bad usage, becomes 1: here 2 means changes."""
    sys.excepthook = _log_crash
    with standard_streams(), signals.on_stop(_log_stop):
        code = _exit_code()
        problem = output_problem()
        if problem:
            print_error(problem)
        sys.exit(ERROR if problem else code)


def _log_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Log an exception from before the command configured its logs. See `sync.telemetry.log`."""
    from sync.telemetry import log

    log.configure(sys.stderr, errors_only=True)
    sys.excepthook(kind, error, trace)


def _log_stop(number: int) -> None:
    from sync.telemetry import log

    if log.is_configured():
        log.events.warning("stopped", signal=Signals(number).name)


def _exit_code() -> int:
    try:
        code = application(_entry_points(sys.argv[1:2]))(standalone_mode=False)
    except PlainError as error:
        print_error(str(error))
    except TyperException as error:
        if words := _usage_words(error):  # without a command, the help is printed already and there is no message
            print_error(words)
    except OSError as error:
        if "--install-completion" not in sys.argv:
            raise  # every command reports the files that it cannot write itself
        print_error(f"{error.filename}: {error.strerror}")
    except Abort:
        print_error("The input ended before the last answer; run the command on a terminal, or give it every answer.")
    else:
        return code if isinstance(code, int) else 0
    return ERROR


def _usage_words(error: TyperException) -> str:
    """Return the message for a bad command line; that of a missing argument has its name in the help, and the help."""
    if error.message or not (missing := error.format_message()):
        return str(error)
    context = getattr(error, "ctx", None)
    return f"{missing.removesuffix('.')}; see `{context.command_path} --help`" if context else missing


def application(points: Iterable[EntryPoint]) -> Any:
    """Build the program with these commands and import their modules. No other command's module is imported.

    With several commands it has the options for shell completion, which import modules of their own.
    """
    points = list(points)
    program = typer.Typer(
        name="milesync",
        help=_HELP,
        no_args_is_help=True,
        add_completion=len(points) > 1,
        pretty_exceptions_enable=False,
    )
    program.callback(help=_HELP)(_global_options)  # so that a single command is called by its name, too
    for point in points:
        try:
            command = point.load()
        except Exception as error:  # noqa: BLE001 - a broken plugin must not hide the help and the other commands
            program.command(point.name, context_settings=_ANY_ARGUMENTS)(_unusable_command(point, error))
            continue
        if isinstance(command, typer.Typer):
            program.add_typer(command, name=point.name)
        else:
            program.command(point.name)(command)
    return clear_help(get_command(program))


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"milesync {version('milesync')}")
        raise typer.Exit


def _global_options(
    _: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Declare the options that come before a command."""


def _unusable_command(point: EntryPoint, error: Exception) -> Callable[[], None]:
    """Return a command that reports that its module cannot be imported."""
    origin = f" of {point.dist.name}" if point.dist else ""
    failure = f"the command {point.name!r}{origin} cannot be loaded ({type(error).__name__}: {error})"

    def unusable() -> None:
        print_error(failure)
        raise typer.Exit(ERROR)

    unusable.__doc__ = f"Not available: {failure}."
    return unusable


def commands() -> Iterator[EntryPoint]:
    """All commands: those of this package, then those of other packages."""
    yield from _COMMANDS
    names = {point.name for point in _COMMANDS}
    yield from (point for point in entry_points(group=_GROUP) if point.name not in names)


def _entry_points(words: list[str]) -> list[EntryPoint]:
    """The command named by these first words; all commands if it is none, for the help and for suggestions."""
    return next(([point] for point in commands() if [point.name] == words), None) or list(commands())
