"""Packages that tests download once from the package registry and keep next to the virtual environment.

A test without its package is skipped, with the reason.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

CACHE = Path(sys.prefix) / "milesync-downloads"


def fetched(name: str, *command: str) -> Path:
    """The folder ``name`` after ``pip COMMAND`` has filled it; made whole or not at all."""
    folder = CACHE / name
    if folder.exists():
        return folder
    making = CACHE / f"{name}.part-{os.getpid()}"
    making.mkdir(parents=True, exist_ok=True)
    arguments = [sys.executable, "-m", "pip", *command, "--quiet", "--disable-pip-version-check"]
    try:
        ended = subprocess.run([*arguments], cwd=making, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{name} could not be fetched: the package registry took too long")
    if ended.returncode:
        pytest.skip(f"{name} could not be fetched: {ended.stderr.strip().splitlines()[-1:]}")
    with suppress(OSError):  # another process was faster
        making.rename(folder)
    return folder
