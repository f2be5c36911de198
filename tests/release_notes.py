"""The notes of a release, from CHANGELOG.md: ``python -m tests.release_notes v1.2.3``.

Fails where the tag is not the version of the package, and where the changelog has no section of that version.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

__all__ = ["main", "release_notes"]

ROOT = Path(__file__).parents[1]


def release_notes(tag: str, version: str, changelog: str) -> str:
    """Return the section of the version, without its heading. Raises ValueError for another tag, and without one."""
    if tag != f"v{version}":
        raise ValueError(f"the tag is {tag}, and the package's version is {version}: the tag has to be v{version}")
    parts = re.split(r"^## \[?([^]\s]+)\]?.*\n", changelog, flags=re.MULTILINE)
    notes = dict(zip(parts[1::2], parts[2::2], strict=True)).get(version, "").strip()
    if not notes:
        raise ValueError(f"CHANGELOG.md has no section `## [{version}]` with content")
    return notes + "\n"


def main(tag: str) -> int:
    """Print the notes of a tag. Return 1 with the reason on standard error if there are none."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    try:
        print(release_notes(tag, version, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")), end="")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
