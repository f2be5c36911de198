"""The charts: which lines and labels they have, where these are, and that text is escaped and colours have names."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from sync.forecast.scoring import Bin
from sync.report import charts
from sync.report.axis import date_ticks, number_ticks
from sync.report.charts import NARROW, WIDE, BurnUp, burn_up, png, reliability
from sync.report.facts import Point
from sync.report.svg import Drawing

TODAY = date(2026, 11, 22)
BURN = BurnUp(
    points=[Point(date(2026, 11, 1) + timedelta(days=n), n // 3, 10 + n // 7) for n in range(22)],
    today=TODAY,
    due=date(2026, 12, 5),
    baseline=date(2026, 11, 28),
    p50=date(2026, 12, 8),
    p85=date(2026, 12, 20),
    p95=None,
)


def texts(drawing: Drawing) -> dict[str, ElementTree.Element]:
    """Return the text elements of a drawing by their words."""
    return {str(element.text): element for element in ElementTree.fromstring(str(drawing)).iter("text")}


def x_of(drawing: Drawing, words: str) -> float:
    return float(texts(drawing)[words].attrib["x"])


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_a_burn_up_names_its_lines_and_dates(width: int) -> None:
    labels = set(texts(burn_up(BURN, width)))
    assert {"scope", "done", "today", "due", "first due", "50%", "85%", "issues", "0"} <= labels
    assert "95%" not in labels


def test_readers_without_percentages_see_none() -> None:
    drawing = burn_up(BURN, percent=False)
    assert not any("%" in words for words in texts(drawing))
    assert str(drawing).count("<circle") == 2


def test_a_picture_names_its_day() -> None:
    assert "22 Nov 2026" in texts(burn_up(BURN, dated=True))


def test_an_ended_milestone_has_no_today() -> None:
    ended = msgspec.structs.replace(BURN, is_ended=True, p50=None, p85=None)
    labels = set(texts(burn_up(ended)))
    assert "closed" in labels
    assert not {"today", "50%"} & labels


def test_dates_are_in_their_order_along_the_axis() -> None:
    drawing = burn_up(BURN)
    places = [x_of(drawing, words) for words in ("today", "first due", "due", "50%", "85%")]
    assert places == sorted(places)


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("ahead", [1, 7, 29, 90, 400, 2_000])
def test_everything_is_within_the_drawing_for_near_and_far_dates(width: int, ahead: int) -> None:
    p85 = TODAY + timedelta(days=ahead)
    drawing = burn_up(msgspec.structs.replace(BURN, p50=TODAY + timedelta(days=ahead // 2), p85=p85), width)
    for element in ElementTree.fromstring(str(drawing)).iter("text"):
        assert 0 < float(element.attrib["x"]) < drawing.width
        assert 0 < float(element.attrib["y"]) < drawing.height
    for path in re.findall(r' d="M([^"Z]+)Z?"(?! [^>]*clip-path)', str(drawing)):
        for x, y in (map(float, place.split(",")) for place in path.split("L")):
            assert 0 <= x <= drawing.width
            assert 0 <= y <= drawing.height


def test_a_first_day_and_an_empty_scope_can_be_drawn() -> None:
    day = BurnUp(points=[Point(TODAY, 0, 0), Point(TODAY + timedelta(days=1), 0, 0)], today=TODAY + timedelta(days=1))
    assert {"scope", "done"} <= set(texts(burn_up(day)))


def test_lines_turn_where_a_level_changes_only() -> None:
    flat = msgspec.structs.replace(BURN, points=[Point(p.on, 3, 12) for p in BURN.points], p50=None, p85=None)
    steps = re.findall(r'd="(M[^"]+)" fill="none" stroke="var\(--(?:done|scope)\)"', str(burn_up(flat)))
    assert [step.count("L") for step in steps] == [1, 1]


def test_a_drawing_has_a_title_and_its_numbers_for_screen_readers() -> None:
    root = ElementTree.fromstring(str(burn_up(BURN)))
    assert root.attrib["role"] == "img"
    assert [root[0].tag, root[0].text, root[1].tag] == ["title", "Burn-up", "desc"]
    assert root[1].text == ("7 of 13 issues done on 22 Nov 2026; due 5 Dec 2026; 50% 8 Dec 2026; 85% 20 Dec 2026")


def test_a_drawing_leaves_colours_to_the_page_in_both_themes() -> None:
    drawn = str(burn_up(BURN)) + str(reliability(BINS))
    used = set(re.findall(r'(?:fill|stroke)="([^"]+)"', drawn)) - {"none"}
    names = {match[1] for match in map(re.compile(r"var\(--(\w+)\)").fullmatch, used) if match}
    assert len(names) == len(used)
    assert names <= charts.INK.keys()
    style = Path(charts.__file__).parents[1].joinpath("site", "static", "report.css").read_text()
    for name in names:
        assert style.count(f"--{name}:") >= 2, f"{name} in the light and in the dark theme"


def test_text_is_escaped() -> None:
    hostile = '<script>"&'
    drawing = Drawing(10, 10, title=hostile, description=hostile, clip=(0, 0, 1, 1))
    drawing.text(hostile, (1, 1), "text")
    root = ElementTree.fromstring(str(drawing))
    assert [root[0].text, root[1].text, root[-1].text] == [hostile] * 3


def test_equal_numbers_give_equal_bytes() -> None:
    assert str(burn_up(BURN)) == str(burn_up(msgspec.structs.replace(BURN)))


BINS = [
    Bin(low=0.2, high=0.3, n=3, forecast=0.26, observed=0.33),
    Bin(low=0.3, high=0.4, n=0, forecast=None, observed=None),
    Bin(low=0.9, high=1.0, n=12, forecast=0.93, observed=0.0),
]


def test_reliability_draws_each_bin_that_has_forecasts() -> None:
    drawing = reliability(BINS)
    assert str(drawing).count("<circle") == 2
    assert {"3", "12", "said", "came true", "100%"} <= set(texts(drawing))
    assert "3 forecasts of 26% on average: 33% came true; 12 forecasts of 93%" in str(drawing)
    assert float(texts(drawing)["12"].attrib["y"]) < drawing.height - 44, "above the axis"


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [
        (1, [0, 1]),
        (5, [0, 1, 2, 3, 4, 5]),
        (17.9, [0, 5, 10, 15]),
        (131, [0, 50, 100]),
        (9_000, [0, 2000, 4000, 6000, 8000]),
    ],
)
def test_number_ticks_are_round(highest: float, ticks: list[int]) -> None:
    assert number_ticks(highest) == ticks


def test_date_ticks_are_few_and_begin_weeks_and_months() -> None:
    first = date(2026, 11, 1)
    for days in range(1, 5_000, 13):
        ticks = date_ticks(first, first + timedelta(days=days), 9)
        assert 1 <= len(ticks) <= 9
        assert all(first <= on <= first + timedelta(days=days) for on, _ in ticks)
    weeks = date_ticks(first, date(2026, 12, 20), 9)
    assert [label for _, label in weeks] == ["2 Nov", "9 Nov", "16 Nov", "23 Nov", "30 Nov", "7 Dec", "14 Dec"]
    months = date_ticks(first, date(2027, 5, 2), 9)
    assert [label for _, label in months][:3] == ["Nov 2026", "Dec 2026", "Jan 2027"]


def test_a_png_has_text_without_the_fonts_of_the_system() -> None:
    pytest.importorskip("resvg_py", reason="no PNG here: the extra `site`")
    image = pytest.importorskip("PIL.Image", reason="no Pillow here")
    from io import BytesIO

    drawn = png(burn_up(BURN))
    assert drawn == png(burn_up(BURN))
    with image.open(BytesIO(drawn)) as picture:
        assert picture.size == (2 * WIDE, 600)
        left = picture.convert("RGB").crop((0, 0, 40, 600))
        assert left.getextrema() != ((255, 255),) * 3, "the word for the axis"
