"""Count the kinds of containers that repositories use: a page of open issues of each, and of their owners' boards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress

from msgspec import Struct, field

from connectors.github.api_types import Wire
from connectors.github.boards.api_types import BoardItem
from connectors.github.boards.reader import BoardReader, WalkedColumn
from connectors.github.boards.state import ColumnState
from connectors.github.containers.iterations import Iterations
from connectors.github.session import PROJECT_ERRORS, Session
from sync.tracker.container_use import ContainerUse

__all__ = ["BOARDS", "BOARDS_DOCUMENT", "REPOSITORIES", "containers_in_use", "sample_document"]

REPOSITORIES = 5
"""Repositories of which a page of issues is read."""

BOARDS = 5
"""Boards of each owner of which a page of items is read."""


BOARDS_DOCUMENT = """query Boards($owner: String!) {
  repositoryOwner(login: $owner) { ... on ProjectV2Owner { projectsV2(first: 20) { nodes { number closed } } } }
}"""
"""Document for the boards of an owner."""


class _Sampled(Wire, frozen=True):
    milestone: object = None
    parent: object = None


class _Nodes(Wire, frozen=True):
    nodes: tuple[_Sampled | None, ...] = ()


class _Repository(Wire, frozen=True):
    issues: _Nodes = _Nodes()


class _Sample(Wire, frozen=True):
    repository: _Repository | None = None


class _Board(Wire, frozen=True):
    number: int = 0
    closed: bool = False


class _BoardNodes(Wire, frozen=True):
    nodes: tuple[_Board | None, ...] = ()


class _Owner(Struct, frozen=True):
    projects: _BoardNodes | None = field(default=None, name="projectsV2")


class _Boards(Wire, frozen=True):
    repository_owner: _Owner | None = None


class _BoardUse(Struct, frozen=True):
    name: str
    issues: int


def sample_document(lacking: frozenset[str]) -> str:
    """Document for the open issues of a repository that changed last."""
    parent = "" if "parent" in lacking else "parent { id }"
    return f"""query Sample($owner: String!, $name: String!) {{
  repository(owner: $owner, name: $name) {{
    issues(first: 100, states: [OPEN], orderBy: {{field: UPDATED_AT, direction: DESC}}) {{
      nodes {{ milestone {{ id }} {parent} }}
    }}
  }}
}}"""


def containers_in_use(session: Session, repositories: Sequence[str]) -> list[ContainerUse]:
    """Return the number of issues in each kind, for repositories by name."""
    counts = Counter[str]()
    for name in repositories[:REPOSITORIES]:
        for issue in _sample(session, name):
            counts.update({"milestones": issue.milestone is not None, "parents": issue.parent is not None})
    owners = dict.fromkeys(name.partition("/")[0] for name in repositories)
    boards = [use for owner in owners for use in _boards(session, owner, frozenset(repositories)) if use.issues]
    return [
        ContainerUse(word="milestones", issues=counts["milestones"]),
        ContainerUse(
            word="iterations",
            issues=sum(board.issues for board in boards),
            options={"boards": [board.name for board in boards]},
        ),
        ContainerUse(word="parents", issues=counts["parents"]),
    ]


def _sample(session: Session, name: str) -> Iterator[_Sampled]:
    with suppress(*PROJECT_ERRORS):
        owner, short = session.split_name(name, name)
        reply = session.query(sample_document, {"owner": owner, "name": short}, _Sample, name)
        repository = reply.data.repository if reply.data else None
        yield from (issue for issue in (repository.issues.nodes if repository else ()) if issue is not None)


def _boards(session: Session, owner: str, repositories: frozenset[str]) -> Iterator[_BoardUse]:
    """Yield the boards of an owner with an iteration field; nothing where they cannot be read."""
    reader = BoardReader(session)
    with suppress(*PROJECT_ERRORS):
        reply = session.query(BOARDS_DOCUMENT, {"owner": owner}, _Boards, owner)
        found = reply.data.repository_owner if reply.data else None
        rows = found.projects.nodes if found and found.projects else ()
        for number in [row.number for row in rows if row is not None and not row.closed][:BOARDS]:
            name = f"{owner}/{number}"
            fields = [field for field in reader.fields(reader.fetch(name)) if field.configuration is not None]
            if len(fields) == 1:
                kind = Iterations(name, "", ColumnState())
                items = reader.walk(name, [WalkedColumn(fields[0].name, kind.selection)], max_pages=1).items
                yield _BoardUse(name, sum(_is_open_in(item, kind, repositories) for item in items))


def _is_open_in(item: BoardItem, kind: Iterations, repositories: frozenset[str]) -> bool:
    content = item.content
    if content is None or content.repository is None or content.closed:
        return False
    return content.repository.name_with_owner in repositories and bool(kind.key_of(item))
