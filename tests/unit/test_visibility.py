"""Views of a joint milestone, compared with a look at each pair of members."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from sync.assess import visibility
from sync.assess.outage import RemovedMilestone
from sync.assess.visibility import JointView, can_read, may_depend_on, words_of_fellows
from sync.model.health import WORST_FIRST
from sync.model.joint import Commitment, JointMilestone
from sync.model.team_words import TeamWords

MOST_FELLOWS, MOST_BLIND = 4, 2


def member(rng: random.Random, n: int, projects: Sequence[tuple[Any, Any]]) -> Any:
    """Return a milestone of one of the projects, as far as a view looks at it."""
    connection, project = rng.choice(projects)
    return SimpleNamespace(
        uid=f"u{n}",
        written=f"{connection.name}:{project.key}#{n}",
        connection=connection,
        project=project,
        milestone=SimpleNamespace(written=f"#{n}", title=f"Version {n}", url="", project=project.id),
        health=SimpleNamespace(status=rng.choice(WORST_FIRST), at=None),
        words=TeamWords(risks=("it rains",) if rng.random() < 0.5 else ()),
    )


def removed_member(rng: random.Random, n: int, projects: Sequence[tuple[Any, Any]]) -> Any:
    """Return the same of a milestone whose project was removed from the configuration."""
    own = member(rng, n, projects)
    return RemovedMilestone(own.connection, own.project, own.milestone, own.written, outage=SimpleNamespace())  # type: ignore[arg-type]


def joint_of(rng: random.Random) -> Any:
    """Return a joint milestone of up to fourteen members in up to five projects of two connections."""
    connections = [SimpleNamespace(name=name, share=rng.choice(("none", "aggregate")), zone=None) for name in "ab"]
    projects = [
        (rng.choice(connections), SimpleNamespace(id=str(n), key=f"acme/p{n}", is_public=rng.random() < 0.4))
        for n in range(rng.randint(1, 5))
    ]
    members = [member(rng, n, projects) for n in range(rng.randint(1, 12))]
    removed = [removed_member(rng, n, projects) for n in range(100, 100 + rng.choice((0, 0, 1, 2)))]
    every = rng.sample([*members, *removed], len(members) + len(removed))
    known = every[: rng.randint(0, len(every))]  # the others are written by another of their ids
    return SimpleNamespace(
        joint=JointMilestone(name="GA", members=tuple(own.written for own in known)),
        health=SimpleNamespace(
            due=date(2026, 4, 1), status=WORST_FIRST[1], probability=0.3, dates=SimpleNamespace(p50=None, p85=None)
        ),
        members=(*(own for own in known if own in members), *(own for own in members if own not in known)),
        missing=("a:acme/x#1",) if rng.random() < 0.2 else (),
        unforecastable=tuple(own for own in members if rng.random() < 0.3),
        removed={own: rng.choice(WORST_FIRST) for own in removed},
    )


def commitment_of_pairs(joint: Any, reader: Any) -> Commitment:
    """Return the commitment after a look at each other member."""
    known_ids = joint.joint.members
    every = sorted(
        (*joint.members, *joint.removed),
        key=lambda own: known_ids.index(own.written) if own.written in known_ids else len(known_ids),
    )
    readable = [own for own in every if can_read(reader, own)]
    others = [own for own in readable if own is not reader]
    worst = sorted(others, key=lambda own: WORST_FIRST.index(visibility._other_member(own, joint).status))[
        :MOST_FELLOWS
    ]
    known = Commitment(
        name="GA",
        fellows=tuple(visibility._other_member(own, joint) for own in others if own in worst),
        more_fellows=max(0, len(others) - MOST_FELLOWS),
        hidden=len(readable) < len(every),
    )
    if not all(may_depend_on(reader, own) for own in every):
        return known
    blind = [visibility._other_member(own, joint) for own in joint.unforecastable if can_read(reader, own)]
    is_hidden = len(blind) < len(joint.unforecastable) or bool(joint.missing)
    return Commitment(
        name="GA",
        due=joint.health.due,
        status=joint.health.status,
        probability=joint.health.probability,
        fellows=known.fellows,
        blind=(*blind[:MOST_BLIND], *([None] if is_hidden else [])),
        more_fellows=known.more_fellows,
        more_blind=max(0, len(blind) - MOST_BLIND),
        hidden=known.hidden,
    )


@pytest.mark.parametrize("seed", range(40))
def test_a_view_of_a_joint_milestone_says_what_a_look_at_each_pair_says(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(seed)
    monkeypatch.setattr(visibility, "MOST_FELLOWS", MOST_FELLOWS)
    monkeypatch.setattr(visibility, "MOST_BLIND", MOST_BLIND)
    monkeypatch.setattr(visibility, "day_of", lambda *_: date(2026, 3, 1))
    monkeypatch.setattr(visibility, "plain_id", lambda milestone, project: f"{project.key}{milestone.written}")
    joint = joint_of(rng)
    keys = {f"{own.project.key}{own.milestone.written}": own for own in joint.members}
    view = JointView(joint, {})
    for reader in joint.members:
        commitment = view.commitment(reader)
        assert commitment == commitment_of_pairs(joint, reader)
        named = [fellow.key for fellow in commitment.fellows]
        with_risks = [
            key for key in named if key in keys and keys[key].words.risks and not keys[key].health.status.is_over
        ]
        assert [words.key for words in words_of_fellows([view], reader)] == with_risks
