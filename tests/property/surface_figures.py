"""Read the figures of a milestone back out of the texts of `tests.property.surfaces`.

`FIGURES` is the whole table: a figure, the surfaces that show it, and the sentence or cell around the number. A
sentence with new wording needs its line here; `test_surfaces` fails for a line that finds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from tests.property.surfaces import Text

__all__ = ["DATE", "FIGURES", "Figure", "as_day", "days_in", "figures_of"]

MONTHS = {
    name: number
    for names in (
        "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
        "Jan Feb März Apr Mai Juni Juli Aug Sept Okt Nov Dez",
    )
    for number, name in enumerate(names.split(), 1)
}
DATE = r"\d{1,2}\.? [A-Z][a-zä]{2,4}\.? \d{4}"
NUMBER = r"(\d+|none|no)"


@dataclass(frozen=True)
class Figure:
    """A figure, and the pattern whose groups hold it. ``on``: a pattern for the names of its surfaces."""

    name: str
    on: str
    pattern: str


FIGURES = (
    # the due day
    Figure("due", "comment: summary", rf", was due on ({DATE})"),
    Figure("due", "comment|description|explain|page", rf"likely (?:to be done )?by ({DATE})"),
    Figure("due", "status table|timeline", rf"^\S+ (?!no due date)[a-z ]+?(?:\d+%)? +({DATE})  "),
    Figure("due", "whatif", rf"\ndue +({DATE}) "),
    Figure("due", "portfolio row", rf"; due ({DATE})"),
    Figure("due", "milestone page", rf"\nDue\n({DATE})"),
    Figure("due", "digest en", rf"(?:likely|to be done|of being done) by ({DATE})"),
    Figure("due", "digest en", rf"It (?:is|was) due on ({DATE})"),
    Figure("due", "digest de", rf"Der Termin (?:ist |war )am ({DATE})"),
    Figure("due", "digest de", rf"(?:[Ww]ahrscheinlich|nicht|Wahrscheinlichkeit) bis zum ({DATE}) fertig"),
    # the probability in percent
    Figure("probability", "comment|description|explain|page", rf"(\d+)% likely (?:to be done )?by {DATE}"),
    Figure("probability", "status table|timeline", rf"^\S+ [a-z ]+? +(\d+)%  {DATE}"),
    Figure("probability", "whatif", r"\nin time +(\d+)%"),
    Figure("probability", "portfolio row", r"\n(\d+)%\n"),
    Figure("probability", "digest en-numbers", rf"(\d+)% likely by {DATE}"),
    Figure("probability", "digest de-numbers", rf"Mit (\d+) % Wahrscheinlichkeit bis zum {DATE}"),
    # done and total
    Figure(
        "done",
        "comment: summary|explain|milestone page|digest en",
        r"(\d+) of (\d+)(?: (?:issue|item)s?)? done",
    ),
    Figure("done", "status table", r"  (\d+)/(\d+)  "),
    Figure("done", "portfolio row", r"\n(\d+)/(\d+)\n"),
    Figure("done", "digest de-numbers", r"(\d+) von (\d+) Vorgängen erledigt"),
    Figure("open", "comment|description", r"Overdue by \d+ days?: (\d+) of"),
    Figure("open", "explain|milestone page", r"done, (\d+) open"),
    Figure("open", "whatif", r"open (?:issues|items) +(\d+)"),
    Figure("open", "digest en", r"(\d+) (?:issue|item)s? (?:is|are) still open"),
    Figure("open", "digest de", r"(\d+) Vorg\w+ (?:ist|sind) noch offen"),
    # the share that is done, in percent
    Figure("share", "comment: summary|explain|status table|portfolio row|milestone page", r"(?<!\d)(\d+)% is done;"),
    # the most likely date
    Figure("p50", "comment: summary|description|explain", rf"Most likely done\W+({DATE})"),
    Figure("p50", "whatif", rf"most likely +({DATE})"),
    Figure("p50", "portfolio row", rf"\n50% ({DATE})"),
    Figure("p50", "milestone page", rf"\nMost likely done\n({DATE})"),
    Figure("p50", "digest en-words", rf"most likely be done around ({DATE})"),
    Figure("p50", "digest de-words", rf"um den ({DATE}) fertig"),
    # the date that is 85 % certain
    Figure("p85", "comment: summary|description|explain", rf"85% sure\W+({DATE})\*? \("),
    Figure("p85", "status table|timeline", rf"^\S+ [a-z ]+? +(?:\d+%)? +{DATE}  ({DATE})"),
    Figure("p85", "whatif", rf"85% sure +({DATE})"),
    Figure("p85", "portfolio row", rf", 85% ({DATE})"),
    Figure("p85", "milestone page", rf"\n85% sure\n({DATE})"),
    Figure("p85", "digest en-numbers", rf"85% sure by ({DATE})"),
    Figure("p85", "digest de-numbers", rf"Mit 85 % Sicherheit bis zum ({DATE})"),
    # added since the start
    Figure("added", "comment: summary|explain", r"(\d+) (?:(?:issue|item)s? )?(?:joined|added) since the start"),
    Figure("added", "milestone page", r"(?:Joined|Added) since the start\n(\d+)"),
    # what is usually left
    Figure(
        "leftover",
        "explain|status table",
        rf"Usually {NUMBER}(?: of \d+)?(?: (?:issue|item)s?)? (?:is|are) still open on",
    ),
    Figure("leftover", "whatif", r"left when due +(\d+) \("),
    # days
    Figure("overdue by", "comment|description", r"Overdue by (\d+) days?"),
    Figure("days left", "comment: summary", r", due in (\d+) days?"),
    Figure("days left", "milestone page", r"\nin (\d+) days?\n"),
    Figure("overdue by", "milestone page", r"\n(\d+) days ago\n"),
)


def as_day(written: str) -> date:
    """Return a date as English or German texts write it."""
    day, month, year = written.split()
    return date(int(year), MONTHS[month.rstrip(".")], int(day.rstrip(".")))


def days_in(words: str) -> list[date]:
    """Return every date in a text."""
    return [as_day(found) for found in re.findall(DATE, words)]


def figures_of(text: Text) -> Iterator[tuple[Figure, int | tuple[int, ...] | date]]:
    """Yield the figures in a text."""
    for figure in FIGURES:
        if re.search(figure.on, text.surface):
            for found in re.finditer(figure.pattern, text.words):
                yield figure, _value(found.groups())


def _value(groups: tuple[str, ...]) -> int | tuple[int, ...] | date:
    if re.fullmatch(DATE, groups[0]):
        return as_day(groups[0])
    numbers = tuple(0 if group in ("none", "no") else int(group) for group in groups)
    return numbers if len(numbers) > 1 else numbers[0]
