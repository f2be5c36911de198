"""Ids of milestones as people write them: unique, and understood in older spellings where they mean one milestone."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sync.assess.members import IdIndex, resolve_members
from sync.model.audience import Audience
from sync.model.errors import AmbiguousIdError
from sync.model.joint import JointMilestone
from sync.model.milestone_ids import MilestoneIds, milestone_ids
from sync.model.tracker_data import Milestone, MilestoneKind, Project, State

SOURCE = "https://tracker.example"
WEB = Project(id="1", key="acme/team/web", name="web", url="")


def stone(native: str, written: str) -> Milestone:
    return Milestone(
        id=native,
        project=WEB.id,
        kind=MilestoneKind.MILESTONE,
        key=native,
        written=written,
        title=written,
        url=f"{SOURCE}/{native}",
        state=State.OPEN,
    )


def ids(*milestones: Milestone) -> MilestoneIds:
    return MilestoneIds(milestone_ids("gl", SOURCE, milestones, {WEB.id: WEB}))


def written(known: MilestoneIds) -> list[str]:
    return [own.written for own in known.by_uid.values()]


@pytest.mark.parametrize("sign", ["#12", "%2.0", "/2.0", "/sprint:Sprint 3", "~launch", "?label = 1"])
def test_a_projects_milestone_is_written_with_its_project(sign: str) -> None:
    assert written(ids(stone("7", sign))) == [f"gl:acme/team/web{sign}"]


def test_a_groups_milestone_is_written_with_its_group_and_found_by_its_project() -> None:
    known = ids(stone("7", "acme%v1"))
    assert written(known) == ["gl:acme%v1"]
    assert known.canonical("gl:acme/team/web%v1") == "gl:acme%v1"
    assert known.find("gl:acme/team/web%v2") is None
    assert known.canonical("gl:acme/team/web%v2") == "gl:acme/team/web%v2"


def test_a_projects_own_id_is_never_its_groups() -> None:
    known = ids(stone("7", "acme%v1"), stone("8", "%v1"))
    assert written(known) == ["gl:acme%v1", "gl:acme/team/web%v1"]
    found = known.find("gl:acme/team/web%v1")
    assert found is not None
    assert found.uid.endswith("/8")


def test_equal_ids_are_told_apart_by_the_native_id_and_the_text_without_it_is_refused() -> None:
    known = ids(stone("sprint-4", "/sprint:Sprint 3"), stone("sprint-9", "/sprint:Sprint 3"), stone("5", "/v1"))
    first, second = "gl:acme/team/web/sprint:Sprint 3@sprint-4", "gl:acme/team/web/sprint:Sprint 3@sprint-9"
    assert written(known) == [first, second, "gl:acme/team/web/v1"]
    assert known.canonical(second) == second
    with pytest.raises(AmbiguousIdError) as caught:
        known.find("gl:acme/team/web/sprint:Sprint 3")
    for text in (first, second, f"{SOURCE}/sprint-4", f"{SOURCE}/sprint-9"):
        assert text in str(caught.value)


def test_ids_of_two_groups_that_one_project_sees_are_ambiguous_by_the_project() -> None:
    known = ids(stone("7", "acme%v1"), stone("8", "acme/team%v1"))
    assert written(known) == ["gl:acme%v1", "gl:acme/team%v1"]
    with pytest.raises(AmbiguousIdError, match=r"gl:acme%v1 .* gl:acme/team%v1"):
        known.find("gl:acme/team/web%v1")


@pytest.mark.parametrize("text", ["/iteration:Cadence 2026-11-02", "/epic:7", "/iteration:50% of it: done"])
def test_an_iteration_or_epic_of_a_group_is_written_with_the_group_or_the_project(text: str) -> None:
    known = ids(stone("epic-3.7", f"acme{text}"))
    assert written(known) == [f"gl:acme{text}"]
    assert known.canonical(f"gl:acme/team/web{text}") == f"gl:acme{text}"


def test_a_pattern_written_before_still_matches_a_groups_milestone() -> None:
    (own,) = ids(stone("7", "acme%v1")).by_uid.values()
    joint = JointMilestone(name="GA", members=("gl:acme/team/web%*",))
    by_text = dict.fromkeys((own.written, *own.others), own.uid)
    assert resolve_members(joint, by_text, IdIndex(by_text)) == ([own.uid], [])
    audience = Audience("board", reads=("*",), follows=("gl:acme/team/*",))
    assert audience.is_shown(own.written, *own.others)
    assert not audience.is_shown(own.written)


def test_a_renamed_milestone_gets_another_id_and_stays_the_same() -> None:
    before, after = ids(stone("7", "%v1")), ids(replace(stone("7", "%v1"), written="%v2"))
    assert written(before) != written(after)
    assert before.by_uid.keys() == after.by_uid.keys()
