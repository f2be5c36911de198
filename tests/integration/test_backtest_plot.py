"""The plot of a back-test: SVG and PNG, the same bytes for the same result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sync.backtest import reliability_plot
from sync.backtest.run import backtest
from tests.unit.test_backtest import sprints


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    return backtest(sprints())


@pytest.mark.parametrize(("suffix", "magic"), [("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_the_plot_is_written_by_its_suffix_and_the_same_twice(
    result: dict[str, Any], tmp_path: Path, suffix: str, magic: bytes
) -> None:
    pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
    paths = [tmp_path / f"{k}.{suffix}" for k in range(2)]
    for path in paths:
        reliability_plot.plot(result, path)
    assert paths[0].read_bytes().startswith(magic)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_another_suffix_is_refused_before_anything_is_written(result: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"x\.jpg"):
        reliability_plot.plot(result, tmp_path / "x.jpg")
    assert not list(tmp_path.iterdir())
