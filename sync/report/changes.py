"""Changes of a milestone since the comment that its readers know. Pure.

A reader who comes once a day knows the last comment of the last working day, in the zone of the connection: on Tuesday
that of Monday evening, on Monday and at the weekend that of Friday evening. So a rewriting during the day adds to the
list of changes, and takes nothing away. Where milesync runs less often than daily, the list goes back to the last run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec import Struct

from sync.history.calendar import Calendar
from sync.history.counting import is_member, is_open
from sync.model.dates import day_of, end_of_day
from sync.model.membership import Membership
from sync.model.published import SummaryForecast
from sync.tracker.marker import Marker

__all__ = ["Changes", "Reference", "changes_since", "reference_of"]


class Changes(Struct, frozen=True, kw_only=True):
    """Changes to the items (uids) after ``since`` (UTC).

    Each is the difference between then and now. An item that joined and left in between is in no list; one that joined
    and was finished is in ``added`` and in ``closed``. ``removed``: it left, or was closed as out of scope.
    """

    since: datetime
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    reopened: tuple[str, ...] = ()
    estimated: tuple[str, ...] = ()


class Reference(Struct, frozen=True):
    """Comment that a reader knows: changes after ``since`` (UTC) and another forecast are news to them."""

    since: datetime
    forecast: SummaryForecast | None


def reference_of(last: Marker, now: datetime, calendar: Calendar) -> Reference:
    """Return the last comment of the last working day before the day of ``now`` (UTC).

    ``last`` is the marker of the present comment. If that was written later, it holds the reference.
    ``calendar`` is in the zone of the connection.
    """
    today = day_of(now, calendar.zone)
    evening = end_of_day(calendar.last_working_day_before(today), calendar.zone)
    if last.written is not None and last.written > evening:
        return Reference(last.changes_since or evening, last.previous_forecast)
    return Reference(last.written or evening, last.forecast)


def changes_since(
    memberships: Iterable[Membership], estimated_at: Mapping[str, datetime], since: datetime, now: datetime
) -> Changes:
    """Return the changes to the items of one milestone between ``since`` and ``now`` (UTC).

    ``estimated_at``: time of the last new estimate, by item (uid).
    """
    memberships = tuple(memberships)
    before, after = _members(memberships, since), _members(memberships, now)
    done_before, done_after = _done(before, since), _done(after, now)
    estimated = {item for item, at in estimated_at.items() if since < at <= now}
    return Changes(
        since=since,
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        closed=tuple(sorted(done_after - done_before)),
        reopened=tuple(sorted((done_before - done_after) & after.keys())),
        estimated=tuple(sorted(estimated & before.keys() & after.keys())),
    )


def _members(memberships: Iterable[Membership], at: datetime) -> dict[str, Membership]:
    """Return the memberships of the items in scope at a time, by item (uid)."""
    return {m.item: m for m in memberships if is_member(m, at) and (is_open(m, at) or not m.removed)}


def _done(members: Mapping[str, Membership], at: datetime) -> set[str]:
    return {item for item, membership in members.items() if not is_open(membership, at)}
