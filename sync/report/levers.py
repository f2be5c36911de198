"""The wording of each lever: an offer for comments and pages, and one for the digest.

To add a lever: its kind in `sync.model.health`, its rule in `sync.health.levers`, its entry in `LEVERS`, and the
translation (`python -m tests.catalogue`). The values of a lever are those of `sync.health.levers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

from msgspec import Struct

from sync.model.health import Lever, LeverKind
from sync.report.figures import short_number
from sync.report.phrases import Translator, count_of, date_of, day, number_of, percent, plural, small

__all__ = ["LEVERS", "LeverPhrases", "lever_clause", "lever_texts"]


class LeverPhrases(Struct, frozen=True):
    """The texts of one kind of lever: what to do.

    ``comment`` returns it in English. ``digest`` returns it in the translator's language, without figures of the
    forecast when its last argument is false.
    """

    comment: Callable[[Lever], str]
    digest: Callable[[Translator, Lever, bool], str]


def lever_texts(lever: Lever, due: date | None) -> tuple[str, str]:
    """Return what to do, and the effect (empty when unknown), in English. A new date is compared with ``due``."""
    to = date_of(lever, "to")
    # a later date changes how people work, which no probability includes
    stays = "" if to is None else " if all else stays"
    effects = [] if lever.probability is None else [f"{percent(lever.probability)} likely{stays}"]
    if to is not None and due is not None:
        effects.append(f"{(to - due).days:+d} days")
    if lever.values.get("capacity"):
        effects.append("by what was closed lately")
    return LEVERS[lever.kind].comment(lever), ", ".join((*effects, *_usual_pace(lever)))


def lever_clause(translator: Translator, lever: Lever, *, has_numbers: bool) -> str:
    """Return what to do in another language, with the probability that it gives where ``has_numbers``."""
    act = LEVERS[lever.kind].digest(translator, lever, has_numbers)
    if has_numbers and lever.probability is not None:
        return translator.say("{act} ({percent} likely)", act=act, percent=translator.percent(lever.probability))
    return act


def _usual_pace(lever: Lever) -> list[str]:
    """Compare the pace that the lever needs with the usual pace of this series."""
    median, reached, weeks = number_of(lever, "median"), number_of(lever, "reached"), number_of(lever, "weeks")
    parts = [] if median is None else [f"the usual week closes {short_number(median)}"]
    if reached is not None and weeks:
        parts.append(f"that pace was reached in {short_number(reached)} of the last {plural(round(weeks), 'week')}")
    return parts


def _cut(lever: Lever) -> str:
    count, of = count_of(lever), number_of(lever, "of")
    return f"Cut {count} of {plural(round(of), 'open issue')}" if of else f"Cut {plural(count, 'issue')}"


def _cut_clause(translator: Translator, lever: Lever, _has_numbers: bool) -> str:
    return translator.many("drop {n} issue", "drop {n} issues", count_of(lever))


def _move(lever: Lever) -> str:
    to = date_of(lever, "to")
    return f"Move the due date to {day(to)}" if to else "Move the due date"


def _move_clause(translator: Translator, lever: Lever, _has_numbers: bool) -> str:
    to = date_of(lever, "to")
    if to is not None:
        return translator.say("move the date to {day}", day=translator.day(to))
    return translator.say("move the date")


def _cut_and_move(lever: Lever) -> str:
    return f"{_cut(lever)} and {small(_move(lever))}"


def _cut_and_move_clause(translator: Translator, lever: Lever, has_numbers: bool) -> str:
    first, second = _cut_clause(translator, lever, has_numbers), _move_clause(translator, lever, has_numbers)
    return translator.say("{first} and {second}", first=first, second=second)


def _freeze(_lever: Lever) -> str:
    return "Freeze the scope and let nothing more in"


def _freeze_clause(translator: Translator, _lever: Lever, _has_numbers: bool) -> str:
    return translator.say("let no more work in")


def _pace(lever: Lever) -> str:
    needed = number_of(lever, "needed")
    return f"Close {short_number(needed)} issues a week until the due date" if needed else "Close more issues each week"


def _pace_clause(translator: Translator, lever: Lever, has_numbers: bool) -> str:
    needed = number_of(lever, "needed")
    if has_numbers and needed:
        n = max(1, round(needed))
        return translator.many("close {n} issue a week", "close {n} issues a week", n)
    return translator.say("close more issues each week")


def _assign(lever: Lever) -> str:
    return f"Find an owner for {plural(count_of(lever), 'issue')}"


def _assign_clause(translator: Translator, lever: Lever, _has_numbers: bool) -> str:
    return translator.many("find an owner for {n} issue", "find an owner for {n} issues", count_of(lever))


LEVERS: Mapping[LeverKind, LeverPhrases] = {
    LeverKind.CUT: LeverPhrases(_cut, _cut_clause),
    LeverKind.MOVE: LeverPhrases(_move, _move_clause),
    LeverKind.BOTH: LeverPhrases(_cut_and_move, _cut_and_move_clause),
    LeverKind.FREEZE: LeverPhrases(_freeze, _freeze_clause),
    LeverKind.PACE: LeverPhrases(_pace, _pace_clause),
    LeverKind.ASSIGN: LeverPhrases(_assign, _assign_clause),
}
