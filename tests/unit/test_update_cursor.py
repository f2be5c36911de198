"""The cursor of lists by the time of update, for connectors in one file."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.shared.update_cursor import UpdateCursor

NINE, TEN = datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 3, 2, 10, tzinfo=UTC)


def test_rows_of_the_last_moment_are_read_once() -> None:
    rows = [(NINE, "a"), (NINE, "b")]
    new, cursor = UpdateCursor().advance(rows, lambda row: row)
    assert (new, cursor) == (rows, UpdateCursor(NINE, frozenset("ab")))
    new, cursor = cursor.advance([*rows, (NINE, "c"), (TEN, "a")], lambda row: row)
    assert (new, cursor) == ([(NINE, "c"), (TEN, "a")], UpdateCursor(TEN, frozenset("a")))


def test_equal_cursors_have_one_text() -> None:
    names = [str(number) for number in range(200)]
    texts = {UpdateCursor(NINE, frozenset(order)).encode() for order in (names, names[::-1], names[100:] + names[:100])}
    assert len(texts) == 1
    (text,) = texts
    assert text.index('"10"') < text.index('"11"') < text.index('"99"')
    assert UpdateCursor.decode(text) == UpdateCursor(NINE, frozenset(names))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"at": 3}', "\ud800"])
def test_a_text_that_is_no_cursor_begins_again(text: str) -> None:
    assert UpdateCursor.decode(text) == UpdateCursor()
