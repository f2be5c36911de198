"""Names of the burn-up pictures that milesync attaches to status issues. Pure."""

from __future__ import annotations

import hashlib
import re

from msgspec import Struct

__all__ = ["AttachmentName"]

_FORM = r"(milesync-burn-up-(.+)-[0-9a-f]{8})-([0-9a-f]{12})(?: ?\([^()]*\))?\.png"
"""A tracker may append a suffix in brackets when the name exists already: ``name (1).png``."""


class AttachmentName(Struct, frozen=True):
    """The name of an attachment of ours, for example ``milesync-burn-up-acme-0123abcd-0123456789ab.png``.

    ``stem`` identifies instance and milestone (``milesync-burn-up-acme-0123abcd``); ``content_hash`` are 12 hex digits.
    """

    stem: str
    content_hash: str
    instance: str

    def __str__(self) -> str:
        return f"{self.stem}-{self.content_hash}.png"

    @classmethod
    def of(cls, milestone: str, content_hash: str, instance: str) -> AttachmentName:
        """Return the name of a milestone's picture; ``milestone`` is a uid."""
        milestone_hash = hashlib.blake2b(milestone.encode(), digest_size=4).hexdigest()
        return cls(f"milesync-burn-up-{instance}-{milestone_hash}", content_hash, instance)

    @classmethod
    def read(cls, name: str) -> AttachmentName | None:
        """Parse a file name. Return None for a name of another form."""
        match = re.fullmatch(_FORM, name)
        return cls(match[1], match[3], match[2]) if match else None
