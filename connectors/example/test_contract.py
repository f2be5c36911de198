"""The connector keeps the contract of every connector: the docstring of each test is a clause of it."""

from __future__ import annotations

import pytest

from connectors.example.fake_tracker import ExampleSide
from connectors.testing import ConnectorContract, Side


class TestExample(ConnectorContract):
    """The whole contract, each test with a new, empty tracker."""

    @pytest.fixture
    def side(self) -> Side:
        """Return a new, empty tracker."""
        return ExampleSide()
