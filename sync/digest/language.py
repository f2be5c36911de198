"""An audience's language: texts by gettext, dates and numbers as they are written there.

Every text is looked up by its English words. A translation may put the named places of a text in any order.
"""

from __future__ import annotations

from datetime import date
from gettext import NullTranslations, translation
from pathlib import Path

__all__ = ["DOMAIN", "LANGUAGES", "LOCALE", "Language", "language"]

DOMAIN = "milesync"
LOCALE = Path(__file__).parent / "locale"
LANGUAGES = ("en", "de")
"""English is what stands in the code; each other one is a catalogue in `sync/digest/locale`."""


class Language:
    """One language. ``say`` and ``many`` fill the named places of a text."""

    def __init__(self, name: str, catalogue: NullTranslations) -> None:
        self.name = name
        self._catalogue = catalogue

    def say(self, text: str, **values: object) -> str:
        """The text in this language."""
        return self._catalogue.gettext(text).format(**values)

    def many(self, name: str, several: str, n: int, **values: object) -> str:
        """The form of a text that fits ``n`` things; ``{n}`` is their number."""
        return self._catalogue.ngettext(name, several, n).format(n=n, **values)

    def day(self, value: date) -> str:
        """12 Dec 2026."""
        return self.say("{day} {month} {year}", day=value.day, month=self._month(value.month), year=value.year)

    def percent(self, probability: float) -> str:
        """An integer percent that is never 0 or 100: before the end nothing is sure."""
        return self.say("{n} %", n=min(99, max(1, round(probability * 100))))

    def days(self, n: int) -> str:
        """3 days."""
        return self.many("{n} day", "{n} days", n)

    def span(self, n: int) -> str:
        """A time as people say it: 5 days, 2 weeks, 3 months."""
        if n < 10:
            return self.days(n)
        if n < 60:
            return self.many("{n} week", "{n} weeks", round(n / 7))
        return self.many("{n} month", "{n} months", round(n / 30.4))

    def _month(self, number: int) -> str:
        months = (
            self.say("Jan"), self.say("Feb"), self.say("Mar"), self.say("Apr"), self.say("May"), self.say("Jun"),
            self.say("Jul"), self.say("Aug"), self.say("Sep"), self.say("Oct"), self.say("Nov"), self.say("Dec"),
        )  # fmt: skip
        return months[number - 1]


def language(name: str) -> Language:
    """One of `LANGUAGES`. Raises OSError for any other."""
    if name == "en":
        return Language(name, NullTranslations())
    return Language(name, translation(DOMAIN, LOCALE, [name]))
