"""Phrases of the counts of a milestone: its items, the other work in it, and what the tracker's own page shows."""

from __future__ import annotations

from collections.abc import Iterator

from sync.model.counting import ChangeWord
from sync.model.health import Health
from sync.model.membership import CounterDifference, Counts
from sync.report.language import ENGLISH, Language

__all__ = [
    "changes_words",
    "counted_in",
    "counting_sentences",
    "only_closed",
    "only_uncounted",
    "other_open",
    "other_open_words",
]


def counted_in(health: Health, language: Language = ENGLISH) -> Language:
    """Return a language with the word for the items that the forecast counts: issues, pull requests or items."""
    return language.naming(health.counts.noun)


def changes_words(n: int, word: ChangeWord, language: Language = ENGLISH) -> str:
    """Return a number of changes with their word: "10 pull requests"."""
    match word:
        case ChangeWord.PULL_REQUEST:
            return language.many("{n} pull request", "{n} pull requests", n)
        case ChangeWord.MERGE_REQUEST:
            return language.many("{n} merge request", "{n} merge requests", n)
        case _:
            return language.many("{n} change", "{n} changes", n)


# --- work that does not count -----------------------------------------------------------------------------------------


def other_open(counts: Counts) -> int:
    """Return the number of open issues and changes in the milestone that are no items."""
    uncounted_changes = 0 if counts.changes or counts.paired_changes else counts.pull_requests
    return max(counts.uncounted_open, uncounted_changes)


def other_open_words(counts: Counts, language: Language = ENGLISH) -> str:
    """Return that number with its word: "10 pull requests"; issues where only changes count."""
    n = other_open(counts)
    if _issues_left_out(counts):
        return language.many("{n} issue", "{n} issues", n)
    return changes_words(n, counts.word, language)


def only_uncounted(counts: Counts, language: Language = ENGLISH) -> str:
    """Return the fact of a milestone whose work does not count as a sentence: "Only pull requests: 10 open."."""
    n, only = other_open(counts), _only(counts, language)
    return language.say("{only}: {n} open.", only=only, n=n) if n else language.say("{only}: all closed.", only=only)


def only_closed(counts: Counts, language: Language = ENGLISH) -> str:
    """Return the same where all of it is closed, as a part of a sentence: "only pull requests, all closed"."""
    return language.say("{only}, all closed", only=_only(counts, language)[:1].lower() + _only(counts, language)[1:])


def _only(counts: Counts, language: Language) -> str:
    say = language.say
    if _issues_left_out(counts):
        return say("Only issues")
    match counts.word:
        case ChangeWord.PULL_REQUEST:
            return say("Only pull requests")
        case ChangeWord.MERGE_REQUEST:
            return say("Only merge requests")
        case _:
            return say("Only changes")


def _issues_left_out(counts: Counts) -> int:
    page = counts.on_page
    return max(0, (page.members - page.changes) - (counts.members - counts.changes))


# --- the items and the tracker's page ---------------------------------------------------------------------------------


def counting_sentences(counts: Counts, language: Language = ENGLISH) -> list[str]:
    """Return how the items differ from the work in the milestone, and how the tracker's counter differs from its list.

    "12 in the milestone; 10 pull requests are not counted." Empty without a difference.
    """
    sentences = []
    if not counts.has_only_uncounted and (parts := list(_differences(counts, language))):
        listed = language.say("{n} in the milestone", n=counts.on_page.members) if counts.page is not None else ""
        sentences.append(f"{'; '.join(filter(None, (listed, *parts)))}.")
    if by_name := list(_named(counts, language)):
        closed = language.say("{n} closed on the tracker's page", n=counts.closed_on_page)
        sentences.append(f"{'; '.join((closed, *by_name))}.")
    if counts.counter is not None:
        sentences.append(_counter_sentence(counts.counter, language))
    return sentences


def _differences(counts: Counts, language: Language) -> Iterator[str]:
    """Yield the work that is on the tracker's page and no item, and items that are not on it."""
    page, many = counts.on_page, language.many
    changes = counts.pull_requests + counts.closed_pull_requests
    if counts.page is None:
        open_changes = 0 if counts.changes or counts.paired_changes else counts.pull_requests
        if open_changes:
            yield many(
                "{changes} is not counted",
                "{changes} are not counted",
                open_changes,
                changes=_open_changes_words(open_changes, counts.word, language),
            )
        return
    if issues := _issues_left_out(counts):
        yield many("{n} issue is not counted", "{n} issues are not counted", issues)
    if left_out := max(0, page.changes - counts.changes - counts.paired_changes):
        words = changes_words(left_out, counts.word, language)
        yield many("{changes} is not counted", "{changes} are not counted", left_out, changes=words)
    if counts.paired_changes:
        yield many(
            "{changes} counts with the issue that it closes",
            "{changes} count with the issues that they close",
            counts.paired_changes,
            changes=changes_words(counts.paired_changes, counts.word, language),
        )
    if not page.changes and (more := changes - counts.paired_changes) and counts.changes:
        words = changes_words(more, counts.word, language)
        yield many("{changes} is counted as well", "{changes} are counted as well", more, changes=words)


def _named(counts: Counts, language: Language) -> Iterator[str]:
    """Yield the items whose state by a team's names is not that of the tracker's page."""
    many = language.many
    if n := counts.done_by_name:
        yield many("{n} more counts as done by its label or state", "{n} more count as done by label or state", n)
    if n := counts.removed_by_name:
        yield many(
            "{n} open one is out of scope by its label or state", "{n} open ones are out of scope by label or state", n
        )
    if n := counts.open_by_name:
        yield many("{n} of them counts as open by its state", "{n} of them count as open by their state", n)


def _open_changes_words(n: int, word: ChangeWord, language: Language) -> str:
    match word:
        case ChangeWord.PULL_REQUEST:
            return language.many("{n} open pull request", "{n} open pull requests", n)
        case ChangeWord.MERGE_REQUEST:
            return language.many("{n} open merge request", "{n} open merge requests", n)
        case _:
            return language.many("{n} open change", "{n} open changes", n)


def _counter_sentence(found: CounterDifference, language: Language) -> str:
    counter, listed = sum(found.counter), sum(found.listed)
    if counter != listed:
        return language.say(
            "{tracker}'s counter says {counter}, its list holds {listed}.",
            tracker=found.tracker,
            counter=counter,
            listed=listed,
        )
    return language.say(
        "{tracker}'s counter says {counter} open, its list holds {listed} open.",
        tracker=found.tracker,
        counter=found.counter[0],
        listed=found.listed[0],
    )
