"""Phrases of a track record: how many of the published dates of a stream held."""

from __future__ import annotations

from sync.forecast.track_record import LEAST_DATES, StreamScore, has_track_record
from sync.report.figures import share_percent
from sync.report.phrases import capital

__all__ = ["NO_TRACK_RECORD", "dates_clause", "record_clauses", "track_record_sentence"]

NO_TRACK_RECORD = "No track record yet: too few past forecasts have come due."


def track_record_sentence(score: StreamScore | None) -> str:
    """Return the track record of a stream: "17 of 20 dates given with 85% certainty held."

    None: no forecast was published.
    """
    if score is None or not has_track_record(score):
        return NO_TRACK_RECORD
    if score.dates < LEAST_DATES:
        return f"{score.forecasts} forecasts of {score.milestones} milestones have come due, but too few 85% dates."
    return f"{capital(dates_clause(score))}."


def dates_clause(score: StreamScore) -> str:
    """Return the share of dates that held in words: ``17 of 20 dates given with 85% certainty held``."""
    return _dates_in_words("85% certainty", score.dates, score.held)


def record_clauses(score: StreamScore) -> list[str]:
    """Return everything that is known about the dates and ranges of a stream in words, without empty parts."""
    words = [
        _dates_in_words(f"{share_percent(given.level)}% certainty", given.dates, given.held)
        for given in (score.p50, score.p85)
        if given.dates
    ]
    words += [
        _dates_in_words(f"{share_percent(given.level)}% certainty and no due date", given.dates, given.held)
        for given in score.promises
        if given.dates
    ]
    if score.ranges:
        words.append(f"{score.ranges_held or 'none'} of {score.ranges} ranges of work left over held")
    return words


def _dates_in_words(given: str, dates: int, held: int) -> str:
    if not dates:
        return f"no date given with {given} has come due yet"
    if dates == 1:
        return f"the one date given with {given} {'held' if held else 'did not hold'}"
    return f"{held or 'none'} of {dates} dates given with {given} held"
