"""Stores of each kind, and a GitHub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sync.store.store import Store
from tests.contract.store_rows import T0, url_of

if TYPE_CHECKING:
    from connectors.sandbox.server import Sandbox
    from tests.contract.github_side import Clock, Small


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with Store.open(url_of(request.param, tmp_path), create=True, clock=lambda: T0) as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgresql"])
def lasting(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database that several stores may open."""
    return url_of(request.param, tmp_path)


# --- GitHub ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def github() -> Iterator[Sandbox]:
    """An empty GitHub on loopback, one server for the tests of a file."""
    from connectors.sandbox.server import Sandbox  # only here, as most tests need no server
    from connectors.sandbox.world import World
    from tests.contract.github_side import Clock

    with Sandbox(World(Clock()), only=("github",)) as running:
        yield running


@pytest.fixture
def clock(github: Sandbox) -> Clock:
    """The clock of `github`."""
    from tests.contract.github_side import Clock

    assert isinstance(github.world.clock, Clock)
    return github.world.clock


@pytest.fixture
def there(github: Sandbox, clock: Clock) -> Iterator[Small]:
    """A small repository on `github`; what was there before is gone."""
    from tests.contract.github_side import small

    made = small(github.world, clock)
    yield made
    made.tracker.alter, made.tracker.version = None, ""


@pytest.fixture
def nothing_written(there: Small) -> Iterator[None]:
    """Fail a test that has written to the repository."""
    yield
    assert there.tracker.writes == []
