"""The parts of the connector that ask Jira, over one session. They import the SDK."""

from __future__ import annotations

from connectors.jira.apply import Writer
from connectors.jira.containers import kinds_of
from connectors.jira.observe import Observer
from connectors.jira.pull import Reader
from connectors.jira.session import Session
from connectors.shared.deletion_sweep import SweepSchedule
from connectors.shared.rule_milestones import RuleMilestones
from sync.tracker.protocol import Setup

__all__ = ["Parts"]


class Parts:
    """Raises ValueError for an unknown kind of container."""

    def __init__(self, setup: Setup) -> None:
        self.session = Session(setup)
        kinds_of(self.session)  # raises ValueError for an unknown word
        self.reader = Reader(self.session, SweepSchedule(setup), RuleMilestones(setup.options))
        self.observer = Observer(self.session)
        self.writer = Writer(self.session)
