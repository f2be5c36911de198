"""From the report's contents to files: pages through templates that escape everything, drawings, data, style, script.

A build is complete beside what stands before anything is changed; then what only an earlier build made is removed, and
each file replaced whole. What else lies in the folder is left alone. Equal contents give equal bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from importlib.resources import files
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sync.forecast.track_record import sentence
from sync.markup.document import clean
from sync.model.health import Status
from sync.report import charts
from sync.report.phrases import STATUS, capital, day, minute, percent, plural
from sync.site.contents import Contents
from sync.site.portfolio import ORDER, SIGN

__all__ = ["Built", "build"]

MANIFEST = "milesync-report.txt"
"""Names of the files that the last build made, so that the next one can tell them from others."""

INDEX = "index.html"
BESIDE = ".milesync-"

POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True)
class Built:
    """What a build made: how many pages of milestones, files and bytes."""

    pages: int
    files: int
    bytes: int


def build(contents: Contents, out: Path, data: bytes) -> Built:
    """Write the report into a folder, which is made. ``data`` is what `status --json` prints. Raises OSError."""
    out.mkdir(parents=True, exist_ok=True)
    for left in out.glob(f"{BESIDE}*"):  # by a build that was killed
        rmtree(left, ignore_errors=True)
    # within the folder, which may be a volume of its own: only there is a file replaced in one step
    with TemporaryDirectory(prefix=BESIDE, dir=out) as beside:
        sizes = {name: _staged(Path(beside) / name, body) for name, body in _files(contents, data)}
        _swap(Path(beside), out, sizes.keys())
    return Built(len(contents.pages) + len(contents.joint_pages), len(sizes), sum(sizes.values()))


def _staged(place: Path, body: bytes) -> int:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(body)
    return len(body)


def _swap(beside: Path, out: Path, names: Collection[str]) -> None:
    """Put a complete build in the place of the last one. The list of what is ours is never too short: killed half-way,
    the next build still knows what to remove.
    """
    manifest = out / MANIFEST
    old = set(manifest.read_text(encoding="utf-8").splitlines()) if manifest.is_file() else set()
    _listed(beside, manifest, old.union(names))
    for name in old.difference(names):
        if ".." not in Path(name).parts and not Path(name).is_absolute():
            (out / name).unlink(missing_ok=True)
    for name in sorted(names, key=lambda name: (name == INDEX, name)):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (beside / name).replace(out / name)
    _listed(beside, manifest, names)


def _listed(beside: Path, manifest: Path, names: Iterable[str]) -> None:
    fresh = beside / MANIFEST
    fresh.write_text("".join(f"{name}\n" for name in sorted(names)), encoding="utf-8")
    fresh.replace(manifest)


def _files(contents: Contents, data: bytes) -> Iterator[tuple[str, bytes]]:
    """Each file by its name in the folder."""
    templates = _templates()
    shared: dict[str, Any] = {"at": contents.at, "audience": contents.audience, "policy": POLICY}
    yield "status.json", data
    for name in ("report.css", "report.js"):
        yield name, files("sync.site").joinpath("static", name).read_bytes()
    portfolio = templates.get_template("portfolio.html.j2")
    yield INDEX, _page(portfolio.render(**shared, root="", it=contents))
    drawn = _drawn(charts.reliability(contents.replayed.bins)) if contents.replayed.bins else None
    calibration = templates.get_template("calibration.html.j2")
    yield "calibration.html", _page(calibration.render(**shared, root="", it=contents, chart=drawn))
    milestone = templates.get_template("milestone.html.j2")
    for page in contents.pages:
        yield page.row.page.replace(".html", ".json"), _data(page.explained)
        drawings = _burn_up(page.chart)
        yield page.row.page, _page(milestone.render(**shared, root="../", it=page, charts=drawings, span=contents.span))
    joint = templates.get_template("joint.html.j2")
    for whole in contents.joint_pages:
        yield whole.row.page.replace(".html", ".json"), _data(whole.explained)
        drawings = _burn_up(whole.chart)
        yield whole.row.page, _page(joint.render(**shared, root="../", it=whole, charts=drawings, span=contents.span))


def _data(explained: Mapping[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(explained), indent=2)


def _burn_up(chart: charts.BurnUp | None) -> Mapping[str, Markup]:
    """The burn-up for a screen and for a phone; empty where there is none."""
    if chart is None:
        return {}
    widths = {"wide": charts.WIDE, "narrow": charts.NARROW}
    return {name: _drawn(charts.burn_up(chart, width)) for name, width in widths.items()}


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
        "named_day": lambda text: day(date.fromisoformat(text)),
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
