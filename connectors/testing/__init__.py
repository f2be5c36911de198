"""The contract suite: tests that every connector passes, ours and those of third parties.

It imports pytest, which the program does not install, `sync.model` and `sync.tracker`. A connector gets the suite
with one subclass and one fixture::

    from connectors.testing import ConnectorContract, Side

    class TestMine(ConnectorContract):
        @pytest.fixture
        def side(self) -> Iterator[Side]:
            yield MySide()

`Side` is the tracker of a test: what people do in the tracker, and which faults requests meet. Each test begins with a
new, empty tracker. The docstring of each test is the clause to which it holds the connector.
"""

import pytest

_PARTS = ("faults", "first_pull", "incremental_pull", "outcomes", "slash_commands", "tracker_side", "writes")
pytest.register_assert_rewrite(*(f"{__name__}.{part}" for part in _PARTS))

from connectors.testing.faults import FaultsContract  # noqa: E402  # after the registration above
from connectors.testing.first_pull import ReadingContract  # noqa: E402
from connectors.testing.incremental_pull import ChangesContract  # noqa: E402
from connectors.testing.outcomes import OutcomesContract  # noqa: E402
from connectors.testing.slash_commands import PeopleContract  # noqa: E402
from connectors.testing.tracker_side import (  # noqa: E402
    FOREVER,
    AppliesTo,
    Collected,
    InjectedFault,
    RequestCosts,
    Side,
    collect,
)
from connectors.testing.writes import WritingContract  # noqa: E402

__all__ = [
    "FOREVER",
    "AppliesTo",
    "ChangesContract",
    "Collected",
    "ConnectorContract",
    "FaultsContract",
    "InjectedFault",
    "OutcomesContract",
    "PeopleContract",
    "ReadingContract",
    "RequestCosts",
    "Side",
    "WritingContract",
    "collect",
]


class ConnectorContract(
    ReadingContract, OutcomesContract, ChangesContract, FaultsContract, PeopleContract, WritingContract
):
    """The whole contract: first pulls, outcomes, incremental pulls, faults, people and writes."""
