"""Write lease of one tracker: one holder at a time, timed by the database's clock, for two minutes at most.

A lease that ends later than its own length from now is damaged, by a clock that ran ahead or by a restored database:
it counts as free, and its holder has lost it. The lease is checked immediately before each write. A request that was
sent before the lease was lost may still arrive; the next holder observes before it writes.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from sqlalchemy import BigInteger, Engine, cast, literal_column, select, update
from sqlalchemy.sql.elements import ColumnElement

from sync.store.database import reading, writing
from sync.store.tables import lease as table
from sync.store.upsert import insert_into

__all__ = ["MIN_REMAINING", "TTL", "Lease", "acquire", "is_dead", "term", "this_process"]

TTL = timedelta(seconds=120)

MIN_REMAINING = timedelta(seconds=90)
"""Time for which a lease is surely held after a check. A connector sends no write later than that after its start."""

_TTL = TTL // timedelta(microseconds=1)


class Lease:
    """A lease that this process holds. `term` counts the grants of the source's lease, and identifies this one."""

    def __init__(self, engine: Engine, n: int, source: str, holder: str, term: int) -> None:
        self.source = source
        self.holder = holder
        self.term = term
        self._engine = engine
        self._mine = (table.c.source == n) & (table.c.holder == holder) & (table.c.term == term)

    def check(self) -> bool:
        """Return whether the lease is still held now; renew it so that `MIN_REMAINING` of its time is left at least."""
        now = _now(self._engine)
        with reading(self._engine) as connection:
            remaining = connection.scalar(select(table.c.until - now).where(self._mine))
        if remaining is None or not 0 < remaining <= _TTL:
            return False
        return remaining > MIN_REMAINING // timedelta(microseconds=1) or self.renew()

    def renew(self) -> bool:
        """Renew the lease for two minutes from now; return False when it was lost."""
        now = _now(self._engine)
        statement = update(table).where(self._mine, _is_valid(now)).values(until=now + _TTL)
        with writing(self._engine) as connection:
            return connection.execute(statement).rowcount == 1

    def release(self) -> None:
        """Release the lease; a lost lease is ignored."""
        with writing(self._engine) as connection:
            connection.execute(update(table).where(self._mine).values(until=0))

    def close(self) -> None:
        """Release the lease, for ``contextlib.closing``."""
        self.release()


def acquire(engine: Engine, n: int, source: str, holder: str, *, dead: Callable[[str], bool]) -> Lease | None:
    """Take the lease of a source if it is free, expired, or its holder is `dead`; else return None."""
    with reading(engine) as connection:
        holder_before = connection.scalar(select(table.c.holder).where(table.c.source == n))
    is_heir = holder_before is not None and holder_before != holder and dead(holder_before)
    dead_holder = holder_before if is_heir else None
    now = _now(engine)
    statement = insert_into(engine, table).values(source=n, holder=holder, term=1, until=now + _TTL)
    statement = statement.on_conflict_do_update(
        index_elements=[table.c.source],
        set_={"holder": holder, "term": table.c.term + 1, "until": statement.excluded.until},
        where=~_is_valid(now) | (table.c.holder == dead_holder),
    )
    with writing(engine) as connection:
        term = connection.scalar(statement.returning(table.c.term))
    return None if term is None else Lease(engine, n, source, holder, term)


def term(engine: Engine, n: int, *, dead: Callable[[str], bool]) -> int | None:
    """Return the number of grants of a source's lease; None while a holder that is not `dead` has it."""
    with reading(engine) as connection:
        columns = select(table.c.term, table.c.holder, _is_valid(_now(engine))).where(table.c.source == n)
        row = connection.execute(columns).one_or_none()
    if row is None:
        return 0
    grants, holder, is_held = row
    return None if is_held and not dead(holder) else grants


def _is_valid(now: ColumnElement[int]) -> ColumnElement[bool]:
    """Return the condition that a lease is held at ``now`` (microseconds): it ends later, within its own length."""
    return (table.c.until > now) & (table.c.until <= now + _TTL)


def _now(engine: Engine) -> ColumnElement[int]:
    """Return the database's clock as an SQL expression, in microseconds since 1970 UTC."""
    if engine.dialect.name == "postgresql":
        return cast(literal_column("extract(epoch from clock_timestamp()) * 1000000"), BigInteger)
    return literal_column(
        "(cast(strftime('%s','now') as integer) * 1000000 + cast(substr(strftime('%f','now'), 4) as integer) * 1000)",
        BigInteger,
    )


# --- holders ----------------------------------------------------------------------------------------------------


def this_process() -> str:
    """Return this process as a holder: ``host:pid:start``. The start distinguishes processes with a reused pid."""
    return f"{_host()}:{os.getpid()}:{_started(os.getpid()) or 0}"


def is_dead(holder: str) -> bool:
    """Return whether the holder has certainly ended. A holder on another host or in another format is never dead."""
    host, *numbers = holder.rsplit(":", 2)
    if host != _host() or len(numbers) != 2 or not all(number.isdigit() for number in numbers):
        return False
    pid, start = map(int, numbers)
    if Path("/proc/self/stat").exists():
        return _started(pid) != start
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _host() -> str:
    """Return the host's name with its boot id and pid namespace, where the system has them."""
    parts = [socket.gethostname().replace(":", "_")]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()[:8])
        parts.append(str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]"))
    return "/".join(parts)


def _started(pid: int) -> int | None:
    """Return the start of a live process in ticks since boot; None when there is none, or only a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    state, *fields = text.rpartition(")")[2].split()
    return None if state in "ZX" else int(fields[18])
