"""Wheels without a network: ours as it is built, and those of the packages that are installed next to the tests."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

__all__ = ["build", "closure", "pack"]

ROOT = Path(__file__).parents[1]


def build(target: str, folder: Path, source: Path = ROOT, **environ: str) -> Path:
    """Build our ``wheel`` or ``sdist`` into a folder and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)],
        cwd=source,
        env={"PATH": "/usr/bin:/bin", **environ},
        capture_output=True,
        check=True,
    )
    (built,) = folder.glob("milesync-*.whl" if target == "wheel" else "milesync-*.tar.gz")
    return built


def closure(requirements: list[Requirement]) -> frozenset[str]:
    """Return the names of the packages that these requirements install here, with what those require."""
    found: set[tuple[str, frozenset[str]]] = set()
    pending = list(requirements)
    while pending:
        requirement = pending.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key not in found:
            found.add(key)
            pending += _required(*key)
    return frozenset(name for name, _ in found)


def _required(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    for text in distribution(name).requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in {*extras, ""}):
            yield requirement


def pack(name: str, folder: Path) -> Path:
    """Pack an installed package as a wheel again: its recorded files, without its programs and byte code."""
    package = distribution(name)
    lines = (package.read_text("WHEEL") or "").splitlines()
    tags = zip(*(line.split(": ")[1].split("-") for line in lines if line.startswith("Tag: ")), strict=True)
    tag = "-".join(".".join(sorted(set(parts))) for parts in tags)
    stem = f"{canonicalize_name(name).replace('-', '_')}-{package.version}"
    path = folder / f"{stem}-{tag}.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as wheel:
        for file in package.files or ():
            place = Path(str(package.locate_file(file)))
            inside = ".." not in file.parts and "__pycache__" not in file.parts
            if inside and place.is_file() and file.name not in ("INSTALLER", "REQUESTED", "direct_url.json", "RECORD"):
                wheel.write(place, str(file))
        (record,) = (file for file in package.files or () if file.name == "RECORD")
        wheel.writestr(str(record), f"{record},,\n")
    return path
