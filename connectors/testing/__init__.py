"""The test suite that every connector passes, for ours and for those of others.

A connector gets it with one subclass and one fixture (pytest is needed, which is not a dependency of the program)::

    from connectors.testing import ConnectorContract, Side

    class TestMine(ConnectorContract):
        @pytest.fixture
        def side(self) -> Iterator[Side]:
            yield MySide()

`Side` is the tracker's side of each test: what people do in the tracker, and what it does to requests. Each test begins
with a new, empty tracker. The docstring of each test is the clause that it holds the connector to.
"""

import pytest

_PARTS = ("changes", "faults", "people", "reading", "side", "writing")
pytest.register_assert_rewrite(*(f"{__name__}.{part}" for part in _PARTS))

from connectors.testing.faults import FaultsContract  # noqa: E402
from connectors.testing.first_pull import ReadingContract  # noqa: E402
from connectors.testing.incremental_pull import ChangesContract  # noqa: E402  # after its asserts were made to speak
from connectors.testing.slash_commands import PeopleContract  # noqa: E402
from connectors.testing.tracker_side import EVER, AppliesTo, Collected, InjectedFault, Side, collect  # noqa: E402
from connectors.testing.writes import WritingContract  # noqa: E402

__all__ = [
    "EVER",
    "AppliesTo",
    "ChangesContract",
    "Collected",
    "ConnectorContract",
    "FaultsContract",
    "InjectedFault",
    "PeopleContract",
    "ReadingContract",
    "Side",
    "WritingContract",
    "collect",
]


class ConnectorContract(ReadingContract, ChangesContract, FaultsContract, PeopleContract, WritingContract):
    """All of it: reading, reading what changed, status issues, people, and faults."""
