"""Sandbox Jira: read, create, change and delete single issues and comments, with Jira's own refusals."""

from __future__ import annotations

from datetime import date
from typing import Any

from connectors.sandbox.jira.jql import Row
from connectors.sandbox.jira.requests import Ask, RefusedByJiraError, names, whole
from connectors.sandbox.jira.search import Desk
from connectors.sandbox.jira.views import Wording, plain, text_number
from connectors.sandbox.world import Tracker
from connectors.sandbox.world_data import Comment

__all__ = ["Issues"]

Json = dict[str, Any]

LONGEST_TEXT = 32_767
MOST_COMMENTS = 1000
"""Comments by id in one answer."""
_TYPES = ("Task", "Bug", "Story", "Epic", "Sub-task", "Improvement", "New Feature")


class Issues:
    """Handlers; each takes a request and returns a body, or a status and a body."""

    def __init__(self, tracker: Tracker, desk: Desk) -> None:
        self.tracker, self.desk = tracker, desk

    # --- issues ---------------------------------------------------------------------------------------------------

    def show(self, ask: Ask) -> Json:
        """Return one issue in its present state."""
        asked = ask.query
        return Wording(self.tracker).issue(
            self._row(ask),
            names(asked.getlist("fields")) or ["*all"],
            expand=asked.get("expand", ""),
            properties=names(asked.getlist("properties")),
        )

    def changelog(self, ask: Ask) -> Json:
        """Return an issue's history by pages, oldest first."""
        histories = Wording(self.tracker).histories(self._row(ask)[1])
        start = whole(ask.query.get("startAt"), 0)
        size = min(whole(ask.query.get("maxResults"), 100), 100)
        return {
            "startAt": start,
            "maxResults": size,
            "total": len(histories),
            "isLast": start + size >= len(histories),
            "values": histories[start : start + size],
        }

    def create(self, ask: Ask) -> tuple[int, Json]:
        """Create an issue with project, type and summary, optionally with entity properties."""
        fields = ask.body.get("fields")
        if not isinstance(fields, dict):
            raise RefusedByJiraError(400, "Field 'fields' is required.")
        reference = fields.get("project") or {}
        project = self.tracker.projects.get(str(reference.get("key", "")).upper()) or next(
            (p for p in self.tracker.projects.values() if str(p.id) == str(reference.get("id"))), None
        )
        if project is None or project.hidden:
            raise RefusedByJiraError(400, errors={"project": "valid project is required"})
        if project.read_only:
            raise RefusedByJiraError(403, "You do not have permission to create issues in this project.")
        kind = fields.get("issuetype") or {}
        named = next((n for n in _TYPES if kind.get("name") == n or kind.get("id") == text_number(n)), None)
        if named is None:
            raise RefusedByJiraError(400, errors={"issuetype": "Specify a valid issue type"})
        summary = fields.get("summary")
        if not isinstance(summary, str) or not summary.strip():
            raise RefusedByJiraError(400, errors={"summary": "You must specify a summary of the issue."})
        if len(summary) > 255 or "\n" in summary:
            raise RefusedByJiraError(400, errors={"summary": "Summary must be one line of at most 255 characters."})
        labels = _labels(fields.get("labels") or [])
        text = self._text(fields["description"], "description") if fields.get("description") is not None else ""
        made = self.tracker.issue(project, summary, self.tracker.bot, body=text, type=named, labels=labels)
        made.properties.update(_properties(ask.body))
        return 201, {
            "id": str(made.id),
            "key": made.key,
            "self": Wording(self.tracker).address(f"issue/{made.id}"),
        }

    def update(self, ask: Ask) -> tuple[int, Json | None]:
        """Change fields, or labels by a delta."""
        project, issue = self._writable(ask)
        delta = (ask.body.get("update") or {}).get("labels") or []
        fields = ask.body.get("fields") or {}
        unknown = (set(fields) | set(ask.body.get("update") or {})) - {"labels", "summary", "description", "duedate"}
        if unknown:
            name = min(unknown)
            raise RefusedByJiraError(400, errors={name: f"Field '{name}' cannot be set. It is not on the screen."})
        add = _labels([change["add"] for change in delta if "add" in change])
        remove = [str(change["remove"]) for change in delta if "remove" in change]
        if "labels" in fields:
            add = _labels(fields["labels"])
            remove = [name for name in issue.labels if name not in add]
        self.tracker.label(issue, add, remove, self.tracker.bot)
        if "summary" in fields:
            self.tracker.change(issue, "summary", issue.title, fields["summary"], self.tracker.bot, None, "")
            issue.title = str(fields["summary"])
        if "description" in fields:
            issue.body = self._text(fields["description"], "description")
            issue.updated = self.tracker.world.clock()
        if "duedate" in fields:
            issue.due = date.fromisoformat(fields["duedate"]) if fields["duedate"] else None
            issue.updated = self.tracker.world.clock()
        issue.properties.update(_properties(ask.body))
        if ask.query.get("returnIssue") == "true":
            return 200, Wording(self.tracker).issue((project, issue), ["*all"])
        return 204, None

    def delete(self, ask: Ask) -> tuple[int, None]:
        """Delete an issue."""
        project, issue = self._writable(ask)
        del project.issues[issue.number]
        return 204, None

    def transitions(self, ask: Ask) -> Json:
        """Return the transitions that the account may use."""
        return {"expand": "transitions", "transitions": Wording(self.tracker).transitions(self._row(ask)[0])}

    def transit(self, ask: Ask) -> tuple[int, None]:
        """Move an issue to a status; into the category done it gets a resolution, out of it loses it."""
        project, issue = self._writable(ask)
        number = str((ask.body.get("transition") or {}).get("id", ""))
        offered = {entry["id"]: entry["to"]["name"] for entry in Wording(self.tracker).transitions(project)}
        if number not in offered:
            raise RefusedByJiraError(400, "It seems that you have tried to perform an invalid workflow operation.")
        status = offered[number]
        if Wording(self.tracker).category_of(status) == "done" and issue.closed is None:
            self.tracker.close(issue, self.tracker.bot, status=status)
        elif Wording(self.tracker).category_of(status) != "done" and issue.closed is not None:
            self.tracker.reopen(issue, self.tracker.bot, status=status)
        elif status != issue.status:
            self.tracker.change(issue, "status", issue.status, status, self.tracker.bot, None, "")
            issue.status = status
        return 204, None

    # --- properties -----------------------------------------------------------------------------------------------

    def get_property(self, ask: Ask) -> Json:
        """One property of an issue."""
        return _property(self._row(ask)[1].properties, ask)

    def put_property(self, ask: Ask) -> tuple[int, None]:
        """Set a property of an issue without an update of the issue."""
        return _set_property(self._writable(ask)[1].properties, ask)

    def delete_property(self, ask: Ask) -> tuple[int, None]:
        """Delete a property."""
        properties = self._writable(ask)[1].properties
        _property(properties, ask)
        del properties[ask.path["property"]]
        return 204, None

    def get_comment_property(self, ask: Ask) -> Json:
        """One property of a comment."""
        return _property(self._any_comment(ask).properties, ask)

    def put_comment_property(self, ask: Ask) -> tuple[int, None]:
        """Set a property of a comment."""
        return _set_property(self._any_comment(ask).properties, ask)

    # --- comments -------------------------------------------------------------------------------------------------

    def list_comments(self, ask: Ask) -> Json:
        """Return comments by pages, oldest first by default."""
        asked = ask.query
        issue = self._row(ask)[1]
        comments = sorted(issue.comments, key=lambda c: (c.created, c.id), reverse=asked.get("orderBy") == "-created")
        start = whole(asked.get("startAt"), 0)
        size = whole(asked.get("maxResults"), 100 if self.tracker.kind == "jira-cloud" else 1_048_576)
        if self.tracker.kind == "jira-cloud":
            size = min(size, 100)
        return Wording(self.tracker).comments(issue, comments, start, size, expand=asked.get("expand", ""))

    def show_comment(self, ask: Ask) -> Json:
        """One comment."""
        (_, issue), comment = self._comment(ask)
        return Wording(self.tracker).comment(issue, comment, ask.query.get("expand", ""))

    def comments_by_id(self, ask: Ask) -> Json:
        """Return comments by id, without those that do not exist. Cloud only."""
        ids = ask.body.get("ids")
        if not isinstance(ids, list) or not ids or len(ids) > MOST_COMMENTS or not all(isinstance(n, int) for n in ids):
            raise RefusedByJiraError(400, f"Between 1 and {MOST_COMMENTS} ids are allowed.")
        wording, expand = Wording(self.tracker), ask.query.get("expand", "")
        visible = (project for project in self.tracker.projects.values() if not project.hidden)
        issues = (issue for project in visible for issue in project.issues.values() if issue.comments)
        known = {comment.id: (issue, comment) for issue in issues for comment in issue.comments}
        shown = [wording.comment(*known[number], expand) for number in ids if number in known]
        return {"startAt": 0, "maxResults": len(ids), "total": len(shown), "isLast": True, "values": shown}

    def add_comment(self, ask: Ask) -> tuple[int, Json]:
        """Post a comment with its properties."""
        _, issue = self._writable(ask)
        text = self._text(ask.body.get("body"), "comment")
        made = self.tracker.comment(issue, self.tracker.bot, text, properties=self._along(ask))
        return 201, Wording(self.tracker).comment(issue, made, ask.query.get("expand", ""))

    def edit_comment(self, ask: Ask) -> Json:
        """Rewrite a comment of the same author."""
        _, issue = self._writable(ask)
        comment = self._own_comment(ask)
        self.tracker.edit_comment(issue, comment, self._text(ask.body.get("body"), "comment"))
        comment.properties.update(self._along(ask))
        return Wording(self.tracker).comment(issue, comment, ask.query.get("expand", ""))

    def delete_comment(self, ask: Ask) -> tuple[int, None]:
        """Delete a comment."""
        _, issue = self._writable(ask)
        issue.comments.remove(self._own_comment(ask))
        issue.updated = self.tracker.world.clock()
        return 204, None

    def _along(self, ask: Ask) -> dict[str, Any]:
        """Return the properties sent with a comment."""
        return {} if self.tracker.ignores_properties else _properties(ask.body)

    # --- finding and checking -------------------------------------------------------------------------------------

    def _row(self, ask: Ask) -> Row:
        row = self.desk.find(ask.path["issue"])
        if row is None:
            raise RefusedByJiraError(404, "Issue does not exist or you do not have permission to see it.")
        return row

    def _writable(self, ask: Ask) -> Row:
        row = self._row(ask)
        if row[0].read_only:
            raise RefusedByJiraError(403, "You do not have permission to edit issues in this project.")
        return row

    def _comment(self, ask: Ask) -> tuple[Row, Comment]:
        row = self._row(ask)
        for comment in row[1].comments:
            if str(comment.id) == ask.path["comment"]:
                return row, comment
        raise RefusedByJiraError(404, f"Can not find a comment for the id: {ask.path['comment']}.")

    def _own_comment(self, ask: Ask) -> Comment:
        comment = self._comment(ask)[1]
        if comment.author is not self.tracker.bot:
            raise RefusedByJiraError(403, "You do not have the permission to edit this comment.")
        return comment

    def _any_comment(self, ask: Ask) -> Comment:
        word = ask.path["comment"]
        found = self.tracker.find_comment(int(word)) if word.isdigit() else None
        if found is None or found[0].hidden:
            raise RefusedByJiraError(404, f"Can not find a comment for the id: {word}.")
        if ask.method != "GET" and (found[0].read_only or found[2].author is not self.tracker.bot):
            raise RefusedByJiraError(403, "You do not have the permission to edit this comment.")
        return found[2]

    def _text(self, body: Any, name: str) -> Any:
        """Check a text in this dialect's format: an ADF document on Cloud, wiki markup on Data Center."""
        if self.tracker.kind == "jira-cloud":
            good = isinstance(body, dict) and body.get("type") == "doc" and body.get("version") == 1
            if not good or not isinstance(body.get("content"), list):
                raise RefusedByJiraError(400, errors={name: "Operation value must be an Atlassian Document."})
        elif not isinstance(body, str):
            raise RefusedByJiraError(400, errors={name: "Operation value must be a string"})
        text = plain(body)
        if name == "comment" and not text.strip():
            raise RefusedByJiraError(400, errors={name: "Comment body can not be empty!"})
        if len(text) > LONGEST_TEXT:
            said = "The entered text is too long. It exceeds the allowed limit of 32,767 characters."
            raise RefusedByJiraError(400, errors={name: said})
        return body


def _labels(words: Any) -> list[str]:
    if not isinstance(words, list) or not all(isinstance(name, str) for name in words):
        raise RefusedByJiraError(400, errors={"labels": "A list of strings was expected."})
    for name in words:
        if " " in name:
            raise RefusedByJiraError(400, errors={"labels": f"The label '{name}' contains spaces which is invalid."})
        if len(name) > 255:
            raise RefusedByJiraError(400, errors={"labels": "A label has at most 255 characters."})
    return list(dict.fromkeys(words))


def _properties(body: Json) -> dict[str, Any]:
    listed = body.get("properties") or []
    if not isinstance(listed, list) or not all(isinstance(entry, dict) and "key" in entry for entry in listed):
        raise RefusedByJiraError(400, "Entity properties are a list of keys and values.")
    return {str(entry["key"]): entry.get("value") for entry in listed}


def _property(properties: dict[str, Any], ask: Ask) -> Json:
    key = ask.path["property"]
    if key not in properties:
        raise RefusedByJiraError(404, f"The property with key {key} does not exist.")
    return {"key": key, "value": properties[key]}


def _set_property(properties: dict[str, Any], ask: Ask) -> tuple[int, None]:
    key = ask.path["property"]
    status = 200 if key in properties else 201
    properties[key] = ask.body
    return status, None
