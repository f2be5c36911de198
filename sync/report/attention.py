"""Open issues that need attention: which ones, why, and who has them."""

from __future__ import annotations

from datetime import timedelta

from sync.markup.document import Foreign, Inline, Item, Line, join_parts
from sync.model.keys import short_key
from sync.model.tracker_data import Issue
from sync.report.facts import Facts
from sync.report.phrases import day, plural

__all__ = ["attention_line", "flagged_issues", "issue_item"]

STALE = timedelta(days=14)
"""Days without activity after which an open issue is flagged; whole days, as everything that a comment shows."""

NAMED_PEOPLE = 3
"""Maximum number of assignees and of blockers named for an issue."""


def flagged_issues(facts: Facts) -> list[tuple[Issue, tuple[str, ...]]]:
    """Return open issues with their flags, those with the most flags first, then the longest without activity.

    Flags are ``blocked``, ``overdue``, ``unreviewed``, ``unassigned`` and ``untouched``. Changes that wait for a review
    are among them, whether they count or not. None for a milestone that is over.
    """
    if facts.health.status.is_over:
        return []
    uids = dict.fromkeys((*facts.open, *facts.waiting_changes))
    open_issues = ((uid, facts.items[uid]) for uid in uids if uid in facts.items)
    flagged = [(issue, flags) for uid, issue in open_issues if (flags := _flags(facts, uid, issue))]
    return sorted(flagged, key=lambda pair: (-len(pair[1]), pair[0].updated_at, pair[0].id))


def _flags(facts: Facts, uid: str, issue: Issue) -> tuple[str, ...]:
    tests = (
        ("blocked", bool(issue.blocked_by)),
        ("overdue", issue.due is not None and issue.due < facts.today),
        ("unreviewed", uid in facts.waiting_changes),
        ("unassigned", issue.needs_owner),
        ("untouched", facts.today - facts.day_of(issue.updated_at) > STALE),
    )
    return tuple(word for word, is_wrong in tests if is_wrong)


def attention_line(facts: Facts, issue: Issue, flags: tuple[str, ...]) -> Line:
    """Return the issue, why it needs attention, and its assignees."""
    words: list[Inline] = []
    if issue.blocked_by:
        keys = (Foreign(short_key(key, facts.project)) for key in issue.blocked_by[:NAMED_PEOPLE])
        words += ["blocked by ", *join_parts(keys)]
    if "overdue" in flags and issue.due is not None:
        words += [", " if words else "", f"was due on {day(issue.due)}"]
    if "unreviewed" in flags and issue.review_since is not None:
        waited = (facts.today - facts.day_of(issue.review_since)).days
        names = join_parts(Foreign(person.name) for person in issue.reviewers[:NAMED_PEOPLE])
        words += [", " if words else "", f"waiting {plural(waited, 'day')} for a review"]
        words += [" by ", *names] if names else []
    if "unassigned" in flags:
        words += [", " if words else "", "unassigned"]
    if "untouched" in flags:
        quiet = (facts.today - facts.day_of(issue.updated_at)).days
        words += [", " if words else "", f"no activity for {plural(quiet, 'day')}"]
    people: list[Inline] = []
    if issue.assignees:
        people = [" (", *join_parts(Foreign(person.name) for person in issue.assignees[:NAMED_PEOPLE]), ")"]
    return (issue_item(facts.project, issue), ": ", *words, *people)


def issue_item(project: str, issue: Issue, *, title: bool = True) -> Item:
    """Refer to an issue by its key as it resolves in a project (its key): see `sync.model.keys.short_key`."""
    return Item(short_key(issue.key, project), issue.title if title else "", issue.url)
