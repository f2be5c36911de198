"""The command line inside this process: as `tests.e2e.subprocesses`, without a second's start for each call."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import threading
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import structlog

from sync import cli
from sync.telemetry import log
from tests.e2e.subprocesses import ENVIRONMENT

__all__ = ["Done", "milesync"]


@dataclass(frozen=True)
class Done:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Its JSON document."""
        return json.loads(self.out)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The log's lines, which are JSON where standard error is no terminal."""
        return [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]


def milesync(
    *words: str,
    config: Path | None = None,
    env: Mapping[str, str | None] | None = None,
    typed: str = "",
    encoding: str = "utf-8",
) -> Done:
    """Run a command to its end.

    ``env`` is added to the environment with the tokens (None removes a variable), ``typed`` is standard input,
    ``encoding`` that of the output.
    """
    words = (*words, "--config", str(config)) if config else words
    changed = {**ENVIRONMENT, **(env or {})}
    environ = {name: value for name, value in changed.items() if value is not None}
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding, newline="\n", write_through=True) for _ in range(2))
    root = logging.getLogger()
    handlers, level, hooks = list(root.handlers), root.level, (sys.excepthook, threading.excepthook)
    try:
        with (
            mock.patch.dict(os.environ, environ, clear=True),
            mock.patch.object(sys, "argv", ["milesync", *words]),
            mock.patch.object(sys, "stdin", io.StringIO(typed)),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                cli.main()
            except SystemExit as end:
                code = int(end.code or 0)
            except Exception:  # noqa: BLE001 - as the interpreter ends
                sys.excepthook(*sys.exc_info())
                code = 1
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        sys.excepthook, threading.excepthook = hooks
        logging.captureWarnings(capture=False)
        structlog.reset_defaults()
        log.secrets.clear()
    return Done(code, *(stream.buffer.getvalue().decode(encoding) for stream in (out, err)))
