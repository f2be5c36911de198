"""The table of the kinds of write: complete, and consistent with the actions that can be stored."""

from __future__ import annotations

from typing import get_args

from sync.tracker.actions import WRITE_KINDS, AnyAction


def test_every_kind_of_write_has_a_row() -> None:
    assert set(WRITE_KINDS) == set(get_args(AnyAction))
