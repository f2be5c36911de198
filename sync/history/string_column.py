"""Hold many strings in little memory: one piece of UTF-8 text and the ends of each string."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray

__all__ = ["StringColumn"]


class StringColumn(Sequence[str]):
    """Strings in one piece of text: about 20 bytes each, where a list of strings takes 70.

    String n is ``prefix`` followed by ``text[ends[n]:ends[n + 1]]`` (UTF-8). It is decoded when it is read.
    """

    def __init__(self, text: bytes, ends: NDArray[np.int64], prefix: str = "") -> None:
        self.text, self.ends, self.prefix = text, ends, prefix

    @classmethod
    def of(cls, strings: Iterable[str]) -> Self:
        """Build a column from strings, without a prefix."""
        encoded = [string.encode() for string in strings]
        ends = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum(np.array([len(text) for text in encoded], dtype=np.int64), out=ends[1:])
        return cls(b"".join(encoded), ends)

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Concatenate the strings of all parts. Their prefixes are dropped."""
        first = np.cumsum([0, *(len(part.text) for part in parts)])
        ends = [part.ends[:-1] + begin for part, begin in zip(parts, first, strict=False)]
        return cls(b"".join(part.text for part in parts), np.concatenate([*ends, first[-1:]]))

    def take(self, places: NDArray[np.integer[Any]]) -> list[str]:
        """Return the strings at ``places`` >= 0. Reading them one by one takes five times as long."""
        text, prefix = self.text, self.prefix
        bounds = zip(self.ends[places].tolist(), self.ends[places + 1].tolist(), strict=True)
        return [f"{prefix}{text[first:last].decode()}" for first, last in bounds]

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __iter__(self) -> Iterator[str]:
        text, prefix = self.text, self.prefix
        return (f"{prefix}{text[first:last].decode()}" for first, last in pairwise(self.ends.tolist()))

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[n] for n in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        place = index % len(self)
        return f"{self.prefix}{self.text[self.ends[place] : self.ends[place + 1]].decode()}"
