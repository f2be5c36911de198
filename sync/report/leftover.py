"""Wording of the number of items left over at the due date, and of what is usual in a series that rarely finishes.

All outputs use these sentences, so that a figure is rounded once.
"""

from __future__ import annotations

from sync.health.usual import is_rarely_done
from sync.model.health import Health, Leftover
from sync.report.figures import share_percent
from sync.report.phrases import day, percent, plural

__all__ = ["leftover_range", "leftover_sentence", "outlook_sentences", "usual_odds", "usual_sentence"]


def leftover_range(leftover: Leftover) -> str:
    """Return the number and its range: "3 (80%: 1 to 6)"."""
    return f"{leftover.usually} ({_span(leftover)})"


def leftover_sentence(health: Health) -> str | None:
    """Return "Usually 3 of 10 left on 5 Dec 2026 (80%: 1 to 6)."; None without a forecast, or if nothing is
    open and no more is expected.

    Where the range exceeds the open and carried-over items, the sentence says that more join instead of "of 10".
    """
    leftover, due, still_open = health.leftover, health.due, health.counts.unfinished
    if leftover is None or due is None or still_open == leftover.high == 0:
        return None
    more = leftover.high > still_open
    number = str(leftover.usually or "none") + ("" if more else f" of {still_open}")
    joining = ", with those that still join" if more else ""
    return f"Usually {number} left on {day(due)} ({_span(leftover)}{joining})."


def usual_sentence(health: Health) -> str | None:
    """Return how rarely the series finishes in full, and the share that is usual; None where it finishes."""
    usual = health.usual
    if usual is None or not is_rarely_done(usual):
        return None
    is_all = usual.of >= health.basis.stream_finished
    if usual.in_full == 0 and is_all:
        record = "No milestone of this series was ever finished in full"
    else:
        were = "were" if usual.in_full > 1 else "was"
        count = "None" if usual.in_full == 0 else str(usual.in_full)
        last = "" if is_all else "last "
        record = f"{count} of the {last}{plural(usual.of, 'milestone')} of this series {were} finished in full"
    return f"{record}; usual here: {share_percent(usual.share)}% carried over."


def usual_odds(health: Health) -> str | None:
    """Return the probability that no more is left over than usual, where the series rarely finishes; None elsewhere."""
    return percent(health.usual.probability) if health.usual is not None and is_rarely_done(health.usual) else None


def outlook_sentences(health: Health) -> list[str]:
    """Return what will be left over, and where the series rarely finishes, what is usual and how likely that is."""
    usual, odds = usual_sentence(health), usual_odds(health)
    sentences = [leftover_sentence(health), usual, odds and f"No more left over than usual here: {odds} likely."]
    return [sentence for sentence in sentences if sentence]


def _span(leftover: Leftover) -> str:
    return f"80%: {leftover.low} to {leftover.high}"
