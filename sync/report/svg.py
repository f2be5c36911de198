"""SVG drawings of a few shapes. Pure: equal shapes give equal bytes.

Lengths are pixels from the upper left corner. A colour is a name of the page's style sheet (``done``), or ``none``.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

__all__ = ["FONT_SIZE", "Drawing", "Place"]

Place = tuple[float, float]
"""A point: pixels from the left and from the top."""

FONT_SIZE = 12


class Drawing:
    """An SVG element that shapes are added to, each above the ones before.

    Screen readers read ``title``, then ``description``. ``clip``: left, top, width and height of the area in which
    shapes with ``is_clipped`` are visible.
    """

    def __init__(
        self, width: int, height: int, *, title: str, description: str, clip: tuple[float, float, float, float]
    ) -> None:
        self.width, self.height = width, height
        self._clip_id = f"clip-{width}"
        x, y, wide, high = map(_number, clip)
        self._parts = [
            f"<title>{escape(title)}</title>",
            f"<desc>{escape(description)}</desc>",
            f'<clipPath id="{self._clip_id}"><rect x="{x}" y="{y}" width="{wide}" height="{high}"/></clipPath>',
            f'<rect width="{width}" height="{height}" fill="var(--paper)"/>',
        ]

    def line(
        self,
        places: Sequence[Place],
        colour: str,
        *,
        width: float = 1,
        dash: Sequence[int] = (),
        is_clipped: bool = False,
    ) -> None:
        """Draw a line through two or more points. ``dash``: lengths of dash and gap; empty for a solid line."""
        dashes = f' stroke-dasharray="{",".join(map(str, dash))}"' if dash else ""
        self._parts.append(
            f'<path d="{_path(places)}" fill="none" stroke="{_colour(colour)}" stroke-width="{_number(width)}"'
            f"{dashes}{self._clipping(is_clipped)}/>"
        )

    def area(self, places: Sequence[Place], colour: str, *, is_clipped: bool = False) -> None:
        """Fill the polygon with these corners."""
        self._parts.append(f'<path d="{_path(places)}Z" fill="{_colour(colour)}"{self._clipping(is_clipped)}/>')

    def dot(self, place: Place, colour: str, radius: float) -> None:
        """Fill a circle."""
        x, y = map(_number, place)
        self._parts.append(f'<circle cx="{x}" cy="{y}" r="{_number(radius)}" fill="{_colour(colour)}"/>')

    def text(
        self,
        words: str,
        place: Place,
        colour: str,
        *,
        anchor: str = "start",
        is_bold: bool = False,
        is_upright: bool = False,
    ) -> None:
        """Write text on a baseline that starts, has its middle, or ends at a point (``anchor``).

        Bold text has an edge in the colour of the paper, so that it can be read on lines. ``is_upright``: the baseline
        goes up.
        """
        x, y = map(_number, place)
        turned = f' transform="rotate(-90 {x} {y})"' if is_upright else ""
        bold = ' font-weight="600" stroke="var(--paper)" stroke-width="3" paint-order="stroke"' if is_bold else ""
        self._parts.append(
            f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{FONT_SIZE}" fill="{_colour(colour)}"'
            f"{bold}{turned}>{escape(words)}</text>"
        )

    def __str__(self) -> str:
        """Return the SVG element."""
        return (
            f'<svg viewBox="0 0 {self.width} {self.height}" width="{self.width}" height="{self.height}" role="img">'
            f"{''.join(self._parts)}</svg>"
        )

    def _clipping(self, is_clipped: bool) -> str:
        return f' clip-path="url(#{self._clip_id})"' if is_clipped else ""


def _colour(name: str) -> str:
    return name if name == "none" else f"var(--{name})"


def _path(places: Sequence[Place]) -> str:
    return "M" + "L".join(f"{_number(x)},{_number(y)}" for x, y in places)


def _number(value: float) -> str:
    """Return a length with a tenth of a pixel, without a needless decimal."""
    return f"{value:.1f}".removesuffix(".0")
