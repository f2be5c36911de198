"""The size of an installation on disk: ``make size`` prints it, by environments of its own that it removes again.

Each is made from the lock, without pip and without byte code, as the packages' files lie on disk. Prints one line for
the base and one for all extras, and below it each package with what it requires, the largest first.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.wheelhouse import closure

__all__ = ["LIMITS", "bytes_on_disk", "installed_sizes", "main", "tree_sizes"]

ROOT = Path(__file__).parents[1]
LIMITS = {"base": 180, "all extras": 320}
"""Megabytes (10^6 bytes) that we promise."""


def bytes_on_disk(folder: Path) -> int:
    """Return the bytes that the files below a folder take on disk, in whole blocks."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def installed_sizes(library: Path) -> dict[str, int]:
    """Return the bytes of each package's files in a library folder, without byte code."""
    return {
        canonicalize_name(package.name): sum(
            Path(str(package.locate_file(file))).lstat().st_blocks * 512
            for file in package.files or ()
            if file.suffix != ".pyc" and Path(str(package.locate_file(file))).is_file()
        )
        for package in distributions(path=[str(library)])
    }


def tree_sizes(requirements: list[Requirement], sizes: dict[str, int]) -> dict[str, int]:
    """Return by requirement the bytes of the package and of all that it requires."""
    return {str(needed): sum(sizes.get(name, 0) for name in closure([needed])) for needed in requirements}


def _install(extras: tuple[str, ...], folder: Path) -> None:
    names = [word for extra in extras for word in ("--extra", extra)]
    lock = str(folder / "lock.txt")
    uv, python = str(Path(sys.executable).parent / "uv"), str(folder / "venv")
    environ = {**os.environ, "UV_LINK_MODE": "copy"}
    command = [uv, "pip", "compile", "-q", "--python", sys.executable, "pyproject.toml", *names]
    subprocess.run([*command, "-c", "requirements/dev.txt", "-o", lock], cwd=ROOT, env=environ, check=True)
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, python], env=environ, check=True)
    command = [uv, "pip", "install", "-q", "--python", python, "-r", lock, str(ROOT)]
    subprocess.run(command, env=environ, check=True)


def main() -> int:
    """Print the sizes. Return 1 if one exceeds what we promise."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    code = 0
    for title, extras in (("base", ()), ("all extras", tuple(optional))):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            _install(extras, folder)
            total = bytes_on_disk(folder / "venv") / 1e6
            print(f"{title}: {total:.0f} MB (at most {LIMITS[title]})")
            code |= total > LIMITS[title]
            (library,) = (folder / "venv").glob("lib/python*/site-packages")
            texts = project["dependencies"] + [text for extra in extras for text in optional[extra]]
            trees = tree_sizes(list(map(Requirement, texts)), installed_sizes(library))
            for name, size in sorted(trees.items(), key=lambda pair: -pair[1]):
                print(f"  {size / 1e6:6.1f}  {name}")
    return code


if __name__ == "__main__":
    sys.exit(main())
