"""A language of what people read: texts by gettext, and the notation of dates, numbers and percentages.

Texts are looked up by their English words. A translation may put the named places of a text in any order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from functools import cached_property, lru_cache
from gettext import NullTranslations, translation
from pathlib import Path
from typing import Literal

from sync.report.figures import probability_percent, short_number

__all__ = ["DOMAIN", "ENGLISH", "LANGUAGES", "LOCALE", "ROUGH_DAYS", "Language", "Style", "load_language"]

DOMAIN = "milesync"
LOCALE = Path(__file__).parent / "locale"
LANGUAGES = ("en", "de")
"""English is in the code; each other language is a catalogue in `sync/report/locale`."""

ROUGH_DAYS = 10
"""Number of days from which words round a span to weeks."""

Style = Literal["numbers", "words"]
"""Form of a phrase: with percentages and counts, or in words only."""


class Language:
    """One language with its gettext catalogue."""

    def __init__(self, name: str, catalogue: NullTranslations) -> None:
        self.name = name
        self._catalogue = catalogue

    def say(self, text: str, **values: object) -> str:
        """Return the text in this language, with ``values`` in its named places."""
        return self._catalogue.gettext(text).format(**values)

    def many(self, name: str, several: str, n: int, **values: object) -> str:
        """Return the form of a text that fits ``n`` things; ``{n}`` is their number."""
        return self._catalogue.ngettext(name, several, n).format(n=n, **values)

    def naming(self, noun: str) -> Language:
        """Return this language with another English word for an issue: item, pull request, merge request.

        Translations have one word for all of them, as German has ``Vorgang``.
        """
        return _WorkLanguage(noun) if self.name == "en" and noun != "issue" else self

    def day(self, value: date) -> str:
        """Return a date: 12 Dec 2026."""
        return self.say("{day} {month} {year}", day=value.day, month=self._months[value.month - 1], year=value.year)

    def minute(self, value: datetime) -> str:
        """Return a moment in UTC: 12 Dec 2026, 06:30 UTC."""
        return self.say("{day}, {time} UTC", day=self.day(value), time=f"{value:%H:%M}")

    def short_day(self, value: date, today: date) -> str:
        """Return a date as 12 Dec, with its year if that is not the year of ``today``."""
        if value.year != today.year:
            return self.day(value)
        return self.say("{day} {month}", day=value.day, month=self._months[value.month - 1])

    def number(self, value: float) -> str:
        """Return a number without a needless decimal: 9, 2.5."""
        whole, _, tenths = short_number(value).partition(".")
        return self.say("{whole}.{tenths}", whole=whole, tenths=tenths) if tenths else whole

    def percentage(self, n: int) -> str:
        """Return a percentage of `sync.report.figures`: 52%."""
        return self.say("{n}%", n=n)

    def percent(self, probability: float) -> str:
        """Return a probability as an integer percentage from 1 to 99."""
        return self.percentage(probability_percent(probability))

    def days(self, n: int) -> str:
        """Return a number of days: 3 days."""
        return self.many("{n} day", "{n} days", n)

    def shift(self, days: int) -> str:
        """Return a move of a date: 21 days later, 1 day earlier, the same day."""
        if days == 0:
            return self.say("the same day")
        if days > 0:
            return self.many("{n} day later", "{n} days later", days)
        return self.many("{n} day earlier", "{n} days earlier", -days)

    def span(self, n: int) -> str:
        """Return a number of days in rounded units: 5 days, 2 weeks, 3 months."""
        if n < ROUGH_DAYS:
            return self.days(n)
        if n < 60:
            return self.many("{n} week", "{n} weeks", round(n / 7))
        return self.many("{n} month", "{n} months", round(n / 30.4))

    def either(self, parts: Sequence[str]) -> str:
        """Join alternatives: one; one or two; one, two or three."""
        *most, last = parts
        return self.say("{first} or {second}", first=", ".join(most), second=last) if most else last

    @cached_property
    def _months(self) -> tuple[str, ...]:
        return (
            self.say("Jan"), self.say("Feb"), self.say("Mar"), self.say("Apr"), self.say("May"), self.say("Jun"),
            self.say("Jul"), self.say("Aug"), self.say("Sep"), self.say("Oct"), self.say("Nov"), self.say("Dec"),
        )  # fmt: skip


class _WorkLanguage(Language):
    """English with another word for an issue."""

    def __init__(self, noun: str) -> None:
        super().__init__("en", NullTranslations())
        self._noun = noun

    def say(self, text: str, **values: object) -> str:
        """Return the text with the word, and with ``values`` in its named places."""
        return super().say(_renamed(text, self._noun), **values)

    def many(self, name: str, several: str, n: int, **values: object) -> str:
        """Return the form of a text for ``n`` things with the word."""
        return super().many(_renamed(name, self._noun), _renamed(several, self._noun), n, **values)


@lru_cache(maxsize=512)
def _renamed(text: str, noun: str) -> str:
    """Return a text with another word for an issue; names of places such as ``{issues}`` stay."""
    article = "an" if noun[0] in "aeiou" else "a"
    text = re.sub(r"\ban issue\b", f"{article} {noun}", text)
    return re.sub(r"(?<![{\w])issue(s?)\b(?!\w*\})", rf"{noun}\1", text)


ENGLISH = Language("en", NullTranslations())


def load_language(name: str) -> Language:
    """Load one of `LANGUAGES`. Raises OSError for any other name."""
    return ENGLISH if name == "en" else Language(name, translation(DOMAIN, LOCALE, [name]))
