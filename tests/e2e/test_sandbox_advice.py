"""The command that `milesync sandbox` advises: with a configuration that points at the sandbox's own ports."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.sandbox import cli
from connectors.sandbox.demo_world import demo_world
from connectors.sandbox.serving import PORTS

ROOT = Path(__file__).parents[2]


def test_the_example_is_advised_on_its_own_ports_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    text = Path("config/example.toml").read_text(encoding="utf-8")
    assert all(f":{port}" in text for port in PORTS.values())
    assert cli._example(PORTS) == Path("config/example.toml")
    assert cli._example({kind: port + 100 for kind, port in PORTS.items()}) is None
    assert cli._example({}) is None, "ports that the system chose"
    monkeypatch.chdir(tmp_path)
    assert cli._example(PORTS) is None, "no such file here"


@pytest.mark.parametrize("config", [None, Path("mine.toml")])
def test_without_a_configuration_the_option_that_writes_one_is_named(
    capsys: pytest.CaptureFixture[str], config: Path | None
) -> None:
    world = demo_world()
    cli._welcome(world, {tracker.kind: "http://127.0.0.1:1" for tracker in world.trackers}, config)
    out = capsys.readouterr().out
    assert ("--write-config FILE" in out) is (config is None)
    assert ("milesync plan --config mine.toml" in out) is (config is not None)
