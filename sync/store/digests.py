"""The shelf of messages: what was told to whom over which channel, with a journal so that nothing is told twice.

A message is noted before it is sent. One whose end was never noted (the process was killed) may have arrived; it counts
as told and is not sent again: at most once.
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

_TOLD = msgspec.json.Decoder(dict[str, LastSent])
_JSON = msgspec.json.Encoder()


class LastDigest(Struct, frozen=True):
    """What an audience knows over one channel, by uid, and since when (UTC); None: it was never told anything."""

    at: datetime | None
    told: Mapping[str, LastSent]


class JournaledMessage(Struct, frozen=True):
    """A message that is under way."""

    audience: str
    channel: str
    day: date
    attempt: int


class DigestJournal(Repository):
    """Who was told what, and when."""

    def to_be_told(self, audience: str, channel: str, day: date) -> bool:
        """Whether the message of a day has not been sent, tried with an unknown end, or found to be about nothing."""
        mine = (table.c.audience == audience) & (table.c.channel == channel) & (table.c.day == day)
        over = or_(table.c.delivery.is_(None), table.c.delivery != Delivery.REFUSED)
        return not self._rows(select(table.c.attempt).where(mine, over))

    def last_told(self, audience: str, channel: str) -> LastDigest:
        """What was last told, or may have been, over a channel."""
        mine = (table.c.audience == audience) & (table.c.channel == channel) & (table.c.told != "")
        query = select(table.c.begun_at, table.c.told).where(mine)
        rows = self._rows(query.order_by(table.c.begun_at.desc(), table.c.attempt.desc()).limit(1))
        return LastDigest(rows[0].begun_at, _TOLD.decode(rows[0].told)) if rows else LastDigest(None, {})

    def begin_telling(
        self, run_id: str, audience: str, channel: str, day: date, told: Mapping[str, LastSent] | None
    ) -> JournaledMessage | None:
        """Note that a message is about to be sent, or that there is nothing to say (`told` is None).

        None when another run has begun the same one.
        """
        mine = (table.c.audience == audience) & (table.c.channel == channel) & (table.c.day == day)
        over = or_(table.c.delivery.is_(None), table.c.delivery != Delivery.REFUSED)
        with writing(self._engine) as connection:
            if connection.scalar(select(func.count()).select_from(table).where(mine, over)):
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
                "told": "" if told is None else _JSON.encode(told).decode(),
            }
            statement = insert_into(self._engine, table).values(row).on_conflict_do_nothing()
            ours = connection.scalar(statement.returning(table.c.attempt))
        return None if ours is None else JournaledMessage(audience, channel, day, ours)

    def end_telling(self, message: JournaledMessage, delivery: Delivery, words: str = "") -> None:
        """Note how it ended. What was refused was not told; what was told replaces all that was told before."""
        channel = (table.c.audience == message.audience) & (table.c.channel == message.channel)
        this = channel & (table.c.day == message.day) & (table.c.attempt == message.attempt)
        values = {"ended_at": self._clock(), "delivery": delivery, "words": words}
        with writing(self._engine) as connection:
            if delivery in (Delivery.SENT, Delivery.UNSURE):
                connection.execute(update(table).where(channel, ~this).values(told=""))
            else:
                values["told"] = ""
            connection.execute(update(table).where(this).values(values))
