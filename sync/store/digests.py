"""Journal of digests: what each audience was sent over each channel, at most once.

A message is recorded before it is sent. A message without a recorded end (the process was killed) may have arrived; it
counts as sent and is not sent again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

import msgspec
from msgspec import Struct
from sqlalchemy import func, or_, select, update

from sync.model.digest import LastSent
from sync.store.database import writing
from sync.store.repository import Repository
from sync.store.tables import Delivery
from sync.store.tables import telling as table
from sync.store.upsert import insert_into

__all__ = ["DigestJournal", "JournaledMessage", "LastDigest"]

_STATE = msgspec.json.Decoder(dict[str, LastSent])
_JSON = msgspec.json.Encoder()


class LastDigest(Struct, frozen=True):
    """The last state that an audience was sent over one channel, by uid, and its time (UTC); None: never."""

    at: datetime | None
    state: Mapping[str, LastSent]


class JournaledMessage(Struct, frozen=True):
    """A message whose sending has begun."""

    audience: str
    channel: str
    day: date
    attempt: int


class DigestJournal(Repository):
    """Messages by audience, channel and day."""

    def needs_message(self, audience: str, channel: str, day: date) -> bool:
        """Return whether the message of a day still has to be sent: no attempt was made, or all were refused."""
        mine = (table.c.audience == audience) & (table.c.channel == channel) & (table.c.day == day)
        is_settled = or_(table.c.delivery.is_(None), table.c.delivery != Delivery.REFUSED)
        return not self._rows(select(table.c.attempt).where(mine, is_settled))

    def last_digest(self, audience: str, channel: str) -> LastDigest:
        """Return the last state that was sent, or may have been sent, over a channel."""
        mine = (table.c.audience == audience) & (table.c.channel == channel) & (table.c.told != "")
        query = select(table.c.begun_at, table.c.told).where(mine)
        rows = self._rows(query.order_by(table.c.begun_at.desc(), table.c.attempt.desc()).limit(1))
        if not rows:
            return LastDigest(None, {})
        return LastDigest(rows[0].begun_at, _STATE.decode(rows[0].told))

    def begin_message(
        self, run_id: str, audience: str, channel: str, day: date, state: Mapping[str, LastSent] | None
    ) -> JournaledMessage | None:
        """Record that a message is about to be sent; `state` is its content by uid, None when there is none.

        Return None when another run has begun the same message.
        """
        mine = (table.c.audience == audience) & (table.c.channel == channel) & (table.c.day == day)
        is_settled = or_(table.c.delivery.is_(None), table.c.delivery != Delivery.REFUSED)
        with writing(self._engine) as connection:
            if connection.scalar(select(func.count()).select_from(table).where(mine, is_settled)):
                return None
            attempt = (connection.scalar(select(func.max(table.c.attempt)).where(mine)) or 0) + 1
            row = {
                "audience": audience,
                "channel": channel,
                "day": day,
                "attempt": attempt,
                "run": run_id,
                "begun_at": self._clock(),
                "words": "",
                "told": "" if state is None else _JSON.encode(state).decode(),
            }
            statement = insert_into(self._engine, table).values(row).on_conflict_do_nothing()
            ours = connection.scalar(statement.returning(table.c.attempt))
        return None if ours is None else JournaledMessage(audience, channel, day, ours)

    def finish_message(self, message: JournaledMessage, delivery: Delivery, words: str = "") -> None:
        """Record how a message ended. A sent state replaces the earlier ones; a refused one is dropped."""
        channel = (table.c.audience == message.audience) & (table.c.channel == message.channel)
        this = channel & (table.c.day == message.day) & (table.c.attempt == message.attempt)
        values = {"ended_at": self._clock(), "delivery": delivery, "words": words}
        with writing(self._engine) as connection:
            if delivery in (Delivery.SENT, Delivery.UNSURE):
                connection.execute(update(table).where(channel, ~this).values(told=""))
            else:
                values["told"] = ""
            connection.execute(update(table).where(this).values(values))
