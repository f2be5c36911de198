"""Store observations of status issues, own content in the trackers, and labels of ours on items."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, select, values

from sync.model.item_label import ItemLabel
from sync.store import tables as schema
from sync.store.database import writing
from sync.store.repository import Repository
from sync.store.upsert import chunks, upsert
from sync.tracker.actions import Action, ContentRecord, LabelItem, OwnContent, Receipt, kind_of, own_content_in
from sync.tracker.observed import StatusIssue

__all__ = ["Observations", "save_result"]

_STATUS_ISSUE = msgspec.json.Decoder(StatusIssue)
_JSON = msgspec.json.Encoder()


def _of_milestones(milestones: Collection[str] | None) -> Iterator[dict[str, list[str]]]:
    """Yield the conditions that together select the rows of these milestones (uids); None: of all."""
    if milestones is None:
        yield {}
        return
    for batch in chunks(sorted(milestones)):
        yield {"milestone": batch}


class Observations(Repository):
    """The last observation of each status issue, and what milesync has created in the trackers."""

    # --- observed status issues -----------------------------------------------------------------------------------

    def save_observed(self, issues: Mapping[str, StatusIssue | None], at: datetime, instance: str = "") -> None:
        """Save how the status issues of milestones (uid) were at `at` (UTC). None: it has no status issue.

        Own content of ``instance`` in the status issues is saved too; empty: of any instance.
        """
        if not issues:
            return
        numbers = self._sources_of(issues)
        observed = [
            {
                "source": numbers[uid],
                "milestone": uid,
                "at": at,
                "body": None if seen is None else _JSON.encode(seen).decode(),
            }
            for uid, seen in issues.items()
        ]
        made = [
            _row(numbers[uid], uid, record)
            for uid, seen in issues.items()
            if seen is not None
            for record in own_content_in(seen, uid, instance)
        ]
        with writing(self._engine) as connection:
            upsert(connection, schema.observed, observed)
            upsert(connection, schema.made, made)

    def adopt(self, milestone: str, project: str, seen: StatusIssue, at: datetime, instance: str = "") -> None:
        """Save that the status issue of a milestone, which another account opened, is ours from now on."""
        n = self._sources_of([milestone])[milestone]
        record = ContentRecord(kind=OwnContent.STATUS_ISSUE, place=seen.issue, project=project, url=seen.url)
        with writing(self._engine) as connection:
            upsert(connection, schema.made, [_row(n, milestone, record)])
        self.save_observed({milestone: seen}, at, instance)

    def last_observations(
        self, milestones: Collection[str] | None = None
    ) -> dict[str, tuple[StatusIssue | None, datetime]]:
        """Return the last observation of these milestones (uids; None: all) and its time (UTC).

        None instead of a status issue: it had none.
        """
        return {
            row.milestone: (None if row.body is None else _STATUS_ISSUE.decode(row.body), row.at)
            for own in _of_milestones(milestones)
            for row in self._select(schema.observed, "milestone", "body", "at", **own)
        }

    def observed_milestones(self) -> dict[str, bool]:
        """Return for each observed milestone (uid) whether it had a status issue."""
        observed = self._select(schema.observed, "milestone")  # first: each has a status issue, or is in `without`
        without = {row.milestone for row in self._select(schema.observed, "milestone", body=None)}
        return {row.milestone: row.milestone not in without for row in observed}

    def last_changes(self, source: str, issues: Collection[tuple[str, str]]) -> dict[tuple[str, str], datetime]:
        """Return the last change (UTC) that the pulls show of these issues: each a project (native id) and a key.

        Issues that were not pulled are left out.
        """
        table, n, changes = schema.issue, self._known(source), dict[tuple[str, str], datetime]()
        named = table.alias("named")
        for batch in chunks(issues):
            # SQLite uses the index by key only where it needs no other column, and only for a join
            wanted = values(table.c.project, table.c.key, name="wanted").data(batch).cte()
            is_same = (named.c.source == n) & (named.c.key == wanted.c.key) & (named.c.project == wanted.c.project)
            ids = select(named.c.id).select_from(wanted.join(named, is_same))
            query = select(table.c.project, table.c.key, table.c.updated_at)
            for row in self._rows(query.where(table.c.source == n, table.c.id.in_(ids))):
                place = (row.project, row.key)
                changes[place] = max(row.updated_at, changes.get(place, row.updated_at))
        return changes

    # --- obstacles --------------------------------------------------------------------------------------------------

    def save_obstacles(self, words: Mapping[str, str], at: datetime, cleared: Collection[str] = ()) -> None:
        """Save what keeps us from writing at `at` (UTC), in words by milestone (uid), until a person decides.

        The ``cleared`` milestones (uid) have no obstacle any more.
        """
        table = schema.obstacle
        if not cleared and not words:
            return
        numbers = self._sources_of(words)
        rows = [{"source": numbers[uid], "milestone": uid, "words": text, "at": at} for uid, text in words.items()]
        with writing(self._engine) as connection:
            for uids in chunks(cleared):
                connection.execute(delete(table).where(table.c.milestone.in_(uids)))
            upsert(connection, table, rows)

    def obstacles(self) -> dict[str, str]:
        """Return what keeps us from writing, by milestone (uid), as of the last plan and its writes."""
        return {row.milestone: row.words for row in self._select(schema.obstacle, "milestone", "words")}

    # --- own content ------------------------------------------------------------------------------------------------

    def opened_status_issues(self) -> frozenset[tuple[str, str]]:
        """Return milestone (uid) and key of each status issue that milesync opened or adopted."""
        return frozenset((uid, key) for uid, keys in self.places(OwnContent.STATUS_ISSUE).items() for key in keys)

    def status_issue_ids(self, source: str) -> frozenset[str]:
        """Return the native ids of the pulled issues that are status issues of ours: they never count as scope."""
        issue, n = schema.issue, self._known(source)
        ours = self._select(schema.made, "issue", "project", "url", source=n, what=OwnContent.STATUS_ISSUE)
        places = {(row.issue, place) for row in ours for place in (row.project, row.url) if place}
        ids: set[str] = set()
        for keys in chunks({row.issue for row in ours}):
            same = [row.id for row in self._select(issue, "id", source=n, key=keys)]  # from the index alone
            for batch in chunks(same):  # each project may have an issue with each of these keys
                rows = self._select(issue, "id", "key", "project", "url", source=n, id=batch)
                ids |= {row.id for row in rows if {(row.key, row.project), (row.key, row.url)} & places}
        return frozenset(ids)

    def milestones_with(self, kind: OwnContent) -> frozenset[str]:
        """Return the milestones (uid) that have had own content of this kind, even if a person has deleted it since."""
        return frozenset(self.places(kind))

    def native_health_set(self) -> dict[str, str]:
        """Return the native health status that we set last, by milestone (uid); empty: we removed it."""
        return {uid: value for uid, values in self.places(OwnContent.HEALTH).items() for value in values}

    def places(self, kind: OwnContent, milestones: Collection[str] | None = None) -> Mapping[str, frozenset[str]]:
        """Return the places (`ContentRecord.place`) of own content by milestone (uid): of these, or of all.

        For boards the names of the boards, for pictures the stems of the file names. Content that a person has deleted
        since is included.
        """
        places: dict[str, set[str]] = {}
        for own in _of_milestones(milestones):
            for row in self._select(schema.made, "milestone", "issue", what=kind, **own):
                places.setdefault(row.milestone, set()).add(row.issue)
        return {uid: frozenset(own) for uid, own in places.items()}

    # --- labels on items --------------------------------------------------------------------------------------------

    def item_labels(self, source: str) -> list[ItemLabel]:
        """Return the labels that milesync put on items of a source and whose reason still holds."""
        table, n = schema.mark, self._known(source)
        rows = self._select(table, *ItemLabel.__struct_fields__, source=n, order=table.primary_key.columns.keys())
        return [ItemLabel(**row._asdict()) for row in rows]

    def delete_item_labels(self, source: str, labels: Iterable[ItemLabel]) -> None:
        """Delete these labels from the store: milesync may put them on the items again."""
        n = self._number(source)
        with writing(self._engine) as connection:
            for label in labels:
                _delete_item_labels(connection, n, label.issue, (label.label,))


def save_result(connection: Connection, source: int, action: Action, receipt: Receipt, at: datetime) -> None:
    """Save the own content that a write created or removed, and the labels that it put on an item, at `at` (UTC)."""
    kind = kind_of(action)
    removed, created = kind.removed(action), kind.created(action, receipt)
    if removed is not None:
        _delete_content(connection, action.milestone, removed)
    if created is not None:
        upsert(connection, schema.made, [_row(source, action.milestone, created)])
    if isinstance(action, LabelItem):
        _save_item_labels(connection, source, action, at)


def _row(source: int, milestone: str, record: ContentRecord) -> dict[str, Any]:
    return {
        "source": source,
        "milestone": milestone,
        "what": record.kind,
        "project": record.project,
        "issue": record.place,
        "url": record.url,
    }


def _delete_content(connection: Connection, milestone: str, record: ContentRecord) -> None:
    """Delete own content of a milestone; without a place, all of its kind."""
    made = schema.made
    mine = (made.c.milestone == milestone) & (made.c.what == record.kind)
    if record.place:
        mine &= made.c.issue == record.place
    connection.execute(delete(made).where(mine))


def _save_item_labels(connection: Connection, source: int, action: LabelItem, at: datetime) -> None:
    _delete_item_labels(connection, source, action.item, action.remove)
    rows = [
        {
            "source": source,
            "project": action.project,
            "issue": action.item,
            "label": label,
            "milestone": action.milestone,
            "at": at,
            "touched": action.touched or at,
        }
        for label in action.add
    ]
    upsert(connection, schema.mark, rows)


def _delete_item_labels(connection: Connection, source: int, issue: str, labels: Sequence[str]) -> None:
    table = schema.mark
    mine = (table.c.source == source) & (table.c.issue == issue) & table.c.label.in_(labels)
    connection.execute(delete(table).where(mine))
