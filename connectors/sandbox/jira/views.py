"""Sandbox Jira: JSON of projects, versions, issues, histories and comments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, time, timedelta
from itertools import groupby
from typing import Any
from zlib import crc32
from zoneinfo import ZoneInfo

from connectors.sandbox.jira.hierarchy import EPIC_LINK, PARENT_LINK, level_of, parent_field, type_view
from connectors.sandbox.jira.jql import Row
from connectors.sandbox.world import Tracker
from connectors.sandbox.world_data import Change, Comment, File, Issue, Milestone, Project, User

__all__ = ["CATEGORIES", "POINTS", "SPRINT", "START_DATE", "STATUSES", "Wording", "plain", "text_number"]

Json = dict[str, Any]

STATUSES = {
    "To Do": "new",
    "Open": "new",
    "Reopened": "new",
    "In Progress": "indeterminate",
    "In Review": "indeterminate",
    "Done": "done",
    "Resolved": "done",
    "Closed": "done",
}
"""The usual statuses and the key of the category of each; `Tracker.statuses` has further ones."""

CATEGORIES = {
    "new": (2, "To Do", "blue-gray"),
    "indeterminate": (4, "In Progress", "yellow"),
    "done": (3, "Done", "green"),
}
POINTS = {True: "customfield_10016", False: "customfield_10002"}
"""The story points field, on Cloud (True) and Data Center."""
SPRINT = "customfield_10020"
START_DATE = "customfield_10015"
_START = {
    True: ("Start date", "com.atlassian.jira.plugin.system.customfieldtypes:datepicker"),
    False: ("Target start", "com.atlassian.jpo:jpo-custom-field-baseline-start"),
}
"""Name and kind of the field with an epic's start, on Cloud (True) and Data Center."""


def text_number(text: str) -> str:
    """Return a stable id for an object that has only a name."""
    return str(10000 + crc32(text.encode()) % 89999)


def plain(body: Any) -> str:
    """Return the text of an ADF document (or the text itself)."""
    if isinstance(body, str):
        return body
    if not isinstance(body, Mapping):
        return ""
    inner = "".join(plain(node) for node in body.get("content", ()))
    return str(body.get("text", "")) + inner + ("\n" if body.get("type") == "paragraph" else "")


class Wording:
    """JSON of one Jira: ``cloud`` or Data Center, with absolute addresses.

    Created for each request, because it caches blocking links.
    """

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self._blocking: dict[int, dict[int, list[Issue]]] = {}
        self.cloud = tracker.kind == "jira-cloud"
        self.most_comments = 20 if self.cloud else 1_048_576
        self.api = "3" if self.cloud else "2"
        self.fields: dict[str, Callable[[Row], Any]] = {
            "summary": lambda row: row[1].title,
            "description": lambda row: self.body(row[1].body),
            "status": lambda row: self.status(row[1].status),
            "project": lambda row: self.project_ref(row[0]),
            "issuetype": lambda row: self.type(row[1].type),
            "priority": lambda row: (
                {"id": text_number(row[1].priority), "name": row[1].priority} if row[1].priority else None
            ),
            "created": lambda row: self.time(row[1].created),
            "updated": lambda row: self.time(row[1].updated),
            "resolutiondate": lambda row: self.time(row[1].closed) if row[1].jira_resolution else None,
            "resolution": lambda row: self.resolution(name) if (name := row[1].jira_resolution) else None,
            "fixVersions": self.fix_versions,
            "versions": lambda _: [],
            "labels": lambda row: row[1].labels,
            "assignee": lambda row: self.user(row[1].assignees[0]) if row[1].assignees else None,
            "reporter": lambda row: self.user(row[1].author),
            "creator": lambda row: self.user(row[1].author),
            "duedate": lambda row: None if row[1].due is None else row[1].due.isoformat(),
            "timeoriginalestimate": lambda row: row[1].estimate,
            "timeestimate": lambda row: row[1].estimate if row[1].remaining is None else row[1].remaining,
            "timespent": lambda row: row[1].spent,
            "issuelinks": self.links,
            "parent": self.parent,
            "subtasks": lambda _: [],
            "security": lambda row: (
                {"id": "10100", "name": "Staff", "description": ""} if row[1].confidential else None
            ),
            "attachment": lambda row: [self.attachment(file) for file in row[1].files],
            "comment": lambda row: self.comments(row[1], row[1].comments, 0, self.most_comments, expand=""),
            POINTS[self.cloud]: lambda row: row[1].points,
            SPRINT: self.sprints,
            START_DATE: lambda row: None if row[1].start is None else row[1].start.isoformat(),
        }
        if self.cloud:
            self.fields["statuscategorychangedate"] = lambda row: self.time(_last_status(row[1]))
        else:
            self.fields[EPIC_LINK] = lambda row: self.parent_key(row[1], EPIC_LINK)
            if tracker.premium:
                hides = tracker.hides_parent_links
                self.fields[PARENT_LINK] = lambda row: None if hides else self.parent_key(row[1], PARENT_LINK)
        self.start_name, self.start_kind = _START[self.cloud]

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the bot's profile."""
        return ZoneInfo(self.tracker.time_zone)

    def address(self, path: str) -> str:
        """Return an absolute address of this Jira's API."""
        return f"{self.tracker.url}/rest/api/{self.api}/{path}"

    def time(self, at: datetime | None) -> str | None:
        """``2026-01-02T03:04:05.678+0000``, in the account's zone."""
        if at is None:
            return None
        local = at if self.tracker.time_zone == "UTC" else at.astimezone(self.zone)
        text = local.isoformat(timespec="milliseconds")
        return text[:-3] + text[-2:]

    def body(self, body: Any) -> Any:
        """Return a text in this dialect's format: an ADF document on Cloud, wiki markup on Data Center."""
        if not self.cloud:
            return plain(body)
        if isinstance(body, str):
            return {
                "type": "doc",
                "version": 1,
                "content": [{"type": "paragraph", "content": [{"type": "text", "text": body}]}] if body else [],
            }
        return body

    # --- people, projects, versions -------------------------------------------------------------------------------

    def user(self, user: User) -> Json:
        """A user in short."""
        if self.cloud:
            return {
                "self": self.address(f"user?accountId=sandbox:{user.id}"),
                "accountId": f"sandbox:{user.id}",
                "accountType": "app" if user.bot else "atlassian",
                "displayName": user.name,
                "active": True,
            }
        return {
            "self": self.address(f"user?username={user.login}"),
            "name": user.login,
            "key": f"JIRAUSER{user.id}",
            "displayName": user.name,
            "active": True,
        }

    def project_ref(self, project: Project) -> Json:
        """Return a project inside another object."""
        return {
            "self": self.address(f"project/{project.id}"),
            "id": str(project.id),
            "key": project.key,
            "name": project.name,
            "projectTypeKey": "software",
        }

    def project(self, project: Project, *, with_lead: bool = False) -> Json:
        """Return a project."""
        shown = self.project_ref(project)
        if with_lead and project.lead is not None:
            shown["lead"] = self.user(project.lead)
        if self.cloud:
            shown |= {"style": "classic", "simplified": False, "isPrivate": project.private}
        return shown

    def version(self, project: Project, version: Milestone, *, with_driver: bool = False) -> Json:
        """A version; dates that are not set are absent, as on the real Jira. Its driver is an account id."""
        shown: Json = {
            "self": self.address(f"version/{version.id}"),
            "id": str(version.id),
            "name": version.title,
            "archived": version.archived,
            "released": version.released,
            "projectId": project.id,
        }
        if with_driver and version.driver is not None:
            shown["driver"] = self.user(version.driver)["accountId"]
        if version.description:
            shown["description"] = version.description
        if version.start is not None:
            shown["startDate"] = version.start.isoformat()
        if version.due is not None:
            shown["releaseDate"] = version.due.isoformat()
            end = datetime.combine(version.due, time(), self.zone) + timedelta(days=1)
            shown["overdue"] = not version.released and end <= self.tracker.world.clock()
        return shown

    # --- issues ---------------------------------------------------------------------------------------------------

    def category_of(self, status: str) -> str:
        """The key of a status's category."""
        status = self.tracker.renamed_statuses.get(status, status)
        return STATUSES.get(status) or self.tracker.statuses.setdefault(status, "indeterminate")

    def status_id(self, status: str) -> str:
        """The id of a status, by its present name or an earlier one."""
        self.category_of(status)
        status = self.tracker.renamed_statuses.get(status, status)
        return str(10000 + [*STATUSES, *self.tracker.statuses].index(status))

    def status(self, status: str) -> Json:
        """A status with its category."""
        key = self.category_of(status)
        number, name, colour = CATEGORIES[key]
        return {
            "self": self.address(f"status/{self.status_id(status)}"),
            "description": "",
            "name": status,
            "id": self.status_id(status),
            "statusCategory": {
                "self": self.address(f"statuscategory/{number}"),
                "id": number,
                "key": key,
                "colorName": colour,
                "name": name,
            },
        }

    def type(self, name: str) -> Json:
        """An issue type."""
        return type_view(self.tracker, name)

    def resolution(self, name: str) -> Json:
        """A resolution."""
        return {"id": text_number(name), "name": name, "description": ""}

    def fix_versions(self, row: Row) -> list[Json]:
        """Return the versions of an issue."""
        project, issue = row
        return [self.version(project, project.milestones[m]) for m in issue.milestones if m in project.milestones]

    def sprints(self, row: Row) -> list[Any] | None:
        """The sprints of an issue: objects on Cloud, Data Center's texts; null where there is none."""
        project, issue = row
        found = [project.sprints[n] for n in issue.sprints if n in project.sprints]
        if not self.cloud:
            texts = [self.sprint_text(project, milestone) for milestone in found]
            return texts or None
        return [self.sprint(project, milestone) | {"boardId": project.id} for milestone in found] or None

    def sprint(self, project: Project, sprint: Milestone) -> Json:
        """Return a sprint in the Agile API's format; dates that are not set are absent."""
        start, end = (
            None if day is None else datetime.combine(day, time(12), self.zone) for day in (sprint.start, sprint.due)
        )
        shown: Json = {
            "id": sprint.id,
            "self": f"{self.tracker.url}/rest/agile/1.0/sprint/{sprint.id}",
            "state": self.sprint_state(sprint),
            "name": sprint.title,
            "originBoardId": project.id,
            "goal": sprint.description,
        }
        times = {"startDate": start, "endDate": end, "completeDate": sprint.closed, "createdDate": sprint.created}
        return shown | {name: self.time(at) for name, at in times.items() if at is not None}

    def sprint_state(self, sprint: Milestone) -> str:
        """``closed``, ``active`` or ``future``."""
        if sprint.closed is not None:
            return "closed"
        today = self.tracker.world.clock().date()
        return "active" if sprint.start is not None and sprint.start <= today else "future"

    def sprint_text(self, project: Project, sprint: Milestone) -> str:
        """Return a sprint as the text in Data Center's field."""
        told = self.sprint(project, sprint)
        parts = {"id": sprint.id, "rapidViewId": project.id, "state": told["state"].upper(), "name": sprint.title}
        parts |= {name: told.get(name, "<null>") for name in ("startDate", "endDate", "completeDate")}
        inside = ",".join(f"{name}={value}" for name, value in parts.items())
        return f"com.atlassian.greenhopper.service.sprint.Sprint@1f2e3d[{inside},sequence={sprint.id},goal=]"

    def links(self, row: Row) -> list[Json]:
        """Return the blocking links of the issue, both directions."""
        project, issue = row
        kind = {"id": "10000", "name": "Blocks", "inward": "is blocked by", "outward": "blocks"}
        blocks = self.blocking(project).get(issue.number, [])
        return [
            {"id": text_number(f"{issue.id}<{n}"), "type": kind, "inwardIssue": self.linked(project.issues[n])}
            for n in issue.blocked_by
            if n in project.issues
        ] + [
            {"id": text_number(f"{other.id}<{issue.number}"), "type": kind, "outwardIssue": self.linked(other)}
            for other in blocks
        ]

    def blocking(self, project: Project) -> dict[int, list[Issue]]:
        """The issues that each number of a project blocks."""
        if project.id not in self._blocking:
            found = self._blocking[project.id] = {}
            for issue in [issue for issue in project.issues.values() if issue.blocked_by]:
                for number in issue.blocked_by:
                    found.setdefault(number, []).append(issue)
        return self._blocking[project.id]

    def linked(self, issue: Issue) -> Json:
        """Return an issue inside a link."""
        return {
            "id": str(issue.id),
            "key": issue.key,
            "self": self.address(f"issue/{issue.id}"),
            "fields": {"summary": issue.title, "status": self.status(issue.status), "issuetype": self.type(issue.type)},
        }

    def parent(self, row: Row) -> Json | None:
        """Return the parent: of sub-tasks everywhere, of an epic's children on Cloud."""
        key = self.parent_key(row[1], "parent")
        if not key:
            return None
        known = self._keyed(key)
        return {"id": known[0] if known else "0", "key": key, "fields": {"summary": key}}

    def parent_key(self, issue: Issue, field: str) -> str | None:
        """The key of an issue's parent if this is the field for it."""
        return issue.parent or None if parent_field(self.tracker, issue) == field else None

    def issue(self, row: Row, fields: Iterable[str], *, expand: str = "", properties: Iterable[str] = ()) -> Json:
        """Return an issue with the requested fields; a missing ``parent`` is absent, as on the real Jira."""
        issue = row[1]
        shown: Json = {
            "id": str(issue.id),
            "self": self.address(f"issue/{issue.id}"),
            "key": issue.key,
            "fields": {name: self.fields[name](row) for name in self.chosen(fields)},
        }
        if shown["fields"].get("parent", True) is None:
            del shown["fields"]["parent"]
        if "transitions" in expand:
            shown["transitions"] = self.transitions(row[0])
        if "changelog" in expand:
            histories = self.histories(issue)
            shown["changelog"] = {
                "startAt": 0,
                "maxResults": len(histories),
                "total": len(histories),
                "histories": histories,
            }
        wanted = set(properties)
        if wanted:
            shown["properties"] = {k: v for k, v in issue.properties.items() if k in wanted or "*all" in wanted}
        return shown

    def transitions(self, project: Project) -> list[Json]:
        """The transitions that the account may use: the same ones in every status."""
        if project.read_only or "TRANSITION_ISSUES" in project.denied:
            return []
        return [
            {"id": str(n), "name": name, "to": self.status(status)}
            for n, (name, status) in enumerate(self.tracker.transitions.items(), 11)
        ]

    def chosen(self, fields: Iterable[str]) -> list[str]:
        """Return the known fields of a list of names, ``*all`` and ``-name``."""
        names = list(fields)
        if "*all" in names or "*navigable" in names:
            names = [*self.fields, *names]
        without = {name[1:] for name in names if name.startswith("-")}
        return [name for name in dict.fromkeys(names) if name in self.fields and name not in without]

    # --- histories ------------------------------------------------------------------------------------------------

    def histories(self, issue: Issue) -> list[Json]:
        """The changelog, oldest first; changes of one moment and actor are one entry."""
        entries = []
        for (at, actor), group in groupby(issue.changes, key=lambda change: (change.at, change.actor.id)):
            changes = list(group)
            entries.append(
                {
                    "id": str(changes[0].id),
                    "author": self.user(self.tracker.users[actor]),
                    "created": self.time(at),
                    "items": [self.item(issue, change) for change in changes],
                }
            )
        return entries

    def item(self, issue: Issue, change: Change) -> Json:
        """One line of a changelog entry: ids in ``from`` and ``to``, names next to them."""
        if change.field == "milestone":
            title = change.title
            return self._item(
                "Fix Version",
                "fixVersions",
                None if change.old is None else (str(change.old), title),
                None if change.new is None else (str(change.new), title),
            )
        if change.field == "sprint":
            sides = [", ".join(map(str, ids)) for ids in (change.old, change.new)]
            return self._item("Sprint", SPRINT, *((text, text) if text else None for text in sides))
        if change.field == "parent":
            epic = [self._keyed(key) for key in (change.old, change.new)]
            if self.cloud and level_of(issue.type) >= 0:
                return self._item("IssueParentAssociation", "", *epic)
            if parent_field(self.tracker, issue) == PARENT_LINK:
                return self._item("Parent Link", PARENT_LINK, *epic)
            return self._item("Epic Link", EPIC_LINK, *epic)
        if change.field == "due":
            days = [None if day is None else (day.isoformat(), f"{day} 00:00:00.0") for day in (change.old, change.new)]
            return self._item("duedate", "duedate", *days)
        if change.field == "status":
            return self._item(
                "status",
                "status",
                (self.status_id(change.old), change.old),
                (self.status_id(change.new), change.new),
            )
        if change.field == "state":
            name = issue.resolution or "Done"
            known = (text_number(name), name)
            return self._item("resolution", "resolution", *((None, known) if change.new == "closed" else (known, None)))
        if change.field == "label":
            return self._item("labels", "labels", *(("", " ".join(labels)) for labels in _labels_around(issue, change)))
        words = [None if word is None else ("", str(word)) for word in (change.old, change.new)]
        return self._item(change.field, change.field, words[0], words[1])

    def _keyed(self, key: str) -> tuple[str, str] | None:
        """An issue by its key: id and key."""
        prefix, _, number = key.rpartition("-")
        project = self.tracker.projects.get(prefix)
        issue = project.issues.get(int(number)) if project is not None and number.isdigit() else None
        if issue is not None:
            return str(issue.id), key
        return ("0", key) if key else None

    def _item(self, name: str, number: str, old: tuple[str, str] | None, new: tuple[str, str] | None) -> Json:
        shown: Json = {"field": name, "fieldtype": "jira"}
        if self.cloud and number:
            shown["fieldId"] = number
        shown |= {"from": old[0] if old else None, "fromString": old[1] if old else None}
        return shown | {"to": new[0] if new else None, "toString": new[1] if new else None}

    def attachment(self, file: File) -> Json:
        """Return a file of an issue. The sandbox does not serve its content."""
        place = f"attachment/content/{file.id}" if self.cloud else ""
        return {
            "self": self.address(f"attachment/{file.id}"),
            "id": str(file.id),
            "filename": file.name,
            "author": self.user(file.author),
            "created": self.time(file.created),
            "size": len(file.content),
            "mimeType": "image/png" if file.name.endswith(".png") else "application/octet-stream",
            "content": self.address(place) if place else f"{self.tracker.url}/secure/attachment/{file.id}/{file.name}",
        }

    # --- comments -------------------------------------------------------------------------------------------------

    def comment(self, issue: Issue, comment: Comment, expand: str) -> Json:
        """A comment, with its properties when asked for."""
        shown = {
            "self": self.address(f"issue/{issue.id}/comment/{comment.id}"),
            "id": str(comment.id),
            "author": self.user(comment.author),
            "body": self.body(comment.body),
            "updateAuthor": self.user(comment.author),
            "created": self.time(comment.created),
            "updated": self.time(comment.updated),
        }
        if self.cloud:
            shown["jsdPublic"] = True
        if comment.internal:
            shown["visibility"] = {"type": "role", "value": "Developers"}
        if "properties" in expand:
            shown["properties"] = [{"key": key, "value": value} for key, value in comment.properties.items()]
        return shown

    def comments(self, issue: Issue, comments: list[Comment], start: int, size: int, *, expand: str) -> Json:
        """A page of comments."""
        shown = comments[start : start + size]
        return {
            "startAt": start,
            "maxResults": size,
            "total": len(comments),
            "comments": [self.comment(issue, comment, expand) for comment in shown],
        }


def _last_status(issue: Issue) -> datetime:
    return max((change.at for change in issue.changes if change.field == "status"), default=issue.created)


def _labels_around(issue: Issue, change: Change) -> tuple[list[str], list[str]]:
    """Return the labels of an issue before and after a change of one of them."""
    labels = set(issue.labels)
    for later in reversed([entry for entry in issue.changes if entry.field == "label"]):
        after = sorted(labels)
        labels = labels - {later.new} | ({later.old} if later.old is not None else set())
        if later is change:
            return sorted(labels), after
    return [], []
