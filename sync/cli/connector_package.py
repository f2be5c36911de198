"""The package that `milesync new-connector` makes: the example connector under another name."""

from __future__ import annotations

import keyword
import re
import shutil
import tempfile
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path

from typer.exceptions import TyperException

from sync.cli.options import named_file

__all__ = ["create_package"]

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")

_FILES = {
    "pyproject.toml.txt": "pyproject.toml",
    "README.md.txt": "README.md",
    "connector.py": "milesync_example/connector.py",
    "fake_tracker.py": "tests/fake_tracker.py",
    "test_contract.py": "tests/test_contract.py",
}
"""The files of `connectors.example`, and their places in the package."""


def create_package(name: str, parent: Path) -> Path:
    """Create the folder ``milesync-NAME`` in ``parent`` and return it. Raises `TyperException` if it cannot be made.

    The folder appears when it is complete.
    """
    _check(name)
    folder = parent / f"milesync-{name.replace('_', '-')}"
    with named_file(folder):
        if folder.exists() or folder.is_symlink():
            raise TyperException(f"{folder}: exists already, and nothing is overwritten; choose another NAME or --out")
        with tempfile.TemporaryDirectory(prefix=".new-connector-", dir=parent) as draft:
            package = Path(draft, folder.name)
            for source, target in _FILES.items():
                path = package / _renamed(target, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                text = files("connectors.example").joinpath(source).read_text("utf-8")
                path.write_text(_renamed(text, name), encoding="utf-8", newline="\n")
            (package / f"milesync_{name}" / "__init__.py").write_text('"""A connector of milesync."""\n')
            shutil.move(package, folder)
    return folder


def _check(name: str) -> None:
    if not _NAME.fullmatch(name) or len(name) > 40 or keyword.iskeyword(name):
        raise TyperException(
            f"{name!r} cannot be the type of a connection: write lower-case letters, digits and _, such as linear"
        )
    if name == "example" or name in {point.name for point in entry_points(group="milesync.connectors")}:
        raise TyperException(f"a connector of type {name!r} exists already; choose another NAME")


def _renamed(text: str, name: str) -> str:
    """Return a text of the example with the names of the new connector."""
    dashed = name.replace("_", "-")
    for old, new in (
        ("connectors.example.fake_tracker", "fake_tracker"),
        ("connectors.example.connector", f"milesync_{name}.connector"),
        ("milesync_example", f"milesync_{name}"),
        ("milesync-example", f"milesync-{dashed}"),
        ("example.invalid", f"{dashed}.invalid"),
        ("EXAMPLE_TOKEN", f"{name.upper()}_TOKEN"),
        ('"example"', f'"{name}"'),
        ("example = ", f"{name} = "),
        ("Example", "".join(part.capitalize() for part in name.split("_"))),
    ):
        text = text.replace(old, new)
    return text
