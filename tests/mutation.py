"""Count the small faults in the pure modules that the tests notice.

mutmut writes the faults and runs, for each, the tests that reach the function it is in, quickest first, up to the first
that fails. A fixed sample of them is tried, in a copy of the tree: this one is never touched. Which modules and which
tests is said in ``pyproject.toml``, and only functions are mutated, not constants and decorated functions.

    python -m tests.mutation [--share 0.2] [--least 0.9] [--only history] [--show]

It fails when less than the ``--least`` share is noticed.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from math import ceil, sqrt
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
COPIED = ("sync", "connectors", "config", "tests")
NOTICED = {1: "killed", 3: "killed", 36: "timeout", 24: "timeout", -24: "timeout", 152: "timeout", 255: "timeout"}
UNREACHED = 33


def copy_tree(into: Path) -> None:
    """Copy the files that the tests need, without caches of earlier runs."""
    for name in COPIED:
        shutil.copytree(ROOT / name, into / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", into)


def names_of(path: Path, into: Path) -> list[str]:
    """The names mutmut gives to the faults of one module."""
    from mutmut.mutation.file_mutation import mutate_file_contents
    from mutmut.utils.format_utils import get_mutant_name

    names = mutate_file_contents(str(path), (into / path).read_text("utf-8")).mutant_names
    return [get_mutant_name(path, name) for name in names]


def run(into: Path, names: list[str]) -> dict[str, int]:
    """Try these faults; mutmut's exit code of each that it came to, which are all unless it was stopped."""
    log = into / "mutmut.log"
    with log.open("wb") as out:
        code = subprocess.run(
            [Path(sys.executable).with_name("mutmut"), "run", *names], cwd=into, stdout=out, stderr=out, check=False
        ).returncode
    codes: dict[str, int | None] = {}
    for meta in (into / "mutants").rglob("*.meta"):
        codes |= json.loads(meta.read_text("utf-8"))["exit_code_by_key"]
    tried = {name: found for name in names if (found := codes.get(name)) is not None}
    if code:
        print(f"{log.read_text('utf-8', 'replace')[-2000:]}\nmutmut ended early with {code}", file=sys.stderr)
    if not tried:
        raise SystemExit(1)
    return tried


def show(into: Path, name: str) -> str:
    """The fault as a difference."""
    mutmut = Path(sys.executable).with_name("mutmut")
    return subprocess.run([mutmut, "show", name], cwd=into, capture_output=True, text=True, check=True).stdout


def table(found: dict[str, list[str]], codes: dict[str, int], took: float) -> Table:
    """Killed shares, per module and over all."""
    view = Table("module", "faults", "tried", "killed", "survived", "unreached", "share")
    totals: Counter[str] = Counter()
    for module, names in sorted(found.items()):
        tried = [codes[name] for name in names if name in codes]
        row = Counter(
            faults=len(names),
            tried=len(tried),
            killed=sum(code in NOTICED for code in tried),
            unreached=sum(code == UNREACHED for code in tried),
        )
        totals += row
        view.add_row(module, *cells(row))
    view.add_section()
    view.add_row("all", *cells(totals))
    share = totals["killed"] / totals["tried"]
    error = 1.96 * sqrt(share * (1 - share) / totals["tried"])
    view.caption = f"{share:.1%} ± {error:.1%} of {totals['faults']} faults, in {took / 60:.0f} minutes"
    return view


def cells(row: Counter[str]) -> list[str]:
    """One row of the table, as text."""
    survived = row["tried"] - row["killed"] - row["unreached"]
    counts = [row["faults"], row["tried"], row["killed"], survived, row["unreached"]]
    return [*map(str, counts), f"{row['killed'] / row['tried']:.1%}" if row["tried"] else "-"]


def main() -> None:
    """Print the shares; with ``--show`` the surviving faults too."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=0.2, help="of each module's faults (default: 0.2)")
    parser.add_argument("--least", type=float, default=0.9, help="share to be killed (default: 0.9)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", default=[], metavar="MODULE")
    parser.add_argument("--show", action="store_true", help="print the faults that no test noticed")
    given = parser.parse_args()

    started = time.monotonic()
    paths = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mutmut"]["only_mutate"]
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder)
        copy_tree(into)
        found = {Path(p).stem: names_of(Path(p), into) for p in paths if not given.only or Path(p).stem in given.only}
        draw = random.Random(given.seed)
        sample = [n for names in found.values() for n in sorted(draw.sample(names, ceil(len(names) * given.share)))]
        codes = run(into, sample)
        Console().print(table(found, codes, time.monotonic() - started))
        if given.show:
            for name in sorted(name for name, code in codes.items() if code not in NOTICED):
                print(show(into, name))
    killed = sum(code in NOTICED for code in codes.values())
    sys.exit(len(codes) < len(sample) or killed < given.least * len(codes))


if __name__ == "__main__":
    main()
