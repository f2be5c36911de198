"""Real history for the sandbox's Data Center: the Titanium projects of 2010 to 2021, only keys, dates and field values.

The files have no titles, texts or people, no history of fixVersions and no time of a status change except the
resolution's: an issue is in its versions from its creation, its title is its key, and a resolved one changed its
status once.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from connectors.sandbox.world import Tracker
from connectors.sandbox.world_data import Change, Issue, Milestone, Project, User

__all__ = ["load"]

_VERSIONS, _ISSUES = "jira_titanium_versions.csv", "jira_titanium_issues.csv.gz"
_NEVER = datetime(2010, 1, 1, tzinfo=UTC)


def load(tracker: Tracker, folder: Path) -> None:
    """Load the history of ``folder`` into ``tracker``. Versions keep their ids, issues their keys and numbers.

    Raises FileNotFoundError when the files are not there.
    """
    reporter = tracker.user("reporter")
    for row in _rows(folder / _VERSIONS):
        project = tracker.project(row["project"], created=_NEVER)
        made = _version(row, len(project.milestones) + 1)
        project.milestones[made.id] = made
    for row in _rows(folder / _ISSUES):
        project = tracker.project(row["project"], created=_NEVER)
        tracker.statuses.setdefault(row["status"], row["status_category"])
        issue = _issue(row, tracker, reporter)
        project.issues[issue.number] = issue
    for project in tracker.projects.values():
        _in_order(project)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _version(row: dict[str, str], number: int) -> Milestone:
    due = date.fromisoformat(row["releaseDate"]) if row["releaseDate"] else None
    released = row["released"] == "True"
    ended = datetime(due.year, due.month, due.day, tzinfo=UTC) + timedelta(days=1) if due and released else None
    return Milestone(
        id=int(row["id"]),
        number=number,
        title=row["name"],
        created=_NEVER,
        updated=_NEVER,
        start=date.fromisoformat(row["startDate"]) if row["startDate"] else None,
        due=due,
        closed=ended,
        released=released,
        archived=row["archived"] == "True",
    )


def _issue(row: dict[str, str], tracker: Tracker, reporter: User) -> Issue:
    resolved = _time(row["resolutiondate"]) if row["resolutiondate"] else None
    made = Issue(
        id=tracker.world.next_id(),
        number=int(row["key"].rpartition("-")[2]),
        title=row["key"],
        author=reporter,
        created=_time(row["created"]),
        updated=_time(row["updated"]),
        closed=resolved,
        resolution=row["resolution"],
        status=row["status"],
        type=row["type"],
        priority=row["priority"],
        labels=_split(row["labels"]),
        milestones=[int(number) for number in _split(row["fix_version_ids"])],
        key=row["key"],
    )
    if resolved is not None:
        made.changes.append(Change(tracker.world.next_id(), resolved, reporter, "status", "Open", row["status"]))
    return made


def _split(text: str) -> list[str]:
    return text.split("|") if text else []


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _in_order(project: Project) -> None:
    """Sort issues by number, the order of creation."""
    project.issues = dict(sorted(project.issues.items()))
    project.updated = max((issue.updated for issue in project.issues.values()), default=project.created)
