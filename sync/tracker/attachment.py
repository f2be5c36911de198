"""attachment."""

from __future__ import annotations

import hashlib
import re

from msgspec import Struct

_FORM = re.compile(r"(milesync-burn-up-(.+)-[0-9a-f]{8})-([0-9a-f]{12})(?: ?\([^()]*\))?\.png")
"""A tracker may add something in brackets to a name that is there already."""


class AttachmentName(Struct, frozen=True):
    """The name of a file of ours: ``stem`` tells instance and milestone, ``told`` what is in it (12 hex digits)."""

    stem: str
    told: str
    instance: str

    def __str__(self) -> str:
        return f"{self.stem}-{self.told}.png"

    @classmethod
    def of(cls, milestone: str, told: str, instance: str) -> AttachmentName:
        """The name of the picture of a milestone (uid)."""
        whose = hashlib.blake2b(milestone.encode(), digest_size=4).hexdigest()
        return cls(f"milesync-burn-up-{instance}-{whose}", told, instance)

    @classmethod
    def read(cls, name: str) -> AttachmentName | None:
        """The parts of a name; None for one that is not of our form."""
        found = _FORM.fullmatch(name)
        return cls(found[1], found[3], found[2]) if found else None
