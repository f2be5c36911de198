"""The phrase of each kind of reason, for comments, pages, terminal and digests.

To add a reason: its kind in `sync.model.health`, its rule in `sync.health.reasons`, its entry in `REASONS`, and the
translation (`python -m tests.catalogue`). The rule of PREDECESSOR is in `sync.health.joint`, because it needs the
forecasts of other milestones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from sync.model.health import Reason, ReasonKind
from sync.report.figures import done_percent
from sync.report.language import ENGLISH, Language, Style
from sync.report.phrases import count_of, date_of, number_of, sentence

__all__ = ["REASONS", "ReasonPhrase", "reason_clause", "reason_sentence"]


class ReasonPhrase(Struct, frozen=True):
    """Phrase of one kind of reason: a clause that begins with a small letter and ends without a full stop.

    ``words`` has no figures. ``numbers`` returns None when the reason lacks the values; then ``words`` is used.
    """

    numbers: Callable[[Reason, Language], str | None]
    words: Callable[[Reason, Language], str]


def reason_sentence(reason: Reason, language: Language = ENGLISH, style: Style = "numbers") -> str:
    """Return the reason as a sentence."""
    return sentence(reason_clause(reason, language, style))


def reason_clause(reason: Reason, language: Language = ENGLISH, style: Style = "numbers") -> str:
    """Return the reason as a part of a sentence."""
    phrase = REASONS[reason.kind]
    text = phrase.numbers(reason, language) if style == "numbers" else None
    return text or phrase.words(reason, language)


def _pace(reason: Reason, language: Language) -> str | None:
    done, usual = _percent_done(reason), number_of(reason, "usual")
    if done is None or usual is None:
        return None
    return language.say(
        "{done} is done; earlier milestones had {usual} done at this point",
        done=language.percentage(done),
        usual=language.percentage(done_percent(usual)),
    )


def _percent_done(reason: Reason) -> int | None:
    """Return the percentage of work done; reasons of older versions have its share, but not the number of items."""
    done, total, share = number_of(reason, "closed"), number_of(reason, "of"), number_of(reason, "share")
    if done is not None and total:
        return done_percent(round(done), round(total))
    return None if share is None else done_percent(share)


def _pace_words(reason: Reason, language: Language) -> str:
    if reason.effect > 0:
        return language.say("work is going faster than usual")
    return language.say("work is going slower than usual")


def _scope(reason: Reason, language: Language) -> str | None:
    added, week = count_of(reason, "added"), round(number_of(reason, "added_week") or 0)
    if not added:
        return None
    if week:
        text = language.many(
            "{n} issue added since the start ({week} in the last 7 days)",
            "{n} issues added since the start ({week} in the last 7 days)",
            added,
            week=week,
        )
    else:
        text = language.many("{n} issue added since the start", "{n} issues added since the start", added)
    usual = number_of(reason, "usual")
    if usual is None:
        return text
    if round(usual) == 0:
        return language.say("{added}; none would be usual by now", added=text)
    return language.say("{added}; {usual} would be usual by now", added=text, usual=round(usual))


def _scope_words(reason: Reason, language: Language) -> str:
    if reason.effect > 0:
        return language.say("few issues have been added since the start")
    return language.say("many issues have been added since the start")


def _hit_rate(reason: Reason, language: Language) -> str | None:
    hits, of = number_of(reason, "hits"), round(number_of(reason, "of") or 0)
    if hits is None or not of:
        return None
    if of == 1:
        was_late = language.say("the last milestone of this series was late")
        return language.say("the last milestone of this series was on time") if hits else was_late
    if not hits:
        return language.say("none of the last {of} milestones of this series was on time", of=of)
    if hits == of:
        return language.say("all of the last {of} milestones of this series were on time", of=of)
    return language.many(
        "{n} of the last {of} milestones of this series was on time",
        "{n} of the last {of} milestones of this series were on time",
        round(hits),
        of=of,
    )


def _hit_rate_words(reason: Reason, language: Language) -> str:
    if reason.effect > 0:
        return language.say("milestones of this series are usually on time")
    return language.say("milestones of this series are rarely on time")


def _stragglers(reason: Reason, language: Language) -> str | None:
    return (
        language.many(
            "{n} open issue is ageing: open unusually long, or no activity for 14 days",
            "{n} open issues are ageing: open unusually long, or no activity for 14 days",
            count_of(reason),
        )
        if count_of(reason)
        else None
    )


def _stragglers_words(_reason: Reason, language: Language) -> str:
    return language.say("some open issues are ageing: open unusually long, or no activity for two weeks")


def _holidays(reason: Reason, language: Language) -> str | None:
    days = round(number_of(reason, "days") or 0)
    return (
        language.many(
            "holidays and quiet weeks take {n} of the remaining working days",
            "holidays and quiet weeks take {n} of the remaining working days",
            days,
        )
        if days
        else None
    )


def _holidays_words(_reason: Reason, language: Language) -> str:
    return language.say("holidays and quiet weeks take some of the remaining working days")


def _due_moved(reason: Reason, language: Language) -> str | None:
    days, first, to = number_of(reason, "days"), date_of(reason, "from"), date_of(reason, "to")
    if days is None or first is None or to is None:
        return None
    return language.say(
        "the due date moved from {first} to {to} ({shift})",
        first=language.day(first),
        to=language.day(to),
        shift=language.shift(round(days)),
    )


def _due_moved_words(_reason: Reason, language: Language) -> str:
    return language.say("the due date moved")


def _unassigned(reason: Reason, language: Language) -> str | None:
    some = _some_open(reason, language)
    return some and language.many("{some} is unassigned", "{some} are unassigned", count_of(reason), some=some)


def _unassigned_words(_reason: Reason, language: Language) -> str:
    return language.say("some open issues are unassigned")


def _silence(reason: Reason, language: Language) -> str | None:
    days, usual = number_of(reason, "days"), number_of(reason, "usual")
    if days is None:
        return None
    text = language.many("nothing has been closed for {n} day", "nothing has been closed for {n} days", round(days))
    if not usual:
        return text
    gap = language.number(usual)
    if gap == "1" or usual < 1:
        return language.say("{silence}; usually something is closed every day", silence=text)
    return language.say("{silence}; usually something is closed every {gap} days", silence=text, gap=gap)


def _silence_words(_reason: Reason, language: Language) -> str:
    return language.say("nothing has been closed for an unusually long time")


def _blocked(reason: Reason, language: Language) -> str | None:
    some = _some_open(reason, language)
    return some and language.many(
        "{some} is blocked by other open work", "{some} are blocked by other open work", count_of(reason), some=some
    )


def _blocked_words(_reason: Reason, language: Language) -> str:
    return language.say("some open issues are blocked by other open work")


def _predecessor(reason: Reason, language: Language) -> str | None:
    days, count = round(number_of(reason, "days") or 0), count_of(reason)
    if not count:
        return None
    text = language.many(
        "a milestone that it depends on may be late",
        "{n} milestones that it depends on may be late",
        count,
    )
    if not days:
        return text
    return language.say("{lateness}, which costs {days} on average", lateness=text, days=language.days(days))


def _predecessor_words(_reason: Reason, language: Language) -> str:
    return language.say("what it depends on may be late")


def _pace_change(reason: Reason, language: Language) -> str | None:
    days, usual = number_of(reason, "days"), number_of(reason, "usual")
    if days is None or usual is None:
        return None
    return language.say(
        "the last {last} milestones took {days} to close half of their issues; the {before} before them took {usual}",
        last=count_of(reason, "last"),
        days=language.days(round(days)),
        before=count_of(reason, "before"),
        usual=language.days(round(usual)),
    )


def _pace_change_words(reason: Reason, language: Language) -> str:
    if reason.effect < 0:
        return language.say("the last milestones were much slower than the ones before them")
    return language.say("the last milestones were much faster than the ones before them")


def _some_open(reason: Reason, language: Language) -> str | None:
    """Return "3 of 16 open issues", or "3 open issues" where the number of all is not known; None without a number."""
    count, total = count_of(reason), round(number_of(reason, "of") or 0)
    if not count:
        return None
    if not total:
        return language.many("{n} open issue", "{n} open issues", count)
    return language.many("{count} of {n} open issue", "{count} of {n} open issues", total, count=count)


def _review(reason: Reason, language: Language) -> str | None:
    waited = number_of(reason, "days")
    if not count_of(reason) or waited is None:
        return None
    return language.many(
        "{n} change waits for review for more than {days}",
        "{n} changes wait for review for more than {days}",
        count_of(reason),
        days=language.days(round(waited)),
    )


def _review_words(_reason: Reason, language: Language) -> str:
    return language.say("some changes have been waiting for review for days")


REASONS: Mapping[ReasonKind, ReasonPhrase] = {
    ReasonKind.PACE: ReasonPhrase(_pace, _pace_words),
    ReasonKind.SCOPE_ADDED: ReasonPhrase(_scope, _scope_words),
    ReasonKind.HIT_RATE: ReasonPhrase(_hit_rate, _hit_rate_words),
    ReasonKind.STRAGGLERS: ReasonPhrase(_stragglers, _stragglers_words),
    ReasonKind.HOLIDAYS: ReasonPhrase(_holidays, _holidays_words),
    ReasonKind.DUE_MOVED: ReasonPhrase(_due_moved, _due_moved_words),
    ReasonKind.UNASSIGNED: ReasonPhrase(_unassigned, _unassigned_words),
    ReasonKind.SILENCE: ReasonPhrase(_silence, _silence_words),
    ReasonKind.BLOCKED: ReasonPhrase(_blocked, _blocked_words),
    ReasonKind.PREDECESSOR: ReasonPhrase(_predecessor, _predecessor_words),
    ReasonKind.PACE_CHANGE: ReasonPhrase(_pace_change, _pace_change_words),
    ReasonKind.REVIEW: ReasonPhrase(_review, _review_words),
}
