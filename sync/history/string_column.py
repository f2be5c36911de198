"""Many names in little memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray

__all__ = ["StringColumn"]


class StringColumn(Sequence[str]):
    """Names in one piece of text: about twenty bytes each, where a list of texts takes seventy.

    Name n is ``begin``, then ``text[ends[n]:ends[n + 1]]`` as UTF-8; it is made when it is asked for.
    """

    def __init__(self, text: bytes, ends: NDArray[np.int64], begin: str = "") -> None:
        self.text, self.ends, self.begin = text, ends, begin

    @classmethod
    def of(cls, names: Iterable[str]) -> Self:
        """These names."""
        some = [name.encode() for name in names]
        ends = np.zeros(len(some) + 1, dtype=np.int64)
        np.cumsum(np.array([len(name) for name in some], dtype=np.int64), out=ends[1:])
        return cls(b"".join(some), ends)

    @classmethod
    def joined_up(cls, parts: Sequence[Self]) -> Self:
        """The names of all parts, one after the other, as they begin without ``begin``."""
        first = np.cumsum([0, *(len(part.text) for part in parts)])
        ends = [part.ends[:-1] + begin for part, begin in zip(parts, first, strict=False)]
        return cls(b"".join(part.text for part in parts), np.concatenate([*ends, first[-1:]]))

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __iter__(self) -> Iterator[str]:
        text, begin = self.text, self.begin
        return (f"{begin}{text[first:last].decode()}" for first, last in pairwise(self.ends.tolist()))

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
        return f"{self.begin}{self.text[self.ends[place] : self.ends[place + 1]].decode()}"
