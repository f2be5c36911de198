"""Containers of boards (Projects v2): iterations and target dates, as a page of their milestones and members.

A board belongs to no repository, and a milestone needs one, its home: there its status issue is, and who may read that
repository may read the milestone. It is the repository that the option ``board_homes`` names. Else it is the first
configured repository with an item on the board, of a private board the first private one. The home stays until the
board becomes private, or the home of a private board becomes public.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from connectors.github.boards.api_types import Board, BoardItem
from connectors.github.boards.kind import BoardContainers, ColumnError
from connectors.github.boards.reader import BoardReader, BoardWalk, WalkedColumn, signature_of, walked_signature
from connectors.github.boards.state import CURSOR_PREFIX, BoardOptions, BoardState, ColumnState, board_states
from connectors.github.containers import BOARD_KINDS
from connectors.github.cursor import Cursor, decode_cursors
from connectors.github.schema import BOARD_FIELDS
from connectors.github.session import PROJECT_ERRORS, Session
from sync.model.tracker_data import Milestone, State, UnreadKind, UnreadRow, matches_pattern
from sync.tracker.preflight import Need, Obstacle, Right
from sync.tracker.protocol import Page

__all__ = ["BoardLists"]

BOARD_RIGHTS = (
    "reading a board takes the scope read:project, for an organisation's board a fine-grained token or GitHub App with "
    "Projects: read; the GITHUB_TOKEN of a workflow cannot read boards"
)

WALK_AFTER = timedelta(days=1)
"""Time after which an unchanged board is walked again."""

OVERLAP = timedelta(minutes=2)
"""A board that changed so shortly before the pull may hold an issue that is not stored yet: the next pull walks it."""


class _Repositories(Struct, frozen=True):
    """Repositories of a pull. ``read``: those read to the end, by id, in the order of the configuration.

    ``stored``: the ids of all that are stored. ``has_failed``: a repository could not be read.
    """

    read: Mapping[str, Cursor]
    stored: frozenset[str]
    has_failed: bool

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the stored repositories."""
        return blake2b(" ".join(sorted(self.stored)).encode(), digest_size=6).hexdigest()


class _Result(Struct):
    """Result of reading one board. ``members`` None: they did not change. ``problem``: why it could not be read."""

    state: BoardState
    members: Mapping[str, Mapping[str, datetime | None]] | None = None
    unread: Sequence[UnreadRow] = ()
    problem: str = ""


class BoardLists:
    """Reader of the containers of all configured boards."""

    def __init__(self, session: Session, options: Mapping[str, Any], clock: Callable[[], datetime]) -> None:
        self._session, self._clock = session, clock
        self._options = BoardOptions.of(options)
        self._reader = BoardReader(session)

    def add_to(self, pages: Iterable[Page], projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        """Yield the pages of the repositories, and after them the boards whose home was read to the end."""
        latest, complete, has_failed = dict(cursors), set[str](), False
        for page in pages:
            latest |= page.cursors
            complete |= page.complete
            has_failed = has_failed or bool(page.failed)
            yield page
        states = dict(board_states(cursors))
        known = dict(decode_cursors(latest))
        read = _in_order({key: cursor for key, cursor in known.items() if key in complete}, projects)
        if read and (self._options.names or states):
            yield self._page(states, _Repositories(read, frozenset(known), has_failed))

    def findings(self) -> Iterator[Right | Obstacle]:
        """Yield a line of ``milesync doctor`` for each board, found by reading it without its items."""
        for name in self._options.names:
            try:
                board = self._reader.fetch(name)
                for kind in self._kinds(BoardState(), board.id):
                    kind.choose(self._reader.fields(board))
            except ColumnError as error:
                words, remedy = str(error), "docs/how-to/go-live-github.md describes the options of boards"
            except PROJECT_ERRORS as error:
                words, remedy = error.detail or "it does not exist, or this token may not see it", BOARD_RIGHTS
            else:
                yield Right(project=name, name="Projects: read", need=Need.READ, held=True)
                continue
            yield Obstacle(project=f"board {name}", words=words, need=Need.READ, remedy=remedy, is_optional=True)

    def _page(self, states: Mapping[str, BoardState], repositories: _Repositories) -> Page:
        """Read the boards. The page has all listed milestones of their homes: those of former boards are deleted."""
        now, schema = self._clock().astimezone(UTC).replace(microsecond=0), self._session.schema
        schema.recall(state.schema for state in states.values() if state.schema is not None)
        results: dict[str, _Result] = {}
        for name in self._options.names:
            state = states.get(name, BoardState())
            if not state.home or state.home in repositories.read or name in self._options.homes:
                results[name] = self._read(name, state, repositories, now)
        memory = schema.memory if BOARD_FIELDS.intersection(schema.memory.lacking) else None
        new = {name: replace(result.state, schema=memory) for name, result in results.items()}
        former = [name for name, state in states.items() if name not in self._options.names]
        cursors = {name: state.encode() for name, state in new.items() if state != states.get(name)}
        cursors |= {name: "" for name in former if states[name].home in repositories.read}
        homes = {state.home for state in (*states.values(), *new.values())} & repositories.read.keys()
        somewhere = next(iter(repositories.read))
        return Page(
            milestones=tuple(row for state in new.values() for row in self._milestones(state, now)),
            members={key: m for result in results.values() if result.members for key, m in result.members.items()},
            all_listed=frozenset(homes),
            cursors={f"{CURSOR_PREFIX}{name}": text for name, text in cursors.items()},
            unread=tuple(
                replace(row, project=new[name].home or somewhere)
                for name, result in results.items()
                for row in _unread(name, result, self._milestones(result.state, now))
            ),
        )

    def _kinds(self, state: BoardState, board: str) -> list[BoardContainers]:
        """The kinds that are switched on, with what the last pull knew of their columns."""
        columns = self._options.columns
        return [
            kind(board, columns[kind.word], state.columns.get(kind.word, ColumnState()))
            for kind in BOARD_KINDS
            if kind.word in columns
        ]

    def _milestones(self, state: BoardState, at: datetime) -> list[Milestone]:
        """The milestones of a board as of ``at`` (UTC); empty without a home."""
        return [
            kind.milestone(known, state.home, state.url, at)
            for kind in (self._kinds(state, state.id) if state.home else ())
            for known in kind.column.known
        ]

    def _read(self, name: str, state: BoardState, repositories: _Repositories, now: datetime) -> _Result:
        """Read one board. A board that cannot be read keeps its state."""
        try:
            board = self._reader.fetch(name, state.seen.newest if state.seen else None)
            kinds, fields = self._kinds(state, board.id), self._reader.fields(board)
            unread = [row for kind in kinds for row in kind.choose(fields)]
            found = replace(state, id=board.id, url=board.url, columns={kind.word: kind.column for kind in kinds})
            home = self._configured_home(name, repositories)
            if _is_unchanged(board, state, found, repositories, now) and home in ("", state.home):
                return _Result(found, unread=unread)
            columns = [WalkedColumn(kind.column.name, kind.selection, kind.optional_selection) for kind in kinds]
            walk = self._reader.walk(name, columns)
            is_open = board.public or self._options.homes.get(name) == "*"
            found = replace(found, home=home or _home(state, walk.items, repositories, is_public=is_open))
        except ColumnError as error:
            return _Result(state, problem=str(error))
        except PROJECT_ERRORS as error:
            return _Result(state, problem=error.detail or "it does not exist, or this token may not see it")
        if emptied := _emptied(kinds, walk, state):
            words = f"the {emptied} of all items were gone at once: the last members stay for one run"
            return _Result(replace(state, is_emptied=True, seen=None), problem=words)
        is_recent = board.updated_at > now - OVERLAP
        is_settled = not (repositories.has_failed or walk.unread or unread or is_recent)
        seen = walked_signature(board, walk, has_filters=self._reader.has_filters) if is_settled else None
        found = replace(found, walked_at=now, seen=seen, projects=repositories.fingerprint, is_emptied=False)
        return _walked(found, kinds, walk, state, repositories.stored, unread)

    def _configured_home(self, name: str, repositories: _Repositories) -> str:
        """Return the home that the option names; empty without one. Raises `ColumnError` if it is not read."""
        wanted = self._options.homes.get(name, "").removeprefix("*")
        read = repositories.read.items()
        found = [key for key, cursor in read if wanted in (cursor.configured_name, cursor.name)]
        if wanted and not found:
            raise ColumnError(f"its home {wanted} in board_homes is no configured repository that could be read")
        return found[0] if wanted else ""


def _in_order(cursors: Mapping[str, Cursor], projects: Sequence[str]) -> dict[str, Cursor]:
    """Return repositories in the order of the entries of the configuration, those of one entry by name."""

    def place(cursor: Cursor) -> tuple[int, str]:
        entries = (n for n, entry in enumerate(projects) if matches_pattern(cursor.configured_name, entry))
        return next(entries, len(projects)), cursor.name

    return dict(sorted(cursors.items(), key=lambda pair: place(pair[1])))


def _is_unchanged(
    board: Board, state: BoardState, found: BoardState, repositories: _Repositories, now: datetime
) -> bool:
    """Return whether the last walk, which left ``state``, still holds. ``found`` has the present columns."""
    if state.seen is None or state.walked_at is None or now - state.walked_at >= WALK_AFTER:
        return False
    return (
        state.seen == signature_of(board, state.seen.newest)
        and state.id == board.id
        and _containers(state) == _containers(found)
        and state.projects == repositories.fingerprint
    )


def _containers(state: BoardState) -> dict[str, tuple[str, frozenset[str]]]:
    """The id of each column and the ids of its containers."""
    columns = state.columns.items()
    return {kind: (column.id, frozenset(known.milestone for known in column.known)) for kind, column in columns}


def _home(state: BoardState, items: Sequence[BoardItem], repositories: _Repositories, *, is_public: bool) -> str:
    """Choose the home of a board; empty if no repository has an item on it.

    Raises `ColumnError` for a board that is not public, with items in public repositories only.
    """
    places = [item.content.repository for item in items if item.content and item.content.repository]
    is_private = {place.id: place.is_private for place in places}
    if state.home in repositories.read and (is_public or is_private.get(state.home, True)):
        return state.home
    candidates = [key for key in repositories.read if key in is_private]
    fitting = [key for key in candidates if is_public or is_private[key]]
    if candidates and not fitting:
        raise ColumnError(
            "it is private, and its items are in public repositories: name its home in board_homes; "
            "the readers of that repository may then read the board's iterations and dates"
        )
    return fitting[0] if fitting else ""


def _emptied(kinds: Sequence[BoardContainers], walk: BoardWalk, state: BoardState) -> str:
    """Name the kinds of which all values are gone since the last pull; empty if there are none, or for the second time.

    A column that is configured again loses all its values: it is no change of the plan.
    """
    gone = [kind.word for kind in kinds if kind.column.count and not any(map(kind.key_of, walk.items))]
    return "" if state.is_emptied else " and ".join(gone)


def _walked(
    found: BoardState,
    kinds: Sequence[BoardContainers],
    walk: BoardWalk,
    before: BoardState,
    stored: frozenset[str],
    unread: Sequence[UnreadRow],
) -> _Result:
    """Return the result of a walk. Only items of ``stored`` repositories are members.

    A milestone that the board had ``before`` and lacks now is listed without members: these have left it.
    """
    listed = [
        (item, item.content.id, item.content.repository.id)
        for item in walk.items
        if item.content and item.content.repository
    ]
    own = [(item, issue) for item, issue, repository in listed if repository in stored]
    members: dict[str, Mapping[str, datetime | None]] = {
        known.milestone: {} for column in before.columns.values() for known in column.known
    }
    for kind in kinds:
        count = sum(bool(kind.key_of(item)) for item in walk.items)
        kind.update(known=kind.found(item for item, _ in own), count=count)
        members |= kind.members(own)
    found = replace(
        found,
        columns={kind.word: kind.column for kind in kinds},
        hidden=len(walk.hidden) + walk.invisible,
        foreign=len(listed) - len(own),
        incomplete=tuple(sorted({key for item in walk.hidden for kind in kinds for key in kind.now(item)})),
    )
    return _Result(found, members, [*unread, *walk.unread])


def _unread(name: str, result: _Result, milestones: Iterable[Milestone]) -> Iterator[UnreadRow]:
    """Yield the rows of the board that could not be read, its hidden items, or the board itself."""
    running = {row.id for row in milestones if row.state is State.OPEN}
    for row in result.unread:
        yield replace(row, milestones=tuple(sorted(running))) if row.kind.is_item else row
    reason, concerned = result.problem, running
    if not reason and result.state.incomplete:
        reason, concerned = "this token may not see all of its items", running.intersection(result.state.incomplete)
    if reason:
        yield UnreadRow(project="", kind=UnreadKind.BOARD, reason=reason, key=name, milestones=tuple(sorted(concerned)))
