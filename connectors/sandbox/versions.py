"""Older servers: which parts of an API came with which version, and from where that is known.

A tracker with a `Tracker.version` answers as a server of that version would: what came later is absent from it, and
what was removed before it is gone. No real old server was run for it: this table replaces one, with the vendors' own
documents as its sources (schemas, descriptions, release notes).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
)

from connectors.sandbox.world import Tracker, World

__all__ = [
    "NEWEST",
    "OLDEST",
    "PARTS",
    "Kind",
    "Part",
    "absent",
    "age",
    "full_version",
    "is_at_least",
    "lacking",
    "lacks",
    "prune",
    "ruby_words",
    "shown",
]


class Kind(StrEnum):
    """Kind of a part of an API, and how its name is written."""

    GRAPHQL = "GraphQL"  # Type, Type.field, Type.field.argument or Enum.VALUE
    FIELD = "field"  # entity.field of a REST answer
    PARAMETER = "parameter"  # name of a REST parameter: a server that does not know it ignores it
    PATH = "path"  # regular expression of a whole path: 404 where it does not exist
    RULE = "rule"  # behaviour, by the name under which the sandbox's code asks for it


class Part(NamedTuple):
    """A part of an API that a server has ``since`` a version, or ``until`` one that removed it. ``source`` is where
    that is stated; "unverified" marks what is believed and was found in no document.
    """

    kind: Kind
    name: str
    since: str
    source: str
    until: str = ""


NEWEST: Mapping[str, str] = {"github": "", "gitlab": "19.6", "jira": "11.3", "jira-cloud": ""}
"""The version of each tracker that the sandbox imitates by default; empty for a service without versions."""

OLDEST: Mapping[str, str] = {"github": "3.14", "gitlab": "15.0", "jira": "8.20"}
"""The oldest version of each server that milesync works with."""

PARTS: Mapping[str, tuple[Part, ...]] = {
    "github": (
        Part(Kind.GRAPHQL, "Repository.visibility", "3.2", "unverified"),
        Part(Kind.GRAPHQL, "Issue.stateReason", "3.6", "github/docs, data/features/issue-close-reasons.yml"),
        Part(Kind.GRAPHQL, "ClosedEvent.stateReason", "3.6", "github/docs, data/features/issue-close-reasons.yml"),
        Part(Kind.FIELD, "issue.state_reason", "3.6", "github/docs, data/features/issue-close-reasons.yml"),
        Part(
            Kind.GRAPHQL, "ProjectV2.statusUpdates", "3.13", "github/docs, data/features/projects-v2-status-updates.yml"
        ),
        Part(
            Kind.GRAPHQL,
            "Mutation.createProjectV2StatusUpdate",
            "3.13",
            "github/docs, data/features/projects-v2-status-updates.yml",
        ),
        Part(
            Kind.GRAPHQL,
            "Mutation.updateProjectV2StatusUpdate",
            "3.13",
            "github/docs, data/features/projects-v2-status-updates.yml",
        ),
        Part(
            Kind.GRAPHQL,
            "Mutation.deleteProjectV2StatusUpdate",
            "3.13",
            "github/docs, data/features/projects-v2-status-updates.yml",
        ),
        Part(
            Kind.GRAPHQL,
            "Issue.parent",
            "3.16",
            "absent in the schema of 3.14; github/docs, data/features/sub-issues.yml",
        ),
        Part(Kind.GRAPHQL, "Issue.subIssues", "3.18", "release notes of 3.18 (sub-issues)"),
        Part(Kind.GRAPHQL, "Issue.subIssuesSummary", "3.18", "release notes of 3.18 (sub-issues)"),
        Part(Kind.GRAPHQL, "Issue.issueFieldValues", "3.23", "github/docs, data/features/issue-fields.yml"),
        Part(Kind.FIELD, "issue.sub_issues_summary", "3.18", "release notes of 3.18 (sub-issues)"),
        Part(Kind.GRAPHQL, "Issue.issueType", "3.17", "schema of 3.17: the field is there before the feature, 3.18"),
        Part(Kind.FIELD, "issue.type", "3.18", "github/docs, data/features/issue-types.yml"),
        Part(Kind.GRAPHQL, "Issue.stateReason.enableDuplicate", "3.18", "absent in the schema of 3.14; notes of 3.18"),
        Part(Kind.GRAPHQL, "IssueStateReason.DUPLICATE", "3.18", "release notes of 3.18"),
        Part(Kind.GRAPHQL, "IssueClosedStateReason.DUPLICATE", "3.18", "release notes of 3.18"),
        Part(Kind.GRAPHQL, "ProjectV2.items.query", "3.20", "release notes of 3.20; changelog of November 2025"),
        Part(
            Kind.GRAPHQL,
            "ProjectV2.items.archivedStates",
            "3.20",
            "unverified: in clients of 2026, not in the schema of early 2025",
        ),
        Part(Kind.GRAPHQL, "ProjectV2ItemIssueFieldValue", "3.23", "github/docs, data/features/issue-fields.yml"),
        Part(Kind.GRAPHQL, "Issue.blockedBy", "3.19", "documentation of 3.19; REST description of 3.19"),
        Part(Kind.GRAPHQL, "Issue.blocking", "3.19", "documentation of 3.19; REST description of 3.19"),
        Part(Kind.FIELD, "issue.issue_dependencies_summary", "3.19", "REST description of 3.19"),
    ),
    "gitlab": (
        Part(Kind.PARAMETER, "include_parent_milestones", "13.4", "GitLab's documentation of milestones; MR 38800"),
        Part(
            Kind.PATH,
            "/api/v4/projects/[^/]+/merge_requests/[^/]+/reviewers",
            "15.3",
            "MR 93388 of July 2022; GitLab's documentation of merge requests",
        ),
        Part(Kind.FIELD, "note.internal", "15.4", "MR 95043 of August 2022; the version is inferred"),
        Part(
            Kind.PATH,
            "/api/v4/personal_access_tokens/self",
            "15.5",
            "issue 373999 of September 2022; the version is inferred",
        ),
        Part(Kind.GRAPHQL, "Project.workItems", "15.1", "unverified"),
        Part(Kind.GRAPHQL, "WorkItemWidgetNotes", "15.6", "MR 102811 of November 2022; the version is inferred"),
        Part(Kind.GRAPHQL, "Note.systemNoteMetadata", "15.8", "MR 106216 of December 2022; the version is inferred"),
        Part(Kind.GRAPHQL, "WorkItemWidgetLinkedItems", "16.3", "MR 126980 of August 2023; the version is inferred"),
        Part(
            Kind.GRAPHQL, "Note.internal", "15.5", "unverified: the successor of `confidential`, which 15.5 deprecates"
        ),
        Part(Kind.GRAPHQL, "Issue.notes.filter", "17.5", "the schema of 17.5 has it; since when is unverified"),
        Part(Kind.GRAPHQL, "Query.projects.fullPaths", "16.6", "MR 133596 of October 2023"),
        Part(Kind.GRAPHQL, "Project.issuesAccessLevel", "16.7", "MR 138497 of November 2023; the version is inferred"),
        Part(
            Kind.GRAPHQL,
            "Project.mergeRequestsAccessLevel",
            "16.7",
            "MR 138497 of November 2023; the version is inferred",
        ),
        Part(Kind.PARAMETER, "include_ancestors", "16.7", "GitLab's documentation of milestones; issue 433298"),
        Part(Kind.GRAPHQL, "Group.workItems", "17.4", "GitLab's guide for the change from epics to work items: 17.4"),
        Part(Kind.RULE, "epics are work items", "17.7", "GitLab's documentation of epics: on by default since 17.7"),
        Part(Kind.FIELD, "epic.work_item_id", "18.4", "MR 201938 of August 2025; the version is inferred"),
        Part(Kind.GRAPHQL, "WorkItemWidgetDevelopment", "17.5", "the schema of 17.5 has it; since when is unverified"),
        Part(Kind.GRAPHQL, "MergeRequest.notes.filter", "17.5", "the schema of 17.5 has it; since when is unverified"),
        Part(Kind.GRAPHQL, "WorkItemWidgetStatus", "18.2", "GitLab's documentation of statuses"),
        Part(Kind.RULE, "the role Planner", "17.7", "release notes of 17.7; `min_access_level` takes known roles only"),
    ),
    "jira": (
        Part(Kind.PATH, "/rest/pat/.*", "8.14", "Atlassian's documentation of personal access tokens"),
        Part(
            Kind.PATH,
            "/rest/api/[^/]+/version",
            "9.0",
            "documentation of 10.4 (experimental); since when is unverified",
        ),
        Part(Kind.RULE, "basic authentication", "0", "on by default until 11.0: release notes of jira.js 6", "11.0"),
    ),
    "jira-cloud": (),
}
"""The parts that milesync uses or that the sandbox shows, by kind of tracker. ``github`` means Enterprise Server."""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def is_at_least(version: str, wanted: str) -> bool:
    """Compare two versions; an empty ``version`` is a service that is always up to date."""
    return not version or _numbers(version) >= _numbers(wanted)


def age(world: World, versions: Mapping[str, str]) -> None:
    """Set the versions of a world's servers, by kind of tracker. Raises ValueError for an unknown kind or version."""
    trackers = {tracker.kind: tracker for tracker in world.trackers if tracker.kind in OLDEST}
    for kind, version in versions.items():
        if kind not in trackers:
            raise ValueError(f"{kind} has no versions; the trackers with versions are {', '.join(trackers)}")
        if not re.fullmatch(r"\d+(\.\d+){1,2}", version):
            raise ValueError(f"{version!r} is no version of {kind}; write it as {OLDEST[kind]}")
        trackers[kind].version = version


def full_version(tracker: Tracker) -> str:
    """Return the version that the server names, with three numbers; the newest if none is set."""
    version = tracker.version or NEWEST[tracker.kind]
    return version if version.count(".") == 2 else f"{version}.0"


@lru_cache(maxsize=256)
def lacking(tracker: str, version: str, kind: Kind) -> frozenset[str]:
    """The names of the parts of a kind that came after a version of a tracker, or were removed before it."""
    return frozenset(
        part.name
        for part in PARTS[tracker]
        if part.kind is kind
        and (not is_at_least(version, part.since) or (part.until and is_at_least(version, part.until)))
    )


def lacks(tracker: Tracker, kind: Kind, name: str) -> bool:
    """Return whether the tracker's version lacks a part now. The version may change while it is served."""
    return name in lacking(tracker.kind, tracker.version, kind)


def absent(tracker: Tracker, path: str) -> bool:
    """Return whether the tracker's version has no such path."""
    return any(re.fullmatch(pattern, path) for pattern in lacking(tracker.kind, tracker.version, Kind.PATH))


def shown(tracker: Tracker, entity: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return an entity of a REST answer without the fields that the tracker's version lacks."""
    without = {name for name in row if f"{entity}.{name}" in lacking(tracker.kind, tracker.version, Kind.FIELD)}
    return {name: value for name, value in row.items() if name not in without} if without else row


_RUBY_WORDS = (
    (r"Cannot query field '(\w+)' on type '(\w+)'\..*", r"Field '\1' doesn't exist on type '\2'"),
    (r"Unknown argument '(\w+)' on field '\w+\.(\w+)'\..*", r"Field '\2' doesn't accept argument '\1'"),
    (r"Unknown type '(\w+)'\..*", r"No such type \1, so it can't be a fragment condition"),
)


def ruby_words(message: str) -> str:
    """Return a message of graphql-core in the words of graphql-ruby, the library of GitHub and GitLab."""
    for pattern, words in _RUBY_WORDS:
        message = re.sub(pattern, words, message, flags=re.DOTALL)
    return message


def _remove_type(schema: GraphQLSchema, name: str) -> None:
    """Remove a type from a schema and from its unions, in place."""
    del schema.type_map[name]
    for union in schema.type_map.values():
        if isinstance(union, GraphQLUnionType):
            union.types = tuple(type_ for type_ in union.types if type_.name != name)


def prune(schema: GraphQLSchema, tracker: str, version: str) -> GraphQLSchema:
    """Remove from a new schema, in place, what a version of a tracker lacks."""
    for name in sorted(lacking(tracker, version, Kind.GRAPHQL), reverse=True):  # an argument before its field
        type_name, _, member = name.partition(".")
        type_, (member, _, argument) = schema.type_map[type_name], member.partition(".")
        if not member:
            _remove_type(schema, type_name)
        elif argument:
            assert isinstance(type_, GraphQLObjectType)
            type_.fields[member].args.pop(argument, None)
        elif isinstance(type_, GraphQLEnumType):
            type_.values.pop(member)
        elif isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            type_.fields.pop(member, None)
    return schema
