"""From the report's contents to files: pages through templates that escape everything, drawings, data, style, script.

A build writes whole files and afterwards removes those that only an earlier build made; what else lies in the folder,
it leaves alone. Equal contents give equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sync.markup.document import clean
from sync.model import Status
from sync.selfscore import sentence
from sync.sentences import STATUS, capital, day, minute, percent, plural
from sync.site import charts
from sync.site.gather import Contents
from sync.site.milestone import Page
from sync.site.rows import ORDER, SIGN

__all__ = ["Built", "build"]

MANIFEST = "milesync-report.txt"
"""Names of the files that the last build made, so that the next one can tell them from others."""

POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True)
class Built:
    """What a build made: how many pages of milestones, files and bytes."""

    pages: int
    files: int
    bytes: int


def build(contents: Contents, out: Path, data: bytes) -> Built:
    """Write the report into a folder, which is made. ``data`` is what `status --json` prints. Raises OSError."""
    made = dict(_files(contents, data))
    made[MANIFEST] = "".join(f"{name}\n" for name in sorted(made)).encode()
    before = out / MANIFEST
    old = set(before.read_text(encoding="utf-8").splitlines()) if before.is_file() else set()
    for name, body in made.items():
        place = out / name
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh = place.with_name(f".{place.name}.new")
        fresh.write_bytes(body)
        fresh.replace(place)
    for name in old - made.keys():
        gone = out / name
        if ".." not in Path(name).parts and not Path(name).is_absolute():
            gone.unlink(missing_ok=True)
    return Built(len(contents.pages), len(made), sum(map(len, made.values())))


def _files(contents: Contents, data: bytes) -> Iterator[tuple[str, bytes]]:
    """Each file by its name in the folder."""
    templates = _templates()
    shared: dict[str, Any] = {"at": contents.at, "audience": contents.audience, "policy": POLICY}
    yield "status.json", data
    for name in ("report.css", "report.js"):
        yield name, files("sync.site").joinpath("static", name).read_bytes()
    portfolio = templates.get_template("portfolio.html.j2")
    yield "index.html", _page(portfolio.render(**shared, root="", it=contents))
    drawn = _drawn(charts.reliability(contents.replayed.bins)) if contents.replayed.bins else None
    calibration = templates.get_template("calibration.html.j2")
    yield "calibration.html", _page(calibration.render(**shared, root="", it=contents, chart=drawn))
    milestone = templates.get_template("milestone.html.j2")
    for one in contents.pages:
        explained = msgspec.json.format(msgspec.json.encode(one.explained), indent=2)
        yield one.row.page.replace(".html", ".json"), explained
        drawings = _burn_up(one)
        yield one.row.page, _page(milestone.render(**shared, root="../", it=one, charts=drawings, span=contents.span))


def _burn_up(one: Page) -> Mapping[str, Markup]:
    """The burn-up for a screen and for a phone; empty where there is none."""
    if one.chart is None:
        return {}
    widths = {"wide": charts.WIDE, "narrow": charts.NARROW}
    return {name: _drawn(charts.burn_up(one.chart, width)) for name, width in widths.items()}


def _drawn(spec: dict[str, Any]) -> Markup:
    # Vega escapes text, and every text in a chart is ours or a date
    return Markup(charts.svg(spec))  # noqa: S704


def _page(text: str) -> bytes:
    """Without the blank lines and the margins that templates leave."""
    return "".join(f"{line}\n" for raw in text.splitlines() if (line := raw.strip())).encode()


def _templates() -> Environment:
    """Templates that escape every value and refuse a name they do not know."""
    made = Environment(
        loader=PackageLoader("sync.site"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {
        "clean": clean,
        "day": day,
        "minute": minute,
        "percent": percent,
        "plural": plural,
        "capital": capital,
        "sentence": sentence,
        "link": link,
        "iso": _iso,
        "ours": Markup,
    }
    made.globals |= {
        "STATUS": STATUS,
        "SIGN": SIGN,
        "ORDER": ORDER,
        "Status": Status,
        "described": charts.described,
        "is_map": lambda value: isinstance(value, Mapping),
        "is_rows": lambda value: isinstance(value, list | tuple) and bool(value) and isinstance(value[0], Mapping),
    }
    return made


def link(url: str) -> str:
    """An address to go to, if it is one of the web; else nothing: a tracker could name any."""
    return url if url.startswith(("https://", "http://")) else ""


def _iso(value: date | datetime) -> str:
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else value.isoformat()
