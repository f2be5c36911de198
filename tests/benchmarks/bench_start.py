"""Compare the CPU time of commands that have little to do with that of a bare process that imports the same packages.

Run it: ``python -m tests.benchmarks.bench_start [--pairs N]``. Both processes of a pair run one after the other. Only
ratios within one run mean anything. Nothing is asserted.

Other work on the machine only adds to a CPU time, by up to a half: the ratio of the minima is the cost of the code, the
median of the ratios is what a user of this machine got.

* The commands: help and usage errors; from the store of two small projects, without a change: ``status``, ``explain``,
  ``pull`` and ``run``.
* Bare: ``import`` of the very modules of other packages that the command imports, without the garbage collector, and
  an end without cleaning up, as the command does it.
* First word: the CPU seconds that a command on a terminal has used when it writes its first byte there.
"""

from __future__ import annotations

import argparse
import compileall
import os
import pty
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median

from tests.e2e.small_world import served
from tests.e2e.subprocesses import ENVIRONMENT, milesync
from tests.imported_modules import PRINT_IMPORTS, imported_modules

OURS = ("sync", "connectors", "config", "milesync")
BARE = """\
import contextlib, gc, os
gc.disable()
for name in {}:
    with contextlib.suppress(ImportError):  # some are for other systems
        __import__(name)
os._exit(0)
"""
HELP: dict[str, tuple[str, ...]] = {
    "--version": ("--version",),
    "--help": ("--help",),
    "run --help": ("run", "--help"),
    "an unknown command": ("statsu",),
}
COMMANDS: dict[str, tuple[str, ...]] = {
    "status": ("status",),
    "explain": ("explain", "gh:acme/app#2"),
    "quiet pull": ("pull",),
    "quiet run": ("run",),
}
ON_TERMINAL: dict[str, tuple[str, ...]] = {
    "check": ("check", "github:acme/app"),
    "doctor": ("doctor",),
    "init": ("init",),
    "plan": ("plan",),
    "run": ("run",),
    "status": ("status",),
}


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=15)
    pairs = parser.parse_args().pairs
    for package in OURS[:3]:
        compileall.compile_dir(package, quiet=1)
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as (world, config):
        milesync("run", "--first-run", config=config)
        tail = ("--config", str(config))
        heads = ("modules", "CPU s", "median", "bare", "median", "ratio", "median")
        print(f"{'least, median':<20}{''.join(f'{head:>8}' for head in heads)}   target")
        for name, words in HELP.items():
            _compare(name, words, pairs, "")
        for name, words in COMMANDS.items():
            _compare(name, (*words, *tail), pairs, "status and quiet run: at most 1.25")
        print(f"\n{'first word':<20}{'CPU s':>8}   target: before the packages of trackers, store and forecast")
        environ = {"GITHUB_API_URL": world.github.url}
        for name, words in ON_TERMINAL.items():
            options = () if name == "check" else ("--config", f"{folder}/new.toml") if name == "init" else tail
            figures = [_first_word((*words, *options), environ) for _ in range(pairs)]
            print(f"{name:<20}{median(figures):>8.2f}")


def _compare(name: str, words: Sequence[str], pairs: int, target: str) -> None:
    command = (sys.executable, "-m", "milesync", *words)
    modules = _modules(command)
    foreign = [module for module in modules if module.partition(".")[0] not in {*sys.stdlib_module_names, *OURS}]
    bare = (sys.executable, "-c", BARE.format(foreign))
    costs = [(_cpu(command), _cpu(bare)) for _ in range(pairs)]
    ours, theirs = zip(*costs, strict=True)
    ratio = median(our / their for our, their in costs)
    figures = (min(ours), median(ours), min(theirs), median(theirs), min(ours) / min(theirs), ratio)
    row = "".join(f"{figure:>8.2f}" for figure in figures)
    print(f"{name:<20}{len(modules):>8}{row}   {target}".rstrip(), flush=True)


def _modules(command: Sequence[str]) -> list[str]:
    """Return the names of the modules that a command imports, in the order in which their imports end."""
    environ = {**ENVIRONMENT, **PRINT_IMPORTS}
    run = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
    return imported_modules(run.stderr)


def _cpu(command: Sequence[str]) -> float:
    """Run a process. Return its CPU seconds."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env=ENVIRONMENT, stdin=quiet, stdout=quiet, stderr=quiet)
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return usage.ru_utime + usage.ru_stime


def _first_word(words: Sequence[str], environ: dict[str, str]) -> float:
    """Run a command on a terminal until its first byte. Return the CPU seconds that it has used by then."""
    main_end, end = pty.openpty()
    command = (sys.executable, "-m", "milesync", *words)
    process = subprocess.Popen(command, stdin=end, stdout=end, stderr=end, env={**ENVIRONMENT, **environ})
    os.close(end)
    with suppress(OSError):  # Linux reports the end of the other side like this
        os.read(main_end, 1)
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    process.kill()
    process.wait()
    os.close(main_end)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
