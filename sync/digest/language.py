"""The language of an audience: texts by gettext, and the notation of dates and numbers.

Texts are looked up by their English words. A translation may put the named places of a text in any order.
"""

from __future__ import annotations

from datetime import date
from gettext import NullTranslations, translation
from pathlib import Path

from sync.report.figures import probability_percent

__all__ = ["DOMAIN", "LANGUAGES", "LOCALE", "Language", "load_language"]

DOMAIN = "milesync"
LOCALE = Path(__file__).parent / "locale"
LANGUAGES = ("en", "de")
"""English is in the code; each other language is a catalogue in `sync/digest/locale`."""


class Language:
    """One language: a `sync.report.phrases.Translator` with its gettext catalogue."""

    def __init__(self, name: str, catalogue: NullTranslations) -> None:
        self.name = name
        self._catalogue = catalogue

    def say(self, text: str, **values: object) -> str:
        """Return the text in this language, with ``values`` in its named places."""
        return self._catalogue.gettext(text).format(**values)

    def many(self, name: str, several: str, n: int, **values: object) -> str:
        """Return the form of a text that fits ``n`` things; ``{n}`` is their number."""
        return self._catalogue.ngettext(name, several, n).format(n=n, **values)

    def day(self, value: date) -> str:
        """Return a date: 12 Dec 2026."""
        return self.say("{day} {month} {year}", day=value.day, month=self._month(value.month), year=value.year)

    def percent(self, probability: float) -> str:
        """Return an integer percentage from 1 to 99: a forecast is never certain."""
        return self.say("{n}%", n=probability_percent(probability))

    def days(self, n: int) -> str:
        """Return a number of days: 3 days."""
        return self.many("{n} day", "{n} days", n)

    def span(self, n: int) -> str:
        """Return a number of days in rounded units: 5 days, 2 weeks, 3 months."""
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


def load_language(name: str) -> Language:
    """Load one of `LANGUAGES`. Raises OSError for any other name."""
    if name == "en":
        return Language(name, NullTranslations())
    return Language(name, translation(DOMAIN, LOCALE, [name]))
