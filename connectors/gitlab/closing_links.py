"""Find out which issues each merge request closes, asking the issues: for many of them in one request (GraphQL)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from connectors.gitlab.issue_pages import ISSUES, walk
from connectors.gitlab.session import PER_PAGE, Session, TooHeavyError
from connectors.shared.responses import decode
from sync.model.tracker_data import Project
from sync.tracker.errors import AuthError, GoneError, MalformedError, RefusedError

__all__ = ["fetch_closing"]

BATCH = 100
"""Issues in one request. GitLab may find them too many: then their number is halved."""

SMALLEST_BATCH = 10
"""A query for fewer issues than this is not split."""

QUERY = f"""query Closing($project: ID!, $numbers: [String!]) {{
  project(fullPath: $project) {{
    workItems(iids: $numbers, first: {BATCH}) {{
      nodes {{
        id
        widgets {{
          ... on WorkItemWidgetDevelopment {{ closingMergeRequests(first: 20) {{ nodes {{ mergeRequest {{ id }} }} }} }}
        }}
      }}
    }}
  }}
}}"""

_Id = Annotated[str, Meta(pattern=r"^gid://gitlab/\w+/[0-9]{1,18}$")]


class _MergeRequest(Struct):
    id: _Id


class _Link(Struct, rename="camel"):
    merge_request: _MergeRequest | None = None


class _Links(Struct):
    nodes: list[_Link] = []


class _Widget(Struct, rename="camel"):
    closing_merge_requests: _Links | None = None


class _Item(Struct):
    id: _Id
    widgets: list[_Widget] = []


class _Items(Struct):
    nodes: list[_Item] = []


class _Project(Struct, rename="camel"):
    work_items: _Items | None = None


class _Data(Struct):
    project: _Project | None = None


class _Answer(Struct):
    data: _Data | None = None
    errors: list[Any] = field(default_factory=list)

    @property
    def items(self) -> list[_Item] | None:
        """The issues of the answer; None if GitLab refused the query."""
        project = self.data.project if self.data else None
        return project.work_items.nodes if project and project.work_items and not self.errors else None


def fetch_closing(
    session: Session, project: Project, numbers: Collection[int] | None
) -> Mapping[int, tuple[str, ...]] | None:
    """Fetch the native ids of the issues of the project that each merge request closes, by its id.

    ``numbers`` are those of the issues that merge requests close; None: they are looked up among all issues. Returns
    None where GitLab does not answer it.
    """
    if not session.graphql:
        return None
    if numbers is None:
        batches = walk(session, project, ISSUES, None, None, PER_PAGE)
        numbers = [row.iid for rows in batches for row in rows.read if row.merge_requests_count]
    order = sorted(numbers)
    parts = [order[n : n + BATCH] for n in range(0, len(order), BATCH)]
    closed: dict[int, list[int]] = defaultdict(list)
    for items in session.caller.map_ahead(lambda part: _query(session, project.key, part), parts):
        if items is None:
            return None
        for item in items:
            for widget in item.widgets:
                links = widget.closing_merge_requests
                for link in links.nodes if links else ():
                    if link.merge_request is not None:
                        closed[_number(link.merge_request.id)].append(_number(item.id))
    return {change: tuple(map(str, sorted(issues))) for change, issues in closed.items()}


def _query(session: Session, project: str, numbers: Sequence[int]) -> list[_Item] | None:
    variables = {"project": project, "numbers": [str(number) for number in numbers]}
    try:
        return decode(session.query(QUERY, variables, project), _Answer, session.name, project).items
    except (AuthError, GoneError, MalformedError, RefusedError):
        return None
    except TooHeavyError:
        half = len(numbers) // 2
        if half < SMALLEST_BATCH:
            return None
        halves = [_query(session, project, part) for part in (numbers[:half], numbers[half:])]
        return None if None in halves else [item for items in halves for item in items or ()]


def _number(id_: str) -> int:
    return int(id_.rpartition("/")[2])
