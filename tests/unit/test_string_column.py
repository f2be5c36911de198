"""Many names in one text."""

from __future__ import annotations

import pytest

from sync.history.string_column import StringColumn

MANY = ["a", "", "Größe", "\U0001f600x", "a"]


@pytest.mark.parametrize("some", [MANY, [], [""]])
def test_they_are_a_sequence_of_texts(some: list[str]) -> None:
    names = StringColumn.of(some)
    assert list(names) == some
    assert [names[n] for n in range(len(names))] == some
    assert [names[-n] for n in range(1, len(names) + 1)] == some[::-1]
    assert names[1:] == some[1:]
    for outside in (len(some), -len(some) - 1):
        with pytest.raises(IndexError):
            names[outside]


def test_they_begin_alike_and_are_put_together() -> None:
    both = StringColumn.concat([StringColumn.of(MANY), StringColumn.of([]), StringColumn.of(["z"])])
    assert list(both) == [*MANY, "z"]
    begun = StringColumn(both.text, both.ends, "x/")
    assert list(begun) == [f"x/{name}" for name in (*MANY, "z")]
    assert begun[5] == "x/z"
