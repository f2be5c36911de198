"""The sentences of the digest, in numbers or in words, for any language.

Each is our own words only; titles are added by `sync.digest.message` as foreign text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

from sync.digest.changes import ChangeEntry, ChangeKind
from sync.digest.language import Language
from sync.model.health import Health, Lever, LeverKind, Reason, ReasonKind, Status

__all__ = ["Speaker", "Style"]

Style = Literal["numbers", "words"]

_UNCERTAIN = (Status.UNKNOWN, Status.NO_DUE_DATE)


@dataclass(frozen=True)
class Speaker:
    """Who speaks: a language, and whether numbers tell the odds or words."""

    language: Language
    style: Style = "numbers"

    @property
    def _numbers(self) -> bool:
        return self.style == "numbers"

    # --- how it stands ------------------------------------------------------------------------------------------------

    def status(self, status: Status) -> str:
        """A status in two words."""
        say = self.language.say
        return {
            Status.ON_TRACK: say("on track"),
            Status.AT_RISK: say("at risk"),
            Status.OFF_TRACK: say("off track"),
            Status.OVERDUE: say("overdue"),
            Status.DONE: say("done"),
            Status.NO_DUE_DATE: say("without a due date"),
            Status.UNKNOWN: say("not enough data"),
        }[status]

    def verdict(self, entry: ChangeEntry, *, first: bool = False) -> str:
        """Its status, and what it was when it is another now; ``first``: nobody has been told anything yet."""
        say, health = self.language.say, entry.standing.health
        now = self.status(health.status)
        if ChangeKind.SILENT in entry.turns:
            return say("no data")
        if ChangeKind.DONE in entry.turns:
            return say("done")
        if ChangeKind.CLOSED in entry.turns:
            return say("closed before it was done")
        if ChangeKind.STATUS in entry.turns and entry.before is not None:
            return say("now {status}, was {before}", status=now, before=self.status(entry.before.status))
        if entry.before is None:
            return now if first else say("new, {status}", status=now)
        return say("still {status}", status=now)

    def situation(self, entry: ChangeEntry) -> Iterator[str]:
        """Where it stands now, a sentence each."""
        say, health = self.language.say, entry.standing.health
        if entry.standing.ended is not None or health.status is Status.DONE:
            yield from self._ended(entry)
            return
        if entry.standing.stale:
            if health.stale_since is not None:
                since = self.language.day(health.stale_since.date())
                yield say("Its tracker has not been readable since {day}.", day=since)
            return
        if health.due is None or health.status in _UNCERTAIN:
            if health.due is not None:
                yield say("It is due on {day}.", day=self.language.day(health.due))
        elif health.status is Status.OVERDUE:
            left = self.language.many("{n} issue is still open", "{n} issues are still open", health.counts.open)
            yield say("It was due on {day}; {left}.", day=self.language.day(health.due), left=left)
        else:
            yield from self._odds(health, health.due)
        yield from self._latest(health)
        if self._numbers and health.counts.total and health.status is not Status.OVERDUE:
            done, total = health.counts.done, health.counts.total
            yield self.language.many("{done} of {n} issue done.", "{done} of {n} issues done.", total, done=done)

    def _ended(self, entry: ChangeEntry) -> Iterator[str]:
        say, health, ended = self.language.say, entry.standing.health, entry.standing.ended
        if ended is not None and health.due is not None:
            late = (ended.date() - health.due).days
            span = self.language.days(abs(late)) if self._numbers else self.language.span(abs(late))
            if late > 0:
                yield say("It ended {span} after its date.", span=span)
            elif late < 0:
                yield say("It ended {span} before its date.", span=span)
            else:
                yield say("It ended on its date.")
        if health.status is not Status.DONE and health.counts.open:
            yield self.language.many("{n} issue is still open.", "{n} issues are still open.", health.counts.open)

    def _odds(self, health: Health, due: date) -> Iterator[str]:
        say, day = self.language.say, self.language.day(due)
        p = health.probability
        if p is None:
            yield say("It is due on {day}.", day=day)
        elif self._numbers:
            yield say(
                "It is {percent} likely to be done by its date, {day}.", percent=self.language.percent(p), day=day
            )
        elif p >= 0.85:
            yield say("It will very likely be done by its date, {day}.", day=day)
        elif p >= 0.65:
            yield say("It will probably be done by its date, {day}.", day=day)
        elif p >= 0.4:
            yield say("Whether it will be done by its date, {day}, is open.", day=day)
        elif p >= 0.15:
            yield say("It will probably not be done by its date, {day}.", day=day)
        else:
            yield say("It will hardly be done by its date, {day}.", day=day)

    def _latest(self, health: Health) -> Iterator[str]:
        """When it will be done instead."""
        say, dates = self.language.say, health.dates
        if self._numbers:
            if dates.p85 is not None:
                yield say("With 85 % certainty it is done by {day}.", day=self.language.day(dates.p85))
        elif dates.p50 is not None and health.due is not None and dates.p50 > health.due:
            if health.status is Status.OVERDUE:
                yield say("It will most likely be done around {day}.", day=self.language.day(dates.p50))
            else:
                late = self.language.span((dates.p50 - health.due).days)
                yield say("It will most likely be about {span} late.", span=late)

    # --- what changed -------------------------------------------------------------------------------------------------

    def changes(self, entry: ChangeEntry) -> Iterator[str]:
        """What is otherwise than it was told, a sentence each; its status stands in `verdict`."""
        say, health, before = self.language.say, entry.standing.health, entry.before
        if before is None:
            return
        if ChangeKind.DUE in entry.turns:
            yield self._moved(before.due, health.due)
        if ChangeKind.DATE in entry.turns and before.p85 is not None and health.dates.p85 is not None:
            later = (health.dates.p85 - before.p85).days
            span = self.language.days(abs(later)) if self._numbers else self.language.span(abs(later))
            if later > 0:
                yield say("The forecast is {span} later than last told.", span=span)
            else:
                yield say("The forecast is {span} earlier than last told.", span=span)
        if ChangeKind.ODDS in entry.turns and before.probability is not None and health.probability is not None:
            better = health.probability > before.probability
            if self._numbers:
                yield say("The probability was {percent} before.", percent=self.language.percent(before.probability))
            else:
                yield say("Its chances have improved.") if better else say("Its chances have fallen.")
        if ChangeKind.STATUS in entry.turns:
            yield from self._because(entry)

    def _moved(self, old: date | None, new: date | None) -> str:
        say, day = self.language.say, self.language.day
        if old is not None and new is not None:
            return say("The due date moved from {old} to {new}.", old=day(old), new=day(new))
        if new is not None:
            return say("The due date is now {new}.", new=day(new))
        return say("The due date, {old}, was taken away.", old=day(old)) if old else ""

    def _because(self, entry: ChangeEntry) -> Iterator[str]:
        """The main reason that speaks for the change."""
        health = entry.standing.health
        worse = health.status in (Status.AT_RISK, Status.OFF_TRACK, Status.OVERDUE)
        behind = [reason for reason in health.reasons if (reason.effect < 0) == worse]
        if behind and health.status not in _UNCERTAIN:
            yield self.language.say("Main reason: {reason}.", reason=self.reason(behind[0]))

    # --- why ----------------------------------------------------------------------------------------------------------

    def reason(self, said: Reason) -> str:
        """Why, in half a sentence; the values are those of `sync.health.reasons`."""
        return _REASONS[said.kind](self, said)

    def pace(self, said: Reason) -> str:
        """How much is done, against what is usual."""
        share, usual = _number(said, "share"), _number(said, "usual")
        if self._numbers and share is not None and usual is not None:
            done, normal = round(share * 100), round(usual * 100)
            return self.language.say("{done} % is done, usual by now is {usual} %", done=done, usual=normal)
        say = self.language.say
        return say("work goes faster than usual") if said.effect > 0 else say("work goes slower than usual")

    def scope(self, said: Reason) -> str:
        """How much joined."""
        added = round(_number(said, "added") or len(said.items))
        if self._numbers and added:
            return self.language.many("{n} issue joined since the start", "{n} issues joined since the start", added)
        say = self.language.say
        return say("little joined since the start") if said.effect > 0 else say("much joined since the start")

    def hit_rate(self, said: Reason) -> str:
        """How often dates held here."""
        hits, of, say = _number(said, "hits"), _number(said, "of"), self.language.say
        if self._numbers and hits is not None and of:
            return say("{hits} of the last {of} dates of this series held", hits=round(hits), of=round(of))
        return say("dates usually hold here") if said.effect > 0 else say("dates seldom hold here")

    def stragglers(self, said: Reason) -> str:
        """Old open issues."""
        n = self._count(said)
        if not n:
            return self.language.say("some issues have been open unusually long")
        return self.language.many(
            "{n} issue has been open unusually long", "{n} issues have been open unusually long", n
        )

    def unassigned(self, said: Reason) -> str:
        """Open issues without anybody."""
        n = self._count(said)
        if not n:
            return self.language.say("some open issues have nobody assigned")
        return self.language.many("{n} open issue has nobody assigned", "{n} open issues have nobody assigned", n)

    def blocked(self, said: Reason) -> str:
        """Open issues that wait."""
        n = self._count(said)
        if not n:
            return self.language.say("some open issues wait for other work")
        return self.language.many("{n} open issue waits for other work", "{n} open issues wait for other work", n)

    def _count(self, said: Reason) -> int:
        """How many issues it is about, where numbers are told; 0 where they are not."""
        return round(_number(said, "count") or len(said.items)) if self._numbers else 0

    def silence(self, said: Reason) -> str:
        """How long nothing was closed."""
        days = _number(said, "days")
        if days is None:
            return self.language.say("nothing has been closed for a long time")
        return self.language.many(
            "nothing has been closed for {n} day", "nothing has been closed for {n} days", round(days)
        )

    # --- ways out -----------------------------------------------------------------------------------------------------

    def way_out(self, offer: Lever) -> str:
        """What could be decided, and what comes of it where numbers are told."""
        act = _LEVERS[offer.kind](self, offer)
        if self._numbers and offer.probability is not None:
            return self.language.say(
                "{act} ({percent} likely)", act=act, percent=self.language.percent(offer.probability)
            )
        return act

    def cut(self, offer: Lever) -> str:
        """Drop some issues."""
        n = round(_number(offer, "count") or len(offer.items))
        return self.language.many("drop {n} issue", "drop {n} issues", n)

    def move(self, offer: Lever) -> str:
        """Take another date."""
        to = offer.values.get("to")
        if isinstance(to, date):
            return self.language.say("move the date to {day}", day=self.language.day(to))
        return self.language.say("move the date")

    def both(self, offer: Lever) -> str:
        """Drop some issues and take another date."""
        return self.language.say("{first} and {second}", first=self.cut(offer), second=self.move(offer))

    def speed(self, offer: Lever) -> str:
        """Close more a week."""
        needed = _number(offer, "needed")
        if self._numbers and needed:
            n = max(1, round(needed))
            return self.language.many("close {n} issue a week", "close {n} issues a week", n)
        return self.language.say("close more issues each week")

    def assign(self, offer: Lever) -> str:
        """Give work to somebody."""
        n = round(_number(offer, "count") or len(offer.items))
        return self.language.many("find an owner for {n} issue", "find an owner for {n} issues", n)


def _number(said: Reason | Lever, name: str) -> float | None:
    found = said.values.get(name)
    return found if isinstance(found, int | float) else None


_REASONS: dict[ReasonKind, Callable[[Speaker, Reason], str]] = {
    ReasonKind.PACE: Speaker.pace,
    ReasonKind.SCOPE_ADDED: Speaker.scope,
    ReasonKind.HIT_RATE: Speaker.hit_rate,
    ReasonKind.STRAGGLERS: Speaker.stragglers,
    ReasonKind.HOLIDAYS: lambda me, _: me.language.say("holidays take some of the days that are left"),
    ReasonKind.DUE_MOVED: lambda me, _: me.language.say("the due date moved"),
    ReasonKind.UNASSIGNED: Speaker.unassigned,
    ReasonKind.SILENCE: Speaker.silence,
    ReasonKind.BLOCKED: Speaker.blocked,
    ReasonKind.PREDECESSOR: lambda me, _: me.language.say("what it waits for is likely to be late"),
}

_LEVERS: dict[LeverKind, Callable[[Speaker, Lever], str]] = {
    LeverKind.CUT: Speaker.cut,
    LeverKind.MOVE: Speaker.move,
    LeverKind.BOTH: Speaker.both,
    LeverKind.FREEZE: lambda me, _: me.language.say("let no more work in"),
    LeverKind.PACE: Speaker.speed,
    LeverKind.ASSIGN: Speaker.assign,
}
