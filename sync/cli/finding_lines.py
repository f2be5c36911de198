"""The findings of `milesync doctor` as lines: the worst that fit on a screen, or all by area."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.console import Console, Group, RenderableType
from rich.text import Text

from sync.cli.indented import Indented
from sync.engine.doctor import DoctorFinding, Level, is_ok
from sync.report.phrases import plural
from sync.telemetry import log

__all__ = ["MAX_LINES", "finding_lines", "worst_lines"]

MAX_LINES = 20
"""Lines of the short form, with its verdict."""

_SIGNS = {
    Level.OK: ("✔", "green"),
    Level.NOTE: ("·", "cyan"),
    Level.WARNING: ("▲", "yellow"),
    Level.ERROR: ("✘", "red"),
}

_WORST_FIRST = (Level.ERROR, Level.WARNING, Level.NOTE)

_TOGETHER = 3
"""Findings of one area that share a line with their remedy."""

_END = 4
"""Lines after the findings: the rest in at most two, an empty one, the verdict."""


def finding_lines(findings: Iterable[DoctorFinding]) -> RenderableType:
    """All findings by area, each with its sign and its remedy."""
    lines: list[RenderableType] = []
    all_findings = list(findings)
    for area, group in groupby(all_findings, key=lambda finding: finding.area):
        lines.append(Text(log.secrets.redact(area), style="bold"))
        for finding in group:
            lines += [_words(finding, finding.words, 2), *_remedy(finding, 6)]
    return Group(*lines, *_verdict(all_findings))


def worst_lines(findings: Sequence[DoctorFinding], console: Console) -> RenderableType:
    """The findings that ask for something, the worst first, in at most `MAX_LINES` lines of a console.

    The last line counts the others.
    """
    asking = sorted(
        (finding for finding in findings if finding.level is not Level.OK and finding.remedy),
        key=lambda finding: _WORST_FIRST.index(finding.level),
    )
    blocks = [
        _block(rows[start : start + _TOGETHER])
        for _, group in groupby(asking, key=lambda finding: (finding.level, finding.area, finding.remedy))
        if (rows := list(group))
        for start in range(0, len(rows), _TOGETHER)
    ]
    room, shown, lines = MAX_LINES - _END, 0, list[RenderableType]()
    for size, block in blocks:
        room -= len(console.render_lines(block, pad=False))
        if room < 0:
            break
        shown += size
        lines.append(block)
    return Group(*lines, *_rest(findings, asking[shown:]), *_verdict(findings))


def _block(findings: list[DoctorFinding]) -> tuple[int, RenderableType]:
    """Return the number of findings of one area with one remedy, and their lines: the remedy is the last."""
    lines = [_words(row, f"{row.area}: {row.words.removeprefix(f'{row.area}: ')}", 0) for row in findings]
    return len(findings), Group(*lines, *_remedy(findings[0], 2))


def _words(finding: DoctorFinding, words: str, indent: int) -> RenderableType:
    sign, colour = _SIGNS[finding.level]
    text = (log.secrets.redact(words), colour if finding.level is Level.ERROR else "")
    return Indented(Text.assemble(" " * indent, (sign, colour), " ", text), indent + 2, hanging=True)


def _remedy(finding: DoctorFinding, indent: int) -> list[RenderableType]:
    if not finding.remedy:
        return []
    text = Text(f"{' ' * indent}→ {log.secrets.redact(finding.remedy)}", style="dim")
    return [Indented(text, indent + 2, hanging=True)]


def _rest(findings: Sequence[DoctorFinding], hidden: Sequence[DoctorFinding]) -> list[RenderableType]:
    """Return the line that counts what the short form leaves out, if it leaves anything out."""
    counts = Counter(finding.level for finding in hidden)
    parts = [f"{plural(counts[level], level.value)} more" for level in _WORST_FIRST if counts[level]]
    good = sum(finding.level is Level.OK for finding in findings)
    parts += [f"{plural(good, 'check')} passed"] if good else []
    silent = sum(finding.level is not Level.OK and not finding.remedy for finding in findings)
    parts += [f"{plural(silent, 'note')} without a need to act"] if silent else []
    words = f"{', '.join(parts)}; all of them: milesync doctor -v"
    return [Indented(Text(words, style="dim"), 2, hanging=True)] if parts else []


def _verdict(findings: Sequence[DoctorFinding]) -> list[RenderableType]:
    is_good = is_ok(findings)
    verdict = "Nothing would fail." if is_good else "Something would fail: see the lines with ✘."
    return [Text(f"\n{verdict}", style="green" if is_good else "red")]
