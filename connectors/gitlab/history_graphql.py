"""Histories of many issues in one request: GitLab's GraphQL shows the activity in their threads.

GraphQL has no resource events, but the threads of work items hold them as system notes: ``changed milestone to
/group/project%3``, ``removed milestone /group%"Title"``, ``closed``, ``reopened``. What such a text refers to is looked
up among the milestones that were just read; an issue of which anything stays unclear is told by REST
(`connectors.gitlab.history_rest`). Times come without fractions of a second.

Fifty issues with a hundred entries each have a complexity of about 115, of which GitLab takes 250 (200 without a
token).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from connectors.gitlab import api_types

__all__ = ["AT_ONCE", "LINKS", "QUERY", "QUERY_WITH_LINKS", "Activity", "Answer", "Milestones", "read"]

AT_ONCE = 50
"""Issues in one request."""

_NOTES = """
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
_BLOCKED = """
          ... on WorkItemWidgetLinkedItems { blockedByCount }"""


def _query(*widgets: str) -> str:
    return f"""query Activity($project: ID!, $numbers: [String!]) {{
  project(fullPath: $project) {{
    workItems(iids: $numbers, first: {AT_ONCE}) {{
      nodes {{
        iid
        widgets {{{"".join(widgets)}
        }}
      }}
    }}
  }}
}}"""


QUERY, QUERY_WITH_LINKS, LINKS = _query(_NOTES), _query(_NOTES, _BLOCKED), _query(_BLOCKED)
"""The histories; with how many open issues block each, which only a licence for blocking links knows; that alone."""

_MOVED = re.compile(
    r'(?P<word>changed milestone to|removed milestone) (?P<owner>[^%"]*)%(?:"(?P<title>.*)"|(?P<number>\d+))'
)
_REOPENED = ("opened", "reopened")


# --- what is read of the answer ------------------------------------------------------------------------------------


class _User(Struct, gc=False):
    id: str
    name: str = ""
    username: str = ""


class _Metadata(Struct, gc=False):
    action: str | None = None


class _Note(Struct, rename="camel"):
    body: str
    created_at: datetime
    system_note_metadata: _Metadata | None = None
    author: _User | None = None


class _Notes(Struct):
    nodes: list[_Note] = []


class _Discussion(Struct):
    notes: _Notes


class _PageInfo(Struct, frozen=True, rename="camel"):
    has_next_page: bool = False


class _Discussions(Struct, rename="camel"):
    nodes: list[_Discussion] = []
    page_info: _PageInfo = _PageInfo()


class _Widget(Struct, rename="camel"):
    discussions: _Discussions | None = None
    blocked_by_count: int | None = None


class _Item(Struct):
    iid: str
    widgets: list[_Widget] | None = None


class _Items(Struct):
    nodes: list[_Item | None] = []


class _Project(Struct, rename="camel"):
    work_items: _Items | None = None


class _Data(Struct):
    project: _Project | None = None


class Answer(Struct):
    """A GraphQL answer; with errors its data may have holes."""

    data: _Data | None = None
    errors: list[Any] = []

    @property
    def refused(self) -> bool:
        """Whether nothing was answered."""
        return bool(self.errors) and (self.data is None or self.data.project is None)

    @property
    def without_links(self) -> bool:
        """Whether what was refused are the links: an unknown type or field ends the whole query."""
        return self.refused and any(word in str(self.errors) for word in ("LinkedItems", "blockedByCount"))

    def items(self) -> Iterator[_Item]:
        """The issues in it."""
        found = self.data.project if self.data else None
        return (item for item in (found.work_items.nodes if found and found.work_items else []) if item is not None)

    def blocked(self) -> Mapping[int, int]:
        """How many open issues block each issue (by number in the project), where that is told."""
        return {
            int(item.iid): widget.blocked_by_count
            for item in self.items()
            for widget in item.widgets or ()
            if widget.blocked_by_count is not None
        }


# --- what it means ---------------------------------------------------------------------------------------------------


class Activity(Struct, frozen=True):
    """An issue's milestone and state events, each oldest first."""

    moves: list[api_types.MilestoneEvent]
    states: list[api_types.StateEvent]


class Milestones:
    """The milestones by what a reference says of them."""

    def __init__(self, project: str, milestones: Iterable[api_types.Milestone]) -> None:
        self._project = project
        self._by_number: dict[str, api_types.EventMilestone] = {}
        self._by_title: dict[tuple[str, str], api_types.EventMilestone] = {}
        for milestone in milestones:
            meant = api_types.EventMilestone(milestone.id, milestone.title)
            if milestone.group_id is None:
                self._by_number[milestone.web_url.rpartition("/")[2]] = meant
            else:
                owner = milestone.web_url.partition("/groups/")[2].partition("/-/")[0]
                self._by_title[owner, milestone.title] = meant

    def meant(self, owner: str, title: str | None, number: str | None) -> api_types.EventMilestone | None:
        """The milestone, or None when that is not certain."""
        owner = owner.strip("/")
        if title is not None:
            return self._by_title.get((owner, title))
        return self._by_number.get(number or "") if owner == self._project else None


def read(answer: Answer, milestones: Milestones) -> Mapping[int, Activity]:
    """The issues (by number in the project) of which everything is certain."""
    found = {}
    for item in answer.items():
        told = [widget.discussions for widget in item.widgets or () if widget.discussions is not None]
        if len(told) == 1 and not told[0].page_info.has_next_page:
            activity = _activity([note for discussion in told[0].nodes for note in discussion.notes.nodes], milestones)
            if activity is not None:
                found[int(item.iid)] = activity
    return found


def _activity(notes: Sequence[_Note], milestones: Milestones) -> Activity | None:
    moves, states = [], []
    for note in notes:
        action = note.system_note_metadata.action if note.system_note_metadata else None
        user = _user(note.author)
        if action == "milestone":
            match = _MOVED.fullmatch(note.body)
            meant = milestones.meant(match["owner"], match["title"], match["number"]) if match else None
            if match is None or meant is None:
                return None
            kind = "remove" if match["word"].startswith("removed") else "add"
            moves.append(api_types.MilestoneEvent(note.created_at, kind, meant, user))
        elif action == "closed":
            states.append(api_types.StateEvent(note.created_at, "closed", user))
        elif action in _REOPENED:
            states.append(api_types.StateEvent(note.created_at, "reopened", user))
    return Activity(moves, states)


def _user(author: _User | None) -> api_types.User | None:
    if author is None:
        return None
    return api_types.User(int(author.id.rpartition("/")[2]), author.name, author.username)
