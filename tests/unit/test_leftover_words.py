"""Sentences about what is left over at the due date, and about series that rarely finish in full."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from sync.engine.doctor import series_findings
from sync.health.missing_input import stale_health
from sync.health.usual import is_never_done, is_rarely_done
from sync.model.health import Basis, Health, Leftover, Status, Usual
from sync.model.membership import Counts
from sync.report.leftover import leftover_figure, leftover_range, outlook_sentences, usual_odds, usual_sentence

AT = datetime(2026, 11, 28, 9, tzinfo=UTC)


def usual(in_full: int = 0, of: int = 8, **changes: Any) -> Usual:
    values: dict[str, Any] = {"share": 0.18, "probability": 0.62, "milestones": min(of, 10), "own": True}
    return Usual(**values | {"in_full": in_full, "of": of, "in_tolerance": in_full} | changes)


def health(left: tuple[int, int, int] | None, *, still_open: int = 10, finished: int = 8, **more: Any) -> Health:
    return Health(
        container="m",
        at=AT,
        since=AT,
        status=Status.AT_RISK,
        band=Status.AT_RISK,
        due=date(2026, 12, 5),
        counts=Counts(open=still_open),
        basis=Basis(stream="app sprint", stream_finished=finished),
        leftover=None if left is None else Leftover(low=left[0], usually=left[1], high=left[2]),
        **more,
    )


@pytest.mark.parametrize(
    ("left", "still_open", "words"),
    [
        ((1, 3, 6), 10, "Usually 3 of 10 issues are still open on 5 Dec 2026 (80% range: 1 to 6)."),
        ((0, 0, 2), 4, "Usually none of 4 issues is still open on 5 Dec 2026 (80% range: 0 to 2)."),
        ((0, 0, 1), 1, "Usually no issue is still open on 5 Dec 2026 (80% range: 0 to 1)."),
        ((0, 1, 1), 1, "Usually 1 issue is still open on 5 Dec 2026 (80% range: 0 to 1)."),
        ((4, 4, 4), 4, "Usually 4 of 4 issues are still open on 5 Dec 2026 (80% range: 4)."),
        (
            (1, 3, 6),
            5,
            "Usually 3 issues are still open on 5 Dec 2026 (80% range: 1 to 6, including issues added until then).",
        ),
        (
            (0, 0, 2),
            0,
            "Usually no issue is still open on 5 Dec 2026 (80% range: 0 to 2, including issues added until then).",
        ),
    ],
)
def test_leftover_is_of_the_open_items_unless_more_are_expected(
    left: tuple[int, int, int], still_open: int, words: str
) -> None:
    assert outlook_sentences(health(left, still_open=still_open)) == [words]


def test_items_that_were_carried_over_do_not_join() -> None:
    shown = replace(health((7, 7, 7)), counts=Counts(open=0, carried=7))
    assert outlook_sentences(shown) == ["Usually 7 of 7 issues are still open on 5 Dec 2026 (80% range: 7)."]


@pytest.mark.parametrize("still_open", [0, 4])
def test_nothing_is_said_where_nothing_is_expected_to_be_left(still_open: int) -> None:
    shown = health((0, 0, 0), still_open=still_open)
    assert (outlook_sentences(shown), leftover_figure(shown)) == ([], None)


def test_nothing_is_said_without_a_forecast_or_a_due_date() -> None:
    assert outlook_sentences(health(None)) == []
    assert outlook_sentences(replace(health((1, 3, 6)), due=None)) == []


def test_range_has_the_same_words_everywhere() -> None:
    shown = health((1, 3, 6))
    assert shown.leftover is not None
    assert leftover_range(shown.leftover) == "3 (80% range: 1 to 6)"
    assert leftover_range(shown.leftover).removeprefix("3 ") in outlook_sentences(shown)[0]
    assert leftover_figure(shown) == ("3 of 10", "80% range: 1 to 6")
    assert leftover_figure(health((1, 3, 6), still_open=5)) == (
        "3",
        "80% range: 1 to 6, including issues added until then",
    )


def test_range_of_one_number_is_that_number() -> None:
    assert leftover_range(Leftover(low=4, usually=4, high=4)) == "4 (80% range: 4)"


@pytest.mark.parametrize(
    ("record", "finished", "words"),
    [
        (usual(), 8, "No milestone of this series has ever been finished in full; usual here: 18% carried over."),
        (usual(of=4), 4, "No milestone of this series has ever been finished in full; usual here: 18% carried over."),
        (
            usual(of=20),
            33,
            "None of the last 20 milestones of this series was finished in full; usual here: 18% carried over.",
        ),
        (
            usual(1, of=8),
            8,
            "1 of the 8 milestones of this series was finished in full; usual here: 18% carried over.",
        ),
        (
            usual(4, of=20, share=0.004),
            33,
            "4 of the last 20 milestones of this series were finished in full; usual here: 1% carried over.",
        ),
    ],
)
def test_series_that_rarely_finishes_says_so_and_how_likely_the_usual_is(
    record: Usual, finished: int, words: str
) -> None:
    shown = health((1, 3, 6), finished=finished, usual=record)
    assert outlook_sentences(shown)[1:] == [words, "62% likely to be no worse than usual."]
    assert usual_odds(shown) == "62%"


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(usual(2, of=8), id="a quarter finishes"),
        pytest.param(usual(of=3), id="three milestones are no rule"),
        pytest.param(usual(own=False), id="of other series"),
        pytest.param(usual(in_tolerance=5), id="within its tolerance it mostly finishes"),
        pytest.param(None, id="no history"),
    ],
)
def test_usual_is_silent_where_the_probability_says_enough(record: Usual | None) -> None:
    shown = health((1, 3, 6), usual=record)
    assert (usual_sentence(shown), usual_odds(shown), is_rarely_done(record)) == (None, None, False)


def test_hardly_any_is_a_fifth() -> None:
    assert [is_rarely_done(usual(n, of=20)) for n in (0, 4, 5)] == [True, True, False]
    assert [is_never_done(usual(n, of=20)) for n in (0, 1)] == [True, False]


def test_doctor_names_each_series_that_never_reaches_its_tolerance_once() -> None:
    never = health((1, 3, 6), usual=usual())
    once = replace(health((1, 3, 6), usual=usual(1)), basis=Basis(stream="app release", stream_finished=8))
    before = replace(never, at=AT - timedelta(days=1), usual=usual(share=0.5))
    (found,) = series_findings([never, once, before, health(None)])
    assert (found.area, str(found.level)) == ("forecast", "note")
    assert found.words == (
        "app sprint: no milestone of this series has ever been finished in full; usual here: 18% carried over."
    )
    assert "tolerance" in found.remedy


def test_stale_milestone_shows_no_figure_of_a_forecast() -> None:
    stale = stale_health(health((1, 3, 6), usual=usual()), None, AT)
    assert (stale.leftover, stale.usual, outlook_sentences(stale)) == (None, None, [])
