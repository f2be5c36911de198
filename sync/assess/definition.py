"""Check the definitions of milestones, and the workload of their people, against all other milestones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

from sync.assess.milestone import AssessedMilestone, AssessmentRules
from sync.assess.visibility import can_read
from sync.health.definition import DefinitionFacts, SharedPeople, findings
from sync.health.reminders import Load, PersonalWork, Workload, overcommitted, unreviewed
from sync.health.shared_people import shared_people
from sync.model.dates import day_of
from sync.model.definition import Finding

__all__ = ["DefinitionChecks"]


class DefinitionChecks:
    """Findings, workloads and issues without review of each milestone, as its readers may know them.

    ``milestones`` and ``open_items`` (uids) are by uid. ``cycles``: uid -> number of dependency cycles that it is in.
    """

    def __init__(
        self,
        milestones: Mapping[str, AssessedMilestone],
        open_items: Mapping[str, Sequence[str]],
        cycles: Mapping[str, int],
        rules: AssessmentRules,
    ) -> None:
        self._milestones, self._open_items, self._cycles = dict(milestones), open_items, cycles
        self._rules = rules
        self._shared_people = self._find_shared_people()
        self._readable: dict[tuple[str, str | None, str], PersonalWork] = {}
        self._work_by_person = self._find_work() if rules.reminder_rules.over_committed else {}

    def findings(self, milestone: AssessedMilestone) -> tuple[Finding, ...]:
        """Return the findings about a milestone's definition; none once it has ended."""
        if not milestone.is_running or milestone.health.status.is_over:
            return ()
        facts = DefinitionFacts(
            words=milestone.words,
            due=milestone.health.due,
            open_items=[milestone.issues[item] for item in self._open_items[milestone.uid]],
            counts=milestone.health.counts,
            owners=milestone.owners,
            shared=self._shared_people.get(milestone.uid, SharedPeople()),
            circular=self._cycles.get(milestone.uid, 0),
            contradicting=milestone.contradicting,
            kind=milestone.milestone.kind,
        )
        return findings(facts, self._rules.calendar)

    def loads(self, milestone: AssessedMilestone) -> tuple[Load, ...]:
        """Return the people of a milestone with more work than fits until its due date.

        Their work in all milestones that its readers may read counts.
        """
        today, due = day_of(milestone.health.at, milestone.connection.zone), milestone.health.due
        if not self._rules.reminder_rules.over_committed or not milestone.is_running or due is None or due < today:
            return ()
        people = {person for uid in self._open_items[milestone.uid] for person in milestone.issues[uid].assignees}
        work = {person: self._readable_work(milestone, person.id) for person in people}
        return overcommitted(work, due, today, self._rules.calendar, self._rules.work_time(milestone.work_time))

    def _readable_work(self, milestone: AssessedMilestone, person: str) -> PersonalWork:
        """Return the work of a person (id) that the readers of a milestone may read; the same for all of a project."""
        project = None if milestone.project.is_public else milestone.project.id
        key = milestone.connection.name, project, person
        if key not in self._readable:
            work = self._work_by_person[milestone.connection.name, person]
            self._readable[key] = PersonalWork(own for other, own in work if can_read(milestone, other))
        return self._readable[key]

    def unreviewed(self, milestone: AssessedMilestone) -> tuple[str, ...]:
        """Return the uids of a milestone's open issues that wait for a reviewer."""
        review = self._rules.reminder_rules.review
        return tuple(
            uid for uid in sorted(self._open_items[milestone.uid]) if unreviewed(milestone.issues[uid], review)
        )

    def waiting_changes(self, milestone: AssessedMilestone) -> tuple[str, ...]:
        """Return the uids of a milestone's open changes that wait too long for their reviewers, the longest first."""
        zone, limit = milestone.connection.zone, self._rules.reminder_rules.review_days
        today = day_of(milestone.health.at, zone)
        asked = {
            uid: since
            for uid in milestone.open_changes
            if uid in milestone.issues and (since := milestone.issues[uid].review_since) is not None
        }
        late = [uid for uid, since in asked.items() if (today - day_of(since, zone)).days > limit]
        return tuple(sorted(late, key=lambda uid: (asked[uid], uid)))

    def _find_shared_people(self) -> dict[str, SharedPeople]:
        """Return for each milestone how many others share its people, as far as its readers may read them."""
        readers: dict[str, str] = {}
        people: dict[str, frozenset[str]] = {}
        planned: dict[str, tuple[date, date]] = {}
        for uid, milestone in self._milestones.items():
            health = milestone.health
            today, start, due = day_of(health.at, milestone.connection.zone), health.start, health.due
            if milestone.is_running and start is not None and due is not None and due >= max(start, today):
                planned[uid] = max(start, today), due
                if not milestone.project.is_public:
                    readers[uid] = f"{milestone.connection.name}/{milestone.project.id}"
                people[uid] = frozenset(
                    f"{milestone.connection.name}/{person.id}"
                    for item in self._open_items[uid]
                    for person in milestone.issues[item].assignees
                )
        items = {uid: frozenset(self._open_items[uid]) for uid in people}
        return shared_people(people, planned, items, readers)

    def _find_work(self) -> Mapping[tuple[str, str], list[tuple[AssessedMilestone, Workload]]]:
        """Return (connection, person id) -> their open issues, each with its milestone."""
        work_by_person: dict[tuple[str, str], list[tuple[AssessedMilestone, Workload]]] = defaultdict(list)
        for milestone in self._milestones.values():
            due = milestone.health.due
            if due is None:
                continue
            for uid in self._open_items[milestone.uid]:
                issue = milestone.issues[uid]
                work = Workload(uid=uid, issue=issue, milestone=milestone.uid, due=due)
                for person in issue.assignees:
                    work_by_person[milestone.connection.name, person.id].append((milestone, work))
        return work_by_person
