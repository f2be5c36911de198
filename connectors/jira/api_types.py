"""What we read of Jira's JSON; everything else in it is skipped. Names are Jira's own."""
# ruff: noqa: N815

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from typing import Any, Generic, TypeVar, cast

import msgspec
from msgspec import Raw, Struct, field

__all__ = [
    "Attachment",
    "AttachmentSettings",
    "Board",
    "Change",
    "Changelogs",
    "Comment",
    "Comments",
    "Created",
    "Field",
    "Fields",
    "Found",
    "History",
    "Item",
    "KeyOnly",
    "Page",
    "Permission",
    "Permissions",
    "ProjectOf",
    "Projects",
    "Property",
    "Seen",
    "SeenFields",
    "ServerInfo",
    "Sprint",
    "StatusOf",
    "User",
    "Version",
    "issue_type",
]


T = TypeVar("T")


class ServerInfo(Struct):
    """``/serverInfo``."""

    deploymentType: str = "Server"
    baseUrl: str = ""


class User(Struct):
    """An account: Cloud has ``accountId``, Data Center ``key`` and ``name``."""

    displayName: str = ""
    accountId: str | None = None
    key: str | None = None
    name: str | None = None
    timeZone: str = "UTC"

    @property
    def id(self) -> str:
        """The native id."""
        return self.accountId or self.key or self.name or ""


class Category(Struct):
    """A status category: new, indeterminate, done, undefined."""

    key: str


class StatusOf(Struct):
    """A status."""

    id: str
    name: str
    statusCategory: Category


class FieldSchema(Struct):
    """What kind of field it is."""

    custom: str | None = None


class Field(Struct):
    """One of ``/field``."""

    id: str
    name: str = ""
    custom: bool = False
    schema: FieldSchema | None = None


class Page(Struct, Generic[T]):
    """A page of the Agile API."""

    values: list[T]
    isLast: bool = True


class Board(Struct):
    """A board: scrum, simple (of a team-managed project) or kanban."""

    id: int
    type: str = ""


class Sprint(Struct):
    """A sprint: future, active or closed. It has dates once it was planned, with the zone of whoever planned it."""

    id: int
    name: str
    state: str
    startDate: datetime | None = None
    endDate: datetime | None = None
    completeDate: datetime | None = None
    createdDate: datetime | None = None
    goal: str | None = None


class Version(Struct):
    """A version; dates have no zone."""

    id: str
    name: str
    released: bool = False
    archived: bool = False
    description: str | None = None
    startDate: date | None = None
    releaseDate: date | None = None


class ProjectOf(Struct):
    """A project; one that was asked for by itself has its versions, too."""

    id: str
    key: str
    name: str = ""
    versions: list[Version] | None = None


class Projects(Struct):
    """A page of ``/project/search``."""

    values: list[ProjectOf]
    isLast: bool = True


# --- issues ---------------------------------------------------------------------------------------------------------


class IdOf(Struct):
    """A reference by id."""

    id: str


class KeyOnly(Struct):
    """Enough to tell whose issue it is."""

    key: str
    id: str = ""


class NameOf(Struct):
    """A reference by name."""

    name: str = ""


class LinkType(Struct):
    """What a link says on either side."""

    inward: str = ""


class LinkedFields(Struct):
    """Of a linked issue."""

    status: StatusOf | None = None


class Linked(Struct):
    """The issue at the other end of a link."""

    key: str
    fields: LinkedFields | None = None


class Link(Struct):
    """A link: ``inwardIssue`` is the other one when it does to us what ``type.inward`` says."""

    type: LinkType
    inwardIssue: Linked | None = None
    outwardIssue: Linked | None = None


class Fields(Struct, kw_only=True):
    """The fields of an issue that every Jira has."""

    summary: str
    status: StatusOf
    project: IdOf
    created: datetime
    updated: datetime
    issuetype: NameOf | None = None
    priority: NameOf | None = None
    resolution: NameOf | None = None
    resolutiondate: datetime | None = None
    statuscategorychangedate: datetime | None = None
    fixVersions: list[IdOf] | None = None
    labels: list[str] | None = None
    assignee: User | None = None
    duedate: date | None = None
    timeoriginalestimate: int | None = None
    timeestimate: int | None = None
    timespent: int | None = None
    issuelinks: list[Link] | None = None
    parent: KeyOnly | None = None
    security: IdOf | None = None


class Change(Struct, rename={"from_": "from", "to_string": "toString"}):
    """One line of a changelog entry; ``fieldId`` is Cloud's."""

    field: str
    fieldId: str | None = None
    from_: str | None = None
    fromString: str | None = None
    to: str | None = None
    to_string: str | None = None


class History(Struct):
    """One changelog entry; the bulk form may give its time in milliseconds."""

    created: datetime | int
    items: list[Change]
    author: User | None = None


class Changelog(Struct):
    """An issue's changelog, whole on Data Center."""

    histories: list[History]


class Item(Struct):
    """An issue as it is read; ``fields`` has the site's own fields too, see `issue_type`."""

    id: str
    key: str
    fields: Any
    changelog: Changelog | None = None


@cache
def issue_type(points: tuple[str, ...], epic: str, sprint: str = "") -> type[Item]:
    """`Item` with this site's custom fields: ``fields.points_0`` ..., ``fields.epic``, ``fields.sprints``."""
    extra: list[Any] = [
        (f"points_{n}", float | None, field(default=None, name=point)) for n, point in enumerate(points)
    ]
    extra.append(("epic", str | None, field(default=None, name=epic or "no_epic_link")))
    extra.append(("sprints", Any, field(default=None, name=sprint or "no_sprint")))
    fields = msgspec.defstruct("SiteFields", extra, bases=(Fields,), kw_only=True)
    return cast("type[Item]", msgspec.defstruct("SiteItem", [("fields", fields)], bases=(Item,), kw_only=True))


class Found(Struct):
    """A page of any search; the issues stay undecoded, so that a bad one spoils only its own project."""

    issues: list[Raw]
    maxResults: int = 0
    total: int = 0
    nextPageToken: str | None = None


class Log(Struct):
    """The history of one issue, or a part of it."""

    issueId: str
    changeHistories: list[History]


class Changelogs(Struct):
    """A page of ``/changelog/bulkfetch``."""

    issueChangeLogs: list[Log]
    nextPageToken: str | None = None


# --- status issues --------------------------------------------------------------------------------------------------


class Property(Struct):
    """An entity property."""

    key: str
    value: Any = None


class Attachment(Struct):
    """A file on an issue."""

    id: str
    filename: str
    created: datetime
    author: User | None = None


class AttachmentSettings(Struct):
    """``/attachment/meta``."""

    enabled: bool = True


class Permission(Struct):
    """A permission, and whether the account has it."""

    name: str = ""
    havePermission: bool = False


class Permissions(Struct):
    """``/mypermissions``, by key."""

    permissions: dict[str, Permission]


class SeenFields(Struct, kw_only=True):
    """What matters of a status issue."""

    status: StatusOf
    labels: list[str] | None = None
    resolutiondate: datetime | None = None
    creator: User | None = None
    security: IdOf | None = None
    attachment: list[Attachment] | None = None


class Seen(Struct):
    """A status issue."""

    id: str
    key: str
    fields: SeenFields
    properties: dict[str, Any] | None = None


class Comment(Struct):
    """A comment; the body is wiki markup or an ADF document."""

    id: str
    created: datetime
    updated: datetime
    body: Any = ""
    author: User | None = None
    properties: list[Property] | None = None
    visibility: Any = None
    jsdPublic: bool = True


class Comments(Struct):
    """A page of comments."""

    comments: list[Comment]
    total: int


class Transition(Struct):
    """A way from an issue's status to another."""

    id: str
    to: StatusOf | None = None


class Transitions(Struct):
    """All ways that are open to this account now."""

    transitions: list[Transition]


class Created(Struct):
    """What a POST made."""

    id: str
    key: str = ""
    properties: list[Property] | None = None
