"""From news to what an audience reads: a subject, and a small document tree without links or mentions in its words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from sync.digest.changes import ChangeEntry, ChangeKind, DigestChanges
from sync.digest.phrases import Speaker
from sync.markup.document import Document, Foreign, Item, Line, Lines, Section, Sign
from sync.model.health import Lever, LeverKind, Status

__all__ = ["Message", "compose", "more"]

_STEADY = (
    Status.ON_TRACK,
    Status.AT_RISK,
    Status.OFF_TRACK,
    Status.OVERDUE,
    Status.NO_DUE_DATE,
    Status.UNKNOWN,
    Status.DONE,
)


class Message(Struct, frozen=True, kw_only=True):
    """A message before it is sent. ``subject`` is our own words; ``about`` are the milestones (uids) that it tells of,
    worst first.
    """

    subject: str
    document: Document
    about: tuple[str, ...] = ()


def compose(news: DigestChanges, speaker: Speaker) -> Message:
    """What is told: first what needs a decision, then what changed, then what stands as it did in one line."""
    decide = [entry for entry in news.entries if entry.decide]
    changed = [entry for entry in news.entries if not entry.decide]
    say = speaker.language.say
    first = news.since is None
    heading = say("Where things stand") if first else say("What changed")
    sections = (
        Section(title="", blocks=(Lines((_opening(news, speaker),)),), weight=90),
        *_section(say("To be decided"), decide, speaker, 100, first=first),
        *_section(heading, changed, speaker, 80, first=first),
        *_closing(news, speaker),
    )
    return Message(
        subject=_subject(len(decide), len(changed), news, speaker),
        document=Document(sections),
        about=tuple(entry.standing.uid for entry in news.entries),
    )


def more(n: int, speaker: Speaker) -> str:
    """What stands in place of ``n`` entries that did not fit."""
    return speaker.language.many(
        "{n} more milestone does not fit in here.", "{n} more milestones do not fit in here.", n
    )


def _subject(decide: int, changed: int, news: DigestChanges, speaker: Speaker) -> str:
    language = speaker.language
    parts = []
    if decide:
        parts.append(language.many("{n} decision needed", "{n} decisions needed", decide))
    if news.since is None:
        parts.append(language.many("{n} milestone", "{n} milestones", decide + changed))
    elif changed:
        parts.append(language.many("{n} change", "{n} changes", changed))
    return language.say("Milestones: {parts}", parts=", ".join(parts))


def _opening(news: DigestChanges, speaker: Speaker) -> Line:
    language = speaker.language
    today = language.day(news.at.date())
    if news.since is None:
        return (language.say("{day}: the first message on these milestones.", day=today),)
    return (language.say("{day}: since the last message of {last}.", day=today, last=language.day(news.since.date())),)


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
    milestone = entry.standing
    where: Line = (" (", Foreign(milestone.project), ")") if milestone.project else ()
    yield (
        Sign(Status.UNKNOWN if ChangeKind.CLOSED in entry.turns else milestone.health.status),
        " ",
        Item("", milestone.title, milestone.url),
        *where,
        f": {speaker.verdict(entry, first=first)}",
    )
    told = [*speaker.changes(entry), *speaker.situation(entry)]
    if told:
        yield (" ".join(told),)
    ways = [speaker.way_out(offer) for offer in _offers(milestone.health.levers)[:2]] if entry.decide else []
    if ways:
        either = (
            ways[0] if len(ways) == 1 else speaker.language.say("{first}, or {second}", first=ways[0], second=ways[1])
        )
        yield (speaker.language.say("Ways out: {ways}.", ways=either),)


def _offers(levers: Sequence[Lever]) -> list[Lever]:
    """The levers without those that ask for a cut and win no day by it."""
    dates = [offer.values.get("to") for offer in levers if offer.kind is LeverKind.MOVE]
    return [offer for offer in levers if offer.kind is not LeverKind.BOTH or offer.values.get("to") not in dates]


def _closing(news: DigestChanges, speaker: Speaker) -> Iterator[Section]:
    language = speaker.language
    lines: list[Line] = []
    counted = [f"{news.steady[status]} {speaker.status(status)}" for status in _STEADY if news.steady.get(status)]
    if counted:
        lines.append((language.say("Unchanged: {counts}.", counts=", ".join(counted)),))
    if news.silent:
        lines.append(
            (
                language.many(
                    "The data of {n} milestone is missing.", "The data of {n} milestones is missing.", news.silent
                ),
            )
        )
    if lines:
        yield Section(title="", blocks=(Lines(tuple(lines)),), weight=50)
