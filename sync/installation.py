"""The installation of milesync: its origin, and the line that installs it again with an extra.

It may import no package of `sync`; every package may import it.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
import tomllib
from collections.abc import Collection, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

__all__ = ["install_command", "missing_extra", "requirement"]


def missing_extra(what: str, *extras: str) -> str:
    """Return the error message, one line, for a feature whose extras are not installed."""
    names = " and ".join(f"`{extra}`" for extra in extras)
    return f"{what} needs the extra{'s' * (len(extras) > 1)} {names}: {install_command(extras)}"


def install_command(extras: tuple[str, ...], prefix: Path = Path(sys.prefix)) -> str:
    """Return the command that installs milesync again with these extras: by the same installer, from the same place.

    The extras and packages that were asked for at its installation are in the command where the installer would remove
    them.
    """
    if not _is_installed():
        return f"install milesync with [{','.join(extras)}]"
    if (prefix / "uv-receipt.toml").exists():
        rows = tomllib.loads((prefix / "uv-receipt.toml").read_text(encoding="utf-8"))["tool"]["requirements"]
        own = [extra for row in rows if row["name"] == "milesync" for extra in row.get("extras", [])]
        others = "".join(_with(row) for row in rows if row["name"] != "milesync")
        return f"uv tool install --force {shlex.quote(requirement({*extras, *own}))}{others}"
    if (prefix / "pipx_metadata.json").exists():
        main = json.loads((prefix / "pipx_metadata.json").read_text(encoding="utf-8"))["main_package"]
        found = re.search(r"\[([\w, -]+)\]", main["package_or_url"])
        own = re.split(r"\s*,\s*", found[1].strip()) if found else []
        return f"pipx install --force {shlex.quote(requirement({*extras, *own}))}"
    installer = (distribution("milesync").read_text("INSTALLER") or "").strip()
    return f"{'uv ' if installer == 'uv' else ''}pip install {shlex.quote(requirement(extras))}"


def requirement(extras: Collection[str] = ()) -> str:
    """Return the requirement of this milesync, with extras, for pip, uv and pipx: its name, and where it came from."""
    names = f"[{','.join(sorted(extras))}]" if extras else ""
    origin = _origin(distribution("milesync")) if _is_installed() else ""
    return f"milesync{names}{f' @ {origin}' if origin else ''}"


def _is_installed() -> bool:
    try:
        distribution("milesync")
    except PackageNotFoundError:
        return False
    return True


def _with(row: Mapping[str, str]) -> str:
    """Return the option of uv for a package next to milesync, from its row of the receipt."""
    if "editable" in row:
        return f" --with-editable {shlex.quote(row['editable'])}"
    place = next((row[kind] for kind in ("directory", "path") if kind in row), "") or _plain(row.get("url", ""))
    if "git" in row:
        place = re.sub(r"\?(?:rev|tag|branch)=([^&#]+).*", r"@\1", f"git+{_plain(row['git'])}")
    return f" --with {shlex.quote(place or row['name'] + row.get('specifier', ''))}"


def _origin(installed: Distribution) -> str:
    """Return the URL of the file, folder or repository that it was installed from; "" for a package index."""
    found = json.loads(installed.read_text("direct_url.json") or "{}")
    plain = _plain(found.get("url", ""))
    version_control = found.get("vcs_info")
    return f"{version_control['vcs']}+{plain}@{version_control['commit_id']}" if version_control else plain


def _plain(address: str) -> str:
    """Return an address without the user name and the password in it."""
    url = urlsplit(address)
    return urlunsplit(url._replace(netloc=url.netloc.rpartition("@")[2]))
