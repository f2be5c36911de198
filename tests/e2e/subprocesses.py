"""The command line and the sandbox as processes of their own, as a user starts them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("MILESYNC_")},
    "GITHUB_TOKEN": "sandbox",
    "GITLAB_TOKEN": "sandbox",
    "JIRA_TOKEN": "sandbox",
    "JIRA_EMAIL": "bot@sandbox.invalid",
    "COLUMNS": "160",
}


def milesync(
    *words: str, config: Path | None = None, env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    tail = ["--config", str(config)] if config else []
    return subprocess.run(
        [sys.executable, "-m", "milesync", *words, *tail],
        capture_output=True,
        text=True,
        check=False,
        env={**ENVIRONMENT, **(env or {})},
        cwd=cwd,
        timeout=280,
    )


@contextmanager
def sandbox(folder: Path, *words: str, only: Sequence[str] = ()) -> Iterator[Path]:
    """`milesync sandbox` on free ports; yields a configuration for it (only these connections)."""
    config = folder / "milesync.toml"
    process = subprocess.Popen(
        [sys.executable, "-m", "milesync", "sandbox", "--port", "0", "--json", "--write-config", str(config), *words],
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    try:
        assert process.stdout is not None
        json.loads(process.stdout.readline())
        if only:
            config.write_text(only_these(config.read_text(), only))
        yield config
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
        assert process.returncode == 128 + signal.SIGTERM


def only_these(text: str, names: Sequence[str]) -> str:
    """A configuration with these connections alone, without what joins several."""
    head, *tables = text.partition("[[joint]]")[0].split("[connections.")
    return head + "".join(f"[connections.{table}" for table in tables if table.split("]")[0] in names)
