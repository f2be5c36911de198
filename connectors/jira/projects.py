"""Resolve configured projects: by key, by a pattern of keys, or by a query that finds some of their issues."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from msgspec import Raw

from connectors.jira import api_types, jql
from connectors.jira.search import chunks, first_keys
from connectors.jira.session import PROJECT_ERRORS, Session, for_project
from connectors.shared.paths import path_of
from connectors.shared.responses import decode_row
from sync.tracker.errors import GoneError, MalformedError, TrackerError

__all__ = ["resolve"]

Resolved = list[tuple[api_types.Project, str]]
"""Projects with the word in the configuration that named each of them."""

_PAGE_SIZE = 50
"""Projects in a page of a list of projects, and keys in its filter."""

_FEW = 3
"""Most known projects that are requested one by one."""

_ORDER_BY = re.compile(r"\s+order\s+by\s+[^\"']*$", re.IGNORECASE)


def is_query(word: str) -> bool:
    """Return whether a word is JQL: no key and no pattern of keys has a blank or a comparison."""
    return bool(re.search(r"[\s=~<>]", word))


def resolve(
    session: Session, words: Sequence[str], known: Collection[str] = ()
) -> tuple[Resolved, dict[str, TrackerError]]:
    """Resolve words to projects. Return them, and the errors by word.

    Each key is one request, whose answer also has the project's versions. A pattern needs the list of all projects.
    More than a few keys in ``known``, those whose versions need not come with them, are listed together. A query means
    every project in which it finds an issue now; all issues of that project are then read.
    """
    queries = [word for word in words if is_query(word)]
    patterns = [word for word in words if word not in queries and any(sign in word for sign in "*?[")]
    keys = [word for word in words if word not in patterns and word not in queries]
    projects: dict[str, tuple[api_types.Project, str]] = {}
    failed: dict[str, TrackerError] = {}
    for query in queries:
        try:
            keys += [key for key in _projects_of(session, query) if key not in keys]
        except PROJECT_ERRORS as error:
            failed[query] = for_project(error, query)
    configured = {word.upper() for word in words}
    listed = [key for key in keys if key in known]
    every = _list_projects(session, patterns, listed, failed) if patterns or len(listed) > _FEW else []
    by_key = {project.key.upper(): project for project in every}

    def project_of(key: str) -> api_types.Project | TrackerError:
        return by_key.get(key.upper()) or _fetch(session, key)

    for key, result in zip(keys, session.caller.map_all(project_of, keys), strict=True):
        if not isinstance(result, TrackerError):
            projects[result.id] = result, key
        elif key.upper() in configured or not isinstance(result, GoneError):
            failed[key] = result
    for pattern in patterns:
        matches = [project for project in every if fnmatchcase(project.key.upper(), pattern.upper())]
        if not matches and pattern not in failed:
            failed[pattern] = GoneError(session.name, pattern, "no project key matches this pattern")
        for project in matches:
            projects.setdefault(project.id, (project, project.key))
    return list(projects.values()), failed


def _projects_of(session: Session, query: str) -> Iterator[str]:
    """Yield the keys of all projects in which a query finds issues, one page of issues per request."""
    where = _ORDER_BY.sub("", f" {query}").strip()
    remaining, known = f"({where})", list[str]()
    while keys := first_keys(session, remaining):
        new = sorted({key.rpartition("-")[0] for key in keys})
        if not set(new).isdisjoint(known):
            raise MalformedError(session.name, "", "a search returned issues of projects that it excludes")
        yield from new
        known += new
        remaining = f"({where}) AND NOT {jql.any_of('project', known)}"


def _list_projects(
    session: Session, patterns: Sequence[str], keys: Sequence[str], failed: dict[str, TrackerError]
) -> list[api_types.Project]:
    """List all projects; without patterns at least those of these keys that can be seen.

    Every pattern fails with an error of the list, or of a project that cannot be read.
    """
    projects: list[api_types.Project] = []
    try:
        for row in _project_rows(session, [] if patterns else keys):
            try:
                projects.append(decode_row(row, api_types.Project, session.name))
            except MalformedError as error:
                failed |= {pattern: for_project(error, pattern) for pattern in patterns}
    except PROJECT_ERRORS as error:
        failed |= {pattern: for_project(error, pattern) for pattern in patterns}
    return projects


def _project_rows(session: Session, keys: Sequence[str]) -> Iterator[Raw]:
    if not session.is_cloud:
        yield from session.read(list[Raw], "project", {"expand": "lead"})
        return
    for part in chunks(keys, _PAGE_SIZE) if keys else [[]]:
        yield from _cloud_rows(session, {"keys": part} if part else {})


def _cloud_rows(session: Session, filters: Mapping[str, Sequence[str]]) -> Iterator[Raw]:
    start, guard = 0, session.caller.guard("")
    while True:
        query = {**filters, "startAt": start, "maxResults": _PAGE_SIZE, "expand": "lead"}
        page = session.read(api_types.RowPage, "project/search", query)
        yield from page.values
        if page.isLast:
            return
        start += len(page.values)
        guard.check(len(page.values), tuple(map(bytes, page.values)), start)


def _fetch(session: Session, key: str) -> api_types.Project | TrackerError:
    try:
        return session.read(api_types.Project, path_of("project/{}", key), project=key)
    except PROJECT_ERRORS as error:
        return error
