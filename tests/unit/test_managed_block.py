"""The managed block of a description: found by its markers, and never replaced where another block was meant."""

from __future__ import annotations

import pytest

from sync.tracker.managed_block import BlockChangedError, find_block, lines_of_people, replace_block, wrap_block

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


def test_many_first_lines_without_an_end_are_read_in_linear_time() -> None:
    """Quadratic time took minutes for a description of 1 MB."""
    text = "<!-- milesync acme 0123456789abcdef -->\n" * 100_000
    assert find_block(text, "acme") is None
    assert len(lines_of_people(text)) == 100_001


def test_a_block_between_lines_that_a_browser_saved_is_found() -> None:
    lines = wrap_block("At risk", UID, "acme", plain=False)
    text = f"Before\n{lines}\nAfter".replace("\n", "\r\n")
    block = find_block(text, "acme")
    assert block is not None
    assert not block.is_edited(UID)
    assert replace_block(text, "", "acme", block.mark) == "Before\r\nAfter"
