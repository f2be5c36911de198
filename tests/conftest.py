"""What every test shares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, settings

if TYPE_CHECKING:
    from connectors.sandbox.server import Sandbox

# Against a planted fault few examples must do, and one that fails need not be made small.
settings.register_profile(
    "mutation", settings.get_profile("ci"), max_examples=20, phases=(Phase.explicit, Phase.generate)
)

# The same cases in every run, and no deadline: on a busy machine a slow case is no failure.
settings.load_profile("ci")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Empty trackers on loopback, whose clock the tests move; one server is enough for all tests of a file."""
    from connectors.sandbox.server import Sandbox  # here, as most tests need no server
    from connectors.sandbox.world import World
    from tests.contract.sandbox_side import Clock

    with Sandbox(World(Clock())) as running:
        yield running
