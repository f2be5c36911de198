"""The sentences of the digest, with numbers or in words, in the language of the audience.

Every sentence is our own words; `sync.digest.message` adds titles as foreign text. The wording of reasons and levers
is in `sync.report.reasons` and `sync.report.levers`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

from sync.digest.changes import ChangeEntry, ChangeKind
from sync.digest.language import Language
from sync.model.health import Health, Lever, Reason, Status
from sync.report.levers import lever_clause
from sync.report.reasons import reason_clause

__all__ = ["Speaker", "Style"]

Style = Literal["numbers", "words"]

_UNCERTAIN = (Status.UNKNOWN, Status.NO_DUE_DATE)


@dataclass(frozen=True)
class Speaker:
    """The sentences in one language; ``style`` selects percentages and counts, or words."""

    language: Language
    style: Style = "numbers"

    @property
    def _numbers(self) -> bool:
        return self.style == "numbers"

    # --- present state ------------------------------------------------------------------------------------------------

    def status(self, status: Status) -> str:
        """Return a status in words."""
        say = self.language.say
        return {
            Status.ON_TRACK: say("on track"),
            Status.AT_RISK: say("at risk"),
            Status.OFF_TRACK: say("off track"),
            Status.OVERDUE: say("overdue"),
            Status.DONE: say("done"),
            Status.ENDED: say("ended before it was done"),
            Status.NO_DUE_DATE: say("without a due date"),
            Status.UNKNOWN: say("not enough data"),
        }[status]

    def verdict(self, entry: ChangeEntry, *, first: bool = False) -> str:
        """Return the status, and the one before if it changed. ``first``: this is the first message to the audience."""
        say, health = self.language.say, entry.state.health
        now = self.status(health.status)
        if ChangeKind.SILENT in entry.changes:
            return say("no data")
        if ChangeKind.DONE in entry.changes:
            return say("done")
        if ChangeKind.CLOSED in entry.changes:
            return say("ended before it was done") if entry.state.ended is None else say("closed before it was done")
        if ChangeKind.STATUS in entry.changes and entry.before is not None:
            return say("now {status}, was {before}", status=now, before=self.status(entry.before.status))
        if entry.before is None:
            return now if first else say("new, {status}", status=now)
        return say("still {status}", status=now)

    def situation(self, entry: ChangeEntry) -> Iterator[str]:
        """Yield sentences on the present state."""
        say, health = self.language.say, entry.state.health
        if entry.state.ended is not None or health.status.is_over:
            yield from self._ended(entry)
            return
        if entry.state.is_stale:
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
        yield from self._expected_date(health)
        if self._numbers and health.counts.total and health.status is not Status.OVERDUE:
            done, total = health.counts.done, health.counts.total
            yield self.language.many("{done} of {n} issue done.", "{done} of {n} issues done.", total, done=done)

    def _ended(self, entry: ChangeEntry) -> Iterator[str]:
        say, health, ended = self.language.say, entry.state.health, entry.state.ended
        if ended is not None and health.due is not None:
            late = (ended.date() - health.due).days
            span = self.language.days(abs(late)) if self._numbers else self.language.span(abs(late))
            if late > 0:
                yield say("It ended {span} after its date.", span=span)
            elif late < 0:
                yield say("It ended {span} before its date.", span=span)
            else:
                yield say("It ended on its date.")
        if health.status is Status.ENDED and self._numbers:
            done, total = health.counts.done, health.counts.total
            yield self.language.many("{done} of {n} issue done.", "{done} of {n} issues done.", total, done=done)
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

    def _expected_date(self, health: Health) -> Iterator[str]:
        """Yield the expected date: with numbers always, in words when it is after the due date."""
        say, dates = self.language.say, health.dates
        if self._numbers:
            if dates.p85 is not None:
                yield say("With 85% certainty it is done by {day}.", day=self.language.day(dates.p85))
        elif dates.p50 is not None and health.due is not None and dates.p50 > health.due:
            if health.status is Status.OVERDUE:
                yield say("It will most likely be done around {day}.", day=self.language.day(dates.p50))
            else:
                late = self.language.span((dates.p50 - health.due).days)
                yield say("It will most likely be about {span} late.", span=late)

    # --- what changed -------------------------------------------------------------------------------------------------

    def changes(self, entry: ChangeEntry) -> Iterator[str]:
        """Yield sentences on what changed since the last message; `verdict` has the change of status."""
        say, health, before = self.language.say, entry.state.health, entry.before
        if before is None:
            return
        if ChangeKind.DUE in entry.changes:
            yield self._moved(before.due, health.due)
        if ChangeKind.DATE in entry.changes and before.p85 is not None and health.dates.p85 is not None:
            later = (health.dates.p85 - before.p85).days
            span = self.language.days(abs(later)) if self._numbers else self.language.span(abs(later))
            if later > 0:
                yield say("The forecast is {span} later than last told.", span=span)
            else:
                yield say("The forecast is {span} earlier than last told.", span=span)
        if ChangeKind.ODDS in entry.changes and before.probability is not None and health.probability is not None:
            better = health.probability > before.probability
            if self._numbers:
                yield say("The probability was {percent} before.", percent=self.language.percent(before.probability))
            else:
                yield say("Its chances have improved.") if better else say("Its chances have fallen.")
        if ChangeKind.STATUS in entry.changes:
            yield from self._because(entry)

    def _moved(self, old: date | None, new: date | None) -> str:
        say, day = self.language.say, self.language.day
        if old is not None and new is not None:
            return say("The due date moved from {old} to {new}.", old=day(old), new=day(new))
        if new is not None:
            return say("The due date is now {new}.", new=day(new))
        return say("The due date, {old}, was taken away.", old=day(old)) if old else ""

    def _because(self, entry: ChangeEntry) -> Iterator[str]:
        """Yield the main reason for the change of status."""
        health = entry.state.health
        worse = health.status in (Status.AT_RISK, Status.OFF_TRACK, Status.OVERDUE)
        behind = [reason for reason in health.reasons if (reason.effect < 0) == worse]
        if behind and health.status not in _UNCERTAIN:
            yield self.language.say("Main reason: {reason}.", reason=self.reason(behind[0]))

    # --- reasons and levers -------------------------------------------------------------------------------------------

    def reason(self, reason: Reason) -> str:
        """Return a reason as half a sentence."""
        return reason_clause(self.language, reason, has_numbers=self._numbers)

    def way_out(self, lever: Lever) -> str:
        """Return a lever, and its probability where numbers are shown."""
        return lever_clause(self.language, lever, has_numbers=self._numbers)
