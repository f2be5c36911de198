"""Plain English for what health says: one sentence for each status, reason, lever and cause of not knowing.

Each sentence is our own words only; names and titles are added by `sync.report.summary` as foreign text.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from sync.model.definition import Finding, FindingKind
from sync.model.health import Confidence, Health, Lever, LeverKind, Reason, ReasonKind, Status, UnknownWhy

__all__ = [
    "STATUS",
    "UNKNOWN",
    "against",
    "capital",
    "day",
    "finding",
    "lever",
    "minute",
    "percent",
    "plural",
    "reason",
    "small",
    "sureness",
]

STATUS = {
    Status.ON_TRACK: "on track",
    Status.AT_RISK: "at risk",
    Status.OFF_TRACK: "off track",
    Status.OVERDUE: "overdue",
    Status.DONE: "done",
    Status.NO_DUE_DATE: "no due date",
    Status.UNKNOWN: "not enough data",
}

UNKNOWN = {
    UnknownWhy.NO_DUE_DATE: "Without a due date there is nothing to be early or late for; set one to get a verdict.",
    UnknownWhy.TOO_FEW_ITEMS: "It has fewer than 3 issues, too few for a forecast.",
    UnknownWhy.TOO_YOUNG: "It has only just begun, and no earlier milestone of this series has finished.",
    UnknownWhy.NO_HISTORY: "No earlier milestone of this series has finished, and few issues were closed in 12 weeks.",
    UnknownWhy.BAD_DATES: "Its dates contradict each other; correct the start or the due date to get a verdict.",
    UnknownWhy.MEMBER: "One of its members cannot be forecast.",
    UnknownWhy.STALE: "A source could not be read in full, and half the data would make half a verdict.",
}

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def day(value: date) -> str:
    """12 Dec 2026, whatever the locale."""
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def minute(value: datetime) -> str:
    """12 Dec 2026, 06:30 UTC; the value must be in UTC."""
    return f"{day(value)}, {value:%H:%M} UTC"


def percent(probability: float) -> str:
    """An integer percent that is never 0 or 100: before the end nothing is sure."""
    return f"{min(99, max(1, round(probability * 100)))} %"


def plural(count: int, noun: str, several: str = "") -> str:
    """1 issue, 2 issues; 1 criterion, 2 criteria."""
    return f"{count} {noun}" if count == 1 else f"{count} {several or noun + 's'}"


def capital(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def small(text: str) -> str:
    """The text with a small first letter."""
    return text[:1].lower() + text[1:]


def against(value: date, due: date) -> str:
    """How a date stands against another: 7 days late, 3 days early, on the day."""
    late = (value - due).days
    if late == 0:
        return "on the day"
    return f"{plural(abs(late), 'day')} {'late' if late > 0 else 'early'}"


def sureness(health: Health) -> str:
    """Medium, based on 6 earlier milestones."""
    grade = health.confidence or Confidence.LOW
    return f"{grade.value}, based on {plural(health.basis.stream_finished, 'earlier milestone')}"


def _number(said: Reason | Lever, name: str) -> float | None:
    """A value that is a number and known."""
    found = said.values.get(name)
    return found if isinstance(found, int | float) else None


def _day(said: Reason | Lever, name: str) -> date | None:
    """A value that is a date and known."""
    found = said.values.get(name)
    return found if isinstance(found, date) else None


def _count(said: Reason | Lever, name: str = "count") -> int:
    """How many issues it is about."""
    return round(_number(said, name) or len(said.items))


def _figure(value: float) -> str:
    """A figure without a pointless decimal: 9, 2.5."""
    return str(round(value)) if value >= 10 or value == round(value) else f"{value:.1f}"


# --- reasons; the values are those of `sync.health.reasons` ----------------------------------------------------------


def reason(said: Reason) -> str:
    """Why, in one sentence; the figures that are not known are left out of it."""
    return _REASONS[said.kind](said)


def _pace(said: Reason) -> str:
    share, usual = _number(said, "share"), _number(said, "usual")
    if share is None or usual is None:
        return f"Work goes {'faster' if said.effect > 0 else 'slower'} than in earlier milestones at this point."
    return f"{round(share * 100)} % is done; earlier milestones had {round(usual * 100)} % done at this point."


def _scope(said: Reason) -> str:
    added, week, usual = _count(said, "added"), _number(said, "added_week"), _number(said, "usual")
    text = f"{plural(added, 'issue')} joined since the start"
    if week:
        text += f", {_figure(week)} of them in the last 7 days"
    return f"{text}; usual by now would be {round(usual)}." if usual is not None else f"{text}."


def _hit_rate(said: Reason) -> str:
    hits, of = _number(said, "hits"), _number(said, "of")
    if hits is None or not of:
        return f"Earlier milestones of this series {'usually' if said.effect > 0 else 'seldom'} made their date."
    return f"{_figure(hits)} of the last {plural(round(of), 'milestone')} of this series made their date."


def _stragglers(said: Reason) -> str:
    count = _count(said)
    return f"{plural(count, 'open issue')} {_have(count)} been open unusually long, or untouched for 14 days."


def _holidays(said: Reason) -> str:
    days = _number(said, "days")
    cost = plural(round(days), "day") if days else "some days"
    return f"Holidays and quiet weeks take {cost} of those that are left."


def _moved(said: Reason) -> str:
    days, first, to = _number(said, "days"), _day(said, "from"), _day(said, "to")
    if days is None or first is None or to is None:
        return "The due date moved."
    return f"The due date moved from {day(first)} to {day(to)}, {round(days):+d} days."


def _unassigned(said: Reason) -> str:
    return f"{_of_open(said, 'has', 'have')} nobody assigned."


def _blocked(said: Reason) -> str:
    return f"{_of_open(said, 'waits', 'wait')} for other open work."


def _of_open(said: Reason, name: str, many: str) -> str:
    """3 of 16 open issues have; 1 of 16 open issues has."""
    count, of = _count(said), _number(said, "of")
    who = f"{count} of {plural(round(of), 'open issue')}" if of else plural(count, "open issue")
    return f"{who} {name if count == 1 else many}"


def _silence(said: Reason) -> str:
    days, usual = _number(said, "days"), _number(said, "usual")
    if days is None:
        return "Nothing has been closed for more than twice the usual gap."
    tail = f"; the usual gap is {_figure(usual)} {'day' if usual == 1 else 'days'}" if usual else ""
    return f"Nothing has been closed for {plural(round(days), 'day')}{tail}."


def _predecessor(said: Reason) -> str:
    days, count = _number(said, "days"), _count(said)
    cost = f"; that costs {plural(round(days), 'day')}" if days and round(days) else ""
    what = "A milestone" if count == 1 else f"{count} milestones"
    return f"{what} that it waits for {'is' if count == 1 else 'are'} likely to be late{cost}."


def _have(count: int) -> str:
    return "has" if count == 1 else "have"


_REASONS: dict[ReasonKind, Callable[[Reason], str]] = {
    ReasonKind.PACE: _pace,
    ReasonKind.SCOPE_ADDED: _scope,
    ReasonKind.HIT_RATE: _hit_rate,
    ReasonKind.STRAGGLERS: _stragglers,
    ReasonKind.HOLIDAYS: _holidays,
    ReasonKind.DUE_MOVED: _moved,
    ReasonKind.UNASSIGNED: _unassigned,
    ReasonKind.SILENCE: _silence,
    ReasonKind.BLOCKED: _blocked,
    ReasonKind.PREDECESSOR: _predecessor,
}


# --- levers; the values are those of `sync.health.levers` ------------------------------------------------------------


def lever(offer: Lever, due: date | None) -> tuple[str, str]:
    """What to do, and what comes of it (empty when that is not known). A date is shown against ``due``."""
    to = _day(offer, "to")
    # A date that is moved changes how people work; no figure of the model knows that.
    stays = "" if to is None else " if all else stays"
    effects = [] if offer.probability is None else [f"{percent(offer.probability)} likely{stays}"]
    if to is not None and due is not None:
        effects.append(f"{(to - due).days:+d} days")
    if offer.values.get("capacity"):
        effects.append("by what was closed lately")
    return _LEVERS[offer.kind](offer), ", ".join((*effects, *_habit(offer)))


def _habit(offer: Lever) -> list[str]:
    """How the pace that is needed compares with what is usual here."""
    median, reached, weeks = _number(offer, "median"), _number(offer, "reached"), _number(offer, "weeks")
    parts = [] if median is None else [f"the usual week closes {_figure(median)}"]
    if reached is not None and weeks:
        parts.append(f"that pace was reached in {_figure(reached)} of the last {plural(round(weeks), 'week')}")
    return parts


def _cut(offer: Lever) -> str:
    count, of = _count(offer), _number(offer, "of")
    return f"Cut {count} of {plural(round(of), 'open issue')}" if of else f"Cut {plural(count, 'issue')}"


def _move(offer: Lever) -> str:
    to = _day(offer, "to")
    return f"Move the due date to {day(to)}" if to else "Move the due date"


def _speed(offer: Lever) -> str:
    needed = _number(offer, "needed")
    return f"Close {_figure(needed)} issues a week until the due date" if needed else "Close more issues each week"


_LEVERS: dict[LeverKind, Callable[[Lever], str]] = {
    LeverKind.CUT: _cut,
    LeverKind.MOVE: _move,
    LeverKind.BOTH: lambda offer: f"{_cut(offer)} and {small(_move(offer))}",
    LeverKind.FREEZE: lambda _: "Freeze the scope and let nothing more in",
    LeverKind.PACE: _speed,
    LeverKind.ASSIGN: lambda offer: f"Find an owner for {plural(_count(offer), 'issue')}",
}


# --- findings; the values are those of `sync.health.definition` ------------------------------------------------------


def finding(said: Finding) -> str:
    """What the definition lacks, in one sentence."""
    return _FINDINGS[said.kind](said)


def _part(said: Finding) -> str:
    return f"{said.values['count']} of {said.values['of']}"


def _day_off(said: Finding) -> str:
    due = said.values["due"]
    return f"It is due on {day(due)}, a day off." if isinstance(due, date) else "It is due on a day off."


def _same_people(said: Finding) -> str:
    others = said.values["others"]
    where = "another milestone" if others == 1 else f"{others} other milestones"
    return f"{_part(said)} people who have open issues in it have some in {where} of the same weeks."


_FINDINGS: dict[FindingKind, Callable[[Finding], str]] = {
    FindingKind.NO_OWNER: lambda _: "Nobody is named as its owner.",
    FindingKind.NO_DUE_DATE: lambda _: "It has no due date.",
    FindingKind.NO_EXIT_CRITERIA: lambda _: "Its description lists no exit criteria as a task list.",
    FindingKind.NO_ITEMS: lambda _: "No issue is in it.",
    FindingKind.UNESTIMATED: lambda said: f"{_part(said)} open issues have no estimate, the others have one.",
    FindingKind.DUE_DAY_OFF: _day_off,
    FindingKind.SAME_PEOPLE: _same_people,
    FindingKind.CIRCULAR: lambda _: "Issues in it and in another milestone block each other in a circle.",
}
