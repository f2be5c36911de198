"""The charts of the report: SVG for pages, PNG for attachments and e-mail.

Colours are names of the page's style sheet, so that a drawing serves both themes; a PNG has those of the light theme.
Equal numbers give equal bytes, and nothing is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from importlib.resources import as_file, files
from importlib.util import find_spec
from math import pi, sqrt

from msgspec import Struct

from sync.forecast.scoring import Bin
from sync.report.axis import date_ticks, number_ticks
from sync.report.facts import Point
from sync.report.figures import share_percent
from sync.report.phrases import day, plural
from sync.report.svg import Drawing, Place

__all__ = ["NARROW", "WIDE", "BurnUp", "burn_up", "can_render_png", "chart_in_words", "png", "reliability"]

WIDE, NARROW = 760, 340
"""Widths in pixels for a screen and for a phone: text keeps its size where a scaled drawing would lose it."""

INK = {
    "text": "#1d2430",
    "soft": "#5b6573",
    "grid": "#d9dee6",
    "scope": "#6b3fa0",
    "done": "#1b6e4f",
    "area": "#cfe8dc",
    "fan": "#bcd0ee",
    "faint": "#dde7f6",
    "likely": "#1f57a8",
    "due": "#b3261e",
    "paper": "#ffffff",
}
"""Colours of a PNG by name; `report.css` has the same names for both themes."""

LETTER = 8
"""Width of a letter in pixels, rather more than less."""


class BurnUp(Struct, frozen=True, kw_only=True):
    """The data of a burn-up: the points up to today, and the completion dates at 50, 85 and 95%.

    ``is_ended``: the lines end with the milestone, not today. ``noun``: the word for one of what is counted.
    """

    points: Sequence[Point]
    today: date
    is_ended: bool = False
    noun: str = "issue"
    due: date | None = None
    baseline: date | None = None
    p50: date | None = None
    p85: date | None = None
    p95: date | None = None

    @property
    def ends(self) -> list[date]:
        """The completion dates after today, in their order."""
        return [on for on in (self.p50, self.p85, self.p95) if on is not None and on > self.today]


class _Plot(Struct, frozen=True):
    """The area of a chart between its axes: pixels from the upper left corner, and the values at its ends."""

    left: float
    top: float
    right: float
    bottom: float
    first: float
    last: float
    highest: float

    def x(self, value: float) -> float:
        return self.left + (self.right - self.left) * (value - self.first) / (self.last - self.first)

    def y(self, value: float) -> float:
        return self.bottom - (self.bottom - self.top) * value / self.highest

    def place(self, on: date, value: float) -> Place:
        """Return the point of a value on a day."""
        return self.x(on.toordinal()), self.y(value)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, width and height."""
        return self.left, self.top, self.right - self.left, self.bottom - self.top


# --- the burn-up -----------------------------------------------------------------------------------------------------


def burn_up(chart: BurnUp, width: int = WIDE, *, percent: bool = True, dated: bool = False) -> Drawing:
    """Draw scope and done as steps, the fan from today to the forecast dates, the due date and the baseline.

    Without ``percent`` the forecast dates are points without a label, for readers who want no percentages. ``dated``
    labels today with its date, for pictures that are seen later.
    """
    is_wide = width >= WIDE
    height = 300 if is_wide else 260
    first, until = chart.points[0].on, _last_day(chart)
    highest = max(point.scope for point in chart.points) * (1.3 if is_wide else 1.5) + 1
    ticks = number_ticks(highest)
    end = until + timedelta(days=max(1, (until - first).days // 25))
    left = 28 + LETTER * len(str(ticks[-1]))
    plot = _Plot(left, 6, width - 8, height - 24, first.toordinal(), end.toordinal(), highest)
    words = chart_in_words(chart)
    drawing = Drawing(width, height, title="Burn-up", description=words, clip=plot.box)
    _axes(drawing, plot, [(float(tick), str(tick)) for tick in ticks])
    drawing.text(f"{chart.noun}s", (14, (plot.top + plot.bottom) / 2), "soft", anchor="middle", is_upright=True)
    for on, label in date_ticks(first, end, 9 if is_wide else 4):
        _day_tick(drawing, plot, on, label)
    _fan(drawing, plot, chart, until)
    _lines(drawing, plot, chart, until)
    _rules(drawing, plot, chart, until, day(chart.today) if dated else "today")
    _labels(drawing, plot, chart, until, percent=percent)
    return drawing


def _last_day(chart: BurnUp) -> date:
    """Return the last day to draw: that of the last date, but a date very far ahead would squeeze everything else."""
    first = chart.points[0].on
    marks = [on for on in (chart.due, chart.baseline) if on is not None and on >= first]
    until = max([chart.today, *chart.ends, *marks])
    span = max((until - first).days, 7)
    limit = max(chart.today, chart.due or chart.today) + timedelta(days=max(span // 2, 90))
    return min(until, limit)


def _axes(drawing: Drawing, plot: _Plot, ticks: Sequence[tuple[float, str]]) -> None:
    """Draw the axes, and a line across the plot with its label for each number."""
    for value, label in ticks:
        y = plot.y(value)
        drawing.line([(plot.left - 5, y), (plot.right, y)], "grid")
        drawing.text(label, (plot.left - 8, y + 4), "soft", anchor="end")
    drawing.line([(plot.left, plot.top), (plot.left, plot.bottom)], "grid")


def _day_tick(drawing: Drawing, plot: _Plot, on: date, label: str) -> None:
    """Draw a tick with its label; a label at an end of the axis stays within the plot."""
    x, half = plot.x(on.toordinal()), LETTER * len(label) / 2
    drawing.line([(x, plot.bottom), (x, plot.bottom + 5)], "grid")
    if x + half > plot.right:
        drawing.text(label, (plot.right, plot.bottom + 18), "soft", anchor="end")
    elif x - half < plot.left:
        drawing.text(label, (plot.left, plot.bottom + 18), "soft")
    else:
        drawing.text(label, (x, plot.bottom + 18), "soft", anchor="middle")


def _fan(drawing: Drawing, plot: _Plot, chart: BurnUp, until: date) -> None:
    """Draw the fan from what is done today to the whole scope, between the 50% and the 95% date, darker to 85%."""
    last, early = chart.points[-1], chart.p50
    if early is None or early <= chart.today or last.done >= last.scope:
        return
    for begin, end, colour in ((chart.p85, chart.p95, "faint"), (early, chart.p85, "fan")):
        if begin is None:
            continue
        corners = [(chart.today, last.done), (begin, last.scope), (end or until, last.scope)]
        places = [plot.place(on, value) for on, value in corners]
        if end is None:  # no date within the horizon: the fan stays open to the right
            places.append(plot.place(until, last.done + (last.scope - last.done) * 0.75))
        drawing.area(places, colour, is_clipped=True)
    drawing.line(
        [plot.place(chart.today, last.done), plot.place(early, last.scope)],
        "likely",
        width=2,
        dash=(3, 3),
        is_clipped=True,
    )


def _lines(drawing: Drawing, plot: _Plot, chart: BurnUp, until: date) -> None:
    """Draw done as an area and its edge, and scope as a dashed line that goes on to the forecast dates."""
    points, last = chart.points, chart.points[-1]
    done = [plot.place(on, value) for on, value in _steps([(point.on, point.done) for point in points])]
    ground = [(done[-1][0], plot.bottom), (done[0][0], plot.bottom)]
    drawing.area([*done, *ground], "area")
    drawing.line(done, "done", width=2)
    ahead = [(until, last.scope)] if any(on <= until for on in chart.ends) else []
    scope = _steps([*((point.on, point.scope) for point in points), *ahead])
    drawing.line([plot.place(on, value) for on, value in scope], "scope", width=2, dash=(7, 3))


def _steps(levels: Sequence[tuple[date, int]]) -> list[tuple[date, int]]:
    """Return the corners of a line that keeps each level until the next one, where it turns."""
    corners = [levels[0]]
    for on, level in levels[1:-1]:
        if level != corners[-1][1]:
            corners += [(on, corners[-1][1]), (on, level)]
    on, level = levels[-1]
    corners.append((on, corners[-1][1]))
    return corners if level == corners[-1][1] else [*corners, (on, level)]


def _rules(drawing: Drawing, plot: _Plot, chart: BurnUp, until: date, today: str) -> None:
    """Draw labelled vertical lines: today, the due date, and the first due date if it differs."""
    first = chart.points[0].on
    lines: list[tuple[str, date, str, tuple[int, ...]]]
    lines = [("closed" if chart.is_ended else today, chart.today, "soft", (2, 3))]
    if chart.due is not None:
        lines.append(("due", chart.due, "due", ()))
    if chart.baseline is not None and chart.baseline != chart.due:
        lines.append(("first due", chart.baseline, "due", (4, 4)))
    visible = sorted((line for line in lines if first <= line[1] <= until), key=lambda line: line[1])
    places = [plot.x(line[1].toordinal()) for line in visible]
    occupied = 0.0
    for n, (word, _, colour, dash) in enumerate(visible):
        # place the label where no other line crosses it: right if there is room, else left, else lower
        x, room = places[n], 9 * len(word)
        is_right = (places[n + 1] if n + 1 < len(visible) else plot.right) - x >= room
        is_left = x - (places[n - 1] if n else plot.left) >= room + occupied
        occupied = room if is_right else 0.0
        drawing.line([(x, plot.top), (x, plot.bottom)], colour, width=1.5, dash=dash)
        y = plot.top + 13 + (0 if is_right or is_left else 14 * n)
        if is_left and not is_right:
            drawing.text(word, (x - 4, y), colour, anchor="end")
        else:
            drawing.text(word, (x + 4, y), colour)


def _labels(drawing: Drawing, plot: _Plot, chart: BurnUp, until: date, *, percent: bool) -> None:
    """Draw labels at the lines instead of a legend, and a dot at each forecast date."""
    last = chart.points[-1]
    x = plot.x(last.on.toordinal())
    anchor, near = ("end", x - 5) if x - plot.left > LETTER * len("scope") else ("start", x + 5)
    below = 20 if last.done > 0.9 * last.scope else -6
    drawing.text("scope", (near, plot.y(last.scope) - 6), "scope", anchor=anchor, is_bold=True)
    drawing.text("done", (near, plot.y(last.done) + below), "done", anchor=anchor, is_bold=True)
    names = {chart.p50: "50%", chart.p85: "85%", chart.p95: "95%"}
    y, line, right = plot.y(last.scope), 0, plot.left
    for on in (on for on in dict.fromkeys(chart.ends) if on <= until):
        x = plot.x(on.toordinal())
        drawing.dot((x, y), "likely", 3.8)
        if percent:
            x = min(x, plot.right + 6 - 2 * LETTER)  # within the drawing
            line = line + 1 if x - 2 * LETTER < right else 0  # stack the labels of dates that are close together
            drawing.text(names[on], (x, y - 9 - 13 * line), "likely", anchor="middle", is_bold=True)
            right = x + 2 * LETTER


def chart_in_words(chart: BurnUp) -> str:
    """Return the chart in words, for screen readers."""
    last = chart.points[-1]
    words = [f"{last.done} of {last.scope} {chart.noun}s done on {day(last.on)}"]
    dates = (("due", chart.due), ("50%", chart.p50), ("85%", chart.p85), ("95%", chart.p95))
    return "; ".join([*words, *(f"{word} {day(on)}" for word, on in dates if on is not None)])


# --- the reliability of forecasts ------------------------------------------------------------------------------------


def reliability(bins: Sequence[Bin], width: int = 420) -> Drawing:
    """Draw forecast probabilities against observed rates: on the line both agree; larger dots have more forecasts."""
    rates = [(group.forecast, group.observed, group.n) for group in bins if group.n]
    filled = [(said, came, n) for said, came, n in rates if said is not None and came is not None]
    height = width - 60
    plot = _Plot(56, 8, width - 16, height - 44, 0, 1, 1)
    words = "; ".join(_in_words(said, came, n) for said, came, n in filled)
    drawing = Drawing(width, height, title="Forecast against outcome", description=words, clip=plot.box)
    shares = [n / 5 for n in range(6)]
    _axes(drawing, plot, [(share, f"{share_percent(share)}%") for share in shares])
    for share in shares:
        x = plot.x(share)
        drawing.line([(x, plot.top), (x, plot.bottom + 5)], "grid")
        drawing.text(f"{share_percent(share)}%", (x, plot.bottom + 18), "soft", anchor="middle")
    drawing.text("said", ((plot.left + plot.right) / 2, height - 6), "soft", anchor="middle")
    drawing.text("came true", (14, (plot.top + plot.bottom) / 2), "soft", anchor="middle", is_upright=True)
    drawing.line([(plot.left, plot.bottom), (plot.right, plot.top)], "soft", width=1.5, dash=(4, 4))
    places = [(plot.x(said), plot.y(came)) for said, came, _ in filled]
    if len(places) > 1:
        drawing.line(places, "likely", width=1.5)
    most = max((n for *_, n in filled), default=1)
    for (x, y), (_, came, n) in zip(places, filled, strict=True):
        drawing.dot((x, y), "likely", sqrt((30 + 470 * n / most) / pi))
        drawing.text(str(n), (x + 10, y + (16 if came > 0.1 else -6)), "text")  # above the axis
    return drawing


def _in_words(said: float, came: float, n: int) -> str:
    return f"{plural(n, 'forecast')} of {share_percent(said)}% on average: {share_percent(came)}% came true"


# --- PNG -------------------------------------------------------------------------------------------------------------

_COLOUR = re.compile(r"var\(--(\w+)\)")


def can_render_png() -> bool:
    """Return whether the renderer is installed: the extra ``site``."""
    return find_spec("resvg_py") is not None


def png(drawing: Drawing, scale: float = 2.0) -> bytes:
    """Render a drawing as PNG on white, ``scale`` pixels for each pixel of the SVG.

    The text is in a font of our own, so that it is the same on a server without fonts.
    """
    import resvg_py  # late: an extra

    element = _COLOUR.sub(lambda match: INK[match[1]], str(drawing))
    element = element.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" font-family="DejaVu Sans" ', 1)
    with as_file(files("sync.report").joinpath("fonts")) as fonts:
        picture: bytes = resvg_py.svg_to_bytes(
            svg_string=element, zoom=scale, skip_system_fonts=True, font_dirs=[str(fonts)]
        )
    return picture
