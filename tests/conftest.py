"""Fixtures and start-up of all tests."""

from __future__ import annotations

import gc
import sys
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

from milesync import _COLLECT_AFTER

if TYPE_CHECKING:
    from connectors.sandbox.server import Sandbox


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the hypothesis profiles before hypothesis loads the profile of the command line."""
    if config.getoption("--hypothesis-profile", None):
        import tests.hypothesis_profiles  # noqa: F401  # only here, as most test files use no hypothesis


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without the garbage collector, and keep it from what stays: modules and ten thousand tests.

    As in `milesync.main`: its searches took half of the collection's time.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        if "sqlalchemy" in sys.modules:
            from tests.compiled_statements import share  # late: it loads SQLAlchemy

            share()
        gc.freeze()
        gc.set_threshold(_COLLECT_AFTER)
        gc.enable()


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
