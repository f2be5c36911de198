"""Milestones by rule: the issues of a project that carry a label, or that a query finds.

No tracker stores such a milestone. The connector creates one for every project that a rule names and reports its
current members. Joins and leaves are known from the first pull on, from the differences between two pulls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct, structs

from connectors.shared.recorded_names import RecordedNames
from sync.model.tracker_data import RULE_ID_PREFIX, Issue, Milestone, MilestoneKind, Project, State, matches_pattern
from sync.tracker.protocol import Page

__all__ = ["Rule", "RuleMilestones"]


class Rule(Struct, frozen=True):
    """Rule of one milestone per project.

    ``projects`` is a project key or pattern. ``sign`` is ``~`` before a label, ``?`` before a query. ``text`` is the
    label or query. ``due`` is the milestone's due date, None without one.
    """

    projects: str
    sign: str
    text: str
    due: date | None = None

    def id(self, project: str) -> str:
        """The id of the rule's milestone in a project (native id)."""
        digest = blake2b(f"{self.sign}{self.text}".encode(), digest_size=6).hexdigest()
        return f"{RULE_ID_PREFIX}{digest}-{project}"

    def milestone(self, project: Project) -> Milestone:
        """The rule's milestone in a project."""
        return Milestone(
            id=self.id(project.id),
            project=project.id,
            kind=MilestoneKind.RULE,
            key=self.text,
            written=f"{self.sign}{self.text}",
            title=self.text,
            url=project.url,
            state=State.OPEN,
            due=self.due,
        )


class RuleMilestones:
    """Rules of one connection (option ``rules``). ``any_case``: compare labels without regard to case."""

    def __init__(self, options: Mapping[str, Any], *, any_case: bool = False) -> None:
        self._rules: Sequence[Rule] = msgspec.convert(options.get("rules") or [], list[Rule])
        self._fold = str.lower if any_case else str
        self._recorded = RecordedNames.of(options)

    def of(self, project: str) -> list[Rule]:
        """The rules that name a project (by key)."""
        return [rule for rule in self._rules if matches_pattern(project, rule.projects)]

    def fingerprint(self, project: str) -> str:
        """Fingerprint of the rules of a project (by key) and of the recorded names; empty without both.

        A cursor stores the fingerprint. When they change, the project's issues are read again with their histories.
        """
        rules, recorded = self.of(project), self._recorded
        names = [sorted(recorded.labels), sorted(recorded.states)] if recorded != RecordedNames() else []
        settings: list[Any] = [*rules, *names]
        return blake2b(msgspec.json.encode(settings), digest_size=4).hexdigest() if settings else ""

    def add_label_milestones(self, pages: Iterable[Page]) -> Iterator[Page]:
        """Add the milestones of the label rules to the pages, and put every issue with such a label into them."""
        if not any(rule.sign == "~" for rule in self._rules):
            yield from pages
            return
        projects: dict[str, Project] = {}
        for page in pages:
            projects |= {project.id: project for project in page.projects}
            ids = {project.id for project in page.projects} | page.all_milestones
            yield structs.replace(
                page,
                milestones=(
                    *page.milestones,
                    *self.milestones(projects[id_] for id_ in sorted(ids & projects.keys())),
                ),
                issues=tuple(self._add_memberships(issue, projects) for issue in page.issues),
            )

    def milestones(self, projects: Iterable[Project]) -> list[Milestone]:
        """The milestones of all rules in these projects."""
        return [rule.milestone(project) for project in projects for rule in self.of(project.key)]

    def _add_memberships(self, issue: Issue, projects: Mapping[str, Project]) -> Issue:
        project = projects.get(issue.project)
        labels = {self._fold(label) for label in issue.labels}
        ids = [
            rule.id(issue.project)
            for rule in (self.of(project.key) if project else ())
            if rule.sign == "~" and self._fold(rule.text) in labels
        ]
        return structs.replace(issue, milestones=(*issue.milestones, *ids)) if ids else issue
