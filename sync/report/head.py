"""The open part of a summary: verdict, dates, decisions, best option, issues that need someone, progress, risks.

Ten seconds to read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from itertools import pairwise

from sync.markup.document import (
    Block,
    Bullets,
    Cell,
    Foreign,
    Line,
    Lines,
    Link,
    Quote,
    Section,
    Strong,
    Table,
    cell_parts,
    join_parts,
    visible_blocks,
)
from sync.model.health import Health, LeverKind, Override, Status, UnknownCause
from sync.model.joint import Commitment
from sync.model.membership import Counts
from sync.model.tracker_data import MilestoneKind
from sync.report.attention import attention_line, flagged_issues, issue_item
from sync.report.counting import counted_in, counting_sentences
from sync.report.facts import Facts
from sync.report.leftover import leftover_figure, odds_sentence, outlook_sentences, usual_sentence
from sync.report.levers import best_lever, lever_texts
from sync.report.phrases import (
    STATUS,
    against,
    capital,
    date_or_end,
    day,
    end_sentence,
    fact_sentence,
    lateness,
    percent,
    plural,
    promise_record,
    promise_sentences,
    short_day,
    small,
    sure_date,
)
from sync.report.team_words import due_decision_lines, risk_line, tolerance_sentence
from sync.report.verdict import (
    as_of,
    inherited_date_sentence,
    missing_since,
    moves_sentence,
    replan_sentence,
    time_left,
    verdict,
)
from sync.report.why import no_verdict_sentence
from sync.tracker.slash_commands import MAX_NOTE_LENGTH

__all__ = [
    "HAS_FORECAST",
    "date_lines",
    "head_sections",
    "headline",
    "kind_word",
    "place_line",
    "progress_line",
    "title_after",
    "verdict_section",
]

BLOCKS = 15
"""Maximum number of open blocks of a summary: see `sync.markup.document.visible_blocks`."""

ITEMS = 3
"""Maximum number of issues named for a lever, and of issues that need someone."""

HAS_FORECAST = (Status.ON_TRACK, Status.AT_RISK, Status.OFF_TRACK, Status.OVERDUE)
"""The statuses of a running milestone with a due date."""


def head_sections(facts: Facts) -> tuple[Section, ...]:
    """Return the open sections. The list of issues leaves room for a footer within `BLOCKS`."""
    verdict, decisions, option = verdict_section(facts), _decisions(facts), _best_option(facts)
    progress, risks, note = _progress(facts), _risks(facts), _note(facts)
    others = [section for section in (verdict, decisions, option, progress, risks, note) if section is not None]
    room = BLOCKS - 2 - sum(map(visible_blocks, others))
    sections = (verdict, decisions, option, _needs_someone(facts, min(ITEMS, room)), progress, risks, note)
    return tuple(section for section in sections if section is not None)


# --- verdict ---------------------------------------------------------------------------------------------------------


def verdict_section(facts: Facts) -> Section:
    """Return the first section: the verdict with its place, grounds and dates."""
    blocks = tuple(_verdict_blocks(facts))
    return Section(title=headline(facts), blocks=blocks, weight=100, sign=facts.health.status)


def headline(facts: Facts) -> str:
    """Return the verdict in one line, with the time of a verdict that is kept while data is missing."""
    text = verdict(facts, facts.last_week)
    return f"{text}, {as_of(facts.as_of)}" if facts.is_kept else text


def _verdict_blocks(facts: Facts) -> Iterator[Block]:
    health = facts.health
    yield Lines((place_line(facts),))
    for line in (*_missing_data(facts), *_ground(facts)):
        yield Lines((line,))
    if facts.override is not None:
        yield Lines((_override_line(facts, facts.override),))
    usual, odds = usual_sentence(health), odds_sentence(health)
    if usual and odds:
        yield Lines(((f"{usual} ", Strong(odds)),))
    if rows := (*_date_rows(facts), *_leftover_rows(facts)):
        yield Table((), rows)
    elif promise := tuple(_promise_rows(health)):
        yield Table(("If you promise", "How sure"), promise)
    if remarks := tuple(_remarks(facts)):
        yield Lines(remarks)


def place_line(facts: Facts) -> Line:
    """Return milestone, project, due date and owner."""
    kind = capital(kind_word(facts.milestone.kind))
    named = Link(kind, facts.milestone.url) if facts.milestone.url else kind
    title = Foreign(title_after(kind, facts.milestone.title))
    line: Line = (named, " ", title, " in ", Foreign(facts.project), f"{_due_words(facts)}.")
    if not facts.owners:
        return line
    return (*line, " Owner: " if len(facts.owners) == 1 else " Owners: ", *join_parts(map(Foreign, facts.owners)))


def kind_word(kind: MilestoneKind) -> str:
    """Return the tracker's word for a kind of milestone."""
    names = {
        MilestoneKind.JOINT: "joint milestone",
        MilestoneKind.RULE: "milestone",
        MilestoneKind.TARGET_DATE: "target date",
    }
    return names.get(kind, kind.value)


def title_after(kind: str, title: str) -> str:
    """Return the title as it follows the word for its kind, which is not repeated: "12" of the sprint "Sprint 12"."""
    repeated = re.match(rf"{re.escape(kind)}(?:\s*[:#]\s*|\s+)(?=\w)", title, re.IGNORECASE)
    return title[repeated.end() :] if repeated else title


def _due_words(facts: Facts) -> str:
    health, left = facts.health, facts.days_left
    if health.due is None or left is None:
        return "" if health.status is Status.NO_DUE_DATE else ", no due date"
    if health.status.is_over or left < 0:
        return f", was due on {day(health.due)}"
    soon = time_left(left)
    has_date = health.status in HAS_FORECAST and health.probability is not None
    return f", due {soon}" if has_date else f", due on {day(health.due)}, {soon}"


def _missing_data(facts: Facts) -> Iterator[Line]:
    """Yield which source could not be read, and since when."""
    since = facts.health.stale_since
    if since is None:
        return
    names = dict.fromkeys(missing.connection for missing in facts.missing if missing.project)
    failed: Line = join_parts(map(Foreign, names)) if names else ("A source",)
    causes = {missing.failure for missing in facts.missing if missing.failure}
    cause = f" ({causes.pop()})" if len(causes) == 1 else ""
    kept = " The verdict is the last one from before; it does not get better until the source is read again."
    yield (*failed, f" {missing_since(since, sources=max(1, len(names)))}{cause}.", kept if facts.is_kept else "")


def _ground(facts: Facts) -> Iterator[Line]:
    """Yield the fact behind a verdict without a forecast, or the reason why there is none."""
    health = facts.health
    if health.status.is_over:
        yield (_result(facts),)
    elif fact := fact_sentence(health, facts.milestone.kind):
        yield (fact,)
    elif health.unknown not in (None, UnknownCause.STALE) and health.status is not Status.OVERDUE:
        yield (no_verdict_sentence(facts),)


def _result(facts: Facts) -> str:
    """Return how a milestone that is over ended, as a sentence."""
    health, ended = facts.health, facts.ended_on
    days = None if ended is None or health.due is None else (ended - health.due).days
    if health.status is Status.ENDED:
        return "It ended with open work." if days is None else end_sentence(days, is_done=False)
    shown = health.counts.on_page
    removed = f", {shown.removed} removed" if shown.removed else ""
    work = f"{plural(shown.done, shown.noun)} done{removed}"
    return f"Finished {lateness(days)}: {work}." if days is not None else f"Everything in it is finished: {work}."


def _override_line(facts: Facts, override: Override) -> Line:
    given_on = f", {short_day(facts.day_of(override.at), facts.today)}" if override.at else ""
    until = f" until {short_day(override.until, facts.today)}" if override.until else ""
    because: Line = (" (", Foreign(override.because, MAX_NOTE_LENGTH), ")") if override.because else ()
    status = Strong(STATUS[override.status])
    computed = ". The computed status is shown above."
    return ("Override by ", Foreign(override.by), f"{given_on}: ", status, until, *because, computed)


# --- dates -----------------------------------------------------------------------------------------------------------


def _has_dates(facts: Facts) -> bool:
    """Return whether the milestone runs towards a due date, with open work and a forecast."""
    health, dates = facts.health, facts.health.dates
    if health.status not in HAS_FORECAST or fact_sentence(health, facts.milestone.kind):
        return False
    return dates.p50 is not None or dates.p85 is not None or dates.horizon is not None


def _date_rows(facts: Facts) -> Iterator[tuple[Cell, ...]]:
    """Yield the forecast dates, each compared with the due date."""
    if not _has_dates(facts):
        return
    health, dates = facts.health, facts.health.dates
    yield "Earliest possible" if dates.earliest else "Most likely done", _date_cell(dates.p50, health)
    if dates.p50 is not None:
        yield "85% sure", _date_cell(dates.p85, health, sure_date)


def _leftover_rows(facts: Facts) -> Iterator[tuple[Cell, ...]]:
    """Yield the number of items that are usually still open on the due date."""
    health, figure = facts.health, leftover_figure(facts.health)
    if _has_dates(facts) and figure is not None and health.due is not None:
        number, span = figure
        yield f"Still open on {day(health.due)}", ("usually ", Strong(number), f" ({span})")


def _date_cell(
    value: date | None, health: Health, write: Callable[[date | None, date | None], str] = date_or_end
) -> Cell:
    if value is None:
        return write(value, health.dates.horizon) or "no date"
    return (Strong(day(value)), f" ({against(value, health.due)})") if health.due else (Strong(day(value)),)


def _promise_rows(health: Health) -> Iterator[tuple[Cell, ...]]:
    """Yield the dates that a milestone without a due date can promise."""
    promise = health.promise
    if promise is None or promise.p50 is None:
        return
    for on, level in ((promise.p50, "50%"), (promise.p70, "70%"), (promise.p85, "85%")):
        yield _date_cell(on, health), level


def date_lines(facts: Facts) -> Iterator[Line]:
    """Yield the dates as sentences, for texts without tables."""
    health = facts.health
    yield from (*_missing_data(facts), *_ground(facts))
    for label, cell in _date_rows(facts):
        yield (*cell_parts(label), ": ", *cell_parts(cell))
    outlook = outlook_sentences(health) if _has_dates(facts) else []
    for sentences in (outlook, promise_sentences(health) or ()):
        if sentences:
            yield (" ".join(sentences),)


# --- remarks ---------------------------------------------------------------------------------------------------------


def _remarks(facts: Facts) -> Iterator[Line]:
    """Yield what else a reader must know to judge the verdict, as one paragraph."""
    promise = facts.health.promise
    record = (promise_record(promise),) if promise is not None and promise.p50 is not None else ()
    sentences: list[Line] = [(words,) for words in (*record, *_due_date_moves(facts))]
    if facts.tolerance is not None and not facts.health.status.is_over:
        sentences.append((tolerance_sentence(facts.tolerance),))
    if facts.aggregate:
        sentences.append(("It also depends on work you may not have access to.",))
    sentences += [_commitment_line(commitment) for commitment in facts.commitments]
    if facts.method_changed_on is not None:
        changed = day(facts.method_changed_on)
        words = f"The method of forecasting or counting changed on {changed}; earlier figures are not comparable."
        sentences.append((words,))
    if facts.good_news:
        sentences.append((facts.good_news,))
    if sentences:
        yield tuple(part for n, sentence in enumerate(sentences) for part in ((" ", *sentence) if n else sentence))


def _due_date_moves(facts: Facts) -> Iterator[str]:
    health = facts.health
    if health.due is None or health.baseline is None:
        return
    if facts.milestone.is_due_inherited:
        yield inherited_date_sentence()
        return
    due_dates = [entry.due for entry in facts.due_dates if entry.due is not None]
    moves = sum(a != b for a, b in pairwise(due_dates))
    if not moves and health.due == health.baseline:
        return
    yield moves_sentence(moves, health.baseline, health.due)
    if health.replan is not None:
        yield replan_sentence()


def _commitment_line(commitment: Commitment) -> Line:
    line: Line = ("Part of the joint milestone ", Foreign(commitment.name))
    if commitment.due is not None:
        line = (*line, f", due on {day(commitment.due)}")
    if commitment.status is None:
        return (*line, ", whose status depends on work you may not have access to.")
    odds = f", {percent(commitment.probability)} likely in time" if commitment.probability is not None else ""
    return (*line, ": ", Strong(STATUS[commitment.status]), f"{odds}.")


# --- what to do ------------------------------------------------------------------------------------------------------


def _decisions(facts: Facts) -> Section | None:
    """Return the decisions that are overdue or due soon: the first thing that needs someone."""
    lines = due_decision_lines(facts)
    return Section(title="", blocks=(Bullets(tuple(lines)),), weight=95) if lines else None


def _risks(facts: Facts) -> Section | None:
    """Return the first risks of the description in one line."""
    if not facts.words.risks:
        return None
    return Section(title="", blocks=(Lines((risk_line(facts.words.risks),)),), weight=84)


def _best_option(facts: Facts) -> Section | None:
    lever = best_lever(facts.health)
    if lever is None or facts.health.status.is_over:
        return None
    act, effect = lever_texts(lever, facts.health.due, counted_in(facts.health))
    is_sure = lever.probability is not None
    line: Line = (Strong(f"Best option: {small(act)}{f' → {effect}' if effect and is_sure else ''}."),)
    named = [facts.items[uid] for uid in lever.items if uid in facts.items][:ITEMS]
    if named and lever.kind is not LeverKind.ASSIGN:
        line = (
            *line,
            " Start with ",
            *join_parts(issue_item(facts.project, issue, title=False) for issue in named),
            ".",
        )
    if facts.owners:
        line = (*line, " ", Foreign(facts.owners[0]), " can decide this.")
    return Section(title="", blocks=(Lines((line,)),), weight=90)


def _needs_someone(facts: Facts, room: int) -> Section | None:
    """Return at most ``room`` issues that need someone."""
    flagged = flagged_issues(facts)[: max(room, 0)]
    if not flagged:
        return None
    lines = tuple(attention_line(facts, issue, flags) for issue, flags in flagged)
    heading = Lines(((Strong("Needs someone now"),),))
    return Section(title="", blocks=(heading, Bullets(lines)), weight=88)


def _progress(facts: Facts) -> Section | None:
    line = progress_line(facts)
    return Section(title="", blocks=(Lines((line,)),), weight=86) if line else None


def progress_line(facts: Facts) -> Line | None:
    """Return the bar and the counts; None without issues and for a milestone that is over."""
    counts, differences = facts.health.counts.on_page, counting_sentences(facts.health.counts)
    if facts.health.status.is_over or not counts.total:
        return None
    cells = counts.done * 20 // counts.total
    parts = [
        f"{counts.carried} carried over" if counts.carried else "",
        _added(counts) if counts.added else "",
        f"{counts.removed} removed" if counts.removed else "",
        f"{facts.criteria.met} of {plural(facts.criteria.of, 'exit criterion', 'exit criteria')} met"
        if facts.criteria.of
        else "",
    ]
    rest = ", ".join(part for part in parts if part)
    bar = f"{'█' * cells}{'░' * (20 - cells)} "
    noun = f" {counts.noun}s" if differences else ""
    words = "".join(f" {sentence}" for sentence in (f"{capital(rest)}." if rest else "", *differences) if sentence)
    return (bar, Strong(f"{counts.done} of {counts.total}{noun} done."), words)


def _note(facts: Facts) -> Section | None:
    """Return the latest words of a person."""
    note = facts.note
    if note is None:
        return None
    written_on = short_day(facts.day_of(note.at), facts.today)
    line: Line = (Foreign(note.by), f", {written_on}: ", Foreign(note.text, MAX_NOTE_LENGTH))
    return Section(title="", blocks=(Quote((line,)),), weight=87)


def _added(counts: Counts) -> str:
    week = f" ({counts.added_week} in the last 7 days)" if counts.added_week else ""
    return f"{counts.added} added since the start{week}"
