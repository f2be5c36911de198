"""Small histories for tests: containers and stays in whole and fractional days from one origin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from sync.history.ledger import Ledger
from sync.model.membership import Container, Membership
from sync.model.tracker_data import Issue, Person, State, StatusCategory
from tests.days import day

MembershipDays = Sequence[float | None]
"""(joined, closed) or (joined, closed, left), in days from the origin."""

Given = tuple[Container, Sequence[MembershipDays]]


def container(
    name: str,
    start: float | None,
    due: float | None,
    *,
    stream: str = "app/Release",
    kind: str = "milestone",
    ended: float | None = None,
    first_due: float | None = None,
    agreed_at: float | None = None,
) -> Container:
    """A container with its dates in days from the origin."""

    def at(value: float | None) -> datetime | None:
        return None if value is None else day(value)

    return Container(
        id=name,
        kind=kind,
        stream=stream,
        start=at(start),
        due=at(due),
        first_due=at(first_due),
        ended=at(ended),
        agreed_at=at(agreed_at),
    )


def memberships(name: str, given: Iterable[MembershipDays]) -> list[Membership]:
    """Memberships of ``name``: one item for each stay."""
    found = []
    for k, membership in enumerate(given):
        joined, closed, left = (*membership, None)[:3]
        assert joined is not None
        found.append(
            Membership(
                container=name,
                item=f"{name}/item/{k}",
                joined=day(joined),
                closed=None if closed is None else day(closed),
                left=None if left is None else day(left),
            )
        )
    return found


def ledger(pairs: Sequence[Given]) -> Ledger:
    """A ledger of containers with their stays."""
    return Ledger.of([c for c, _ in pairs], [m for c, given in pairs for m in memberships(c.id, given)])


def releases(
    count: int = 12, *, length: float = 28.0, items: int = 10, missed: int = 3, stream: str = "app/Release"
) -> list[Given]:
    """A stream of ``count`` finished releases, one after another: every third one leaves ``missed`` items open.

    Items are closed evenly over the planned time; the missed ones three days after the due date.
    """
    found: list[Given] = []
    for n in range(count):
        start = n * length
        late = missed if n % 3 == 2 else 0
        closed: list[MembershipDays] = [(start, start + length * (k + 1) / (items + 1)) for k in range(items - late)]
        closed += [(start, start + length + 3)] * late
        found.append(
            (container(f"{stream}-{n}", start, start + length, stream=stream, ended=start + length + 4), closed)
        )
    return found


def open_issue(name: str, *, created: float, touched: float, **changes: Any) -> Issue:
    """An open issue that somebody has, with its times in days from the origin; ``changes`` are fields of it."""
    made = Issue(
        id=name,
        project="app",
        key=name.upper(),
        title="",
        url=f"https://tracker.example/{name}",
        state=State.OPEN,
        raw_state="open",
        category=StatusCategory.TODO,
        created_at=day(created),
        updated_at=day(touched),
        assignees=(Person("p", "P"),),
    )
    return replace(made, **changes)
