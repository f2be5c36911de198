"""Sandbox GitLab: JSON entities of REST API v4, one function per entity.

Fields without a licence (weight, epic, blocking counts) are absent, not null.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote

from connectors.sandbox.gitlab.formats import Json, group_id, stamp
from connectors.sandbox.gitlab.planning import Planning
from connectors.sandbox.versions import shown
from connectors.sandbox.world import Tracker
from connectors.sandbox.world_data import Change, Comment, Epic, Issue, Label, MergeRequest, Milestone, Project, User

__all__ = ["View"]


class View:
    """The entities of one tracker."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self.planning = Planning(tracker, self.event)

    def user(self, user: User) -> Json:
        """A user in short form."""
        return {
            "id": user.id,
            "username": user.login,
            "name": user.name,
            "state": "active",
            "locked": False,
            "avatar_url": None,
            "web_url": f"{self.tracker.url}/{quote(user.login)}",
        }

    def project(self, project: Project) -> Json:
        """Return a project. Its id is a number, unlike in third parties' descriptions."""
        namespace, _, path = project.key.rpartition("/")
        visibility = "private" if project.private else "internal" if project.internal else "public"
        return {
            "id": project.id,
            "description": "",
            "name": project.name,
            "name_with_namespace": f"{namespace} / {project.name}",
            "path": path,
            "path_with_namespace": project.key,
            "created_at": stamp(project.created),
            "default_branch": "main",
            "topics": [],
            "web_url": f"{self.tracker.url}/{project.key}",
            "last_activity_at": stamp(project.updated or project.created),
            "namespace": self.group(namespace) | {"kind": "group"},
            "archived": project.archived,
            "visibility": visibility,
            "issues_enabled": not project.issues_off,
            "issues_access_level": "disabled" if project.issues_off else "enabled",
            "merge_requests_enabled": not project.merge_requests_off,
            "merge_requests_access_level": "disabled" if project.merge_requests_off else "enabled",
            "open_issues_count": sum(issue.closed is None for issue in project.issues.values()),
            "permissions": {
                "project_access": {"access_level": self.access(project), "notification_level": 3},
                "group_access": None,
            },
        }

    @staticmethod
    def access(project: Project) -> int:
        """Return the bot's level in a project: Guest, Developer or Maintainer."""
        return 10 if project.read_only else 40 if project.admin else 30

    def group(self, path: str) -> Json:
        """A group."""
        return {
            "id": group_id(path),
            "name": path.rpartition("/")[2],
            "path": path.rpartition("/")[2],
            "full_path": path,
            "parent_id": group_id(path.rpartition("/")[0]) if "/" in path else None,
            "web_url": f"{self.tracker.url}/groups/{path}",
        }

    def milestone(self, milestone: Milestone, project: Project) -> Json:
        """A milestone of a project or, then without ``project_id``, of a group."""
        today = self.tracker.world.clock().date()
        owner: Json
        if milestone.group:
            owner, place = {"group_id": group_id(milestone.group)}, f"groups/{milestone.group}"
        else:
            owner, place = {"project_id": project.id}, project.key
        return {
            "id": milestone.id,
            "iid": milestone.number,
            **owner,
            "title": milestone.title,
            "description": milestone.description,
            "state": "closed" if milestone.closed else "active",
            "created_at": stamp(milestone.created),
            "updated_at": stamp(milestone.updated),
            "due_date": milestone.due and milestone.due.isoformat(),
            "start_date": milestone.start and milestone.start.isoformat(),
            "expired": bool(milestone.due and milestone.due < today),
            "web_url": f"{self.tracker.url}/{place}/-/milestones/{milestone.number}",
        }

    def blocking(self, project: Project) -> Counter[int]:
        """Count the open issues that each issue (by number) blocks."""
        return Counter(n for issue in project.issues.values() if issue.closed is None for n in issue.blocked_by)

    @staticmethod
    def closing(issue: Issue, project: Project) -> list[MergeRequest]:
        """Return the merge requests that close an issue."""
        return [change for change in project.merge_requests.values() if issue.number in change.closing]

    def issue(self, issue: Issue, project: Project, blocking: Counter[int]) -> Json:
        """Return an issue, the same in lists and single reads."""
        milestone = project.milestones.get(issue.milestones[0]) if issue.milestones else None
        people = [self.user(user) for user in issue.assignees]
        shown: Json = {
            "id": issue.id,
            "iid": issue.number,
            "project_id": project.id,
            "title": issue.title,
            "description": issue.body or None,
            "state": "closed" if issue.closed else "opened",
            "created_at": stamp(issue.created),
            "updated_at": stamp(issue.updated),
            "closed_at": stamp(issue.closed),
            "closed_by": self._closed_by(issue),
            "labels": sorted(issue.labels),
            "milestone": self.milestone(milestone, project) if milestone else None,
            "assignees": people,
            "assignee": people[0] if people else None,
            "author": self.user(issue.author),
            "type": issue.type.upper() if issue.type in ("incident", "task") else "ISSUE",
            "issue_type": issue.type if issue.type in ("incident", "task") else "issue",
            "user_notes_count": len(issue.comments),
            "merge_requests_count": len(self.closing(issue, project)),
            "upvotes": 0,
            "downvotes": 0,
            "due_date": issue.due and issue.due.isoformat(),
            "confidential": issue.confidential,
            "discussion_locked": None,
            "web_url": f"{self.tracker.url}/{project.key}/-/issues/{issue.number}",
            "time_stats": {
                "time_estimate": issue.estimate or 0,
                "total_time_spent": issue.spent or 0,
                "human_time_estimate": None,
                "human_total_time_spent": None,
            },
            "task_completion_status": {"count": 0, "completed_count": 0},
            "has_tasks": False,
            "severity": "UNKNOWN",
            **self._references(issue, project),
            "moved_to_id": 1 if issue.resolution == "moved" else None,
            "imported": False,
            "imported_from": "none",
            "service_desk_reply_to": None,
        }
        if self.tracker.premium and not self.tracker.licence_ended:
            shown |= self._licensed(issue, project, blocking)
        return shown

    def _closed_by(self, issue: Issue) -> Json | None:
        """Return who closed an issue that is closed now."""
        closings = [change for change in issue.changes if change.field == "state" and change.new == "closed"]
        return self.user(max(closings, key=lambda change: change.at).actor) if issue.closed and closings else None

    def _references(self, issue: Issue, project: Project) -> Json:
        base = f"{self.tracker.url}/api/v4/projects/{project.id}"
        return {
            "_links": {
                "self": f"{base}/issues/{issue.number}",
                "notes": f"{base}/issues/{issue.number}/notes",
                "award_emoji": f"{base}/issues/{issue.number}/award_emoji",
                "project": base,
                "closed_as_duplicate_of": f"{base}/issues/1" if issue.resolution == "duplicate" else None,
            },
            "references": {
                "short": f"#{issue.number}",
                "relative": f"#{issue.number}",
                "full": f"{project.key}#{issue.number}",
            },
        }

    def _licensed(self, issue: Issue, project: Project, blocking: Counter[int]) -> Json:
        """Return the fields that need a licence."""
        shown: Json = {
            "weight": None if issue.points is None else int(issue.points),
            "blocking_issues_count": blocking[issue.number],
            "health_status": issue.health or None,
            **self.planning.of_issue(issue),
        }
        if issue.parent:
            namespace = project.key.rpartition("/")[0]
            number = issue.parent.lstrip("&")
            shown["epic"] = {
                "id": zlib.crc32(issue.parent.encode()),
                "iid": int(number) if number.isdigit() else 1,
                "title": f"Epic {number}",
                "url": f"/groups/{namespace}/-/epics/{number}",
                "group_id": group_id(namespace),
            }
        return shown

    def note(self, comment: Comment, issue: Issue, project: Project) -> Json:
        """A comment."""
        row = self._note(comment.id, str(comment.body), comment.author, comment.created, comment.updated, issue)
        row |= {"project_id": project.id, "confidential": comment.internal, "internal": comment.internal}
        return shown(self.tracker, "note", row)

    def system_notes(self, issue: Issue, project: Project) -> Iterator[Json]:
        """Return the system notes of the thread."""
        for change in issue.changes:
            said = {"label": "changed labels", "state": str(change.new), "milestone": "changed milestone"}
            if change.field in said:
                note = self._note(change.id, said[change.field], change.actor, change.at, change.at, issue)
                yield note | {"system": True, "project_id": project.id, "confidential": False, "internal": False}
        for change, text, _ in self.planning.epic_notes(issue, project):
            note = self._note(change.id, text, change.actor, change.at, change.at, issue)
            yield note | {"system": True, "project_id": project.id, "confidential": False, "internal": False}

    def _note(
        self, id_: int, body: str, author: User, created: datetime, updated: datetime, issue: Issue
    ) -> dict[str, Any]:
        return {
            "id": id_,
            "type": None,
            "body": body,
            "author": self.user(author),
            "created_at": stamp(created),
            "updated_at": stamp(updated),
            "system": False,
            "noteable_id": issue.id,
            "noteable_type": "Issue",
            "noteable_iid": issue.number,
            "resolvable": False,
            "imported": False,
            "commands_changes": {},
        }

    def label(self, label: Label) -> Json:
        """A label; its colour begins with ``#``."""
        return {
            "id": label.id,
            "name": label.name,
            "description": label.description,
            "description_html": label.description,
            "text_color": "#FFFFFF",
            "color": f"#{label.colour}",
            "subscribed": False,
            "priority": None,
            "is_project_label": True,
        }

    def milestone_events(self, issue: Issue, project: Project) -> list[Json]:
        """The issue's milestone events. As in GitLab, a change of milestone is one ``add`` and no
        ``remove``, and an issue that was created in a milestone has an ``add`` at its creation.
        """
        moves = sorted((c for c in issue.changes if c.field == "milestone"), key=lambda c: (c.at, c.new is not None))
        born = list(issue.milestones)
        for change in reversed(moves):
            born = [change.old] if change.old is not None else [m for m in born if m != change.new]
        events = [Change(issue.id, issue.created, issue.author, "milestone", None, m) for m in born[:1]]
        added_at = {change.at for change in moves if change.new is not None}
        events += [change for change in moves if change.new is not None or change.at not in added_at]
        return [
            self.event(event, issue)
            | {
                "action": "remove" if event.new is None else "add",
                "milestone": self.milestone(known, project) if known else None,
            }
            for event in events
            for known in [project.milestones.get(event.old if event.new is None else event.new)]
        ]

    def state_events(self, issue: Issue) -> list[Json]:
        """The issue's closures and reopenings."""
        return [
            self.event(change, issue)
            | {
                "state": "reopened" if change.new == "open" else change.new,
                "source_commit": None,
                "source_merge_request_id": None,
            }
            for change in sorted(issue.changes, key=lambda c: c.at)
            if change.field == "state"
        ]

    def project_events(self, project: Project, action: str, target_type: str) -> list[Json]:
        """The closings and reopenings of all issues of a project, the newest first, as its list of events has them.

        Those of issues with an even number were made in the view of work items, which is another type of target.
        """
        changes = [
            (change, issue)
            for issue in project.issues.values()
            for change in issue.changes
            if change.field == "state"
            and action in ("", "reopened" if change.new == "open" else change.new)
            and not (target_type and issue.number % 2 == 0)
        ]
        return [
            {
                "id": change.id,
                "project_id": project.id,
                "action_name": "reopened" if change.new == "open" else change.new,
                "target_id": issue.id,
                "target_iid": issue.number,
                "target_type": "Issue" if issue.number % 2 else "WorkItem",
                "target_title": issue.title,
                "created_at": stamp(change.at),
                "author": self.user(change.actor),
            }
            for change, issue in sorted(changes, key=lambda pair: (pair[0].at, pair[0].id), reverse=True)
        ]

    def label_events(self, issue: Issue, project: Project) -> list[Json]:
        """The issue's label events. A label that was deleted has none of its data."""
        return [
            self.event(change, issue)
            | {"action": "remove" if change.new is None else "add", "label": self.label(label) if label else None}
            for change in sorted(issue.changes, key=lambda change: change.at)
            if change.field == "label"
            for label in [project.labels.get(change.new or change.old)]
        ]

    def event(self, change: Change, issue: Issue | Epic) -> Json:
        """The common part of an issue's events."""
        return {
            "id": change.id,
            "user": self.user(change.actor),
            "created_at": stamp(change.at),
            "resource_type": type(issue).__name__,
            "resource_id": issue.id,
        }
