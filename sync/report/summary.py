"""The documents of a milestone: summary, transition, description lines, board update and status issue.

A summary is read in ten seconds, in this order: verdict, reasons, changes, needed decisions, progress and budget,
certainty, freshness of the sources, how to override. Long parts are folded. The sections below the verdict are in
`sync.report.sections`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import pairwise

from sync.markup.document import (
    Block,
    Bullets,
    Document,
    Foreign,
    Line,
    Lines,
    Link,
    Quote,
    Section,
    Sign,
    Strong,
    clean,
)
from sync.model.health import Dates, Health, Note, Override, Status, UnknownCause
from sync.model.tracker_data import Milestone, MilestoneKind
from sync.report import sections
from sync.report.facts import Facts
from sync.report.levers import lever_texts
from sync.report.phrases import (
    STATUS,
    UNKNOWN,
    against,
    capital,
    day,
    fact_sentence,
    minute,
    outcome,
    percent,
    plural,
    promise_sentences,
    short_day,
    small,
)
from sync.report.reasons import reason_sentence
from sync.report.reminder import owners_section
from sync.tracker.slash_commands import MAX_NOTE_LENGTH

__all__ = [
    "board_update",
    "description_lines",
    "status_issue_body",
    "status_issue_title",
    "summary",
    "transition",
]


def summary(facts: Facts) -> Document:
    """Return the summary comment, which is edited in place."""
    parts = (
        _verdict(facts),
        sections.reasons(facts),
        *sections.changes(facts),
        *sections.decisions(facts),
        *owners_section(
            facts.loads, [facts.items[uid] for uid in facts.unreviewed if uid in facts.items], facts.project
        ),
        *sections.commitments(facts),
        *sections.progress(facts),
        sections.certainty(facts),
        sections.freshness(facts),
        sections.definition(facts),
        sections.how_to_override(facts),
    )
    return Document(tuple(section for section in parts if section is not None))


def transition(facts: Facts, before: Status) -> Document:
    """Return the short comment for a new status: at most three lines. ``before`` is the status before."""
    health = facts.health
    head: Line = (
        Sign(health.status),
        " ",
        Strong(capital(STATUS[health.status])),
        f", was {STATUS[before]}: ",
        Foreign(facts.milestone.title),
        f" {_gist(facts)}",
    )
    is_better = _rank(health.status) < _rank(before)
    causes = [reason for reason in health.reasons if (reason.effect > 0) == is_better]
    lines = [head]
    if causes and health.status in _FORECAST:
        lines.append(("Main reason: ", reason_sentence(causes[0])))
    if health.levers and health.status in _FORECAST and not is_better:
        act, effect = lever_texts(health.levers[0], health.due)
        lines.append(("Best way back: ", f"{small(act)} ({effect})." if effect else f"{small(act)}."))
    return Document((Section(title="", blocks=(Lines(tuple(lines)),), weight=100),))


def description_lines(facts: Facts) -> Document:
    """Return our lines in the milestone's own description: the verdict and the dates."""
    lines: tuple[Line, ...] = ((Strong(_headline(facts)),), *_when(facts))
    return Document((Section(title="", blocks=(Lines(lines),), weight=100),))


def board_update(facts: Facts, page: str) -> Document:
    """Return the status update on a project board: milestone, verdict, dates, and a link to the status issue."""
    name: Line = (f"{capital(_kind(facts.milestone))} ", Foreign(facts.milestone.title), " in ", Foreign(facts.project))
    lines: tuple[Line, ...] = (name, (Strong(_headline(facts)),), *_when(facts), (Link("The whole story", page),))
    return Document((Section(title="", blocks=(Lines(lines),), weight=100),))


def status_issue_title(milestone: Milestone) -> str:
    """Return the title of a status issue that milesync creates.

    Titles have no code spans, so a space follows each sign that a tracker could read as a mention or a reference.
    """
    title = clean(milestone.title)
    for sign in "@#!~%&$^*[]<>|`\\":
        title = title.replace(sign, f"{sign} ")
    return f"Health of {_kind(milestone)}: {' '.join(title.replace('://', ': //').split())}"[:200]


def status_issue_body(milestone: Milestone, project: str) -> Document:
    """Return the body of a status issue that milesync creates: the purpose of the issue."""
    line: Line = (
        f"This issue shows the health of {_kind(milestone)} ",
        Foreign(milestone.title),
        " in ",
        Foreign(project),
        ".",
    )
    about: tuple[Line, ...] = (
        ("A label carries its status; one comment, edited in place, carries the summary.",),
        ("A new comment comes only when the status changes.",),
        ("It is no part of the milestone and never counts in its scope.",),
        ("Close it, and milesync keeps silent about it; reopen it to hear again.",),
    )
    return Document((Section(title="", blocks=(Lines((line,)), Bullets(about)), weight=100),))


# --- the verdict ---------------------------------------------------------------------------------------------------

_FORECAST = {Status.ON_TRACK, Status.AT_RISK, Status.OFF_TRACK, Status.OVERDUE}
_ORDER = (Status.DONE, Status.ON_TRACK, Status.AT_RISK, Status.OFF_TRACK, Status.OVERDUE, Status.ENDED)


def _rank(status: Status) -> int:
    return _ORDER.index(status) if status in _ORDER else len(_ORDER)


def _verdict(facts: Facts) -> Section:
    health = facts.health
    lines = [_where(facts), *_when(facts), *_due_date_moves(facts)]
    if facts.method_changed_on is not None:
        changed = day(facts.method_changed_on)
        lines.append((f"The way milesync computes this changed on {changed}; figures before are not comparable.",))
    if facts.good_news:
        lines.append((facts.good_news,))
    if facts.owners:
        lines.append(
            ("Owner: " if len(facts.owners) == 1 else "Owners: ", *sections.join_parts(map(Foreign, facts.owners)))
        )
    blocks: list[Block] = [Lines(tuple(lines))]
    if facts.override is not None:
        blocks.append(Lines((_override_line(facts, facts.override),)))
    if facts.note is not None:
        blocks.append(Quote((_note_line(facts, facts.note),)))
    if facts.aggregate:
        blocks.append(Lines((("It also depends on work that is not shown here.",),)))
    if facts.page:
        blocks.append(Lines((("Look closer: ", Link("burn-up, history and what-if", facts.page)),)))
    return Section(title=_headline(facts), blocks=tuple(blocks), weight=100, sign=health.status)


def _headline(facts: Facts) -> str:
    health, name = facts.health, capital(STATUS[facts.health.status])
    if health.status is Status.OVERDUE and health.due:
        return f"Overdue by {plural(max(1, (facts.today - health.due).days), 'day')}"
    if health.unknown is UnknownCause.STALE:
        return "No verdict: the data is stale"
    if health.status in _FORECAST and health.probability is not None and health.due:
        return f"{name}: {percent(health.probability)} likely by {day(health.due)}"
    if health.status.is_over:
        when = f"{name} on {day(facts.ended_on)}" if facts.ended_on else name
        return f"{when}: {outcome(health.counts)}" if health.status is Status.ENDED else when
    return name


def _gist(facts: Facts) -> str:
    """Return the end of a sentence that begins with the milestone's title."""
    health = facts.health
    if health.status.is_over:
        is_done = health.status is Status.DONE
        return "is finished." if is_done else f"has ended with {outcome(health.counts)}."
    if health.status is Status.OVERDUE and health.due:
        return f"was due on {day(health.due)}; {_still_open(health)}."
    if health.status in _FORECAST and health.probability is not None and health.due:
        likely = f"most likely {_likely(health.dates)}"
        return f"is {percent(health.probability)} likely to be done by {day(health.due)}; {likely}."
    if fact := fact_sentence(health):
        return f"is on track. {fact}"
    if health.unknown is not None:
        return f"has no verdict. {UNKNOWN[health.unknown]}"
    return "has no due date." if health.status is Status.NO_DUE_DATE else "has too little data for a verdict."


def _kind(milestone: Milestone) -> str:
    """Return the tracker's word for this kind of milestone."""
    names = {MilestoneKind.JOINT: "joint milestone", MilestoneKind.RULE: "milestone"}
    return names.get(milestone.kind, milestone.kind.value)


def _where(facts: Facts) -> Line:
    health = facts.health
    line: Line = (
        capital(_kind(facts.milestone)),
        " ",
        Foreign(facts.milestone.title),
        " in ",
        Foreign(facts.project),
    )
    if health.due is None:
        return (*line, " has no due date.")
    if health.status.is_over:
        return (*line, f" was due on {day(health.due)}.")
    days_left = max(0, (health.due - facts.today).days)
    if health.status is Status.OVERDUE:
        return (*line, f" was due on {day(health.due)}; {_still_open(health)}.")
    return (*line, f" is due on {day(health.due)}, ", "today." if days_left == 0 else f"in {plural(days_left, 'day')}.")


def _when(facts: Facts) -> Iterable[Line]:
    """Yield the forecast dates, or the reason why there are none."""
    health, dates = facts.health, facts.health.dates
    if health.stale_since is not None:
        yield (Strong(f"Data has been missing since {minute(health.stale_since)}"), "; it may no longer hold.")
    elif health.unknown is not None:
        yield (UNKNOWN[health.unknown],)
    if health.status.is_over:
        yield (_result(facts),)
        return
    if fact := fact_sentence(health):
        yield (fact,)
    if (promise := promise_sentences(health)) is not None:
        yield from ((sentence,) for sentence in promise)
    elif dates.p50 is not None or dates.p85 is not None or (health.status in _FORECAST and dates.horizon):
        yield (*_likely_line(health), ".")


def _likely_line(health: Health) -> Line:
    """Return the dates at 50 and 85%, or the day until which the forecast has none."""
    dates = health.dates
    if dates.p50 is None:
        left = 0 if health.leftover is None else health.leftover.usually
        usual = f"; usually {plural(left, 'issue')} {'is' if left == 1 else 'are'} carried over" if left else ""
        return (f"Most likely {_likely(dates)}{usual}",)
    line: Line = ("Most likely done on ", *_compared(dates.p50, health.due))
    if dates.p85 is not None:
        return (*line, "; with 85% certainty by ", *_compared(dates.p85, health.due))
    until = f" until {day(dates.horizon)}" if dates.horizon else ""
    return (*line, f"; no date{until} has 85% certainty")


def _result(facts: Facts) -> str:
    """Return how a milestone that is over ended, as a sentence."""
    health, ended = facts.health, facts.ended_on
    against_due = None if ended is None or health.due is None else against(ended, health.due)
    if health.status is Status.ENDED:
        return f"It ended{f' {against_due}' if against_due else ''} with {outcome(health.counts)}."
    if against_due is None:
        return f"Everything in it is finished: {_work(health)}."
    return f"It was finished {against_due}, with {_work(health)}."


def _still_open(health: Health) -> str:
    """Return what is open after the due date: ``3 issues still open``."""
    return f"{plural(health.counts.open, 'issue')} still open" if health.counts.total else "no issue is in it"


def _work(health: Health) -> str:
    removed = f" and {health.counts.removed} taken out" if health.counts.removed else ""
    return f"{plural(health.counts.done, 'issue')} done{removed}"


def _compared(value: date, due: date | None) -> Line:
    return (Strong(day(value)), f" ({against(value, due)})" if due else "")


def _likely(dates: Dates) -> str:
    """Return the most likely date: "on 12 Dec 2026", or "not done by 20 May 2027"."""
    if dates.p50 is not None:
        return f"on {day(dates.p50)}"
    return f"not done by {day(dates.horizon)}" if dates.horizon else "at no date that the forecast reaches"


def _due_date_moves(facts: Facts) -> Iterable[Line]:
    """Yield how the due date moved since the first due date."""
    health = facts.health
    if health.due is None or health.baseline is None:
        return
    due_dates = [entry for entry in facts.due_dates if entry.due is not None]
    moves = sum(a.due != b.due for a, b in pairwise(due_dates))
    slip = (health.due - health.baseline).days
    if not moves and not slip:
        return
    since = f" since {day(facts.day_of(due_dates[0].seen))}" if due_dates else ""
    times = f" {plural(moves, 'time')}" if moves else ""
    if health.replan is not None:
        yield ("A later date alone is not progress: it is on track again once work since the move bears that out.",)
    yield (f"The due date moved{times}, {slip:+d} days{since}; the first one was {day(health.baseline)}.",)


def _override_line(facts: Facts, override: Override) -> Line:
    given_on = f", {short_day(facts.day_of(override.at), facts.today)}" if override.at else ""
    until = f" until {short_day(override.until, facts.today)}" if override.until else ""
    because: Line = (" (", Foreign(override.because, MAX_NOTE_LENGTH), ")") if override.because else ()
    status: Line = (Sign(override.status), " ", Strong(STATUS[override.status]))
    computed = ". The computed status is shown above."
    return ("Override by ", Foreign(override.by), f"{given_on}: ", *status, until, *because, computed)


def _note_line(facts: Facts, note: Note) -> Line:
    written_on = short_day(facts.day_of(note.at), facts.today)
    return (Foreign(note.by), f", {written_on}: ", Foreign(note.text, MAX_NOTE_LENGTH))
