"""Read the histories of many issues in one request, from the activity in their threads (GitLab's GraphQL).

GraphQL has no resource events, but the threads of work items hold them as system notes: ``changed milestone to
/group/project%3``, ``removed milestone /group%"Title"``, ``closed``, ``reopened``. References in these texts are looked
up among the milestones that were just read. An issue with anything unclear is read by REST instead
(`connectors.gitlab.history_rest`). Times have no fractions of a second.

Fifty issues with a hundred entries each have a complexity of about 115. GitLab allows 250 (200 without a token).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any

from msgspec import Meta, Raw, Struct, field

from connectors.gitlab import api_types
from connectors.gitlab.moves import ActivityNote
from connectors.shared.responses import Time, decode_row
from sync.tracker.errors import MalformedError

__all__ = [
    "BATCH",
    "LINKS",
    "QUERY",
    "QUERY_WITH_LINKS",
    "STATUSES",
    "Activity",
    "Answer",
    "MilestoneIndex",
    "read_activities",
    "with_statuses",
]

BATCH = 50
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

_MOVED = re.compile(
    r'(?P<action>changed milestone to|removed milestone) (?P<owner>[^%"]*)%(?:"(?P<title>.*)"|(?P<number>\d+))'
)
_REOPENED = ("opened", "reopened")


# --- answer --------------------------------------------------------------------------------------------------------


class _User(Struct, gc=False):
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
    def lacks_links(self) -> bool:
        """Return whether the instance does not know the links: an unknown type or field fails the whole query."""
        return self.is_refused and any(word in str(self.errors) for word in ("LinkedItems", "blockedByCount"))

    @property
    def lacks_statuses(self) -> bool:
        """Return whether the instance does not know statuses, or not their categories."""
        return self.is_refused and any(word in str(self.errors) for word in ("WidgetStatus", "ItemStatus", "'status'"))

    def canceled(self) -> Iterator[int]:
        """The numbers of the issues with a status of the category Canceled, written with one or two l."""
        for item in self.items():
            categories = {widget.status.category.upper() for widget in item.widgets or () if widget.status}
            if not categories.isdisjoint(("CANCELED", "CANCELLED")):
                yield item.iid

    def items(self) -> Iterator[Item]:
        """The issues of the answer, without those that cannot be read: REST is asked for them."""
        project = self.data.project if self.data else None
        for node in project.work_items.nodes if project and project.work_items else ():
            with suppress(MalformedError):
                yield decode_row(node, Item, "")

    def blocker_counts(self) -> Mapping[int, int]:
        """The number of open blockers by issue number in the project, for issues where GitLab gave it."""
        return {
            item.iid: widget.blocked_by_count
            for item in self.items()
            for widget in item.widgets or ()
            if widget.blocked_by_count is not None
        }


# --- interpretation ------------------------------------------------------------------------------------------------


class Activity(Struct, frozen=True):
    """An issue's milestone and state events, each oldest first, and its other system notes."""

    moves: list[api_types.MilestoneEvent]
    states: list[api_types.StateEvent]
    notes: list[ActivityNote] = []


class MilestoneIndex:
    """Milestones by the references that system notes use."""

    def __init__(self, project: str, milestones: Iterable[api_types.Milestone]) -> None:
        self._project, self.group = project, project.rpartition("/")[0]
        self._by_number: dict[str, api_types.EventMilestone] = {}
        self._by_title: dict[tuple[str, str], api_types.EventMilestone] = {}
        for milestone in milestones:
            entry = api_types.EventMilestone(milestone.id, milestone.title)
            if milestone.group_id is None:
                self._by_number[milestone.web_url.rpartition("/")[2]] = entry
            else:
                group = milestone.web_url.partition("/groups/")[2].partition("/-/")[0]
                self._by_title[group, milestone.title] = entry

    def find(self, owner: str, title: str | None, number: str | None) -> api_types.EventMilestone | None:
        """Find a milestone by its owner's path and its title or number; None if it is not certain."""
        owner = owner.strip("/")
        if title is not None:
            return self._by_title.get((owner, title))
        return self._by_number.get(number or "") if owner == self._project else None


def read_activities(answer: Answer, milestones: MilestoneIndex) -> Mapping[int, Activity]:
    """Read the activities by issue number in the project. Issues with anything unclear are left out."""
    activities = {}
    for item in answer.items():
        activity = None if item.activity is None else _activity(item.activity, milestones)
        if activity is not None:
            activities[item.iid] = activity
    return activities


def _activity(notes: Sequence[Note], milestones: MilestoneIndex) -> Activity | None:
    moves, states, others = [], [], []
    for note in (note.in_group(milestones.group) for note in notes):
        if note.action == "milestone":
            match = _MOVED.fullmatch(note.body)
            milestone = milestones.find(match["owner"], match["title"], match["number"]) if match else None
            if match is None or milestone is None:
                return None
            kind = "remove" if match["action"].startswith("removed") else "add"
            moves.append(api_types.MilestoneEvent(note.at, kind, milestone, note.user))
        elif note.action == "closed":
            states.append(api_types.StateEvent(note.at, "closed", note.user))
        elif note.action in _REOPENED:
            states.append(api_types.StateEvent(note.at, "reopened", note.user))
        else:
            others.append(note)
    return Activity(moves, states, others)


def _user(author: _User | None) -> api_types.User | None:
    if author is None:
        return None
    number = author.id.rpartition("/")[2]
    return api_types.User(int(number), author.name, author.username) if number.isdecimal() else None
