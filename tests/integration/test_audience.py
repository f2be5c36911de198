"""Audiences: who may read what, and that nothing else reaches an assessment that is made for one."""

from __future__ import annotations

import msgspec
import pytest

from sync.assess.milestone import AssessmentRules
from sync.assess.relations import build_portfolio
from sync.assess.snapshot import Snapshot
from sync.model.audience import OPERATOR, PUBLIC, Audience
from sync.model.health import Health
from sync.model.joint import JointMilestone
from sync.model.tracker_data import Project, Visibility
from tests.portfolio_world import NOW, RULES, World, page, running

BOTH = JointMilestone(name="Payments GA", members=(running("app"), running("vault")))


def _project(key: str, visibility: Visibility = Visibility.PROJECT) -> Project:
    return Project(id="1", key=key, name=key, url="memory:p", visibility=visibility)


@pytest.mark.parametrize(
    ("audience", "seen"),
    [
        (OPERATOR, {"gh:acme/app", "gh:acme/web", "gl:acme/app", "gl:open"}),
        (Audience(PUBLIC), {"gl:open"}),
        (Audience("gh:acme/app"), {"gh:acme/app"}),
        (Audience("board", ()), {"gl:open"}),
        (Audience("board", ("gh:acme/*",)), {"gh:acme/app", "gh:acme/web", "gl:open"}),
        (Audience("board", ("gl:acme/app",)), {"gl:acme/app", "gl:open"}),
        (Audience("board", ("gh:acme/?pp", "gh:acme/[a]pp")), {"gl:open"}),
    ],
)
def test_who_may_read_what(audience: Audience, seen: set[str]) -> None:
    projects = {name: _project(name[3:]) for name in ("gh:acme/app", "gh:acme/web", "gl:acme/app")}
    projects["gl:open"] = _project("open", Visibility.PUBLIC)
    assert {name for name, project in projects.items() if audience.may_read(name[:2], project)} == seen


def test_what_is_shown_is_named_letter_by_letter_or_by_a_star() -> None:
    audience = Audience("board", (), ("gl:acme/*%2.0 [beta]", "joint:Payments GA"))
    assert audience.is_shown("gl:acme/api%2.0 [beta]")
    assert audience.is_shown("joint:Payments GA")
    assert not audience.is_shown("gl:acme/api%2.0 b")
    assert not audience.is_shown("joint:Payments GA 2")


def _reading(world: World, audience: Audience) -> Snapshot:
    book = AssessmentRules(RULES, joints=(BOTH,), dependencies=((running("vault"), running("app")),))
    return Snapshot(world.store, world.connections, NOW, book, audience=audience)


def _told(reading: Snapshot) -> dict[str, Health]:
    return {milestone.written: milestone.health for milestone in build_portfolio(reading).milestones}


def _published(world: World, **probability: float) -> None:
    """Forecasts published when each project's milestones began, so that there is a track record."""
    healths = [
        msgspec.structs.replace(
            milestone.health, probability=probability[milestone.project.id], at=milestone.milestone.created_at or NOW
        )
        for milestone in world.whole().milestones
    ]
    world.store.save_health("run", healths, {health.container: "memory://vault/project/vault" for health in healths})


def test_what_an_audience_may_not_read_leaves_no_trace() -> None:
    """The hidden project differs in everything: items, lateness, and how good its own forecasts were."""
    told, scores = [], []
    for vault, probability in ((page("vault"), 0.9), (page("vault", late=True, still_open=9), 0.01)):
        world = World(page("app"), vault)
        _published(world, app=0.5, vault=probability)
        reading = _reading(world, Audience("board", ("app:*",)))
        told.append(_told(reading))
        scores.append(reading.scores)
    assert told[0] == told[1]
    assert scores[0] == scores[1]
    assert scores[0]
    assert all(name.startswith("app:") for name in told[0])
    assert told[0]


def test_what_was_said_to_another_audience_is_no_record_of_the_comments() -> None:
    def scored(*audiences: str) -> object:
        world = World(page("app"))
        _published(world, app=0.5)
        more = [
            msgspec.structs.replace(
                milestone.health, audience=name, probability=0.01, at=milestone.milestone.created_at or NOW
            )
            for milestone in world.whole().milestones
            for name in audiences
        ]
        world.store.save_health("run", more)
        return Snapshot(world.store, world.connections, NOW, AssessmentRules(RULES)).scores

    assert scored()
    assert scored() == scored("board")


def test_a_public_project_is_for_every_configured_audience() -> None:
    world = World(page("app"), page("open", visibility=Visibility.PUBLIC))
    assert {name.partition(":")[0] for name in _told(_reading(world, Audience("board", ())))} == {"open"}
