"""Parents and their descendants, as a page of listed milestones and their members.

An issue does not change when an issue above it does, so all parents of a connection are read again when anything
changed, fifty in a request. Their timelines have the times of the links.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, field
from msgspec import json as msgspec_json
from msgspec.structs import replace

from connectors.github.containers.parents import Parents
from connectors.github.cursor import decode_cursors
from connectors.github.session import PROJECT_ERRORS, Session
from connectors.github.sub_issues.reader import Parent, SubIssueReader
from connectors.github.sub_issues.tree import descendants
from connectors.shared.responses import parse
from sync.model.tracker_data import LISTED_ID_PREFIX, Milestone, UnreadKind, UnreadRow
from sync.tracker.protocol import Page

__all__ = ["ParentLists"]

CURSOR_KEY = "parents-of-sub-issues"
"""Key of the cursor of all parents, which no repository's id is."""

_KEY = re.compile(r"([^/#\s]+/[^/#\s]+)#(\d+)")

Members = dict[str, Mapping[str, datetime | None]]


class ParentState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """State of the parents between two pulls; their cursor.

    ``parents``: the numbers of the issues with sub-issues, by repository (``owner/name``). ``repositories``: the ids of
    the repositories that were searched for them. ``milestones``: those of the last walk. ``named``: the option
    ``parents`` then. ``unread``: what the last walk could not read. ``is_stale``: the next pull walks in any case.
    """

    parents: Mapping[str, tuple[int, ...]] = {}
    repositories: tuple[str, ...] = ()
    milestones: tuple[Milestone, ...] = ()
    named: tuple[str, ...] = ()
    unread: tuple[UnreadRow, ...] = ()
    is_stale: bool = True

    def encode(self) -> str:
        """The state as one line of JSON."""
        return msgspec_json.encode(self).decode()


class _Forest(Struct):
    """Result of a walk. ``rows``: name of the repository, project id and row of each parent, by id.

    ``children``: the sub-issues of each parent. ``keys``: each issue as ``owner/name#12``, by id. ``failed``: the keys
    of the parents that could not be read, and the reasons in ``unread``.
    """

    rows: dict[str, tuple[str, str, Parent]] = field(default_factory=dict)
    children: dict[str, dict[str, datetime]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    unread: list[UnreadRow] = field(default_factory=list)

    def fail(self, project: str, key: str, reason: str, parents: Iterable[str]) -> None:
        """Note that these parents could not be read."""
        self.failed.update(parents)
        id_ = f"{LISTED_ID_PREFIX}{key}"  # without an id, any milestone of the project could be meant
        self.unread.append(UnreadRow(project=project, kind=UnreadKind.MILESTONE, reason=reason, id=id_, key=key))


class ParentLists:
    """Reader of all parents of a connection."""

    def __init__(self, session: Session, options: Mapping[str, Any]) -> None:
        self._reader = SubIssueReader(session)
        self._is_on = Parents.word in (options.get("containers") or ())
        self._kind = Parents(options)

    def add_to(self, pages: Iterable[Page], cursors: Mapping[str, str]) -> Iterator[Page]:
        """Yield the pages, and last a page of all listed milestones: those of the pages and the parents.

        The parents are read again if anything changed in any repository. A page that changes something also stores
        that, for a pull that ends too early.
        """
        before = parse(cursors.get(CURSOR_KEY, ""), ParentState)
        if not self._is_on and before is None:
            yield from pages
            return
        latest, complete, listed = dict(cursors), set[str](), Page()
        saved, state = before, before or ParentState()
        has_changed = state.is_stale or state.named != self._kind.named
        for page in pages:
            latest |= page.cursors
            complete |= page.complete
            has_changed = has_changed or bool(page.issues or page.all_milestones or page.gone or page.all_issues)
            if page.all_listed or page.members:
                listed = page
                continue
            state = replace(state, parents=_with_parents(state.parents, page), is_stale=has_changed)
            if state not in (saved, ParentState()):
                saved, page = state, replace(page, cursors={**page.cursors, CURSOR_KEY: state.encode()})
            yield page
        stored = {project: cursor.name for project, cursor in decode_cursors(latest)}
        read = frozenset(stored) & complete
        members: Members = {}
        if not self._is_on:
            state = ParentState()
        elif has_changed and read:
            state = self._search(state, {project: stored[project] for project in read}, cursors)
            state, members = self._walk(state, stored)
        else:
            state = replace(state, is_stale=has_changed)
        page = _merged(listed, before.milestones if before else (), state, members, read)
        if state != saved:
            page = replace(page, cursors={**page.cursors, CURSOR_KEY: state.encode() if self._is_on else ""})
        yield page

    def _search(self, state: ParentState, read: Mapping[str, str], cursors: Mapping[str, str]) -> ParentState:
        """Search the repositories that are new here for parents, unless all their issues came with this pull."""
        new = [project for project in sorted(read) if project not in state.repositories]
        parents, searched = dict(state.parents), list(state.repositories)
        for project in new:
            try:
                found = self._reader.search(read[project]) if project in cursors else []
            except PROJECT_ERRORS:
                continue  # the next pull searches it
            parents = _add(parents, read[project], found)
            searched.append(project)
        return replace(state, parents=parents, repositories=tuple(searched), is_stale=not read.keys() <= {*searched})

    # --- walking -----------------------------------------------------------------------------------------------------

    def _walk(self, state: ParentState, stored: Mapping[str, str]) -> tuple[ParentState, Members]:
        """Read all parents with their sub-issues. Return the new state, and the members of each milestone.

        ``stored`` are the names of the stored repositories, by id. A milestone of which a part could not be read stays
        as it was.
        """
        forest = self._forest(state.parents, next(iter(stored)))
        milestones = {row.id: row for row in state.milestones if _key(row, stored) in forest.failed}
        members: Members = {}
        for key, (name, project, row) in forest.rows.items():
            has_sub_issues = forest.children.get(key) != {}  # None: they could not be read
            if project not in stored or not self._kind.includes(name, row, has_sub_issues=has_sub_issues):
                continue
            milestone = self._kind.milestone(row, project)
            milestones[milestone.id] = milestone
            below = descendants(key, forest.children)
            if forest.failed.isdisjoint(forest.keys[issue] for issue in below):
                members[milestone.id] = below
        parents: dict[str, tuple[int, ...]] = {}
        for text in {*forest.failed, *(forest.keys[key] for key, found in forest.children.items() if found)}:
            name, _, number = text.partition("#")
            parents = _add(parents, name, [int(number)])
        new = replace(
            state,
            parents=parents,
            milestones=tuple(milestones.values()),
            named=self._kind.named,
            unread=tuple(forest.unread),
            is_stale=state.is_stale or bool(forest.failed),
        )
        return new, members

    def _forest(self, known: Mapping[str, tuple[int, ...]], somewhere: str) -> _Forest:
        """Read the known parents and those that the configuration names. ``somewhere``: a project for what has none."""
        forest, wanted = _Forest(), dict(known)
        for match in filter(None, map(_KEY.fullmatch, self._kind.named)):
            wanted = _add(wanted, match[1], [int(match[2])])
        for name, numbers in sorted(wanted.items()):
            try:
                for project, number, row in self._reader.fetch(name, numbers):
                    key = f"{name}#{number}"
                    if isinstance(row, str):
                        forest.fail(project, key, row, [key])
                        continue
                    forest.rows[row.id], forest.keys[row.id] = (name, project, row), key
                    children = list(self._reader.children(row, name))
                    forest.children[row.id] = {child.id: at for child, at in children}
                    for child, _ in children:
                        forest.keys.setdefault(child.id, f"{child.repository.name_with_owner}#{child.number}")
            except PROJECT_ERRORS as error:
                reason = error.detail or "its sub-issues cannot be read"
                forest.fail(somewhere, name, reason, [f"{name}#{number}" for number in numbers])
        written = {*forest.keys.values(), *forest.failed}
        for text in self._kind.named:
            if text not in written:
                forest.fail(somewhere, text, "it does not exist, or this token may not see it", [])
        return forest


def _add(parents: Mapping[str, tuple[int, ...]], name: str, numbers: Iterable[int]) -> dict[str, tuple[int, ...]]:
    """Return the parents with these of a repository."""
    return {**parents, name: tuple(sorted({*parents.get(name, ()), *numbers}))}


def _with_parents(parents: Mapping[str, tuple[int, ...]], page: Page) -> Mapping[str, tuple[int, ...]]:
    """Return the parents with those that the issues of a page name."""
    names = {project.id: project.key for project in page.projects}
    for issue in page.issues:
        repository, _, number = issue.parent.rpartition("#")
        name = repository or names.get(issue.project, "")
        if name and number.isdecimal() and int(number) not in parents.get(name, ()):
            parents = _add(parents, name, [int(number)])
    return parents


def _key(milestone: Milestone, stored: Mapping[str, str]) -> str:
    """The parent of a milestone as ``owner/name#12``."""
    return f"{stored.get(milestone.project, '')}#{milestone.key}"


def _merged(
    listed: Page, former: Iterable[Milestone], state: ParentState, members: Members, read: frozenset[str]
) -> Page:
    """Add the parents to a page of other listed milestones. Only those of repositories that were ``read`` count.

    A ``former`` milestone that is no parent any more is listed without members: these have left it.
    """
    milestones = [row for row in state.milestones if row.project in read]
    present = {row.id for row in milestones}
    gone = [row for row in former if row.project in read and row.id not in present]
    own = {key: found for key, found in members.items() if key in present} | {row.id: {} for row in gone}
    return replace(
        listed,
        milestones=(*listed.milestones, *milestones),
        members={**listed.members, **own},
        all_listed=listed.all_listed | {row.project for row in (*milestones, *gone)},
        unread=(*listed.unread, *state.unread),
    )
