"""Probe many projects in one request (GraphQL): their rows, milestones, newest issue and newest merge request.

A probe shows less than a pull reads. What it shows is a state: while the state is the same as at the last complete
pull, the project is not read. The lists of GraphQL and REST come from the same finders of GitLab, so every update that
a pull would find moves the newest update, the count, or the milestones here. Times have whole seconds, and replicas
lag: a state with an update younger than `OVERLAP` is not stored, so that the next pull reads the project again.

A probe by paths needs GitLab 16.7: since 16.6 projects can be selected by paths, since 16.7 a project has the access
levels that decide about its visibility. By numbers, every version can be probed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from connectors.gitlab.cursor import OVERLAP
from connectors.gitlab.graphql_types import PageInfo, ProjectAccess
from connectors.gitlab.group_lists import unknown_names
from connectors.gitlab.normalize import group_of
from connectors.gitlab.session import Session, TooHeavyError
from connectors.shared.responses import Time, decode, parse_time
from sync.model.tracker_data import Project, Visibility
from sync.tracker.errors import AuthError, GoneError, MalformedError, RefusedError

__all__ = ["ProbedProject", "probe_keys", "probe_projects"]

SMALLEST_BATCH = 10
"""Number of projects below which a request that is too heavy is not made smaller.

The complexity of fifty projects is about 60; 250 are allowed.
"""

_PATHS, _IDS = "fullPaths", "ids"
"""Arguments that select projects."""

_LEVELS = ("issuesAccessLevel", "mergeRequestsAccessLevel")
"""Fields without which the visibility of a project is unknown."""

_FIELDS = """
      id name fullPath webUrl visibility <levels>
      milestones(includeAncestors: true, sort: UPDATED_DESC, first: 100) {
        pageInfo { hasNextPage } nodes { id updatedAt webPath }
      }
      issues(sort: UPDATED_DESC, first: 1) { count nodes { id updatedAt } }
      mergeRequests(sort: UPDATED_DESC, first: 1) { count nodes { id updatedAt } }"""


# --- answer --------------------------------------------------------------------------------------------------------


class _Row(Struct, rename="camel"):
    id: str
    updated_at: Time


class _Milestone(_Row, rename="camel"):
    web_path: str


class _Milestones(Struct, rename="camel"):
    page_info: PageInfo
    nodes: list[_Milestone]


class _Items(Struct):
    count: int
    nodes: list[_Row]


class _Project(ProjectAccess):
    id: Annotated[str, Meta(pattern=r"^gid://gitlab/Project/[0-9]{1,18}$")]
    name: str
    full_path: str
    web_url: str = ""
    milestones: _Milestones | None = None
    issues: _Items | None = None
    merge_requests: _Items | None = None


class _Projects(Struct):
    nodes: list[_Project]


class _Data(Struct):
    projects: _Projects | None = None


class _Answer(Struct):
    data: _Data | None = None
    errors: list[Any] = []


class ProbedProject(Struct, frozen=True):
    """A project as it was ``at`` a time of the server (UTC)."""

    row: _Project
    at: datetime

    @property
    def id(self) -> str:
        """The project's native id."""
        return self.row.id.rpartition("/")[2]

    @property
    def project(self) -> Project:
        """The project, as REST describes it, if its visibility is known."""
        row, visibility = self.row, self.row.known_visibility or Visibility.UNKNOWN
        return Project(id=self.id, key=row.full_path, name=row.name, url=row.web_url, visibility=visibility)

    def state(self, project: Project, is_own: Callable[[str, str], bool], settings: Sequence[Any]) -> str:
        """Checksum of what is shown; empty if it cannot show every later change.

        Of the milestones of groups those count for which ``is_own`` (group, id) is true. ``settings`` is what else a
        pull of the ``project`` depends on. With more milestones than the probe shows, a deletion may be hidden, so the
        state is another one each day.
        """
        row = self.row
        if row.milestones is None or row.issues is None:
            return ""
        own = [
            milestone
            for milestone in row.milestones.nodes
            if not (group := group_of(milestone.web_path)) or is_own(group, milestone.id.rpartition("/")[2])
        ]
        items = [*row.issues.nodes, *(row.merge_requests.nodes if row.merge_requests else ())]
        newest = max((shown.updated_at for shown in (*own, *items)), default=None)
        if newest is not None and newest > self.at - OVERLAP:
            return ""
        day = self.at.date() if row.milestones.page_info.has_next_page else None
        seen = [project, sorted(own, key=lambda shown: shown.id), row.issues, row.merge_requests, day, *settings]
        return blake2b(msgspec.json.encode(seen), digest_size=8).hexdigest()


# --- requests ------------------------------------------------------------------------------------------------------


def probe_keys(session: Session, keys: Collection[str]) -> dict[str, ProbedProject]:
    """Probe the projects with these paths or numbers, by key. Left out is what is no project under this key now, and
    what has no known visibility: everything on a server without access levels.
    """
    paths = {key.casefold(): key for key in keys if "/" in key and not key.endswith("/*")}
    numbers = {key for key in keys if key.isdecimal()}
    found = _probe(session, _PATHS, list(paths.values()), (_PATHS, *_LEVELS))
    found += _probe(session, _IDS, sorted(numbers), _LEVELS)
    found = [probed for probed in found if probed.row.known_visibility is not None]
    by_key = {paths[path]: probed for probed in found if (path := probed.row.full_path.casefold()) in paths}
    return by_key | {probed.id: probed for probed in found if probed.id in numbers}


def probe_projects(session: Session, projects: Iterable[Project]) -> dict[str, ProbedProject]:
    """Probe these projects, by id. Left out is what cannot be probed, or has another path now."""
    paths = {project.id: project.key for project in projects}
    found = _probe(session, _IDS, sorted(paths), ())
    return {probed.id: probed for probed in found if paths.get(probed.id) == probed.row.full_path}


def _probe(session: Session, argument: str, values: Sequence[str], needed: Collection[str]) -> list[ProbedProject]:
    """Probe projects, as many in a request as GitLab can answer; nothing where it lacks what is ``needed``.

    The first request goes alone: what GitLab refuses is then refused once.
    """
    found: list[ProbedProject] = []
    is_answered = False
    while values and session.has_probes and session.lacking_names.isdisjoint(needed):
        size = session.probe_size
        end = len(values) if is_answered else size
        parts = [values[n : n + size] for n in range(0, end, size)]
        answers = session.caller.map_all(lambda part: _query(session, argument, part), parts)
        if None not in answers:
            found += (probed for answer in answers for probed in answer or ())
            values, is_answered = values[end:], True
    return found if not values else []


def _query(session: Session, argument: str, values: Sequence[str]) -> list[ProbedProject] | None:
    """Probe projects in one request. None: the session has noted how the next query must differ."""
    if not session.has_probes:
        return None  # another request of this round was refused
    lacking = frozenset(session.lacking_names)
    wanted = [f"gid://gitlab/Project/{value}" for value in values] if argument == _IDS else values
    try:
        response = session.query(_document(argument, lacking), {"wanted": wanted, "first": len(values)})
        answer = decode(response, _Answer, session.name, "")
    except TooHeavyError:
        _halve(session, len(values))
        return None
    except (AuthError, GoneError, MalformedError, RefusedError):
        session.has_probes = False
        return None
    if answer.data is None or answer.data.projects is None:
        if "complexity" in str(answer.errors):
            _halve(session, len(values))
            return None
        new = unknown_names(answer.errors) & {_PATHS, *_LEVELS}
        session.has_probes = not new <= lacking
        session.lacking_names |= new
        return None
    if answer.errors:
        return []  # a field that GitLab left out looks like one without a value
    at = parse_time(response.headers.get("date", "")) or session.clock()
    rows = answer.data.projects.nodes
    # without merge requests a project may have them switched off; with an error they may be left out
    return [ProbedProject(row, at) for row in rows if row.merge_requests is not None or not answer.errors]


def _halve(session: Session, size: int) -> None:
    """Make later requests smaller, down to `SMALLEST_BATCH`; after that no project is probed."""
    session.probe_size = min(session.probe_size, size // 2)
    session.has_probes = session.probe_size >= SMALLEST_BATCH


def _document(argument: str, lacking: Collection[str]) -> str:
    levels = " ".join(f"{name} {{ stringValue }}" for name in _LEVELS if name not in lacking)
    kind = "[ID!]" if argument == _IDS else "[String!]"
    fields = _FIELDS.replace("<levels>", levels)
    return f"""query Probe($wanted: {kind}, $first: Int!) {{
  projects({argument}: $wanted, first: $first) {{ nodes {{{fields}
  }} }}
}}"""
