"""Hypothesis and the database for every test of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import tests.hypothesis_profiles  # noqa: F401  # loads the profile
from tests.fault.fault_scripts import Blank


@pytest.fixture
def blank() -> Iterator[Blank]:
    """A database in memory that can be emptied."""
    database = Blank()
    yield database
    database.close()
