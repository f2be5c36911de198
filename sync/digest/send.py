"""Send the digests of one audience: find the due day, assess, compare per channel, send, record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import partial

from msgspec import structs
from msgspec.structs import replace

from sync.assess.milestone import AssessedMilestone, AssessmentRules
from sync.assess.portfolio import Portfolio
from sync.assess.portfolio_findings import find_in_portfolio
from sync.assess.relations import build_portfolio
from sync.assess.shown import shown_to
from sync.assess.snapshot import Snapshot
from sync.digest.attachments import render_pictures
from sync.digest.cadence import Cadence
from sync.digest.changes import MilestoneState, changes_since
from sync.digest.channels import Channel
from sync.digest.message import Message, compose
from sync.digest.phrases import Speaker
from sync.model.audience import Audience
from sync.model.digest import LastSent
from sync.model.health import UnknownCause
from sync.model.portfolio_finding import PortfolioFinding
from sync.model.tracker_data import ENDING_ON_DAY
from sync.report.verdict_facts import VerdictFacts, joint_verdict_facts, verdict_facts
from sync.store.digests import LastDigest
from sync.store.store import Store
from sync.store.tables import Delivery
from sync.tracker.connection import Connection

__all__ = ["PortfolioSource", "Receiver", "SendOutcome", "SendState", "milestone_states", "preview", "send_due"]


@dataclass(frozen=True)
class Receiver:
    """An audience with the cadence, the wording and the channels (by name) of its messages."""

    audience: Audience
    cadence: Cadence
    speaker: Speaker
    channels: Mapping[str, Channel]


class SendState(StrEnum):
    """The state of one channel; the values are part of `--json`."""

    NEWS = "news"
    QUIET = "quiet"
    NOT_DUE = "not_due"
    ALREADY_SENT = "told"
    SENT = "sent"
    REFUSED = "refused"
    UNSURE = "unsure"


@dataclass(frozen=True)
class SendOutcome:
    """The outcome of one channel.

    ``day`` is the due day of the message; None when no message is due. ``message`` is None without a message;
    ``problem`` is empty without one.
    """

    audience: str
    channel: str
    state: SendState
    day: date | None = None
    message: Message | None = None
    problem: str = ""


@dataclass(frozen=True)
class PortfolioSource:
    """The source of assessed milestones: the store at a time (UTC). ``replay``: the time is in the past."""

    store: Store
    connections: Sequence[Connection]
    rules: AssessmentRules
    at: datetime
    replay: bool = False

    def portfolio(self, audience: Audience) -> Portfolio:
        """Assess everything that an audience may read."""
        return build_portfolio(
            Snapshot(self.store, self.connections, self.at, self.rules, replay=self.replay, audience=audience)
        )


def _ended(milestone: AssessedMilestone) -> datetime | None:
    """Return when a milestone was closed (UTC), a moment of its last day if it ends on a day; None while it runs."""
    closed_at = milestone.milestone.closed_at
    if milestone.is_running:
        return None
    if closed_at is not None and milestone.milestone.kind in ENDING_ON_DAY:
        return closed_at - timedelta(microseconds=1)
    return closed_at or milestone.milestone.updated_at or milestone.health.at


def milestone_states(portfolio: Portfolio, audience: Audience, now: datetime) -> Iterator[MilestoneState]:
    """Yield the milestones and the joint milestones that an audience is shown.

    ``now`` is the time of the message (UTC).
    """
    milestones, joints = shown_to(audience, portfolio)
    for milestone in milestones:
        yield _state(milestone.uid, verdict_facts(milestone, now=now), _ended(milestone))
    for joint in joints:
        facts = joint_verdict_facts(joint, now=now)
        health = replace(joint.health, unknown=UnknownCause.STALE) if joint.is_stale else joint.health
        since = min(
            (member.health.stale_since for member in joint.members if member.health.stale_since),
            default=None,
        )
        yield _state(joint.written, replace(facts, health=replace(health, stale_since=since)))


def _state(uid: str, facts: VerdictFacts, ended: datetime | None = None) -> MilestoneState:
    return MilestoneState(uid=uid, ended=ended, **structs.asdict(facts))


def preview(source: PortfolioSource, receiver: Receiver) -> Iterator[SendOutcome]:
    """Yield what each channel would get now, even when no message is due. Sends and records nothing."""
    portfolio = source.portfolio(receiver.audience)
    states = list(milestone_states(portfolio, receiver.audience, source.at))
    findings = find_in_portfolio(source.store, portfolio, receiver.audience, replay=source.replay)
    name, day = receiver.audience.name, receiver.cadence.due(source.at)
    for channel in tuple(receiver.channels) or ("",):
        composed = _compose(source, receiver, channel, states, findings)
        state = SendState.NEWS if composed else SendState.QUIET
        yield SendOutcome(name, channel, state, day, composed[0] if composed else None)


def send_due(source: PortfolioSource, receiver: Receiver, run_id: str) -> Iterator[SendOutcome]:
    """Send the due messages, each at most once. The next run retries a message that certainly did not arrive."""
    name, store = receiver.audience.name, source.store
    day = receiver.cadence.due(source.at)
    portfolio: Portfolio | None = None
    for channel_name, channel in receiver.channels.items():
        if day is None or not store.needs_message(name, channel_name, day):
            yield SendOutcome(name, channel_name, SendState.NOT_DUE if day is None else SendState.ALREADY_SENT, day)
            continue
        if portfolio is None:
            portfolio = _assess_and_save(source, receiver.audience, run_id)
            states = list(milestone_states(portfolio, receiver.audience, source.at))
            findings = find_in_portfolio(source.store, portfolio, receiver.audience, replay=source.replay)
        composed = _compose(source, receiver, channel_name, states, findings)
        entry = store.begin_message(run_id, name, channel_name, day, composed[1] if composed else None)
        if entry is None:
            yield SendOutcome(name, channel_name, SendState.ALREADY_SENT, day)
        elif composed is None:
            store.finish_message(entry, Delivery.QUIET)
            yield SendOutcome(name, channel_name, SendState.QUIET, day)
        else:
            message = composed[0]
            pictures = partial(render_pictures, portfolio, message.about, percent=receiver.speaker.style != "words")
            result = channel.send(message, receiver.speaker, pictures)
            store.finish_message(entry, result.delivery, result.problem)
            yield SendOutcome(name, channel_name, SendState(result.delivery), day, message, result.problem)


def _compose(
    source: PortfolioSource,
    receiver: Receiver,
    channel: str,
    states: Sequence[MilestoneState],
    findings: Sequence[PortfolioFinding],
) -> tuple[Message, Mapping[str, LastSent]] | None:
    """Return the message of a channel and the states to record after sending; None when there is nothing to say."""
    last = LastDigest(None, {}) if source.replay else source.store.last_digest(receiver.audience.name, channel)
    zone = receiver.cadence.zone
    since = last.at.astimezone(zone) if last.at else None
    changes = changes_since(states, last.state, since, source.at.astimezone(zone))
    return (compose(changes, receiver.speaker, findings), changes.sent) if changes else None


def _assess_and_save(source: PortfolioSource, audience: Audience, run_id: str) -> Portfolio:
    """Assess for an audience and save the healths as published to it: its next assessment continues from them."""
    portfolio = source.portfolio(audience)
    fresh = [
        milestone for milestone in portfolio.milestones if milestone.is_current and milestone.health.stale_since is None
    ]
    healths = [milestone.health for milestone in fresh] + [
        joint.health for joint in portfolio.joints if not joint.is_stale and not joint.missing
    ]
    streams = {milestone.uid: milestone.stream for milestone in fresh}
    source.store.save_health(run_id, [replace(health, audience=audience.name) for health in healths], streams)
    return portfolio
