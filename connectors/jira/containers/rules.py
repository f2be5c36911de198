"""Milestones by rule: the issues that carry a label, or that a query finds. See `connectors.shared.rule_milestones`."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.jira import api_types, jql
from connectors.jira.containers.kind import JiraContainers
from connectors.jira.normalize import project_of
from connectors.jira.search import Search
from connectors.jira.session import PROJECT_ERRORS, Session, for_project
from connectors.shared.containers import ContainerRows
from connectors.shared.rule_milestones import Rule, RuleMilestones
from sync.model.tracker_data import RULE_ID_PREFIX, Milestone

__all__ = ["Rules"]

Pair = tuple[api_types.Project, Rule]


class Rules(JiraContainers):
    """The milestones by rule of projects. Each query runs once for all its projects.

    ``matches`` are the issues that the queries find.
    """

    prefix = RULE_ID_PREFIX

    def __init__(self, session: Session, search: Search, rules: RuleMilestones) -> None:
        super().__init__(session, search)
        self._rules = rules
        self._by_issue: dict[str, tuple[str, ...]] = {}

    def read(self, projects: Sequence[api_types.Project]) -> ContainerRows:
        """Run the queries of these projects' rules."""
        by_query: dict[str, list[Pair]] = {}
        for project in projects:
            for rule in self._rules.of(project.key):
                query = rule.text if rule.sign == "?" else f"labels = {jql.literal(rule.text)}"
                by_query.setdefault(query, []).append((project, rule))
        rows = ContainerRows().join([self._run(query, pairs) for query, pairs in by_query.items()])
        for matches in self.matches.values():
            for milestone, issues in matches.items():
                self._by_issue |= {issue: (*self._by_issue.get(issue, ()), milestone) for issue in issues}
        return rows

    def _run(self, query: str, pairs: Sequence[Pair]) -> ContainerRows:
        """Run a rule's query for these projects; if that fails, for each half of them."""
        where = f"({query}) AND {jql.any_of('project', [project.key for project, _ in pairs])}"
        try:
            issues = self._search.keys(where)
        except PROJECT_ERRORS as error:
            if len(pairs) > 1:
                return ContainerRows().join(self._run(query, half) for half in jql.halves(pairs))
            project = pairs[0][0]
            return ContainerRows(failed={project.id: for_project(error, project.key)})
        milestones: dict[str, list[Milestone]] = {}
        for project, rule in pairs:
            matches = tuple(sorted(issue.id for issue in issues if issue.key.rpartition("-")[0] == project.key))
            milestone = rule.milestone(project_of(project, self._session.site))
            self.matches.setdefault(project.id, {})[milestone.id] = matches
            milestones.setdefault(project.id, []).append(milestone)
        return ContainerRows(milestones)

    def events(self, row: api_types.Issue, history: Sequence[api_types.History]) -> tuple[()]:
        """Nothing: no changelog says what a query would have found."""
        del row, history
        return ()

    def now(self, row: api_types.Issue) -> tuple[str, ...]:
        """The milestones whose query finds an issue."""
        return self._by_issue.get(row.id, ())
