"""Phrases of the number of items left over at the due date, and of what is usual in a series that rarely finishes."""

from __future__ import annotations

from sync.health.usual import is_rarely_done
from sync.model.health import Health, Leftover
from sync.report.counting import counted_in
from sync.report.figures import share_percent
from sync.report.language import ENGLISH, Language

__all__ = [
    "leftover_figure",
    "leftover_range",
    "leftover_sentence",
    "odds_sentence",
    "outlook_sentences",
    "usual_odds",
    "usual_sentence",
]


def leftover_range(leftover: Leftover, language: Language = ENGLISH) -> str:
    """Return the number and its range: "3 (80% range: 1 to 6)"."""
    return f"{leftover.usually} ({_span(leftover, language)})"


def leftover_figure(health: Health, language: Language = ENGLISH) -> tuple[str, str] | None:
    """Return the number and its range for a table: "3 of 10" and "80% range: 1 to 6". None as `leftover_sentence`."""
    language = counted_in(health, language)
    leftover, unfinished = health.leftover, health.counts.unfinished
    if not _is_worth_saying(health) or leftover is None:
        return None
    number = str(leftover.usually)
    if leftover.high <= unfinished:
        number = language.say("{count} of {total}", count=number, total=unfinished)
    return number, _span(leftover, language, unfinished)


def leftover_sentence(health: Health, language: Language = ENGLISH) -> str | None:
    """Return "Usually 3 of 10 issues are still open on 5 Dec 2026 (80% range: 1 to 6).".

    None without a forecast, or if none is expected to be left. Where the range exceeds the open and carried-over items,
    the sentence says that it includes issues added until then, instead of "of 10". Nor does it say "of 1".
    """
    language = counted_in(health, language)
    leftover, due, unfinished = health.leftover, health.due, health.counts.unfinished
    if not _is_worth_saying(health) or leftover is None or due is None:
        return None
    number, day, span = leftover.usually, language.day(due), _span(leftover, language, unfinished)
    if leftover.high > unfinished or unfinished == 1:  # "of 1 issue" says nothing
        if not number:
            return language.say("Usually no issue is still open on {day} ({span}).", day=day, span=span)
        return language.many(
            "Usually {n} issue is still open on {day} ({span}).",
            "Usually {n} issues are still open on {day} ({span}).",
            number,
            day=day,
            span=span,
        )
    issues = language.many("of {n} issue", "of {n} issues", unfinished)
    if not number:
        return language.say("Usually none {of} is still open on {day} ({span}).", of=issues, day=day, span=span)
    return language.many(
        "Usually {n} {of} is still open on {day} ({span}).",
        "Usually {n} {of} are still open on {day} ({span}).",
        number,
        of=issues,
        day=day,
        span=span,
    )


def usual_sentence(health: Health, language: Language = ENGLISH) -> str | None:
    """Return how rarely the series finishes in full, and the share that is usual; None where it finishes."""
    usual = health.usual
    if usual is None or not is_rarely_done(usual):
        return None
    share = language.percentage(share_percent(usual.share))
    is_all = usual.of >= health.basis.stream_finished
    if usual.in_full == 0 and is_all:
        record = language.say("No milestone of this series has ever been finished in full")
    elif usual.in_full == 0:
        record = language.say("None of the last {of} milestones of this series was finished in full", of=usual.of)
    elif is_all:
        record = language.many(
            "{n} of the {of} milestones of this series was finished in full",
            "{n} of the {of} milestones of this series were finished in full",
            usual.in_full,
            of=usual.of,
        )
    else:
        record = language.many(
            "{n} of the last {of} milestones of this series was finished in full",
            "{n} of the last {of} milestones of this series were finished in full",
            usual.in_full,
            of=usual.of,
        )
    return language.say("{record}; usual here: {share} carried over.", record=record, share=share)


def usual_odds(health: Health, language: Language = ENGLISH) -> str | None:
    """Return the probability that no more is left over than usual, where the series rarely finishes; None elsewhere."""
    if health.usual is None or not is_rarely_done(health.usual):
        return None
    return language.percent(health.usual.probability)


def odds_sentence(health: Health, language: Language = ENGLISH) -> str | None:
    """Return `usual_odds` as a sentence; None where the series finishes."""
    odds = usual_odds(health, language)
    return odds and language.say("{percent} likely to be no worse than usual.", percent=odds)


def outlook_sentences(health: Health, language: Language = ENGLISH) -> list[str]:
    """Return what will be left over, and where the series rarely finishes, what is usual and how likely that is."""
    phrases = (leftover_sentence, usual_sentence, odds_sentence)
    return [sentence for phrase in phrases if (sentence := phrase(health, language))]


def _is_worth_saying(health: Health) -> bool:
    return health.leftover is not None and health.due is not None and health.leftover.high > 0


def _span(leftover: Leftover, language: Language, unfinished: int | None = None) -> str:
    """Return the range. Beyond the ``unfinished`` items, it includes issues that are not in the milestone yet."""
    span = language.say("80% range: {low} to {high}", low=leftover.low, high=leftover.high)
    if leftover.low == leftover.high:
        span = language.say("80% range: {number}", number=leftover.low)
    if unfinished is not None and leftover.high > unfinished:
        return language.say("{span}, including issues added until then", span=span)
    return span
