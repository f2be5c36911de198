"""The seam to the database: tracker data, assessments, the journal of writes, digests and leases.

Each subject is a repository in `sync.store`; a `Store` is all of them over one database. Reads come in batches, each in
a short transaction of its own unless `Store.one_state` holds one, so that a million issues need no more memory than a
thousand. Every write is one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from types import MappingProxyType, TracebackType
from typing import Self

from sync.model.item_state import StateNames, StateRules
from sync.model.settings import Retention
from sync.store.assessments import AssessmentRepository
from sync.store.closing_records import ClosingRecordRepository
from sync.store.database import DataVersion, one_state, open_engine
from sync.store.digests import DigestJournal
from sync.store.journal import Journal
from sync.store.maintenance import PruneCounts, prune
from sync.store.membership_cache import MembershipCache
from sync.store.names_in_use import names_in_use
from sync.store.observations import Observations
from sync.store.open_work import open_work
from sync.store.sources import Sources
from sync.store.tracker_data import TrackerData

__all__ = ["Store"]


class Store(
    Sources,
    TrackerData,
    MembershipCache,
    AssessmentRepository,
    ClosingRecordRepository,
    Journal,
    Observations,
    DigestJournal,
):
    """An open database. Threads may share it; in memory, SQLite serves them one after the other."""

    @classmethod
    def open(cls, url: str, *, create: bool, clock: Callable[[], datetime]) -> Self:
        """Open `url` (``sqlite:///path``, ``sqlite://`` for memory, ``postgresql://...``) and migrate it.

        `clock` gives the time in UTC. Raises `MissingDatabase` when it does not exist and `create` is False,
        `NewerDatabase` when a later version of milesync migrated it, `UnusableDatabase` when it cannot be opened.
        """
        return cls(open_engine(url, create=create), clock)

    @classmethod
    def memory(cls, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Self:
        """Open a new database in memory, which ends when it is closed."""
        return cls.open("sqlite://", create=True, clock=clock)

    def open_work(
        self,
        source: str,
        projects: Collection[str],
        since: datetime,
        ignored: Collection[str] = (),
        rules: Mapping[str, StateRules] = MappingProxyType({}),
    ) -> Mapping[str, tuple[int, int]]:
        """Return the number of open issues without a milestone, and of the recent ones; see `sync.store.open_work`."""
        ours = self.status_issue_ids(source)
        return open_work(self._engine, source, projects, since, ignored=ignored, status_issues=ours, rules=rules)

    def names_in_use(self, source: str) -> StateNames:
        """Return the names of states, labels and resolutions of a tracker; see `sync.store.names_in_use`."""
        return names_in_use(self._engine, source)

    def data_version(self) -> DataVersion:
        """Return the version of the data, to be read again and again."""
        return DataVersion(self._engine)

    def one_state(self) -> AbstractContextManager[None]:
        """Let all reads in the body see one state of the database; see `sync.store.database.one_state`."""
        return one_state(self._engine)

    def prune(self, retention: Retention) -> PruneCounts:
        """Delete the rows that are older than the retention."""
        return prune(self._engine, self._clock(), retention)

    def close(self) -> None:
        """Close the database connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
