"""Convert GitLab's objects to the model. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from msgspec import Raw

from connectors.gitlab import api_types
from connectors.gitlab.container_ids import ITERATION, epic_id
from connectors.shared.rows import fields_of, word_at, words_at
from sync.model.tracker_data import (
    Issue,
    Milestone,
    MilestoneKind,
    Person,
    Project,
    State,
    StatusCategory,
    UnreadKind,
    UnreadRow,
    Visibility,
)

__all__ = [
    "PEOPLE",
    "group_of",
    "issue_of",
    "merge_request_of",
    "milestone_of",
    "number_of",
    "people_of",
    "person_of",
    "project_of",
    "to_utc",
    "unread_issue",
    "unread_merge_request",
    "unread_milestone",
    "visibility_of",
    "visibility_of_project",
]

PEOPLE = 1000
"""Accounts that are converted once: a few hundred people are in all rows and events of most projects."""

_TOKEN_OWNER = re.compile(r"(project|group)_\d+_bot|service_account_")
"""Beginning of the username of a project's or group's access token, and of a service account."""


_REFERENCE = re.compile(r"[#!]([0-9]{1,18})$")
"""Number at the end of the key of an issue or merge request."""

_MERGE_REQUEST_ID = "mr-"
"""Beginning of the native id of a merge request: GitLab counts issues and merge requests apart."""

_GROUP = re.compile(r"/groups/(.+?)/-/")
"""Path of the group in the address of its milestone, iteration or epic."""


def to_utc(at: datetime) -> datetime:
    """Convert to UTC: GitLab may send any offset."""
    return at if at.tzinfo is UTC else at.astimezone(UTC)


@lru_cache(PEOPLE)
def person_of(user: api_types.User | None) -> Person | None:
    """Convert the account of an event; None without one."""
    return None if user is None else Person(str(user.id), user.name or user.username, is_bot=is_bot(user))


def is_bot(user: api_types.User) -> bool:
    """Return whether an account is a program's: GitLab says so, or it belongs to a project's or group's token."""
    return bool(user.bot) or _TOKEN_OWNER.match(user.username) is not None


def visibility_of_project(word: str, issues: str, merge_requests: str) -> Visibility:
    """Convert a project's visibility by its access levels, words in lower case.

    It is public only if its issues and merge requests are: they may be for members only.
    """
    if word == "public" and issues in ("enabled", "public") and merge_requests != "private":
        return Visibility.PUBLIC
    return Visibility.PROJECT if word in ("public", "internal", "private") else Visibility.UNKNOWN


def project_of(row: api_types.Project) -> Project:
    """Convert a project."""
    visibility = visibility_of_project(row.visibility, row.issues_access_level, row.merge_requests_access_level)
    return Project(id=str(row.id), key=row.path_with_namespace, name=row.name, url=row.web_url, visibility=visibility)


def group_of(address: str) -> str:
    """Return the path of the group that the container with this address belongs to; empty for a project's milestone."""
    match = _GROUP.search(address)
    return match[1] if match else ""


def milestone_of(row: api_types.Milestone, project: str) -> Milestone:
    """Convert a milestone. GitLab has no time of closing, so the last update takes its place."""
    closed = row.state == "closed"
    return Milestone(
        id=str(row.id),
        project=project,
        kind=MilestoneKind.MILESTONE,
        key=row.title,
        written=f"{group_of(row.web_url)}%{row.title}",
        title=row.title,
        url=row.web_url,
        state=State.CLOSED if closed else State.OPEN,
        description=row.description or "",
        start=row.start_date,
        due=row.due_date,
        created_at=to_utc(row.created_at),
        updated_at=to_utc(row.updated_at),
        closed_at=to_utc(row.updated_at) if closed else None,
    )


def visibility_of(confidential: bool | None, project: Visibility) -> Visibility:
    """Return an issue's visibility. Without the field ``confidential`` it is UNKNOWN, which counts as private."""
    if confidential is None:
        return Visibility.UNKNOWN
    return Visibility.CONFIDENTIAL if confidential else project


def issue_of(row: api_types.Issue, project: Project, source: str, milestones: tuple[str, ...]) -> Issue:
    """Convert an issue in these milestones, without its blockers, which `connectors.gitlab.history_rest` reads.

    GitLab has no workflow, so an open issue is in the category TODO. A time of 0 means that no time was entered.
    """
    closed = row.state == "closed"
    times = row.time_stats
    estimate, spent = times.time_estimate or None, times.total_time_spent or None
    return Issue(
        id=str(row.id),
        project=project.id,
        key=row.references.full,
        title=row.title,
        url=row.web_url,
        state=State.CLOSED if closed else State.OPEN,
        raw_state=row.state,
        category=StatusCategory.DONE if closed else StatusCategory.TODO,
        created_at=to_utc(row.created_at),
        updated_at=to_utc(row.updated_at),
        closed_at=to_utc(row.closed_at) if closed and row.closed_at else None,
        resolution=_resolution(row) if closed else "",
        type=(row.issue_type or "").lower(),
        priority="" if row.severity in (None, "UNKNOWN") else str(row.severity).lower(),
        assignees=people_of(row.assignees),
        labels=tuple(row.labels),
        milestones=milestones,
        estimate=estimate,
        remaining=None if estimate is None else max(0, estimate - (spent or 0)),
        spent=spent,
        points=row.weight,
        parent=f"{source}{row.epic.url}" if row.epic else "",
        due=row.due_date,
        visibility=visibility_of(row.confidential, project.visibility),
    )


def people_of(users: Iterable[api_types.User]) -> tuple[Person, ...]:
    """Convert accounts that can be mentioned."""
    return tuple(map(_mentioned, users))


@lru_cache(PEOPLE)
def _mentioned(user: api_types.User) -> Person:
    return Person(str(user.id), user.name or user.username, user.username, is_bot(user))


def merge_request_of(row: api_types.MergeRequest, project: Project) -> Issue:
    """Convert a merge request without the issues that it closes and its reviews.

    It is done when it is merged. One that was closed without it has the resolution ``not merged``.
    """
    closed = row.state in ("merged", "closed")
    closed_at = row.merged_at or row.closed_at
    times = row.time_stats
    return Issue(
        id=f"{_MERGE_REQUEST_ID}{row.id}",
        project=project.id,
        key=row.references.full,
        title=row.title,
        url=row.web_url,
        state=State.CLOSED if closed else State.OPEN,
        raw_state=row.state,
        category=StatusCategory.DONE if closed else StatusCategory.IN_PROGRESS,
        created_at=to_utc(row.created_at),
        updated_at=to_utc(row.updated_at),
        closed_at=to_utc(closed_at) if closed and closed_at else None,
        resolution="" if not closed else "merged" if row.state == "merged" else "not merged",
        assignees=people_of(row.assignees),
        labels=tuple(row.labels),
        milestones=(str(row.milestone.id),) if row.milestone else (),
        estimate=times.time_estimate or None,
        remaining=max(0, times.time_estimate - times.total_time_spent) if times.time_estimate else None,
        spent=times.total_time_spent or None,
        is_pull_request=True,
        visibility=project.visibility,
    )


def _resolution(row: api_types.Issue) -> str:
    """The resolution ``moved`` or ``duplicate``: GitLab closes such issues, but they are no finished work.

    That an issue was closed as canceled is in its status, which is not in its row.
    """
    if row.moved_to_id is not None:
        return "moved"
    return "duplicate" if row.links.closed_as_duplicate_of else ""


def unread_issue(row: Raw, reason: str) -> UnreadRow:
    """Describe an issue that cannot be read. ``project`` is empty if that cannot be read either."""
    return _unread(row, reason, UnreadKind.ISSUE)


def unread_merge_request(row: Raw, reason: str) -> UnreadRow:
    """Describe a merge request that cannot be read, as `unread_issue` does."""
    return _unread(row, reason, UnreadKind.MERGE_REQUEST)


def _unread(row: Raw, reason: str, kind: UnreadKind) -> UnreadRow:
    sign, prefix = ("!", _MERGE_REQUEST_ID) if kind is UnreadKind.MERGE_REQUEST else ("#", "")
    fields = fields_of(row)
    number, reference, native = word_at(fields, "iid"), word_at(fields, "references", "full"), word_at(fields, "id")
    return UnreadRow(
        project=word_at(fields, "project_id"),
        kind=kind,
        reason=reason,
        id=f"{prefix}{native}" if native else "",
        key=reference if _REFERENCE.search(reference) else f"{sign}{number}" if number.isdecimal() else "",
        milestones=(*words_at(fields, "milestone", "id"), *_containers_of(fields)),
    )


def _containers_of(fields: Mapping[str, Any]) -> Iterator[str]:
    """Yield the iteration and the epic that an issue's row names."""
    if iteration := word_at(fields, "iteration", "id"):
        yield f"{ITERATION}{iteration}"
    group, number = word_at(fields, "epic", "group_id"), word_at(fields, "epic", "iid")
    if group and number:
        yield epic_id(group, number)


def number_of(row: UnreadRow) -> int | None:
    """Return the number in the project of an issue or merge request that cannot be read; None without one."""
    match = _REFERENCE.search(row.key)
    return int(match[1]) if match else None


def unread_milestone(row: Raw, reason: str, project: str) -> UnreadRow:
    """Describe a milestone that cannot be read."""
    number = word_at(fields_of(row), "id")
    return UnreadRow(project=project, kind=UnreadKind.MILESTONE, reason=reason, id=number, key=number)
