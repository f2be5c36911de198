"""A third party's connector: one file and one entry-point line, and it passes the public suite, in memory."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.errors import ConfigurationError
from connectors.testing import ConnectorContract, Side
from sync.cli.wiring import connect
from sync.tracker.protocol import Setup
from tests.contract.sample_connector import Linear
from tests.contract.sample_tracker import URL, SampleSide


class TestSample(ConnectorContract):
    @pytest.fixture
    def side(self) -> Side:
        return SampleSide()


def test_one_entry_point_line_makes_it_a_type_of_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setup = Setup(
        name="lin", url=URL, secrets={"token": "-"}, clock=lambda: datetime.now(UTC), sleep=lambda _: None
    )  # fmt: skip
    with pytest.raises(ConfigurationError, match="linear"):
        connect("linear", setup)
    installed = tmp_path / "their_package-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    line = "linear = tests.contract.sample_connector:connect"
    (installed / "entry_points.txt").write_text(f"[milesync.connectors]\n{line}\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    assert isinstance(connect("linear", setup), Linear)
