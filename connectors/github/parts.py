"""The parts of the connector that ask GitHub, over one session. They import the SDK."""

from __future__ import annotations

from connectors.github.apply import Writer
from connectors.github.boards.containers import BoardLists
from connectors.github.issue_fields import IssueFields
from connectors.github.node_ids import NodeIds
from connectors.github.observe import Observer
from connectors.github.pull import Reader
from connectors.github.session import Session
from connectors.github.sub_issues.lists import ParentLists
from connectors.shared.deletion_sweep import SweepSchedule
from connectors.shared.rule_milestones import RuleMilestones
from sync.tracker.protocol import Setup

__all__ = ["Parts"]


class Parts:
    """``has_milestones``: the repositories' own milestones are read, as the option ``containers`` says."""

    def __init__(self, setup: Setup) -> None:
        self.session = Session(setup)
        self.rules = RuleMilestones(setup.options, any_case=True)
        self.has_milestones = "milestones" in (setup.options.get("containers") or ["milestones"])
        self.reader = Reader(self.session, SweepSchedule(setup), self._scope)
        self.boards = BoardLists(self.session, setup.options, setup.clock)
        self.parents = ParentLists(self.session, setup.options)
        node_ids = NodeIds()
        self.observer = Observer(self.session, setup.options.get("status_labels") or ["milestone-status"], node_ids)
        self.writer = Writer(self.session, node_ids)

    def _scope(self, repository: str) -> str:
        """The scope of a repository's cursor: its rules and other options that decide what is read of an issue.

        When it changes, the repository is read again.
        """
        fields = self.session.issue_fields
        parts = [
            self.rules.fingerprint(repository),
            "" if self.has_milestones else "without milestones",
            f"with {fields.date}, {fields.effort}" if fields != IssueFields() else "",
        ]
        return " ".join(filter(None, parts))
