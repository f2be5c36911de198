"""Sandbox Jira: attachments: the setting, uploads, and deletion of own files."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.jira.permissions import held
from connectors.sandbox.jira.requests import Ask, RefusedByJiraError
from connectors.sandbox.jira.search import Desk
from connectors.sandbox.jira.views import Wording
from connectors.sandbox.world import Tracker

__all__ = ["Files"]

Json = dict[str, Any]

LIMIT = 10 << 20
"""Bytes of one file."""


class Files:
    """Handlers; each takes a request and returns a body, or a status and a body."""

    def __init__(self, tracker: Tracker, desk: Desk) -> None:
        self.tracker, self.desk = tracker, desk

    def meta(self, _: Ask) -> Json:
        """Return if attachments are enabled, and their maximum size."""
        return {"enabled": self.tracker.attaching, "uploadLimit": LIMIT}

    def attach(self, ask: Ask) -> list[Json]:
        """Attach the files of a form, each under its name."""
        if ask.token not in ("no-check", "nocheck"):
            raise RefusedByJiraError(403, "XSRF check failed")
        row = self.desk.find(ask.path["issue"])
        if row is None or not self.tracker.attaching:
            raise RefusedByJiraError(404, "Issue does not exist, or attachments are disabled.")
        project, issue = row
        if not held(project, "CREATE_ATTACHMENTS"):
            raise RefusedByJiraError(403, "You do not have permission to create attachments for this issue.")
        if not ask.files:
            raise RefusedByJiraError(400, "There is no part called 'file' in the form.")
        if any(len(content) > LIMIT for _, content in ask.files):
            raise RefusedByJiraError(413, "The file is larger than is permitted.")
        made = [self.tracker.attach(issue, name, content, self.tracker.bot) for name, content in ask.files]
        return [Wording(self.tracker).attachment(file) for file in made]

    def detach(self, ask: Ask) -> tuple[int, None]:
        """Delete one of the account's own files."""
        for project in self.tracker.projects.values():
            for issue in project.issues.values():
                for file in issue.files:
                    if str(file.id) == ask.path["attachment"] and not project.hidden and self.tracker.attaching:
                        if file.author is not self.tracker.bot or not held(project, "DELETE_OWN_ATTACHMENTS"):
                            raise RefusedByJiraError(403, "You do not have permission to delete this attachment.")
                        self.tracker.detach(issue, file, self.tracker.bot)
                        return 204, None
        raise RefusedByJiraError(404, f"The attachment with id '{ask.path['attachment']}' does not exist")
