"""Rows of epics, by GraphQL as work items and by REST.

GraphQL alone has the assignees and the history of nested epics. The ids of an epic differ in the two, so its native id
is made of the number of its group and its own number there.
"""

from __future__ import annotations

from datetime import UTC

from msgspec import Struct

from connectors.gitlab.container_ids import epic_id
from connectors.gitlab.group_lists import Day, GroupQuery, day_at
from connectors.gitlab.normalize import group_of
from connectors.shared.responses import Number, Time
from sync.model.tracker_data import Milestone, MilestoneKind, Person, State

__all__ = ["EPICS", "EpicRow"]

EPICS = GroupQuery(
    """
listed: workItems(types: [EPIC], includeAncestors: true, first: $first, after: $after) {
  pageInfo { hasNextPage endCursor }
  nodes {
    iid title state confidential web_url: webUrl group: namespace { id }
    created_at: createdAt updated_at: updatedAt<closedAt><description>
    widgets {
      ... on WorkItemWidgetStartAndDueDate { start_date: startDate due_date: dueDate<isFixed> }
      <WorkItemWidgetAssignees><WorkItemWidgetHierarchy>
    }
  }
}""",
    {
        "closedAt": " closed_at: closedAt",
        "description": " description",
        "isFixed": " is_fixed: isFixed",
        "WorkItemWidgetAssignees": "... on WorkItemWidgetAssignees { assignees { nodes { id name username } } }",
        "WorkItemWidgetHierarchy": "... on WorkItemWidgetHierarchy { parent { iid group: namespace { id } } }",
    },
)
"""The epics of a group and of the groups above it. The names are those of REST."""


class _Group(Struct):
    id: Number | str


class _Parent(Struct):
    iid: Number | str
    group: _Group


class _Assignee(Struct):
    id: str
    name: str = ""
    username: str = ""

    @property
    def person(self) -> Person:
        return Person(self.id.rpartition("/")[2], self.name or self.username, self.username)


class _Assignees(Struct):
    nodes: list[_Assignee] = []


class _Widget(Struct):
    start_date: Day | None = None
    due_date: Day | None = None
    is_fixed: bool | None = None
    assignees: _Assignees | None = None
    parent: _Parent | None = None


class EpicRow(Struct):
    """Epic. ``id``, ``group_id`` and ``parent_id`` are REST's; ``group`` and ``widgets`` are GraphQL's."""

    iid: Number | str
    title: str
    state: str
    created_at: Time
    updated_at: Time
    web_url: str
    confidential: bool = False
    closed_at: Time | None = None
    description: str | None = None
    group: _Group | None = None
    widgets: list[_Widget] = []
    id: Number | None = None
    group_id: Number | None = None
    parent_id: Number | None = None
    start_date: Day | None = None
    due_date: Day | None = None
    due_date_is_fixed: bool | None = None

    @property
    def native(self) -> str:
        """The native id. Raises ValueError without a group."""
        if self.group is None and self.group_id is None:
            raise ValueError
        return epic_id(self.group_id if self.group is None else self.group.id, self.iid)

    @property
    def parent(self) -> str:
        """The native id of the epic above by GraphQL; empty without one."""
        parents = [widget.parent for widget in self.widgets if widget.parent is not None]
        return epic_id(parents[0].group.id, parents[0].iid) if parents else ""

    @property
    def milestone(self) -> Milestone:
        """The epic as a milestone, without its project. Raises ValueError for a day that does not exist."""
        starts = [self.start_date, *(widget.start_date for widget in self.widgets)]
        dues = [self.due_date, *(widget.due_date for widget in self.widgets)]
        fixed = [self.due_date_is_fixed, *(widget.is_fixed for widget in self.widgets)]
        due = next((day_at(text) for text in dues if text), None)
        is_closed = self.state.lower() == "closed"
        return Milestone(
            id=self.native,
            project="",
            kind=MilestoneKind.EPIC,
            key=f"&{self.iid}",
            written=f"{group_of(self.web_url)}/epic:{self.iid}",
            title=self.title,
            url=self.web_url,
            state=State.CLOSED if is_closed else State.OPEN,
            description=self.description or "",
            start=next((day_at(text) for text in starts if text), None),
            due=due,
            created_at=self.created_at.astimezone(UTC),
            updated_at=self.updated_at.astimezone(UTC),
            closed_at=(self.closed_at or self.updated_at).astimezone(UTC) if is_closed else None,
            owners=tuple(user.person for widget in self.widgets if widget.assignees for user in widget.assignees.nodes),
            is_due_inherited=due is not None and False in fixed,
        )
