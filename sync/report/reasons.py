"""The wording of each reason: a sentence for comments and pages, and half a sentence for the digest.

To add a reason: its kind in `sync.model.health`, its rule in `sync.health.reasons`, its entry in `REASONS`, and the
translation (`python -m tests.catalogue`). The rule sets the values of a reason; each text leaves out values that are
None. The rule of PREDECESSOR is in `sync.health.joint`, because it needs the forecasts of other milestones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from sync.model.health import Reason, ReasonKind
from sync.report.figures import done_percent, share_percent, short_number
from sync.report.phrases import Translator, count_of, date_of, day, number_of, plural

__all__ = ["REASONS", "ReasonPhrases", "reason_clause", "reason_sentence"]


class ReasonPhrases(Struct, frozen=True):
    """The texts of one kind of reason.

    ``comment`` returns an English sentence. ``digest`` returns half a sentence in the translator's language, without
    figures when its last argument is false.
    """

    comment: Callable[[Reason], str]
    digest: Callable[[Translator, Reason, bool], str]


def reason_sentence(reason: Reason) -> str:
    """Return the reason as an English sentence."""
    return REASONS[reason.kind].comment(reason)


def reason_clause(translator: Translator, reason: Reason, *, has_numbers: bool) -> str:
    """Return the reason as half a sentence in another language, with or without figures."""
    return REASONS[reason.kind].digest(translator, reason, has_numbers)


def _percent_done(reason: Reason) -> int | None:
    """Return the percentage of work done; reasons of older versions have its share, but not the number of items."""
    done, total, share = number_of(reason, "closed"), number_of(reason, "of"), number_of(reason, "share")
    if done is not None and total:
        return done_percent(round(done), round(total))
    return None if share is None else done_percent(share)


def _pace(reason: Reason) -> str:
    done, usual = _percent_done(reason), number_of(reason, "usual")
    if done is None or usual is None:
        return f"Work goes {'faster' if reason.effect > 0 else 'slower'} than in earlier milestones at this point."
    return f"{done}% is done; earlier milestones had {done_percent(usual)}% done at this point."


def _pace_clause(translator: Translator, reason: Reason, has_numbers: bool) -> str:
    done, usual = _percent_done(reason), number_of(reason, "usual")
    if has_numbers and done is not None and usual is not None:
        return translator.say("{done}% is done, usual by now is {usual}%", done=done, usual=done_percent(usual))
    say = translator.say
    return say("work goes faster than usual") if reason.effect > 0 else say("work goes slower than usual")


def _scope(reason: Reason) -> str:
    added, week, usual = count_of(reason, "added"), number_of(reason, "added_week"), number_of(reason, "usual")
    text = f"{plural(added, 'issue')} joined since the start"
    if week:
        text += f", {short_number(week)} of them in the last 7 days"
    return f"{text}; usual by now would be {round(usual)}." if usual is not None else f"{text}."


def _scope_clause(translator: Translator, reason: Reason, has_numbers: bool) -> str:
    added = count_of(reason, "added")
    if has_numbers and added:
        return translator.many("{n} issue joined since the start", "{n} issues joined since the start", added)
    say = translator.say
    return say("little joined since the start") if reason.effect > 0 else say("much joined since the start")


def _hit_rate(reason: Reason) -> str:
    hits, of = number_of(reason, "hits"), number_of(reason, "of")
    if hits is None or not of:
        return f"Earlier milestones of this series {'usually' if reason.effect > 0 else 'seldom'} made their date."
    return f"{short_number(hits)} of the last {plural(round(of), 'milestone')} of this series made their date."


def _hit_rate_clause(translator: Translator, reason: Reason, has_numbers: bool) -> str:
    hits, of, say = number_of(reason, "hits"), number_of(reason, "of"), translator.say
    if has_numbers and hits is not None and of:
        return say("{hits} of the last {of} dates of this series held", hits=round(hits), of=round(of))
    return say("dates usually hold here") if reason.effect > 0 else say("dates seldom hold here")


def _stragglers(reason: Reason) -> str:
    count = count_of(reason)
    have = "has" if count == 1 else "have"
    return f"{plural(count, 'open issue')} {have} been open unusually long, or untouched for 14 days."


def _stragglers_clause(translator: Translator, reason: Reason, has_numbers: bool) -> str:
    n = count_of(reason)
    if not has_numbers or not n:
        return translator.say("some issues have been open unusually long")
    return translator.many("{n} issue has been open unusually long", "{n} issues have been open unusually long", n)


def _holidays(reason: Reason) -> str:
    days = number_of(reason, "days")
    cost = plural(round(days), "day") if days else "some days"
    return f"Holidays and quiet weeks take {cost} of those that are left."


def _holidays_clause(translator: Translator, _reason: Reason, _has_numbers: bool) -> str:
    return translator.say("holidays take some of the days that are left")


def _due_moved(reason: Reason) -> str:
    days, first, to = number_of(reason, "days"), date_of(reason, "from"), date_of(reason, "to")
    if days is None or first is None or to is None:
        return "The due date moved."
    return f"The due date moved from {day(first)} to {day(to)}, {round(days):+d} days."


def _due_moved_clause(translator: Translator, _reason: Reason, _has_numbers: bool) -> str:
    return translator.say("the due date moved")


def _unassigned(reason: Reason) -> str:
    return f"{_of_open(reason, 'has', 'have')} nobody assigned."


def _unassigned_clause(translator: Translator, reason: Reason, has_numbers: bool) -> str:
    n = count_of(reason)
    if not has_numbers or not n:
        return translator.say("some open issues have nobody assigned")
    return translator.many("{n} open issue has nobody assigned", "{n} open issues have nobody assigned", n)


def _silence(reason: Reason) -> str:
    days, usual = number_of(reason, "days"), number_of(reason, "usual")
    if days is None:
        return "Nothing has been closed for more than twice the usual gap."
    tail = f"; the usual gap is {short_number(usual)} {'day' if usual == 1 else 'days'}" if usual else ""
    return f"Nothing has been closed for {plural(round(days), 'day')}{tail}."


def _silence_clause(translator: Translator, reason: Reason, _has_numbers: bool) -> str:
    days = number_of(reason, "days")
    if days is None:
        return translator.say("nothing has been closed for a long time")
    return translator.many("nothing has been closed for {n} day", "nothing has been closed for {n} days", round(days))


def _blocked(reason: Reason) -> str:
    return f"{_of_open(reason, 'waits', 'wait')} for other open work."


def _blocked_clause(translator: Translator, reason: Reason, has_numbers: bool) -> str:
    n = count_of(reason)
    if not has_numbers or not n:
        return translator.say("some open issues wait for other work")
    return translator.many("{n} open issue waits for other work", "{n} open issues wait for other work", n)


def _predecessor(reason: Reason) -> str:
    days, count = number_of(reason, "days"), count_of(reason)
    cost = f"; that costs {plural(round(days), 'day')}" if days and round(days) else ""
    milestones = "A milestone" if count == 1 else f"{count} milestones"
    return f"{milestones} that it waits for {'is' if count == 1 else 'are'} likely to be late{cost}."


def _predecessor_clause(translator: Translator, _reason: Reason, _has_numbers: bool) -> str:
    return translator.say("what it waits for is likely to be late")


def _pace_change(reason: Reason) -> str:
    last, before = plural(count_of(reason, "last"), "milestone"), count_of(reason, "before")
    days, usual = number_of(reason, "days"), number_of(reason, "usual")
    if days is None or usual is None:
        slower = reason.effect < 0
        return f"The last {last} of this series were much {'slower' if slower else 'faster'} than the {before} before."
    ratio = days / usual
    times = f"{short_number(ratio)} times as long" if ratio > 1 else f"{share_percent(ratio)}% as long"
    took = f"{plural(round(days), 'day')} instead of {round(usual)}"
    return f"The last {last} took {times} as the {before} before: {took} until half of the issues were closed."


def _pace_change_clause(translator: Translator, reason: Reason, has_numbers: bool) -> str:
    days, usual, say = number_of(reason, "days"), number_of(reason, "usual"), translator.say
    last = count_of(reason, "last")
    if not has_numbers or days is None or usual is None:
        slow, fast = say("the last milestones went slower"), say("the last milestones went faster")
        return slow if reason.effect < 0 else fast
    return say(
        "the last {last} milestones took {days} days for half of their issues, usual is {usual}",
        last=last,
        days=round(days),
        usual=round(usual),
    )


def _of_open(reason: Reason, singular: str, plural_verb: str) -> str:
    """Return "3 of 16 open issues have" or "1 of 16 open issues has"; without the 16 when it is None."""
    count, of = count_of(reason), number_of(reason, "of")
    issues = f"{count} of {plural(round(of), 'open issue')}" if of else plural(count, "open issue")
    return f"{issues} {singular if count == 1 else plural_verb}"


REASONS: Mapping[ReasonKind, ReasonPhrases] = {
    ReasonKind.PACE: ReasonPhrases(_pace, _pace_clause),
    ReasonKind.SCOPE_ADDED: ReasonPhrases(_scope, _scope_clause),
    ReasonKind.HIT_RATE: ReasonPhrases(_hit_rate, _hit_rate_clause),
    ReasonKind.STRAGGLERS: ReasonPhrases(_stragglers, _stragglers_clause),
    ReasonKind.HOLIDAYS: ReasonPhrases(_holidays, _holidays_clause),
    ReasonKind.DUE_MOVED: ReasonPhrases(_due_moved, _due_moved_clause),
    ReasonKind.UNASSIGNED: ReasonPhrases(_unassigned, _unassigned_clause),
    ReasonKind.SILENCE: ReasonPhrases(_silence, _silence_clause),
    ReasonKind.BLOCKED: ReasonPhrases(_blocked, _blocked_clause),
    ReasonKind.PREDECESSOR: ReasonPhrases(_predecessor, _predecessor_clause),
    ReasonKind.PACE_CHANGE: ReasonPhrases(_pace_change, _pace_change_clause),
}
