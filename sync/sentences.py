"""Plain English for what health says: one sentence for each status, reason, lever and cause of not knowing.

Each sentence is our own words only; names and titles are added by `sync.report` as foreign text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime

from sync.model import Confidence, Health, Lever, LeverKind, Reason, ReasonKind, Status, UnknownWhy, Value

__all__ = [
    "STATUS",
    "UNKNOWN",
    "against",
    "capital",
    "day",
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


def plural(count: int, noun: str) -> str:
    """1 issue, 2 issues."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


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


def _number(values: Mapping[str, Value], *names: str) -> float | None:
    """The first of these values that is a number."""
    for name in names:
        found = values.get(name)
        if isinstance(found, int | float):
            return found
    return None


def _date(values: Mapping[str, Value], *names: str) -> date | None:
    return next((found for name in names if isinstance(found := values.get(name), date)), None)


def _figure(value: float) -> str:
    """A figure without a pointless decimal: 9, 2.5."""
    return str(round(value)) if value >= 10 or value == round(value) else f"{value:.1f}"


def reason(said: Reason) -> str:
    """Why, in one sentence; the figures that are not known are left out of it."""
    return _REASONS[said.kind](said)


def _counted(said: Reason | Lever, *names: str) -> int:
    """How many issues it is about."""
    return round(_number(said.values, *names) or len(said.items))


def _pace(said: Reason) -> str:
    share, usual = _number(said.values, "share", "done_share"), _number(said.values, "usual", "usual_share")
    if share is not None and usual is not None:
        return f"{percent(share)} is done; earlier milestones had {percent(usual)} done at this point."
    return f"Work goes {'faster' if said.effect > 0 else 'slower'} than in earlier milestones at this point."


def _scope(said: Reason) -> str:
    added, week = _counted(said, "added"), _number(said.values, "added_week", "week")
    if not added:
        return f"Scope {'hardly grew' if said.effect > 0 else 'grew'} since the start."
    text = f"{'Only ' if said.effect > 0 else ''}{plural(added, 'issue')} joined since the start"
    return f"{text}, {_figure(week)} of them in the last 7 days." if week else f"{text}."


def _hit_rate(said: Reason) -> str:
    hits, of = _number(said.values, "hits"), _number(said.values, "of", "finished")
    if hits is not None and of:
        return f"{_figure(hits)} of the last {_figure(of)} milestones of this series made their date."
    return f"Earlier milestones of this series {'usually' if said.effect > 0 else 'seldom'} made their date."


def _stragglers(said: Reason) -> str:
    count = _counted(said, "count")
    return f"{plural(count, 'open issue')} {_have(count)} been open unusually long, or untouched for 14 days."


def _holidays(said: Reason) -> str:
    count = _number(said.values, "days", "count")
    return f"{plural(round(count), 'holiday')} before the due date." if count else "Holidays fall before the due date."


def _moved(said: Reason) -> str:
    shift = _number(said.values, "days", "slip")
    return "The due date moved" + (f" by {round(shift):+d} days against the first one." if shift else ".")


def _unassigned(said: Reason) -> str:
    count, of = _counted(said, "count"), _number(said.values, "of", "open")
    who = f"{count} of {_figure(of)} open issues" if of else plural(count, "open issue")
    return f"{who} {_have(count)} nobody assigned."


def _silence(said: Reason) -> str:
    days, usual = _number(said.values, "days"), _number(said.values, "usual")
    if days is None:
        return "Nothing was closed for more than twice the usual gap."
    tail = f"; the usual gap is {plural(round(usual), 'day')}" if usual and usual >= 0.5 else ""
    return f"Nothing was closed for {plural(round(days), 'day')}{tail}."


def _blocked(said: Reason) -> str:
    count = _counted(said, "count")
    return f"{plural(count, 'open issue')} {'is' if count == 1 else 'are'} blocked by other open work."


def _have(count: int) -> str:
    return "has" if count == 1 else "have"


_REASONS = {
    ReasonKind.PACE: _pace,
    ReasonKind.SCOPE_ADDED: _scope,
    ReasonKind.HIT_RATE: _hit_rate,
    ReasonKind.STRAGGLERS: _stragglers,
    ReasonKind.HOLIDAYS: _holidays,
    ReasonKind.DUE_MOVED: _moved,
    ReasonKind.UNASSIGNED: _unassigned,
    ReasonKind.SILENCE: _silence,
    ReasonKind.BLOCKED: _blocked,
}


def lever(offer: Lever, due: date | None) -> tuple[str, str]:
    """What to do, and what comes of it (empty when that is not known). A date is shown against ``due``."""
    to = _date(offer.values, "to", "date", "due")
    effects = [] if offer.probability is None else [f"{percent(offer.probability)} likely"]
    if to is not None and due is not None:
        effects.append(f"{(to - due).days:+d} days")
    if offer.kind is LeverKind.PACE:
        effects += _habit(offer)
    return _LEVERS[offer.kind](offer), ", ".join(effects)


def _habit(offer: Lever) -> list[str]:
    """How the pace that is needed compares with what the stream does."""
    median, reached = _number(offer.values, "median"), _number(offer.values, "reached")
    of = _number(offer.values, "weeks", "of")
    parts = [] if median is None else [f"the usual week closes {_figure(median)}"]
    if reached is not None and of:
        parts.append(f"that pace was reached in {_figure(reached)} of the last {_figure(of)} weeks")
    return parts


def _cut(offer: Lever) -> str:
    count, of = _counted(offer, "count", "cut"), _number(offer.values, "of", "open")
    return f"Cut {count} of {_figure(of)} open issues" if of else f"Cut {plural(count, 'issue')}"


def _move(offer: Lever) -> str:
    to = _date(offer.values, "to", "date", "due")
    return f"Move the due date to {day(to)}" if to else "Move the due date"


def _speed(offer: Lever) -> str:
    needed = _number(offer.values, "needed", "per_week")
    return f"Close {_figure(needed)} issues a week until the due date" if needed else "Close more issues each week"


_LEVERS: dict[LeverKind, Callable[[Lever], str]] = {
    LeverKind.CUT: _cut,
    LeverKind.MOVE: _move,
    LeverKind.BOTH: lambda offer: f"{_cut(offer)} and {small(_move(offer))}",
    LeverKind.FREEZE: lambda _: "Freeze the scope: let nothing more in",
    LeverKind.PACE: _speed,
    LeverKind.ASSIGN: lambda offer: f"Find an owner for {plural(_counted(offer, 'count'), 'issue')}",
}
