"""All texts of one milestone on its tracker: `build_texts` is the one entry from facts to rendered text."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from sync.assess.milestone import AssessedMilestone
from sync.history.calendar import Calendar
from sync.markup import render
from sync.markup.document import Document, Inline
from sync.markup.terminal import terminal
from sync.model.closing import ClosingRecord
from sync.model.health import Health, Note, Override, Status
from sync.model.settings import ReminderRules
from sync.model.tracker_data import Markup, MilestoneKind, Person
from sync.report import summary as report
from sync.report.burnup import BurnUpPicture, burn_up_picture
from sync.report.changes import Reference, changes_since, reference_of
from sync.report.closing_comment import closing_comment
from sync.report.facts import Facts, build_facts, meaning
from sync.report.reminder import person_name, reminder, wanted_reminders
from sync.tracker.managed_block import wrap_block
from sync.tracker.marker import Marker

__all__ = ["ReportInput", "Texts", "build_texts"]

W = TypeVar("W", Override, Note)

MARKER_RESERVE = 1_000
"""Characters kept free below a tracker's limit for the marker."""

SHORT_LIMIT = 2_000
"""Maximum length in characters of the lines in a description and of a board update."""


class ReportInput(Struct, frozen=True, kw_only=True):
    """Facts from which the texts of one milestone are built.

    ``now``: time of the run (UTC). ``last_summary``: marker of our summary comment on the tracker; None without one.
    ``override`` and ``note``: status and words that a person gave by a command. ``record``: closing record of a
    milestone that is done. ``commands``: the commands of people have an effect.
    ``page``: address of the milestone's report page; empty without one. ``closes_issue``: milesync
    closes the status issue with the milestone. ``issue_url``: address of the status issue;
    None while there is no status issue. ``calendar``: in the zone of the connection. ``refresh``: time (UTC) at which a
    person asked for a rewriting; None: never.
    """

    milestone: AssessedMilestone
    instance: str
    now: datetime
    calendar: Calendar
    refresh: datetime | None = None
    last_summary: Marker | None = None
    override: Override | None = None
    note: Note | None = None
    commands: bool = True
    record: ClosingRecord | None = None
    page: str = ""
    closes_issue: bool = False
    issue_url: str | None = None
    reminder_rules: ReminderRules = ReminderRules()


class Texts(Struct, frozen=True, kw_only=True):
    """All texts of one milestone, rendered in its tracker's markup and within its limits.

    ``meaning`` is the hash of what the summary means. ``reference`` is the comment that its changes refer to, None for
    a first one; ``method_changed_at`` (UTC) is the change of method that it names. The marker keeps both.
    ``transition`` returns the comment for a new status, given the status before. ``closing`` is None without a closing
    record, ``reminder`` None when no issue needs its owner. ``issue_body`` is that of a new status issue: empty if the
    milestone has one. ``description`` holds the lines for the description with their markers: empty when the
    configuration asks for none, None when the tracker has no description. ``board_update`` is empty when the
    configuration asks for none.
    """

    summary: str
    meaning: str
    reference: Reference | None
    method_changed_at: datetime | None
    transition: Callable[[Status], str | None]
    closing: str | None
    reminder: str | None
    issue_title: str
    issue_body: str
    description: str | None
    board_update: str
    burn_up: BurnUpPicture


def build_texts(report_input: ReportInput) -> Texts:
    """Render every text of the milestone. Pure, except that the burn-up checks for its extra."""
    milestone, reminder_rules = report_input.milestone, report_input.reminder_rules
    tracker_milestone, project = milestone.milestone, milestone.project.key
    facts = replace(
        build_facts(milestone, now=report_input.now),
        override=_applicable(report_input.override, milestone.health),
        note=_applicable(report_input.note, milestone.health),
        commands=report_input.commands,
        page=report_input.page,
        closes_issue=report_input.closes_issue,
    )
    reference, method_changed_at = _reference(report_input), _method_changed_at(report_input)
    method_changed_on = None if method_changed_at is None else facts.day_of(method_changed_at)
    facts = _with_changes(replace(facts, method_changed_on=method_changed_on), report_input, reference)
    meaning_hash = meaning(facts)
    steady = _with_published_figures(facts, report_input, meaning_hash)
    reminders = wanted_reminders(milestone, report_input.now, reminder_rules)
    reminder_comment = reminder(reminders, milestone.owners, project, reminder_rules)
    return Texts(
        summary=_comment(milestone, report.summary(facts)),
        meaning=meaning_hash,
        reference=reference,
        method_changed_at=method_changed_at,
        transition=lambda before: _comment(milestone, report.transition(facts, before)),
        closing=None
        if report_input.record is None
        else _comment(milestone, _closing(report_input.record, milestone, reminder_rules)),
        reminder=None if reminder_comment is None else _comment(milestone, reminder_comment),
        issue_title=report.status_issue_title(tracker_milestone),
        issue_body=_issue_body(milestone) if report_input.issue_url is None else "",
        description=_description(milestone, steady, report_input.instance),
        board_update=_board_update(milestone, steady, report_input.issue_url),
        burn_up=burn_up_picture(milestone),
    )


def _applicable(words: W | None, health: Health) -> W | None:
    """Return a person's words about a running milestone, or about its end; None for words from before its end."""
    if words is None or not health.status.is_over or words.at is None or words.at >= health.since:
        return words
    return None


def _issue_body(milestone: AssessedMilestone) -> str:
    closes = milestone.connection.closes()
    return _comment(milestone, report.status_issue_body(milestone.milestone, milestone.project.key, closes=closes))


def _comment(milestone: AssessedMilestone, document: Document) -> str:
    capabilities = milestone.connection.connector.capabilities
    return render(document, capabilities.markup, capabilities.body_limit - MARKER_RESERVE)


def _closing(record: ClosingRecord, milestone: AssessedMilestone, reminder_rules: ReminderRules) -> Document:
    def name(person: Person) -> Inline:
        return person_name(person, mentions=reminder_rules.mentions)

    return closing_comment(record, name, milestone.commitments)


def _description(milestone: AssessedMilestone, facts: Facts, instance: str) -> str | None:
    """Return the description lines with their markers: empty when not configured, None when not possible."""
    capabilities = milestone.connection.connector.capabilities
    if not capabilities.description_limit or milestone.milestone.kind not in (
        MilestoneKind.MILESTONE,
        MilestoneKind.VERSION,
    ):
        return None
    if not milestone.connection.optional_outputs_of(milestone.project.key).description:
        return ""
    is_plain = capabilities.markup in (Markup.ADF, Markup.WIKI)
    document = report.description_lines(facts)
    words = terminal(document, width=10_000) if is_plain else render(document, capabilities.markup, SHORT_LIMIT)
    return wrap_block(words, milestone.uid, instance, plain=is_plain)


def _board_update(milestone: AssessedMilestone, facts: Facts, issue_url: str | None) -> str:
    """Return the status update for a project board; empty when not configured or without a status issue."""
    capabilities = milestone.connection.connector.capabilities
    board = milestone.connection.optional_outputs_of(milestone.project.key).project_status
    if issue_url is None or not capabilities.boards or not board:
        return ""
    return render(report.board_update(facts, issue_url), capabilities.markup, SHORT_LIMIT)


def _reference(report_input: ReportInput) -> Reference | None:
    """Return the comment that changes refer to; None for a first one. Figures of two methods are not comparable."""
    last = report_input.last_summary
    if last is None:
        return None
    reference = reference_of(last, report_input.now, report_input.calendar)
    return replace(reference, forecast=None) if _is_recomputed(report_input) else reference


def _with_changes(facts: Facts, report_input: ReportInput, reference: Reference | None) -> Facts:
    """Add what changed since the reference.

    No list is true while data is missing, and for a milestone that has started since: everything in it joined then.
    """
    if reference is None:
        return facts
    milestone, health = report_input.milestone, facts.health
    since = changes_since(milestone.memberships, milestone.estimated_at, reference.since, report_input.now)
    changed = replace(facts, changes=since, previous_forecast=reference.forecast)
    first_day = changed.changes_day
    has_just_started = first_day is not None and health.start is not None and first_day <= health.start <= facts.today
    return facts if has_just_started or health.stale_since is not None else changed


def _method_changed_at(report_input: ReportInput) -> datetime | None:
    """Return when the forecast's method changed (UTC), as long as that is news."""
    last = report_input.last_summary
    if last is None or _is_recomputed(report_input):
        return None if last is None else report_input.now
    since = reference_of(last, report_input.now, report_input.calendar).since
    return last.method_changed_at if last.method_changed_at and last.method_changed_at > since else None


def _is_recomputed(report_input: ReportInput) -> bool:
    """Return whether the last summary has figures of another method of the forecast."""
    health, last = report_input.milestone.health, report_input.last_summary
    return last is not None and health.stale_since is None and last.method != health.method


def _with_published_figures(facts: Facts, report_input: ReportInput, meaning_hash: str) -> Facts:
    """Replace probability and dates by those in the summary, if that stays as it is today.

    So the description and the board say the same as the summary, and change when it does.
    """
    last, refresh = report_input.last_summary, report_input.refresh
    if last is None or last.written is None or last.meaning != meaning_hash or _is_recomputed(report_input):
        return facts
    if facts.day_of(last.written) < facts.today or (refresh is not None and refresh > last.written):
        return facts
    health = facts.health
    dates = replace(health.dates, p50=last.p50, p85=last.p85, p95=last.p95)
    promise = health.promise and replace(health.promise, p50=last.p50, p70=last.p70, p85=last.p85)
    return replace(facts, health=replace(health, probability=last.probability, dates=dates, promise=promise))
