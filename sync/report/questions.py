"""The phrase of each kind of review question, for the closing comment and the closing record of pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from sync.markup.document import Item, Line
from sync.model.closing import ClosingRecord, ReviewQuestion, ReviewQuestionKind
from sync.model.keys import short_key
from sync.report.language import ENGLISH, Language
from sync.report.verdict import times

__all__ = ["question_line"]


def question_line(record: ClosingRecord, question: ReviewQuestion, language: Language = ENGLISH) -> Line:
    """Return a question of a record as a sentence."""
    return _QUESTIONS[question.kind](record, question, language)


def _left_open(_: ClosingRecord, question: ReviewQuestion, language: Language) -> Line:
    count = _of_issues(question, language)
    text = language.many(
        "{count} was not done. Who takes that work, and when?",
        "{count} were not done. Who takes that work, and when?",
        question.count,
        count=count,
    )
    return (text,)


def _carried(_: ClosingRecord, question: ReviewQuestion, language: Language) -> Line:
    carried = language.many(
        "{count} was carried over", "{count} were carried over", question.count, count=_of_issues(question, language)
    )
    if question.days <= 0:
        return (language.say("{carried}. Was the scope too large?", carried=carried),)
    return (
        language.many(
            "{carried}. Was the scope too large for {n} day?",
            "{carried}. Was the scope too large for {n} days?",
            question.days,
            carried=carried,
        ),
    )


def _unmet(record: ClosingRecord, question: ReviewQuestion, language: Language) -> Line:
    criteria = language.many("{count} of {n} exit criterion", "{count} of {n} exit criteria", question.of,
                             count=question.count)  # fmt: skip
    unmet = language.many("{criteria} was not met", "{criteria} were not met", question.count, criteria=criteria)
    if record.counts.unfinished:
        return (language.say("{unmet}. Do they still matter?", unmet=unmet),)
    return (language.say("{unmet}. Is the milestone really done?", unmet=unmet),)


def _unforeseen(record: ClosingRecord, question: ReviewQuestion, language: Language) -> Line:
    if question.count:
        missed = language.many(
            "{count} was not done", "{count} were not done", question.count, count=_of_issues(question, language)
        )
    else:
        missed = language.many("it was done {n} day later", "it was done {n} days later", question.days)
    then = _then(record, question, language)
    return (language.say("{forecast}, but {missed}. What did we overlook?", forecast=then, missed=missed),)


def _turned(record: ClosingRecord, question: ReviewQuestion, language: Language) -> Line:
    then = _then(record, question, language)
    return (language.say("{forecast}, and the date was met. What made that possible?", forecast=then),)


def _then(record: ClosingRecord, question: ReviewQuestion, language: Language) -> str:
    """Return what a forecast was, and how long before the end: "30 days before the end, the forecast was 80%"."""
    percent = language.percent(question.probability or 0.0)
    days = 0 if question.day is None else (record.done - question.day).days
    when = language.say("At one time")
    if days > 0:
        when = language.many("{n} day before the end", "{n} days before the end", days)
    if record.moves:
        return language.say(
            "{when}, the forecast for the due date at that time was {percent}", when=when, percent=percent
        )
    return language.say("{when}, the forecast was {percent}", when=when, percent=percent)


def _grew(_: ClosingRecord, question: ReviewQuestion, language: Language) -> Line:
    text = language.many(
        "{n} issue was added to the original {of}. Could it have waited?",
        "{n} issues were added to the original {of}. Which of them could have waited?",
        question.count,
        of=question.of,
    )
    return (text,)


def _slipped(_: ClosingRecord, question: ReviewQuestion, language: Language) -> Line:
    text = language.many(
        "The due date moved {times}, {n} day later in all. How early could we have known?",
        "The due date moved {times}, {n} days later in all. How early could we have known?",
        question.days,
        times=times(question.count, language),
    )
    return (text,)


def _held_up(record: ClosingRecord, question: ReviewQuestion, language: Language) -> Line:
    item: Line = (_item(record, question.item),) if question.item else (language.say("One issue"),)
    took = language.days(question.days)
    if not question.of:
        return (*item, " ", language.say("took {took}. What held it up?", took=took))
    usual = language.days(question.of)
    text = language.say(
        "took {took}; half of the issues took {usual} or less. What held it up?", took=took, usual=usual
    )
    return (*item, " ", text)


def _rush(_: ClosingRecord, question: ReviewQuestion, language: Language) -> Line:
    text = language.many(
        "{count} was closed in the last fifth of the time. What kept it from being done earlier?",
        "{count} were closed in the last fifth of the time. What kept them from being done earlier?",
        question.count,
        count=_of_issues(question, language),
    )
    return (text,)


def _cut(_: ClosingRecord, question: ReviewQuestion, language: Language) -> Line:
    text = language.many(
        "{n} issue was removed. Could we have decided that at the start?",
        "{n} issues were removed. Could we have decided that at the start?",
        question.count,
    )
    return (text,)


def _of_issues(question: ReviewQuestion, language: Language) -> str:
    """Return "3 of 12 issues"."""
    return language.many("{count} of {n} issue", "{count} of {n} issues", question.of, count=question.count)


def _item(record: ClosingRecord, item: tuple[str, str, str]) -> Item:
    """Refer to an issue by a key that its tracker resolves.

    Older records have cut keys, such as ``-266`` of ``PAY-266``; the issue's address has the whole key.
    """
    key, title, url = item
    if _CUT_KEY.fullmatch(key):
        before, _, number = urlsplit(url).path.rpartition("/")
        project = before.partition("/-/")[0].strip("/")
        key = number if key.startswith("-") else f"{project}#{number}"
    return Item(short_key(key, record.project), title, url)


_CUT_KEY = re.compile(r"-\d+|/.+#\d+|[^/#]+#\d+")
"""A key without the beginning of its project: ``-266``, ``/api#12``, ``2#12`` (of a group's or a longer path)."""

_QUESTIONS: Mapping[ReviewQuestionKind, Callable[[ClosingRecord, ReviewQuestion, Language], Line]] = {
    ReviewQuestionKind.LEFT_OPEN: _left_open,
    ReviewQuestionKind.CARRIED: _carried,
    ReviewQuestionKind.CRITERIA: _unmet,
    ReviewQuestionKind.UNFORESEEN: _unforeseen,
    ReviewQuestionKind.TURNED: _turned,
    ReviewQuestionKind.GREW: _grew,
    ReviewQuestionKind.SLIPPED: _slipped,
    ReviewQuestionKind.HELD_UP: _held_up,
    ReviewQuestionKind.RUSH: _rush,
    ReviewQuestionKind.CUT: _cut,
    ReviewQuestionKind.KEEP: lambda *args: (args[2].say("What went well enough to repeat?"),),
    ReviewQuestionKind.CHANGE: lambda *args: (args[2].say("What would we do differently next time?"),),
    ReviewQuestionKind.NEXT: lambda *args: (args[2].say("What does this mean for the date of the next milestone?"),),
}
