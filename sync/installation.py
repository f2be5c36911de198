"""The installation of milesync: its origin, and the line that installs it again with an extra.

It may import no package of `sync`; every package may import it.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

__all__ = ["install_command", "missing_extra"]


def missing_extra(what: str, *extras: str) -> str:
    """Return the error message, one line, for a feature whose extras are not installed."""
    names = " and ".join(f"`{extra}`" for extra in extras)
    return f"{what} needs the extra{'s' * (len(extras) > 1)} {names}: {install_command(extras)}"


def install_command(extras: tuple[str, ...], prefix: Path = Path(sys.prefix)) -> str:
    """Return the command that installs milesync again with these extras: by the same installer, from the same place."""
    try:
        installed = distribution("milesync")
    except PackageNotFoundError:
        return f"install milesync with [{','.join(extras)}]"
    origin = _origin(installed)
    requirement = f"milesync[{','.join(extras)}]{f' @ {origin}' if origin else ''}"
    if (prefix / "uv-receipt.toml").exists():
        return f"uv tool install --force '{requirement}'"
    if (prefix / "pipx_metadata.json").exists():
        return f"pipx install --force '{requirement}'"
    installer = (installed.read_text("INSTALLER") or "").strip()
    return f"{'uv ' if installer == 'uv' else ''}pip install '{requirement}'"


def _origin(installed: Distribution) -> str:
    """Return the URL of the file, folder or repository that it was installed from; "" for a package index."""
    found = json.loads(installed.read_text("direct_url.json") or "{}")
    url = urlsplit(found.get("url", ""))
    plain = urlunsplit(url._replace(netloc=url.netloc.rpartition("@")[2]))
    version_control = found.get("vcs_info")
    return f"{version_control['vcs']}+{plain}@{version_control['commit_id']}" if version_control else plain
