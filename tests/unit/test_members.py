"""Members of joint milestones that are written as patterns."""

from __future__ import annotations

import random

import pytest

from sync.assess import members
from sync.assess.members import IdIndex, resolve_members
from sync.model.joint import JointMilestone
from sync.model.tracker_data import matches_pattern


def test_the_index_finds_what_a_comparison_with_each_id_finds() -> None:
    rng = random.Random(5)

    def text(letters: str, longest: int) -> str:
        return "".join(rng.choice(letters) for _ in range(rng.randint(0, longest)))

    found = 0
    for _ in range(400):
        ids = {text("ab%\U0010ffff", 5) for _ in range(12)}
        pattern = f"{text('ab%*', 3)}*{text('ab%*', 3)}"
        expected = sorted(own for own in ids if matches_pattern(own, pattern))
        assert IdIndex(ids).matching(pattern) == expected
        found += len(expected)
    assert found > 400


@pytest.mark.parametrize("pattern", ["gl:acme/app7%*", "gl:acme/*%2.7", "gl:*/app7%2.*"])
def test_a_pattern_is_compared_with_the_ids_that_begin_or_end_as_it_does(
    pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"{name}:acme/app{n}%2.{m}" for name in ("gh", "gl") for n in range(30) for m in range(20)]
    compared: list[str] = []

    def noted(written: str, pattern: str) -> bool:
        compared.append(written)
        return matches_pattern(written, pattern)

    monkeypatch.setattr(members, "matches_pattern", noted)
    found = IdIndex(ids).matching(pattern)
    assert len(found) == (30 if pattern.endswith("7") else 20)
    assert len(compared) == {"gl:acme/app7%*": 20, "gl:acme/*%2.7": 60, "gl:*/app7%2.*": 600}[pattern]


def test_a_pattern_is_an_id_where_a_milestone_has_just_that_id() -> None:
    uid_by_id = {"gl:acme/app%v*": "1", "gl:acme/app%v2": "2", "gl:acme/app%v3": "3"}
    joint = JointMilestone(name="GA", members=("gl:acme/app%v*", "gl:acme/*%v3", "gl:acme/web%*", "gl:acme/app%v9"))
    assert resolve_members(joint, uid_by_id, IdIndex(uid_by_id)) == (["1", "3"], ["gl:acme/web%*", "gl:acme/app%v9"])
