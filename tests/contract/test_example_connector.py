"""The example connector, from which packages of third parties are made, keeps the contract of every connector."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.errors import ConfigurationError
from connectors.example.connector import ExampleConnector
from connectors.example.fake_tracker import URL, ExampleSide
from connectors.testing import ConnectorContract, Side
from sync.cli.wiring import connect
from sync.tracker.protocol import Setup

MAX_LINES = 200


class TestExample(ConnectorContract):
    @pytest.fixture
    def side(self) -> Side:
        return ExampleSide()


def test_one_entry_point_line_makes_it_a_type_of_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setup = Setup(
        name="ex", url=URL, secrets={"token": "-"}, clock=lambda: datetime.now(UTC), sleep=lambda _: None
    )  # fmt: skip
    with pytest.raises(ConfigurationError, match="linear"):
        connect("linear", setup)
    installed = tmp_path / "their_package-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    line = "linear = connectors.example.connector:connect"
    (installed / "entry_points.txt").write_text(f"[milesync.connectors]\n{line}\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    assert isinstance(connect("linear", setup), ExampleConnector)


def test_the_example_is_short() -> None:
    source = Path(sys.modules[ExampleConnector.__module__].__file__ or "")
    assert len(source.read_text().splitlines()) < MAX_LINES
