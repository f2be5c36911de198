"""The report's charts, declared as data and drawn by Vega-Lite: SVG for pages, PNG for attachments and e-mail.

Colours are the light theme's; `restyle` hands them to the page's style sheet, so that one drawing serves both themes.
The same numbers give the same bytes; nothing is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from msgspec import Struct

from sync.forecast.scoring import Bin
from sync.report.phrases import day
from sync.report.view import Point

__all__ = ["NARROW", "WIDE", "BurnUp", "burn_up", "chart_in_words", "png", "reliability", "svg"]

WIDE, NARROW = 760, 340
"""Widths in pixels for a screen and for a phone: text keeps its size where a scaled drawing would lose it."""

VERSION = "6.4"
"""Of Vega-Lite, so that a newer converter draws the same."""

_INK = {
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
"""Each colour by what it means; `report.css` has the same names for both themes."""

Spec = dict[str, Any]


class BurnUp(Struct, frozen=True, kw_only=True):
    """What a burn-up shows: the lines up to today, and the dates by which all is done with 50, 85 and 95 %.

    ``over``: the lines end with the milestone, not today.
    """

    points: Sequence[Point]
    today: date
    over: bool = False
    due: date | None = None
    baseline: date | None = None
    p50: date | None = None
    p85: date | None = None
    p95: date | None = None


def burn_up(chart: BurnUp, width: int = WIDE, *, percent: bool = True, dated: bool = False) -> Spec:
    """Scope and done as steps, the fan from today to the forecast dates, due date and baseline.

    Without ``percent`` the forecast dates are points without a name, for readers who want no percentages. ``dated``
    names today by its date, for what is looked at later.
    """
    points = chart.points
    last = points[-1]
    first = points[0].on
    ends = [one for one in (chart.p50, chart.p85, chart.p95) if one is not None and one > chart.today]
    marks = [one for one in (chart.due, chart.baseline) if one is not None and one >= first]
    until = max([chart.today, *ends, *marks])
    span = max((until - first).days, 7)
    # what lies absurdly far ahead would squeeze everything else; its date is in the text
    limit = max(chart.today, chart.due or chart.today) + timedelta(days=max(span // 2, 90))
    until = min(until, limit)
    rows = [{"on": _at(p.on), "done": p.done, "scope": p.scope} for p in points]
    x = {
        "field": "on",
        "type": "temporal",
        "scale": {"type": "utc", "domain": [_at(first), _at(until + timedelta(days=max(1, span // 25)))]},
        "axis": {"title": None, "format": "%-d %b", "tickCount": 4 if width < WIDE else 9, "grid": False},
    }
    high = max((p.scope for p in points), default=1)
    y = {
        "type": "quantitative",
        "scale": {"domain": [0, high * (1.3 if width >= WIDE else 1.5) + 1], "nice": False},
        "axis": {"title": "issues", "tickMinStep": 1, "tickCount": 5},
    }
    shown = [one for one in ends if one <= until]
    step = {"interpolate": "step-after"}
    layers: list[Spec] = [
        *_fan(chart, last, until, x, y),
        _layer(rows, {"type": "area", **step, "color": _INK["area"], "opacity": 1}, x, y, "done"),
        _layer(rows, {"type": "line", **step, "color": _INK["done"], "strokeWidth": 2}, x, y, "done"),
        _layer(
            [*rows, {"on": _at(until), "scope": last.scope}] if shown else rows,
            {"type": "line", **step, "color": _INK["scope"], "strokeWidth": 2, "strokeDash": [7, 3]},
            x,
            y,
            "scope",
        ),
        *_rules(chart, first, until, x, width, day(chart.today) if dated else "today"),
        *_labels(chart, last, shown, x, y, width, percent=percent),
    ]
    return _spec(layers, width, 300 if width >= WIDE else 260)


def _fan(chart: BurnUp, last: Point, until: date, x: Spec, y: Spec) -> list[Spec]:
    """From what is done today to all of the scope: between the 50 % and the 95 % date, the middle darker."""
    ahead = last.done < last.scope and chart.p50 is not None and chart.p50 > chart.today
    early = chart.p50 if ahead else None
    made: list[Spec] = []
    pairs = ((chart.p85, chart.p95, _INK["faint"]), (chart.p50, chart.p85, _INK["fan"]))
    for begin, end, colour in pairs:
        if early is None or begin is None:
            continue
        edge = end or until
        corners: list[tuple[date, float]] = [(chart.today, last.done), (begin, last.scope), (edge, last.scope)]
        if end is None:  # no date within the horizon: the fan stays open to the right
            corners.append((until, last.done + (last.scope - last.done) * 0.75))
        rows = [{"on": _at(on), "y": value, "n": n} for n, (on, value) in enumerate([*corners, corners[0]])]
        made.append(
            {
                "data": {"values": rows},
                "mark": {"type": "line", "filled": True, "fill": colour, "strokeWidth": 0, "clip": True, "aria": False},
                "encoding": {"x": x, "y": {**y, "field": "y"}, "order": {"field": "n", "type": "quantitative"}},
            }
        )
    if early is not None:
        rows = [{"on": _at(chart.today), "y": last.done}, {"on": _at(early), "y": last.scope}]
        mark = {"type": "line", "color": _INK["likely"], "strokeWidth": 2, "strokeDash": [3, 3], "clip": True}
        made.append(_layer(rows, mark, x, y, "y"))
    return made


def _rules(chart: BurnUp, first: date, until: date, x: Spec, width: int, today: str) -> list[Spec]:
    """Upright lines: today, the due date, and the first one where it differs. Each says what it is."""
    told = [("closed" if chart.over else today, chart.today, _INK["soft"], [2, 3])]
    if chart.due is not None:
        told.append(("due", chart.due, _INK["due"], [1, 0]))
    if chart.baseline is not None and chart.baseline != chart.due:
        told.append(("first due", chart.baseline, _INK["due"], [4, 4]))
    shown = sorted((one for one in told if first <= one[1] <= until), key=lambda one: one[1])
    day_wide = width / max((until - first).days, 1)
    made: list[Spec] = []
    taken = 0.0
    for n, (word, on, colour, dash) in enumerate(shown):
        at = [{"on": _at(on), "t": word}]
        # a name stands where no other line runs through it: to the right if there is room, else to the left, else lower
        room = 9 * len(word)
        right = ((shown[n + 1][1] if n + 1 < len(shown) else until) - on).days * day_wide >= room
        left = (on - (shown[n - 1][1] if n else first)).days * day_wide >= room + taken
        taken = room if right else 0.0
        line = 0 if right or left else n
        made += [
            {
                "data": {"values": at},
                "mark": {"type": "rule", "color": colour, "strokeDash": dash, "strokeWidth": 1.5, "aria": False},
                "encoding": {"x": x},
            },
            {
                "data": {"values": at},
                "mark": {
                    "type": "text",
                    "color": colour,
                    "align": "right" if left and not right else "left",
                    "dx": -4 if left and not right else 4,
                    "baseline": "top",
                    "dy": 2 + 14 * line,
                    "aria": False,
                },
                "encoding": {"x": x, "y": {"value": 0}, "text": {"field": "t"}},
            },
        ]
    return made


def _labels(
    chart: BurnUp, last: Point, shown: Sequence[date], x: Spec, y: Spec, width: int, *, percent: bool
) -> list[Spec]:
    """Names at the lines instead of a legend."""
    level = last.done > 0.9 * last.scope
    told: list[tuple[str, date, float, str, str, int]] = [
        ("scope", last.on, last.scope, _INK["scope"], "right", -9),
        ("done", last.on, last.done, _INK["done"], "right", 15 if level else -9),
    ]
    named = {chart.p50: "50 %", chart.p85: "85 %", chart.p95: "95 %"}
    place = 0
    before: date | None = None
    room = (max(shown) - chart.points[0].on).days * 40 / width if shown else 0
    for on in sorted(set(shown)) if percent else ():
        # names of dates that nearly meet go one above the other
        place = place + 1 if before is not None and (on - before).days < room else 0
        told.append((named[on], on, last.scope, _INK["likely"], "center", -9 - 13 * place))
        before = on
    made: list[Spec] = [
        {
            "data": {"values": [{"on": _at(on), "y": value, "t": text}]},
            "mark": {
                "type": "text",
                "color": colour,
                "align": align,
                "dx": -5 if align == "right" else 0,
                "dy": dy,
                "fontWeight": 600,
                "aria": False,
            },
            "encoding": {"x": x, "y": {**y, "field": "y"}, "text": {"field": "t"}},
        }
        for text, on, value, colour, align, dy in told
    ]
    if shown:
        rows = [{"on": _at(on), "y": last.scope} for on in sorted(set(shown))]
        mark = {"type": "point", "filled": True, "color": _INK["likely"], "size": 45, "opacity": 1, "aria": False}
        made.append(_layer(rows, mark, x, y, "y"))
    return made


def reliability(bins: Sequence[Bin], width: int = 420) -> Spec:
    """What was said against how often it came true: on the line said and came true agree; larger dots have more."""
    filled = [
        {"said": b.forecast, "came": b.observed, "n": b.n}
        for b in bins
        if b.forecast is not None and b.observed is not None
    ]
    axis = {"format": ".0%", "tickCount": 5}
    x = {"field": "said", "type": "quantitative", "scale": {"domain": [0, 1]}, "axis": {**axis, "title": "said"}}
    y = {"field": "came", "type": "quantitative", "scale": {"domain": [0, 1]}, "axis": {**axis, "title": "came true"}}
    even = [{"said": 0, "came": 0}, {"said": 1, "came": 1}]
    size = {"field": "n", "type": "quantitative", "scale": {"range": [30, 500], "zero": True}, "legend": None}
    layers: list[Spec] = [
        _layer(even, {"type": "line", "color": _INK["soft"], "strokeDash": [4, 4], "strokeWidth": 1.5}, x, y, "came"),
        _layer(filled, {"type": "line", "color": _INK["likely"], "strokeWidth": 1.5}, x, y, "came"),
        {
            "data": {"values": filled},
            "mark": {"type": "circle", "color": _INK["likely"], "opacity": 1, "aria": False},
            "encoding": {"x": x, "y": y, "size": size},
        },
        {
            "data": {"values": filled},
            "mark": {
                "type": "text",
                "color": _INK["text"],
                "align": "left",
                "dx": 10,
                # below the line of those that agree, above the axis
                "dy": {"expr": "datum.came > 0.1 ? 12 : -10"},
                "aria": False,
            },
            "encoding": {"x": x, "y": y, "text": {"field": "n"}},
        },
    ]
    return _spec(layers, width, width - 60)


def _layer(rows: Sequence[Spec], mark: Spec, x: Spec, y: Spec, field: str) -> Spec:
    return {
        "data": {"values": list(rows)},
        "mark": {**mark, "aria": False},
        "encoding": {"x": x, "y": {**y, "field": field}},
    }


def _spec(layers: Sequence[Spec], width: int, height: int) -> Spec:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": width,
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "background": _INK["paper"],
        "padding": 4,
        "layer": list(layers),
        "resolve": {"scale": {"size": "independent"}},
        "config": {
            "font": "sans-serif",
            "view": {"stroke": None},
            "text": {"fontSize": 12},
            "axis": {
                "labelColor": _INK["soft"],
                "titleColor": _INK["soft"],
                "labelFontSize": 12,
                "titleFontSize": 12,
                "titleFontWeight": "normal",
                "gridColor": _INK["grid"],
                "domainColor": _INK["grid"],
                "tickColor": _INK["grid"],
                "aria": False,
            },
        },
    }


def svg(spec: Spec) -> str:
    """The chart as an SVG element for a page: colours as classes of the style sheet, ids and size left to the page.

    It says nothing to a screen reader; the page gives it a name and its numbers as a table.
    """
    import vl_convert  # late: an extra, and slow to start

    drawn: str = vl_convert.vegalite_to_svg(spec, vl_version=VERSION, allowed_base_urls=[])
    return restyle(drawn)


def png(spec: Spec, scale: float = 2.0) -> bytes:
    """The same chart as a PNG on white, ``scale`` pixels for each of the SVG's."""
    import vl_convert

    drawn: bytes = vl_convert.vegalite_to_png(spec, vl_version=VERSION, scale=scale, allowed_base_urls=[])
    return drawn


_COLOUR = re.compile(r'\b(fill|stroke)="([^"]+)"')
_NAMES = {value: name for name, value in _INK.items()}
_ID = re.compile(r"\bclip\d+\b")
_NOISE = re.compile(
    r' (?:xmlns:xlink|version|class|role|aria-[a-z]+|pointer-events|font-family|stroke-miterlimit)="[^"]*"'
    r'|<path(?: [a-z-]+="[^"]*")* d="(?:M0,0h0v0h0Z)?"(?: [a-z-]+="[^"]*")*/>'
)


def restyle(drawn: str) -> str:
    """Vega's drawing without what a page does not need, its colours as ``var(--name)``, its ids the same each time."""

    def named(found: re.Match[str]) -> str:
        name = _NAMES.get(found[2])
        return f'{found[1]}="var(--{name})"' if name else found[0]

    bare = _COLOUR.sub(named, _NOISE.sub("", drawn))
    width, height = re.findall(r'(?:width|height)="(\d+)"', bare)[:2]
    # Vega counts on from drawing to drawing; two of one page differ in width
    names = list(dict.fromkeys(_ID.findall(bare)))
    bare = _ID.sub(lambda found: f"clip-{width}-{names.index(found[0])}", bare)
    rest = bare.split(">", 1)[1]
    return f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" aria-hidden="true">{rest}'


def _at(value: date) -> str:
    return value.isoformat()


def chart_in_words(chart: BurnUp) -> str:
    """The chart in words, for those who cannot see it."""
    last = chart.points[-1]
    words = [f"Burn-up: {last.done} of {last.scope} issues done on {day(last.on)}"]
    told = (("due", chart.due), ("50 %", chart.p50), ("85 %", chart.p85), ("95 %", chart.p95))
    return "; ".join([*words, *(f"{word} {day(on)}" for word, on in told if on is not None)])
