"""Compose the message of a digest: a subject, and a document without links or mentions in its words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from sync.digest.changes import ChangeEntry, ChangeKind, DigestChanges
from sync.digest.phrases import Speaker
from sync.markup.document import Document, Foreign, Item, Line, Lines, Section, Sign
from sync.model.health import WORST_FIRST, Status
from sync.model.portfolio_finding import PortfolioFinding
from sync.report.levers import ranked_levers
from sync.report.portfolio_findings import portfolio_finding_line

__all__ = ["Message", "compose", "omitted_note"]


class Message(Struct, frozen=True, kw_only=True):
    """A message before sending. ``subject`` is our own words; ``about`` are its milestones (uids), worst first."""

    subject: str
    document: Document
    about: tuple[str, ...] = ()


MAX_FINDINGS = 5
"""Maximum number of findings about the portfolio in a message; the others are counted."""


def compose(changes: DigestChanges, speaker: Speaker, findings: Sequence[PortfolioFinding] = ()) -> Message:
    """Compose the message: needed decisions, changes, findings about the portfolio, one line of counts without change.

    ``findings`` alone make no message: they last for weeks.
    """
    decisions = [entry for entry in changes.entries if entry.needs_decision]
    changed = [entry for entry in changes.entries if not entry.needs_decision]
    say = speaker.language.say
    first = changes.since is None
    heading = say("Where things stand") if first else say("What changed")
    sections = (
        Section(title="", blocks=(Lines((_opening(changes, speaker),)),), weight=90),
        *_section(say("Decisions needed"), decisions, speaker, 100, first=first),
        *_section(heading, changed, speaker, 80, first=first),
        *_findings(findings, speaker),
        *_closing(changes, speaker),
    )
    return Message(
        subject=_subject(len(decisions), len(changed), changes, speaker),
        document=Document(sections),
        about=tuple(entry.state.uid for entry in changes.entries),
    )


def omitted_note(n: int, speaker: Speaker) -> str:
    """Return the line that replaces ``n`` entries that did not fit."""
    return speaker.language.many("{n} more milestone is not shown here.", "{n} more milestones are not shown here.", n)


def _subject(decisions: int, changed: int, changes: DigestChanges, speaker: Speaker) -> str:
    language = speaker.language
    parts = []
    if decisions:
        parts.append(language.many("{n} decision needed", "{n} decisions needed", decisions))
    if changes.since is None:
        parts.append(language.many("{n} milestone", "{n} milestones", decisions + changed))
    elif changed:
        parts.append(language.many("{n} change", "{n} changes", changed))
    return language.say("Milestones: {parts}", parts=", ".join(parts))


def _opening(changes: DigestChanges, speaker: Speaker) -> Line:
    language = speaker.language
    today = language.day(changes.at.date())
    if changes.since is None:
        return (language.say("{day}: the first message about these milestones.", day=today),)
    return (
        language.say("{day}: changes since the message of {last}.", day=today, last=language.day(changes.since.date())),
    )


def _section(
    title: str, entries: Sequence[ChangeEntry], speaker: Speaker, weight: int, *, first: bool
) -> Iterator[Section]:
    if entries:
        yield Section(
            title=title,
            blocks=tuple(Lines(tuple(_entry(entry, speaker, first=first))) for entry in entries),
            weight=weight,
        )


def _entry(entry: ChangeEntry, speaker: Speaker, *, first: bool) -> Iterator[Line]:
    milestone = entry.state
    project: Line = (" (", Foreign(milestone.project), ")") if milestone.project else ()
    yield (
        Sign(Status.ENDED if ChangeKind.CLOSED in entry.changes else milestone.health.status),
        " ",
        Item("", milestone.title, milestone.url),
        *project,
        f": {speaker.verdict(entry, first=first)}",
    )
    yield from speaker.decisions(entry)
    sentences = [*speaker.changes(entry), *speaker.situation(entry)]
    if sentences:
        yield (" ".join(sentences),)
    levers = ranked_levers(milestone.health)[:2] if entry.needs_decision else ()
    ways = [speaker.way_out(lever, milestone.health) for lever in levers]
    if ways:
        either = (
            ways[0] if len(ways) == 1 else speaker.language.say("{first}; or {second}", first=ways[0], second=ways[1])
        )
        yield (speaker.language.say("Options: {ways}.", ways=either),)


def _findings(findings: Sequence[PortfolioFinding], speaker: Speaker) -> Iterator[Section]:
    language = speaker.language
    lines = [portfolio_finding_line(finding, language) for finding in findings[:MAX_FINDINGS]]
    if len(findings) > MAX_FINDINGS:
        more = len(findings) - MAX_FINDINGS
        lines.append((language.many("{n} more finding of this kind.", "{n} more findings of this kind.", more),))
    if lines:
        yield Section(
            title=language.say("Beyond single milestones"), blocks=tuple(Lines((line,)) for line in lines), weight=40
        )


def _closing(changes: DigestChanges, speaker: Speaker) -> Iterator[Section]:
    language = speaker.language
    lines: list[Line] = []
    counted = [
        f"{changes.steady[status]} {speaker.status(status)}" for status in WORST_FIRST if changes.steady.get(status)
    ]
    if counted:
        lines.append((language.say("Unchanged: {counts}.", counts=", ".join(counted)),))
    if changes.silent:
        lines.append(
            (language.many("{n} milestone could not be read.", "{n} milestones could not be read.", changes.silent),)
        )
    if lines:
        yield Section(title="", blocks=(Lines(tuple(lines)),), weight=50)
