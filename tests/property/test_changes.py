"""The lists of changes add up to the change of the counts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sync.history.counting import is_done, is_open
from sync.model.membership import Membership
from sync.report.changes import changes_since
from tests.unit.test_changes import NOW, SINCE, member

flags = st.booleans()


@st.composite
def lives(draw: st.DrawFn) -> list[Membership]:
    """Items that join, are closed, reopened, removed and leave at random hours."""
    found: list[Membership] = []
    for n in range(draw(st.integers(0, 6))):
        hours = sorted(draw(st.sets(st.integers(-20, 29), min_size=1, max_size=7)))
        while hours:
            joined = hours.pop(0)
            times: dict[str, int | bool] = {}
            is_closed = draw(flags)
            if hours and is_closed:
                times["closed"] = hours.pop(0)
                times["removed"] = draw(flags)
            is_reopened = bool(times) and draw(flags)
            if hours:
                times["reopened" if is_reopened else "left"] = hours[0]
            found.append(member(str(n), joined, **times))
            if hours and not is_reopened:
                hours.pop(0)
            elif not hours:
                break
    return found


@given(lives())
def test_the_lists_add_up_to_the_counts(memberships: list[Membership]) -> None:
    changes = changes_since(memberships, {}, SINCE, NOW)
    (done_before, scope_before), (done, scope) = (
        ({m.item for m in memberships if is_done(m, at)}, {m.item for m in memberships if is_open(m, at)})
        for at in (SINCE, NOW)
    )
    total = len(done | scope) - len(done_before | scope_before)
    assert total == len(changes.added) - len(changes.removed)
    lost = done_before & set(changes.removed)
    assert len(done) - len(done_before) == len(changes.closed) - len(changes.reopened) - len(lost)
    assert not set(changes.added) & {*changes.removed, *changes.reopened}
    assert not set(changes.closed) & {*changes.removed, *changes.reopened}
