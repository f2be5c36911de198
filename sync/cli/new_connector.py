"""`milesync new-connector`: make a package for a tracker that milesync does not know."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["new_connector"]


def new_connector(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The type of connection, such as linear.")],
    out: Annotated[Path, typer.Option("--out", help="The folder for the package's folder.", metavar="DIR")] = Path(),
) -> None:
    """Make a package with a connector for another tracker, a fake of the tracker and the contract tests, all green.

    Writes the folder milesync-NAME, and overwrites nothing. The page docs/how-to/write-a-connector.md leads on.
    """
    import shlex

    from sync.cli.connector_package import create_package
    from sync.cli.terminal import Terminal
    from sync.installation import requirement

    folder, console = create_package(name, out), Terminal()
    console.print(f"{folder} is written. Next, in that folder:", soft_wrap=True)
    install = f".venv/bin/python -m pip install {shlex.quote(requirement())} --editable . pytest"
    for command in ("python3 -m venv .venv", install, ".venv/bin/python -m pytest"):
        console.print(f"  {command}", soft_wrap=True)
    console.print("All tests are green; now make it your tracker.")
