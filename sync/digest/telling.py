"""The order of steps for one audience: what is due, how things stand, what is news to each channel, send, note."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import partial

from msgspec.structs import replace

from sync.assessment import Rulebook
from sync.audience import Audience
from sync.digest.channels import Channel
from sync.digest.days import Rhythm
from sync.digest.letter import Letter, letter
from sync.digest.news import Standing, Told, news
from sync.digest.pictures import pictures
from sync.digest.sentences import Speaker
from sync.model import UnknownWhy
from sync.reading import Reading
from sync.source import Source
from sync.store import Delivery, LastTold, Store
from sync.together import Whole, relate

__all__ = ["Milestones", "Outcome", "Receiver", "State", "previewed", "standings", "told"]


@dataclass(frozen=True)
class Receiver:
    """An audience that is told something: when, in which words, and over which channels, by their names."""

    audience: Audience
    rhythm: Rhythm
    speaker: Speaker
    channels: Mapping[str, Channel]


class State(StrEnum):
    """How it stands with one channel."""

    NEWS = "news"
    QUIET = "quiet"
    NOT_DUE = "not_due"
    TOLD = "told"
    SENT = "sent"
    REFUSED = "refused"
    UNSURE = "unsure"


@dataclass(frozen=True)
class Outcome:
    """What became of a channel: ``day`` is the day whose message it is, ``words`` say what went wrong."""

    audience: str
    channel: str
    state: State
    day: date | None = None
    letter: Letter | None = None
    words: str = ""


@dataclass(frozen=True)
class Milestones:
    """Where milestones are read: the store as an audience may read it, at a time (UTC)."""

    store: Store
    sources: Sequence[Source]
    book: Rulebook
    at: datetime
    replay: bool = False

    def whole(self, audience: Audience) -> Whole:
        """Everything that an audience may read, assessed for it."""
        return relate(Reading(self.store, self.sources, self.at, self.book, replay=self.replay, audience=audience))


def standings(whole: Whole, audience: Audience) -> Iterator[Standing]:
    """What an audience is shown: milestones, and joint ones of which it may read every member."""
    for one in whole.milestones:
        if audience.shown(one.written):
            yield Standing(
                uid=one.uid,
                title=one.milestone.title,
                health=one.health,
                project=one.project.key,
                url=one.milestone.url,
                ended=None if one.running else one.milestone.closed_at or one.milestone.updated_at or one.health.at,
            )
    for made in whole.joints:
        if audience.shown(made.written) and not made.missing:
            health = replace(made.health, unknown=UnknownWhy.STALE) if made.stale else made.health
            since = min((m.health.stale_since for m in made.blind if m.health.stale_since), default=None)
            yield Standing(uid=made.written, title=made.joint.name, health=replace(health, stale_since=since))


def previewed(where: Milestones, receiver: Receiver) -> Iterator[Outcome]:
    """What each channel would be told now, whether a message is due or not. Nothing is sent or noted."""
    found = list(standings(where.whole(receiver.audience), receiver.audience))
    name, day = receiver.audience.name, receiver.rhythm.due(where.at)
    for channel in tuple(receiver.channels) or ("",):
        made = _letter(where, receiver, channel, found)
        yield Outcome(name, channel, State.NEWS if made else State.QUIET, day, made[0] if made else None)


def told(where: Milestones, receiver: Receiver, run_id: str) -> Iterator[Outcome]:
    """Send what is due, each message at most once; what surely did not arrive is tried again by the next run."""
    name, store = receiver.audience.name, where.store
    day = receiver.rhythm.due(where.at)
    whole: Whole | None = None
    for channel, way in receiver.channels.items():
        if day is None or not store.to_be_told(name, channel, day):
            yield Outcome(name, channel, State.NOT_DUE if day is None else State.TOLD, day)
            continue
        if whole is None:
            whole = _kept(where, receiver.audience, run_id)
            found = list(standings(whole, receiver.audience))
        made = _letter(where, receiver, channel, found)
        message = store.begin_telling(run_id, name, channel, day, made[1] if made else None)
        if message is None:
            yield Outcome(name, channel, State.TOLD, day)
        elif made is None:
            store.end_telling(message, Delivery.QUIET)
            yield Outcome(name, channel, State.QUIET, day)
        else:
            drawn = partial(pictures, whole, made[0].about, percent=receiver.speaker.style != "words")
            sent = way.send(made[0], receiver.speaker, drawn)
            store.end_telling(message, sent.delivery, sent.words)
            yield Outcome(name, channel, State(sent.delivery), day, made[0], sent.words)


def _letter(
    where: Milestones, receiver: Receiver, channel: str, found: Sequence[Standing]
) -> tuple[Letter, Mapping[str, Told]] | None:
    last = LastTold(None, {}) if where.replay else where.store.last_told(receiver.audience.name, channel)
    zone = receiver.rhythm.zone
    made = news(found, last.told, last.at.astimezone(zone) if last.at else None, where.at.astimezone(zone))
    return (letter(made, receiver.speaker), made.told) if made else None


def _kept(where: Milestones, audience: Audience, run_id: str) -> Whole:
    """How things stand for an audience, kept as said to it, so that its next verdicts know this one."""
    whole = where.whole(audience)
    fresh = [one for one in whole.milestones if one.current and one.health.unknown is not UnknownWhy.STALE]
    healths = [one.health for one in fresh] + [one.health for one in whole.joints if not one.stale and not one.missing]
    streams = {one.uid: one.stream for one in fresh}
    where.store.save_health(run_id, [replace(one, audience=audience.name) for one in healths], streams)
    return whole
