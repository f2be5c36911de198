"""Fields that are read of Jira's JSON; all other fields are skipped. Names are Jira's own."""
# ruff: noqa: N815

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any, cast

import msgspec
from msgspec import Raw, Struct, field

from connectors.shared.responses import Number, Time

__all__ = [
    "Attachment",
    "AttachmentSettings",
    "Board",
    "Category",
    "Change",
    "Changelog",
    "ChangelogPage",
    "Comment",
    "CommentList",
    "CommentPage",
    "CommentTimes",
    "Configuration",
    "Created",
    "Field",
    "FieldSchema",
    "Fields",
    "Grant",
    "Grants",
    "History",
    "IdRef",
    "Issue",
    "IssueHistory",
    "IssueKey",
    "IssueTimes",
    "IssueType",
    "Link",
    "LinkType",
    "Linked",
    "LinkedFields",
    "NameRef",
    "Permission",
    "Permissions",
    "Project",
    "Property",
    "RowPage",
    "SearchPage",
    "ServerInfo",
    "Sprint",
    "Status",
    "StatusIssue",
    "StatusIssueFields",
    "TenantInfo",
    "ThreadTimes",
    "TimeTracking",
    "TimesFields",
    "Transition",
    "Transitions",
    "User",
    "UserPage",
    "Version",
    "VersionDriver",
    "VersionPage",
    "VersionPlace",
    "issue_type",
]


class TenantInfo(Struct):
    """Answer of ``/_edge/tenant_info``."""

    cloudId: str


class ServerInfo(Struct):
    """Answer of ``/serverInfo``."""

    deploymentType: str = "Server"
    baseUrl: str = ""


class User(Struct):
    """Account. Cloud has ``accountId`` and ``accountType`` (``app``: a program), Data Center ``key`` and ``name``."""

    displayName: str = ""
    accountId: str | None = None
    key: str | None = None
    name: str | None = None
    timeZone: str = "UTC"
    accountType: str = ""
    active: bool = True

    @property
    def id(self) -> str:
        """The account's native id."""
        return self.accountId or self.key or self.name or ""


class Category(Struct):
    """Status category: ``new``, ``indeterminate``, ``done`` or ``undefined``."""

    key: str


class Status(Struct):
    """Status of an issue."""

    id: str
    name: str
    statusCategory: Category


class FieldSchema(Struct):
    """Kind of a field."""

    custom: str | None = None


class Field(Struct):
    """Field in the list of ``/field``."""

    id: str
    name: str = ""
    custom: bool = False
    schema: FieldSchema | None = None


class IssueType(Struct):
    """Issue type. Only Cloud says its level: -1 sub-task, 0 issue, 1 epic, 2 and more above."""

    name: str
    subtask: bool = False
    hierarchyLevel: Number | None = None


class TimeTracking(Struct):
    """Length of a day and a week."""

    workingHoursPerDay: float = 0.0
    workingDaysPerWeek: float = 0.0


class Configuration(Struct):
    """Answer of ``/configuration``."""

    timeTrackingEnabled: bool = False
    timeTrackingConfiguration: TimeTracking | None = None


class UserPage(Struct):
    """Page of ``/user/bulk``."""

    values: list[User]


class VersionDriver(Struct):
    """Version with the account id of its driver."""

    id: str
    driver: str | None = None


class VersionPage(Struct):
    """Page of ``/project/{}/version``."""

    values: list[VersionDriver]
    isLast: bool = True


class VersionPlace(Struct):
    """Version with the id of its project."""

    id: str
    projectId: Number = 0


class RowPage(Struct):
    """Page of a list that marks its last page, with undecoded rows."""

    values: list[Raw]
    isLast: bool = True


class Board(Struct):
    """Board: ``scrum``, ``simple`` (of a team-managed project) or ``kanban``."""

    id: Number
    type: str = ""


class Sprint(Struct):
    """Sprint: ``future``, ``active`` or ``closed``. A planned sprint has dates, in the planner's time zone."""

    id: Number
    name: str
    state: str
    startDate: Time | None = None
    endDate: Time | None = None
    completeDate: Time | None = None
    createdDate: Time | None = None
    goal: str | None = None


class Version(Struct):
    """Version. Its dates have no time zone."""

    id: str
    name: str
    released: bool = False
    archived: bool = False
    description: str | None = None
    startDate: date | None = None
    releaseDate: date | None = None


class Project(Struct):
    """Project. ``versions``, undecoded, is None in a list of projects."""

    id: str
    key: str
    name: str = ""
    versions: list[Raw] | None = None
    lead: User | None = None


# --- issues ---------------------------------------------------------------------------------------------------------


class IdRef(Struct):
    """Reference by id."""

    id: str


class IssueKey(Struct):
    """Key and id of an issue."""

    key: str
    id: str = ""


class NameRef(Struct):
    """Reference by name."""

    name: str = ""


class LinkType(Struct):
    """Type of a link. ``inward`` is its text on the inward side: ``is blocked by``."""

    inward: str = ""


class LinkedFields(Struct):
    """Fields of a linked issue."""

    status: Status | None = None


class Linked(Struct):
    """Issue at the other end of a link."""

    key: str
    fields: LinkedFields | None = None


class Link(Struct):
    """Link. With ``inwardIssue``, ``type.inward`` describes this issue: it *is blocked by* the other issue."""

    type: LinkType
    inwardIssue: Linked | None = None
    outwardIssue: Linked | None = None


class Fields(Struct, kw_only=True):
    """Fields of an issue that every Jira has."""

    summary: str
    status: Status
    project: IdRef
    created: Time
    updated: Time
    issuetype: NameRef | None = None
    priority: NameRef | None = None
    resolution: NameRef | None = None
    resolutiondate: Time | None = None
    statuscategorychangedate: Time | None = None
    fixVersions: list[IdRef] | None = None
    labels: list[str] | None = None
    assignee: User | None = None
    description: Any = None
    duedate: date | None = None
    timeoriginalestimate: Number | None = None
    timeestimate: Number | None = None
    timespent: Number | None = None
    issuelinks: list[Link] | None = None
    parent: IssueKey | None = None
    security: IdRef | None = None


class Change(Struct, rename={"from_": "from", "to_string": "toString"}):
    """Change of one field in a changelog entry. Only Cloud sends ``fieldId``."""

    field: str
    fieldId: str | None = None
    from_: str | None = None
    fromString: str | None = None
    to: str | None = None
    to_string: str | None = None


class History(Struct):
    """Changelog entry. The bulk API may send ``created`` in milliseconds since 1970."""

    created: Time | Number
    items: list[Change]
    author: User | None = None


class Changelog(Struct):
    """Changelog of an issue, complete on Data Center."""

    histories: list[History]


class Issue(Struct):
    """Issue. ``fields`` also has the site's custom fields, see `issue_type`."""

    id: str
    key: str
    fields: Any
    changelog: Changelog | None = None


@cache
def issue_type(points: tuple[str, ...], epic: str, sprint: str = "", starts: tuple[str, ...] = ()) -> type[Issue]:
    """Create the type `Issue` with this site's custom fields: ``points_0`` ..., ``epic``, ``sprints``, ``start_0`` ...

    A field that has an id already (a site may list a field twice) is always None.
    """
    ids = {f"points_{n}": point for n, point in enumerate(points)} | {"epic": epic, "sprints": sprint}
    ids |= {f"start_{n}": start for n, start in enumerate(starts)}
    types: dict[str, Any] = {"epic": str | None, "sprints": Any} | {f"start_{n}": Any for n in range(len(starts))}
    used = {known.encode_name for known in msgspec.structs.fields(Fields)}
    extra: list[Any] = []
    for name, id_ in ids.items():
        own_id = id_ if id_ and id_ not in used else f"no {name}"
        used.add(own_id)
        extra.append((name, types.get(name, float | None), field(default=None, name=own_id)))
    fields = msgspec.defstruct("SiteFields", extra, bases=(Fields,), kw_only=True)
    return cast("type[Issue]", msgspec.defstruct("SiteIssue", [("fields", fields)], bases=(Issue,), kw_only=True))


class IssueChangelog(Struct):
    """Issue with its changelog alone."""

    id: str
    key: str
    changelog: Changelog | None = None


class ChildFields(Struct):
    """Fields of a child. ``link`` is Data Center's parent link."""

    issuetype: NameRef | None = None
    parent: IssueKey | None = None
    link: Any = None


class Child(Struct):
    """Issue below another one, with as much as says where it belongs."""

    id: str
    key: str
    fields: Any


@cache
def child_type(link: str) -> type[Child]:
    """Create the type `Child` with this site's parent link."""
    extra = [("link", Any, field(default=None, name=link or "no link"))]
    fields = msgspec.defstruct("SiteChildFields", extra, bases=(ChildFields,))
    return cast("type[Child]", msgspec.defstruct("SiteChild", [("fields", fields)], bases=(Child,)))


class SearchPage(Struct):
    """Page of a search, with undecoded issues."""

    issues: list[Raw]
    maxResults: Number = 0
    total: Number = 0
    nextPageToken: str | None = None


class IssueHistory(Struct):
    """History of one issue, or a part of it."""

    issueId: str
    changeHistories: list[History]


class ChangelogPage(Struct):
    """Page of ``/changelog/bulkfetch``, with undecoded histories (`IssueHistory`)."""

    issueChangeLogs: list[Raw]
    nextPageToken: str | None = None


# --- status issues --------------------------------------------------------------------------------------------------


class Property(Struct):
    """Entity property."""

    key: str
    value: Any = None


class Attachment(Struct):
    """File on an issue."""

    id: str
    filename: str
    created: Time
    author: User | None = None


class AttachmentSettings(Struct):
    """Answer of ``/attachment/meta``."""

    enabled: bool = True


class Permission(Struct):
    """Permission, and whether the account has it."""

    name: str = ""
    havePermission: bool = False


class Permissions(Struct):
    """Answer of ``/mypermissions``, by key."""

    permissions: dict[str, Permission]


class Grant(Struct):
    """Permission with the projects (ids) in which the account has it."""

    permission: str
    projects: list[Number]


class Grants(Struct):
    """Answer of ``/permissions/check``."""

    projectPermissions: list[Grant]
    globalPermissions: list[str]


class StatusIssueFields(Struct, kw_only=True):
    """Fields of a status issue."""

    status: Status
    labels: list[str] | None = None
    resolution: NameRef | None = None
    resolutiondate: Time | None = None
    creator: User | None = None
    security: IdRef | None = None
    attachment: list[Attachment] | None = None
    updated: Time | None = None
    comment: CommentPage | None = None


class Transition(Struct):
    """Transition from an issue's status to another status."""

    id: str
    name: str = ""
    to: Status | None = None


class StatusIssue(Struct):
    """Status issue. ``properties`` holds its entity properties, ``transitions`` those that this account may use."""

    id: str
    key: str
    fields: StatusIssueFields
    properties: dict[str, Any] | None = None
    transitions: list[Transition] | None = None
    changelog: Changelog | None = None


class Comment(Struct):
    """Comment. ``body`` is wiki markup (Data Center) or an ADF document (Cloud)."""

    id: str
    created: Time
    updated: Time
    body: Any = ""
    author: User | None = None
    properties: list[Property] | None = None
    visibility: Any = None
    jsdPublic: bool = True


class CommentList(Struct):
    """Answer of ``/comment/list``."""

    values: list[Comment]


class CommentTimes(Struct):
    """Comment with the time of its last edit."""

    id: str
    updated: Time


class ThreadTimes(Struct):
    """Comments as a field of an issue, with their times."""

    comments: list[CommentTimes]
    total: Number


class TimesFields(Struct):
    """Times of an issue and its comments."""

    updated: Time
    comment: ThreadTimes


class IssueTimes(Struct):
    """Issue with its times and those of its comments."""

    key: str
    fields: TimesFields


class CommentPage(Struct):
    """Page of comments. As a field of an issue it has no properties, and on Cloud 20 comments at most of ``total``."""

    comments: list[Comment]
    total: Number


class Transitions(Struct):
    """Transitions that this account may use now."""

    transitions: list[Transition]


class Created(Struct):
    """Object that a POST created."""

    id: str
    key: str = ""
    properties: list[Property] | None = None
