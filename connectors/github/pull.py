"""Reading a repository: milestones by REST with their ETag, issues with their whole history by GraphQL.

=====================  ====================================================================================
what is known          what is asked
=====================  ====================================================================================
nothing changed        the newest changes and the milestones, both conditional: 304, no points
something changed      GraphQL: issues updated since the cursor, oldest change first
no cursor              GraphQL: all numbers, a hundred a request, several at once; if most of them are pull
                       requests, issues by cursor instead
many repositories      a glance at fifty in a request first; see `connectors.github.batch_probe`
once a week            the ids of all issues: what is missing is gone
=====================  ====================================================================================

The cursor's time is the newest change that GitHub showed before reading began, less `OVERLAP`; never our clock's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import msgspec
import requests
from msgspec import Struct

from connectors.github import api_types, normalize, queries
from connectors.github.batch_probe import issues_there, name_of, probe_many
from connectors.github.cursor import Cursor, _decoded, _encoded
from connectors.github.session import OWN, Session, TooHeavyError
from connectors.shared.deletion_sweep import SweepSchedule
from connectors.shared.responses import Response, decode
from connectors.shared.rule_milestones import RuleMilestones
from sync.model.tracker_data import Project
from sync.tracker.errors import BusyError, GoneError, MalformedError, TrackerError
from sync.tracker.protocol import Page

__all__ = ["Reader"]

OVERLAP = timedelta(minutes=2)
"""How far behind the newest change a pull starts again: GitHub's own copies differ by less."""

WATCHED = 50
"""Newest changes in whose ETag a change shows: many, as what changed in the same second stands in any order. If more
changed in one second than this, and one of them again right after it was read, that shows with the next change only.
"""

CHUNK = 100
SMALLEST = 10
NEIGHBOURS = frozenset({"parent", "blockedBy", "blocking", "assignees", "actor"})
"""Fields of an issue that lead to what may be private elsewhere."""

FEW = 3
"""Up to so many repositories two conditional requests each, which cost no points, are better than a glance."""

SPARSE = 2.0
"""Issues are read by number while there are at most this many numbers to an issue."""


class _Look(Struct, frozen=True, kw_only=True):
    """What a cheap look at a repository showed. ``milestones`` is None when they are as they were.

    ``quiet``: no issue changed. ``newest`` is the time of the newest change that was there to be read.
    """

    known: tuple[str, Cursor] | None
    quiet: bool
    probe: str
    newest: datetime | None
    milestones: tuple[api_types.Milestone, ...] | None
    etags: tuple[tuple[str, str], ...]


class Reader:
    """Pulls repositories through a session."""

    def __init__(self, session: Session, sweeping: SweepSchedule, rules: RuleMilestones) -> None:
        self._session, self._sweeping, self._rules = session, sweeping, rules

    def pull(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        """Everything that changed, then the sweeps that are due."""
        at, done = dict(cursors), set[str]()
        for page in self._changes(projects, cursors):
            at |= page.cursors
            done |= page.complete
            yield page
        due = [(key, c) for key, c in _decoded(at) if key in done and self._sweeping.is_due(c.swept)]
        yield from self._session.caller.map_ahead(lambda one: self._sweep(*one), due)

    def _sweep(self, key: str, cursor: Cursor) -> Page:
        """Which issues are there; and whether under the same name, else the next pull reads their new addresses."""
        try:
            there = frozenset(issues_there(self._session, cursor.name, cursor.asked))
            same = name_of(self._session, cursor.name, cursor.asked) == cursor.name
        except OWN as error:
            return Page(failed={cursor.asked: error})
        swept = msgspec.structs.replace(cursor, swept=self._sweeping.now())
        return Page(all_issues={key: there}, cursors={key: _encoded(swept) if same else ""})

    def _changes(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        """Look at all repositories at once, then read those that changed, one after the other."""
        known = {
            cursor.asked: (key, cursor)
            for key, cursor in _decoded(cursors)
            if cursor.rules == self._rules.fingerprint(cursor.name)
        }
        names, failed = self.named(projects)
        goes_by = {name: known[name][1].name for name in names if name in known and not known[name][1].next}
        sights = probe_many(self._session, goes_by) if len(goes_by) > FEW else {}
        quiet = [name for name, sight in sights.items() if known[name][1].glance == sight]
        rest = [name for name in names if name not in quiet]
        seen = self._session.caller.map_all(lambda name: self._look(name, known.get(name)), rest)
        looks = dict(zip(rest, seen, strict=True))
        failed |= {name: look for name, look in looks.items() if isinstance(look, TrackerError)}
        changed = {name: look for name, look in looks.items() if isinstance(look, _Look) and not _same(look)}
        same = [name for name in looks if name not in failed and name not in changed]
        confirmed = {
            known[name][0]: _encoded(msgspec.structs.replace(known[name][1], glance=sights[name]))
            for name in same
            if name in sights
        }
        if same or quiet or failed:
            yield Page(complete=frozenset(known[n][0] for n in (*same, *quiet)), cursors=confirmed, failed=failed)
        for name, look in changed.items():
            try:
                yield from self._read(name, look)
            except OWN as error:
                yield Page(failed={name: error})

    # --- which repositories, and whether anything changed ----------------------------------------------------------

    def named(self, projects: Sequence[str]) -> tuple[list[str], dict[str, TrackerError]]:
        """The repositories that are meant; ``owner/*`` means all of an owner's that are not archived."""
        names: dict[str, None] = {}
        failed: dict[str, TrackerError] = {}
        for project in projects:
            owner, _, name = project.partition("/")
            try:
                names.update(dict.fromkeys(self._owned(owner, project) if name == "*" else [project]))
            except OWN as error:
                failed[project] = error
        return list(names), failed

    def _owned(self, owner: str, project: str) -> Iterator[str]:
        for owned in self._session.pages(queries.REPOSITORIES, {"owner": owner}, api_types.Owned, project):
            if owned.has_issues_enabled and not owned.is_archived:
                yield owned.name_with_owner

    def _look(self, name: str, known: tuple[str, Cursor] | None) -> _Look | TrackerError:
        """Two conditional requests: the newest changes, and the milestones. Its own errors are its answer."""
        cursor = known[1] if known else Cursor(asked=name, name=name)
        newest = {"state": "all", "sort": "updated", "direction": "desc", "per_page": WATCHED}
        try:
            self._session.parts(cursor.name, name)
            first_of: tuple[Callable[[], Any], ...] = (
                lambda: self._session.get(f"/repos/{cursor.name}/issues", name, newest, cursor.probe),
                lambda: self._milestones(name, cursor),
            )
            probe, (milestones, etags) = self._session.caller.map_all(lambda ask: ask(), first_of)
            quiet = probe.status == HTTPStatus.NOT_MODIFIED
            first = () if quiet else decode(probe, tuple[api_types.Probe, ...], self._session.name, name)
        except OWN as error:
            return error
        return _Look(
            known=known,
            quiet=quiet,
            probe=cursor.probe if quiet else probe.headers.get("etag", ""),
            newest=first[0].updated_at if first else None,
            milestones=milestones,
            etags=etags,
        )

    def _milestones(
        self, name: str, cursor: Cursor
    ) -> tuple[tuple[api_types.Milestone, ...] | None, tuple[tuple[str, str], ...]]:
        """All milestones with the address and ETag of each page; None if every page is as it was."""
        url, answer = f"/repos/{cursor.name}/milestones?direction=asc&per_page=100&sort=due_on&state=all", None
        for page, (known, etag) in enumerate(cursor.milestones):
            again = self._session.get(known, name, etag=etag)
            if again.status != HTTPStatus.NOT_MODIFIED:
                answer = again if page == 0 else None
                break
        else:
            if cursor.milestones:
                return None, cursor.milestones
        found: list[api_types.Milestone] = []
        pages: dict[str, str] = {}
        rows_: tuple[api_types.Milestone, ...] = ()
        while url and url not in pages:
            answer = answer or self._session.get(url, name)
            rows_ = decode(answer, tuple[api_types.Milestone, ...], self._session.name, name)
            found += rows_
            pages[url] = answer.headers.get("etag", "")
            url, answer = _next(answer) if rows_ else "", None
        full = len(rows_) == CHUNK  # then another page could begin without this one changing
        return tuple(found), () if full else tuple(pages.items())

    # --- reading -------------------------------------------------------------------------------------------------

    def _read(self, name: str, look: _Look) -> Iterator[Page]:
        if look.known is None or look.known[1].next:
            yield from self._everything(name, look)
            return
        key, cursor = look.known
        if look.quiet:
            yield from _goals(look, key)
            yield _last(key, cursor, look)
        else:
            yield from self._changed(name, look, cursor, key)

    def _everything(self, name: str, look: _Look) -> Iterator[Page]:
        """A repository without a cursor, or one whose first reading was broken off."""
        before = look.known[1] if look.known else None
        owner, short = self._session.parts(before.name if before else name, name)
        reply = self._session.query(queries.OPEN, {"owner": owner, "name": short}, api_types.Opening, name)
        opened = reply.data.repository if reply.data else None
        if reply.data is None or opened is None:
            self._session.refuse(reply.errors, name)
            raise GoneError(self._session.name, name)
        going_on = before is not None and before.name == opened.name_with_owner  # else all addresses have changed
        cursor = Cursor(
            asked=name,
            name=opened.name_with_owner,
            since=before.since if before else look.newest and look.newest - OVERLAP,
            next=before.next if before and going_on else 1,
            read=before.read if before and going_on else 0,
            more=queries.extras(reply.data.issue.fields if reply.data.issue else ()),
            swept=before.swept if before else self._sweeping.now(),
            rules=self._rules.fingerprint(opened.name_with_owner),
        )
        project = normalize.project(opened)
        yield Page(projects=(project,))
        highest = max((numbered.number for numbered in opened.newest.nodes), default=0)
        if highest > SPARSE * opened.newest.total_count + CHUNK:
            whole = msgspec.structs.replace(cursor, since=None, next=0)
            yield from self._changed(name, look, whole, project.id)
            return
        yield from _goals(look, project.id)
        yield from self._numbered(name, cursor, project, highest, opened.newest.total_count)
        # what was read before the break may have changed since: the next pull asks for that
        yield _last(project.id, cursor, msgspec.structs.replace(look, probe="") if before else look)

    def _numbered(self, name: str, cursor: Cursor, project: Project, highest: int, total: int) -> Iterator[Page]:
        """All issues, several requests at once, taken in order. The issue created last need not have the highest
        number (imported and transferred ones keep their time), so where some are still missing all are listed.
        """
        made_here = [range(n, n + CHUNK) for n in range(cursor.next, highest + 1, CHUNK)]
        at = cursor
        for page, at in self._chunks(name, cursor, project, made_here):  # noqa: B007  # used after it
            yield page
        if at.read < total:
            for page, _ in self._chunks(name, at, project, self._beyond(name, at)):
                yield page

    def _chunks(
        self, name: str, cursor: Cursor, project: Project, chunks: Sequence[Sequence[int]]
    ) -> Iterator[tuple[Page, Cursor]]:
        """The issues of each chunk of numbers, and how far the reading has come with it."""
        asked = self._session.caller.map_ahead(lambda numbers: self._items(name, cursor, numbers), chunks)
        at = cursor
        for chunk, items in zip(chunks, asked, strict=True):
            at = msgspec.structs.replace(at, next=chunk[-1] + 1, read=at.read + len(items))
            yield self._page(name, cursor, project, items, at), at

    def _beyond(self, name: str, cursor: Cursor) -> list[list[int]]:
        """The numbers of issues that were not read yet, by chunks."""
        there = issues_there(self._session, cursor.name, name).values()
        beyond = sorted(number for number in there if number >= cursor.next)
        return [beyond[i : i + CHUNK] for i in range(0, len(beyond), CHUNK)]

    def _items(self, name: str, cursor: Cursor, numbers: Sequence[int]) -> tuple[api_types.Item, ...]:
        """The issues among these numbers; others are pull requests, or gone."""
        owner, short = self._session.parts(cursor.name, name)
        asked = {"owner": owner, "name": short} | {f"n{i}": number for i, number in enumerate(numbers)}
        document = queries.numbered(len(numbers), cursor.more)
        try:
            reply = self._session.query(
                document,
                asked,
                dict[str, dict[str, api_types.Item | api_types.Pull | None] | None],
                name,
                divisible=len(numbers) > SMALLEST,
            )
        except TooHeavyError:
            half = len(numbers) // 2
            return self._items(name, cursor, numbers[:half]) + self._items(name, cursor, numbers[half:])
        holes = {error.path[1] for error in reply.errors if error.type == "NOT_FOUND" and len(error.path) == 2}
        self._session.refuse([e for e in _grave(reply.errors) if e.type != "NOT_FOUND" or len(e.path) != 2], name)
        found = (reply.data or {}).get("repository")
        if found is None:
            raise GoneError(self._session.name, name)
        if any(item is None and alias not in holes for alias, item in found.items()) or len(found) != len(numbers):
            raise BusyError(self._session.name, name, "GraphQL left issues out")
        return tuple(item for item in found.values() if isinstance(item, api_types.Item))

    def _changed(self, name: str, look: _Look, cursor: Cursor, key: str) -> Iterator[Page]:
        """Issues updated since the cursor, page by page. Another repository under that name is read whole, and so is
        one that goes by another name: all addresses in it have changed.
        """
        since, after, size, seen = cursor.since, "", CHUNK, set[str]()
        owner, short = self._session.parts(cursor.name, name)
        while True:
            asked = {
                "owner": owner,
                "name": short,
                "since": _written(cursor.since),
                "after": after or None,
                "first": size,
            }
            document = queries.changed(cursor.more)
            try:
                reply = self._session.query(
                    document, asked, dict[str, api_types.Changed | None], name, divisible=size > SMALLEST
                )
            except TooHeavyError:
                size //= 2
                continue
            self._session.refuse(_grave(reply.errors), name)
            found = (reply.data or {}).get("repository")
            if found is None:
                raise GoneError(self._session.name, name)
            if found.id != key or (found.name_with_owner != cursor.name and cursor.since is not None):
                yield Page(cursors={key: ""})
                yield from self._everything(name, msgspec.structs.replace(look, known=None))
                return
            if not after:
                yield from _goals(look, key)
            project = normalize.project(found)
            items, info = found.issues.nodes, found.issues.page_info
            since = max((since, *(item.updated_at - OVERLAP for item in items)), key=_early)
            cursor_now = msgspec.structs.replace(cursor, name=found.name_with_owner, since=since)
            yield self._page(name, cursor, project, (*items, *self._waiting(name, cursor, project, items)), cursor_now)
            if not info.has_next_page:
                break
            if not items:
                raise MalformedError(self._session.name, name, "an empty page that promises more")
            after = self._session.onward(info, seen, name)
        newest = look.newest - OVERLAP if look.newest else None
        yield _last(key, msgspec.structs.replace(cursor_now, since=max(since, newest, key=_early)), look)

    def _waiting(
        self, name: str, cursor: Cursor, project: Project, items: Sequence[api_types.Item]
    ) -> tuple[api_types.Item, ...]:
        """The issues here that these block: whether they are blocked changes without their being updated."""
        if cursor.since is None:  # then everything is read
            return ()
        blocked = [reference for item in items if item.blocking for reference in item.blocking.seen]
        there = {reference.number for reference in blocked if reference.repository.name_with_owner == project.key}
        numbers = sorted(there - {item.number for item in items})
        chunks = [numbers[i : i + CHUNK] for i in range(0, len(numbers), CHUNK)]
        return tuple(item for chunk in chunks for item in self._items(name, cursor, chunk))

    def _page(
        self, name: str, cursor: Cursor, project: Project, items: Sequence[api_types.Item], going_on: Cursor
    ) -> Page:
        """One page of issues with whole histories; a timeline of more than a hundred events is read to its end."""
        changes = {item.number: list(item.timeline_items.nodes) for item in items}
        open_ = {item.number: item.timeline_items.page_info for item in items}
        owner, short = self._session.parts(cursor.name, name)
        while more := [(n, info.end_cursor) for n, info in open_.items() if info.has_next_page]:
            asked: dict[str, object] = {"owner": owner, "name": short}
            for i, (number, after) in enumerate(more):
                asked |= {f"n{i}": number, f"c{i}": after}
            reply = self._session.query(
                queries.later(len(more)), asked, dict[str, dict[str, api_types.Later] | None], name
            )
            self._session.refuse(reply.errors, name)
            found = (reply.data or {}).get("repository")
            if found is None:
                raise GoneError(self._session.name, name)
            for i, (number, after) in enumerate(more):
                timeline = found[f"n{i}"].timeline_items
                changes[number] += timeline.nodes
                open_[number] = timeline.page_info
                if timeline.page_info.has_next_page and timeline.page_info.end_cursor == after:
                    raise MalformedError(self._session.name, name, "a page that leads to itself")
        return Page(
            projects=(project,),
            issues=tuple(normalize.issue(item, project) for item in items),
            histories={item.id: normalize.history(item.id, changes[item.number]) for item in items},
            cursors={project.id: _encoded(going_on)},
        )


def _grave(errors: Sequence[api_types.Failure]) -> list[api_types.Failure]:
    """Without those about a neighbour of an issue that the token may not see: that is its right to be."""
    return [error for error in errors if not NEIGHBOURS.intersection(error.path)]


def _same(look: _Look) -> bool:
    return look.known is not None and not look.known[1].next and look.quiet and look.milestones is None


def _early(at: datetime | None) -> datetime:
    return at or datetime.min.replace(tzinfo=UTC)


def _written(at: datetime | None) -> str | None:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}" if at else None


def _goals(look: _Look, key: str) -> Iterator[Page]:
    """All milestones of a repository, if any of them changed."""
    if look.milestones is not None:
        found = tuple(normalize.milestone(row, key) for row in look.milestones)
        yield Page(milestones=found, all_milestones=frozenset([key]))


def _last(key: str, cursor: Cursor, look: _Look) -> Page:
    """The end of a repository: only now may the next pull trust that what it knows is all there was."""
    done = msgspec.structs.replace(cursor, next=0, read=0, probe=look.probe, milestones=look.etags, glance="")
    return Page(complete=frozenset([key]), cursors={key: _encoded(done)})


def _next(answer: Response) -> str:
    """The address of the next page, from the Link header."""
    links = requests.utils.parse_header_links(answer.headers.get("link", ""))
    return next((str(link["url"]) for link in links if link.get("rel") == "next"), "")
