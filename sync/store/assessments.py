"""Assessments of milestones and joint milestones, with their published forecasts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection, Row, bindparam, func, or_, select, text, update

from sync.model.health import Health, Lever, Reason, Status
from sync.model.published import StreamForecast
from sync.store import tables as schema
from sync.store.database import writing
from sync.store.plain_select import marks
from sync.store.repository import Repository
from sync.store.upsert import chunks, upsert

__all__ = ["AssessmentRepository", "AssessmentSummary"]


MAX_AHEAD = timedelta(minutes=5)
"""Time by which the clock of another process may be ahead of ours."""

_WHOLE = (schema.verdict.c.container == schema.health.c.container) & (
    schema.verdict.c.audience == schema.health.c.audience
)

_WEEK = 7 * 24 * 3600 * 1_000_000
"""Microseconds."""


_LATEST = """\
FROM health JOIN verdict ON verdict.container = health.container AND verdict.audience = health.audience
WHERE health.latest AND health.audience = ?
"""

_WEEKLY = f"""\
FROM health JOIN (
    SELECT container, max(at) AS newest FROM health WHERE audience = ? AND at >= ? AND at < ?
    GROUP BY container, at / {_WEEK}
) AS week ON week.container = health.container AND week.newest = health.at
WHERE health.audience = ? ORDER BY health.container, health.at
"""  # noqa: S608 - our own number

_PUBLISHED = "FROM health WHERE (probability IS NOT NULL OR p50 IS NOT NULL OR p85 IS NOT NULL)"

_COMPARED = [c.name for c in schema.health.columns if c.name not in ("at", "run", "latest", "repeated")]
"""Columns whose change makes a new row; ``run`` is not read."""


class _Reason(Reason, frozen=True, kw_only=True):
    values: dict[str, Any] = msgspec.field(default_factory=dict)


class _Lever(Lever, frozen=True, kw_only=True):
    values: dict[str, Any] = msgspec.field(default_factory=dict)


class _Health(Health, frozen=True, kw_only=True):
    """Health as stored: JSON has no dates, so that a date among the values is ``{"date": "2026-12-05"}``."""

    reasons: tuple[_Reason, ...] = ()
    levers: tuple[_Lever, ...] = ()


_DECODER = msgspec.json.Decoder(_Health)
_ENCODER = msgspec.json.Encoder()


class AssessmentSummary(Struct, frozen=True, kw_only=True):
    """The main numbers of one assessment. Dates and ``method`` are those of its `Health`; ``at`` is UTC."""

    container: str
    at: datetime
    status: Status
    due: date | None
    probability: float | None
    p50: date | None
    p85: date | None
    p95: date | None
    method: int = 1


class AssessmentRepository(Repository):
    """Assessments by container, audience and time."""

    def save_health(self, run_id: str, healths: Iterable[Health], streams: Mapping[str, str] | None = None) -> None:
        """Save the assessments of a run, one per container, audience and time.

        `streams` has the stream of each container whose health does not name it. An assessment from the future, which
        a clock that ran ahead made, is not the last one any more. One with the same columns as the last one of its day
        (UTC) is no row of its own, and only the last one is kept whole: hourly runs would fill the database.
        """
        table = schema.health
        mine = (table.c.container == bindparam("c")) & (table.c.audience == bindparam("a"))
        in_order = sorted(healths, key=lambda health: health.at)
        if not in_order:
            return
        changed: list[dict[str, Any]] = []
        repeated: list[dict[str, Any]] = []
        whole: list[dict[str, Any]] = []
        with writing(self._engine) as connection:
            _lock(connection)
            limit = self._clock() + MAX_AHEAD
            audiences = {health.audience for health in in_order}
            query = select(table, schema.verdict.c.body).join(schema.verdict, _WHOLE)
            query = query.where(table.c.latest, table.c.audience.in_(audiences))
            last = {(row.container, row.audience): row for row in connection.execute(query)}
            for health in in_order:
                row = _row(run_id, health, (streams or {}).get(health.container, ""))
                before = last.get((health.container, health.audience))
                if before is not None and before.at <= limit:
                    last_time = _last_time(before, limit)
                    if _repeats(before, row):
                        again = max(last_time, health.at)
                        repeated.append({"c": health.container, "a": health.audience, "again": again})
                        row["body"] = _encode(replace(health, at=before.at))
                        if again == health.at and row["body"] != before.body:
                            whole.append(row)
                        continue
                    if health.at < last_time:
                        row["latest"] = False
                changed.append(row)
            old = [{"c": row["container"], "a": row["audience"]} for row in changed if row["latest"]]
            if old:
                connection.execute(update(table).where(mine, table.c.latest).values(latest=False), old)
            if repeated:
                connection.execute(
                    update(table).where(mine, table.c.latest).values(repeated=bindparam("again")), repeated
                )
            whole += [row for row in changed if row["latest"]]
            verdicts = [{name: row[name] for name in ("container", "audience", "body")} for row in whole]
            upsert(connection, schema.verdict, verdicts)
            upsert(connection, table, [{name: row[name] for name in row if name != "body"} for row in changed])

    def last_health(self, audience: str = "") -> dict[str, Health]:
        """Return the last assessment of each container for an audience, by container."""
        fields = (schema.health.c.container, schema.verdict.c.body, schema.health.c.repeated)
        rows = self._select_plain(fields, _LATEST, audience)
        return {row.container: _decode(row.body, row.repeated) for row in rows}

    def as_of(self, at: datetime, audience: str = "") -> dict[str, AssessmentSummary]:
        """Return the last assessment of each container at or before a time (UTC), by container."""
        table = schema.health
        last = (
            select(table.c.container, func.max(table.c.at).label("last"))
            .where(table.c.audience == audience, table.c.at <= at)
            .group_by(table.c.container)
            .subquery()
        )
        query = (
            select(*(table.c[name] for name in AssessmentSummary.__struct_fields__))
            .join(last, (table.c.container == last.c.container) & (table.c.at == last.c.last))
            .where(table.c.audience == audience)
        )
        return {row.container: AssessmentSummary(**row._asdict()) for row in self._rows(query)}

    def status_changes(self, audience: str = "") -> dict[str, list[AssessmentSummary]]:
        """Return the assessments that changed the status or the due date, by container, oldest first.

        The first assessment of a container is one of them.
        """
        table = schema.health
        fields = [table.c[name] for name in AssessmentSummary.__struct_fields__]
        assessments = (
            select(
                *fields,
                *(
                    func.lag(table.c[name])
                    .over(partition_by=table.c.container, order_by=table.c.at)
                    .label(f"{name}_before")
                    for name in ("status", "due")
                ),
            )
            .where(table.c.audience == audience)
            .subquery()
        )
        is_change = or_(
            assessments.c.status_before.is_(None),
            assessments.c.status != assessments.c.status_before,
            assessments.c.due.is_distinct_from(assessments.c.due_before),
        )
        summaries: dict[str, list[AssessmentSummary]] = {}
        query = select(*(assessments.c[name] for name in AssessmentSummary.__struct_fields__)).where(is_change)
        for row in self._rows(query.order_by(assessments.c.container, assessments.c.at)):
            summaries.setdefault(row.container, []).append(AssessmentSummary(**row._asdict()))
        return summaries

    def weekly(self, since: datetime, until: datetime, audience: str = "") -> dict[str, list[AssessmentSummary]]:
        """Return the last assessment in each week of a period, by container, oldest first.

        Weeks begin on Thursdays, as 1 January 1970 did.
        """
        fields = (schema.health.c[name] for name in AssessmentSummary.__struct_fields__)
        period = schema.UtcMicroseconds().bound([since, until])
        summaries: dict[str, list[AssessmentSummary]] = {}
        for row in self._select_plain(fields, _WEEKLY, audience, *period, audience):
            summaries.setdefault(row.container, []).append(AssessmentSummary(**row._asdict()))
        return summaries

    def forecasts(self, stream: str | None = None) -> Iterator[StreamForecast]:
        """Yield the published forecasts (a probability or a date) of one stream or of all, by container and time."""
        table = schema.health
        fields = [table.c[name] for name in StreamForecast.__struct_fields__]
        which, given = ("AND stream = ?", (stream,)) if stream is not None else ("", ())
        containers = self._select_plain([table.c.container], "FROM health GROUP BY container ORDER BY container")
        for ids in chunks([row.container for row in containers]):
            rest = f"{_PUBLISHED} AND container IN ({marks(ids)}) {which} ORDER BY container, audience, at"
            for row in self._select_plain(fields, rest, *ids, *given):
                yield StreamForecast(**row._asdict())


def _lock(connection: Connection) -> None:
    """Have PostgreSQL save the assessments of one run at a time; readers do not wait.

    Runs at once save the same milestones: each would compare with rows that the other replaces, and lock them in the
    order of its own changes, which PostgreSQL ends with "deadlock detected". SQLite has one writer anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE verdict IN SHARE ROW EXCLUSIVE MODE"))


def _row(run_id: str, health: Health, stream: str) -> dict[str, Any]:
    leftover, promise = health.leftover, health.promise
    return {
        "container": health.container,
        "audience": health.audience,
        "at": health.at,
        "run": run_id,
        "stream": stream or health.basis.stream,
        "status": health.status,
        "start": health.start,
        "due": health.due,
        "probability": health.probability,
        "p50": health.dates.p50,
        "p85": health.dates.p85,
        "p95": health.dates.p95,
        "p70": None if promise is None else promise.p70,
        "leftover_low": None if leftover is None else leftover.low,
        "leftover_high": None if leftover is None else leftover.high,
        "method": health.method,
        "latest": True,
        "repeated": None,
        "body": _encode(health),
    }


def _encode(health: Health) -> str:
    plain = msgspec.to_builtins(health)
    for key in ("reasons", "levers"):
        for encoded, part in zip(plain[key], getattr(health, key), strict=True):
            encoded["values"] = {
                name: {"date": value.isoformat()} if isinstance(value, date) else value
                for name, value in part.values.items()
            }
    return _ENCODER.encode(plain).decode()


def _last_time(row: Row[Any], limit: datetime) -> datetime:
    """Return when the assessment of the row was made for the last time (UTC), by clocks that did not run ahead."""
    last: datetime = row.at if row.repeated is None or row.repeated > limit else row.repeated
    return last


def _repeats(before: Row[Any], row: Mapping[str, Any]) -> bool:
    """Return True if an assessment is later than the row before it on the same day (UTC), and has the same columns."""
    is_later = before.at <= row["at"] and before.at.date() == row["at"].date()
    return is_later and all(getattr(before, name) == row[name] for name in _COMPARED)


def _decode(body: str, repeated: datetime | None) -> Health:
    """Return the assessment, as of its last repetition."""
    stored = _DECODER.decode(body)
    values = {name: getattr(stored, name) for name in Health.__struct_fields__}
    values["at"] = repeated or stored.at
    for key, kind in (("reasons", Reason), ("levers", Lever)):
        values[key] = tuple(_as(kind, part) for part in values[key])
    return Health(**values)


def _as(kind: type[Reason] | type[Lever], stored: _Reason | _Lever) -> Reason | Lever:
    values = {
        name: date.fromisoformat(value["date"]) if isinstance(value, dict) else value
        for name, value in stored.values.items()
    }
    return kind(**{name: getattr(stored, name) for name in kind.__struct_fields__} | {"values": values})
