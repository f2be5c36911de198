"""Which projects are meant: by key, by a pattern of keys, or by a query that finds some of their issues."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from connectors.jira import jql
from connectors.jira.api_types import ProjectOf, Projects
from connectors.jira.search import first_keys
from connectors.jira.session import OWN, Session, of_project
from sync.tracker.errors import GoneError, MalformedError, TrackerError

__all__ = ["named"]

_TOGETHER = 50
"""Projects in a page of all."""
_ORDERED = re.compile(r"\s+order\s+by\s+[^\"']*$", re.IGNORECASE)


def is_query(word: str) -> bool:
    """Whether this is JQL: no key or pattern of keys has a blank or a comparison in it."""
    return bool(re.search(r"[\s=~<>]", word))


def named(session: Session, wanted: Sequence[str]) -> tuple[list[tuple[ProjectOf, str]], dict[str, TrackerError]]:
    """The projects with the words that named them, and what failed.

    Those that are named by their keys are asked for one by one, which tells their versions, too; a pattern needs a list
    of all. A query stands for every project in which it finds an issue now; all of that project is then read.
    """
    queries = [word for word in wanted if is_query(word)]
    patterns = [word for word in wanted if word not in queries and any(sign in word for sign in "*?[")]
    keys = [word for word in wanted if word not in patterns and word not in queries]
    found: dict[str, tuple[ProjectOf, str]] = {}
    failed: dict[str, TrackerError] = {}
    for query in queries:
        try:
            keys += [key for key in _with_issues(session, query) if key not in keys]
        except OWN as problem:
            failed[query] = of_project(problem, query)
    configured = {word.upper() for word in wanted}
    listed: list[ProjectOf] = []
    try:
        if patterns:
            listed = _listed(session)
    except OWN as problem:
        failed |= {pattern: of_project(problem, pattern) for pattern in patterns}
        patterns = []
    by_key = {project.key.upper(): project for project in listed}

    def one(word: str) -> ProjectOf | TrackerError:
        return by_key.get(word.upper()) or _project(session, word)

    for word, project in zip(keys, session.caller.map_all(one, keys), strict=True):
        if not isinstance(project, TrackerError):
            found[project.id] = project, word
        elif word.upper() in configured or not isinstance(project, GoneError):
            failed[word] = project
    for pattern in patterns:
        matching = [p for p in listed if fnmatchcase(p.key.upper(), pattern.upper())]
        if not matching:
            failed[pattern] = GoneError(session.name, pattern, "no project of that pattern")
        found.update((project.id, (project, project.key)) for project in matching if project.id not in found)
    return list(found.values()), failed


def _with_issues(session: Session, query: str) -> Iterator[str]:
    """The keys of all projects in which a query finds something, a page of issues at a time."""
    where = _ORDERED.sub("", f" {query}").strip()
    asked, known = f"({where})", list[str]()
    while keys := first_keys(session, asked):
        new = sorted({key.rpartition("-")[0] for key in keys})
        yield from new
        known += new
        asked = f"({where}) AND NOT {jql.any_of('project', known)}"


def _listed(session: Session) -> list[ProjectOf]:
    if not session.cloud:
        return session.read(list[ProjectOf], "project")
    listed: list[ProjectOf] = []
    page = Projects([], isLast=False)
    while not page.isLast:
        page = session.read(Projects, "project/search", {"startAt": len(listed), "maxResults": _TOGETHER})
        listed += page.values
        if not page.values and not page.isLast:
            raise MalformedError(session.name, "", "an empty page that promises more")
    return listed


def _project(session: Session, word: str) -> ProjectOf | TrackerError:
    try:
        return session.read(ProjectOf, f"project/{word}", project=word)
    except OWN as problem:
        return problem
