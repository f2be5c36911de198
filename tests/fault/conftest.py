"""What several tests of faults share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fault.fault_scripts import Blank


@pytest.fixture
def blank() -> Iterator[Blank]:
    """A database in memory that can be emptied."""
    made = Blank()
    yield made
    made.close()
