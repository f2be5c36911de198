"""Write the report's contents as files: pages from templates that escape every value, charts, data, style, script.

A build is complete in a temporary folder before any file changes. Then files that only an earlier build made are
removed, and each file whose content has changed is replaced as a whole. Other files in the folder stay. Equal contents
give equal bytes.

Pages of milestones and of the back-test are most of the work. A page whose inputs are those of the last build is
neither computed nor rendered; its inputs are all values of the page, the digest of its numbers, and what renders it:
our own code and templates, and libraries (`_inputs_by_page`). Every other file is rendered and compared with that of
the last build.
Both comparisons leave out the times of the run (`_run_times`). So an unchanged page keeps its bytes, and ``times.js``
adds the times of the last run.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import TZPATH, ZoneInfo

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup
from msgspec import Struct
from msgspec.structs import replace

from sync.forecast.track_record import has_track_record
from sync.markup.document import clean
from sync.model.characters import escaped_json, visible
from sync.model.health import WORST_FIRST, Status
from sync.report import charts
from sync.report.figures import share_percent
from sync.report.language import ENGLISH
from sync.report.phrases import STATUS, capital, day, lateness, minute, percent, plural, promise_sentences, sureness
from sync.report.portfolio_findings import portfolio_finding_words
from sync.report.svg import Drawing
from sync.report.track_record import track_record_sentence
from sync.report.verdict import data_sentence, time_left
from sync.report.verdict_facts import SHAPES
from sync.site.contents import Contents
from sync.site.joint_page import JointPage
from sync.site.milestone_page import MilestonePage
from sync.site.number_tree import number_tree
from sync.site.tags import date_tag, iso, issue_tag, link

__all__ = ["BuildResult", "build"]

MANIFEST = "milesync-report.txt"
"""The file that lists the files of the last build, so that the next build removes no others."""

INDEX, CALIBRATION = "index.html", "calibration.html"
PAGES = "m/"
"""Start of the names of the pages of milestones and joint milestones, and of their numbers."""

TIMES = "times.js"
"""The times of the last run, which its pages show; written after all pages."""

CONTENT = "milesync-report.json"
"""The file with the `_Content` of each file of the last build. Without it every file is written."""

_RENDERERS = ("holidays", "jinja2", "markupsafe", "msgspec", "numpy")
"""The libraries on whose versions the bytes of a page depend."""

STAGING_PREFIX = ".milesync-"

_BLOCK = 1 << 16
"""Bytes of a file that are hashed at once."""

POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True)
class BuildResult:
    """Counts of a build: pages of milestones and joint milestones, files and their bytes, and files that changed."""

    pages: int
    files: int
    bytes: int
    written: int


class _Content(Struct, frozen=True):
    """Hashes of a file: of its content without the times of the run, of its bytes, and of the inputs of its page."""

    content: str
    file: str
    inputs: str = ""


def build(contents: Contents, out: Path, data: bytes) -> BuildResult:
    """Write the report into the folder ``out``. ``data`` is the output of `status --json`. Raises OSError.

    A new folder is for its owner alone. Who may enter it reads the pages, so its mode says who serves them.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    out.mkdir(mode=0o700, exist_ok=True)
    for abandoned in out.glob(f"{STAGING_PREFIX}*"):  # of a build that was killed
        rmtree(abandoned, ignore_errors=True)
    # in the folder itself, which may be a volume of its own: a rename is atomic only within one volume
    with TemporaryDirectory(prefix=STAGING_PREFIX, dir=out) as staging:
        known, times = _known_files(out), _run_times(contents)
        inputs = _inputs_by_page(contents, times)
        found = {
            name: known[name]
            for page, own in inputs.items()
            if all(name in known and known[name].inputs == own for name in _names(page))
            for name in _names(page)
        }
        written, size = 0, sum((out / name).stat().st_size for name in found)
        for name, body, page in _files(contents, data, inputs.keys() - found.keys()):
            content = _timeless_hash(times if page else (), body)
            fresh = _Content(content, _hash(body), inputs.get(page, ""))
            if name in known and known[name].content == fresh.content:
                found[name] = replace(known[name], inputs=fresh.inputs)
                size += (out / name).stat().st_size
            else:
                found[name] = fresh
                _stage(Path(staging) / name, body)
                written, size = written + 1, size + len(body)
            del body  # before the next one is made: the numbers of a large milestone take 13 MB
        _stage(Path(staging) / CONTENT, msgspec.json.encode(found, order="deterministic"))
        _swap(Path(staging), out, found.keys())
    return BuildResult(len(contents.pages) + len(contents.joint_pages), len(found), size, written)


def _stage(path: Path, body: bytes) -> None:
    try:
        path.write_bytes(body)
    except FileNotFoundError:
        path.parent.mkdir(parents=True)
        path.write_bytes(body)


def _hash(body: bytes) -> str:
    return blake2b(body, digest_size=16).hexdigest()


def _known_files(out: Path) -> dict[str, _Content]:
    """Return the files of the last build that are as it wrote them."""
    try:
        last = msgspec.json.decode((out / CONTENT).read_bytes(), type=dict[str, _Content])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return {}
    return {name: own for name, own in last.items() if _is_intact(out / name, own)}


def _is_intact(path: Path, known: _Content) -> bool:
    try:
        return _hash(path.read_bytes()) == known.file
    except (OSError, ValueError):
        return False


def _run_times(contents: Contents) -> list[bytes]:
    """Return the times at which the report and its projects were read, as pages and data write them."""
    moments = {contents.at, *(page.read_at for page in contents.pages if page.read_at)}
    written = {form for moment in moments for form in (iso(moment), minute(moment), msgspec.to_builtins(moment))}
    return [text.encode() for text in sorted(written, key=lambda text: (-len(text), text))]


def _without(times: Iterable[bytes], body: bytes) -> bytes:
    """Return a text without the times of the run."""
    for text in times:
        body = body.replace(text, b"")
    return body


def _timeless_hash(times: Collection[bytes], body: bytes) -> str:
    """Return the hash of a text without the times of the run. It is read in blocks of lines, so it is never copied."""
    digest, begin = blake2b(digest_size=16), 0
    while begin < len(body):
        end = body.find(b"\n", begin + _BLOCK) + 1 or len(body)
        digest.update(_without(times, body[begin:end]))
        begin = end
    return digest.hexdigest()


def _inputs_by_page(contents: Contents, times: Sequence[bytes]) -> dict[str, str]:
    """Return by the name of a page a hash of all that it is rendered from, but for the times of the run."""
    days = sorted({(str(row.facts.zone), _zone_rules(str(row.facts.zone)), row.facts.today) for row in contents.rows})
    shared = [_program(), POLICY, contents.audience, days]
    own = {page.row.page: _values_hash([*shared, *_values(page)], times) for page in contents.pages}
    joint = {
        page.row.page: _values_hash([*shared, contents.span, *_values(page)], times) for page in contents.joint_pages
    }
    values = (contents.replay_inputs, contents.reliabilities, contents.given_dates, contents.least_dates)
    calibration = _values_hash([*shared, *values, contents.is_local], times)
    return own | joint | {CALIBRATION: calibration}


def _values(page: MilestonePage | JointPage) -> Iterator[object]:
    """Yield the fields of a page, long ones in parts: as one text they would take three times their memory."""
    for own in fields(page):
        value = getattr(page, own.name)
        yield own.name
        if isinstance(value, tuple):
            yield from (value[low : low + 20] for low in range(0, len(value), 20))
        else:
            yield value


def _values_hash(values: Iterable[object], times: Sequence[bytes]) -> str:
    digest = blake2b(digest_size=16)
    for value in values:
        digest.update(_without(times, msgspec.json.encode(value, enc_hook=_plain)) + b"\n")
    return digest.hexdigest()


def _plain(value: object) -> str:
    if isinstance(value, ZoneInfo):
        return str(value)
    raise NotImplementedError(f"a page has a value that cannot be compared: {type(value)}")


@cache
def _program() -> str:
    """Return a hash of what renders a page: our modules and templates, Python, and the libraries in `_RENDERERS`."""
    home = Path(str(files("sync")))
    sources = sorted(path for path in home.rglob("*") if path.suffix in (".py", ".j2"))
    code = b"".join(path.read_bytes() for path in sources)
    return _hash(code + " ".join((sys.version, *map(version, _RENDERERS))).encode())


@cache
def _zone_rules(zone: str) -> str:
    """Return a hash of the rules of a time zone (an IANA name), which a new version of the system's data changes."""
    folders = [Path(folder) for folder in TZPATH]
    if find_spec("tzdata") is not None:  # where the system has none, Python takes those of the package
        folders.append(Path(str(files("tzdata"))) / "zoneinfo")
    return next((_hash((folder / zone).read_bytes()) for folder in folders if (folder / zone).is_file()), "")


def _names(page: str) -> tuple[str, ...]:
    """Return the names of the files of a page: its own, and that of its numbers if it has them."""
    return (page, _data_name(page)) if page.startswith(PAGES) else (page,)


def _data_name(page: str) -> str:
    """Return the name of the file with the numbers of a page."""
    return page.replace(".html", ".json")


def _swap(staging: Path, out: Path, names: Collection[str]) -> None:
    """Replace the last build by a complete new one; files that are not in ``staging`` stay as they are.

    The manifest always lists every file of ours, so that a build after a killed one knows what to remove.
    """
    manifest = out / MANIFEST
    old = set(manifest.read_text(encoding="utf-8").splitlines()) if manifest.is_file() else set()
    _write_manifest(staging, manifest, old.union(names))
    for name in old.difference(names):
        if ".." not in Path(name).parts and not Path(name).is_absolute():
            (out / name).unlink(missing_ok=True)
    for name in sorted({*names, CONTENT}, key=lambda name: (name == INDEX, name in (TIMES, CONTENT), name)):
        if (staging / name).exists():
            _move(staging / name, out / name)
    _write_manifest(staging, manifest, names)


def _move(path: Path, place: Path) -> None:
    try:
        path.replace(place)
    except FileNotFoundError:
        place.parent.mkdir(parents=True, exist_ok=True)
        path.replace(place)


def _write_manifest(staging: Path, manifest: Path, names: Iterable[str]) -> None:
    fresh = staging / MANIFEST
    fresh.write_text("".join(f"{name}\n" for name in sorted(names)), encoding="utf-8")
    fresh.replace(manifest)


def _files(contents: Contents, data: bytes, stale: Collection[str]) -> Iterator[tuple[str, bytes, str]]:
    """Yield name, content and page of each file: all but the pages that are not ``stale``. Other files have no page."""
    templates = _templates()
    shared: dict[str, Any] = {"at": contents.at, "audience": contents.audience, "policy": POLICY}
    yield "status.json", data, ""
    for name in ("report.css", "report.js"):
        yield name, files("sync.site").joinpath("static", name).read_bytes(), ""
    yield TIMES, _times_script(contents), ""
    portfolio = templates.get_template("portfolio.html.j2")
    yield INDEX, _page(portfolio.render(**shared, root="", it=contents)), ""
    if CALIBRATION in stale:
        replay = contents.replay()
        chart = _markup(charts.reliability(replay.bins)) if replay.bins else None
        calibration = templates.get_template("calibration.html.j2")
        html = calibration.render(**shared, root="", it=contents, replay=replay, chart=chart)
        yield CALIBRATION, _page(html), CALIBRATION
    shared["root"] = "../"
    pages = [page for page in contents.pages if page.row.page in stale]
    numbers = contents.numbers({page.row.uid for page in pages})
    for page in pages:
        template = templates.get_template("milestone.html.j2")
        own = numbers[page.row.uid]
        yield _data_name(page.row.page), _data(own.explained), page.row.page
        html = _rendered(template, **shared, it=page, numbers=own, charts=_burn_up(page.chart))
        yield page.row.page, _page(html), page.row.page
    for joint in contents.joint_pages:
        if joint.row.page in stale:
            template = templates.get_template("joint.html.j2")
            yield _data_name(joint.row.page), _data(joint.explained), joint.row.page
            html = _rendered(template, **shared, it=joint, span=contents.span, charts=_burn_up(joint.chart))
            yield joint.row.page, _page(html), joint.row.page


def _times_script(contents: Contents) -> bytes:
    """Return the script with the time of the report, and the last full sync of each project with a page, by its key."""
    read = {page.project: minute(page.read_at) for page in contents.pages if page.read_at}
    times = {"at": iso(contents.at), "shown": minute(contents.at), "read": read}
    return f"globalThis.milesyncTimes = {escaped_json(msgspec.json.encode(times).decode())};\n".encode()


def _data(explained: Mapping[str, Any]) -> bytes:
    data = msgspec.json.format(msgspec.json.encode(explained), indent=2)
    if data.isascii() and b"\x7f" not in data:  # nothing to escape: the numbers of a large milestone are not copied
        return data
    return escaped_json(data.decode()).encode()


def _burn_up(chart: charts.BurnUp | None) -> Mapping[str, Markup]:
    """Draw the burn-up for a screen and for a phone; empty without a burn-up."""
    if chart is None:
        return {}
    widths = {"wide": charts.WIDE, "narrow": charts.NARROW}
    return {name: _markup(charts.burn_up(chart, width)) for name, width in widths.items()}


def _markup(drawing: Drawing) -> Markup:
    return Markup(str(drawing))  # noqa: S704 - a drawing escapes its texts


def _rendered(template: Template, **values: Any) -> str:
    """Return the text of a page. It is joined as it comes: as a list, its pieces take ten times the memory."""
    text = StringIO()
    text.writelines(template.generate(**values))
    return text.getvalue()


def _page(text: str) -> bytes:
    """Remove the blank lines and the indents that templates leave, and all control characters."""
    return "".join(f"{line}\n" for raw in visible(text).splitlines() if (line := raw.strip())).encode()


def _templates() -> Environment:
    """Return templates that escape every value and raise on an unknown name."""
    environment = Environment(
        loader=PackageLoader("sync.site"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, auto_reload=False,
    )  # fmt: skip
    environment.filters |= {
        "clean": clean,
        "day": day,
        "minute": minute,
        "percent": percent,
        "share_percent": share_percent,
        "shift": ENGLISH.shift,
        "late": lateness,
        "time_left": time_left,
        "data_sentence": data_sentence,
        "finding_words": portfolio_finding_words,
        "confidence": sureness,
        "promise": promise_sentences,
        "plural": plural,
        "capital": capital,
        "has_track_record": has_track_record,
        "track_record": track_record_sentence,
        "link": link,
        "number_tree": number_tree,
        "iso": iso,
        "named_day": lambda text: day(date.fromisoformat(text)),
        "ours": Markup,
    }
    environment.globals |= {
        "date_tag": date_tag,
        "issue_tag": issue_tag,
        "STATUS": STATUS,
        "SIGN": SHAPES,
        "ORDER": WORST_FIRST,
        "Status": Status,
    }
    return environment
