"""The parts of the connector that ask GitLab, over one session. They import the SDK."""

from __future__ import annotations

from connectors.gitlab.apply import Writer
from connectors.gitlab.containers import GROUP_KINDS, WORDS
from connectors.gitlab.containers.kind import LicensedContainers
from connectors.gitlab.containers.milestones import Milestones
from connectors.gitlab.observe import Observer
from connectors.gitlab.options import HISTORY
from connectors.gitlab.pull import Reader
from connectors.gitlab.session import Session
from connectors.shared.containers import selected_words
from connectors.shared.deletion_sweep import SweepSchedule
from connectors.shared.rule_milestones import RuleMilestones
from sync.tracker.protocol import Setup

__all__ = ["Parts"]


class Parts:
    """``has_milestones`` and ``has_merge_requests``: these are read, as the options say.

    Raises ValueError for an unknown kind of container.
    """

    def __init__(self, setup: Setup) -> None:
        labels = tuple(setup.options.get("status_labels", ("milestone-status",)))
        history = str(setup.options.get("history", HISTORY[0]))
        self.session = Session(setup)
        self.rules = RuleMilestones(setup.options)
        self._containers = selected_words(setup.options.get("containers") or (), WORDS)
        self.has_milestones = Milestones.word in self._containers
        self.has_merge_requests = self.has_milestones and setup.options.get("count") != "issues"
        self.reader = Reader(
            self.session,
            SweepSchedule(setup),
            self.rules,
            history,
            labels,
            self._containers,
            merge_requests=self.has_merge_requests,
        )
        self.observer = Observer(self.session, labels)
        self.writer = Writer(self.session)

    def group_kinds(self) -> list[LicensedContainers]:
        """The kinds of containers of groups that the options name."""
        return [kind(self.session) for kind in GROUP_KINDS if kind.word in self._containers]
