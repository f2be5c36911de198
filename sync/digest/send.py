"""The order of steps for one audience: what is due, how things stand, what is news to each channel, send, note."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import partial

from msgspec.structs import replace

from sync.assess.milestone import AssessmentRules
from sync.assess.portfolio import Portfolio
from sync.assess.relations import build_portfolio
from sync.assess.snapshot import Snapshot
from sync.digest.attachments import pictures
from sync.digest.cadence import Cadence
from sync.digest.changes import MilestoneState, changes_since
from sync.digest.channels import Channel
from sync.digest.message import Message, compose
from sync.digest.phrases import Speaker
from sync.model.audience import Audience
from sync.model.digest import LastSent
from sync.model.health import UnknownWhy
from sync.store.store import Delivery, LastDigest, Store
from sync.tracker.connection import Connection

__all__ = ["PortfolioSource", "Receiver", "SendOutcome", "SendState", "milestone_states", "preview", "send_due"]


@dataclass(frozen=True)
class Receiver:
    """An audience that is told something: when, in which words, and over which channels, by their names."""

    audience: Audience
    rhythm: Cadence
    speaker: Speaker
    channels: Mapping[str, Channel]


class SendState(StrEnum):
    """How it stands with one channel."""

    NEWS = "news"
    QUIET = "quiet"
    NOT_DUE = "not_due"
    TOLD = "told"
    SENT = "sent"
    REFUSED = "refused"
    UNSURE = "unsure"


@dataclass(frozen=True)
class SendOutcome:
    """What became of a channel: ``day`` is the day whose message it is, ``words`` say what went wrong."""

    audience: str
    channel: str
    state: SendState
    day: date | None = None
    message: Message | None = None
    words: str = ""


@dataclass(frozen=True)
class PortfolioSource:
    """Where milestones are read: the store as an audience may read it, at a time (UTC)."""

    store: Store
    sources: Sequence[Connection]
    book: AssessmentRules
    at: datetime
    replay: bool = False

    def whole(self, audience: Audience) -> Portfolio:
        """Everything that an audience may read, assessed for it."""
        return build_portfolio(
            Snapshot(self.store, self.sources, self.at, self.book, replay=self.replay, audience=audience)
        )


def milestone_states(whole: Portfolio, audience: Audience) -> Iterator[MilestoneState]:
    """What an audience is shown: milestones, and joint ones of which it may read every member."""
    for milestone in whole.milestones:
        if audience.shown(milestone.written):
            yield MilestoneState(
                uid=milestone.uid,
                title=milestone.milestone.title,
                health=milestone.health,
                project=milestone.project.key,
                url=milestone.milestone.url,
                ended=None
                if milestone.running
                else milestone.milestone.closed_at or milestone.milestone.updated_at or milestone.health.at,
            )
    for made in whole.joints:
        if audience.shown(made.written) and not made.missing:
            health = replace(made.health, unknown=UnknownWhy.STALE) if made.stale else made.health
            since = min((m.health.stale_since for m in made.blind if m.health.stale_since), default=None)
            yield MilestoneState(uid=made.written, title=made.joint.name, health=replace(health, stale_since=since))


def preview(where: PortfolioSource, receiver: Receiver) -> Iterator[SendOutcome]:
    """What each channel would be told now, whether a message is due or not. Nothing is sent or noted."""
    found = list(milestone_states(where.whole(receiver.audience), receiver.audience))
    name, day = receiver.audience.name, receiver.rhythm.due(where.at)
    for channel in tuple(receiver.channels) or ("",):
        made = _message(where, receiver, channel, found)
        yield SendOutcome(name, channel, SendState.NEWS if made else SendState.QUIET, day, made[0] if made else None)


def send_due(where: PortfolioSource, receiver: Receiver, run_id: str) -> Iterator[SendOutcome]:
    """Send what is due, each message at most once; what surely did not arrive is tried again by the next run."""
    name, store = receiver.audience.name, where.store
    day = receiver.rhythm.due(where.at)
    whole: Portfolio | None = None
    for channel, way in receiver.channels.items():
        if day is None or not store.to_be_told(name, channel, day):
            yield SendOutcome(name, channel, SendState.NOT_DUE if day is None else SendState.TOLD, day)
            continue
        if whole is None:
            whole = _kept(where, receiver.audience, run_id)
            found = list(milestone_states(whole, receiver.audience))
        made = _message(where, receiver, channel, found)
        message = store.begin_telling(run_id, name, channel, day, made[1] if made else None)
        if message is None:
            yield SendOutcome(name, channel, SendState.TOLD, day)
        elif made is None:
            store.end_telling(message, Delivery.QUIET)
            yield SendOutcome(name, channel, SendState.QUIET, day)
        else:
            drawn = partial(pictures, whole, made[0].about, percent=receiver.speaker.style != "words")
            sent = way.send(made[0], receiver.speaker, drawn)
            store.end_telling(message, sent.delivery, sent.words)
            yield SendOutcome(name, channel, SendState(sent.delivery), day, made[0], sent.words)


def _message(
    where: PortfolioSource, receiver: Receiver, channel: str, found: Sequence[MilestoneState]
) -> tuple[Message, Mapping[str, LastSent]] | None:
    last = LastDigest(None, {}) if where.replay else where.store.last_told(receiver.audience.name, channel)
    zone = receiver.rhythm.zone
    made = changes_since(found, last.told, last.at.astimezone(zone) if last.at else None, where.at.astimezone(zone))
    return (compose(made, receiver.speaker), made.told) if made else None


def _kept(where: PortfolioSource, audience: Audience, run_id: str) -> Portfolio:
    """How things stand for an audience, kept as said to it, so that its next verdicts know this one."""
    whole = where.whole(audience)
    fresh = [
        milestone
        for milestone in whole.milestones
        if milestone.current and milestone.health.unknown is not UnknownWhy.STALE
    ]
    healths = [milestone.health for milestone in fresh] + [
        joint.health for joint in whole.joints if not joint.stale and not joint.missing
    ]
    streams = {milestone.uid: milestone.stream for milestone in fresh}
    where.store.save_health(run_id, [replace(health, audience=audience.name) for health in healths], streams)
    return whole
