"""Fixtures and start-up of all tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from connectors.sandbox.server import Sandbox


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the hypothesis profiles before hypothesis loads the profile of the command line."""
    if config.getoption("--hypothesis-profile", None):
        import tests.hypothesis_profiles  # noqa: F401  # only here, as most test files use no hypothesis


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Drop the plugin of hypothesis from a session without hypothesis: its summary would load all of it."""
    manager = session.config.pluginmanager
    if "hypothesis" not in sys.modules and manager.has_plugin("hypothesispytest"):
        manager.unregister(name="hypothesispytest")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Four empty trackers on loopback; the tests move the clock. The tests of a file share the server."""
    from connectors.sandbox.server import Sandbox  # only here, as most tests need no server
    from connectors.sandbox.world import World
    from tests.contract.sandbox_side import Clock

    with Sandbox(World(Clock())) as server:
        yield server
