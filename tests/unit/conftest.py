"""Fixtures of the unit tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.settings_file import Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a text as the configuration of the test."""

    def _write(text: str) -> Path:
        path = tmp_path / "milesync.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return _write
