"""Milestones by rule: the issues with a label on every tracker, and on Jira those that a query finds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from config.settings import load
from connectors.sandbox.server import Sandbox
from connectors.shared.rule_milestones import Rule, RuleMilestones
from sync.assess.milestone import AssessmentRules
from sync.assess.relations import build_portfolio
from sync.assess.snapshot import Snapshot
from sync.cli import wiring
from sync.model.joint import JointMilestone
from sync.model.tracker_data import EventKind, Issue, Milestone, MilestoneKind
from sync.store.store import Store
from sync.tracker.connection import Connection
from tests.contract.sandbox_side import SandboxSide

KINDS = ("github", "gitlab", "jira", "jira-cloud")


@pytest.fixture(params=KINDS)
def side(request: pytest.FixtureRequest, sandbox: Sandbox) -> Iterator[SandboxSide]:
    made = SandboxSide.of(sandbox.world, request.param)
    made.add_milestone("1.0")
    for title in ("one", "two", "three"):
        made.add_issue(title, "1.0")
    made.add_issue("far", elsewhere=True)
    made.label("one", "launch")
    made.pass_time(3600)
    yield made
    for connector in made.made:
        connector.close()


@pytest.fixture
def store(side: SandboxSide) -> Iterator[Store]:
    with Store.memory(side.now) as opened:
        yield opened


def rule(sign: str, text: str, projects: str = "*") -> dict[str, Any]:
    return {"projects": projects, "sign": sign, "text": text, "due": "2026-06-01"}


def pull(side: SandboxSide, store: Store) -> None:
    with closing(side.connect()) as connector:
        for page in connector.pull([side.project, side.other], store.cursors(connector.base_url)):
            assert not page.failed
            store.save(connector.base_url, page, side.now())


def found(side: SandboxSide, store: Store) -> dict[str, set[str]]:
    """By the written id, the titles of the issues that are in a milestone by rule now."""
    source = side.made[-1].base_url
    keys = {project.id: project.key for project in store.projects(source)}
    rules: dict[str, Milestone] = {m.id: m for _, m in store.milestones(source) if m.kind is MilestoneKind.RULE}
    issues: list[Issue] = list(store.issues(source))
    return {
        f"{keys[m.project]}{m.written}": {issue.title for issue in issues if name in issue.milestones}
        for name, m in rules.items()
    }


def test_a_label_makes_a_milestone_in_each_project(side: SandboxSide, store: Store) -> None:
    side.options["rules"] = [rule("~", "launch")]
    pull(side, store)
    assert found(side, store) == {f"{side.project}~launch": {"one"}, f"{side.other}~launch": set()}
    side.label("two", "launch")
    side.label("far", "launch")
    side.pass_time(60)
    pull(side, store)
    assert found(side, store) == {f"{side.project}~launch": {"one", "two"}, f"{side.other}~launch": {"far"}}
    source = side.made[-1].base_url
    moves = [e for e in store.events(source) if e.milestone.startswith("rule-")]
    assert {e.kind for e in moves} == {EventKind.JOINED}
    assert len(moves) == 2, "who was in it before is in it from its creation"
    place, issue = side._issue("one")
    side.tracker.label(issue, [], ["launch"], side.people)
    side.pass_time(60)
    pull(side, store)
    assert found(side, store)[f"{side.project}~launch"] == {"two"}
    moves = [e for e in store.events(source) if e.milestone.startswith("rule-")]
    assert [e.kind for e in moves if e.issue == _id(store, source, "one")] == [EventKind.LEFT]
    assert place is side.place


def _id(store: Store, source: str, title: str) -> str:
    return next(issue.id for issue in store.issues(source) if issue.title == title)


def test_a_rule_that_is_new_is_found_in_what_is_old(side: SandboxSide, store: Store) -> None:
    pull(side, store)
    side.pass_time(600)
    pull(side, store)
    side.options["rules"] = [rule("~", "launch", side.project)]
    pull(side, store)
    assert found(side, store) == {f"{side.project}~launch": {"one"}}
    assert not [e for e in store.events(side.made[-1].base_url) if e.milestone.startswith("rule-")]
    del side.options["rules"]
    pull(side, store)
    assert found(side, store) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_new_costs_nothing_more(sandbox: Sandbox, kind: str) -> None:
    side = SandboxSide.of(sandbox.world, kind)
    side.add_issue("one")
    side.label("one", "launch")
    side.pass_time(3600)
    side.options["rules"] = [rule("~", "launch")]
    with Store.memory(side.now) as store:
        pull(side, store)
        side.pass_time(3600)
        before = side.requests()
        pull(side, store)
        assert side.requests() - before <= 2 * 3 + side.several, "one query on Jira"


@pytest.mark.parametrize("kind", ["jira", "jira-cloud"])
def test_what_a_query_finds_comes_and_goes_without_a_trace_in_the_issue(sandbox: Sandbox, kind: str) -> None:
    side = SandboxSide.of(sandbox.world, kind)
    for title in ("one", "two", "three"):
        side.add_issue(title)
    side.pass_time(3600)
    side.options["rules"] = [rule("?", "priority = High OR labels in (launch)")]
    with Store.memory(side.now) as store:
        pull(side, store)
        assert found(side, store)[f"{side.project}?priority = High OR labels in (launch)"] == set()
        side._issue("two")[1].priority = "High"  # as by a query about time: no update
        side.pass_time(3600)
        pull(side, store)
        assert found(side, store)[f"{side.project}?priority = High OR labels in (launch)"] == {"two"}
        gone = side._issue("one")[1]
        side._issue("two")[1].priority = gone.priority
        del side.place.issues[gone.number]
        side._issue("three")[1].priority = "High"
        side.pass_time(3600)
        pull(side, store)
        assert found(side, store)[f"{side.project}?priority = High OR labels in (launch)"] == {"three"}


@pytest.mark.parametrize("kind", ["jira", "jira-cloud"])
def test_a_query_that_jira_refuses_fails_its_projects_in_its_words(sandbox: Sandbox, kind: str) -> None:
    side = SandboxSide.of(sandbox.world, kind)
    side.add_issue("one")
    side.options["rules"] = [rule("?", "nonsense = 1", side.project)]
    with closing(side.connect()) as connector:
        failed = [p for page in connector.pull([side.project, side.other], {}) for p in page.failed.items()]
    assert [name for name, _ in failed] == [side.project]
    assert "nonsense" in str(failed[0][1])


def test_it_is_a_member_of_a_joint_milestone(side: SandboxSide, store: Store) -> None:
    side.options["rules"] = [rule("~", "launch")]
    pull(side, store)
    connector = side.made[-1]
    store.watch("x", connector.base_url, {p.id for p in store.projects(connector.base_url)}, only=True)
    joint = JointMilestone(name="Launch", members=("x:*~launch",))
    connection = Connection(name="x", connector=connector, projects=(side.project, side.other), admits=lambda *_: False)
    reading = Snapshot(store, [connection], side.now(), AssessmentRules(joints=(joint,)))
    whole = build_portfolio(reading)
    [made] = whole.joints
    assert [milestone.written for milestone in made.members] == [f"x:{side.project}~launch"], (
        "not where nothing carries the label"
    )
    assert made.missing == ()
    assert sum(made.open_counts.values()) == 1


def test_the_configuration_gives_each_connection_its_rules(tmp_path: Path) -> None:
    file = tmp_path / "milesync.toml"
    file.write_text(
        'instance = "acme"\n'
        '[connections.gh]\ntype = "github"\nprojects = ["acme/*"]\n'
        '[connections.jj]\ntype = "jira"\nurl = "https://jira.example.org"\nprojects = ["PAY"]\n'
        '[[joint]]\nname = "Launch"\ndue = 2026-06-01\n'
        'members = ["gh:acme/app#12", "gh:acme/*~launch", "jj:*?due < 7d", "jj:PAY~launch"]\n'
    )
    environ = {"GITHUB_TOKEN": "a", "JIRA_TOKEN": "b"}
    with mock.patch.object(wiring, "connect") as connect:
        wiring.build_connections(load(file, environ), environ)
    setups = [call.args[1] for call in connect.call_args_list]
    rules = {setup.name: RuleMilestones(setup.options) for setup in setups}
    due = date(2026, 6, 1)
    assert rules["gh"].of("acme/app") == [Rule("acme/*", "~", "launch", due)]
    assert rules["jj"].of("PAY") == [Rule("*", "?", "due < 7d", due), Rule("PAY", "~", "launch", due)]
