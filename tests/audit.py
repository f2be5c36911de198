"""Look up known vulnerabilities of all locked packages: `make audit`. Prints *not audited* if a package has no answer.

`pip-audit` alone ends well when it had to skip packages; here that is no better than a vulnerability. Exit codes: 0
every package was looked up and none is vulnerable; 1 there are vulnerabilities; 2 not audited, in part or at all. Words
after the command's name go to `pip-audit` (another service, another address).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parents[1] / "requirements" / "run.txt"


def audit(lock: Path, words: Sequence[str] = ()) -> tuple[int, str]:
    """Exit code and text."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner", "off"]
    done = subprocess.run(
        [*command, "--format", "json", *words, "--requirement", str(lock)], capture_output=True, text=True, check=False
    )
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (done.stderr.strip() or "no answer").splitlines()[-1]
        return 2, f"not audited: {last}"
    return judge(found)


def judge(found: Sequence[dict[str, Any]]) -> tuple[int, str]:
    """Judge all packages together by the report of `pip-audit`."""
    vulnerable = [
        f"{row['name']} {row['version']}: {vulnerability['id']}"
        + "".join(f", fixed in {version}" for version in vulnerability.get("fix_versions", [])[:1])
        for row in found
        for vulnerability in row.get("vulns", [])
    ]
    skipped = [f"{row['name']}: {row['skip_reason']}" for row in found if "skip_reason" in row]
    if vulnerable:
        return 1, "\n".join(["vulnerable:", *vulnerable, *(f"not audited: {name}" for name in skipped)])
    if skipped or not found:
        return 2, "\n".join([f"not audited: {len(skipped)} of {len(found)} packages", *skipped])
    return 0, f"clean: {len(found)} packages audited, no known vulnerability"


if __name__ == "__main__":
    code, text = audit(LOCK, sys.argv[1:])
    sys.stdout.write(text + "\n")
    sys.exit(code)
