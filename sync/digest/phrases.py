"""The sentences of the digest on one milestone, composed from the phrases in `sync.report`, with numbers or in words.

Every sentence is our own words; `sync.digest.message` adds titles as foreign text, as `decisions` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sync.digest.changes import ChangeEntry, ChangeKind
from sync.markup.document import Line
from sync.model.health import Health, Lever, Reason, Status
from sync.model.membership import Counts
from sync.report.counting import counted_in, counting_sentences, only_uncounted
from sync.report.language import Language, Style
from sync.report.levers import lever_clause
from sync.report.phrases import (
    against,
    end_sentence,
    sentence,
    status_words,
)
from sync.report.reasons import reason_clause
from sync.report.team_words import due_decision_lines, risk_line
from sync.report.verdict import data_sentence, due_moved, forecast_moved, likelihood, still_open
from sync.report.why import main_reason

__all__ = ["Speaker"]

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
        return status_words(status, self.language)

    def verdict(self, entry: ChangeEntry, *, first: bool = False) -> str:
        """Return the status, and the one before if it changed. ``first``: this is the first message to the audience."""
        say = self.language.say
        now = self.status(entry.state.health.status)
        if ChangeKind.SILENT in entry.changes:
            return say("no current data")
        if ChangeKind.DONE in entry.changes:
            return self.status(Status.DONE)
        if ChangeKind.CLOSED in entry.changes:
            return say("ended with open work")
        if ChangeKind.STATUS in entry.changes and entry.before is not None:
            return say("now {status} (was {before})", status=now, before=self.status(entry.before.status))
        if entry.before is None:
            return now if first else say("new: {status}", status=now)
        return say("still {status}", status=now)

    def decisions(self, entry: ChangeEntry) -> Iterator[Line]:
        """Yield the decisions that are overdue or due soon, then the risks, as lines with foreign text."""
        state = entry.state
        if state.ended is not None:
            return
        yield from due_decision_lines(state, self.language)
        if state.words.risks:
            yield risk_line(state.words.risks, language=self.language)

    def situation(self, entry: ChangeEntry) -> Iterator[str]:
        """Yield sentences on the present state."""
        say, health = self.language.say, entry.state.health
        if entry.state.ended is not None or health.status.is_over:
            yield from self._ended(entry)
            return
        if entry.state.is_stale:
            yield data_sentence(entry.state, self.language)
            return
        if entry.state.is_kept:
            yield data_sentence(entry.state, self.language)
        if health.status is Status.OVERDUE and health.due is not None:
            left = self._left_open(health.counts)
            yield say("It was due on {day}; {left}.", day=self.language.day(health.due), left=left)
        elif health.due is not None:
            if health.status in _UNCERTAIN or health.probability is None:
                yield say("It is due on {day}.", day=self.language.day(health.due))
            else:
                yield sentence(likelihood(health.probability, health.due, self.language, self.style))
        yield from self._expected_date(health)
        if health.status is not Status.OVERDUE:
            yield from self._progress(health)

    def _ended(self, entry: ChangeEntry) -> Iterator[str]:
        health, ended_on = entry.state.health, entry.state.ended_on
        if ended_on is not None and health.due is not None:
            is_done = health.status is Status.DONE
            days = (ended_on - health.due).days
            yield end_sentence(days, is_done=is_done, language=self.language, style=self.style)
        if health.status is Status.ENDED:
            yield from self._progress(health)
        if health.status is not Status.DONE and health.counts.on_page.open:
            yield sentence(self._left_open(health.counts))

    def _left_open(self, counts: Counts) -> str:
        if not counts.open:
            return still_open(counts, self.language)
        shown = counts.on_page
        many = self.language.naming(shown.noun).many
        return many("{n} issue is still open", "{n} issues are still open", shown.open)

    def _progress(self, health: Health) -> Iterator[str]:
        if health.counts.has_only_uncounted:
            yield only_uncounted(health.counts, self.language)
        shown = health.counts.on_page
        if self._numbers and shown.total:
            many = self.language.naming(shown.noun).many
            yield sentence(many("{done} of {n} issue done", "{done} of {n} issues done", shown.total, done=shown.done))
            yield from counting_sentences(health.counts, self.language)

    def _expected_date(self, health: Health) -> Iterator[str]:
        """Yield the expected date: with numbers always, in words when it is after the due date."""
        say, dates = self.language.say, health.dates
        if self._numbers:
            if dates.p85 is not None:
                yield say("85% sure by {day}.", day=self.language.day(dates.p85))
        elif dates.p50 is not None and health.due is not None and dates.p50 > health.due:
            if health.status is Status.OVERDUE:
                yield say("It will most likely be done around {day}.", day=self.language.day(dates.p50))
            else:
                late = against(dates.p50, health.due, self.language, "words")
                yield say("It will most likely be {late}.", late=late)

    # --- what changed -------------------------------------------------------------------------------------------------

    def changes(self, entry: ChangeEntry) -> Iterator[str]:
        """Yield sentences on what changed since the last message; `verdict` has the change of status."""
        say, health, before = self.language.say, entry.state.health, entry.before
        if before is None:
            return
        if ChangeKind.DUE in entry.changes:
            yield due_moved(before.due, health.due, self.language, self.style)
        if ChangeKind.DATE in entry.changes and before.p85 is not None and health.dates.p85 is not None:
            yield forecast_moved((health.dates.p85 - before.p85).days, self.language, self.style)
        if ChangeKind.ODDS in entry.changes and before.probability is not None and health.probability is not None:
            better = health.probability > before.probability
            if self._numbers:
                yield say("It was {percent} likely before.", percent=self.language.percent(before.probability))
            else:
                yield say("Its chances have improved.") if better else say("Its chances have fallen.")
        if ChangeKind.STATUS in entry.changes:
            yield from self._because(entry)

    def _because(self, entry: ChangeEntry) -> Iterator[str]:
        """Yield the main reason for the change of status."""
        health = entry.state.health
        reason = main_reason(health)
        if reason is not None and health.status not in _UNCERTAIN:
            yield self.language.say("Main reason: {reason}.", reason=self.reason(reason, health))

    # --- reasons and levers -------------------------------------------------------------------------------------------

    def reason(self, reason: Reason, health: Health) -> str:
        """Return a reason as a part of a sentence."""
        return reason_clause(reason, counted_in(health, self.language), self.style)

    def way_out(self, lever: Lever, health: Health) -> str:
        """Return a lever, and its probability where numbers are shown."""
        return lever_clause(lever, counted_in(health, self.language), self.style)
