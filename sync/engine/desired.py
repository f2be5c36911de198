"""Build the desired state of milestones from their assessment, the store and the observed status issues."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sync.assess.milestone import AssessedMilestone, AssessmentRules
from sync.model.health import Status
from sync.plan.build_desired import build_desired
from sync.plan.desired import Desired
from sync.report.burnup import to_draw
from sync.report.page_links import Pages
from sync.store.store import Store
from sync.store.tables import OwnContent
from sync.tracker.observed import Observed

__all__ = ["DesiredBuilder"]


@dataclass(frozen=True)
class DesiredBuilder:
    """Build desired state from the store and the rules. ``pages`` None: comments link to no report page."""

    store: Store
    instance: str
    rules: AssessmentRules
    pages: Pages | None = None

    def build(
        self, milestones: Sequence[AssessedMilestone], seen: Observed, posted: Collection[str], now: datetime
    ) -> list[Desired]:
        """Return the desired state of each milestone at ``now`` (UTC).

        ``posted`` names the milestones (uid) whose summary comment was written before: where it is missing, a person
        deleted it.
        """
        described = self.store.posted(OwnContent.DESCRIPTION)
        healths, boards, pictures = self.store.healths(), self.store.boards(), self.store.pictures()
        records = self.store.records(
            [milestone.uid for milestone in milestones if milestone.health.status is Status.DONE]
        )
        return [
            build_desired(
                milestone,
                seen.issues.get(milestone.uid),
                posted=milestone.uid in posted,
                described=milestone.uid in described,
                health_set=healths.get(milestone.uid),
                boards_told=boards.get(milestone.uid, frozenset()),
                **to_draw(milestone),
                pictured=pictures.get(milestone.uid, frozenset()),
                instance=self.instance,
                now=now,
                quiet=self.rules.quiet(now, milestone.source.zone),
                record=records.get(milestone.uid),
                page=self._page_url(milestone, now),
                nudging=self.rules.nudging,
            )
            for milestone in milestones
        ]

    def _page_url(self, milestone: AssessedMilestone, now: datetime) -> str:
        """Return the address of the milestone's report page; empty when no report is published."""
        if self.pages is None:
            return ""
        ended = milestone.milestone.closed_at
        return self.pages.url(
            milestone.uid, milestone.written, milestone.project, running=milestone.running, ended=ended, at=now
        )
