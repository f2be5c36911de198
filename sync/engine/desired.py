"""Build the desired state of milestones from their assessment, the store and the observed status issues."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sync.assess.milestone import AssessedMilestone, AssessmentRules
from sync.model.closing import ClosingRecord
from sync.plan.build_desired import build_desired
from sync.plan.desired import Desired, PreviousWrites
from sync.report.page_links import Pages
from sync.report.texts import ReportInput, build_texts
from sync.store.store import Store
from sync.tracker.actions import OwnContent
from sync.tracker.marker import last_marker
from sync.tracker.observed import Observed, StatusIssue
from sync.tracker.slash_commands import evaluate_commands

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
        described = self.store.milestones_with(OwnContent.DESCRIPTION)
        healths = self.store.native_health_set()
        boards, pictures = self.store.places(OwnContent.BOARD), self.store.places(OwnContent.PICTURE)
        prefixes = self.store.label_prefixes()
        records = self.store.records([milestone.uid for milestone in milestones if milestone.health.status.is_over])
        return [
            self._build(
                milestone,
                seen,
                PreviousWrites(
                    summary=milestone.uid in posted,
                    description=milestone.uid in described,
                    health=healths.get(milestone.uid),
                    boards=boards.get(milestone.uid, frozenset()),
                    pictures=pictures.get(milestone.uid, frozenset()),
                    prefixes=prefixes,
                ),
                records.get(milestone.uid),
                now,
            )
            for milestone in milestones
        ]

    def _build(
        self,
        milestone: AssessedMilestone,
        seen: Observed,
        previous: PreviousWrites,
        record: ClosingRecord | None,
        now: datetime,
    ) -> Desired:
        issue = seen.issues.get(milestone.uid)
        last = last_marker(milestone.uid, issue, self.instance)
        commands = evaluate_commands(issue.asked if issue else (), now, milestone.connection.zone)
        texts = build_texts(
            ReportInput(
                milestone=milestone,
                instance=self.instance,
                now=now,
                calendar=self.rules.calendar_of(milestone.connection),
                refresh=commands.refresh,
                last_summary=last,
                override=commands.override,
                note=commands.note,
                commands=milestone.uid not in seen.closed_to_commands if issue is None else issue.is_open_to_commands,
                record=record,
                page="" if self.pages is None else self.pages.url(milestone, now),
                closes_issue=_closes_issue(milestone, issue),
                issue_url=None if issue is None else issue.url,
                reminder_rules=self.rules.reminder_rules,
            )
        )
        return build_desired(
            milestone,
            texts,
            last,
            commands=commands,
            previous=previous,
            remind_every=self.rules.reminder_rules.every,
            is_quiet=self.rules.is_quiet(now, milestone.connection.zone),
        )


def _closes_issue(milestone: AssessedMilestone, issue: StatusIssue | None) -> bool:
    """Return whether the status issue is closed with its milestone: milesync created the issue, or would create it."""
    is_ours = not milestone.report_on if issue is None else bool(issue.marker)
    return is_ours and milestone.connection.closes()
