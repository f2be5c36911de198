"""Team's words: what people write for milesync into the description of a milestone. Pure.

A key, a colon and a value in one line, outside of code, HTML comments and our own block::

    Owner: @handle
    Start: 2026-11-02
    Tolerance: 10%
    Risk: the vendor delivers late
    Decision needed: which vendor? by 2026-12-01 from @handle
    - [ ] load test passed                                        (a task: an exit criterion)

Case does not matter. List markers, quotes, bold and code around a line, its key or its value are ignored. An empty key,
or ``Risks`` and ``Decisions needed`` as a heading, take the items of the list below. An indented line continues a risk
or a decision. A ticked or struck-out risk or decision is settled and ignored.

====================  ================================================================================================
key                   also
====================  ================================================================================================
Owner                 Owners, Verantwortlich, Verantwortliche, Verantwortlicher
Start                 Start date, Beginn, Startdatum
Tolerance             Toleranz
Risk                  Risks, Risiko, Risiken
Decision needed       Decisions needed, Entscheidung nötig (noetig, benötigt, erforderlich), Entscheidungen nötig
by ... from ...       bis ... von ...
====================  ================================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from sync.model.team_words import NO_WORDS, TeamWords

__all__ = ["MAX_OWNER_LENGTH", "MAX_TEXT_LENGTH", "MAX_TOLERANCE", "MAX_VALUES", "STEMS", "has_any", "team_words"]

MAX_TEXT_LENGTH, MAX_OWNER_LENGTH = 200, 100
"""Maximum number of characters of a risk or decision, and of a name; a longer text is cut."""

MAX_VALUES = 20
"""Maximum number of owners, of risks, of decisions and of faults; the rest is ignored."""

MAX_TOLERANCE = 20
"""Largest tolerance in percent, as in the configuration."""

STEMS = ("owner", "verantwortlich", "start", "beginn", "toleran", "risk", "risi", "decision", "entscheidung")
_BOXES = ("[ ]", "[x]")
"""Each text with a word for us holds one of these, in small letters."""

_SHORT = 10_000
"""Number of characters up to which the words of a description are cached: a run reads it for each audience."""


def team_words(description: str) -> TeamWords:
    """Read a description, in Markdown, wiki text or plain text. Never raises; takes linear time."""
    if not has_any(description, (*STEMS, *_BOXES)):
        return NO_WORDS
    return _read_short(description) if len(description) <= _SHORT else _read(description)


@lru_cache(maxsize=4096)
def _read_short(description: str) -> TeamWords:
    return _read(description)


def _read(description: str) -> TeamWords:
    from sync.tracker.team_word_reader import Reader  # late: its patterns take long to compile

    return Reader().read(description)


def has_any(text: str, parts: Sequence[str]) -> bool:
    """Return whether a text holds one of these parts, which are in small letters."""
    small = text.lower()
    return any(part in small for part in parts)
