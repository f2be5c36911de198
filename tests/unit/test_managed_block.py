"""The managed block of a description: found by its markers, and never replaced where another block was meant."""

from __future__ import annotations

import pytest

from sync.tracker.managed_block import BlockChangedError, find_block, replace_block, wrap_block

UID = "memory://tracker/milestone/p1-m"


def test_another_instance_an_open_end_and_edited_lines_are_known() -> None:
    lines = wrap_block("At risk", UID, "acme", plain=False)
    assert find_block(lines, "other") is None
    assert find_block(lines.rpartition("\n")[0], "acme") is None
    changed = find_block(lines.replace("At risk", "All fine"), "acme")
    assert changed is not None
    assert changed.is_edited(UID)
    with pytest.raises(BlockChangedError):
        replace_block("nothing", lines, "acme", "0123456789abcdef")
    with pytest.raises(BlockChangedError):
        replace_block(lines, lines, "acme", "")
