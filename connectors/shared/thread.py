"""The comments of a status issue: ours, those of others with our marker, and the commands of people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from msgspec import Struct

from sync.model.tracker_data import Person
from sync.tracker import (
    Claim,
    CommandComment,
    GoneError,
    MalformedError,
    Observed,
    OurComment,
    RefusedError,
    StatusIssue,
    Target,
    TrackerError,
    command_lines,
    find_marker,
    status_issue_of,
)

__all__ = ["PROJECT_ERRORS", "Post", "observe", "status_issue"]

PROJECT_ERRORS = (GoneError, MalformedError, RefusedError)
"""Errors of one project or issue. Any other, such as a refused token, ends the whole pull or observation."""


class Post(Struct, frozen=True, kw_only=True):
    """A comment or the description of an issue. ``id`` is that of the comment or issue, times are UTC.

    ``may_write``: the tracker says that its author has write access, so that their commands are obeyed.
    """

    id: str
    author: Person
    text: str
    created_at: datetime
    updated_at: datetime
    may_write: bool = False


def status_issue(
    key: str,
    url: str,
    description: Post,
    comments: Iterable[Post],
    account: str,
    *,
    closed: bool,
    labels: tuple[str, ...],
) -> StatusIssue:
    """Return a status issue with its whole thread. ``account`` is the id of the token's account."""
    posts = list(comments)
    own = [post for post in posts if post.author.id == account and find_marker(post.text)]
    return StatusIssue(
        issue=key,
        url=url,
        closed=closed,
        labels=labels,
        marker=find_marker(description.text) if description.author.id == account else "",
        comments=tuple(
            OurComment(
                id=post.id,
                marker=find_marker(post.text),
                body=post.text,
                created_at=post.created_at,
                updated_at=post.updated_at,
            )
            for post in own
        ),
        claims=tuple(_claim(post) for post in posts if post.author.id != account and find_marker(post.text)),
        asked=tuple(
            CommandComment(
                id=post.id,
                author=post.author.id,
                name=post.author.name,
                may_write=post.may_write or post.author.id == account,
                at=post.updated_at,
                text=command_lines(post.text),
            )
            for post in posts
            if post not in own and command_lines(post.text)
        ),
    )


def observe(
    targets: Iterable[Target],
    account: str,
    descriptions: Callable[[Target], Mapping[str, Post]],
    read: Callable[[str, str], StatusIssue],
) -> Observed:
    """Observe the status issues of milestones: those with a key by it, the others by the marker in a description.

    ``descriptions`` reads the issues of a target's project that may be status issues, by key. ``read`` reads a status
    issue by its key and the project's key. Only an issue of our own account (id) is ours; the oldest counts.
    """
    issues: dict[str, StatusIssue] = {}
    failed: dict[str, TrackerError] = {}
    claims: dict[str, Claim] = {}
    by_project: dict[str, dict[str, Target]] = {}
    for target in targets:
        by_project.setdefault(target.project, {})[target.milestone] = target
    for here in by_project.values():
        try:
            own, others = _marked(descriptions(next(iter(here.values()))), here, account)
        except PROJECT_ERRORS as error:
            failed |= dict.fromkeys(here, error)
            continue
        for milestone, target in here.items():
            key = target.issue or own.get(milestone, "")
            try:
                issues |= {milestone: read(key, target.project_key)} if key else {}
            except PROJECT_ERRORS as error:
                failed[milestone] = error
        claims |= {milestone: claim for milestone, claim in others.items() if not here[milestone].issue}
    return Observed(issues=issues, failed=failed, claims=claims)


def _marked(
    issues: Mapping[str, Post], targets: Mapping[str, Target], account: str
) -> tuple[dict[str, str], dict[str, Claim]]:
    """Return, by milestone, the key of the oldest issue of our account, and a claim where only another one has one."""
    own: dict[str, str] = {}
    claims: dict[str, Claim] = {}
    for key, post in sorted(issues.items(), key=lambda item: item[1].created_at):
        target = status_issue_of(find_marker(post.text), targets)
        if target is not None and post.author.id == account:
            own.setdefault(target.milestone, key)
        elif target is not None:
            claims.setdefault(target.milestone, _claim(post, key))
    return own, {milestone: claim for milestone, claim in claims.items() if milestone not in own}


def _claim(post: Post, issue: str = "") -> Claim:
    return Claim(id=post.id, author=post.author.id, marker=find_marker(post.text), issue=issue)
