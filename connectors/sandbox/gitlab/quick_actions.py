"""Sandbox GitLab: quick actions, lines of a text such as ``/close`` that are executed and removed.

As in GitLab they run with the rights of the sender, on creation and on every edit, and not inside a
code fence. An unknown word after the slash is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from connectors.sandbox.world import Tracker
from connectors.sandbox.world_data import Issue, Project

__all__ = ["Ran", "run_commands"]

_LINE = re.compile(r"^\s*/([a-z_]+)(?:[ \t]+(.*?))?\s*$")
_FENCE = re.compile(r"^\s*(```|~~~)")
_NAME = re.compile(r'~"([^"]+)"|~(\S+)|"([^"]+)"|(\S+)')
Done = tuple[dict[str, Any], str]
"""What changed, and the sentence that says so."""


class Ran:
    """The remaining text, and the effects of its commands: ``changes`` and one sentence each."""

    def __init__(self) -> None:
        self.text = ""
        self.changes: dict[str, Any] = {}
        self.summary: list[str] = []


def run_commands(tracker: Tracker, project: Project, issue: Issue, text: str) -> Ran:
    """Run every command in the text on the issue."""
    ran, kept, fenced = Ran(), [], False
    for line in text.split("\n"):
        fenced ^= bool(_FENCE.match(line))
        match = None if fenced else _LINE.match(line)
        if match is None or match[1] not in _COMMANDS:
            kept.append(line)
            continue
        changes, said = _COMMANDS[match[1]](_Acting(tracker, project, issue), match[2] or "")
        ran.changes |= changes
        ran.summary.append(said)
    ran.text = "\n".join(kept).strip() if ran.summary else text
    return ran


def _names(text: str) -> list[str]:
    return [next(part for part in found if part) for found in _NAME.findall(text)]


class _Acting:
    """Commands, each on one issue with the text after its name."""

    def __init__(self, tracker: Tracker, project: Project, issue: Issue) -> None:
        self.tracker, self.project, self.issue, self.bot = tracker, project, issue, tracker.bot

    def close(self, _: str) -> Done:
        if self.issue.closed is None:
            self.tracker.close(self.issue, self.bot)
        return {"state_event": "close"}, "Closed this issue."

    def reopen(self, _: str) -> Done:
        if self.issue.closed is not None:
            self.tracker.reopen(self.issue, self.bot)
        return {"state_event": "reopen"}, "Reopened this issue."

    def label(self, text: str) -> Done:
        names = [name for name in _names(text) if name in self.project.labels]
        self.tracker.label(self.issue, names, [], self.bot)
        return {"add_label_ids": self._ids(names)}, f"Added {', '.join(f'~{name}' for name in names)} label."

    def unlabel(self, text: str) -> Done:
        names = _names(text) or list(self.issue.labels)
        self.tracker.label(self.issue, [], names, self.bot)
        return {"remove_label_ids": self._ids(names)}, "Removed labels."

    def milestone(self, text: str) -> Done:
        title = text.lstrip("%").strip('"')
        for milestone in self.project.milestones.values():
            if milestone.title == title:
                self.tracker.move(self.project, self.issue, [milestone.id], self.bot)
                return {"milestone_id": milestone.id}, f"Set the milestone to %{title}."
        return {}, ""

    def remove_milestone(self, _: str) -> Done:
        self.tracker.move(self.project, self.issue, [], self.bot)
        return {"milestone_id": None}, "Removed the milestone."

    def confidential(self, _: str) -> Done:
        self._changed("confidential", self.issue.confidential, True)
        self.issue.confidential = True
        return {"confidential": True}, "Made this issue confidential."

    def title(self, text: str) -> Done:
        self._changed("title", self.issue.title, text)
        self.issue.title = text
        return {"title": text}, "Changed the title."

    def _changed(self, field: str, old: object, new: object) -> None:
        self.tracker.change(self.issue, field, old, new, self.bot, None, "")

    def _ids(self, names: list[str]) -> list[int]:
        return [self.project.labels[name].id for name in names if name in self.project.labels]


_COMMANDS: dict[str, Callable[[_Acting, str], Done]] = {
    "close": _Acting.close,
    "reopen": _Acting.reopen,
    "label": _Acting.label,
    "labels": _Acting.label,
    "unlabel": _Acting.unlabel,
    "milestone": _Acting.milestone,
    "remove_milestone": _Acting.remove_milestone,
    "confidential": _Acting.confidential,
    "title": _Acting.title,
}
