"""Milestones of carried-over issues, as far as the readers of the comment may know."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from sync.assess.closing import next_milestones
from sync.assess.milestone import AssessedMilestone
from sync.model.closing import NextMilestone
from sync.model.membership import Membership
from sync.model.tracker_data import MilestoneKind, Visibility
from tests.portfolio_world import NOW, World, combined_page, page, running

LEFT = NOW - timedelta(hours=5)
"""The moment at which the items left the milestone that ended."""


def stay(item: int, hours: float = 1) -> Membership:
    """Return a membership that began so many hours after the item had left the milestone that ended."""
    return Membership(container="c", item=f"i{item}", joined=LEFT + timedelta(hours=hours))


def world(visibility: Visibility = Visibility.PROJECT) -> tuple[AssessedMilestone, AssessedMilestone]:
    """Return a milestone of which five items were carried over, and a running one of another project."""
    whole = World(combined_page(page("app"), page("api", visibility=visibility))).whole()
    by_id = {milestone.written: milestone for milestone in whole.milestones}
    carried = [replace(stay(n, -900), left=LEFT, carried_over=True) for n in range(5)]
    return replace(by_id[running("app")], memberships=carried), by_id[running("api", "app")]


def of_series(milestone: AssessedMilestone, title: str, *stays: Membership, **fields: object) -> AssessedMilestone:
    """Return another milestone of the series, with these memberships."""
    own = replace(milestone.milestone, id=title, title=title, **fields)
    return replace(milestone, uid=title, milestone=own, memberships=stays)


def test_the_most_frequent_comes_first_and_later_moves_count() -> None:
    ended, _ = world()
    v4 = of_series(ended, "v4", stay(0), stay(1), replace(stay(2), left=NOW - timedelta(hours=2)))
    v5 = of_series(ended, "v5", stay(2, 3), stay(3), stay(4), stay(1, 2))
    assert next_milestones([ended], [ended, v4, v5]) == {ended.uid: [NextMilestone("v5", 4), NextMilestone("v4", 1)]}


def test_other_kinds_and_milestones_where_the_items_always_were_are_no_next_ones() -> None:
    ended, _ = world()
    epic = of_series(ended, "Epic", stay(0), kind=MilestoneKind.EPIC)
    always = replace(of_series(ended, "Someday", stay(1, -500)), stream="another series")
    nowhere = of_series(ended, "v4")
    assert next_milestones([ended], [epic, always, nowhere]) == {ended.uid: []}


@pytest.mark.parametrize(("visibility", "title"), [(Visibility.PUBLIC, "Release 9"), (Visibility.PROJECT, "")])
def test_a_milestone_that_the_readers_may_not_know_is_not_named(visibility: Visibility, title: str) -> None:
    ended, other = world(visibility)
    other = replace(other, memberships=[stay(n) for n in range(5)])
    assert next_milestones([ended], [other]) == {ended.uid: [NextMilestone(title, 5)]}
