"""The assessed portfolio of a process that answers many questions, such as `milesync mcp`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Self

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
from sync.model.dates import day_of
from sync.store.database import DataVersion, StoreError

__all__ = ["LoadedPortfolio", "PortfolioCache"]

OpenEngine = Callable[[], AbstractContextManager[tuple[Engine, Settings]]]


@dataclass(frozen=True)
class LoadedPortfolio:
    """The portfolio that an audience may read, and of it the ``milestones`` and ``joints`` that it is shown."""

    audience: Audience
    snapshot: Snapshot
    portfolio: Portfolio
    milestones: list[AssessedMilestone]
    joints: list[AssessedJointMilestone]


@dataclass
class _Session:
    """An open engine, and what was assessed with it, by name of the audience."""

    engine: Engine
    settings: Settings
    version: DataVersion
    key: object
    loaded: dict[str, LoadedPortfolio]


class PortfolioCache:
    """The portfolios of audiences, assessed again when an input changes.

    The inputs are the data in the database, the day in each time zone, and how long data is missing: within a day, time
    alone changes no figure (`sync.history.calendar.Calendar.clock_of_day`).
    """

    def __init__(self, open_engine: OpenEngine) -> None:
        self._open_engine = open_engine
        self._stack = ExitStack()
        self._session: _Session | None = None

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
        """The configuration, as of the opening of the engine."""
        return self._opened().settings

    def load(self, audience: str) -> LoadedPortfolio:
        """Return the present portfolio of an audience, by its name.

        Raises `StoreError`; then the next call opens the database again, which may have been replaced.
        """
        try:
            return self._load(self._opened(), audience)
        except StoreError:
            self._close()
            raise

    def _load(self, session: _Session, name: str) -> LoadedPortfolio:
        engine, at = session.engine, session.engine.clock()
        key = _key(session, at)
        if key != session.key:
            session.loaded, session.key = {}, key
        if name not in session.loaded:
            audience = find_audience(name, session.settings, engine)
            snapshot = Snapshot(engine.store, engine.connections, at, engine.rules, audience=audience)
            portfolio = build_portfolio(snapshot)
            session.loaded[name] = LoadedPortfolio(audience, snapshot, portfolio, *shown_to(audience, portfolio))
        return session.loaded[name]

    def _opened(self) -> _Session:
        if self._session is None:
            engine, settings = self._stack.enter_context(self._open_engine())
            version = engine.store.data_version()
            self._stack.callback(version.close)
            self._session = _Session(engine, settings, version, None, {})
        return self._session

    def _close(self) -> None:
        self._session = None
        self._stack.close()


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
