"""A small configuration, and what is said to be wrong with a file: for the tests of the settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from config import ConfigurationError, load

CONFIG = Path(__file__).parents[1] / "config"
CANARY = "c4naryV4lue"
MINIMAL = """
instance = "acme"
[connections.gh]
type = "github"
projects = ["acme/app"]
"""
Write = Callable[[str], Path]


def wrong(path: Path, environ: dict[str, str] | None = None) -> dict[str, str]:
    """Reason by key of everything that is wrong with a file."""
    with pytest.raises(ConfigurationError) as caught:
        load(path, environ or {})
    assert str(caught.value) == "\n".join(caught.value.errors)
    assert CANARY.casefold() not in repr(caught.value).casefold()
    chain: list[BaseException | None] = [caught.value.__context__, caught.value.__cause__]
    assert caught.value.__suppress_context__ or chain == [None, None], "a traceback would show the values"
    rows = [line.removeprefix(f"{path}:").partition(": ") for line in caught.value.errors]
    return {key: reason for key, _, reason in rows}
