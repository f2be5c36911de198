"""The phrase of each kind of lever, for comments, pages, terminal and digests.

To add a lever: its kind in `sync.model.health`, its rule in `sync.health.levers`, its entry in `LEVERS`, and the
translation (`python -m tests.catalogue`). The values of a lever are those of `sync.health.levers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

from msgspec import Struct

from sync.model.health import Health, Lever, LeverKind
from sync.report.language import ENGLISH, Language, Style
from sync.report.phrases import capital, count_of, date_of, number_of

__all__ = ["LEVERS", "LeverPhrase", "best_lever", "lever_clause", "lever_texts", "ranked_levers"]


TIE = 0.05
"""Levers whose probabilities differ by less are equally good: the order of `sync.health.levers` decides."""


class LeverPhrase(Struct, frozen=True):
    """Phrase of one kind of lever: what to do, as a clause that begins with a small letter.

    ``words`` has no figures of the forecast. ``numbers`` returns None when the lever lacks the values; then ``words``
    is used. None: both are the same.
    """

    words: Callable[[Lever, Language], str]
    numbers: Callable[[Lever, Language], str | None] | None = None


def best_lever(health: Health) -> Lever | None:
    """Return the lever to recommend: the first of those that help most, else the first; None without levers.

    Levers within `TIE` of the greatest probability help most.
    """
    most = max((lever.probability for lever in health.levers if lever.probability is not None), default=None)
    if most is None:
        return health.levers[0] if health.levers else None
    return next(lever for lever in health.levers if lever.probability is not None and lever.probability > most - TIE)


def ranked_levers(health: Health) -> list[Lever]:
    """Return the levers, the recommended one first."""
    best = best_lever(health)
    return [] if best is None else [best, *(lever for lever in health.levers if lever is not best)]


def lever_texts(lever: Lever, due: date | None, language: Language = ENGLISH) -> tuple[str, str]:
    """Return what to do, and the effect (empty when unknown). A new date is compared with ``due``."""
    to = date_of(lever, "to")
    effects = [_likelihood(lever, language)] if lever.probability is not None else []
    if to is not None and due is not None:
        effects.append(language.shift((to - due).days))
    if lever.values.get("capacity"):
        effects.append(language.say("based on recent throughput"))
    return capital(_act(lever, language, "numbers")), ", ".join((*effects, *_usual_pace(lever, language)))


def lever_clause(lever: Lever, language: Language = ENGLISH, style: Style = "numbers") -> str:
    """Return what to do as a part of a sentence, with the probability that it gives in the style of numbers."""
    act = _act(lever, language, style)
    if style == "numbers" and lever.probability is not None:
        return language.say("{act} ({effect})", act=act, effect=_likelihood(lever, language))
    return act


def _act(lever: Lever, language: Language, style: Style) -> str:
    phrase = LEVERS[lever.kind]
    text = phrase.numbers(lever, language) if phrase.numbers is not None and style == "numbers" else None
    return text or phrase.words(lever, language)


def _likelihood(lever: Lever, language: Language) -> str:
    """Return the probability. A later date changes how people work, which no probability includes."""
    percent = language.percent(lever.probability or 0.0)
    if date_of(lever, "to") is None:
        return language.say("{percent} likely", percent=percent)
    return language.say("{percent} likely if the team keeps its pace", percent=percent)


def _usual_pace(lever: Lever, language: Language) -> list[str]:
    """Compare the pace that the lever needs with the usual pace of this series; empty without a history."""
    median, reached = number_of(lever, "median"), number_of(lever, "reached")
    weeks = round(number_of(lever, "weeks") or 0)
    usual = "" if median is None else language.say("{number} a week is usual", number=language.number(median))
    if reached is None or not weeks:
        return [usual] if usual else []
    if round(reached):
        text = language.many(
            "a pace reached in the last week",
            "a pace reached in {reached} of the last {n} weeks",
            weeks,
            reached=round(reached),
        )
    else:
        text = language.many(
            "a pace not reached in the last week", "a pace not reached in any of the last {n} weeks", weeks
        )
    return [f"{text}; {usual}" if usual else text]


def _cut(lever: Lever, language: Language) -> str:
    count, total = count_of(lever), round(number_of(lever, "of") or 0)
    if total > 1:
        return language.many(
            "take {n} of the {total} open issues out", "take {n} of the {total} open issues out", count, total=total
        )
    return language.many("take {n} issue out", "take {n} issues out", count)


def _move(lever: Lever, language: Language) -> str:
    to = date_of(lever, "to")
    return language.say("move the due date to {day}", day=language.day(to)) if to else language.say("move the due date")


def _cut_and_move(lever: Lever, language: Language) -> str:
    return language.say("{first} and {second}", first=_cut(lever, language), second=_move(lever, language))


def _freeze(_lever: Lever, language: Language) -> str:
    return language.say("freeze scope: accept no new issues")


def _pace(lever: Lever, language: Language) -> str | None:
    needed = number_of(lever, "needed")
    if not needed:
        return None
    number = language.number(needed)
    return language.many(
        "close {number} issue a week until the due date",
        "close {number} issues a week until the due date",
        1 if number == "1" else 2,
        number=number,
    )


def _pace_words(_lever: Lever, language: Language) -> str:
    return language.say("close more issues each week")


def _assign(lever: Lever, language: Language) -> str:
    return language.many("assign {n} unassigned issue", "assign {n} unassigned issues", count_of(lever))


LEVERS: Mapping[LeverKind, LeverPhrase] = {
    LeverKind.CUT: LeverPhrase(_cut),
    LeverKind.MOVE: LeverPhrase(_move),
    LeverKind.BOTH: LeverPhrase(_cut_and_move),
    LeverKind.FREEZE: LeverPhrase(_freeze),
    LeverKind.PACE: LeverPhrase(_pace_words, _pace),
    LeverKind.ASSIGN: LeverPhrase(_assign),
}
