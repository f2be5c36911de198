"""Read status issues with their comments, and the projects around them, many in one request (GraphQL).

What GraphQL does not show, or not whole, is left out of the answers, so that `connectors.gitlab.observe` reads it by
REST: an issue with more comments or labels than a page holds, a project that was renamed, everything on a server that
refuses the query. Times have whole seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType, field

from connectors.gitlab import api_types
from connectors.gitlab.graphql_types import PageInfo, ProjectAccess
from connectors.gitlab.group_lists import unknown_names
from connectors.gitlab.session import THREAD_SIZE, Session, TooHeavyError
from connectors.shared.responses import Time, decode
from sync.model.tracker_data import Visibility
from sync.tracker.errors import AuthError, GoneError, MalformedError, RefusedError

__all__ = ["Candidate", "Place", "Places", "Thread", "read_places", "read_threads"]

T = TypeVar("T")

PROJECTS = 50
"""Projects in one request."""

SMALLEST_BATCH = 2
"""Number of status issues below which a request that is too heavy is not made smaller."""

PATHS = 6
"""Projects whose issues are asked for one by one in a request: each adds 35 to the complexity, of which 250 are
allowed. A list of projects adds about 50 as a whole, but can only ask all of them for the same numbers.
"""

COMMENTS, LABELS = 50, 20
"""Comments and labels of an issue in one request. A full page counts as incomplete: to ask whether more follow would
add to the complexity.
"""

_Number = Annotated[str, Meta(pattern=r"^gid://gitlab/\w+/[0-9]{1,18}$")]
_IssueNumber = Annotated[str, Meta(pattern="^[0-9]{1,18}$")]

_LEVELS = {
    "issuesAccessLevel": "issuesAccessLevel { stringValue }",
    "mergeRequestsAccessLevel": "mergeRequestsAccessLevel { stringValue }",
}
"""Fields of a project that older servers lack. Without them its visibility is left out."""

_ISSUE = {"filter": "filter: ONLY_COMMENTS, ", "healthStatus": "healthStatus"}
"""An argument that older servers lack, and a field that the free edition lacks."""

_PLACES = """query Places($ids: [ID!], $first: Int!, $labels: [String], $search: Boolean!) {
  currentUser { id username }
  projects(ids: $ids, first: $first) { nodes {
    id visibility <issuesAccessLevel> <mergeRequestsAccessLevel>
    labels(first: 100, includeAncestorGroups: true) { pageInfo { hasNextPage } nodes { title } }
    issues(labelName: $labels, first: 100, sort: CREATED_ASC) @include(if: $search) {
      pageInfo { hasNextPage } nodes { iid description author { id username } }
    }
  } }
}"""

_THREAD = f"""fragment Thread on Issue {{
  iid reference(full: true) webUrl state confidential description <healthStatus>
  author {{ id username }}
  labels(first: {LABELS}) {{ nodes {{ title }} }}
  notes(<filter>first: {COMMENTS}) {{
    nodes {{ id body system internal createdAt updatedAt author {{ id username name }} }}
  }}
}}
fragment Threads on IssueConnection {{ nodes {{ ...Thread }} }}"""

_OWN = f"""query OwnThreads($ids: [ID!], $first: Int!, $numbers: [String!], $author: String!) {{
  projects(ids: $ids, first: $first) {{ nodes {{
    id issues(iids: $numbers, authorUsername: $author, first: {THREAD_SIZE}) {{ ...Threads }}
  }} }}
}}
{_THREAD}"""
"""Our own issues with one of these numbers: of the numbers of other projects, few belong to an issue of ours."""


# --- answers -------------------------------------------------------------------------------------------------------


class _Answer(Struct, Generic[T]):
    data: T | None = None
    errors: list[Any] = field(default_factory=list)


class _User(Struct):
    id: _Number
    username: str = ""
    name: str = ""

    @property
    def user(self) -> api_types.User:
        return api_types.User(_number(self.id), self.name, self.username)


class _Label(Struct):
    title: str


class _Labels(Struct, rename="camel"):
    page_info: PageInfo
    nodes: list[_Label]

    @property
    def names(self) -> frozenset[str] | None:
        """The names; None if there are more."""
        return None if self.page_info.has_next_page else frozenset(label.title for label in self.nodes)


class Candidate(Struct):
    """Issue with a status label, which may be a status issue. ``iid`` is its number."""

    iid: _IssueNumber
    description: str | None = None
    author: _User | None = None


class _Candidates(Struct, rename="camel"):
    page_info: PageInfo
    nodes: list[Candidate]


class _Place(ProjectAccess):
    id: _Number
    labels: _Labels | None = None
    issues: _Candidates | None = None


class _PlaceList(Struct):
    nodes: list[_Place]


class _PlacesData(Struct, rename="camel"):
    current_user: _User | None = None
    projects: _PlaceList | None = None


class _Note(Struct, rename="camel"):
    id: Annotated[str, Meta(pattern="/[0-9]{1,18}$")]
    body: str
    system: bool
    internal: bool
    created_at: Time
    updated_at: Time
    author: _User | None = None

    @property
    def note(self) -> api_types.Note:
        return api_types.Note(
            id=_number(self.id),
            body=self.body,
            system=self.system,
            internal=self.internal,
            author=self.author.user if self.author else None,
            created_at=self.created_at,
            updated_at=self.updated_at,
        )


class _Notes(Struct):
    nodes: list[_Note]


class _IssueLabels(Struct):
    nodes: list[_Label]


class _Issue(Struct, rename="camel"):
    iid: _IssueNumber
    reference: str
    web_url: str
    state: str
    confidential: bool
    labels: _IssueLabels
    notes: _Notes
    description: str | None = None
    author: _User | None = None
    health_status: str | UnsetType | None = UNSET


class _Issues(Struct):
    nodes: list[_Issue]


class _Project(Struct):
    id: _Number
    issues: _Issues | None = None


class _Projects(Struct):
    nodes: list[_Project]


class _ProjectsData(Struct):
    projects: _Projects | None = None


class Place(Struct, frozen=True):
    """Project of status issues.

    ``labels`` are the names of its labels, None if they are too many. ``candidates`` are its issues with a status
    label, oldest first; None if they were not asked for or are too many. ``visibility`` is None if it is not known.
    """

    labels: frozenset[str] | None = None
    candidates: list[Candidate] | None = None
    visibility: Visibility | None = None


class Places(Struct, frozen=True):
    """Projects by id, and our own account; None if it is not known."""

    by_id: Mapping[str, Place] = {}
    account: api_types.User | None = None


class Thread(Struct, frozen=True):
    """Status issue with its comments, oldest first, and the number of its project."""

    project: int
    row: _Issue

    @property
    def notes(self) -> list[api_types.Note]:
        """The comments, and on older servers system notes, in their order."""
        return sorted((each.note for each in self.row.notes.nodes), key=lambda note: (note.created_at, note.id))


def _number(id_: str) -> int:
    return int(id_.rpartition("/")[2])


# --- projects ------------------------------------------------------------------------------------------------------


def read_places(session: Session, projects: Sequence[str], labels: Sequence[str]) -> Places:
    """Read projects (ids) with their labels and visibility, and their issues with one of the status ``labels``.

    Candidates are searched where there is one such label: with several, GitLab finds the issues that have all of them.
    """
    parts = [projects[n : n + PROJECTS] for n in range(0, len(projects), PROJECTS)]
    answers = session.caller.map_all(lambda part: _places(session, part, labels if len(labels) == 1 else ()), parts)
    account: api_types.User | None = None
    places: dict[str, Place] = {}
    for data in answers:
        account = data.current_user.user if data.current_user else account
        for row in data.projects.nodes if data.projects else ():
            places[str(_number(row.id))] = _place_of(row)
    return Places(places, account)


def _place_of(row: _Place) -> Place:
    candidates = row.issues.nodes if row.issues and not row.issues.page_info.has_next_page else None
    return Place(row.labels.names if row.labels else None, candidates, row.known_visibility)


def _places(session: Session, projects: Sequence[str], labels: Sequence[str]) -> _PlacesData:
    """Read projects in one request; nothing where GitLab refuses it."""
    ids = [f"gid://gitlab/Project/{project}" for project in projects]
    variables = {"ids": ids, "first": len(ids), "labels": labels, "search": bool(labels)}
    while session.has_threads:
        lacking = frozenset(session.lacking_names)
        try:
            response = session.query(_without(_PLACES, _LEVELS, lacking), variables)
            answer = decode(response, _Answer[_PlacesData], session.name, "")
        except (AuthError, GoneError, MalformedError, RefusedError, TooHeavyError):
            break
        if answer.data is not None and answer.data.projects is not None:
            return _PlacesData() if answer.errors else answer.data
        if not _note_lacking(session, answer.errors, _LEVELS, lacking):
            break
    session.has_threads = False
    return _PlacesData()


def _without(document: str, optional: Mapping[str, str], lacking: frozenset[str]) -> str:
    """Fill in the optional parts that the server has."""
    for name, text in optional.items():
        document = document.replace(f"<{name}>", "" if name in lacking else text)
    return document


def _note_lacking(session: Session, errors: list[Any], optional: Mapping[str, str], lacking: frozenset[str]) -> bool:
    """Note which optional parts the server lacks by these errors; return whether there are new ones."""
    new = unknown_names(errors) & optional.keys()
    session.lacking_names |= new
    return not new <= lacking


# --- issues --------------------------------------------------------------------------------------------------------

_Key = tuple[str, int]
"""Path of a project, and number of an issue there."""

_Part = Mapping[str, Sequence[int]]
"""Numbers of issues by the path of their project."""


class _OfPaths(Struct, frozen=True):
    """Query for issues of projects by path."""

    most: ClassVar = PATHS
    answer: ClassVar[Any] = _Answer[dict[str, _Project | None]]

    def of(self, part: _Part) -> tuple[str, dict[str, Any]]:
        """Return the document and its variables."""
        variables: dict[str, Any] = {}
        for i, (path, numbers) in enumerate(part.items()):
            variables |= {f"p{i}": path, f"n{i}": list(map(str, numbers))}
        return _document(len(part)), variables

    def projects(self, part: _Part, data: Mapping[str, _Project | None]) -> Iterator[tuple[str, _Project]]:
        """Yield the projects of an answer, each with its path."""
        for i, path in enumerate(part):
            if (project := data.get(f"p{i}")) is not None:
                yield path, project


class _OfAuthor(Struct, frozen=True):
    """Query for issues of one author in a list of projects. ``ids`` are the ids of the projects by path."""

    ids: Mapping[str, str]
    login: str
    most: ClassVar = PROJECTS
    answer: ClassVar[Any] = _Answer[_ProjectsData]

    def of(self, part: _Part) -> tuple[str, dict[str, Any]]:
        """Return the document and its variables."""
        numbers = sorted({number for numbers in part.values() for number in numbers})
        return _OWN, {
            "ids": [f"gid://gitlab/Project/{self.ids[path]}" for path in part],
            "first": len(part),
            "numbers": list(map(str, numbers)),
            "author": self.login,
        }

    def projects(self, part: _Part, data: _ProjectsData) -> Iterator[tuple[str, _Project]]:
        """Yield the projects of an answer, each with its path."""
        paths = {self.ids[path]: path for path in part}
        for project in data.projects.nodes if data.projects else ():
            if (path := paths.get(str(_number(project.id)))) is not None:
                yield path, project


_Query = _OfPaths | _OfAuthor


def _document(projects: int) -> str:
    variables = ", ".join(f"$p{i}: ID!, $n{i}: [String!]" for i in range(projects))
    fields = "\n".join(
        f"  p{i}: project(fullPath: $p{i}) {{ id issues(iids: $n{i}, first: {THREAD_SIZE}) {{ ...Threads }} }}"
        for i in range(projects)
    )
    return f"query Threads({variables}) {{\n{fields}\n}}\n{_THREAD}"


def read_threads(session: Session, wanted: _Part, ids: Mapping[str, str], login: str) -> dict[_Key, Thread]:
    """Read issues with their comments. Left out is what cannot be read.

    ``ids`` are ids of projects by path. By them the issues of our own account (``login``) are read from many projects
    in one request, then the others.
    """
    own, any_author = _OfAuthor(ids, login), _OfPaths()
    known = {path: numbers for path, numbers in wanted.items() if path in ids} if login else {}
    parts = [part for part in _parts(known, session.thread_size, own.most) if len(part) > any_author.most]
    found = _all_threads(session, parts, own)
    rest = {path: [number for number in numbers if (path, number) not in found] for path, numbers in wanted.items()}
    return found | _all_threads(session, _parts(rest, session.thread_size, any_author.most), any_author)


def _all_threads(session: Session, parts: Iterable[_Part], query: _Query) -> dict[_Key, Thread]:
    """Read all parts, several at the same time."""
    answers = session.caller.map_all(lambda part: _threads(session, part, query), parts)
    return {key: thread for threads in answers for key, thread in threads.items()}


def _parts(wanted: _Part, size: int, projects: int) -> Iterator[_Part]:
    """Divide issues into parts of ``size`` issues in ``projects`` projects at most."""
    part: dict[str, list[int]] = {}
    count = 0
    for path, numbers in wanted.items():
        for number in numbers:
            if count == size or (len(part) == projects and path not in part):
                yield part
                part, count = {}, 0
            part.setdefault(path, []).append(number)
            count += 1
    if part:
        yield part


def _threads(session: Session, part: _Part, query: _Query) -> dict[_Key, Thread]:
    """Read issues in one request, or in smaller ones if it is too heavy; nothing where GitLab refuses it."""
    document, variables = query.of(part)
    while session.has_threads:
        lacking = frozenset(session.lacking_names)
        try:
            response = session.query(_without(document, _ISSUE, lacking), variables)
            answer = decode(response, query.answer, session.name, "")
        except TooHeavyError:
            return _halved(session, part, query)
        except (AuthError, GoneError, MalformedError, RefusedError):
            break
        if answer.data is not None:
            # with errors, a field that GitLab left out looks like one without a value
            return {} if answer.errors else _whole_threads(part, query.projects(part, answer.data))
        if "complexity" in str(answer.errors):
            return _halved(session, part, query)
        if not _note_lacking(session, answer.errors, _ISSUE, lacking):
            break
    session.has_threads = False
    return {}


def _halved(session: Session, part: _Part, query: _Query) -> dict[_Key, Thread]:
    count = sum(map(len, part.values()))
    session.thread_size = min(session.thread_size, max(1, count // 2))
    if count // 2 < SMALLEST_BATCH:
        return {}
    threads: dict[_Key, Thread] = {}
    for half in _parts(part, count // 2, query.most):
        threads |= _threads(session, half, query)
    return threads


def _whole_threads(part: _Part, projects: Iterable[tuple[str, _Project]]) -> dict[_Key, Thread]:
    """Return the issues of a part that are shown with all labels and all comments."""
    return {
        (path, int(row.iid)): Thread(_number(project.id), row)
        for path, project in projects
        if project.issues is not None
        for row in project.issues.nodes
        if int(row.iid) in part[path] and len(row.labels.nodes) < LABELS and len(row.notes.nodes) < COMMENTS
    }
