"""Milestones by rule: the issues of a project that carry a label, or that a query finds.

No tracker keeps such a milestone, so each connector makes one for every project that a rule names, and says of each
issue whether it is in it now. When it came and went nobody tells: that is known from the first pull on, by differences.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct, structs

from sync.model.tracker_data import RULE, Issue, Milestone, MilestoneKind, Project, State, alike
from sync.tracker.protocol import Page

__all__ = ["Rule", "RuleMilestones"]


class Rule(Struct, frozen=True):
    """``projects`` is a key or pattern; ``sign`` is ``~`` before a label, ``?`` before a query; ``due`` its date."""

    projects: str
    sign: str
    text: str
    due: date | None = None

    def id(self, project: str) -> str:
        """The id of its milestone in a project (native id)."""
        told = blake2b(f"{self.sign}{self.text}".encode(), digest_size=6).hexdigest()
        return f"{RULE}{told}-{project}"

    def milestone(self, project: Project) -> Milestone:
        """Its milestone in a project."""
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
    """The rules of a connection (option ``rules``). ``any_case``: labels are the same in any case."""

    def __init__(self, options: Mapping[str, Any], *, any_case: bool = False) -> None:
        self._rules: Sequence[Rule] = msgspec.convert(options.get("rules") or [], list[Rule])
        self._case = str.lower if any_case else str

    def of(self, project: str) -> list[Rule]:
        """Those that name a project (by key)."""
        return [rule for rule in self._rules if alike(project, rule.projects)]

    def digest(self, project: str) -> str:
        """Tells apart what a project's issues were read by; empty without any rule."""
        rules = self.of(project)
        return blake2b(msgspec.json.encode(rules), digest_size=4).hexdigest() if rules else ""

    def labelled(self, pages: Iterable[Page]) -> Iterator[Page]:
        """The pages, with the milestones of the rules by label, and every issue in those whose label it carries."""
        if not any(rule.sign == "~" for rule in self._rules):
            yield from pages
            return
        projects: dict[str, Project] = {}
        for page in pages:
            projects |= {project.id: project for project in page.projects}
            told = {project.id for project in page.projects} | page.all_milestones
            yield structs.replace(
                page,
                milestones=(
                    *page.milestones,
                    *self.milestones(projects[name] for name in sorted(told & projects.keys())),
                ),
                issues=tuple(self._placed(issue, projects) for issue in page.issues),
            )

    def milestones(self, projects: Iterable[Project]) -> list[Milestone]:
        """The milestones of these projects by rule."""
        return [rule.milestone(project) for project in projects for rule in self.of(project.key)]

    def _placed(self, issue: Issue, projects: Mapping[str, Project]) -> Issue:
        project = projects.get(issue.project)
        labels = {self._case(label) for label in issue.labels}
        found = [
            rule.id(issue.project)
            for rule in (self.of(project.key) if project else ())
            if rule.sign == "~" and self._case(rule.text) in labels
        ]
        return structs.replace(issue, milestones=(*issue.milestones, *found)) if found else issue
