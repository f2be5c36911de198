"""The charts of the report, declared as data and drawn by Vega-Lite: SVG for pages, PNG for attachments and e-mail.

Colours are those of the light theme; `restyle` replaces them by names of the page's style sheet, so that a drawing
serves both themes. Equal numbers give equal bytes; nothing is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from msgspec import Struct

from sync.forecast.scoring import Bin
from sync.report.facts import Point
from sync.report.phrases import day

__all__ = ["NARROW", "WIDE", "BurnUp", "burn_up", "chart_in_words", "png", "reliability", "svg"]

WIDE, NARROW = 760, 340
"""Widths in pixels for a screen and for a phone: text keeps its size where a scaled drawing would lose it."""

VERSION = "6.4"
"""Version of Vega-Lite, so that a newer converter draws the same chart."""

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
"""Colours by meaning; `report.css` has the same names for both themes."""

Spec = dict[str, Any]


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


def burn_up(chart: BurnUp, width: int = WIDE, *, percent: bool = True, dated: bool = False) -> Spec:
    """Draw scope and done as steps, the fan from today to the forecast dates, the due date and the baseline.

    Without ``percent`` the forecast dates are points without a label, for readers who want no percentages. ``dated``
    labels today with its date, for pictures that are seen later.
    """
    points = chart.points
    last = points[-1]
    first = points[0].on
    ends = [on for on in (chart.p50, chart.p85, chart.p95) if on is not None and on > chart.today]
    marks = [on for on in (chart.due, chart.baseline) if on is not None and on >= first]
    until = max([chart.today, *ends, *marks])
    span = max((until - first).days, 7)
    # a date very far ahead would squeeze everything else; the text has the date
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
        "axis": {"title": f"{chart.noun}s", "tickMinStep": 1, "tickCount": 5},
    }
    visible_dates = [on for on in ends if on <= until]
    step = {"interpolate": "step-after"}
    layers: list[Spec] = [
        *_fan(chart, last, until, x, y),
        _layer(rows, {"type": "area", **step, "color": _INK["area"], "opacity": 1}, x, y, "done"),
        _layer(rows, {"type": "line", **step, "color": _INK["done"], "strokeWidth": 2}, x, y, "done"),
        _layer(
            [*rows, {"on": _at(until), "scope": last.scope}] if visible_dates else rows,
            {"type": "line", **step, "color": _INK["scope"], "strokeWidth": 2, "strokeDash": [7, 3]},
            x,
            y,
            "scope",
        ),
        *_rules(chart, first, until, x, width, day(chart.today) if dated else "today"),
        *_labels(chart, last, visible_dates, x, y, width, percent=percent),
    ]
    return _spec(layers, width, 300 if width >= WIDE else 260)


def _fan(chart: BurnUp, last: Point, until: date, x: Spec, y: Spec) -> list[Spec]:
    """Draw the fan from what is done today to the whole scope, between the 50% and the 95% date, darker to 85%."""
    ahead = last.done < last.scope and chart.p50 is not None and chart.p50 > chart.today
    early = chart.p50 if ahead else None
    layers: list[Spec] = []
    pairs = ((chart.p85, chart.p95, _INK["faint"]), (chart.p50, chart.p85, _INK["fan"]))
    for begin, end, colour in pairs:
        if early is None or begin is None:
            continue
        edge = end or until
        corners: list[tuple[date, float]] = [(chart.today, last.done), (begin, last.scope), (edge, last.scope)]
        if end is None:  # no date within the horizon: the fan stays open to the right
            corners.append((until, last.done + (last.scope - last.done) * 0.75))
        rows = [{"on": _at(on), "y": value, "n": n} for n, (on, value) in enumerate([*corners, corners[0]])]
        layers.append(
            {
                "data": {"values": rows},
                "mark": {"type": "line", "filled": True, "fill": colour, "strokeWidth": 0, "clip": True, "aria": False},
                "encoding": {"x": x, "y": {**y, "field": "y"}, "order": {"field": "n", "type": "quantitative"}},
            }
        )
    if early is not None:
        rows = [{"on": _at(chart.today), "y": last.done}, {"on": _at(early), "y": last.scope}]
        mark = {"type": "line", "color": _INK["likely"], "strokeWidth": 2, "strokeDash": [3, 3], "clip": True}
        layers.append(_layer(rows, mark, x, y, "y"))
    return layers


def _rules(chart: BurnUp, first: date, until: date, x: Spec, width: int, today: str) -> list[Spec]:
    """Draw labelled vertical lines: today, the due date, and the first due date if it differs."""
    lines = [("closed" if chart.is_ended else today, chart.today, _INK["soft"], [2, 3])]
    if chart.due is not None:
        lines.append(("due", chart.due, _INK["due"], [1, 0]))
    if chart.baseline is not None and chart.baseline != chart.due:
        lines.append(("first due", chart.baseline, _INK["due"], [4, 4]))
    visible = sorted((line for line in lines if first <= line[1] <= until), key=lambda line: line[1])
    day_wide = width / max((until - first).days, 1)
    layers: list[Spec] = []
    occupied = 0.0
    for n, (word, on, colour, dash) in enumerate(visible):
        at = [{"on": _at(on), "t": word}]
        # place the label where no other line crosses it: right if there is room, else left, else lower
        room = 9 * len(word)
        right = ((visible[n + 1][1] if n + 1 < len(visible) else until) - on).days * day_wide >= room
        left = (on - (visible[n - 1][1] if n else first)).days * day_wide >= room + occupied
        occupied = room if right else 0.0
        line = 0 if right or left else n
        layers += [
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
    return layers


def _labels(
    chart: BurnUp, last: Point, visible_dates: Sequence[date], x: Spec, y: Spec, width: int, *, percent: bool
) -> list[Spec]:
    """Draw labels at the lines instead of a legend."""
    level = last.done > 0.9 * last.scope
    labels: list[tuple[str, date, float, str, str, int]] = [
        ("scope", last.on, last.scope, _INK["scope"], "right", -9),
        ("done", last.on, last.done, _INK["done"], "right", 15 if level else -9),
    ]
    named = {chart.p50: "50%", chart.p85: "85%", chart.p95: "95%"}
    place = 0
    before: date | None = None
    room = (max(visible_dates) - chart.points[0].on).days * 40 / width if visible_dates else 0
    for on in sorted(set(visible_dates)) if percent else ():
        # stack the labels of dates that are close together
        place = place + 1 if before is not None and (on - before).days < room else 0
        labels.append((named[on], on, last.scope, _INK["likely"], "center", -9 - 13 * place))
        before = on
    layers: list[Spec] = [
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
        for text, on, value, colour, align, dy in labels
    ]
    if visible_dates:
        rows = [{"on": _at(on), "y": last.scope} for on in sorted(set(visible_dates))]
        mark = {"type": "point", "filled": True, "color": _INK["likely"], "size": 45, "opacity": 1, "aria": False}
        layers.append(_layer(rows, mark, x, y, "y"))
    return layers


def reliability(bins: Sequence[Bin], width: int = 420) -> Spec:
    """Draw forecast probabilities against observed rates: on the line both agree; larger dots have more forecasts."""
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
                # below the line, above the axis
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
    """Render the chart as an SVG element for a page, with the colours of the style sheet.

    The element is hidden from screen readers; the page gives it a name and its numbers as a table.
    """
    import vl_convert  # imported here: an extra, and slow to load

    drawn: str = vl_convert.vegalite_to_svg(spec, vl_version=VERSION, allowed_base_urls=[])
    return restyle(drawn)


def png(spec: Spec, scale: float = 2.0) -> bytes:
    """Render the chart as PNG on white, ``scale`` pixels for each pixel of the SVG."""
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
    """Return Vega's SVG with colours as ``var(--name)`` and stable ids, without attributes that pages ignore."""

    def themed(match: re.Match[str]) -> str:
        name = _NAMES.get(match[2])
        return f'{match[1]}="var(--{name})"' if name else match[0]

    bare = _COLOUR.sub(themed, _NOISE.sub("", drawn))
    width, height = re.findall(r'(?:width|height)="(\d+)"', bare)[:2]
    # Vega numbers ids across drawings; the two drawings of a page differ in width
    names = list(dict.fromkeys(_ID.findall(bare)))
    bare = _ID.sub(lambda match: f"clip-{width}-{names.index(match[0])}", bare)
    rest = bare.split(">", 1)[1]
    return f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" aria-hidden="true">{rest}'


def _at(value: date) -> str:
    return value.isoformat()


def chart_in_words(chart: BurnUp) -> str:
    """Return the chart in words, for screen readers."""
    last = chart.points[-1]
    words = [f"Burn-up: {last.done} of {last.scope} {chart.noun}s done on {day(last.on)}"]
    dates = (("due", chart.due), ("50%", chart.p50), ("85%", chart.p85), ("95%", chart.p95))
    return "; ".join([*words, *(f"{word} {day(on)}" for word, on in dates if on is not None)])
