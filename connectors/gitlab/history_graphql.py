"""Read the histories of many issues in one request, from the activity in their threads (GitLab's GraphQL).

GraphQL has no resource events, but the threads of work items hold them as system notes: ``closed``, ``reopened``, and
the moves that each kind of container reads (`connectors.gitlab.containers`). An issue with anything unclear is read by
REST instead (`connectors.gitlab.history_rest`). Times have no fractions of a second.

A query with a hundred entries of each issue has a complexity of about 115, however many issues it names by number:
GitLab adds nothing for these. It allows 250 (200 without a token).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Annotated, Any

from msgspec import Meta, Raw, Struct, field

from connectors.gitlab import api_types
from connectors.gitlab.moves import ActivityNote
from connectors.gitlab.normalize import PEOPLE
from connectors.shared.responses import RowError, Time, decode_row, decode_together

__all__ = [
    "BATCH",
    "LINKS",
    "QUERY",
    "QUERY_WITH_LINKS",
    "STATUSES",
    "Activity",
    "Answer",
    "blocker_counts",
    "canceled",
    "read_activities",
    "with_statuses",
]

BATCH = 100
"""Issues in one request."""

NOTES = """
          ... on WorkItemWidgetNotes {
            discussions(filter: ONLY_ACTIVITY, first: 100) {
              pageInfo { hasNextPage }
              nodes {
                notes {
                  nodes { body createdAt systemNoteMetadata { action } author { id name username } }
                }
              }
            }
          }"""
_STATUS = """
          ... on WorkItemWidgetStatus { status { category } }"""
_BLOCKED_BY = """
          ... on WorkItemWidgetLinkedItems { blockedByCount }"""


def _query(*widgets: str) -> str:
    return f"""query Activity($project: ID!, $numbers: [String!]) {{
  project(fullPath: $project) {{
    workItems(iids: $numbers, first: {BATCH}) {{
      nodes {{
        iid
        widgets {{{"".join(widgets)}
        }}
      }}
    }}
  }}
}}"""


STATUSES = _query(_STATUS)
"""Query for the statuses alone. Only an instance of 18.2 or newer with a licence has them."""

QUERY, QUERY_WITH_LINKS, LINKS = _query(NOTES), _query(NOTES, _BLOCKED_BY), _query(_BLOCKED_BY)
"""Queries for the histories, the histories with the number of open blockers, and that number alone.

Only an instance with a licence for blocking links has the number of blockers.
"""

_REOPENED = ("opened", "reopened")


# --- answer --------------------------------------------------------------------------------------------------------


class _User(Struct, frozen=True, gc=False):
    id: str
    name: str = ""
    username: str = ""


class _Metadata(Struct, gc=False):
    action: str | None = None


class Note(Struct, rename="camel"):
    """System note of a thread."""

    body: str
    created_at: Time
    system_note_metadata: _Metadata | None = None
    author: _User | None = None

    def in_group(self, group: str) -> ActivityNote:
        """The note, with the group (path) of its thread."""
        action = self.system_note_metadata.action if self.system_note_metadata else None
        return ActivityNote(self.body, action or "", self.created_at, group, _user(self.author))


class _Notes(Struct):
    nodes: list[Note] = []


class _Discussion(Struct):
    notes: _Notes


class _PageInfo(Struct, frozen=True, rename="camel"):
    has_next_page: bool = False


class _Discussions(Struct, rename="camel"):
    nodes: list[_Discussion] = []
    page_info: _PageInfo = _PageInfo()


class _Status(Struct):
    category: str = ""


class _Widget(Struct, rename="camel"):
    discussions: _Discussions | None = None
    blocked_by_count: int | None = None
    status: _Status | None = None


class Item(Struct):
    """Work item: an issue or epic."""

    number: Annotated[str, Meta(pattern="^[0-9]{1,18}$")] = field(name="iid")
    widgets: list[_Widget] | None = None

    @property
    def iid(self) -> int:
        """Its number."""
        return int(self.number)

    @property
    def activity(self) -> list[Note] | None:
        """The whole activity of its thread; None if this is only a part of it."""
        widgets = [widget.discussions for widget in self.widgets or () if widget.discussions is not None]
        if len(widgets) != 1 or widgets[0].page_info.has_next_page:
            return None
        return [note for discussion in widgets[0].nodes for note in discussion.notes.nodes]


class _Items(Struct):
    nodes: list[Raw] = []


class _Project(Struct, rename="camel"):
    work_items: _Items | None = None


class _Data(Struct):
    project: _Project | None = None


def with_statuses(query: str) -> str:
    """Add the statuses to a query for histories."""
    return query.replace(NOTES, f"{NOTES}{_STATUS}")


class Answer(Struct):
    """GraphQL answer. With errors, parts of its data may be missing."""

    data: _Data | None = None
    errors: list[Any] = []

    @property
    def is_refused(self) -> bool:
        """Return whether the answer has errors and no data."""
        return bool(self.errors) and (self.data is None or self.data.project is None)

    @property
    def is_too_complex(self) -> bool:
        """Return whether the query was refused for its complexity."""
        return self.is_refused and "complexity" in str(self.errors)

    @property
    def lacks_links(self) -> bool:
        """Return whether the instance does not know the links: an unknown type or field fails the whole query."""
        return self.is_refused and any(word in str(self.errors) for word in ("LinkedItems", "blockedByCount"))

    @property
    def lacks_statuses(self) -> bool:
        """Return whether the instance does not know statuses, or not their categories."""
        return self.is_refused and any(word in str(self.errors) for word in ("WidgetStatus", "ItemStatus", "'status'"))

    def items(self) -> list[Item]:
        """Return the issues of the answer, without those that cannot be read: REST is asked for them."""
        project = self.data.project if self.data else None
        nodes = project.work_items.nodes if project and project.work_items else []
        with suppress(RowError):
            return decode_together(nodes, Item, "")
        items = []
        for node in nodes:
            with suppress(RowError):
                items.append(decode_row(node, Item, ""))
        return items


# --- interpretation ------------------------------------------------------------------------------------------------


class Activity(Struct, frozen=True):
    """An issue's state events, oldest first, and all its system notes."""

    states: list[api_types.StateEvent]
    notes: Sequence[ActivityNote]


def read_activities(items: Iterable[Item], project: str) -> Mapping[int, Activity]:
    """Read the activities by issue number in the project (path). Those that are not whole are left out."""
    group = project.rpartition("/")[0]
    return {
        item.iid: _activity([note.in_group(group) for note in notes])
        for item in items
        if (notes := item.activity) is not None
    }


def canceled(items: Iterable[Item]) -> Iterator[int]:
    """Yield the numbers of the issues with a status of the category Canceled, written with one or two l."""
    for item in items:
        categories = {widget.status.category.upper() for widget in item.widgets or () if widget.status}
        if not categories.isdisjoint(("CANCELED", "CANCELLED")):
            yield item.iid


def blocker_counts(items: Iterable[Item]) -> Mapping[int, int]:
    """Return the number of open blockers by issue number in the project, for issues where GitLab gave it."""
    return {
        item.iid: widget.blocked_by_count
        for item in items
        for widget in item.widgets or ()
        if widget.blocked_by_count is not None
    }


def _activity(notes: Sequence[ActivityNote]) -> Activity:
    states = []
    for note in notes:
        if note.action == "closed":
            states.append(api_types.StateEvent(note.at, "closed", note.user))
        elif note.action in _REOPENED:
            states.append(api_types.StateEvent(note.at, "reopened", note.user))
    return Activity(states, notes)


@lru_cache(PEOPLE)
def _user(author: _User | None) -> api_types.User | None:
    if author is None:
        return None
    number = author.id.rpartition("/")[2]
    return api_types.User(int(number), author.name, author.username) if number.isdecimal() else None
