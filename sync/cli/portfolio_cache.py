"""The assessed portfolio of a process that answers many questions, such as `milesync mcp`.

A thread assesses it again in the background when the database, the configuration or the day changes. It uses an engine
of its own, and its portfolio replaces the last one as a whole. A question that comes earlier assesses it itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event, Lock, RLock, Thread
from time import monotonic
from typing import Self

from typer.exceptions import TyperException

from config.settings import Settings
from sync.assess.milestone import AssessedMilestone
from sync.assess.outage import find_outages, find_unread
from sync.assess.portfolio import AssessedJointMilestone, Portfolio
from sync.assess.relations import build_portfolio
from sync.assess.shown import shown_to
from sync.assess.snapshot import Snapshot
from sync.cli.audiences import find_audience
from sync.engine.engine import Engine
from sync.model.audience import Audience
from sync.model.characters import one_line
from sync.model.dates import day_of
from sync.model.errors import PlainError
from sync.store.database import DataVersion, StoreError
from sync.telemetry.log import events

__all__ = ["LoadedPortfolio", "PortfolioCache"]

OpenEngine = Callable[[], AbstractContextManager[tuple[Engine, Settings]]]

TRIES = 2
"""Maximum number of times that a question assesses the portfolio, when another process writes meanwhile."""

POLL = 1.0
"""Seconds between two looks of the thread. It assesses what was the same at two looks: a run writes many times."""

PAUSE = 5
"""Multiple of the time that an assessment took, for which the thread then makes none."""


@dataclass(frozen=True)
class LoadedPortfolio:
    """The portfolio that an audience may read, and of it the ``milestones`` and ``joints`` that it is shown."""

    audience: Audience
    snapshot: Snapshot
    portfolio: Portfolio
    milestones: list[AssessedMilestone]
    joints: list[AssessedJointMilestone]


@dataclass(eq=False)
class _Session:
    """An open engine, the bytes of its configuration, and what was assessed with it, by name of the audience.

    ``key``: the inputs of what was assessed.
    """

    engine: Engine
    settings: Settings
    configuration: bytes
    version: DataVersion
    stack: ExitStack
    loaded: dict[str, LoadedPortfolio]
    key: object = None


class PortfolioCache:
    """The portfolios of audiences, assessed again when an input changes.

    The inputs are the data in the database, the configuration file ``config``, the day in each time zone, and how long
    data is missing: within a day, time alone changes no figure (`sync.history.calendar.Calendar.clock_of_day`).
    ``lock``: a thread that holds it gets one state from all methods and properties. ``problem``: why the present
    configuration file is not in use; empty if it is.
    """

    def __init__(self, open_engine: OpenEngine, config: Path | None = None) -> None:
        self.lock, self.problem = RLock(), ""
        self._open_engine, self._config = open_engine, config
        self._session: _Session | None = None
        self._refused: bytes | None = None
        self._refreshing, self._ready = Lock(), deque[_Session]()
        self._seen: object = None
        self._tried: object = None
        self._not_before = 0.0

    def __enter__(self) -> Self:
        self._opened()
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    @property
    def engine(self) -> Engine:
        """The open engine."""
        return self._opened().engine

    @property
    def settings(self) -> Settings:
        """The configuration in use."""
        return self._opened().settings

    def load(self, audience: str) -> LoadedPortfolio:
        """Return the present portfolio of an audience, by its name.

        Raises `StoreError`; then the next call opens the database again, which may have been replaced.
        """
        with self.lock:
            try:
                self._take_ready()
                if self._refreshing.locked() and not self._is_present(self._session):
                    with self._refreshing:  # the thread has begun to assess what is asked for
                        self._take_ready()
                self._configure(audience)
                return _load(self._opened(), audience)
            except StoreError:
                self._close()
                raise

    @contextmanager
    def kept_fresh(self, audience: str) -> Iterator[None]:
        """Have a thread assess the portfolio of an audience whenever an input has changed."""
        ended = Event()

        def watch() -> None:
            while not ended.wait(POLL):
                self.refresh(audience)

        thread = Thread(target=watch, name="portfolio", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def refresh(self, audience: str, now: Callable[[], float] = monotonic) -> None:
        """Assess the portfolio again if its inputs have changed, and not since the last call. Questions go on.

        An error is left to the next question, which has it too, and inputs that led to one are not assessed again.
        ``now``: seconds of any clock.
        """
        try:
            if self._has_settled() and now() >= self._not_before:
                with self._refreshing:
                    began, self._tried = now(), self._seen
                    self._ready.append(self._open(lambda fresh: _load(fresh, audience)))
                    self._tried = None
                    self._not_before = now() + PAUSE * (now() - began)
                with self.lock:
                    self._take_ready()
        except Exception:  # the thread lasts as long as the process
            events.debug("portfolio not assessed in the background", exc_info=True)

    def _has_settled(self) -> bool:
        """Return whether the inputs have changed, and are those of the last call."""
        with self.lock:
            last, configuration = self._session, self._read()
            if last is None or configuration == self._refused:
                return False
            seen = (last, configuration, _key(last, last.engine.clock()))
        is_quiet, self._seen = seen == self._seen, seen
        return is_quiet and seen not in ((last, last.configuration, last.key), self._tried)

    # --- sessions ---------------------------------------------------------------------------------------------------

    def _take_ready(self) -> None:
        """Use what the thread has assessed, if its inputs are the present ones."""
        while self._ready:
            unused: _Session | None = self._ready.popleft()
            try:
                if self._is_present(unused):
                    self._session, unused = unused, self._session
            finally:
                if unused is not None:
                    unused.stack.close()

    def _is_present(self, own: _Session | None) -> bool:
        """Return whether what was assessed in a session is of the present inputs."""
        return own is not None and (own.configuration, own.key) == (self._read(), _key(own, own.engine.clock()))

    def _configure(self, audience: str) -> None:
        """Use a changed configuration. One that cannot be used is a `problem`, and the last one stays in use."""
        configuration, last = self._read(), self._session
        if last is None or configuration == self._refused:
            return
        self._refused, self.problem = None, ""
        if configuration == last.configuration:
            return
        try:
            fresh = self._open(lambda fresh: find_audience(audience, fresh.settings, fresh.engine))
        except (PlainError, TyperException, OSError) as error:
            self._refused, self.problem = configuration, one_line(str(error))
            return
        self._session = fresh
        last.stack.close()

    def _read(self) -> bytes:
        """Return the bytes of the configuration file, or why it cannot be read."""
        try:
            return b"" if self._config is None else self._config.read_bytes()
        except OSError as error:
            return str(error).encode()

    def _opened(self) -> _Session:
        if self._session is None:
            self._session = self._open()
        return self._session

    def _open(self, check: Callable[[_Session], object] = lambda _: None) -> _Session:
        """Open an engine with the present configuration. It is closed again if ``check`` raises."""
        configuration = self._read()
        with ExitStack() as stack:
            engine, settings = stack.enter_context(self._open_engine())
            version = engine.store.data_version()
            stack.callback(version.close)
            session = _Session(engine, settings, configuration, version, stack, {})
            check(session)
            session.stack = stack.pop_all()
        return session

    def _close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.stack.close()


def _load(session: _Session, name: str) -> LoadedPortfolio:
    """Return the portfolio of an audience; assess it if it is not that of the present inputs.

    A portfolio is of one state of the database: it is assessed again if another process wrote meanwhile.
    """
    engine = session.engine
    for _ in range(TRIES):
        at = engine.clock()
        key = _key(session, at)
        if key != session.key:
            session.loaded, session.key = {}, key
        if name in session.loaded:
            break
        audience = find_audience(name, session.settings, engine)
        snapshot = Snapshot(engine.store, engine.connections, at, engine.rules, audience=audience)
        portfolio = build_portfolio(snapshot)
        session.loaded[name] = LoadedPortfolio(audience, snapshot, portfolio, *shown_to(audience, portfolio))
    return session.loaded[name]


def _key(session: _Session, at: datetime) -> object:
    """Return what the portfolios at a time (UTC) depend on, to be compared with an earlier key."""
    engine = session.engine
    zones = {engine.rules.calendar.zone, *(connection.zone for connection in engine.connections)}
    return (
        session.version.read(),
        {(zone.key, day_of(at, zone)) for zone in zones},
        find_outages(engine.store, at),
        find_unread(engine.store, at),
    )
